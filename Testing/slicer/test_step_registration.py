"""Step Registration by clicking: aligning, looking, nudging, applying, accepting, rejecting, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from moved_patient import GRID, SHIFT_MM, patient
from scene_files import load_bundle, save_bundle

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.registration.adjust import left_out, realigned
from RPTDosimetryLib.registration.register import register
from RPTDosimetryLib.registration.settings import RegistrationSettings


def events():
    import slicer

    for _ in range(3):
        slicer.app.processEvents()


def header(panel):
    return panel._headers["registration"].text


@pytest.fixture
def ui(panel, moved_study):
    """The step with a calibrated study."""
    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(panel.case, moved_study)
    panel.steps["calibration"].run_now(panel.case)
    panel.open_step("registration")
    panel.refresh()
    events()
    return panel.steps["registration"].ui


def align(panel, method="rigid"):
    ui = panel.steps["registration"].ui
    ui.methodBox.currentIndex = ui.methodBox.findText(method)
    events()
    ui.runButton.click()
    panel.runner.wait(300)
    events()


@pytest.fixture
def aligned(panel, ui):
    """Taken as already aligned, in this process: quick."""
    panel.parameters.registration.method = "none"
    panel.steps["registration"].run_now(panel.case)
    panel.refresh()
    events()
    return ui


def registered(panel, **more):
    from RPTDosimetryLib.bridge.registered import registered_of

    return registered_of(panel.case, **more)


def decisions(ui):
    return [ui.table.item(row, 1).text() for row in range(ui.table.rowCount)]


def assert_same(found, expected):
    assert found.warnings == expected.warnings
    np.testing.assert_array_equal(found.seen, expected.seen)
    for a, b in zip(found.activity, expected.activity, strict=True):
        np.testing.assert_allclose(a.voxels, b.voxels, rtol=1e-6, atol=1e-3)
    for a, b in zip(found.alignments, expected.alignments, strict=True):
        np.testing.assert_allclose(a.moving_from_fixed, b.moving_from_fixed, atol=1e-9)
        assert (a.method, a.correlation_after) == (b.method, b.correlation_after)


def test_before_calibration_it_says_what_comes_first(panel, moved_study):
    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(panel.case, moved_study)
    events()
    ui = panel.steps["registration"].ui
    assert not ui.runButton.enabled
    assert ui.runButton.toolTip == "Run step Calibration first."
    assert not ui.acceptButton.enabled


def test_align_all_gives_what_the_library_gives(panel, ui, moved_study):
    align(panel, "rigid")
    expected = register(moved_study, RegistrationSettings())
    assert_same(registered(panel), expected)
    assert expected.alignments[1].displacement_mm == pytest.approx(SHIFT_MM, abs=1.5), "found at all"
    row = [ui.table.item(1, column).text() for column in (0, 2, 3, 4)]
    found = expected.alignments[1]
    assert row[:3] == ["24.00", f"{found.displacement_mm:.1f}", f"{found.rotation_deg:.2f}"]
    assert row[3] == f"{found.correlation_before:.2f} → {found.correlation_after:.2f}"
    assert decisions(ui) == ["reference", "! to decide", "! to decide"]
    assert "needs review" in header(panel)
    assert "Look at each time point" in panel.said
    assert ui.table.currentRow() == 1


def test_every_decision_clears_the_mark(panel, aligned):
    aligned.table.selectRow(1)
    aligned.acceptButton.click()
    events()
    assert decisions(aligned) == ["reference", "✓ accepted", "! to decide"]
    assert "Decided by " in aligned.table.item(1, 0).toolTip()
    assert "needs review" in header(panel)
    aligned.acceptAllButton.click()
    events()
    assert decisions(aligned) == ["reference", "✓ accepted", "✓ accepted"]
    assert "done" in header(panel)


def test_a_rejected_time_point_is_left_out(panel, aligned, moved_study):
    whole = registered(panel)
    before = panel.steps["registration"].outputs_fingerprint(panel.case)
    aligned.table.selectRow(2)
    aligned.rejectButton.click()
    events()
    assert decisions(aligned)[2] == "✗ rejected"
    assert "left out of all that follows" in panel.said
    assert_same(registered(panel), left_out(whole, [2]))
    assert panel.steps["registration"].outputs_fingerprint(panel.case) != before, "what follows has to run again"
    aligned.table.selectRow(0)
    aligned.rejectButton.click()
    assert "The reference cannot be rejected" in panel.said


def test_nudged_and_applied_it_is_resampled_and_judged_again(panel, aligned, moved_study):
    before = registered(panel)
    aligned.acceptAllButton.click()
    aligned.table.selectRow(1)
    aligned.stepMmBox.value = SHIFT_MM / 2
    events()
    aligned.shiftL.click()
    aligned.shiftL.click()
    events()
    assert decisions(aligned)[1] == "↻ edited"
    assert "out of date" in header(panel)
    assert not aligned.acceptButton.enabled
    aligned.applyButton.click()
    panel.runner.wait(120)
    events()
    shown = registered(panel)
    assert shown.alignments[1].moving_from_fixed[0, 3] == pytest.approx(-SHIFT_MM)
    expected = realigned(before, {1: shown.alignments[1].moving_from_fixed}, RegistrationSettings(method="none"))
    assert_same(shown, expected)
    assert decisions(aligned) == ["reference", "! to decide", "✓ accepted"]
    assert "needs review" in header(panel)


def test_a_shift_to_the_right_brings_an_image_that_lies_too_far_left_onto_the_reference(panel, aligned):
    """LPS: +x is the patient's left; the second time point lies 10 mm further left, so it has to go right."""
    worse = registered(panel).alignments[1].correlation_after
    aligned.table.selectRow(1)
    aligned.stepMmBox.value = SHIFT_MM
    events()
    aligned.shiftR.click()
    aligned.applyButton.click()
    panel.runner.wait(120)
    events()
    found = registered(panel).alignments[1]
    assert found.moving_from_fixed[0, 3] == pytest.approx(SHIFT_MM)
    assert found.correlation_after > 0.99 > worse
    np.testing.assert_allclose(registered(panel).activity[1].voxels.sum(), patient(0, 0.6).voxels.sum(), rtol=0.02)


