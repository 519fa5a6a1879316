"""Step Segmentation: whose voxels count where, what stays when volumes are drawn again, other grids."""

import numpy as np
import pytest
from warm_patient import LESION_RAS, accept_all, column, edit, events, header, ids, segmentation


def test_lesions_are_taken_out_of_organs_and_put_back(with_vois):
    from RPTDosimetryLib.bridge import lesions
    from RPTDosimetryLib.bridge.volumes_of_interest import vois_of_case

    panel = with_vois
    lesions.seed_at(panel.case, LESION_RAS)
    panel.steps["segmentation"].add_lesion()
    ui = accept_all(panel)
    before = panel.steps["segmentation"].outputs_fingerprint(panel.case)
    included = {voi.name: voi for voi in vois_of_case(panel.case)}
    ui.lesionsBox.currentIndex = 1
    events()
    excluded = {voi.name: voi for voi in vois_of_case(panel.case)}
    np.testing.assert_array_equal(excluded["liver"].mask, included["liver"].mask & ~included["lesion"].mask)
    assert column(ui, 7)["liver"] == "excluded"
    assert column(ui, 8)["liver"] == "not reviewed"
    assert column(ui, 8)["kidney left"] == "A. Physicist"
    assert "no longer holds" in ui.table.item(0, 0).toolTip()
    assert panel.steps["segmentation"].outputs_fingerprint(panel.case) != before
    ui.lesionsBox.currentIndex = 0
    events()
    assert panel.steps["segmentation"].outputs_fingerprint(panel.case) == before
    assert "done" in header(panel), "the contour that was reviewed is there again"


def test_drawing_again_keeps_what_people_drew_and_edited(with_vois):
    from RPTDosimetryLib.bridge import lesions
    from RPTDosimetryLib.bridge.volumes_of_interest import vois_of_case

    panel, case = with_vois, with_vois.case
    lesions.seed_at(case, LESION_RAS)
    panel.steps["segmentation"].add_lesion()
    edit(segmentation(case), "kidney_left" if "kidney_left" in ids(case) else "kidney left", _cleared_half)
    before = {voi.name: voi.mask for voi in vois_of_case(case)}
    case.parameters.segmentation.body = False
    panel.steps["segmentation"].run_now(case)
    after = {voi.name: voi.mask for voi in vois_of_case(case)}
    assert set(after) == {"liver", "kidney left", "lesion"}
    for name, mask in after.items():
        np.testing.assert_array_equal(mask, before[name])
    assert "kidney left was edited or drawn by hand and stays." in panel.said


def _cleared_half(array):
    array[: array.shape[0] // 2] = 0


def test_a_segmentation_of_another_geometry_is_resampled_on_request(with_vois):
    import slicer

    from RPTDosimetryLib.bridge.segmentations import segmentation_of_segments
    from RPTDosimetryLib.bridge.volumes_of_interest import vois_of_case
    from RPTDosimetryLib.grid import Grid
    from RPTDosimetryLib.records import Segment
    from RPTDosimetryLib.vois.segment import voi_from_segment

    panel, ui = with_vois, with_vois.steps["segmentation"].ui
    grid = Grid((30, 40, 40), (3.0, 3.0, 3.0), (-60.0, -55.0, -40.0))
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    mask[8:20, 10:22, 5:19] = True
    other = segmentation_of_segments([Segment("spleen", mask, grid)], "Elsewhere")
    ui.otherSelector.setCurrentNode(other)
    events()
    assert ui.takeOverButton.text == "Resample and take over"
    ui.takeOverButton.click()
    events(0.4)
    assert "were resampled, volume kept" in panel.said
    found = {voi.name: voi for voi in vois_of_case(panel.case)}["spleen"]
    expected = voi_from_segment(Segment("spleen", mask, grid), panel.registered.grid, "", "organ")
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert found.volume_ml == pytest.approx(mask.sum() * 0.027, abs=0.5 * panel.registered.grid.voxel_volume_ml)
    moved = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    other.SetAndObserveTransformNodeID(moved.GetID())
    ui.takeOverButton.click()
    assert "harden that in the module Transforms first" in panel.said


def test_a_segment_drawn_on_another_lattice_is_said(with_vois):
    import slicer

    from RPTDosimetryLib.bridge.segmentations import segmentation_of_segments
    from RPTDosimetryLib.grid import Grid
    from RPTDosimetryLib.records import Segment

    grid = Grid((3, 3, 3), (3.0, 3.0, 3.0), (1.0, 2.0, 3.0))
    other = segmentation_of_segments([Segment("odd", np.ones((3, 3, 3), bool), grid)], "Elsewhere")
    node = segmentation(with_vois.case)
    node.GetSegmentation().CopySegmentFromSegmentation(other.GetSegmentation(), "odd")
    slicer.mrmlScene.RemoveNode(other)
    events(0.5)
    assert "odd was drawn on another grid" in with_vois.steps["segmentation"].ui.reviewLabel.text
    assert "needs review" in header(with_vois)
