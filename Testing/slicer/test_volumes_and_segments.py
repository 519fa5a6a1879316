"""Records in nodes and back: values, units, names, codes, reviews; edits are seen; other lattices are refused."""

from datetime import datetime

import numpy as np
import pytest

from RPTDosimetryLib.errors import GridMismatchError, VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Code, Image, Review, Segment, Voi

GRID = Grid((7, 8, 9), (2.0, 2.5, 3.0), (-10.0, 5.0, 100.0), (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))


def box(z, y, x, grid=GRID):
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    mask[z, y, x] = True
    return mask


def test_a_dose_is_a_volume_with_its_unit_as_slicer_knows_it(scene):
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.volumes import image_of, volume_from_image

    voxels = np.random.default_rng(1).random(GRID.shape_zyx, dtype=np.float32)
    node = volume_from_image(Image(voxels, GRID, "Gy"), "dose", at.DOSE)
    assert node.GetVoxelValueUnits().GetCodeValue() == "Gy"
    assert node.GetVoxelValueQuantity().GetCodeMeaning() == "Absorbed Dose"
    back = image_of(node)
    np.testing.assert_array_equal(back.voxels, voxels)
    assert back.unit == "Gy"
    assert back.grid.same_as(GRID, tolerance_mm=1e-9)
    back.voxels[:] = 0
    assert image_of(node).voxels.max() > 0, "image_of gives a copy"


@pytest.mark.parametrize("dtype", [bool, np.int32, np.int64, np.float64, np.uint8])
def test_every_kind_of_voxel_goes_in(scene, dtype):
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.volumes import image_of, volume_from_image

    voxels = (np.arange(504).reshape(GRID.shape_zyx) % 7).astype(dtype)
    node = volume_from_image(Image(voxels, GRID, "1"), "labels", at.LABELS)
    np.testing.assert_array_equal(image_of(node).voxels, voxels)


def test_overlapping_vois_come_back_with_all_that_is_known_of_them(scene):
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.segmentations import segmentation_from, vois_of

    review = Review("A. Physicist", datetime(2024, 5, 17, 8, 15), "lower edge; moved: 2 mm | fine ~ ^")
    code = Code("10200004", "SCT", "Liver")
    vois = (
        Voi(
            "liver",
            box(slice(1, 6), slice(1, 6), slice(1, 6)),
            GRID,
            "organ",
            "rt.dcm",
            ("cut",),
            code,
            "excluded",
            review,
        ),
        Voi("lesion 1", box(slice(3, 5), slice(3, 5), slice(4, 8)), GRID, "lesion", "threshold 40 %"),
    )
    node = segmentation_from(vois, "VOIs", at.VOIS)
    back = vois_of(node)
    for given, found in zip(vois, back, strict=True):
        np.testing.assert_array_equal(found.mask, given.mask)
        assert (found.name, found.kind, found.source, found.code) == (given.name, given.kind, given.source, given.code)
        assert (found.lesions, found.review, found.warnings) == (given.lesions, given.review, given.warnings)
    assert "10200004^Liver" in node.GetSegmentation().GetNthSegment(0).GetTerminology()


def test_an_edit_of_a_segment_is_seen_and_an_empty_one_is_refused(scene):
    import slicer

    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.segmentations import segmentation_from, vois_of
    from RPTDosimetryLib.bridge.volumes import volume_from_image

    reference = volume_from_image(Image(np.zeros(GRID.shape_zyx, np.float32), GRID, "Gy"), "dose", at.DOSE)
    node = segmentation_from([Voi("spleen", box(2, 2, 2), GRID)], "VOIs", at.VOIS)
    identifier = node.GetSegmentation().GetNthSegmentID(0)
    edited = box(slice(0, 7), slice(6, 8), slice(7, 9))
    slicer.util.updateSegmentBinaryLabelmapFromArray(edited.astype(np.uint8), node, identifier, reference)
    np.testing.assert_array_equal(vois_of(node)[0].mask, edited)
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.zeros(GRID.shape_zyx, np.uint8), node, identifier, reference)
    with pytest.raises(VoiError, match="spleen is empty"):
        vois_of(node)


def test_a_segment_on_another_lattice_is_refused(scene):
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.segmentations import mask_of, segmentation_from

    node = segmentation_from([Voi("spleen", box(2, 2, 2), GRID)], "VOIs", at.VOIS)
    other = Grid(GRID.shape_zyx, (2.1, 2.5, 3.0), GRID.origin_mm, GRID.direction)
    with pytest.raises(GridMismatchError, match="spleen was drawn on another grid"):
        mask_of(node, node.GetSegmentation().GetNthSegmentID(0), other)


def test_a_review_is_set_and_taken_away(scene):
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.segmentations import segmentation_from, set_review, vois_of

    node = segmentation_from([Voi("spleen", box(2, 2, 2), GRID, "organ", "x")], "VOIs", at.VOIS)
    identifier = node.GetSegmentation().GetNthSegmentID(0)
    review = Review("B", datetime(2024, 1, 2, 3, 4))
    set_review(node, identifier, review)
    assert vois_of(node)[0].review == review
    assert vois_of(node)[0].source == "x"
    set_review(node, identifier, None)
    assert vois_of(node)[0].review is None


def test_segments_of_files_keep_their_own_grids(scene):
    from RPTDosimetryLib.bridge.segmentations import segmentation_of_segments, segments_of

    small = Grid((2, 3, 4), (1.0, 1.0, 1.0), (50.0, 60.0, 70.0))
    parts = (
        Segment("a", box(1, 2, 3), GRID, Code("1", "SCT", "One"), "1.2"),
        Segment("b", box(0, 1, 2, small), small),
    )
    back = segments_of(segmentation_of_segments(parts, "files"))
    for given, found in zip(parts, back, strict=True):
        np.testing.assert_array_equal(found.mask, given.mask)
        assert found.grid.same_as(given.grid)
        assert (found.name, found.code, found.frame_of_reference_uid) == (
            given.name,
            given.code,
            given.frame_of_reference_uid,
        )
