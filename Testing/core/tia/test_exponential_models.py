"""Sums of exponentials: exact data come back, bounds hold and are said, uncertainties are those of linear theory."""

import numpy as np
import pytest
from scipy.integrate import quad

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.tia.registry import kinetic_model
from RPTDosimetryLib.tia.selection import fit_curve
from RPTDosimetryLib.tia.settings import FitSettings

LATE = (1, 4, 8, 24, 48, 72, 120, 168)
#: name: scan times [h], amplitudes [MBq], rates [1/h], and the amplitudes that the model tells.
EXACT = {
    "monoexponential": ((4, 24, 69, 120), (80.0,), (0.013,), 1),
    "monoexponential_uptake": ((4, 24, 69, 120), (100.0, -100.0), (0.012, 0.4), 1),
    "biexponential": (LATE, (60.0, 40.0), (0.008, 0.15), 2),
    "biexponential_uptake": (LATE, (60.0, 50.0, -110.0), (0.007, 0.05, 0.6), 2),
    "triexponential": (LATE, (50.0, 40.0, 30.0), (0.006, 0.04, 0.5), 3),
}


def values(time_h, amplitude, rate):
    return np.exp(-np.multiply.outer(np.asarray(time_h, float), np.asarray(rate))) @ np.asarray(amplitude)


@pytest.mark.parametrize("weighting", ["none", "poisson", "relative"])
@pytest.mark.parametrize("name", EXACT)
def test_exact_data_give_back_parameters_and_tia(name, weighting, curve):
    time_h, amplitude, rate, told = EXACT[name]
    fit = fit_curve(curve(time_h, values(time_h, amplitude, rate)), name, FitSettings(weighting=weighting))
    parameters = list(fit.parameters.values())
    assert parameters[:told] == pytest.approx(np.array(amplitude[:told]) * 1e6, rel=1e-6)
    assert parameters[told:] == pytest.approx(np.array(rate) / 3600, rel=1e-6)
    tia_mbq_h = sum(a / r for a, r in zip(amplitude, rate, strict=True))
    assert fit.tia_bq_s == pytest.approx(tia_mbq_h * 3.6e9, rel=1e-6)


def test_biexponential_with_uptake_phase_that_does_not_start_at_zero(curve):
    amplitude, rate = (90.0, -60.0), (0.01, 0.2)
    fit = fit_curve(curve(LATE, values(LATE, amplitude, rate)), "biexponential")
    assert fit.parameters["a2_bq"] == pytest.approx(-60e6, rel=1e-6)
    assert fit.parameters["lambda2_eff_per_s"] == pytest.approx(0.2 / 3600, rel=1e-6)


@pytest.mark.parametrize("name", EXACT)
def test_tia_and_extrapolated_share_agree_with_numeric_quadrature(name, curve):
    time_h, amplitude, rate, _ = EXACT[name]
    noisy = values(time_h, amplitude, rate) * np.resize((0.97, 1.04, 1.02, 0.95), len(time_h))
    fit = fit_curve(curve(time_h, noisy), name)

    def activity_mbq(t_h):
        return float(fit.activity_bq_at(np.array([t_h * 3600.0]))[0]) / 1e6

    before = quad(activity_mbq, 0, time_h[-1], limit=500, points=[1.0, 10.0], epsrel=1e-10)[0]
    after = quad(activity_mbq, time_h[-1], np.inf, epsrel=1e-10)[0]
    assert fit.tia_bq_s == pytest.approx((before + after) * 3.6e9, rel=1e-7)
    assert fit.extrapolated_fraction == pytest.approx(after / (before + after), rel=1e-6)


def test_slower_than_physical_decay_is_held_at_physical_decay_and_said(curve, lambda_phys_per_s):
    time_h = np.array([4, 24, 69, 120])
    growing = 10 * np.exp(-0.5 * lambda_phys_per_s * 3600 * time_h)
    for name in ("monoexponential", "two_point", "monoexponential_uptake"):
        fit = fit_curve(curve(time_h, growing), name)
        slowest = fit.parameters["lambda_eff_per_s"]
        assert slowest == pytest.approx(lambda_phys_per_s, rel=1e-12)
        assert any("held at its lower bound" in text and name in text for text in fit.warnings)


def test_amplitude_at_the_bound_is_the_least_squares_one(curve, lambda_phys_per_s):
    time_h, activity = np.array([24.0, 120.0]), np.array([5.0, 6.0])
    fit = fit_curve(curve(time_h, activity), "monoexponential")
    decay = np.exp(-lambda_phys_per_s * 3600 * time_h)
    assert fit.parameters["a_bq"] == pytest.approx(1e6 * (activity @ decay) / (decay @ decay), rel=1e-9)