def test_reset_takes_the_edit_back(panel, aligned):
    before = registered(panel)
    aligned.table.selectRow(2)
    aligned.turnRA.click()
    events()
    assert "out of date" in header(panel)
    aligned.resetButton.click()
    events()
    assert "needs review" in header(panel)
    assert_same(registered(panel), before)


def test_an_edit_in_another_module_shows_at_once(panel, aligned):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(1, 3, 7.0)
    panel.case.node(at.ALIGNMENT, 3).SetMatrixTransformToParent(matrix)
    events()
    assert decisions(aligned)[2] == "↻ edited"
    assert aligned.applyButton.enabled


def test_the_reference_stays(panel, aligned):
    aligned.table.selectRow(0)
    aligned.shiftA.click()
    assert "The reference stays" in panel.said
    aligned.handlesBox.checked = True
    assert "The reference stays" in panel.said
    assert not aligned.handlesBox.checked


def test_handles_follow_the_chosen_time_point(panel, aligned):
    case = panel.case
    aligned.table.selectRow(1)
    aligned.handlesBox.checked = True
    assert case.node(at.ALIGNMENT, 2).GetDisplayNode().GetEditorVisibility()
    aligned.table.selectRow(2)
    assert case.node(at.ALIGNMENT, 3).GetDisplayNode().GetEditorVisibility()
    assert not case.node(at.ALIGNMENT, 2).GetDisplayNode().GetEditorVisibility()
    aligned.handlesBox.checked = False
    assert not case.node(at.ALIGNMENT, 3).GetDisplayNode().GetEditorVisibility()


def choose(box, text):
    box.currentIndex = box.findText(text)
    box.activated.emit(box.currentIndex)
    events()


