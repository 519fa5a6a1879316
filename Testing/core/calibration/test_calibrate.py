"""Counts become Bq/mL at acquisition start; nothing is assumed, nothing is corrected twice."""

import dataclasses
import math
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from RPTDosimetryLib.calibration.activity_table import calibrated_totals
from RPTDosimetryLib.calibration.calibrate import calibrate
from RPTDosimetryLib.calibration.camera_library import Camera, add_camera
from RPTDosimetryLib.calibration.settings import CalibrationSettings, TimePointCalibration, with_camera
from RPTDosimetryLib.errors import CalibrationError, CancelledError, ConfigurationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Image, Study, TimePoint
from RPTDosimetryLib.study.given import StudyGiven
from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.study.total_activity import total_activity_bq
from RPTDosimetryLib.study.write_study import write_study
from RPTDosimetryLib.virtual_patient.dicom_writer import NmOptions, PatientInfo, Visit, write_nm_recon_tomo

LAMBDA = math.log(2) / 574300.0
GRID = Grid((2, 3, 4), (5.0, 4.0, 10.0))  # 0.2 mL a voxel
FACTOR = 1e-5
MEAN = "NONE: mean over the acquisition, nothing to undo"


def point(number=1, unit="counts", value=3000.0, **changes):
    voxels = np.full(GRID.shape_zyx, value, dtype=np.float32)
    told = {
        "spect": Image(voxels, GRID, unit),
        "time_s": number * 86400.0,
        "duration_s": 1500.0,
        "decay_correction": MEAN,
        "files": (Path("study") / f"day{number}" / "spect.dcm",),
    }
    return TimePoint(**(told | changes))


def study(*points):
    return Study(Administration("Lu-177", 7.4e9, half_life_s=574300.0), points)


def one(settings, *points):
    return calibrate(study(*(points or (point(),))), settings, LAMBDA).time_points[0]


def test_counts_become_concentration_by_hand():
    found = one(CalibrationSettings(factor_cps_per_bq=FACTOR, factor_source="bottle, May 2024"))
    # 3000 counts / (1e-5 cps/Bq · 1500 s · 0.2 mL) = 1 MBq/mL, times the mean-to-start factor 1.000905
    assert found.spect.unit == "Bq/mL"
    np.testing.assert_allclose(found.spect.voxels, 1e6 * 1.0009054, rtol=1e-6)
    for words in ("1e-05 cps/Bq (bottle, May 2024)", "1500 s", "dead time not corrected", "×1.000905"):
        assert words in found.calibration
    assert found.decay_correction.startswith("START")


def test_values_that_refer_to_the_start_are_not_corrected_for_decay_again():
    start = point(decay_correction="START: corrected to acquisition start, nothing to undo")
    undone = point(decay_correction="ADMIN: corrected to administration; undone over 4 h")
    for given in (start, undone):
        found = one(CalibrationSettings(factor_cps_per_bq=FACTOR), given)
        np.testing.assert_allclose(found.spect.voxels, 1e6, rtol=1e-6)
        assert found.decay_correction == given.decay_correction
    off = one(CalibrationSettings(factor_cps_per_bq=FACTOR, decay_during_scan="off"))
    np.testing.assert_allclose(off.spect.voxels, 1e6, rtol=1e-6)
    assert off.decay_correction == MEAN


def test_quantitative_images_pass_unchanged_and_say_so():
    given = point(unit="Bq/mL")
    found = one(CalibrationSettings(factor_cps_per_bq=FACTOR), given)
    assert found.spect is given.spect
    assert found.calibration.startswith("already quantitative: Bq/mL unchanged")
    assert "0.09%" in found.calibration
    corrected = one(CalibrationSettings(decay_during_scan="all"), given)
    np.testing.assert_allclose(corrected.spect.voxels, 3000.0 * 1.0009054, rtol=1e-6)
    again = one(CalibrationSettings(decay_during_scan="all"), corrected)
    assert np.array_equal(again.spect.voxels, corrected.spect.voxels)
    assert "unchanged" in again.calibration


def test_calibrating_twice_changes_nothing():
    settings = CalibrationSettings(factor_cps_per_bq=FACTOR)
    once = calibrate(study(point(1), point(2, unit="Bq/mL")), settings, LAMBDA)
    twice = calibrate(once, settings, LAMBDA)
    for a, b in zip(once.time_points, twice.time_points, strict=True):
        assert np.array_equal(a.spect.voxels, b.spect.voxels)
    assert "1e-05 cps/Bq" in twice.time_points[0].calibration


def test_mixed_units_are_told_apart_time_point_by_time_point():
    found = calibrate(study(point(1), point(2, "Bq/mL")), CalibrationSettings(factor_cps_per_bq=FACTOR), LAMBDA)
    assert [p.spect.unit for p in found.time_points] == ["Bq/mL", "Bq/mL"]
    assert found.time_points[1].spect.voxels[0, 0, 0] == 3000.0


