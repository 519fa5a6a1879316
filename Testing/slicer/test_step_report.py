"""Step Report by clicking: preview, the whole folder as the library writes it, unreviewed contours, bad folders."""

import csv
import json

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle
from test_panel import events, header
from upstream import four_time_points, put_upstream


@pytest.fixture
def ready(panel, tmp_path):
    """A case with a dose by two engines, a reviewer and a folder."""
    put_upstream(panel.case, four_time_points())
    panel.steps["kinetics"].run_now(panel.case)
    panel.parameters.dose.engines = "local"
    panel.steps["dose"].run_now(panel.case)
    panel.parameters.report.reviewer = "A. Physicist"
    panel.parameters.report.comment = "first <cycle>"
    panel.parameters.report.folder = str(tmp_path / "report")
    panel.open_step("report")
    events()
    return panel


def accept_all(panel):
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.volumes_of_interest import accept, segment_ids

    accept(panel.case, segment_ids(panel.case.node(at.VOIS)), "A. Physicist")
    panel.refresh()


def written(panel):
    panel.steps["report"].ui.exportButton.click()
    panel.runner.wait(180)
    events()


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_an_empty_scene_says_what_is_missing(panel):
    ui = panel.steps["report"].ui
    assert not ui.exportButton.enabled
    for word in ("run step Registration", "run step Dose", "who answers", "Choose the folder"):
        assert word in ui.exportButton.toolTip


def test_the_preview_shows_doses_disclaimer_and_what_is_not_reviewed(ready):
    ui = ready.steps["report"].ui
    text = ui.preview.toPlainText()
    for word in (
        "not a medical device",
        "mean [Gy]",
        "kidney",
        "Engine local",
        "CONTOURS NOT REVIEWED",
        "first <cycle>",
    ):
        assert word in text
    assert ui.reviewLabel.visible
    accept_all(ready)
    text = ui.preview.toPlainText()
    assert "NOT REVIEWED" not in text
    assert "A. Physicist, 2" in text
    assert not ui.reviewLabel.visible


@pytest.mark.slow
def test_a_report_holds_everything_and_says_on_every_file_what_is_not_reviewed(ready, tmp_path):
    from RPTDosimetryLib.bridge.dose_nodes import organ_doses_of_case
    from RPTDosimetryLib.bridge.doses import doses_of_case
    from RPTDosimetryLib.report.provenance import sha256_of
    from RPTDosimetryLib.study.image_files import read_image
    from RPTDosimetryLib.study.read_dose import read_dose

    ready.parameters.dose.engines = "local,msv8"
    ready.steps["dose"].run_now(ready.case)
    events()
    written(ready)
    folder = tmp_path / "report"
    assert "Report written" in ready.said
    assert "needs review" in header(ready, "report")
    doses = {dose.engine: dose for dose in doses_of_case(ready.case)}
    for engine, rows in organ_doses_of_case(ready.case).items():
        table = rows_of(folder / engine / "organ_doses.csv")
        assert [float(row["mean_gy"]) for row in table] == [row.mean_gy for row in rows]
        np.testing.assert_array_equal(
            read_image(folder / engine / "dose_gy.nrrd", "Gy").voxels, doses[engine].image.voxels
        )
        gray = doses[engine].image.voxels
        step_gy = gray.max() / 65535  # what 16 bits can hold; half of it is the rounding
        np.testing.assert_allclose(read_dose(folder / engine / "dose_rtdose.dcm").voxels, gray, atol=0.51 * step_gy)
        for name in ("organ_doses.csv", "dvh.csv", "tia_with_fewer_scans.csv"):
            for row in rows_of(folder / engine / name):
                assert row["notice"] == "CONTOURS NOT REVIEWED: kidney, liver lesion, body"
        record = json.loads((folder / engine / "provenance.json").read_text(encoding="utf-8"))
        assert any("NOT REVIEWED" in text for text in record["warnings"])
        for name, known in record["outputs_sha256"].items():
            assert sha256_of(folder / engine / name) == known
        for name in ("dose_overlay.png", "dvh.png", "curves.png"):
            assert (folder / engine / name).stat().st_size > 10_000
    assert "NOT REVIEWED" in (folder / "NOT_REVIEWED.txt").read_text(encoding="utf-8")
    assert (folder / "summary.html").read_text(encoding="utf-8").count("CONTOURS NOT REVIEWED") >= 2
    assert (folder / "case.mrb").stat().st_size > 10_000


def test_a_reviewed_report_carries_no_notice_and_is_done(ready, tmp_path):
    accept_all(ready)
    written(ready)
    folder = tmp_path / "report"
    assert "done" in header(ready, "report")
    assert not (folder / "NOT_REVIEWED.txt").exists()
    assert "notice" not in rows_of(folder / "organ_doses.csv")[0]
    assert rows_of(folder / "organ_doses.csv")[0]["reviewed_by"].startswith("A. Physicist")
    ready.parameters.report.comment = "another"
    events()
    assert "out of date" in header(ready, "report")


def test_the_scene_of_a_report_and_a_later_one_open_as_the_same_case(ready, tmp_path):
    """The later one remembers that the report was written."""
    written(ready)
    save_bundle(tmp_path / "later.mrb")
    load_bundle(tmp_path / "later.mrb")
    events()
    assert "needs review" in header(ready, "report")
    load_bundle(tmp_path / "report" / "case.mrb")
    events()
    assert "done" in header(ready, "dose") or "needs review" in header(ready, "dose")
    assert "Engine local" in ready.steps["report"].ui.preview.toPlainText()


