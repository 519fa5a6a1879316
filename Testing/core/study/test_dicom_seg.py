"""Segments of DICOM SEG files: where they lie, what they are, and to which SPECT they belong."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Code, Image, Segment
from RPTDosimetryLib.study.inspect import inspect_study, inspect_table
from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.virtual_patient.seg_writer import SegOptions, write_seg

KIDNEY = Code("64033007", "SCT", "Kidney", "left")
LIVER = Code("10200004", "SCT", "Liver")


@pytest.fixture
def hu(grid):
    return Image(np.zeros((8, 9, 10), dtype=np.float32), Grid((8, 9, 10), (3.0, 3.5, 4.0), grid.origin_mm), "HU")


@pytest.fixture
def masks(hu):
    """A block and a thin plate that overlap it; both have empty slices between filled ones."""
    block, plate = np.zeros((2, *hu.grid.shape_zyx), dtype=bool)
    block[[1, 2, 5], 2:6, 3:9] = True
    plate[1:7:2, 4, 1:5] = True
    return block, plate


def whole(segment, grid):
    """A cropped mask, laid back on the grid it was cut from."""
    ijk = np.linalg.inv(grid.lps_from_ijk) @ segment.grid.lps_from_ijk
    full = np.zeros(grid.shape_zyx, dtype=bool)
    points = np.argwhere(segment.mask)[:, ::-1]
    i, j, k = np.rint(points @ ijk[:3, :3].T + ijk[:3, 3]).astype(int).T
    full[k, j, i] = True
    return full


class Seg:
    def __init__(self, write, hu, patient, visit):
        self.write, self.hu, self.patient, self.visit = write, hu, patient, visit
        write.nm(Image(np.ones((5, 6, 7), dtype=np.float32), Grid((5, 6, 7), (4.8, 4.0, 5.0)), "Bq/mL"), visit(1))
        write.ct(hu, visit(1))

    def __call__(self, segments, options=None, at=None, name="seg.dcm"):
        images = sorted((self.write.folder / "ct").iterdir())
        return write_seg(segments, self.write.folder / name, self.patient, at or self.visit(1), images, options)

    def read(self):
        return read_study(self.write.folder)


@pytest.fixture
def seg(write, hu, patient, visit):
    return Seg(write, hu, patient, visit)


@pytest.fixture
def two(masks, hu):
    return [Segment("Lt kidney", masks[0], hu.grid, KIDNEY), Segment("plate", masks[1], hu.grid, LIVER)]


@pytest.mark.parametrize("options", [SegOptions(), SegOptions(keep_empty_frames=True)])
def test_overlapping_binary_segments_come_back_with_name_code_and_frame(seg, two, hu, options):
    seg(two, options)
    (point,) = seg.read().time_points
    kidney, plate = point.segments
    assert (kidney.name, kidney.code) == ("Lt kidney", KIDNEY)
    assert (plate.name, plate.code) == ("plate", LIVER)
    assert kidney.frame_of_reference_uid == point.frame_of_reference_uid
    for read, written in zip(point.segments, two, strict=True):
        assert np.array_equal(whole(read, hu.grid), written.mask)
        assert read.grid.aligned_with(hu.grid)  # stacked along row × column, as the CT is
        assert read.mask.shape != written.mask.shape  # cropped


@pytest.mark.parametrize(
    "direction",
    [
        (1, 0, 0, 0, 1, 0, 0, 0, -1),
        (0, 0, 1, 1, 0, 0, 0, -1, 0),  # coronal slices
        (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1),
    ],
)
def test_any_orientation_keeps_every_voxel_where_it_was(seg, masks, direction):
    grid = Grid(masks[0].shape, (2.5, 3.0, 4.0), (-31.0, 12.0, 55.0), direction)
    seg([Segment("tilted", masks[0], grid, LIVER)])
    (read,) = seg.read().time_points[0].segments
    assert np.array_equal(whole(read, grid), masks[0])
    assert np.linalg.det(np.reshape(read.grid.direction, (3, 3))) == pytest.approx(1.0)


def test_frames_in_any_order_are_sorted_by_position(seg, two, hu, edit):
    path = seg(two[:1])

    def turn(ds):
        frames = list(ds.PerFrameFunctionalGroupsSequence)
        bits = np.unpackbits(np.frombuffer(ds.PixelData, np.uint8), bitorder="little")
        planes = bits[: len(frames) * ds.Rows * ds.Columns].reshape(len(frames), -1)
        ds.PerFrameFunctionalGroupsSequence = frames[::-1]
        ds.PixelData = np.packbits(planes[::-1].ravel(), bitorder="little").tobytes()
        ds.PixelData += b"\0" * (len(ds.PixelData) % 2)

    edit(path, turn)
    (read,) = seg.read().time_points[0].segments
    assert np.array_equal(whole(read, hu.grid), two[0].mask)


def test_a_label_map_segmentation_is_read(seg, two, hu):
    seg(two, SegOptions("LABELMAP"))
    (point,) = seg.read().time_points
    assert [s.name for s in point.segments] == ["Lt kidney", "plate"]
    assert np.array_equal(whole(point.segments[0], hu.grid), two[0].mask & ~two[1].mask)
    assert np.array_equal(whole(point.segments[1], hu.grid), two[1].mask)


def test_a_fractional_segmentation_takes_one_half_and_more_and_says_so(seg, masks, hu):
    share = np.where(masks[0], 0.8, 0.3).astype(np.float32)
    share[0, 0, 0], share[0, 0, 1] = 0.51, 0.49
    seg([Segment("liver", masks[0], hu.grid, LIVER)], SegOptions("FRACTIONAL", (share,)))
    (point,) = seg.read().time_points
    expected = masks[0].copy()
    expected[0, 0, 0] = True
    assert np.array_equal(whole(point.segments[0], hu.grid), expected)
    assert any("0.5 and more" in warning for warning in point.warnings)


def test_an_empty_segment_is_left_out_and_said(seg, two, masks, hu):
    seg([*two, Segment("nothing", np.zeros_like(masks[0]), hu.grid, LIVER)])
    (point,) = seg.read().time_points
    assert [s.name for s in point.segments] == ["Lt kidney", "plate"]
    assert any("segment nothing is empty" in warning for warning in point.warnings)


def test_a_generic_type_gives_way_to_the_anatomic_region(seg, masks, hu, edit):
    path = seg([Segment("Segment_1", masks[0], hu.grid)])

    def region(ds):
        item = pydicom.Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "64033007", "SCT", "Kidney"
        side = pydicom.Dataset()
        side.CodeValue, side.CodingSchemeDesignator, side.CodeMeaning = "24028007", "SCT", "Right"
        item.AnatomicRegionModifierSequence = [side]
        ds.SegmentSequence[0].AnatomicRegionSequence = [item]

    edit(path, region)
    (segment,) = seg.read().time_points[0].segments
    assert segment.code == Code("64033007", "SCT", "Kidney", "right")


def test_a_type_that_only_says_tissue_is_no_code(seg, masks, hu):
    seg([Segment("Segment_1", masks[0], hu.grid)])  # written with the type Tissue
    assert seg.read().time_points[0].segments[0].code is None


def test_segments_go_to_the_time_point_whose_ct_they_were_made_on(write, hu, two, patient, visit, activity, grid):
    for number, hours in ((1, 4.0), (2, 24.0)):
        write.nm(activity(grid, number), visit(number, hours, frame="same"), f"v{number}/nm.dcm")
        write.ct(hu, visit(number, hours, frame="same"), f"v{number}/ct")
    images = sorted((write.folder / "v2/ct").iterdir())
    write_seg(two, write.folder / "v2/seg.dcm", patient, visit(2, 24.0, frame="same"), images)
    first, second = read_study(write.folder).time_points
    assert not first.segments
    assert len(second.segments) == 2


def test_a_seg_of_another_frame_of_reference_is_not_used_and_told(seg, two, edit):
    def foreign(ds):
        ds.FrameOfReferenceUID = "1.2.3.4"
        del ds.ReferencedSeriesSequence

    edit(seg(two), foreign)
    study = seg.read()
    assert not study.time_points[0].segments
    assert any("segments of seg.dcm belong to no SPECT" in note for note in study.warnings)


def test_a_seg_that_refers_to_a_ct_and_lies_in_another_frame_is_an_error(seg, two, edit):
    edit(seg(two), lambda ds: setattr(ds, "FrameOfReferenceUID", "1.2.3.4"))
    with pytest.raises(StudyError, match=r"seg\.dcm refer to ct but lie in another frame of reference"):
        seg.read()


def test_a_seg_without_frame_of_reference_is_an_error(seg, two, edit):
    edit(seg(two), lambda ds: delattr(ds, "FrameOfReferenceUID"))
    with pytest.raises(StudyError, match="does not say where it lies"):
        seg.read()


def test_a_seg_of_a_microscopy_slide_is_an_error(seg, two, edit):
    edit(seg(two), lambda ds: setattr(ds, "TotalPixelMatrixColumns", 50000))
    with pytest.raises(StudyError, match="microscopy slide"):
        seg.read()


def test_unequal_slices_are_an_error(seg, two, edit):
    def move(ds):
        position = ds.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0]
        position.ImagePositionPatient = [*position.ImagePositionPatient[:2], position.ImagePositionPatient[2] + 1.3]

    edit(seg(two[:1]), move)
    with pytest.raises(StudyError, match=r"seg\.dcm is no segmentation on evenly spaced parallel slices"):
        seg.read()


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_a_cut_off_seg_is_an_error(seg, two, share):
    path = seg(two)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(StudyError, match=r"seg\.dcm"):
        seg.read()


def test_inspect_shows_segments_with_code_and_volume(seg, two):
    seg(two)
    study = seg.read()
    (point,) = inspect_study(study)["time_points"]
    assert point["segments"][0] == {
        "name": "Lt kidney",
        "code": {"value": "64033007", "scheme": "SCT", "meaning": "Kidney", "laterality": "left"},
        "volume_ml": pytest.approx(72 * 3.0 * 3.5 * 4.0 / 1000),
    }
    assert "Lt kidney (64033007 SCT Kidney), 3.024 mL" in inspect_table(study)


def test_a_seg_can_be_ignored(seg, two):
    from RPTDosimetryLib.study.given import StudyGiven

    seg(two)
    study = read_study(seg.write.folder, StudyGiven(ignore=("seg.dcm",)))
    assert not study.time_points[0].segments


def test_segments_of_different_grids_cannot_be_written_into_one_file(seg, two, hu):
    from RPTDosimetryLib.errors import GridMismatchError

    other = replace(two[1], grid=replace(hu.grid, origin_mm=(0.0, 0.0, 0.0)))
    with pytest.raises(GridMismatchError):
        seg([two[0], other])
