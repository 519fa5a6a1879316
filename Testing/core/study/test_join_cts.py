"""CT series that continue each other are one CT; beds may carry one start in their headers."""

import dataclasses

import numpy as np
import pytest

from RPTDosimetryLib.calibration.calibrate import calibrate
from RPTDosimetryLib.calibration.settings import CalibrationSettings
from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.registration.beds import BedSettings, join_beds
from RPTDosimetryLib.study.given import StudyGiven, TimePointGiven
from RPTDosimetryLib.study.join_cts import joined_ct_images
from RPTDosimetryLib.study.read_study import read_study

WHOLE = Grid((30, 6, 7), (4.8, 4.0, 5.0), (-20.0, -30.0, 100.0))
FRAME = {"frame": "one visit"}


def part(image, first, last):
    x, y, z = (image.grid.lps_from_ijk @ [0, 0, first, 1.0])[:3]
    grid = dataclasses.replace(image.grid, shape_zyx=(last - first, *image.grid.shape_zyx[1:]), origin_mm=(x, y, z))
    return Image(image.voxels[first:last].copy(), grid, image.unit)


@pytest.fixture
def body(activity):
    return activity(WHOLE)


@pytest.fixture
def hu(body):
    return Image(np.rint(body.voxels / 100).astype(np.float32), WHOLE, "HU")


def beds(write, visit, body, minutes=25.0, **more):
    """Two beds of one visit, by default in one frame of reference."""
    second = more or FRAME
    write.nm(part(body, 0, 18), visit(1, 4.0, **FRAME), "bed1.dcm")
    write.nm(part(body, 13, 30), visit(1, 4.0 + minutes / 60, **second), "bed2.dcm", description="SPECT bed 2")


def test_two_ct_series_of_one_visit_serve_as_one(write, visit, body, hu):
    write.nm(body, visit(1, 4.0, **FRAME))
    write.ct(part(hu, 0, 18), visit(1, 3.9, **FRAME), "ct1")
    write.ct(part(hu, 16, 30), visit(2, 3.95, **FRAME), "ct2")
    study = read_study(write.folder)
    assert study.time_points[0].ct.grid.same_as(WHOLE)
    assert np.array_equal(study.time_points[0].ct.voxels, hu.voxels)
    assert any("ct1, ct2 continue each other and are joined to one CT" in w for w in study.warnings)
    given = StudyGiven(time_points=(TimePointGiven(1, ct="ct2"),))
    assert read_study(write.folder, given).time_points[0].ct.grid.same_as(WHOLE)


def test_a_gap_between_cts_is_said_and_they_stay_apart(write, visit, body, hu):
    write.nm(body, visit(1, 4.0, **FRAME))
    write.ct(part(hu, 0, 14), visit(1, 3.9, **FRAME), "ct1")
    write.ct(part(hu, 20, 30), visit(2, 3.95, **FRAME), "ct2")
    study = read_study(write.folder)
    assert any("ct1, ct2 are not joined: a gap of 30.0 mm" in w for w in study.warnings)
    assert study.time_points[0].ct.grid.shape_zyx[0] == 14


def test_repeats_and_other_days_stay_apart(write, visit, body, hu):
    write.nm(body, visit(1, 4.0, **FRAME))
    write.ct(hu, visit(1, 3.9, **FRAME), "ct1")
    write.ct(hu.with_voxels(hu.voxels + 1), visit(2, 3.95, **FRAME), "ct2")
    write.ct(part(hu, 20, 30), visit(3, 28.0, **FRAME), "ct3")
    study = read_study(write.folder)
    assert not any("joined" in w for w in study.warnings)
    assert study.time_points[0].ct.grid.same_as(WHOLE)


def test_cts_of_another_size_are_not_joined_and_say_why(hu):
    wide = Image(np.zeros((10, 8, 8), np.float32), Grid((10, 8, 8), (4.8, 4.0, 5.0), (-20.0, -30.0, 240.0)), "HU")
    joined, reason = joined_ct_images([hu, wide])
    assert joined is None
    assert "differ in size or place" in reason


def test_slices_between_those_of_the_lower_ct_are_interpolated():
    along = np.broadcast_to(np.arange(20, dtype=np.float32)[:, None, None] * 10, (20, 2, 2))
    lower = Image(along.copy(), Grid((20, 2, 2), (1.0, 1.0, 2.0)), "HU")
    upper = Image(along.copy() + 180 + 3, Grid((20, 2, 2), (1.0, 1.0, 2.0), (0.0, 0.0, 36.6)), "HU")
    joined, _ = joined_ct_images([upper, lower])
    # the same ramp of 5 HU a mm in both: 36.6 mm · 5 = 183
    inside = joined.voxels[:38, 0, 0]
    np.testing.assert_allclose(inside, 10.0 * np.arange(38), atol=0.02)


def test_beds_in_dicom_become_one_time_point_with_one_ct(write, visit, body, hu):
    beds(write, visit, body)
    write.ct(part(hu, 0, 18), visit(1, 3.9, **FRAME), "ct1")
    write.ct(part(hu, 16, 30), visit(2, 3.95, **FRAME), "ct2")
    write.nm(body.with_voxels(body.voxels / 2), visit(3, 24.0), "day1.dcm")
    study = read_study(write.folder)
    assert len(study.time_points) == 3
    decay_per_s = np.log(2) / study.administration.half_life_s
    joined = join_beds(calibrate(study, CalibrationSettings(), decay_per_s), BedSettings(), decay_per_s)
    first, second = joined.time_points
    assert (first.time_s, second.time_s) == (4 * 3600.0, 24 * 3600.0)
    assert first.spect.grid.same_as(WHOLE, tolerance_mm=1e-3)
    assert first.spect.voxels[:13] == pytest.approx(body.voxels[:13], abs=2.0)
    assert first.spect.voxels[18:] == pytest.approx(body.voxels[18:] * 2 ** (1500 / 574300), abs=2.0)
    assert np.array_equal(first.ct.voxels, hu.voxels)
    assert len(first.files) == 2


def test_beds_with_one_start_in_their_headers_are_read(write, visit, body):
    beds(write, visit, body, minutes=0.0)
    study = read_study(write.folder)
    assert len(study.time_points) == 2
    assert len(join_beds(study, BedSettings(), 1.2e-6).time_points) == 1


def test_two_starts_alike_at_one_place_or_in_two_frames_are_still_refused(write, visit, body, activity):
    write.nm(body, visit(1, 4.0, **FRAME), "a.dcm")
    write.nm(activity(WHOLE, 2), visit(1, 4.0, **FRAME), "b.dcm", description="again")
    with pytest.raises(StudyError, match="alike"):
        read_study(write.folder)
    (write.folder / "b.dcm").unlink()
    write.nm(part(activity(WHOLE, 2), 20, 30), visit(2, 4.0, frame="another"), "b.dcm")
    with pytest.raises(StudyError, match="alike"):
        read_study(write.folder)
