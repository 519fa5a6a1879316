"""Step Dose by clicking: the library's own dose, engines side by side, display, tables, out of date, closing."""

import csv

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle
from test_panel import events, header
from upstream import four_time_points, put_upstream


@pytest.fixture
def ready(panel):
    """The panel with everything that Dose needs, and the library's records of it."""
    registered, vois = put_upstream(panel.case, four_time_points())
    panel.steps["kinetics"].run_now(panel.case)
    events()
    return panel, registered, vois


def tick(panel, *engines):
    import qt

    table = panel.steps["dose"].ui.engines
    for row in range(table.rowCount):
        item = table.item(row, 0)
        item.setCheckState(qt.Qt.Checked if item.text() in engines else qt.Qt.Unchecked)
    events()


def compute(panel, *engines):
    tick(panel, *engines)
    panel.steps["dose"].ui.runButton.click()
    panel.runner.wait(120)
    events()


@pytest.fixture
def computed(ready):
    compute(ready[0], "local", "msv8")
    return ready


def dose_nodes(panel):
    from RPTDosimetryLib.bridge import attributes as at

    return {at.text(node, "Engine"): node for node in panel.case.nodes(at.DOSE)}


def test_an_empty_scene_says_what_is_missing(panel):
    ui = panel.steps["dose"].ui
    assert not ui.runButton.enabled
    assert "run step Kinetics" in ui.missingLabel.text
    assert "not known" in ui.nuclideLabel.text


def test_every_engine_of_the_library_is_offered_with_what_it_gives_and_costs(panel):
    from RPTDosimetryLib.dose.engine import engine_names

    table = panel.steps["dose"].ui.engines
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == list(engine_names())
    assert all(table.item(row, column).text() for row in range(table.rowCount) for column in range(3))


def test_a_recovery_curve_of_the_calibration_is_used(ready, monkeypatch):
    """Beside the uncorrected mean, and never in its place."""
    from RPTDosimetryLib.bridge import quantified
    from RPTDosimetryLib.bridge.dose_nodes import organ_doses_of_case
    from RPTDosimetryLib.calibration.settings import CalibrationSettings

    panel = ready[0]
    spheres = {"recovery_volumes_ml": (0.5, 2.5, 11.5, 26.5), "recovery_coefficients": (0.3, 0.55, 0.75, 0.85)}
    monkeypatch.setattr(quantified, "calibration_of", lambda case: CalibrationSettings(**spheres))
    compute(panel, "local")
    rows = organ_doses_of_case(panel.case)["local"]
    assert rows[1].mean_recovered_gy == pytest.approx(rows[1].mean_gy / rows[1].recovery_coefficient)
    assert rows[2].mean_recovered_gy is None
    table = panel.steps["dose"].ui.organTable
    assert float(table.item(1, 8).text()) == pytest.approx(rows[1].mean_recovered_gy, rel=1e-3)
    assert table.item(2, 8).text() == "–"


def test_no_engine_no_dose(ready):
    panel = ready[0]
    tick(panel)
    assert not panel.steps["dose"].ui.runButton.enabled
    assert "Tick an engine" in panel.steps["dose"].ui.runButton.toolTip


def test_a_click_gives_the_librarys_own_doses_bit_for_bit(computed):
    from RPTDosimetryLib.bridge.dose_nodes import organ_doses_of_case
    from RPTDosimetryLib.bridge.doses import doses_of_case
    from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose, scheme_of
    from RPTDosimetryLib.evaluation.organ_table import organ_doses
    from RPTDosimetryLib.pipeline import decay_of, series_of
    from RPTDosimetryLib.registration.patient_map import patient_map_of
    from RPTDosimetryLib.tia.integrate import integrate

    panel, registered, vois = computed
    name, decay = decay_of(registered.study.administration)
    tia = integrate(series_of(registered, name, decay), vois)
    back = {dose.engine: dose for dose in doses_of_case(panel.case)}
    assert list(back) == ["local", "msv8"]
    for engine, dose in back.items():
        patient = patient_map_of(registered, scheme=scheme_of(engine))
        own = compute_dose(tia, patient, name, DoseSettings(engine=engine))
        np.testing.assert_array_equal(dose.image.voxels, own.image.voxels)
        assert dose.image.voxels.dtype == own.image.voxels.dtype
        assert (dose.method, dose.nuclide, dose.warnings) == (own.method, "Lu-177", own.warnings)
        assert dose.image.grid.same_as(own.image.grid)
        rows = organ_doses_of_case(panel.case)[engine]
        given = registered.study.administration
        for row, alone in zip(rows, organ_doses(own, vois, patient, tia, given), strict=True):
            told, known = vars(row), vars(alone)
            assert {k: told[k] for k in told if k not in ("code", "reviewed_by", "lesions", "warnings")} == {
                k: known[k] for k in told if k not in ("code", "reviewed_by", "lesions", "warnings")
            }


