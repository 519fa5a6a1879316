"""Which CT and which contours go with which SPECT; padding; contours of a mask and back."""

import numpy as np
import pytest
from matplotlib.path import Path as Polygon

from RPTDosimetryLib.errors import ConfigurationError, StudyError, VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.given import StudyGiven, TimePointGiven
from RPTDosimetryLib.study.image_files import write_image
from RPTDosimetryLib.study.read_ct import read_ct
from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.virtual_patient.dicom_writer import write_rtstruct
from RPTDosimetryLib.virtual_patient.rtstruct_writer import ReferencedSeries


@pytest.fixture
def hu(grid):
    values = np.random.default_rng(3).integers(-900, 1200, (8, 9, 10))
    return Image(values.astype(np.float32), Grid((8, 9, 10), (3.0, 3.0, 4.0), grid.origin_mm), "HU")


def test_each_spect_gets_the_ct_of_its_own_visit(write, spect, activity, grid, hu, visit):
    for number, hours in ((1, 4.0), (2, 24.0)):
        write.nm(activity(grid, number), visit(number, hours), f"v{number}/nm.dcm")
        write.ct(hu.with_voxels(hu.voxels + number), visit(number, hours), f"v{number}/ct")
    study = read_study(write.folder)
    for number, point in enumerate(study.time_points, start=1):
        assert np.array_equal(point.ct.voxels, hu.voxels + number)
        assert point.ct.grid.same_as(hu.grid)


def test_one_ct_for_all_time_points_of_its_frame_of_reference_is_told(write, activity, grid, hu, visit):
    for number, hours in ((1, 4.0), (2, 24.0)):
        write.nm(activity(grid, number), visit(number, hours, frame="same"), f"nm{number}.dcm")
    write.ct(hu, visit(1, frame="same"))
    study = read_study(write.folder)
    assert all(point.ct is not None for point in study.time_points)
    assert any("serves 2 time points" in note for note in study.warnings)


def test_a_ct_of_one_visit_is_not_put_on_another(write, activity, grid, hu, visit):
    for number, hours in ((1, 4.0), (2, 24.0)):
        write.nm(activity(grid, number), visit(number, hours), f"nm{number}.dcm")
    write.ct(hu, visit(2, 24.0))
    first, second = read_study(write.folder).time_points
    assert first.ct is None
    assert second.ct is not None


def test_of_two_cts_in_one_frame_the_one_of_the_same_visit_is_taken(write, activity, grid, hu, visit):
    write.nm(activity(grid), visit(1, 4.0, frame="same"))
    write.ct(hu, visit(1, 4.1, frame="same"), "near")
    write.ct(hu.with_voxels(hu.voxels + 1), visit(2, 48.0, frame="same"), "far")
    (point,) = read_study(write.folder).time_points
    assert np.array_equal(point.ct.voxels, hu.voxels)
    assert any("CT near is used" in warning for warning in point.warnings)


def test_a_ct_that_shares_nothing_is_not_used_and_told(write, spect, hu, visit):
    write.nm(spect, visit(1))
    write.ct(hu, visit(5, 400.0), "diagnostic")
    study = read_study(write.folder)
    assert study.time_points[0].ct is None
    assert any("diagnostic" in note and "not used" in note for note in study.warnings)


def test_a_ct_can_be_paired_by_name(write, spect, hu, visit):
    write.nm(spect, visit(1))
    write.ct(hu, visit(5, 400.0), "diagnostic")
    given = StudyGiven(time_points=(TimePointGiven(1, ct="diagnostic"),))
    (point,) = read_study(write.folder, given).time_points
    assert point.ct is not None
    assert any("because the configuration says so" in warning for warning in point.warnings)
    with pytest.raises(ConfigurationError, match="fits 0 CT series; found: diagnostic"):
        read_study(write.folder, StudyGiven(time_points=(TimePointGiven(1, ct="other"),)))


def test_padding_outside_the_scanned_circle_is_air(write, spect, hu, edit):
    write.nm(spect)
    files = write.ct(hu)

    def pad(ds):
        values = ds.pixel_array.astype(np.int16) - 1024
        values[0, :3] = -3024
        ds.PixelRepresentation, ds.RescaleIntercept = 1, "0"
        ds.PixelData = values.tobytes()

    for path in files:
        edit(path, pad)
    (point,) = read_study(write.folder).time_points
    assert (point.ct.voxels[:, 0, :3] == -1000).all()
    assert np.array_equal(point.ct.voxels[:, 1:], hu.voxels[:, 1:])
    assert any("24 CT voxels below -1024 HU" in warning for warning in point.warnings)


