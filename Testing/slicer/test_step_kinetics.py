"""Step Kinetics by clicking: curves, models, the map; the library's own numbers; out of date; bad input; closing."""

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle
from test_panel import events, header
from upstream import four_time_points, put_upstream


@pytest.fixture
def ready(panel):
    """The panel with everything that Kinetics needs, and the library's records of it."""
    registered, vois = put_upstream(panel.case, four_time_points())
    events()
    return panel, registered, vois


@pytest.fixture
def fitted(ready):
    panel, registered, vois = ready
    panel.steps["kinetics"].ui.runButton.click()
    panel.runner.wait(120)
    events()
    return panel, registered, vois


def texts(table, column):
    return [table.item(row, column).text() for row in range(table.rowCount)]


def test_an_empty_scene_says_what_is_missing(panel):
    ui = panel.steps["kinetics"].ui
    assert not ui.runButton.enabled
    assert "run step Registration" in ui.missingLabel.text
    assert "step Segmentation" in ui.runButton.toolTip
    assert "to do" in header(panel, "kinetics")


def test_a_click_gives_the_librarys_own_curves_and_map(fitted):
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.charts import values_of
    from RPTDosimetryLib.bridge.doses import tia_of_case
    from RPTDosimetryLib.bridge.kinetics_nodes import fit_column, scan_column
    from RPTDosimetryLib.pipeline import decay_of, series_of
    from RPTDosimetryLib.tia.integrate import integrate
    from RPTDosimetryLib.tia.settings import TiaSettings
    from RPTDosimetryLib.tia.voi_curves import fit_vois, voi_curves

    panel, registered, vois = fitted
    assert panel.said == ""
    series = series_of(registered, *decay_of(registered.study.administration))
    whole = integrate(series, vois, TiaSettings())
    back = tia_of_case(panel.case)
    np.testing.assert_array_equal(back.image.voxels, whole.image.voxels)
    assert (back.model, back.extrapolated_fraction, back.warnings) == (
        whole.model,
        whole.extrapolated_fraction,
        whole.warnings,
    )
    assert back.image.unit == "Bq·s"
    curves, fits = voi_curves(series, vois), fit_vois(series, vois)
    scans, drawn = panel.case.node(at.SCANS), panel.case.node(at.CURVES)
    time_s = values_of(drawn, "time [h]") * 3600
    for name, fit in fits.items():
        np.testing.assert_allclose(values_of(scans, scan_column(name)), curves[name].activity_bq / 1e6, rtol=1e-12)
        np.testing.assert_allclose(values_of(drawn, fit_column(name)), fit.activity_bq_at(time_s) / 1e6, rtol=1e-9)
    table = panel.steps["kinetics"].ui.table
    assert texts(table, 0) == ["kidney", "liver lesion", "body"]
    shown = [float(text.split(" ")[0]) for text in texts(table, 2)]
    assert shown == pytest.approx([fit.tia_bq_s / 3.6e9 for fit in fits.values()], rel=1e-3)
    assert texts(table, 2)[0].endswith(f"± {fits['kidney'].tia_se_bq_s / 3.6e9:.2g}")
    assert "± 1 σ = " in table.item(0, 2).toolTip()
    assert texts(table, 3)[0] == f"{100 * fits['kidney'].extrapolated_fraction:.1f} %"


def test_choosing_a_volume_shows_its_curve(fitted):
    import slicer

    panel = fitted[0]
    ui = panel.steps["kinetics"].ui
    ui.table.setCurrentCell(1, 0)
    events()
    chart = slicer.mrmlScene.GetNodeByID(
        slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotViewNode").GetPlotChartNodeID()
    )
    assert chart.GetTitle() == "Activity of liver lesion"
    assert [chart.GetNthPlotSeriesNode(n).GetYColumnName() for n in range(2)] == [
        "liver lesion fit [MBq]",
        "liver lesion [MBq]",
    ]
    assert "liver lesion: " in ui.detailsLabel.text
    assert "two_point with" in ui.detailsLabel.text
    assert "MBq·h" in ui.detailsLabel.text