def test_uptake_that_no_scan_sees_is_said(curve):
    time_h = (4, 24, 69, 120)
    fit = fit_curve(curve(time_h, values(time_h, (80.0,), (0.013,))), "monoexponential_uptake")
    assert any("uptake is over before the first scan" in text for text in fit.warnings)
    assert fit.tia_bq_s == pytest.approx(80 / 0.013 * 3.6e9, rel=5e-3)


def test_fall_too_steep_to_extrapolate_backwards_is_said(curve):
    fit = fit_curve(curve((4, 8, 24, 48), (100.0, 0.1, 0.01, 0.01)), "monoexponential")
    assert fit.parameters["lambda_eff_per_s"] == pytest.approx(5 / (4 * 3600))
    assert any("upper bound" in text for text in fit.warnings)
    assert any("before the first scan" in text for text in fit.warnings)


def test_uncertainty_of_a_monoexponential_equals_linear_theory(curve):
    """With relative weights ln A is a straight line, whose slope has a textbook variance."""
    time_h = np.array([4.0, 24.0, 48.0, 72.0, 120.0])
    sigma = 0.02
    activity = 80 * np.exp(-0.013 * time_h)
    fit = fit_curve(curve(time_h, activity, sigma * activity), "monoexponential", FitSettings(weighting="relative"))
    spread = np.sum((time_h - time_h.mean()) ** 2)
    assert fit.parameter_se["lambda_eff_per_s"] * 3600 == pytest.approx(sigma / np.sqrt(spread), rel=1e-6)
    # ln Ã = ln a − ln λ with cov(ln a, λ) = σ² t̄/Σ(t − t̄)²
    var_lam = sigma**2 / spread
    var_log_a = sigma**2 * (1 / time_h.size + time_h.mean() ** 2 / spread)
    covariance = sigma**2 * time_h.mean() / spread
    relative = np.sqrt(var_log_a + var_lam / 0.013**2 - 2 * covariance / 0.013)
    assert fit.tia_se_bq_s / fit.tia_bq_s == pytest.approx(relative, rel=1e-6)


def test_uncertainty_from_residuals_covers_the_truth(curve):
    """Ã lies within one standard error in about 68 % of noisy repeats: between 55 and 80 % of 200."""
    rng = np.random.default_rng(7)
    time_h = np.array([2.0, 4, 8, 24, 48, 72, 96, 120, 168, 192])
    truth = 80 * np.exp(-0.013 * time_h)
    inside = 0
    for _ in range(200):
        fit = fit_curve(curve(time_h, truth + rng.normal(0, 1.0, time_h.size)), "monoexponential")
        inside += abs(fit.tia_bq_s / 3.6e9 - 80 / 0.013) < fit.tia_se_bq_s / 3.6e9
    assert 110 <= inside <= 160


def test_as_many_parameters_as_scans_gives_no_uncertainty_and_says_so(curve):
    fit = fit_curve(
        curve((4, 24, 72), values((4, 24, 72), *EXACT["monoexponential_uptake"][1:3])), "monoexponential_uptake"
    )
    assert fit.tia_se_bq_s is None
    assert fit.parameter_se == {}
    assert any("no uncertainty" in text for text in fit.warnings)


def test_standard_errors_as_weights(curve):
    """A scan with a huge standard error does not matter."""
    time_h = (4, 24, 69, 120)
    activity = values(time_h, (80.0,), (0.013,))
    spoilt = activity * (1, 1, 1.3, 1)
    fit = fit_curve(
        curve(time_h, spoilt, (1e-3, 1e-3, 1e4, 1e-3)), "monoexponential", FitSettings(weighting="standard_error")
    )
    assert fit.tia_bq_s == pytest.approx(80 / 0.013 * 3.6e9, rel=1e-9)
    with pytest.raises(KineticsError, match="has none"):
        fit_curve(curve(time_h, spoilt), "monoexponential", FitSettings(weighting="standard_error"))


@pytest.mark.parametrize("name", EXACT)
def test_time_unit_does_not_matter(name, curve, lambda_phys_per_s):
    """The same numbers as minutes instead of hours: Ã is 60 times smaller, exactly the same curve."""
    time_h, amplitude, rate, _ = EXACT[name]
    noisy = values(time_h, amplitude, rate) * np.resize((0.97, 1.04, 1.02, 0.95), len(time_h))
    slow = curve(time_h, noisy)
    fast = curve(np.array(time_h) / 60, noisy, lambda_phys_per_s=lambda_phys_per_s * 60)
    model = kinetic_model(name)
    ours, theirs = model.fit(slow, FitSettings()), model.fit(fast, FitSettings())
    assert theirs.tia_bq_s * 60 == pytest.approx(ours.tia_bq_s, rel=1e-5)
    assert theirs.extrapolated_fraction == pytest.approx(ours.extrapolated_fraction, rel=1e-5)