def test_the_dose_rate_may_be_integrated_instead(ready):
    from RPTDosimetryLib.bridge.doses import doses_of_case
    from RPTDosimetryLib.dose.dose_rate import dose_rates, integrate_dose_rate
    from RPTDosimetryLib.dose.engine import DoseSettings, scheme_of
    from RPTDosimetryLib.pipeline import decay_of, series_of
    from RPTDosimetryLib.registration.patient_map import patient_map_of

    panel, registered, vois = ready
    box = panel.steps["dose"].ui.integrateBox
    box.currentIndex = box.findText("dose_rate")
    events()
    compute(panel, "local")
    settings = DoseSettings(engine="local", integrate="dose_rate")
    series = series_of(registered, *decay_of(registered.study.administration))
    rates = dose_rates(series, patient_map_of(registered, scheme=scheme_of("local")), settings)
    own = integrate_dose_rate(rates, vois)
    np.testing.assert_array_equal(doses_of_case(panel.case)[0].image.voxels, own.image.voxels)


def test_dose_volumes_are_known_to_slicer_rt_and_carry_their_unit(computed):
    from RPTDosimetryLib.bridge import hierarchy

    for node in dose_nodes(computed[0]).values():
        assert node.GetName().endswith("[Gy]")
        assert node.GetAttribute("DicomRtImport.DoseVolume") == "1"
        assert node.GetVoxelValueUnits().GetCodeValue() == "Gy"
    tree = hierarchy.subject_hierarchy()
    study = hierarchy.study_item("P01")
    assert tree.GetItemAttribute(study, "DicomRtImport.DoseUnitName") == "GY"


def test_table_and_histograms_are_those_of_the_dose(computed):
    import slicer

    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.charts import values_of
    from RPTDosimetryLib.bridge.dose_nodes import rows_of

    panel = computed[0]
    ui = panel.steps["dose"].ui
    box = ui.shownBox
    box.setCurrentIndex(box.findText("msv8"))
    box.activated.emit(box.currentIndex)
    events()
    rows = rows_of(dose_nodes(panel)["msv8"])
    assert [ui.organTable.item(n, 0).text() for n in range(3)] == ["kidney", "liver lesion", "body"]
    assert float(ui.organTable.item(0, 3).text()) == pytest.approx(rows[0].mean_gy, rel=1e-3)
    table = next(node for node in panel.case.nodes(at.DVHS) if at.text(node, "Engine") == "msv8")
    dose_gy, percent = values_of(table, "kidney [Gy]"), values_of(table, "kidney [%]")
    assert percent[0] == 100.0
    assert np.interp(50.0, percent[::-1], dose_gy[::-1]) == pytest.approx(rows[0].d50_gy, rel=0.02)
    view = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotViewNode")
    chart = slicer.mrmlScene.GetNodeByID(view.GetPlotChartNodeID())
    assert chart.GetNumberOfPlotSeriesNodes() == 6
    assert chart.GetXAxisTitle() == "absorbed dose [Gy]"
    organs = panel.case.node(at.ORGAN_DOSES)
    assert organs.GetNumberOfRows() == 6
    np.testing.assert_array_equal(values_of(organs, "mean_gy")[3:], [row.mean_gy for row in rows])


def test_the_table_is_written_with_every_digit(computed, tmp_path):
    from RPTDosimetryLib.bridge.dose_nodes import organ_doses_of_case

    panel = computed[0]
    ui = panel.steps["dose"].ui
    assert not ui.csvButton.enabled
    ui.csvEdit.currentPath = str(tmp_path / "organs.csv")
    events()
    ui.csvButton.click()
    assert "Written" in panel.said
    with (tmp_path / "organs.csv").open(newline="", encoding="utf-8") as handle:
        lines = list(csv.DictReader(handle))
    told = organ_doses_of_case(panel.case)
    assert [float(line["mean_gy"]) for line in lines] == [row.mean_gy for rows in told.values() for row in rows]
    assert lines[0]["engine"] == "local"
    assert "electron energy" in lines[0]["method"]


def test_a_table_that_cannot_be_written_is_a_sentence(computed, tmp_path):
    panel = computed[0]
    ui = panel.steps["dose"].ui
    (tmp_path / "file").write_text("")
    ui.csvEdit.currentPath = str(tmp_path / "file" / "organs.csv")
    events()
    ui.csvButton.click()
    assert "organs.csv" in panel.said
    assert panel.message.visible


