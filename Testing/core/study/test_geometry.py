"""Orientation, flips, slice order and spacing, checked with SimpleITK's own DICOM reader and by hot voxels."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.grid import Grid, grid_of
from RPTDosimetryLib.study.given import StudyGiven
from RPTDosimetryLib.study.read_ct import read_ct
from RPTDosimetryLib.study.read_study import read_study

AXIAL = (1, 0, 0, 0, 1, 0, 0, 0, 1)
FLIPPED_XY = (-1, 0, 0, 0, -1, 0, 0, 0, 1)
CORONAL = (1, 0, 0, 0, 0, 1, 0, -1, 0)
SAGITTAL = (0, 0, -1, 1, 0, 0, 0, -1, 0)


def turned(degrees):
    """Rotation about three axes, row-major."""
    a, b, c = np.deg2rad(degrees)
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return tuple((x @ y @ z).ravel())


ORIENTATIONS = [AXIAL, FLIPPED_XY, CORONAL, SAGITTAL, turned((12, -7, 31))]


def oriented(direction):
    return Grid((4, 5, 6), (3.0, 4.0, 5.0), (12.5, -33.0, 71.25), direction)


def hottest_mm(image):
    k, j, i = np.unravel_index(np.argmax(image.voxels), image.voxels.shape)
    return (image.grid.lps_from_ijk @ [i, j, k, 1.0])[:3]


@pytest.mark.parametrize("direction", ORIENTATIONS)
def test_pt_series_round_trip_in_any_orientation(write, direction, activity):
    image = activity(oriented(direction))
    write.pt(image, decay_correction="START")
    found = read_study(write.folder).time_points[0].spect
    assert found.grid.same_as(image.grid, tolerance_mm=1e-6)
    assert found.voxels == pytest.approx(image.voxels, abs=1e5 / 65535)


@pytest.mark.parametrize("direction", ORIENTATIONS)
def test_ct_series_lies_where_simpleitk_puts_it(write, direction, activity):
    image = activity(oriented(direction))
    hu = image.with_voxels(np.rint(image.voxels / 100).astype(np.float32), "HU")
    write.ct(hu)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(write.folder / "ct")))
    theirs = reader.Execute()
    ours = read_ct(write.folder / "ct")
    assert ours.grid.same_as(grid_of(theirs), tolerance_mm=1e-3)
    assert np.array_equal(ours.voxels, sitk.GetArrayFromImage(theirs))


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("direction", ORIENTATIONS)
def test_nm_round_trip_with_positive_and_negative_spacing(write, direction, negative, activity, edit):
    image = activity(oriented(direction))
    path = write.nm(image, negative_spacing=negative)
    spacing = []
    edit(path, lambda ds: spacing.append(float(ds.SpacingBetweenSlices)))
    assert (spacing[0] < 0) == negative
    found = read_study(write.folder).time_points[0].spect
    assert found.grid.same_as(image.grid, tolerance_mm=1e-6)
    assert found.voxels == pytest.approx(image.voxels, abs=1e5 / 65535)


def test_negative_spacing_by_hand(write, grid, spect, edit):
    """PS3.3 C.8.4.15: frame n is at position + (n - 1)·spacing·normal, whatever the sign of the spacing."""
    hot = np.full(grid.shape_zyx, 10.0, dtype=np.float32)
    hot[1, 2, 3] = 1e4
    path = write.nm(spect.with_voxels(hot), negative_spacing=False)

    def against_the_normal(ds):
        ds.SpacingBetweenSlices = "-5"
        ds.DetectorInformationSequence[0].ImagePositionPatient = ["-20", "-30", "200"]

    edit(path, against_the_normal)
    found = read_study(write.folder).time_points[0].spect
    assert hottest_mm(found) == pytest.approx((-20 + 3 * 4.8, -30 + 2 * 4.0, 200 - 5.0))
    assert found.grid.origin_mm == pytest.approx((-20, -30, 180))
    assert np.linalg.det(np.reshape(found.grid.direction, (3, 3))) == pytest.approx(1)


def test_left_handed_grids_keep_their_place(write, activity):
    mirrored = Grid((4, 5, 6), (3.0, 4.0, 5.0), (1.0, 2.0, 3.0), (1, 0, 0, 0, 1, 0, 0, 0, -1))
    image = activity(mirrored)
    write.nm(image)
    write.pt(image, decay_correction="NONE", name="pt")
    for path in ("nm.dcm", "pt"):
        found = read_study(write.folder / path).time_points[0].spect
        assert hottest_mm(found) == pytest.approx(hottest_mm(image), abs=1e-6)
        assert found.voxels == pytest.approx(image.voxels[::-1], abs=1e5 / 65535)


@given(
    degrees=st.tuples(*[st.floats(-180, 180)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    spacing=st.tuples(*[st.floats(0.5, 10)] * 3),
    negative=st.booleans(),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_voxel_moves_whatever_the_orientation(write, degrees, origin, spacing, negative, activity):
    image = activity(Grid((3, 4, 5), spacing, origin, turned(degrees)))
    write.nm(image, negative_spacing=negative)
    found = read_study(write.folder).time_points[0].spect
    assert hottest_mm(found) == pytest.approx(hottest_mm(image), abs=1e-5)
    assert found.grid.same_as(image.grid, tolerance_mm=1e-5)


def test_file_names_and_numbers_do_not_decide_the_order(write, spect, edit):
    files = write.pt(spect, decay_correction="NONE")
    for n, path in enumerate(files):
        edit(path, lambda ds, n=n: setattr(ds, "InstanceNumber", 100 - n))
        path.rename(path.with_name(f"{(n * 3) % 5}_{n}"))
    found = read_study(write.folder).time_points[0].spect
    assert found.voxels == pytest.approx(spect.voxels, abs=1e5 / 65535)


def test_slice_thickness_is_not_taken_for_the_slice_distance(write, spect, edit):
    for path in write.pt(spect, decay_correction="NONE"):
        edit(path, lambda ds: setattr(ds, "SliceThickness", "2.5"))
    assert read_study(write.folder).time_points[0].spect.grid.spacing_mm[2] == pytest.approx(5.0)


def test_nm_position_at_the_top_level_is_found(write, spect, edit):
    path = write.nm(spect)

    def move(ds):
        detector = ds.DetectorInformationSequence[0]
        ds.ImagePositionPatient, ds.ImageOrientationPatient = (
            detector.ImagePositionPatient,
            detector.ImageOrientationPatient,
        )
        del detector.ImagePositionPatient, detector.ImageOrientationPatient

    edit(path, move)
    assert read_study(write.folder).time_points[0].spect.grid.same_as(spect.grid)


def test_nm_without_position_is_read_and_says_so(write, spect, edit):
    path = write.nm(spect)
    edit(path, lambda ds: delattr(ds.DetectorInformationSequence[0], "ImagePositionPatient"))
    (point,) = read_study(write.folder).time_points
    assert any("ImagePositionPatient" in warning for warning in point.warnings)


def test_nm_without_orientation_is_refused(write, spect, edit):
    path = write.nm(spect)
    edit(path, lambda ds: delattr(ds.DetectorInformationSequence[0], "ImageOrientationPatient"))
    with pytest.raises(StudyError, match="oriented"):
        read_study(write.folder)


def test_nm_frames_follow_the_slice_vector(write, spect, edit):
    path = write.nm(spect)

    def shuffle(ds):
        order = [2, 0, 1, 4, 3]
        ds.PixelData = ds.pixel_array[order].tobytes()
        ds.SliceVector = [n + 1 for n in order]

    edit(path, shuffle)
    found = read_study(write.folder).time_points[0].spect
    assert found.voxels == pytest.approx(spect.voxels, abs=1e5 / 65535)


def test_a_single_file_is_a_study(write, spect):
    path = write.nm(spect)
    assert read_study(path, StudyGiven()).time_points[0].spect.grid.same_as(spect.grid)