def layers():
    import slicer

    node = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    names = [
        slicer.mrmlScene.GetNodeByID(i or "") for i in (node.GetBackgroundVolumeID(), node.GetForegroundVolumeID())
    ]
    return [None if n is None else n.GetName() for n in names], node.GetForegroundOpacity()


def test_fused_checkerboard_and_blend(panel, aligned):
    aligned.table.selectRow(1)
    aligned.blendSlider.value = 0.7
    events()
    names, opacity = layers()
    assert names == ["Activity 4.0 h registered [Bq/mL]", "Activity 24.0 h [Bq/mL]"]
    assert opacity == pytest.approx(0.7)
    choose(aligned.underBox, "reference CT")
    assert layers()[0] == ["CT 4.0 h [HU]", "Activity 24.0 h [Bq/mL]"]
    choose(aligned.lookBox, "checkerboard")
    assert layers()[0] == ["Checkerboard of Activity 24.0 h [Bq/mL]", None]
    aligned.table.selectRow(2)
    assert layers()[0] == ["Checkerboard of Activity 72.0 h [Bq/mL]", None]
    assert len(panel.case.nodes(at.CHECKERBOARD)) == 1


def test_bspline_leaves_a_grid_transform_above_the_linear_one(panel, ui, moved_study):
    align(panel, "bspline")
    expected = register(moved_study, RegistrationSettings(method="bspline"))
    assert panel.said.startswith("Aligned")
    found = registered(panel)
    assert_same(found, expected)
    assert [node.GetClassName() for node in panel.case.nodes(at.DEFORMATION)] == ["vtkMRMLGridTransformNode"] * 2
    np.testing.assert_array_equal(
        found.alignments[1].deformation.displacement_mm, expected.alignments[1].deformation.displacement_mm
    )


def test_through_ct_without_ct_says_so(panel, ui):
    ui.throughBox.currentIndex = ui.throughBox.findText("ct")
    events()
    assert not ui.runButton.enabled
    assert ui.runButton.toolTip == "Time point 2, 3 has no CT: compare the SPECT images."


def test_a_reference_that_is_not_there_is_refused(panel, ui):
    ui.referenceBox.value = 9
    events()
    assert "There is no time point 9" in ui.runButton.toolTip


def test_images_with_nothing_in_common_end_in_a_sentence(panel, small_study):
    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(panel.case, small_study)
    panel.steps["calibration"].run_now(panel.case)
    align(panel, "rigid")
    assert "Time point 2 could not be aligned" in panel.said
    assert decisions(panel.steps["registration"].ui) == ["reference", "✗ failed"]


@pytest.fixture
def half_aligned(panel, moved_study):
    """Of four time points, the third is noise."""
    from RPTDosimetryLib.bridge.time_points import add_study

    points = moved_study.time_points
    noise = np.random.default_rng(0).random(GRID.shape_zyx, dtype=np.float32)
    lost = replace(points[1], spect=Image(noise, GRID, "Bq/mL"), time_s=48 * 3600.0)
    add_study(panel.case, replace(moved_study, time_points=(*points[:2], lost, points[2])))
    panel.steps["calibration"].run_now(panel.case)
    align(panel, "rigid")
    return panel.steps["registration"].ui


def test_one_that_fails_does_not_take_the_others_along(panel, half_aligned, moved_study, tmp_path):
    ui, step = half_aligned, panel.steps["registration"]
    assert decisions(ui) == ["reference", "! to decide", "✗ failed", "! to decide"]
    assert "Time point 3 could not be aligned with time point 1: " in panel.said
    assert "Time point 3 could not be aligned" in ui.table.item(2, 0).toolTip()
    assert ui.table.item(2, 4).text() == "–"
    ui.acceptAllButton.click()
    events()
    assert decisions(ui) == ["reference", "✓ accepted", "✗ failed", "✓ accepted"]
    assert "needs review" in header(panel)
    assert "It is left out" in step.needs_review(panel.case)[0]
    expected = register(moved_study, RegistrationSettings())
    found = registered(panel)
    assert [point.time_s / 3600 for point in found.study.time_points] == [4.0, 24.0, 72.0]
    np.testing.assert_array_equal(found.activity[2].voxels, expected.activity[2].voxels)
    assert "The time point at 48.0 h was left out: it could not be aligned." in found.warnings
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert decisions(ui)[2] == "✗ failed"
    assert "Time point 3 could not be aligned" in step.needs_review(panel.case)[0]