def test_threshold_opacity_and_legend_follow_the_panel(computed):
    import slicer

    panel = computed[0]
    ui = panel.steps["dose"].ui
    dose = panel.steps["dose"].shown(panel.case)
    highest = float(slicer.util.arrayFromVolume(dose).max())
    ui.thresholdSlider.value = 25.0
    ui.opacitySlider.value = 70.0
    events()
    assert dose.GetDisplayNode().GetLowerThreshold() == pytest.approx(0.25 * highest)
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetForegroundOpacity() == pytest.approx(0.7)
    assert composite.GetForegroundVolumeID() == dose.GetID()
    visible = [n for n in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode") if n.GetVisibility()]
    assert [legend.GetTitleText() for legend in visible] == ["Absorbed dose [Gy]"]
    contours = panel.case.node("vois").GetDisplayNode()
    assert not contours.GetVisibility2DFill(), "it would tint the colours of the dose"


def test_isodoses_lie_where_the_dose_has_their_level(computed):
    import slicer
    import vtk

    from RPTDosimetryLib.bridge import attributes as at

    panel = computed[0]
    ui = panel.steps["dose"].ui
    ui.isodoseBox.checked = True
    ui.levelsEdit.text = "20, 60"
    events()
    dose = panel.steps["dose"].shown(panel.case)
    highest = float(slicer.util.arrayFromVolume(dose).max())
    models = panel.case.nodes(at.ISODOSE)
    assert [at.number(model, "LevelGy") / highest for model in models] == pytest.approx([0.2, 0.6])
    matrix = vtk.vtkMatrix4x4()
    dose.GetRASToIJKMatrix(matrix)
    for model in models:
        assert model.GetDisplayNode().GetVisibility2D()
        probe = vtk.vtkProbeFilter()
        move = vtk.vtkTransform()
        move.SetMatrix(matrix)
        back = vtk.vtkTransformPolyDataFilter()
        back.SetInputData(model.GetPolyData())
        back.SetTransform(move)
        probe.SetInputConnection(back.GetOutputPort())
        probe.SetSourceData(dose.GetImageData())
        probe.Update()
        values = vtk.util.numpy_support.vtk_to_numpy(probe.GetOutput().GetPointData().GetScalars())
        np.testing.assert_allclose(values, at.number(model, "LevelGy"), rtol=2e-3)
    ui.unitBox.currentIndex = ui.unitBox.findText("Gy")
    ui.levelsEdit.text = f"{highest / 2:.6f}"
    events()
    assert [at.number(model, "LevelGy") for model in panel.case.nodes(at.ISODOSE)] == pytest.approx([highest / 2])
    ui.isodoseBox.checked = False
    events()
    assert panel.case.nodes(at.ISODOSE) == []


@pytest.mark.parametrize("levels", ["ten", "", "-5", "0, 10", "nan"])
def test_isodose_levels_that_are_none_are_a_sentence(computed, levels):
    panel = computed[0]
    ui = panel.steps["dose"].ui
    ui.isodoseBox.checked = True
    ui.levelsEdit.text = levels
    events()
    assert "write them like 10, 20, 50" in panel.said


def test_the_projection_is_a_volume_rendering_of_the_shown_dose(computed):
    import slicer

    panel = computed[0]
    ui = panel.steps["dose"].ui

    def visible():
        nodes = slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode")
        return [node.GetVolumeNode().GetID() for node in nodes if node.GetVisibility()]

    assert visible() == []
    ui.projectionBox.checked = True
    events()
    assert visible() == [panel.steps["dose"].shown(panel.case).GetID()]
    ui.shownBox.setCurrentIndex(1)
    ui.shownBox.activated.emit(1)
    events()
    assert visible() == [dose_nodes(panel)["msv8"].GetID()]
    ui.projectionBox.checked = False
    events()
    assert visible() == []


def test_an_engine_more_leaves_the_others_and_a_setting_marks_all_out_of_date(computed):
    panel = computed[0]
    kept = dose_nodes(panel)["local"].GetID()
    tick(panel, "ssv")
    assert "ready" in header(panel, "dose")
    compute(panel, "ssv")
    assert sorted(dose_nodes(panel)) == ["local", "msv8", "ssv"]
    assert dose_nodes(panel)["local"].GetID() == kept
    assert "out of date" not in header(panel, "dose")
    panel.steps["dose"].ui.unscaledBox.checked = True
    events()
    assert "out of date" in header(panel, "dose")
    compute(panel, "msv8")
    assert sorted(dose_nodes(panel)) == ["msv8"], "doses that no longer hold go"
    assert "unscaled" in panel.steps["dose"].ui.methodLabel.text
    assert "out of date" not in header(panel, "dose")


def test_a_change_of_the_kinetics_marks_the_dose_and_stops_a_new_one(computed):
    panel = computed[0]
    panel.steps["kinetics"].choose_model(panel.case, "kidney", "trapezoid")
    events()
    assert "out of date" in header(panel, "dose")
    panel.steps["dose"].ui.runButton.click()
    events()
    assert "Step Kinetics is out of date" in panel.said


def test_cancel_leaves_what_was_there(computed):
    panel = computed[0]
    before = {engine: node.GetID() for engine, node in dose_nodes(panel).items()}
    tick(panel, "msv20")
    panel.steps["dose"].ui.runButton.click()
    panel.cancel_button.click()
    events()
    assert {engine: node.GetID() for engine, node in dose_nodes(panel).items()} == before
    assert not panel.runner.busy


def test_a_saved_and_loaded_scene_restores_the_step(computed, tmp_path):
    from RPTDosimetryLib.bridge.dose_nodes import organ_doses_of_case
    from RPTDosimetryLib.bridge.doses import doses_of_case

    panel = computed[0]
    ui = panel.steps["dose"].ui
    ui.isodoseBox.checked = True
    events()

    def shown():
        rows = range(ui.organTable.rowCount)
        cells = [[ui.organTable.item(r, c).text() for c in range(8)] for r in rows]
        return cells, ui.shownBox.currentText, ui.methodLabel.text, header(panel, "dose"), ui.levelsEdit.text

    before, rows, doses = shown(), organ_doses_of_case(panel.case), doses_of_case(panel.case)
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert shown() == before
    assert organ_doses_of_case(panel.case) == rows
    for back, dose in zip(doses_of_case(panel.case), doses, strict=True):
        np.testing.assert_array_equal(back.image.voxels, dose.image.voxels)
        assert (back.engine, back.method, back.parameters) == (dose.engine, dose.method, dose.parameters)
    ui.thresholdSlider.value = 33.0
    events()


def test_closing_the_scene_in_mid_run_leaves_nothing(ready):
    import slicer

    panel = ready[0]
    tick(panel, "msv8")
    panel.steps["dose"].ui.runButton.click()
    slicer.mrmlScene.Clear(0)
    slicer.app.layoutManager().refill()
    events()
    ui = panel.steps["dose"].ui
    assert not panel.runner.busy
    assert dose_nodes(panel) == {}
    assert ui.organTable.rowCount == 0
    assert not ui.displayBox.visible


def test_a_script_does_the_same(logic):
    from RPTDosimetryLib.bridge.doses import doses_of_case

    case = logic.case()
    put_upstream(case, four_time_points())
    logic.step("kinetics").run_now(case)
    case.parameters.dose.engines = "local, ssv"
    logic.step("dose").run_now(case)
    assert [dose.engine for dose in doses_of_case(case)] == ["local", "ssv"]


def test_the_chain_of_steps_gives_the_librarys_dose(logic):
    """Study to dose by the steps themselves; the library does the same with their settings."""
    from RPTDosimetryLib.bridge.doses import doses_of_case
    from RPTDosimetryLib.bridge.time_points import add_study
    from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose, scheme_of
    from RPTDosimetryLib.pipeline import decay_of, series_of
    from RPTDosimetryLib.registration.patient_map import patient_map_of
    from RPTDosimetryLib.registration.register import register
    from RPTDosimetryLib.registration.settings import RegistrationSettings
    from RPTDosimetryLib.tia.integrate import integrate
    from RPTDosimetryLib.vois.delineate import VoiSettings, delineate

    case, study = logic.case(), four_time_points()
    add_study(case, study)
    case.parameters.registration.method = "none"
    for key in ("calibration", "registration", "segmentation", "kinetics", "dose"):
        logic.step(key).run_now(case)
    registered = register(study, RegistrationSettings(method="none"))
    patient = patient_map_of(registered, scheme=scheme_of("msv8"))
    vois = delineate(registered, patient, VoiSettings())
    name, decay = decay_of(study.administration)
    own = compute_dose(integrate(series_of(registered, name, decay), vois), patient, name, DoseSettings())
    found = doses_of_case(case)
    assert [dose.engine for dose in found] == ["msv8"]
    np.testing.assert_array_equal(found[0].image.voxels, own.image.voxels)


def test_every_widget_says_what_it_does(panel):
    import qt

    kinds = (qt.QPushButton, qt.QComboBox, qt.QCheckBox, qt.QTableWidget)
    for widget in vars(panel.steps["dose"].ui).values():
        if isinstance(widget, kinds) and widget.name and not widget.name.startswith("qt_"):
            assert widget.toolTip, widget.name