def test_dead_time_by_observed_rate_or_factor():
    tau, true_cps = 4.6e-6, 25000.0
    observed = true_cps * math.exp(-true_cps * tau)
    settings = CalibrationSettings(
        factor_cps_per_bq=FACTOR,
        dead_time_s=tau,
        dead_time_acts_on="photopeak window",
        time_points=(
            TimePointCalibration(1, observed_cps=observed),
            TimePointCalibration("day2", dead_time_factor=1.05, factor_cps_per_bq=2e-5),
        ),
    )
    found = calibrate(study(point(1), point(2)), settings, LAMBDA).time_points
    np.testing.assert_allclose(found[0].spect.voxels, 1e6 * 1.0009054 * true_cps / observed, rtol=1e-6)
    np.testing.assert_allclose(found[1].spect.voxels, 1e6 * 1.0009054 * 1.05 / 2, rtol=1e-6)
    assert "photopeak window" in found[0].calibration
    assert "×1.050000 (given)" in found[1].calibration


@pytest.mark.parametrize(
    ("settings", "given", "says"),
    [
        (CalibrationSettings(), {}, "Time point 1 is in counts and has no calibration factor: give factor_cps_per_bq"),
        (CalibrationSettings(factor_cps_per_bq=FACTOR), {"duration_s": None}, "acquisition duration is not known"),
        (CalibrationSettings(factor_cps_per_bq=FACTOR), {"unit": "unknown"}, "no known unit"),
        (
            CalibrationSettings(factor_cps_per_bq=FACTOR),
            {"missing": ("decay correction",), "decay_correction": "unknown"},
            "decay correction is unknown",
        ),
        (
            CalibrationSettings(factor_cps_per_bq=FACTOR, dead_time_s=1e-6, dead_time_acts_on="whole spectrum"),
            {},
            "needs the count rate .*whole spectrum.*observed_cps",
        ),
    ],
)
def test_what_is_missing_is_named(settings, given, says):
    with pytest.raises(CalibrationError, match=says) as error:
        one(settings, point(**given))
    assert "\n" not in str(error.value)


def test_entries_that_fit_no_time_point_are_refused():
    for match in (3, "day9"):
        settings = CalibrationSettings(factor_cps_per_bq=1e-5, time_points=(TimePointCalibration(match),))
        with pytest.raises(ConfigurationError, match="fits 0 of the 2 time points"):
            calibrate(study(point(1), point(2)), settings, LAMBDA)
    twice = (TimePointCalibration(1), TimePointCalibration("day1"))
    with pytest.raises(ConfigurationError, match="named once"):
        calibrate(study(point(1), point(2)), CalibrationSettings(time_points=twice), LAMBDA)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: CalibrationSettings(factor_cps_per_bq=0.0), "positive"),
        (lambda: CalibrationSettings(dead_time_s=4.6e-6), "needs dead_time_acts_on"),
        (lambda: CalibrationSettings(dead_time_s=4.6), "seconds are wanted"),
        (lambda: CalibrationSettings(decay_during_scan="yes"), "choose counts, all or off"),
        (lambda: CalibrationSettings(recovery_volumes_ml=(1.0, 2.0)), "recovery_volumes_ml"),
        (lambda: TimePointCalibration(0), "numbered from 1"),
        (lambda: TimePointCalibration(1, observed_cps=-3.0), "positive"),
        (lambda: TimePointCalibration(1, dead_time_factor=0.9), "1 or more"),
        (lambda: TimePointCalibration(1, observed_cps=3.0, dead_time_factor=1.1), "not both"),
        (lambda: CalibrationSettings(time_points=(TimePointCalibration(1),) * 2), "calibrated twice"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, says):
    with pytest.raises(ConfigurationError, match=says):
        make()


def test_cancelled_before_the_first_image():
    with pytest.raises(CancelledError):
        calibrate(study(point()), CalibrationSettings(factor_cps_per_bq=1e-5), LAMBDA, cancelled=lambda: True)


CAMERA = Camera("Symbia Lu", "Lu-177", FACTOR, date(2024, 5, 2), "MEGP", "208 keV ± 10 %", "physics department")


def test_a_camera_of_the_library_gives_its_factor_and_is_written_out(library):
    add_camera(CAMERA)
    found = one(CalibrationSettings(camera="symbia lu"))
    np.testing.assert_allclose(found.spect.voxels, 1e6 * 1.0009054, rtol=1e-6)
    assert "camera Symbia Lu, MEGP, 208 keV ± 10 %, calibrated 2024-05-02" in found.calibration
    plain = with_camera(CalibrationSettings(camera="Symbia Lu"), "Lu-177")
    assert plain.camera is None
    assert plain.factor_cps_per_bq == FACTOR
    own = one(CalibrationSettings(camera="Symbia Lu", factor_cps_per_bq=2e-5))
    assert "given in place of 1e-05 of camera Symbia Lu" in own.calibration


