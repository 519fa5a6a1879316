"""Engine monte_carlo from the panel: settings, interim doses, cancel and resume, error maps, closing in mid-run."""

import csv
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle
from test_panel import events, header
from test_step_dose import compute, dose_nodes, tick
from upstream import four_time_points, put_upstream

ENGINE = "monte_carlo"
#: Enough for the processor to have something to do while a test looks on.
LONG_MILLIONS = 200.0


@pytest.fixture
def ready(panel):
    """The panel with everything that Dose needs, the engine ticked, and the library's records; nothing kept yet."""
    from RPTDosimetryLib.bridge import checkpoints

    shutil.rmtree(checkpoints.folder(), ignore_errors=True)
    registered, vois = put_upstream(panel.case, four_time_points())
    panel.steps["kinetics"].run_now(panel.case)
    panel.open_step("dose")
    tick(panel, ENGINE)
    return panel, registered, vois


def ui_of(panel):
    return panel.steps["dose"].ui


def choose(box, text):
    box.currentIndex = box.findText(text)
    events()


def started(panel, millions, until=lambda panel: "error" in panel._job_text.text):
    """Start a run by a click and wait until something can be seen of it."""
    ui_of(panel).mcMillionsBox.value = millions
    events()
    ui_of(panel).runButton.click()
    limit = time.monotonic() + 240
    while panel.runner.busy and not until(panel) and time.monotonic() < limit:
        events()
        time.sleep(0.02)
    assert panel.runner.busy, panel.said
    assert until(panel)


def interim_node(panel):
    from RPTDosimetryLib.bridge import attributes as at

    return panel.case.node(at.INTERIM)


def files_kept():
    from RPTDosimetryLib.bridge import checkpoints

    return sorted(checkpoints.folder().glob("*/*"))


def own_dose(panel, registered, vois, **settings):
    """The library's dose of the same input, from its own functions."""
    from RPTDosimetryLib.bridge.doses import tia_of_case
    from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose, media_wanted
    from RPTDosimetryLib.dose.monte_carlo_settings import MonteCarloSettings
    from RPTDosimetryLib.registration.patient_map import patient_map_of

    chosen = DoseSettings(engine=ENGINE, monte_carlo=MonteCarloSettings(**settings))
    patient = patient_map_of(registered, None, *media_wanted(chosen))
    return compute_dose(tia_of_case(panel.case), patient, "Lu-177", chosen, vois=vois)


# settings -------------------------------------------------------------------------------------------------------------


def test_the_settings_are_there_when_the_engine_is_ticked(panel):
    ui = ui_of(panel)
    tick(panel, "local")
    assert not ui.mcButton.visible
    tick(panel, "local", ENGINE)
    assert ui.mcButton.visible
    assert "cores" in ui.mcEstimateLabel.text
    assert not ui.mcErrorBox.enabled
    assert "under Until" in ui.mcErrorBox.toolTip
    choose(ui.mcUntilBox, "an error of voxels above 10 % of the maximum")
    assert ui.mcErrorBox.enabled
    assert ui.mcAtMostBox.enabled
    assert not ui.mcMillionsBox.enabled
    assert not ui.mcVolumes.enabled


def test_settings_reach_the_library_and_come_back_with_the_scene(ready, tmp_path):
    from RPTDosimetryLib.bridge.monte_carlo_choices import settings_of
    from RPTDosimetryLib.dose.monte_carlo_settings import MonteCarloSettings

    panel = ready[0]
    ui = ui_of(panel)
    choose(ui.mcUntilBox, "an error of the mean of volumes")
    assert "Tick the volumes" in ui.missingLabel.text
    assert not ui.runButton.enabled
    import qt

    assert [ui.mcVolumes.item(row, 0).text() for row in range(3)] == ["kidney", "liver lesion", "body"]
    ui.mcVolumes.item(1, 0).setCheckState(qt.Qt.Checked)
    ui.mcErrorBox.value = 0.2
    ui.mcAtMostBox.value = 500.0
    choose(ui.mcMediaBox, "20 media")
    ui.mcRefineBox.value = 2
    ui.mcSeedBox.value = 7
    ui.mcPhotonBox.value = 0.5
    ui.mcFlatteningBox.value = 0.1
    events()
    wanted = MonteCarloSettings(
        histories=5e8,
        target_se=0.002,
        target_volumes=("liver lesion",),
        media="msv20",
        photon_share=0.5,
        flattening=0.1,
        refine=2,
        seed=7,
    )
    assert settings_of(panel.case) == wanted
    assert ui.missingLabel.text == ""
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert settings_of(panel.case) == wanted
    assert ui.mcRefineBox.value == 2
    assert ui.mcVolumes.item(1, 0).checkState() == qt.Qt.Checked
    assert ui.mcVolumes.item(0, 0).checkState() == qt.Qt.Unchecked