@pytest.mark.slow
def test_a_comparison_goes_into_the_report(ready, tmp_path):
    ready.parameters.dose.engines = "local,msv8"
    ready.steps["dose"].run_now(ready.case)
    ready.steps["compare"].run_now(ready.case)
    ready.refresh()
    written(ready)
    folder = tmp_path / "report"
    told = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    assert told["gamma"]["settings"]["dta_mm"] == 4.795
    assert {row["name"] for row in rows_of(folder / "compared_organs.csv")} == {"kidney", "liver lesion", "body"}
    assert "Comparison: " in (folder / "summary.html").read_text(encoding="utf-8")
    record = json.loads((folder / "msv8" / "provenance.json").read_text(encoding="utf-8"))
    pictures = {f"compared_{name}.png" for name in ("errors", "organs", "dvh", "voxels", "violins")}
    assert pictures <= set(record["outputs_sha256"])
    page = (folder / "msv8" / "report.html").read_text(encoding="utf-8")
    for caption in (
        "limits of agreement",
        "Voxel against voxel",
        "Relative errors of voxels",
        "Dose-volume histograms",
    ):
        assert caption in page
    assert "Dose msv8 [Gy] against Dose local [Gy]" in page
    assert record["settings"]["radiobiology"]["tissues"][0]["source"].startswith("Barone 2005")


def test_a_file_in_the_way_and_no_permission_are_sentences(ready, tmp_path, monkeypatch):
    import os

    from RPTDosimetryLib.bridge.steps.report import folder_problems

    (tmp_path / "taken").write_text("", encoding="utf-8")
    ready.parameters.report.folder = str(tmp_path / "taken")
    events()
    assert "is a file" in ready.steps["report"].ui.exportButton.toolTip
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "may not write" in folder_problems(str(tmp_path / "report"))[0]


def test_a_disk_that_refuses_leaves_no_half_report(ready, tmp_path, monkeypatch):
    """The folder's place is taken while the report is written: all or nothing, and the scene's copy is gone."""
    import shutil
    import tempfile
    from pathlib import Path

    from RPTDosimetryLib.bridge import report_order

    ready.steps["report"].ui.exportButton.click()
    (tmp_path / "report").write_text("in the way", encoding="utf-8")
    ready.runner.wait(180)
    events()
    assert "could not be written" in ready.said
    assert (tmp_path / "report").read_text(encoding="utf-8") == "in the way"
    assert not list(tmp_path.glob(".writing-*"))
    assert not list(Path(tempfile.gettempdir()).glob(f"{report_order._WAITING}*"))
    assert "out of date" not in header(ready, "report")
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_cancelling_leaves_nothing(ready, tmp_path):
    import tempfile
    from pathlib import Path

    from RPTDosimetryLib.bridge import report_order

    ready.steps["report"].ui.exportButton.click()
    events()
    assert list(Path(tempfile.gettempdir()).glob(f"{report_order._WAITING}*"))
    ready.open_step("study")
    ready.cancel_button.click()
    events()
    assert not (tmp_path / "report").exists()
    assert not list(Path(tempfile.gettempdir()).glob(f"{report_order._WAITING}*"))


def test_a_stale_dose_is_not_reported(ready):
    ready.parameters.kinetics.tailHalfLifeH = 40.0
    events()
    assert (
        "Step Kinetics is out of date: run it again. Step Dose is out of date"
        in ready.steps["report"].ui.exportButton.toolTip
    )


def test_a_script_writes_the_report(ready, logic, tmp_path):
    case = logic.case()
    logic.step("report").run_now(case)
    assert (tmp_path / "report" / "summary.html").exists()
    assert logic.step("report").state(case).value == "needs review"


def test_closing_the_scene_leaves_nothing(ready):
    import slicer

    slicer.mrmlScene.Clear(0)
    events()
    assert ready.steps["report"].ui.preview.toPlainText() == ""
    assert "to do" in header(ready, "report")


@pytest.mark.slow
def test_what_other_systems_take_is_chosen_by_ticking(ready, tmp_path):
    """The SEG holds the segments of the scene, and a de-identified export no longer says whose they are."""
    import pydicom

    ui = ready.steps["report"].ui
    assert "For other systems" in ui.exportTable.item(1, 0).text()
    assert ui.exportTable.item(1, 1).text() == "no"
    for box in (ui.segBox, ui.srBox, ui.rtstructBox, ui.pdfBox, ui.deidentifyBox):
        box.click()
    events()
    assert ui.exportTable.item(1, 0).text() == "For other systems: RTDOSE, SEG, SR, RTSTRUCT, PDF, de-identified"
    assert ui.exportTable.item(1, 1).text() == "yes"
    written(ready)
    folder = tmp_path / "report"
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    assert "A. Physicist" in (folder / "report.html").read_text(encoding="utf-8")
    names = {path.name for path in (folder / "export").iterdir()}
    assert {"vois_seg.dcm", "measurements_sr.dcm", "vois_rtstruct.dcm", "report_pdf.dcm", "dose_rtdose.dcm"} < names
    seg = pydicom.dcmread(folder / "export" / "vois_seg.dcm")
    assert [item.SegmentLabel for item in seg.SegmentSequence] == ["kidney", "liver lesion", "body"]
    assert seg.PatientIdentityRemoved == "YES"
    for path in (folder / "export").iterdir():
        assert b"A. Physicist" not in path.read_bytes(), path.name


def test_a_plain_report_has_no_export_folder(ready, tmp_path):
    accept_all(ready)
    written(ready)
    assert not (tmp_path / "report" / "export").exists()
    assert (tmp_path / "report" / "report.html").is_file()
