"""DecayCorrection NONE, START, ADMIN and the units, against A(t) = A0·2^(-t/T) by hand."""

import numpy as np
import pytest

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.study.given import StudyGiven
from RPTDosimetryLib.study.inspect import inspect_study
from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.study.total_activity import total_activity_bq

HALF_LIFE_S = 574300.0
HOURS = 27.5
DECAYED = 2 ** (-HOURS * 3600 / HALF_LIFE_S)


@pytest.mark.parametrize(("reference", "factor"), [("ADMIN", DECAYED), ("START", 1.0), ("NONE", 1.0)])
def test_activity_is_at_scan_time(write, spect, visit, reference, factor):
    write.pt(spect, visit(hours=HOURS), decay_correction=reference)
    (point,) = read_study(write.folder).time_points
    assert point.decay_correction.startswith(reference)
    stored_bq = float(spect.voxels.sum(dtype=np.float64)) * 4.8 * 4.0 * 5.0 / 1000
    assert total_activity_bq(point) == pytest.approx(factor * stored_bq, rel=1e-5)


def test_admin_correction_is_undone_with_our_half_life_where_the_header_has_none(write, spect, visit, edit):
    for path in write.pt(spect, visit(hours=HOURS), decay_correction="ADMIN"):
        edit(path, lambda ds: delattr(ds.RadiopharmaceuticalInformationSequence[0], "RadionuclideHalfLife"))
    (point,) = read_study(write.folder).time_points
    # 6.647 d (physics.md section 2; DDEP) instead of 574300 s
    expected = 2 ** (-HOURS / (6.647 * 24))
    assert point.spect.voxels.sum() / spect.voxels.sum() == pytest.approx(expected, rel=2e-4)


def test_admin_correction_that_cannot_be_undone_has_no_total(write, spect, edit):
    for path in write.pt(spect, decay_correction="ADMIN"):
        edit(path, lambda ds: (delattr(ds, "AcquisitionTime"), delattr(ds, "AcquisitionDate")))
    study = read_study(write.folder)
    (told,) = inspect_study(study)["time_points"]
    assert told["total_activity_bq"] is None
    assert "not undone" in told["decay_correction"]
    assert told["missing"] == ["acquisition time"]


def test_beds_without_decay_correction_are_brought_to_the_first_start(write, spect, visit):
    delays_s = (0.0, 0.0, 900.0, 900.0, 1800.0)
    write.pt(spect, visit(), decay_correction="NONE", bed_starts_s=delays_s)
    (point,) = read_study(write.folder).time_points
    ratio = point.spect.voxels.sum(axis=(1, 2)) / spect.voxels.sum(axis=(1, 2))
    assert ratio == pytest.approx([2 ** (d / HALF_LIFE_S) for d in delays_s], rel=1e-5)
    assert point.time_s == pytest.approx(4 * 3600)


def test_a_decay_factor_that_fits_is_not_told_and_one_that_does_not_is(write, spect, edit):
    files = write.pt(spect, decay_correction="ADMIN")
    assert not any("DecayFactor" in w for w in read_study(write.folder).time_points[0].warnings)
    for path in files:
        edit(path, lambda ds: setattr(ds, "DecayFactor", "1"))
    assert any("DecayFactor" in w for w in read_study(write.folder).time_points[0].warnings)


def test_nm_that_says_decy_but_not_when_is_missing_its_decay_correction(write, spect, edit):
    path = write.nm(spect, decay_correction=None)
    edit(path, lambda ds: setattr(ds, "CorrectedImage", ["ATTN", "DECY"]))
    (point,) = read_study(write.folder).time_points
    assert point.missing == ("decay correction",)
    assert any("DECY" in warning for warning in point.warnings)


def test_unknown_decay_correction_is_refused(write, spect, edit):
    for path in write.pt(spect):
        edit(path, lambda ds: setattr(ds, "DecayCorrection", "MIDDLE"))
    with pytest.raises(StudyError, match="MIDDLE"):
        read_study(write.folder)


@pytest.mark.parametrize(("code", "factor"), [("Bq/ml", 1.0), ("kBq/mL", 1e3), ("MBq/ml", 1e6), ("Bq/cm3", 1.0)])
def test_nm_unit_from_the_real_world_value_mapping(write, spect, code, factor):
    write.nm(spect, unit=code)
    (point,) = read_study(write.folder).time_points
    assert point.spect.unit == "Bq/mL"
    assert point.spect.voxels == pytest.approx(factor * spect.voxels, abs=factor * 2)


def test_the_real_world_value_comes_before_the_rescale_slope(write, spect, edit):
    path = write.nm(spect)
    edit(path, lambda ds: setattr(ds, "RescaleSlope", "1"))
    (point,) = read_study(write.folder).time_points
    assert point.spect.voxels == pytest.approx(spect.voxels, abs=2)


def test_a_given_unit_comes_before_the_header_and_says_so(write, spect):
    write.nm(spect, unit="kBq/ml")
    (point,) = read_study(write.folder, StudyGiven(unit="counts")).time_points
    assert point.spect.unit == "counts"
    assert point.spect.voxels == pytest.approx(spect.voxels, abs=2)
    assert any("in place of kBq/ml" in warning for warning in point.warnings)


def test_rescale_intercept_is_added(write, spect, edit):
    path = write.nm(spect, unit=None)
    edit(path, lambda ds: setattr(ds, "RescaleIntercept", "250"))
    (point,) = read_study(write.folder).time_points
    assert point.spect.voxels == pytest.approx(spect.voxels + 250, abs=2)


def test_each_pt_slice_has_its_own_slope(write, spect, edit):
    files = write.pt(spect, decay_correction="NONE")
    slopes = set()
    for path in files:
        edit(path, lambda ds: slopes.add(str(ds.RescaleSlope)))
    assert len(slopes) == len(files)
    assert read_study(write.folder).time_points[0].spect.voxels == pytest.approx(spect.voxels, abs=2)


def test_counts_have_no_total_and_need_a_duration(write, spect, edit):
    for path in write.pt(spect, units="CNTS", decay_correction="NONE"):
        edit(path, lambda ds: delattr(ds, "ActualFrameDuration"))
    (point,) = read_study(write.folder).time_points
    assert point.spect.unit == "counts"
    assert point.missing == ("acquisition duration",)
    with pytest.raises(StudyError, match="calibrate"):
        total_activity_bq(point)


@pytest.mark.parametrize("units", ["GML", "PROPCNTS", "mBq/ml"])
def test_unknown_units_are_refused_until_the_user_states_them(write, spect, units):
    write.pt(spect, units=units, decay_correction="NONE")
    with pytest.raises(StudyError, match=units):
        read_study(write.folder)
    assert read_study(write.folder, StudyGiven(unit="Bq/mL")).time_points[0].spect.unit == "Bq/mL"