def test_a_volume_that_is_gone_and_dose_rates_are_a_sentence(ready):
    from RPTDosimetryLib.bridge.monte_carlo_choices import aim_at

    panel = ready[0]
    choose(ui_of(panel).mcUntilBox, "an error of the mean of volumes")
    aim_at(panel.case, ["spleen"])
    events()
    assert "no volume spleen" in ui_of(panel).missingLabel.text
    aim_at(panel.case, ["kidney"])
    choose(ui_of(panel).integrateBox, "dose_rate")
    assert "dose rates" in ui_of(panel).missingLabel.text


def test_a_gpu_that_is_not_there_is_greyed_with_its_reason(ready, monkeypatch):
    from RPTDosimetryLib.bridge import monte_carlo_choices

    panel = ready[0]
    box = ui_of(panel).mcDeviceBox
    monkeypatch.setattr(monte_carlo_choices, "no_cuda", lambda: "No NVIDIA driver answers.")
    panel.refresh()
    assert not box.enabled
    assert "No NVIDIA driver answers" in box.toolTip
    panel.parameters.monteCarlo.device = "cuda"  # as a scene from another computer says
    events()
    assert box.enabled
    assert "cannot run on a GPU here" in ui_of(panel).missingLabel.text
    assert not ui_of(panel).runButton.enabled
    monkeypatch.setattr(monte_carlo_choices, "no_cuda", lambda: "")
    panel.refresh()
    assert box.enabled
    assert ui_of(panel).missingLabel.text == ""


# a run ----------------------------------------------------------------------------------------------------------------


def test_the_dose_is_the_librarys_with_its_errors_and_marks(ready, tmp_path):
    import slicer

    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.dose_nodes import organ_doses_of_case
    from RPTDosimetryLib.bridge.doses import doses_of_case

    panel, registered, vois = ready
    ui = ui_of(panel)
    ui.mcMillionsBox.value = 0.4
    compute(panel, ENGINE)
    assert "should not" not in panel.said
    own = own_dose(panel, registered, vois, histories=4e5)
    (back,) = doses_of_case(panel.case)
    np.testing.assert_array_equal(back.image.voxels, own.image.voxels)
    np.testing.assert_array_equal(back.standard_error.voxels, own.standard_error.voxels)
    assert back.method == own.method
    assert back.region_errors_gy == own.region_errors_gy
    assert set(back.region_errors_gy) == {"kidney", "liver lesion", "body"}
    rows = organ_doses_of_case(panel.case)[ENGINE]
    assert [row.mean_se_gy for row in rows] == [own.region_errors_gy[row.name] for row in rows]
    assert ui.organTable.horizontalHeaderItem(4).text() == "± [Gy]"
    assert float(ui.organTable.item(0, 4).text()) == pytest.approx(rows[0].mean_se_gy, rel=1e-3)

    def legends():
        nodes = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
        return [node.GetTitleText() for node in nodes if node.GetVisibility()]

    error, relative = panel.case.node(at.DOSE_ERROR), panel.case.node(at.RELATIVE_ERROR)
    assert (error.GetName(), relative.GetName()) == (
        "Standard error of dose monte_carlo [Gy]",
        "Relative error of dose monte_carlo [%]",
    )
    assert error.GetVoxelValueUnits().GetCodeValue() == "Gy"
    assert relative.GetVoxelValueUnits().GetCodeValue() == "%"
    percent = slicer.util.arrayFromVolume(relative)
    counted = own.image.voxels >= 0.01 * own.image.voxels.max()
    np.testing.assert_array_equal(np.isfinite(percent), counted)
    expected = 100 * own.standard_error.voxels[counted] / own.image.voxels[counted]
    np.testing.assert_allclose(percent[counted], expected, rtol=1e-6)
    assert legends() == ["Absorbed dose [Gy]"]
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    for label, node, title in (
        ("standard error in Gy", error, "Standard error of the dose [Gy]"),
        ("standard error in % of the dose", relative, "Relative error of the dose [%]"),
    ):
        choose(ui.mapBox, label)
        assert composite.GetForegroundVolumeID() == node.GetID()
        assert legends() == [title]
    choose(ui.mapBox, "dose")
    assert composite.GetForegroundVolumeID() == dose_nodes(panel)[ENGINE].GetID()
    ui.csvEdit.currentPath = str(tmp_path / "organs.csv")
    events()
    ui.csvButton.click()
    with (tmp_path / "organs.csv").open(newline="", encoding="utf-8") as handle:
        assert [float(line["mean_se_gy"]) for line in csv.DictReader(handle)] == [row.mean_se_gy for row in rows]
    assert not [path for path in files_kept() if path.suffix == ".npz"], "what is done is not kept twice"
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    (loaded,) = doses_of_case(panel.case)
    assert loaded.region_errors_gy == own.region_errors_gy
    np.testing.assert_array_equal(loaded.standard_error.voxels, own.standard_error.voxels)
    assert "out of date" not in header(panel, "dose")
    ui.mcSeedBox.value = 2
    events()
    assert "out of date" in header(panel, "dose")
    ui.mcSeedBox.value = 1
    events()
    assert "out of date" not in header(panel, "dose")