def test_one_that_failed_is_rejected_or_moved_by_hand_but_not_accepted(panel, half_aligned):
    ui = half_aligned
    ui.table.selectRow(2)
    ui.acceptButton.click()
    assert "move it by hand and apply that" in panel.said
    ui.shiftL.click()
    ui.applyButton.click()
    panel.runner.wait(120)
    events()
    assert decisions(ui)[2] == "! to decide"
    assert len(registered(panel).activity) == 4
    assert registered(panel).activity[2].voxels.any()
    ui.table.selectRow(2)
    ui.rejectButton.click()
    events()
    assert decisions(ui)[2] == "✗ rejected"
    assert len(registered(panel).activity) == 3


def test_lesions_are_not_drawn_on_a_time_point_that_failed(panel, half_aligned):
    from RPTDosimetryLib.bridge.lesions import activity_of
    from RPTDosimetryLib.errors import VoiError

    with pytest.raises(VoiError, match=r"Time point 3 could not be aligned.*Choose another"):
        activity_of(panel.case, 3)


def test_changes_above_mark_it_out_of_date_and_are_done_first(panel, aligned):
    aligned.acceptAllButton.click()
    events()
    assert "done" in header(panel)
    panel.steps["study"].ui.activityBox.value = 7000.0
    events()
    assert "out of date" in header(panel)
    assert "Step Calibration is out of date" in aligned.runButton.toolTip
    assert not aligned.runButton.enabled


def test_saved_and_loaded_it_is_as_it_was(panel, aligned, tmp_path):
    import qt

    aligned.acceptAllButton.click()
    aligned.table.selectRow(2)
    aligned.rejectButton.click()
    choose(aligned.lookBox, "checkerboard")
    before, told = registered(panel), decisions(aligned)
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert decisions(aligned) == told == ["reference", "✓ accepted", "✗ rejected"]
    assert_same(registered(panel), before)
    assert "done" in header(panel)
    assert panel.case.nodes(at.CHECKERBOARD) == []
    assert qt.slot_errors == []


def test_closing_the_scene_in_mid_run_leaves_nothing(panel, ui):
    import slicer

    ui.runButton.click()
    slicer.mrmlScene.Clear(0)
    events()
    assert not panel.runner.busy
    assert panel.case.nodes() == []
    assert ui.table.rowCount == 0


def test_closing_the_scene_after_it_leaves_no_observer_that_fails(panel, aligned):
    import slicer

    slicer.mrmlScene.Clear(0)
    events()
    assert aligned.table.rowCount == 0
    assert panel.steps["registration"].watched(panel.case) == []
    assert panel._watched == []


def test_cancelled_it_keeps_what_was_there(panel, aligned):
    before = registered(panel)
    aligned.runButton.click()
    panel.cancel_button.click()
    events()
    assert_same(registered(panel), before)
    assert "nothing was changed" in panel.said


def test_by_script(logic, moved_study):
    logic.addStudy(moved_study)
    case = logic.case()
    logic.step("calibration").run_now(case)
    case.parameters.registration.method = "none"
    made = logic.step("registration").run_now(case)
    assert {at.role(node) for node in made} == {at.SEEN, at.REGISTERED, at.ALIGNMENT}
    assert logic.step("registration").state(case).value == "needs review"
    import vtk

    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 3.0)
    case.node(at.ALIGNMENT, 2).SetMatrixTransformToParent(matrix)
    assert logic.step("registration").state(case).value == "out of date"
    logic.step("registration").apply_now(case)
    assert logic.step("registration").state(case).value == "needs review"
