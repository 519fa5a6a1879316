"""Trapezoid, Kim and Mansouri against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.records import TimeActivityCurve
from RPTDosimetryLib.tia.registry import kinetic_model
from RPTDosimetryLib.tia.selection import fit_curve
from RPTDosimetryLib.tia.settings import FitSettings

#: λ_phys = 0.005 1/h keeps the arithmetic in the head.
LAMBDA_PER_H = 0.005
TIME_H = (4.0, 24.0, 69.0, 120.0)
ACTIVITY = (10.0, 8.0, 5.0, 3.0)
#: ½·10·4 + ½(10 + 8)·20 + ½(8 + 5)·45 + ½(5 + 3)·51 MBq·h
LINES = 20.0 + 180.0 + 292.5 + 204.0


@pytest.fixture
def by_hand(curve):
    return curve(TIME_H, ACTIVITY, lambda_phys_per_s=LAMBDA_PER_H / 3600)


def mbq_h(fit):
    return fit.tia_bq_s / 3.6e9


def test_kim_by_hand(by_hand):
    fit = fit_curve(by_hand, "kim")
    assert mbq_h(fit) == pytest.approx(LINES + 3 / LAMBDA_PER_H, rel=1e-12)
    assert fit.extrapolated_fraction == pytest.approx(600 / (LINES + 600), rel=1e-12)


def test_kim_keeps_its_scheme_whatever_the_trapezoid_is_told(by_hand):
    told = FitSettings(start="constant", tail="last_two_points")
    assert mbq_h(fit_curve(by_hand, "kim", told)) == pytest.approx(LINES + 600, rel=1e-12)


def test_trapezoid_starts_and_tails_by_hand(by_hand):
    constant = fit_curve(by_hand, "trapezoid", FitSettings(start="constant"))
    assert mbq_h(constant) == pytest.approx(LINES + 20 + 600, rel=1e-12)
    last_two = fit_curve(by_hand, "trapezoid", FitSettings(tail="last_two_points"))
    assert mbq_h(last_two) == pytest.approx(LINES + 3 / (np.log(5 / 3) / 51), rel=1e-12)
    given_tail = fit_curve(by_hand, "trapezoid", FitSettings(tail="voi_lambda", tail_half_life_h=50.0))
    assert mbq_h(given_tail) == pytest.approx(LINES + 3 * 50 / np.log(2), rel=1e-12)


def test_rising_tail_is_held_at_physical_decay_and_said(curve):
    rising = curve(TIME_H, (1.0, 2.0, 3.0, 4.0), lambda_phys_per_s=LAMBDA_PER_H / 3600)
    fit = fit_curve(rising, "trapezoid", FitSettings(tail="last_two_points"))
    assert fit.parameters["tail_lambda_eff_per_s"] * 3600 == pytest.approx(LAMBDA_PER_H)
    assert any("held at λ_phys" in text for text in fit.warnings)


def test_tail_of_a_voi_must_be_given_and_not_be_slower_than_physical_decay(by_hand):
    with pytest.raises(KineticsError, match="tail_half_life_h"):
        fit_curve(by_hand, "trapezoid", FitSettings(tail="voi_lambda"))
    with pytest.raises(KineticsError, match="longer than the physical half-life"):
        fit_curve(by_hand, "trapezoid", FitSettings(tail="voi_lambda", tail_half_life_h=140.0))


def test_mansouri_by_hand(by_hand):
    """0–24 h: 20 + 180 MBq·h. After: λ from ln(8, 5, 3) at 24, 69, 120 h, a by least squares."""
    t = np.array([-47.0, -2.0, 49.0])  # about their mean of 71 h
    lam = -(t @ np.log([8.0, 5.0, 3.0])) / (t @ t)
    e = np.exp(-lam * np.array([0.0, 45.0, 96.0]))
    a = (np.array([8.0, 5.0, 3.0]) @ e) / (e @ e)
    fit = fit_curve(by_hand, "mansouri")
    assert lam == pytest.approx(0.0102125, abs=1e-7)
    assert a == pytest.approx(7.97816, abs=1e-5)
    assert mbq_h(fit) == pytest.approx(200 + a / lam, rel=1e-12)
    assert fit.extrapolated_fraction == pytest.approx(a * e[2] / lam / (200 + a / lam), rel=1e-12)


def test_mansouri_with_the_half_life_of_a_voi(by_hand):
    lam = np.log(2) / 60
    e = np.exp(-lam * np.array([0.0, 45.0, 96.0]))
    a = (np.array([8.0, 5.0, 3.0]) @ e) / (e @ e)
    fit = fit_curve(by_hand, "mansouri", FitSettings(tail_half_life_h=60.0))
    assert mbq_h(fit) == pytest.approx(200 + a / lam, rel=1e-12)


def test_mansouri_takes_the_scan_nearest_to_24_h_and_says_when_it_is_far(curve):
    exact = 8 * np.exp(-0.01 * (np.array([3.7, 40.0, 103.0]) - 40))
    fit = fit_curve(curve((3.7, 40.0, 103.0), exact), "mansouri")
    expected = 0.5 * exact[0] * 3.7 + 0.5 * (exact[0] + exact[1]) * 36.3 + exact[1] / 0.01
    assert mbq_h(fit) == pytest.approx(expected, rel=1e-9)
    assert any("no scan near 24 h" in text for text in fit.warnings)


def test_mansouri_needs_two_scans_from_24_h_on(curve):
    with pytest.raises(KineticsError, match="2 scans from about 24 h on"):
        fit_curve(curve((2, 4, 24), (10, 9, 8)), "mansouri")


def test_trapezoid_of_dense_scans_converges_to_the_integral(curve):
    """Error of the lines falls as Δt²: 4 times fewer hours between scans, 16 times less error."""
    errors = []
    for n in (60, 240, 960):
        time_h = np.linspace(200 / n, 200, n)
        activity = 100 * (np.exp(-0.012 * time_h) - np.exp(-0.4 * time_h))
        settings = FitSettings(tail="last_two_points")
        errors.append(
            abs(mbq_h(fit_curve(curve(time_h, activity), "trapezoid", settings)) - 100 * (1 / 0.012 - 1 / 0.4))
        )
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(16, rel=0.1)
    assert errors[2] < 1e-4 * 100 / 0.012


@pytest.mark.parametrize("name", ["trapezoid", "kim", "mansouri"])
def test_shape_that_is_drawn_has_the_integral_that_is_told(name, by_hand):
    fit = fit_curve(by_hand, name)

    def activity_mbq(t_h):
        return float(fit.activity_bq_at(np.array([t_h * 3600.0]))[0]) / 1e6

    pieces = [quad(activity_mbq, a, b)[0] for a, b in zip((0.0, *TIME_H), TIME_H, strict=False)]
    after = quad(activity_mbq, 120, np.inf)[0]
    assert mbq_h(fit) == pytest.approx(sum(pieces) + after, rel=1e-6)
    assert fit.extrapolated_fraction == pytest.approx(after / (sum(pieces) + after), rel=1e-6)


def test_uncertainty_of_kim_is_that_of_a_weighted_sum(curve):
    sigma = np.array([0.5, 0.4, 0.3, 0.2])
    fit = fit_curve(curve(TIME_H, ACTIVITY, sigma, lambda_phys_per_s=LAMBDA_PER_H / 3600), "kim")
    weight = np.array([2 + 10, 10 + 22.5, 22.5 + 25.5, 25.5 + 1 / LAMBDA_PER_H])
    assert fit.tia_se_bq_s / 3.6e9 == pytest.approx(np.sqrt(np.sum((weight * sigma) ** 2)), rel=1e-6)


@pytest.mark.parametrize("name", ["trapezoid", "kim", "mansouri", "two_point", "haenscheid"])
@given(factor=st.floats(1e-3, 1e6), activity=st.lists(st.floats(0.1, 100.0), min_size=4, max_size=4))
def test_tia_is_proportional_to_activity(name, factor, activity):
    time_s, a = np.array(TIME_H) * 3600, np.array(activity) * 1e6
    model = kinetic_model(name)
    one = model.fit(TimeActivityCurve(time_s, a, "Lu-177", 1.2e-6), FitSettings())
    many = model.fit(TimeActivityCurve(time_s, factor * a, "Lu-177", 1.2e-6), FitSettings())
    assert many.tia_bq_s == pytest.approx(factor * one.tia_bq_s, rel=1e-7)
    assert many.extrapolated_fraction == pytest.approx(one.extrapolated_fraction, rel=1e-6)