def test_a_run_to_an_error_of_volumes_on_a_finer_grid_is_the_librarys(ready):
    import qt

    from RPTDosimetryLib.bridge.doses import doses_of_case

    panel, registered, vois = ready
    ui = ui_of(panel)
    choose(ui.mcUntilBox, "an error of the mean of volumes")
    ui.mcVolumes.item(0, 0).setCheckState(qt.Qt.Checked)
    ui.mcErrorBox.value = 0.5
    ui.mcAtMostBox.value = 2.0
    choose(ui.mcMediaBox, "20 media")
    ui.mcRefineBox.value = 2
    compute(panel, ENGINE)
    chosen = {"target_se": 0.005, "target_volumes": ("kidney",), "histories": 2e6, "media": "msv20", "refine": 2}
    own = own_dose(panel, registered, vois, **chosen)
    (back,) = doses_of_case(panel.case)
    np.testing.assert_array_equal(back.image.voxels, own.image.voxels)
    assert back.parameters["volumes"]["kidney"]["relative_error"] <= 0.005
    assert back.parameters["decays_simulated"] == own.parameters["decays_simulated"]


def test_only_doses_with_errors_offer_their_errors(ready):
    panel = ready[0]
    compute(panel, "local")
    assert not ui_of(panel).mapBox.enabled
    assert "Only doses of monte_carlo" in ui_of(panel).mapBox.toolTip


