"""Biological effect and assumptions by clicking: maps as the library writes them, settings, what goes out of date."""

import csv
import json

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle
from test_panel import events, header
from test_step_report import ready, written  # noqa: F401 (a fixture)


def weighted(panel):
    panel.steps["report"].ui.effectsButton.click()
    panel.runner.wait(120)
    events()
    return panel.steps["report"]


def voxels(case, kind, engine="local"):
    import slicer

    from RPTDosimetryLib.bridge.effect_nodes import effect_map

    return slicer.util.arrayFromVolume(effect_map(case, engine, kind)).copy()


def map_of(folder, name):
    """A map of the report with its NaN."""
    from RPTDosimetryLib.study.image_files import read_image

    return read_image(folder / "report" / name, "Gy", "keep").voxels


def set_cell(table, row, column, text):
    table.item(row, column).setText(text)
    events()


def library_outcome(case, choices):
    """What rptdosimetry run computes of the same study with these settings."""
    from dataclasses import replace

    from RPTDosimetryLib.bridge.report_order import order_of
    from RPTDosimetryLib.report.exports import outcomes_of
    from RPTDosimetryLib.tia.kinetics import KineticsChoice

    return outcomes_of(replace(order_of(case, KineticsChoice(), None), choices=choices))[0]


def test_the_maps_are_those_of_the_report_and_of_the_formula_bit_for_bit(ready, tmp_path):  # noqa: F811
    from upstream import vois_on

    from RPTDosimetryLib.bridge.doses import doses_of_case
    from RPTDosimetryLib.bridge.effect_nodes import effects_told
    from RPTDosimetryLib.radiobiology.organ_effects import bed_of_dose
    from RPTDosimetryLib.radiobiology.tissues import TISSUES

    weighted(ready)
    written(ready)
    for kind, name in (("bed", "bed_gy.nrrd"), ("eqd2", "eqd2_gy.nrrd")):
        np.testing.assert_array_equal(voxels(ready.case, kind), map_of(tmp_path, name))
    gray = doses_of_case(ready.case)[0].image.voxels
    kidney = next(voi for voi in vois_on(doses_of_case(ready.case)[0].image.grid) if voi.name == "kidney").mask
    row = next(row for row in effects_told(ready.case, "local")["rows"] if row["name"] == "kidney")
    expected = gray[kidney] + row["lea_catcheside"] * gray[kidney].astype(np.float64) ** 2 / 2.6
    np.testing.assert_allclose(voxels(ready.case, "bed")[kidney], expected, rtol=1e-6)
    # one exponential of 3.8e-6 per second, repair of 2.8 h: G = lambda/(lambda + mu); bed is the verb's number
    rate, repair = 3.8e-6, np.log(2) / (2.8 * 3600)
    assert row["lea_catcheside"] == pytest.approx(rate / (rate + repair), rel=0.02)
    verb = bed_of_dose(row["dose_gy"], row["lea_catcheside"], TISSUES[0])
    assert (row["bed_gy"], row["eqd2_gy"]) == (verb["bed_gy"], verb["eqd2_gy"])
    body = vois_on(doses_of_case(ready.case)[0].image.grid)[2].mask
    assert np.isnan(voxels(ready.case, "bed")[~body]).all()  # nothing is known of it, so nothing is shown


def test_the_maps_have_legend_unit_place_and_mark_of_what_made_them(ready):  # noqa: F811
    import slicer

    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.effect_nodes import effect_map

    step = weighted(ready)
    node = effect_map(ready.case, "local", "bed")
    assert node.GetName() == "BED local [Gy]"
    assert at.text(node, "Unit") == "Gy"
    assert "Biologically effective dose" in node.GetVoxelValueQuantity().GetCodeMeaning()
    assert "G from the fitted activity curve" in at.text(node, "Method")
    assert ready.case.made_from(node) == step.effects.inputs_fingerprint(ready.case)
    assert at.text(node, at.STEP) == "effects"
    legends = [
        legend
        for legend in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
        if legend.GetVisibility() and legend.GetDisplayableNode() is node
    ]
    assert [legend.GetTitleText() for legend in legends] == ["BED [Gy]"]
    red = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    assert red.GetForegroundVolumeID() == node.GetID()
    step.ui.shownEffectBox.currentIndex = 1
    events()
    step.ui.showEffectButton.click()
    assert red.GetForegroundVolumeID() == effect_map(ready.case, "local", "eqd2").GetID()
    assert (
        node.GetAttribute("DicomRtImport.DoseVolume") is None
    )  # a BED is no dose that may be compared or planned with
    from RPTDosimetryLib.bridge.comparison import dose_volumes

    assert node not in dose_volumes(ready.case)


