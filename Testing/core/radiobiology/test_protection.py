"""Activity left, dose rate at 1 m, release and staff exposure by hand."""

import math

import numpy as np
import pytest

from RPTDosimetryLib.errors import ConfigurationError, RadiobiologyError
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.radiobiology.protection import Patient, ProtectionSettings, StaffFactor, protection_of
from RPTDosimetryLib.records import KineticFit, TimeActivityCurve
from RPTDosimetryLib.tia.curve_shapes import SumOfExponentials

LU = nuclide("Lu-177")


def patient(body=None, a0_bq=7.4e9, known=LU):
    return Patient(known, known.lambda_phys_per_s, a0_bq, body)


def body_curve(half_life_h, at_zero_bq, first_h=4.0):
    shape = SumOfExponentials(np.array([at_zero_bq]), np.array([math.log(2) / half_life_h / 3600]))
    times = np.array([first_h, 24.0, 96.0]) * 3600
    curve = TimeActivityCurve(times, shape(times), "Lu-177", LU.lambda_phys_per_s)
    return curve, KineticFit("monoexponential", shape.integral_from(), {}, 0.1, shape)


def test_without_a_body_curve_only_physical_decay_counts():
    record = protection_of(patient())
    day = next(point for point in record.points if point.time_h == 24.0)
    assert day.activity_mbq == pytest.approx(7400 * 2 ** (-24 / (LU.half_life_s / 3600)))
    assert day.activity_mbq == day.upper_activity_mbq
    assert record.points[0].dose_rate_usv_per_h == pytest.approx(7.4 * record.ambient_usv_m2_per_gbq_h)
    assert "nothing is taken as excreted" in record.activity_from


def test_the_measured_curve_counts_from_the_first_scan_on_and_never_more_than_was_given():
    record = protection_of(patient(body_curve(40.0, 5e9)))
    points = {point.time_h: point for point in record.points}
    assert points[2.0].activity_mbq == points[2.0].upper_activity_mbq
    assert points[48.0].activity_mbq == pytest.approx(5000 * 2 ** (-48 / 40))
    too_much = protection_of(patient(body_curve(40.0, 9e9)))
    assert all(point.activity_mbq <= point.upper_activity_mbq * (1 + 1e-12) for point in too_much.points)


def test_release_by_hand():
    """20 µSv/h at Γ µSv·m²/(GBq·h) is 20/Γ GBq: left of 5 GBq with 40 h half-life after 40·log2(5Γ/20) h."""
    record = protection_of(patient(body_curve(40.0, 5e9)), ProtectionSettings(20.0, "our licence"))
    expected = 40 * math.log2(5 * record.ambient_usv_m2_per_gbq_h / 20)
    assert record.release_time_h == pytest.approx(expected, abs=0.06)
    assert record.release_upper_time_h > record.release_time_h
    assert "GBq at 1 m, from" in record.release_arithmetic
    assert protection_of(patient(), ProtectionSettings(1e3, "any")).release_time_h == 0.0
    assert protection_of(patient()).release_arithmetic == "no release limit is set"


def test_staff_by_hand():
    """7.4 GBq: dominant hand 45.2·7.4 = 334.48 µSv, 500 mSv / 334.48 µSv = 1494; eye lens 14.948 µSv, 20 mSv: 1337."""
    staff = {(s.who, s.part): s for s in protection_of(patient()).staff}
    hand, eye = staff["physician", "dominant hand"], staff["physician", "eye lens"]
    assert (hand.dose_usv, hand.sessions_a_year) == (pytest.approx(334.48), 1494)
    assert (eye.dose_usv, eye.sessions_a_year) == (pytest.approx(14.948), 1337)
    assert all(s.sessions_a_year * s.dose_usv <= s.annual_limit_msv * 1e3 for s in staff.values())
    assert all(s.source and s.limit_source for s in staff.values())


def test_twenty_millisievert_on_the_hand_would_be_59_sessions():
    """The figure of 59 sessions a year is a limit of 20 mSv applied to the dominant hand, not its own of 500 mSv."""
    factor = StaffFactor("physician", "dominant hand", 45.2, 20.0, "Riveira-Martin 2023")
    assert protection_of(patient(), ProtectionSettings(staff=(factor,))).staff[0].sessions_a_year == 59


def test_factors_of_lutetium_are_not_used_for_another_nuclide():
    record = protection_of(patient(known=nuclide("I-131")))
    assert record.staff == ()
    assert "not I-131" in " ".join(record.notes)


def test_what_is_missing_or_has_no_meaning_is_refused():
    with pytest.raises(RadiobiologyError, match="what was administered"):
        protection_of(patient(a0_bq=0.0))
    with pytest.raises(ConfigurationError, match="which rule"):
        ProtectionSettings(release_usv_per_h=20.0)
    with pytest.raises(ConfigurationError, match="source"):
        StaffFactor("a", "b", 1.0, 1.0, "")
    with pytest.raises(ConfigurationError, match="positive"):
        StaffFactor("a", "b", -1.0, 1.0, "book")


def test_the_record_is_json_ready():
    import json

    assert json.loads(json.dumps(protection_of(patient()).answer()))["administered_gbq"] == 7.4
