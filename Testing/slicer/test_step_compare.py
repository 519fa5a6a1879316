"""Step Compare by clicking: two doses on a small grid, a loaded RT Dose, mask, second click, profile, saving."""

from dataclasses import replace

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle


def events(seconds=0.0):
    import time

    import slicer

    end = time.monotonic() + seconds
    while True:
        for _ in range(3):
            slicer.app.processEvents()
        if time.monotonic() >= end:
            return
        time.sleep(0.02)


@pytest.fixture
def doses():
    """A reference, and an evaluated dose 3 % above it with a hot corner; three volumes of interest."""
    from RPTDosimetryLib.grid import Grid
    from RPTDosimetryLib.records import Image, Voi

    grid = Grid((9, 10, 11), (4.0, 4.5, 5.0), (-20.0, 10.0, 400.0))
    k, j, i = np.indices(grid.shape_zyx)
    reference = (20 * np.exp(-((i - 5) ** 2 + (j - 5) ** 2 + (k - 4) ** 2) / 12)).astype(np.float32)
    evaluated = reference * np.float32(1.03)
    evaluated[:4, :5, :5] += np.float32(1.5)
    vois = tuple(
        Voi(name, mask, grid, kind=kind)
        for name, mask, kind in (
            ("liver", i < 5, "organ"),
            ("kidney_left", (i > 6) & (j > 4), "organ"),
            ("lesion_1", reference > 15, "lesion"),
        )
    )
    return Image(reference, grid, "Gy"), Image(evaluated, grid, "Gy"), vois


def put(case, doses):
    """Both doses and the volumes as the steps before put them into the scene."""
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.doses import put_dose
    from RPTDosimetryLib.bridge.segmentations import segmentation_from
    from RPTDosimetryLib.records import DoseMap

    nodes = [
        put_dose(case, DoseMap(image, engine, f"by {engine}", "Lu-177"))[0]
        for image, engine in zip(doses[:2], ("local", "msv8"), strict=True)
    ]
    return *nodes, segmentation_from(doses[2], "Volumes of interest", at.VOIS)


@pytest.fixture
def ready(panel, doses):
    panel.nodes = put(panel.case, doses)
    panel.open_step("compare")
    events()
    return panel


def compared(panel):
    step = panel.steps["compare"]
    step.ui.compareButton.click()
    panel.runner.wait(60)
    events()
    return step


def maps(case):
    import slicer

    from RPTDosimetryLib.bridge import comparison

    return {kind: slicer.util.arrayFromVolume(comparison.part(case, kind)).copy() for kind in comparison.MAPS}


def choose(box, data):
    index = next(n for n in range(box.count) if box.itemData(n) == data)
    box.setCurrentIndex(index)
    box.activated.emit(index)
    events()


def test_without_doses_the_step_says_what_it_needs(panel):
    ui = panel.steps["compare"].ui
    assert not ui.compareButton.enabled
    assert "Two dose volumes [Gy] are needed" in ui.compareButton.toolTip


def test_one_click_compares_as_the_library_does(ready, doses):
    from RPTDosimetryLib.evaluation.compare_answer import compare_doses
    from RPTDosimetryLib.evaluation.gamma import gamma_index

    ui = ready.steps["compare"].ui
    assert [ui.referenceBox.currentText, ui.evaluatedBox.currentText] == ["Dose local [Gy]", "Dose msv8 [Gy]"]
    compared(ready)
    reference, evaluated, vois = doses
    shown = maps(ready.case)
    np.testing.assert_array_equal(shown["gamma"], gamma_index(reference, evaluated).gamma_index.voxels)
    np.testing.assert_allclose(shown["difference"], evaluated.voxels - reference.voxels, atol=1e-6)
    high = reference.voxels >= 0.01 * reference.voxels.max()
    assert (np.isfinite(shown["relative error"]) == high).all()
    expected = 100 * (evaluated.voxels / reference.voxels - 1)[high]
    np.testing.assert_allclose(shown["relative error"][high], expected, rtol=1e-4)
    rows = compare_doses(reference, evaluated, vois).organs
    assert ui.organTable.rowCount == 3
    assert ui.organTable.item(0, 0).text() == "liver"
    assert float(ui.organTable.item(0, 3).text()) == pytest.approx(rows[0].error_gy, rel=5e-3)
    assert "Gamma 1 % global, 4.795 mm" in ready.said
    assert "needs review" in ready._headers["compare"].text  # nobody has accepted the contours