def test_a_camera_for_another_nuclide_is_an_error(library):
    add_camera(dataclasses.replace(CAMERA, nuclide="I-131"))
    with pytest.raises(CalibrationError, match="calibrated for I-131, the study is Lu-177"):
        one(CalibrationSettings(camera="Symbia Lu"))


def test_totals_before_and_after_are_held_against_physical_decay():
    before = study(point(1), point(2, unit="Bq/mL"))
    rows = calibrated_totals(before, calibrate(before, CalibrationSettings(factor_cps_per_bq=1e-5), LAMBDA), LAMBDA)
    assert (rows[0].before, rows[0].before_unit) == (pytest.approx(24 * 3000.0), "counts")
    assert (rows[1].before, rows[1].before_unit) == (pytest.approx(24 * 3000.0 * 0.2), "Bq")
    assert rows[0].total_activity_bq == pytest.approx(24 * 0.2 * 1e6 * 1.0009054, rel=1e-6)
    assert rows[0].expected_bq == pytest.approx(7.4e9 * 2 ** (-86400 / 574300))
    assert rows[0].ratio == pytest.approx(rows[0].total_activity_bq / rows[0].expected_bq)


ADMINISTERED = datetime(2024, 5, 13, 9, 22)


def test_nm_counts_in_dicom_become_the_activity_that_was_imaged(tmp_path):
    """True activity at the start → mean counts of the acquisition → NM file → read → calibrated: the same activity."""
    administration = Administration("Lu-177", 7.4e9, ADMINISTERED, 574300.0)
    grid = Grid((6, 8, 8), (4.8, 4.8, 4.8), (-16.8, -16.8, 0.0))
    true = np.random.default_rng(2).uniform(1e4, 1e6, grid.shape_zyx)
    decayed = (1 - math.exp(-LAMBDA * 1800)) / (LAMBDA * 1800)
    counts = true * decayed * 9.4e-6 * 1800 * grid.voxel_volume_ml
    visit = Visit(1, ADMINISTERED + timedelta(hours=4), 1800.0)
    options = NmOptions(unit=None, decay_correction=None)
    image = Image(counts.astype(np.float32), grid, "counts")
    write_nm_recon_tomo(image, tmp_path / "nm.dcm", PatientInfo(), visit, administration, options)
    read = read_study(tmp_path, StudyGiven(unit="counts", decay_correction="NONE"))
    assert read.missing == ()
    assert read.time_points[0].missing == ()
    found = calibrate(read, CalibrationSettings(factor_cps_per_bq=9.4e-6), LAMBDA)
    total = float(true.sum()) * grid.voxel_volume_ml
    assert total_activity_bq(found.time_points[0]) == pytest.approx(total, rel=1e-4)


def test_a_calibrated_study_written_as_images_is_read_as_quantitative(tmp_path):
    labels = Image(np.arange(24, dtype=np.int32).reshape(GRID.shape_zyx) % 3, GRID, "1")
    hu = Image(np.full(GRID.shape_zyx, 40.0, np.float32), GRID, "HU")
    given = dataclasses.replace(
        study(point(1, ct=hu, labels=labels), point(2, unit="Bq/mL", value=7.0, duration_s=None)),
        administration=Administration("Lu-177", 7.4e9, ADMINISTERED, 574300.0),
        patient_id="P01",
        label_names={1: "liver", 2: "kidney_left"},
    )
    done = calibrate(given, CalibrationSettings(factor_cps_per_bq=1e-5), LAMBDA)
    assert write_study(done, tmp_path / "out") == ()
    back = read_study(tmp_path / "out")
    assert back.missing == ()
    assert back.administration == done.administration
    assert back.label_names == done.label_names
    for wrote, read in zip(done.time_points, back.time_points, strict=True):
        assert read.missing == ()
        assert np.array_equal(read.spect.voxels, wrote.spect.voxels)
        assert read.spect.grid.same_as(wrote.spect.grid)
        assert read.time_s == pytest.approx(wrote.time_s, abs=1e-6)
        assert read.duration_s == wrote.duration_s
        assert read.calibration == wrote.calibration
    assert np.array_equal(back.time_points[0].ct.voxels, hu.voxels)
    assert np.array_equal(back.time_points[0].labels.voxels, labels.voxels)
    again = calibrate(back, CalibrationSettings(), LAMBDA)
    assert np.array_equal(again.time_points[0].spect.voxels, done.time_points[0].spect.voxels)