def test_a_model_for_one_volume_is_used_for_it_alone_and_marks_the_result_out_of_date(fitted):
    panel, registered, vois = fitted
    ui = panel.steps["kinetics"].ui
    assert "done" in header(panel, "kinetics") or "review" in header(panel, "kinetics")
    box = ui.table.cellWidget(0, 1)
    box.setCurrentIndex(box.findText("trapezoid"))
    box.activated.emit(box.currentIndex)
    events()
    assert "out of date" in header(panel, "kinetics")
    ui.runButton.click()
    panel.runner.wait(120)
    events()
    from RPTDosimetryLib.bridge.kinetics_nodes import figures_of_case
    from RPTDosimetryLib.pipeline import decay_of, series_of
    from RPTDosimetryLib.tia.settings import TiaSettings
    from RPTDosimetryLib.tia.voi_curves import fit_vois

    told = {figures["name"]: figures for figures in figures_of_case(panel.case)}
    series = series_of(registered, *decay_of(registered.study.administration))
    assert told["kidney"]["model"] == "trapezoid"
    alone = fit_vois(series, vois[:1], TiaSettings(organ_model="trapezoid"))["kidney"]
    assert told["kidney"]["tia_bq_s"] == alone.tia_bq_s
    assert told["liver lesion"]["model"] != "trapezoid"
    assert "out of date" not in header(panel, "kinetics")


def test_bootstrap_gives_bands_and_intervals(ready):
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.charts import values_of
    from RPTDosimetryLib.bridge.kinetics_nodes import chart_of_voi, fit_column, high_column, low_column

    panel = ready[0]
    step = panel.steps["kinetics"]
    step.ui.bootstrapBox.value = 100
    for name in ("kidney", "liver lesion", "body"):
        step.choose_model(panel.case, name, "monoexponential")
    events()
    step.ui.runButton.click()
    panel.runner.wait(240)
    events()
    drawn = panel.case.node(at.CURVES)
    low, fit, high = (values_of(drawn, column("kidney")) for column in (low_column, fit_column, high_column))
    assert (low <= high).all()
    assert ((low <= fit) & (fit <= high)).mean() > 0.9
    assert chart_of_voi(panel.case, "kidney").GetNumberOfPlotSeriesNodes() == 4
    assert "±" in step.ui.table.item(0, 2).text()
    assert "central 95 %" in step.ui.table.item(0, 2).toolTip()


def test_too_few_replicates_are_a_sentence(ready):
    panel = ready[0]
    panel.steps["kinetics"].ui.bootstrapBox.value = 5
    events()
    panel.steps["kinetics"].ui.runButton.click()
    events()
    assert "at least 100" in panel.said


def test_an_edited_transform_is_a_sentence(ready):
    from RPTDosimetryLib.bridge.registered import alignment_node
    from RPTDosimetryLib.bridge.transforms import put_matrix

    panel = ready[0]
    moved = np.eye(4)
    moved[0, 3] = 7.0
    put_matrix(alignment_node(panel.case, 2), moved)
    events()
    panel.steps["kinetics"].ui.runButton.click()
    events()
    assert "apply or reset it in step Registration" in panel.said


def test_a_saved_and_loaded_scene_restores_the_step(fitted, tmp_path):
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.charts import values_of
    from RPTDosimetryLib.bridge.doses import tia_of_case
    from RPTDosimetryLib.bridge.kinetics_nodes import fit_column

    panel = fitted[0]
    ui = panel.steps["kinetics"].ui
    before = [texts(ui.table, column) for column in (0, 2, 3, 4, 5)], ui.detailsLabel.text, header(panel, "kinetics")
    voxels = tia_of_case(panel.case).image.voxels
    fit = values_of(panel.case.node(at.CURVES), fit_column("kidney"))
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    after = [texts(ui.table, column) for column in (0, 2, 3, 4, 5)], ui.detailsLabel.text, header(panel, "kinetics")
    assert after == before
    np.testing.assert_array_equal(tia_of_case(panel.case).image.voxels, voxels)
    np.testing.assert_allclose(values_of(panel.case.node(at.CURVES), fit_column("kidney")), fit, rtol=1e-4)
    ui.table.setCurrentCell(0, 0)
    events()


def test_closing_the_scene_empties_the_step(fitted):
    import slicer

    panel = fitted[0]
    slicer.mrmlScene.Clear(0)
    slicer.app.layoutManager().refill()
    events()
    ui = panel.steps["kinetics"].ui
    assert ui.table.rowCount == 0
    assert ui.detailsLabel.text == ""
    assert not ui.mapButton.enabled


def test_a_script_does_the_same(logic):
    from RPTDosimetryLib.bridge import attributes as at

    case = logic.case()
    put_upstream(case, four_time_points())
    made = logic.step("kinetics").run_now(case)
    assert {at.role(node) for node in made} == {at.TIA, at.CURVES, at.SCANS}
    assert logic.step("kinetics").state(case).value in ("done", "needs review")


def test_every_widget_says_what_it_does(panel):
    import qt

    for widget in vars(panel.steps["kinetics"].ui).values():
        kinds = (qt.QPushButton, qt.QComboBox, qt.QSpinBox, qt.QDoubleSpinBox, qt.QTableWidget)
        if isinstance(widget, kinds) and widget.name and not widget.name.startswith("qt_"):
            assert widget.toolTip, widget.name