def test_a_second_click_with_other_criteria_and_a_mask_is_right(ready, doses):
    from RPTDosimetryLib.evaluation.gamma import GammaSettings, gamma_index

    step = compared(ready)
    choose(step.ui.maskBox, "liver")
    step.ui.percentBox.value = 5.0
    step.ui.localBox.checked = True
    events()
    assert "out of date" in ready._headers["compare"].text
    compared(ready)
    reference, evaluated, vois = doses
    settings = GammaSettings(dose_percent=5.0, local=True)
    expected = gamma_index(reference, evaluated, settings, vois[0].mask).gamma_index.voxels
    shown = maps(ready.case)
    np.testing.assert_array_equal(shown["gamma"], expected)
    assert np.isnan(shown["difference"][~vois[0].mask]).all()
    assert "needs review" in ready._headers["compare"].text  # nobody has accepted the contours
    before = len(ready.case.nodes())
    compared(ready)
    np.testing.assert_array_equal(maps(ready.case)["gamma"], expected)
    assert len(ready.case.nodes()) == before


def test_partial_voxels_change_histograms_and_doses_of_volumes_as_in_the_library(ready, doses):
    from RPTDosimetryLib.bridge import comparison
    from RPTDosimetryLib.evaluation.compare_answer import compare_doses
    from RPTDosimetryLib.evaluation.full_comparison import volume_histogram

    step = compared(ready)
    whole = step.ui.organTable.item(2, 1).text()
    before = maps(ready.case)["gamma"]
    step.ui.partialBox.click()
    events()
    assert "out of date" in ready._headers["compare"].text
    compared(ready)
    reference, evaluated, vois = doses
    rows = compare_doses(reference, evaluated, vois, parts=4).organs
    assert step.ui.organTable.item(2, 1).text() == f"{rows[2].reference_mean_gy:.4g}" != whole
    np.testing.assert_array_equal(maps(ready.case)["gamma"], before)
    chart = comparison.part(ready.case, comparison.HISTOGRAMS)
    assert chart.GetYAxisTitle() == "Volume, partial voxels [%]"
    _gray, percent = series_of(chart)["lesion_1 (reference)"]
    known = volume_histogram(reference, vois[2], 4)
    assert percent[:100] == pytest.approx(100 * known.cumulative[::4][:100])
    assert "partial voxels at their edge" in step.ui.figuresLabel.text


def test_exchanging_the_doses_changes_the_sign(ready):
    step = compared(ready)
    first = maps(ready.case)["difference"]
    choose(step.ui.referenceBox, ready.nodes[1].GetID())
    assert "choose two volumes" in step.ui.compareButton.toolTip
    choose(step.ui.evaluatedBox, ready.nodes[0].GetID())
    compared(ready)
    np.testing.assert_allclose(maps(ready.case)["difference"], -first, atol=1e-6)


def test_a_loaded_rt_dose_is_compared(ready, doses, tmp_path):
    """The identity of a DICOM file; rounding of an RT Dose stays below its own figure."""
    from RPTDosimetryLib.study.image_files import write_image

    file = tmp_path / "other.nrrd"
    write_image(doses[0], file)
    step = ready.steps["compare"]
    step.ui.fileEdit.currentPath = str(file)
    events()
    step.ui.loadButton.click()
    ready.runner.wait(60)
    events()
    assert "other.nrrd" in ready.said
    loaded = next(n for n in range(step.ui.evaluatedBox.count) if "other" in step.ui.evaluatedBox.itemText(n))
    choose(step.ui.evaluatedBox, step.ui.evaluatedBox.itemData(loaded))
    compared(ready)
    assert np.abs(maps(ready.case)["difference"]).max() == 0
    assert "100.00 %" in ready.said


