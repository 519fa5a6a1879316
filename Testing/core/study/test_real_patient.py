"""Real [177Lu]Lu-DOTATATE scans; the totals were computed once with plain pydicom and numpy."""

import time

import numpy as np
import pytest

from RPTDosimetryLib.study.given import StudyGiven
from RPTDosimetryLib.study.inspect import inspect_study, inspect_table
from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.study.total_activity import stored_total, total_activity_bq


@pytest.fixture(scope="module")
def study(shared_data):
    return read_study(shared_data("lu177_patient"))


def test_times_and_administration_come_from_the_header(study):
    assert study.administration.nuclide == "Lu-177"
    assert study.administration.administered_activity_bq == pytest.approx(7210.4256e6, rel=1e-7)
    assert study.administration.half_life_s == 574300
    assert [p.time_s / 3600 for p in study.time_points] == pytest.approx([3.74111, 27.72528], abs=1e-3)
    assert study.missing == ()
    assert [p.missing for p in study.time_points] == [(), ()]


def test_activity_at_scan_time(study):
    first, second = study.time_points
    assert total_activity_bq(first) == pytest.approx(1328.778e6, rel=1e-4)
    assert total_activity_bq(first) == pytest.approx(1328.7779e6, rel=1e-6)
    assert total_activity_bq(second) == pytest.approx(996.0655e6 * 2 ** (-27.725476 * 3600 / 574300), rel=1e-6)


def test_geometry_is_that_of_the_files(study):
    first = study.time_points[0].spect.grid
    assert first.shape_zyx == (199, 256, 256)
    assert first.spacing_mm == pytest.approx((1.95313, 1.95313, 1.95313), abs=1e-6)
    assert first.origin_mm == pytest.approx((-249.023, -410.023, 1156.93))


def test_both_lesions_of_each_rtstruct_are_attached_to_their_scan(study):
    for point in study.time_points:
        assert [c.name for c in point.structures] == ["lesion1 liver R lobe", "lesion2 liver L lateral"]
        assert {c.frame_of_reference_uid for c in point.structures} == {point.frame_of_reference_uid}
    assert [len(c.polygons_mm) for c in study.time_points[0].structures] == [35, 10]


def test_lesions_lie_on_hot_voxels(study):
    """The contours are in the same coordinates as the voxels: uptake inside is far above the image's mean."""
    for point in study.time_points:
        image = point.spect
        for contours in point.structures:
            points = np.vstack(contours.polygons_mm)
            centre = np.append(points.mean(axis=0), 1.0)
            i, j, k = np.rint(np.linalg.inv(image.grid.lps_from_ijk) @ centre).astype(int)[:3]
            around = image.voxels[k - 2 : k + 3, j - 2 : j + 3, i - 2 : i + 3].mean()
            assert around > 30 * image.voxels.mean()


def test_inspect_says_what_was_done_and_that_the_decay_factor_contradicts(study):
    told = inspect_study(study)
    assert told["time_points"][0]["total_activity_bq"] == pytest.approx(1328.778e6, rel=1e-4)
    assert any("DecayFactor" in w for w in told["time_points"][0]["warnings"])
    assert "Nothing is missing." in inspect_table(study)


def test_two_real_scans_are_read_in_under_five_seconds_of_one_core(shared_data):
    folder = shared_data("lu177_patient")
    start = time.process_time()
    read_study(folder)
    assert time.process_time() - start < 5.0


def test_the_nm_file_lacks_unit_and_decay_reference(shared_data):
    study = read_study(shared_data("nm"))
    (point,) = study.time_points
    assert point.missing == ("unit", "decay correction")
    told = inspect_study(study)["time_points"][0]
    assert told["total_activity_bq"] is None
    assert told["unit"] is None
    assert told["stored_total"] == pytest.approx(1347.65e6, rel=1e-5)
    assert study.administration.administered_activity_bq == pytest.approx(7210.4256e6, rel=1e-7)
    assert any("MBq" in warning for warning in point.warnings)
    assert any("2018-11-15 09:22:00 is taken" in warning for warning in study.warnings)


def test_the_nm_file_with_unit_and_decay_reference_given(shared_data):
    study = read_study(shared_data("nm"), StudyGiven(unit="Bq/mL", decay_correction="NONE"))
    assert total_activity_bq(study.time_points[0]) == pytest.approx(1347.65e6, rel=1e-5)
    assert study.time_points[0].missing == ()
    assert any("given by the user" in warning for warning in study.time_points[0].warnings)


def test_the_nm_file_lies_where_the_patient_lies(study, shared_data):
    """The NM file was made from the first scan: same centre of activity in patient space, so no axis is flipped."""
    nm = read_study(shared_data("nm")).time_points[0]
    pt = study.time_points[0]
    assert centroid(nm.spect) == pytest.approx(centroid(pt.spect), abs=0.6)
    assert stored_total(nm) == pytest.approx(1350.554e6, rel=3e-3)


def centroid(image):
    k, j, i = np.meshgrid(*(np.arange(n) for n in image.grid.shape_zyx), indexing="ij", sparse=True)
    total = image.voxels.sum(dtype=np.float64)
    index = [float((image.voxels * axis).sum(dtype=np.float64) / total) for axis in (i, j, k)]
    return tuple((image.grid.lps_from_ijk @ [*index, 1.0])[:3])