def test_another_alpha_beta_puts_maps_and_report_out_of_date_and_changes_both(ready, tmp_path):  # noqa: F811
    from RPTDosimetryLib.bridge.effect_nodes import effects_told

    step = weighted(ready)
    written(ready)
    before = effects_told(ready.case, "local")["rows"][0]
    ui = step.ui
    assert ui.tissuesTable.item(0, 1).text() == "2.6"
    assert "Barone 2005" in ui.tissuesTable.item(0, 1).toolTip()
    set_cell(ui.tissuesTable, 0, 1, "5.2")
    set_cell(ui.tissuesTable, 0, 3, "our own")
    assert "out of date" in header(ready, "report")
    assert "BED maps are out of date" in ui.exportButton.toolTip
    assert "Biological effect" not in ui.preview.toPlainText()
    weighted(ready)
    after = effects_told(ready.case, "local")["rows"][0]
    assert after["source"] == "our own"
    assert after["bed_gy"] - after["dose_gy"] == pytest.approx((before["bed_gy"] - before["dose_gy"]) / 2, rel=1e-9)
    assert f"{after['bed_gy']:.4g}" in ui.preview.toPlainText()
    written(ready)
    np.testing.assert_array_equal(voxels(ready.case, "bed"), map_of(tmp_path, "bed_gy.nrrd"))
    with (tmp_path / "report" / "radiobiology.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert float(table[0]["bed_gy"]) == after["bed_gy"]
    ui.tissuesRestore.click()
    events()
    assert ui.tissuesTable.item(0, 1).text() == "2.6"
    assert ready.parameters.assumptions.tissues == ""


def test_what_cannot_be_is_a_sentence_and_stops_the_report(ready):  # noqa: F811
    ui = ready.steps["report"].ui
    set_cell(ui.tissuesTable, 1, 2, "2,5")
    said = 'Assumptions, tissues, row 2: repair T½ [h] is "2,5": a number with a point is needed.'
    assert ui.assumptionsLabel.text == said
    assert said in ui.exportButton.toolTip
    assert said in ui.effectsButton.toolTip
    set_cell(ui.tissuesTable, 1, 2, "2.5")
    assert not ui.assumptionsLabel.visible
    set_cell(ui.tissuesTable, 1, 3, "")
    assert "need a source" in ui.assumptionsLabel.text
    ui.tissuesRestore.click()
    ui.limitsAdd.click()
    events()
    assert "Assumptions, limits, row 7" in ui.assumptionsLabel.text
    ui.limitsTable.setCurrentCell(6, 0)
    ui.limitsRemove.click()
    events()
    assert not ui.assumptionsLabel.visible
    ready.parameters.assumptions.releaseUsvPerH = 20.0
    events()
    assert "say which rule" in ui.assumptionsLabel.text
    ready.parameters.assumptions.releaseSource = "our licence"
    events()
    assert not ui.assumptionsLabel.visible


def test_uncertainties_of_the_panel_are_those_of_the_report(ready, tmp_path):  # noqa: F811
    """The verb's settings record gives the same budget; 0 is not known, and said."""
    from RPTDosimetryLib.bridge.assumptions import choices_of
    from RPTDosimetryLib.bridge.effect_nodes import effects_told
    from RPTDosimetryLib.uncertainty.settings import UncertaintySettings

    ui = ready.steps["report"].ui
    assert choices_of(ready.case).uncertainty == UncertaintySettings()
    for box, value in ((ui.organFwhmBox, 1.0), (ui.lesionFwhmBox, 10.0), (ui.spectFwhmBox, 11.0)):
        box.value = value
    for box, value in ((ui.calibrationUBox, 3.3), (ui.densityUBox, 2.0), (ui.engineUBox, 1.1)):
        box.value = value
    events()
    expected = UncertaintySettings(1.0, 10.0, 11.0, 0.033, 0.02, 0.011)
    assert choices_of(ready.case).uncertainty == expected
    weighted(ready)
    written(ready)
    record = json.loads((tmp_path / "report" / "provenance.json").read_text(encoding="utf-8"))
    budgets = record["steps"]["assessment"]["uncertainty"]
    assert budgets == effects_told(ready.case, "local")["told"]["uncertainty"]
    assert {share["cause"] for share in budgets[0]["shares"]} >= {"calibration factor", "density", "dose engine"}
    assert f"± {budgets[0]['mean_u_gy']:.2g}" in ready.steps["report"].ui.preview.toPlainText()
    assert record["settings"]["panel"]["assumptions.calibrationPercent"] == "3.3"


def test_an_earlier_cycle_adds_its_dose_and_its_bed(ready, tmp_path):  # noqa: F811
    """The same dose a second time: twice the dose, twice the BED, in maps and table; then it is taken away."""
    from RPTDosimetryLib.bridge.doses import doses_of_case
    from RPTDosimetryLib.bridge.effect_nodes import effect_map, effects_told
    from RPTDosimetryLib.study.image_files import write_image

    dose = doses_of_case(ready.case)[0].image
    write_image(dose, tmp_path / "cycle1.nrrd")
    step = ready.steps["report"]
    ui = step.ui
    ui.previousEdit.currentPath = str(tmp_path / "cycle1.nrrd")
    ui.previousAdd.click()
    events()
    assert ui.assumptionsButton.text == "Assumptions, earlier cycles: 1"
    assert ui.previousTable.item(0, 4).text() == "Lu-177"
    weighted(ready)
    assert "Nothing says where the patient lay" in ready.said
    import qt

    ui.previousTable.item(0, 2).setCheckState(qt.Qt.Checked)
    events()
    weighted(ready)
    np.testing.assert_array_equal(voxels(ready.case, "cumulative_dose"), 2 * dose.voxels)
    np.testing.assert_allclose(voxels(ready.case, "cumulative_bed"), 2 * voxels(ready.case, "bed"), rtol=1e-6)
    row = effects_told(ready.case, "local")["rows"][0]
    assert row["cumulative_gy"] == pytest.approx(2 * row["dose_gy"])
    written(ready)
    for kind, name in (("cumulative_dose", "cumulative_dose_gy.nrrd"), ("cumulative_bed", "cumulative_bed_gy.nrrd")):
        np.testing.assert_array_equal(voxels(ready.case, kind), map_of(tmp_path, name))
    record = json.loads((tmp_path / "report" / "provenance.json").read_text(encoding="utf-8"))
    assert str(tmp_path / "cycle1.nrrd") in record["settings_files_sha256"]
    assert record["settings"]["cycles"]["previous"][0]["same_anatomy"] is True
    assert "assumptions.previous" not in record["settings"]["panel"]  # it stands there written out
    ui.previousTable.setCurrentCell(0, 0)
    ui.previousRemove.click()
    events()
    weighted(ready)
    assert effect_map(ready.case, "local", "cumulative_dose") is None
    ui.shownEffectBox.currentIndex = 2
    events()
    assert "No earlier cycle is given" in ui.showEffectButton.toolTip


def test_assumptions_and_maps_come_back_with_the_scene(ready, tmp_path):  # noqa: F811
    from RPTDosimetryLib.bridge import assumptions

    ui = ready.steps["report"].ui
    set_cell(ui.tissuesTable, 2, 1, "8")
    ui.spectFwhmBox.value = 12.0
    events()
    weighted(ready)
    before, settings = voxels(ready.case, "bed"), assumptions.settings_of(ready.case)
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert assumptions.settings_of(ready.case) == settings
    assert ready.steps["report"].ui.tissuesTable.item(2, 1).text() == "8"
    np.testing.assert_array_equal(voxels(ready.case, "bed"), before)
    assert not ready.steps["report"].effects.out_of_date(ready.case)
    assert "Biological effect, Engine local" in ready.steps["report"].ui.preview.toPlainText()


def test_every_default_of_the_panel_is_the_library_s(case):
    """Also what a new release brings: rows that nobody has edited are the library's."""
    from RPTDosimetryLib.bridge.assumptions import settings_of
    from RPTDosimetryLib.bridge.effect_nodes import NAMES
    from RPTDosimetryLib.bridge.parameters import ShownEffect
    from RPTDosimetryLib.configuration import RunSettings
    from RPTDosimetryLib.report.assessment_tables import MAPS

    own = RunSettings()
    assert settings_of(case) == (own.radiobiology, own.cycles, own.uncertainty, own.protection)
    assert [kind.name for kind in ShownEffect] == list(MAPS) == list(NAMES)


def test_a_script_makes_the_maps(ready, logic):  # noqa: F811
    case = logic.case()
    report = logic.step("report")
    nodes = report.effects.run_now(case)
    assert "BED local [Gy]" in [node.GetName() for node in nodes]
    from RPTDosimetryLib.bridge.assumptions import choices_of

    outcome = library_outcome(case, choices_of(case))
    np.testing.assert_array_equal(voxels(case, "bed"), outcome.bed.voxels)


def test_the_report_of_an_earlier_cycle_is_added_with_its_own_kinetics(ready, tmp_path):  # noqa: F811
    """Its table adds at once; its map only when somebody says where it lies."""
    import qt

    from RPTDosimetryLib.bridge.effect_nodes import effects_told

    written(ready)
    ui = ready.steps["report"].ui
    ui.previousEdit.currentPath = str(tmp_path / "report" / "provenance.json")
    ui.previousAdd.click()
    events()
    assert ui.previousTable.item(0, 0).text().endswith("provenance.json")
    assert ui.previousTable.item(0, 1).text() == ""
    weighted(ready)
    row = effects_told(ready.case, "local")["rows"][0]
    assert (row["cycles"], row["cumulative_gy"]) == (2, pytest.approx(2 * row["dose_gy"]))
    assert row["cumulative_bed_gy"] == pytest.approx(2 * row["bed_gy"])
    assert "No cumulative dose map" in ready.said
    ui.shownEffectBox.currentIndex = 2
    events()
    assert "Not every earlier cycle has a map" in ui.showEffectButton.toolTip
    ui.previousTable.item(0, 2).setCheckState(qt.Qt.Checked)
    events()
    weighted(ready)
    np.testing.assert_array_equal(voxels(ready.case, "cumulative_dose"), 2 * map_of(tmp_path, "dose_gy.nrrd"))
    assert ui.showEffectButton.enabled