def test_a_dose_on_its_way_is_shown_as_what_it_is_and_never_saved(ready, tmp_path):
    import slicer

    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.comparison import dose_volumes

    panel = ready[0]
    started(panel, LONG_MILLIONS, lambda panel: interim_node(panel) is not None and "error" in panel._job_text.text)
    node = interim_node(panel)
    assert node.GetName() == "Dose monte_carlo, interim [Gy]"
    assert slicer.util.arrayFromVolume(node).max() > 0
    events()
    assert "Interim dose, not a result" in ui_of(panel).interimLabel.text
    assert ui_of(panel).interimLabel.visible
    percent = 100 * at.number(node, "RelativeError")
    assert f"{percent:.2g} %" in ui_of(panel).interimLabel.text
    visible = [n for n in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode") if n.GetVisibility()]
    assert ["INTERIM" in legend.GetTitleText() for legend in visible] == [True]
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetForegroundVolumeID() == node.GetID()
    assert panel.case.nodes(at.DOSE) == []
    assert dose_volumes(panel.case) == []
    assert node not in panel.steps["dose"].results(panel.case)
    save_bundle(tmp_path / "case.mrb")
    panel.cancel_button.click()
    panel.runner.wait(30)
    events()
    assert interim_node(panel) is None
    assert not ui_of(panel).interimLabel.visible
    load_bundle(tmp_path / "case.mrb")
    events()
    assert interim_node(panel) is None
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLNode")]
    assert not [name for name in names if "interim" in name]


def test_cancel_keeps_what_is_done_and_resume_gives_the_dose_of_an_uninterrupted_run(ready):
    from RPTDosimetryLib.bridge.doses import doses_of_case

    panel, registered, vois = ready
    ui = ui_of(panel)
    millions = 12.0
    started(panel, millions)
    clicked = time.monotonic()
    panel.cancel_button.click()
    assert panel.runner.busy, "it is asked, not ended at once"
    panel.runner.wait(30)
    assert time.monotonic() - clicked < 5.0
    events()
    assert "are kept" in panel.said
    assert "Resume" in ui.runButton.text
    assert ui.keptLabel.text == panel.said
    assert dose_nodes(panel) == {}
    kept = [path for path in files_kept() if path.suffix == ".npz"]
    assert [path.parent.name for path in kept] == [panel.case.identity]
    ui.mcSeedBox.value = 5
    events()
    assert "Resume" not in ui.runButton.text, "another run has kept nothing"
    ui.mcSeedBox.value = 1
    events()
    assert "Resume" in ui.runButton.text
    ui.runButton.click()
    panel.runner.wait(240)
    events()
    (resumed,) = doses_of_case(panel.case)
    own = own_dose(panel, registered, vois, histories=1e6 * millions)
    np.testing.assert_array_equal(resumed.image.voxels, own.image.voxels)
    np.testing.assert_array_equal(resumed.standard_error.voxels, own.standard_error.voxels)
    assert resumed.region_errors_gy == own.region_errors_gy
    assert resumed.parameters["batches"] == own.parameters["batches"]
    assert "Resume" not in ui.runButton.text
    assert not kept[0].exists()


def test_discard_removes_what_is_kept(ready):
    panel = ready[0]
    ui = ui_of(panel)
    started(panel, LONG_MILLIONS)
    panel.cancel_button.click()
    panel.runner.wait(30)
    events()
    assert ui.discardButton.visible
    ui.discardButton.click()
    events()
    assert not ui.discardButton.visible
    assert "Resume" not in ui.runButton.text
    assert files_kept() == []


def test_closing_the_scene_in_mid_run_leaves_nothing(ready, tmp_path, monkeypatch):
    import tempfile

    import slicer

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    panel = ready[0]
    started(panel, LONG_MILLIONS, lambda panel: interim_node(panel) is not None)
    process = panel.runner._job.process
    slicer.mrmlScene.Clear(0)
    slicer.app.layoutManager().refill()
    events()
    assert not panel.runner.busy
    assert process.poll() is not None
    assert panel.case.nodes() == []
    assert not list(tmp_path.glob("rptdosimetry-*"))
    assert not ui_of(panel).interimLabel.visible


def test_few_checkpoints_are_kept(case, monkeypatch, tmp_path):
    from RPTDosimetryLib.bridge import checkpoints

    monkeypatch.setattr(checkpoints, "folder", lambda: tmp_path)
    for number in range(6):
        path = tmp_path / f"case{number}" / "run.npz"
        path.parent.mkdir()
        path.write_bytes(b"old")
        stamp = time.time() - 1000 + number
        import os

        os.utime(path, (stamp, stamp))
    coming = checkpoints.path_of(case, "new")
    checkpoints.clean_up(coming)
    left = sorted(path.parent.name for path in tmp_path.glob("*/*.npz"))
    assert left == ["case4", "case5"], "with the one that comes, three"
    assert not (tmp_path / "case0").exists()
    assert checkpoints.found(tmp_path / "case5" / "run.npz") is None, "no checkpoint is no error"


def test_a_setting_of_the_checkpoint_alone_changes_no_fingerprint(ready):
    panel = ready[0]
    step = panel.steps["dose"]
    before = step.inputs_fingerprint(panel.case)
    request = step.request(panel.case)
    checkpoint = request.arguments[4].settings.monte_carlo.checkpoint
    assert checkpoint == step.checkpoint(panel.case)
    assert step.inputs_fingerprint(panel.case) == before
    assert request.keeps
    panel.parameters.monteCarlo.millions = 3.0
    assert step.checkpoint(panel.case) != checkpoint
    assert step.inputs_fingerprint(panel.case) != before
    order = replace(request.arguments[4], engines=("local",))
    assert order.settings.monte_carlo.histories == 1e8