def test_an_rt_dose_of_another_program_is_the_reference(ready, doses, tmp_path):
    """On its own grid, as planning systems export it: resampled onto, and its rounding is all that differs."""
    from pydicom.dataset import Dataset

    from RPTDosimetryLib.records import DoseMap
    from RPTDosimetryLib.report.dicom_identity import DicomIdentity
    from RPTDosimetryLib.report.rtdose import RtDoseOptions, write_rtdose

    identity = Dataset()
    identity.StudyInstanceUID, identity.FrameOfReferenceUID = "2.25.1", "2.25.2"
    write_rtdose(DoseMap(doses[0], "", "", ""), tmp_path / "plan", DicomIdentity(identity), RtDoseOptions())
    step = ready.steps["compare"]
    step.ui.fileEdit.currentPath = str(tmp_path / "plan")
    events()
    step.ui.loadButton.click()
    ready.runner.wait(60)
    events()
    box = step.ui.referenceBox
    loaded = next(n for n in range(box.count) if "plan" in box.itemText(n))
    choose(box, box.itemData(loaded))
    choose(step.ui.evaluatedBox, ready.nodes[1].GetID())
    compared(ready)
    expected = doses[1].voxels - doses[0].voxels
    shown = maps(ready.case)["difference"]
    np.testing.assert_allclose(np.nan_to_num(shown), expected, atol=1e-5 * doses[0].voxels.max())
    assert "plan [Gy] / Dose msv8" in step.ui.figuresLabel.text


def test_doses_on_different_grids_need_resampling(ready, doses):
    from RPTDosimetryLib.bridge.comparison import add_dose
    from RPTDosimetryLib.grid import Grid
    from RPTDosimetryLib.records import Image

    fine = Grid((18, 20, 22), (2.0, 2.25, 2.5), (-21.0, 8.875, 398.75))
    node = add_dose(ready.case, Image(np.full(fine.shape_zyx, 3.0, np.float32), fine, "Gy"), "flat")
    events()
    step = ready.steps["compare"]
    choose(step.ui.evaluatedBox, node.GetID())
    assert "different grids" in step.ui.compareButton.toolTip
    step.ui.resampleBox.checked = True
    events()
    compared(ready)
    np.testing.assert_allclose(maps(ready.case)["difference"], 3.0 - doses[0].voxels, atol=1e-5)


def test_errors_are_sentences(ready):
    """A dose without any: nothing to normalise to."""
    import slicer

    slicer.util.updateVolumeFromArray(ready.nodes[0], np.zeros((9, 10, 11), np.float32))
    events()
    compared(ready)
    assert "no dose above 0 Gy" in ready.said
    assert not ready.steps["compare"].results(ready.case)


def test_a_volume_under_a_transform_is_refused(ready):
    import slicer

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    ready.nodes[1].SetAndObserveTransformNodeID(transform.GetID())
    ready.refresh()
    assert "harden it" in ready.steps["compare"].ui.compareButton.toolTip


