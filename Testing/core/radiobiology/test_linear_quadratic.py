"""BED, EQD2, gEUD and the Lea–Catcheside factor against closed forms, limits and a published number."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from RPTDosimetryLib.errors import RadiobiologyError
from RPTDosimetryLib.radiobiology.lea_catcheside import lea_catcheside_factor, mono_exponential_factor
from RPTDosimetryLib.radiobiology.linear_quadratic import bed_gy, dose_for_bed_gy, eqd2_gy, geud_gy
from RPTDosimetryLib.tia.curve_shapes import LinesWithTail, SumOfExponentials

H = 3600.0


def by_quadrature(curve, repair_h, knots_h, last_h):
    """G from its definition: y(t) = ∫_0^t A(w)e^{−μ(t−w)}dw summed on a fine grid, independent of the closed forms."""
    mu = math.log(2) / repair_h
    t = np.unique(np.concatenate([np.linspace(0, last_h, 200_001), knots_h]))
    a = curve(t * H)
    step, gone = np.diff(t), np.exp(-mu * np.diff(t))
    y = np.zeros_like(t)
    for n in range(step.size):
        y[n + 1] = y[n] * gone[n] + 0.5 * step[n] * (a[n] * gone[n] + a[n + 1])
    return 2 * np.trapezoid(a * y, t) / np.trapezoid(a, t) ** 2


def test_the_kidney_of_the_reference_case():
    """D = 2.741417 Gy, T_eff = 49.224 h, α/β 2.6 Gy, T_rep 2.8 h → 2.8970 Gy."""
    g = mono_exponential_factor(49.224, 2.8)
    assert bed_gy(2.741417, g, 2.6) == pytest.approx(2.8970, abs=5e-5)


def test_one_exponential_has_the_closed_form():
    curve = SumOfExponentials(np.array([7.0]), np.array([math.log(2) / (60 * H)]))
    assert lea_catcheside_factor(curve, 2.8 * H) == pytest.approx(2.8 / 62.8, rel=1e-12)


@pytest.mark.parametrize(
    ("a", "half_lives_h"),
    [((4.0, -4.0), (50.0, 3.0)), ((2.0, 1.0), (60.0, 8.0)), ((5.0, 1.0, -6.0), (70.0, 20.0, 2.0))],
)
def test_several_exponentials_agree_with_the_definition(a, half_lives_h):
    curve = SumOfExponentials(np.array(a), math.log(2) / (np.array(half_lives_h) * H))
    assert lea_catcheside_factor(curve, 2.5 * H) == pytest.approx(by_quadrature(curve, 2.5, [], 1500.0), rel=1e-4)


def test_straight_lines_and_a_tail_agree_with_the_definition():
    knots_h = np.array([0.0, 4.0, 24.0, 72.0])
    curve = LinesWithTail(knots_h * H, np.array([0.0, 100.0, 80.0, 40.0]), 41.0, math.log(2) / (55 * H))
    assert lea_catcheside_factor(curve, 2.8 * H) == pytest.approx(by_quadrature(curve, 2.8, knots_h, 1500.0), rel=1e-4)


def test_a_curve_drawn_with_lines_comes_near_its_exponential():
    t = np.linspace(0, 400, 2001)
    fine = LinesWithTail(t * H, 2 ** (-t / 50), 2 ** (-400 / 50), math.log(2) / (50 * H))
    assert lea_catcheside_factor(fine, 3 * H) == pytest.approx(3 / 53, rel=1e-5)


@given(st.floats(0.5, 300.0), st.floats(0.05, 300.0))
def test_the_factor_lies_between_none_and_all_and_grows_with_repair_time(effective_h, repair_h):
    curve = SumOfExponentials(np.array([2.0, -2.0]), math.log(2) / (np.array([effective_h, effective_h / 3]) * H))
    g, slower = (lea_catcheside_factor(curve, r * H) for r in (repair_h, 2 * repair_h))
    assert 0 < g < slower <= 1


def test_limits_of_repair():
    curve = SumOfExponentials(np.array([1.0]), np.array([math.log(2) / (50 * H)]))
    assert lea_catcheside_factor(curve, 1e9 * H) == pytest.approx(1.0, abs=1e-6)
    assert lea_catcheside_factor(curve, 1e-6 * H) == pytest.approx(0.0, abs=1e-7)
    assert bed_gy(3.0, 0.0, 2.6) == 3.0


@given(st.floats(0.0, 100.0), st.floats(0.0, 1.0), st.floats(0.5, 20.0))
def test_the_dose_of_a_bed_is_the_inverse(dose, g, alpha_beta):
    assert dose_for_bed_gy(bed_gy(dose, g, alpha_beta), g, alpha_beta) == pytest.approx(dose, rel=1e-9, abs=1e-9)


def test_eqd2_of_two_gray_fractions_is_their_dose():
    """30 fractions of 2 Gy: BED of each 2 + 4/(α/β), EQD2 60 Gy."""
    assert eqd2_gy(30 * bed_gy(2.0, 1.0, 3.0), 3.0) == pytest.approx(60.0)


def test_geud_is_the_mean_for_one_and_the_maximum_in_the_limit():
    doses = np.array([1.0, 2.0, 6.0])
    assert geud_gy(doses, 1.0) == pytest.approx(3.0)
    assert geud_gy(doses, 500.0) == pytest.approx(6.0, rel=0.01)
    assert geud_gy(doses, 2.0) == pytest.approx(math.sqrt(41 / 3))
    assert geud_gy(np.full(7, 5.0), -10.0) == pytest.approx(5.0)
    assert geud_gy(np.array([0.0, 5.0]), -10.0) == 0.0
    assert geud_gy(np.zeros(3), 4.0) == 0.0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: bed_gy(-1.0, 0.1, 2.6), "negative"),
        (lambda: bed_gy(np.array([1.0, np.nan]), 0.1, 2.6), "not a number"),
        (lambda: bed_gy(1.0, 0.1, 0.0), "α/β"),
        (lambda: bed_gy(1.0, 1.5, 2.6), "0 to 1"),
        (lambda: geud_gy(np.array([]), 2.0), "empty"),
        (lambda: geud_gy(np.array([1.0]), 0.0), "a = 0"),
        (lambda: geud_gy(np.array([-1.0]), 2.0), "negative"),
        (lambda: lea_catcheside_factor(SumOfExponentials(np.array([0.0]), np.array([1.0])), 1.0), "no activity"),
        (lambda: lea_catcheside_factor(SumOfExponentials(np.array([1.0]), np.array([1.0])), 0.0), "repair"),
        (lambda: lea_catcheside_factor(np.sin, 1.0), "no sum of exponentials"),
    ],
)
def test_what_has_no_meaning_is_refused(call, says):
    with pytest.raises(RadiobiologyError, match=says):
        call()


def test_quadrature_of_a_mono_exponential_by_another_library():
    """∫∫ by scipy for T_eff 10 h and T_rep 5 h: G = 1/3."""
    lam, mu = math.log(2) / 10, math.log(2) / 5
    inner = lambda t: math.exp(-lam * t) * (math.exp(-lam * t) - math.exp(-mu * t)) / (mu - lam)  # noqa: E731
    g = 2 * quad(inner, 0, 600)[0] * lam**2
    assert mono_exponential_factor(10.0, 5.0) == pytest.approx(g, rel=1e-6)
