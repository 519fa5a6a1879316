"""The compartment model against a numerical solution, a quadrature and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.prediction.compartments import (
    PlasmaInput,
    Rates,
    k4_for_half_life,
    tissue_integral_suv_min,
    tissue_suv,
)

PLASMA = PlasmaInput(((20.0, 9.6), (4.0, 72.0), (0.7, 648.0)), 0.57)
RATE = st.floats(1e-3, 1.0)


def solved_numerically(time_min: float, rates: Rates) -> float:
    def slope(time, c):
        in_out = rates.k1_ml_per_ml_min * float(PLASMA.plasma_suv(time)) - (rates.k2_per_min + rates.k3_per_min) * c[0]
        return [in_out + rates.k4_per_min * c[1], rates.k3_per_min * c[0] - rates.k4_per_min * c[1]]

    end = solve_ivp(slope, (0.0, time_min), [0.0, 0.0], method="LSODA", rtol=1e-9, atol=1e-11).y[:, -1].sum()
    blood = float(PLASMA.plasma_suv(time_min)) * PLASMA.blood_per_plasma
    return (1.0 - rates.blood_fraction) * end + rates.blood_fraction * blood


@settings(max_examples=25, deadline=None)
@given(RATE, RATE, RATE, st.floats(1e-5, 0.5), st.floats(0.0, 0.5), st.floats(1.0, 600.0))
def test_uptake_is_what_the_differential_equations_give(k1, k2, k3, k4, blood, time_min):
    rates = Rates(k1, k2, k3, k4, blood)
    assert float(tissue_suv(time_min, PLASMA, rates)) == pytest.approx(solved_numerically(time_min, rates), rel=1e-5)


@pytest.mark.parametrize("k", [(0.2, 0.3, 0.0, 0.3), (0.2, 0.0722028, 0.0, 0.0), (0.2, 0.3, 0.1, 0.0)])
def test_uptake_holds_where_two_exponentials_fall_together(k):
    rates = Rates(*k, 0.0)
    assert float(tissue_suv(90.0, PLASMA, rates)) == pytest.approx(solved_numerically(90.0, rates), rel=1e-6)


def test_time_integrated_activity_is_the_integral_of_the_decaying_curve():
    decay = nuclide("Lu-177").lambda_phys_per_s * 60.0
    rates = Rates(0.02, 0.3, 0.25, 4e-4, 0.1)
    parts = [(0.0, 10.0), (10.0, 100.0), (100.0, 1e3), (1e3, 1e4), (1e4, 1e5), (1e5, 4e5)]
    integral = sum(
        quad(lambda t: float(tissue_suv(t, PLASMA, rates)) * np.exp(-decay * t), *part, epsrel=1e-10)[0]
        for part in parts
    )
    assert float(tissue_integral_suv_min(decay, PLASMA, rates)) == pytest.approx(integral, rel=1e-7)


def test_without_a_way_out_everything_taken_up_stays():
    rates = Rates(0.1, 0.0, 0.2, 0.0, 0.0)
    assert float(tissue_suv(1e5, PLASMA, rates)) == pytest.approx(0.1 * PLASMA.integral_suv_min(0.0), rel=1e-6)


def test_arrays_of_rates_give_each_voxel_its_own_curve():
    k1 = np.array([[0.1, 0.2], [0.3, 0.0]])
    both = tissue_suv(60.0, PLASMA, Rates(k1, np.full_like(k1, 0.3), 0.2, 0.01, 0.05))
    single = tissue_suv(60.0, PLASMA, Rates(0.2, 0.3, 0.2, 0.01, 0.05))
    assert both.shape == k1.shape
    assert both[0, 1] == pytest.approx(float(single), rel=1e-12)


@given(st.floats(60.0, 1e5), st.floats(0.05, 1.0), RATE)
def test_k4_of_a_half_life_gives_that_half_life(half_life_min, k2, k3):
    k4 = k4_for_half_life(half_life_min, k2, k3)
    slow, _ = Rates(1.0, k2, k3, k4, 0.0).eigenvalues_per_min
    assert float(slow) == pytest.approx(np.log(2.0) / half_life_min, rel=1e-9)


@pytest.mark.parametrize("wrong", [(-0.1, 0.1, 0.1, 0.1, 0.0), (0.1, np.nan, 0.1, 0.1, 0.0), (0.1, 0.1, 0.1, 0.1, 1.2)])
def test_rates_that_cannot_be_are_refused(wrong):
    with pytest.raises(KineticsError):
        Rates(*wrong)