def test_the_profile_is_both_doses_along_the_line(ready, doses):
    """Along a row of voxel centres the profile holds the voxels themselves."""
    import slicer
    from vtk.util.numpy_support import vtk_to_numpy

    from RPTDosimetryLib.bridge import comparison
    from RPTDosimetryLib.bridge.geometry import ras_point

    step = ready.steps["compare"]
    assert not step.ui.profileButton.enabled
    step.ui.placeButton.click()
    line = comparison.profile_line(ready.case)
    grid = doses[0].grid
    for index in (0, 10):
        line.AddControlPoint(ras_point((grid.lps_from_ijk @ [index, 5, 4, 1])[:3]))
    events(0.4)
    chart = comparison.part(ready.case, comparison.PROFILES)
    assert chart.GetXAxisTitle() == "Distance [mm]"
    table = chart.GetNthPlotSeriesNode(0).GetTableNode().GetTable()
    distance, first, _x, second = (vtk_to_numpy(table.GetColumn(n)) for n in range(4))
    np.testing.assert_allclose(np.interp(np.arange(11) * 4.0, distance, first), doses[0].voxels[4, 5], rtol=1e-5)
    np.testing.assert_allclose(np.interp(np.arange(11) * 4.0, distance, second), doses[1].voxels[4, 5], rtol=1e-5)
    line.SetNthControlPointPositionWorld(1, *ras_point((grid.lps_from_ijk @ [5, 5, 4, 1])[:3]))
    events(0.4)
    chart = comparison.part(ready.case, comparison.PROFILES)
    moved = vtk_to_numpy(chart.GetNthPlotSeriesNode(0).GetTableNode().GetTable().GetColumn(0))
    assert moved[-1] == pytest.approx(20.0)
    assert len(slicer.util.getNodesByClass("vtkMRMLPlotChartNode")) == 1


def chart_shown():
    import slicer

    view = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotViewNode")
    return slicer.mrmlScene.GetNodeByID(view.GetPlotChartNodeID())


def series_of(chart):
    """Name and points of each series."""
    from vtk.util.numpy_support import vtk_to_numpy

    found = {}
    for number in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(number)
        table = series.GetTableNode().GetTable()
        names = (series.GetXColumnName(), series.GetYColumnName())
        found[series.GetName()] = tuple(vtk_to_numpy(table.GetColumnByName(name)) for name in names)
    return found


def test_every_plot_can_be_chosen_and_holds_the_figures_of_the_library(ready, doses):
    from RPTDosimetryLib.evaluation.compare_answer import compare_doses

    step = compared(ready)
    box = step.ui.plotBox
    assert [box.itemText(n) for n in range(box.count)] == ["DVH", "voxels", "Bland-Altman", "violins", "profile"]
    titles = []
    for index in range(4):
        box.setCurrentIndex(index)
        box.activated.emit(index)
        events()
        titles.append(chart_shown().GetTitle())
    assert len(set(titles)) == 4
    reference, evaluated, vois = doses
    told = compare_doses(reference, evaluated, vois)
    assert f"r = {told.metrics.correlation:.4f}" in titles[1]
    box.setCurrentIndex(2)
    step.ui.plotButton.click()
    events()
    points = series_of(chart_shown())
    liver = told.organs[0]
    mean = (liver.reference_mean_gy + liver.evaluated_mean_gy) / 2
    assert points["liver"][0][0] == pytest.approx(mean)
    assert points["liver"][1][0] == pytest.approx(100 * liver.error_gy / mean)
    limits = told.answer()["over_volumes"]["bland_altman_percent"]
    (upper,) = [y for name, (_x, y) in points.items() if name.startswith("mean + 1.96 SD")]
    assert upper[0] == pytest.approx(limits["upper_limit"])
    box.setCurrentIndex(4)
    step.ui.plotButton.click()
    events()
    assert "place both in a slice view" in ready.said


def test_a_violin_spans_the_errors_of_its_volume(ready, doses):
    step = compared(ready)
    step.ui.plotBox.setCurrentIndex(3)
    step.ui.plotButton.click()
    events()
    drawn = series_of(chart_shown())
    assert list(drawn)[:4] == ["1 all", "2 liver", "3 kidney_left", "4 lesion_1"]
    kidney = drawn["3 kidney_left"][1]  # 3 % above everywhere
    np.testing.assert_allclose(kidney, 3.0, atol=1e-3)
    reference, evaluated, vois = doses
    counted = vois[0].mask & (reference.voxels >= 0.01 * reference.voxels.max())
    errors = 100 * (evaluated.voxels / reference.voxels - 1)[counted]
    np.testing.assert_allclose(drawn["2 liver"][1].max(), np.percentile(errors, 99.5), rtol=1e-3)
    x = drawn["2 liver"][0]
    assert (x.min(), x.max()) == (pytest.approx(2 - 0.38, abs=0.01), pytest.approx(2 + 0.38, abs=0.01))


