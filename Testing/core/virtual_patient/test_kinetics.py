"""Curves whose integrals are known, checked by numerical integration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.virtual_patient.kinetics import (
    REFERENCE_UPTAKE,
    RegionKinetics,
    UptakeParameters,
    draw_uptake,
    require_possible,
)

HALF_LIFE_H = 6.647 * 24  # DDEP


@pytest.mark.parametrize("name", REFERENCE_UPTAKE)
def test_the_integral_is_that_of_the_curve(name):
    curve = REFERENCE_UPTAKE[name].kinetics()
    hours, _ = quad(lambda t: float(curve.activity_fraction(t * 3600.0)), 0, 3000, limit=400, points=[1, 5, 20, 100])
    assert curve.tia_coefficient_s == pytest.approx(hours * 3600.0, rel=1e-6)


def test_a_mono_exponential_has_the_textbook_integral():
    assert RegionKinetics(((0.1, 50 * 3600.0),)).tia_coefficient_s == pytest.approx(0.1 * 50 * 3600 / np.log(2))


def test_uptake_starts_at_zero_and_peaks_within_hours():
    curve = REFERENCE_UPTAKE["kidney_left"].kinetics()
    hours = np.linspace(0, 48, 500)
    activity = curve.activity_fraction(hours * 3600.0)
    assert activity[0] == pytest.approx(0.0, abs=1e-15)
    assert 3 < hours[activity.argmax()] < 8


def test_doses_per_activity_are_those_of_patients():
    """By ã · 147.9 keV / mass: kidney 0.38-0.57, liver 0.15-0.35, spleen 0.4-1.2 Gy/GBq (sources in kinetics.py)."""
    gy_per_gbq = {
        name: REFERENCE_UPTAKE[name].kinetics().tia_coefficient_s * 147.9 * 1.602e-16 / mass_kg * 1e9
        for name, mass_kg in (("kidney_left", 0.155), ("liver", 1.6), ("spleen", 0.15))
    }
    assert 0.38 < gy_per_gbq["kidney_left"] < 0.57
    assert 0.15 < gy_per_gbq["liver"] < 0.35
    assert 0.4 < gy_per_gbq["spleen"] < 1.2


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_every_drawn_patient_is_possible(seed):
    uptake = draw_uptake(np.random.default_rng(seed), {"lesion_1": 30.0, "lesion_2": 8.0})
    kinetics = {name: parameters.kinetics() for name, parameters in uptake.items()}
    require_possible(kinetics)
    for hours in (0.0, 4.0, 24.0, 69.0, 120.0, 500.0):
        total = sum(float(curve.activity_fraction(hours * 3600.0)) for curve in kinetics.values())
        assert total < 2 ** (-hours / HALF_LIFE_H)


def test_the_impossible_is_refused():
    with pytest.raises(KineticsError, match="physical"):
        require_possible({"x": UptakeParameters(0.1, 161.0, None).kinetics()})
    with pytest.raises(KineticsError, match="more than was administered"):
        require_possible(
            {"x": UptakeParameters(0.7, 60.0, None).kinetics(), "y": UptakeParameters(0.4, 60, None).kinetics()}
        )
    with pytest.raises(KineticsError, match="negative"):
        require_possible({"x": UptakeParameters(0.1, 5.0, 10.0).kinetics()})