def test_localizers_and_other_objects_are_left_aside(write, spect, hu, edit):
    write.nm(spect)
    for path in write.ct(hu):
        edit(path, lambda ds: setattr(ds, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    study = read_study(write.folder)
    assert study.time_points[0].ct is None
    assert any("CT localizer" in note for note in study.warnings)


def test_read_ct_from_a_file_and_from_a_folder(tmp_path, write, hu):
    write_image(hu, tmp_path / "ct.nii.gz")
    write.ct(hu)
    for path in (tmp_path / "ct.nii.gz", write.folder):
        ct = read_ct(path)
        assert np.array_equal(ct.voxels, hu.voxels)
        assert ct.grid.same_as(hu.grid)


def test_read_ct_wants_one_series(write, hu, visit):
    write.ct(hu, visit(1), "a")
    write.ct(hu, visit(2, 24), "b")
    with pytest.raises(StudyError, match="2 CT series"):
        read_ct(write.folder)


def test_real_ct(shared_data):
    ct = read_ct(shared_data("abdomen_ct"))
    assert ct.grid.shape_zyx == (51, 512, 512)
    assert ct.grid.spacing_mm == pytest.approx((0.804688, 0.804688, 5.0), abs=1e-4)
    assert ct.voxels.min() >= -1024
    assert ct.voxels.dtype == np.float32


def blob(grid):
    """A ball with a hole, and a second label of two parts."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape_zyx), indexing="ij")
    radius = np.sqrt(((k - 4) * 1.5) ** 2 + (j - 8) ** 2 + (i - 9) ** 2)
    labels = np.where((radius < 5.5) & (radius > 1.6), 1, 0)
    labels[2:4, 1:3, 14:17] = 2
    labels[6, 13, 2] = 2
    return labels


def filled(polygons, grid):
    """Even-odd filling by voxel centre with matplotlib's own point-in-polygon test."""
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    ijk_from_lps = np.linalg.inv(grid.lps_from_ijk)
    j, i = np.meshgrid(np.arange(grid.shape_zyx[1]), np.arange(grid.shape_zyx[2]), indexing="ij")
    for polygon in polygons:
        ijk = (np.column_stack([polygon, np.ones(len(polygon))]) @ ijk_from_lps.T)[:, :3]
        assert np.ptp(ijk[:, 2]) < 1e-3
        inside = Polygon(ijk[:, :2]).contains_points(np.column_stack([i.ravel(), j.ravel()]))
        mask[round(float(ijk[0, 2]))] ^= inside.reshape(i.shape)
    return mask


@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1)])
def test_contours_of_a_mask_give_the_mask_back(write, visit, patient, direction):
    grid = Grid((9, 16, 18), (2.0, 2.5, 3.0), (5.0, -7.0, 11.0), direction)
    labels = blob(grid)
    values = np.where(labels > 0, 1e4, 10.0).astype(np.float32)
    write.nm(Image(values, grid, "Bq/mL"))
    path = write.folder / "structures.dcm"
    write_rtstruct(Image(labels, grid, "1"), {1: "liver", 2: "lesion"}, path, patient, visit())
    (point,) = read_study(write.folder).time_points
    assert [c.name for c in point.structures] == ["liver", "lesion"]
    for label, contours in enumerate(point.structures, start=1):
        assert np.array_equal(filled(contours.polygons_mm, grid), labels == label)


def test_contours_go_to_the_series_they_were_drawn_on(write, activity, grid, patient, visit):
    import pydicom

    labels = np.zeros(grid.shape_zyx, dtype=int)
    labels[1:3, 2:4, 2:5] = 1
    for number, hours in ((1, 4.0), (2, 24.0)):
        path = write.nm(activity(grid, number), visit(number, hours, frame="same"), f"nm{number}.dcm")
    ds = pydicom.dcmread(path)
    drawn_on = ReferencedSeries(ds.SeriesInstanceUID, ds.SOPClassUID, (ds.SOPInstanceUID,))
    write_rtstruct(
        Image(labels, grid, "1"), {1: "liver"}, write.folder / "rs.dcm", patient, visit(1, frame="same"), drawn_on
    )
    first, second = read_study(write.folder).time_points
    assert first.structures == ()
    assert [c.name for c in second.structures] == ["liver"]


def test_contours_of_nowhere_are_told(write, spect, grid, patient, visit):
    write.nm(spect)
    labels = np.ones(grid.shape_zyx, dtype=int)
    write_rtstruct(Image(labels, grid, "1"), {1: "all"}, write.folder / "rs.dcm", patient, visit(8))
    study = read_study(write.folder)
    assert study.time_points[0].structures == ()
    assert any("belong to no SPECT" in note for note in study.warnings)


def test_a_cut_off_structure_set_is_refused(write, spect, grid, patient, visit):
    write.nm(spect)
    labels = np.ones(grid.shape_zyx, dtype=int)
    path = write.folder / "rs.dcm"
    write_rtstruct(Image(labels, grid, "1"), {1: "all"}, path, patient, visit())
    whole = path.read_bytes()
    for kept in (0.3, 0.6, 0.9, 0.99):
        path.write_bytes(whole[: int(len(whole) * kept)])
        with pytest.raises(StudyError, match=r"rs\.dcm"):
            read_study(write.folder)


def test_open_contours_are_left_out_and_told(write, spect, grid, patient, visit, edit):
    write.nm(spect)
    labels = np.zeros(grid.shape_zyx, dtype=int)
    labels[1, 2, 2], labels[2, 3, 3] = 1, 2
    path = write.folder / "rs.dcm"
    write_rtstruct(Image(labels, grid, "1"), {1: "liver", 2: "marker"}, path, patient, visit())

    def open_second(ds):
        ds.ROIContourSequence[1].ContourSequence[0].ContourGeometricType = "OPEN_PLANAR"

    edit(path, open_second)
    (point,) = read_study(write.folder).time_points
    assert [c.name for c in point.structures] == ["liver"]
    assert any("structure marker has no closed contour" in warning for warning in point.warnings)


def test_a_label_without_voxels_cannot_be_drawn(tmp_path, grid, patient, visit):
    with pytest.raises(VoiError, match="gone has no voxel"):
        write_rtstruct(
            Image(np.zeros(grid.shape_zyx, int), grid, "1"), {4: "gone"}, tmp_path / "rs.dcm", patient, visit()
        )
    assert not (tmp_path / "rs.dcm").exists()