def test_the_table_has_mape_correlation_slope_and_homogeneity(ready, doses):
    from RPTDosimetryLib.evaluation.compare_answer import compare_doses

    table = compared(ready).ui.organTable
    titles = [table.horizontalHeaderItem(n).text() for n in range(table.columnCount)]
    row = compare_doses(*doses).organs[0]
    for title, value in (
        ("MAPE [%]", row.metrics.mape_percent),
        ("r", row.metrics.correlation),
        ("slope", row.metrics.slope_origin),
        ("DVH R²", row.dvh_r2),
        ("HI reference", row.reference_homogeneity_index),
    ):
        assert float(table.item(0, titles.index(title)).text()) == pytest.approx(value, abs=6e-3)


def test_without_volumes_the_voxel_plot_is_shown_and_the_others_say_why(ready):
    import slicer

    slicer.mrmlScene.RemoveNode(ready.nodes[2])
    events()
    step = compared(ready)
    assert "Voxel by voxel" in chart_shown().GetTitle()
    step.ui.plotBox.setCurrentIndex(2)
    step.ui.plotButton.click()
    events()
    assert "no volumes of interest" in ready.said


def test_a_script_compares_and_gets_the_same_maps(logic, doses):
    case = logic.case()
    put(case, doses)
    step = logic.step("compare")
    assert step.missing(case) == []
    nodes = step.run_now(case)
    assert {node.GetClassName() for node in nodes} >= {"vtkMRMLScalarVolumeNode", "vtkMRMLTableNode"}
    np.testing.assert_allclose(maps(case)["difference"], doses[1].voxels - doses[0].voxels, atol=1e-6)


def test_edited_contours_mark_the_comparison_out_of_date(ready, doses):
    from RPTDosimetryLib.bridge.segmentations import put_vois

    compared(ready)
    put_vois(ready.nodes[2], (replace(doses[2][0], mask=~doses[2][0].mask), *doses[2][1:]))
    ready.refresh()
    assert "out of date" in ready._headers["compare"].text


def test_closing_the_scene_leaves_nothing(ready):
    import slicer

    compared(ready)
    ready.steps["compare"].ui.placeButton.click()
    slicer.mrmlScene.Clear(0)
    events(0.2)
    assert ready.case.nodes() == []
    assert not ready.steps["compare"].ui.compareButton.enabled


def test_closing_the_scene_in_mid_run_drops_the_answer(ready):
    import slicer

    ready.steps["compare"].ui.compareButton.click()
    events()
    slicer.mrmlScene.Clear(0)
    events(0.5)
    assert not ready.runner.busy
    assert ready.case.nodes() == []


def test_a_saved_scene_shows_the_comparison_again(ready, tmp_path):
    from RPTDosimetryLib.bridge import comparison

    step = compared(ready)
    told, shown = step.ui.figuresLabel.text, maps(ready.case)
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert step.ui.figuresLabel.text == told
    for kind, voxels in maps(ready.case).items():
        np.testing.assert_array_equal(shown[kind], voxels)
    assert "needs review" in ready._headers["compare"].text  # nobody has accepted the contours
    table = comparison.part(ready.case, comparison.HISTOGRAMS).GetNthPlotSeriesNode(1).GetTableNode().GetTable()
    assert table.GetColumn(0).IsNumeric()
    colours = comparison.part(ready.case, "gamma").GetDisplayNode().GetColorNode()
    assert colours.GetNumberOfColors() == 256
    assert colours.GetColorName(0) != "(none)"
