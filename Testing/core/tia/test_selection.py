"""Which model "auto" takes, and that it says why."""

import numpy as np
import pytest

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.tia.exponential_model import aicc
from RPTDosimetryLib.tia.registry import kinetic_model, model_names
from RPTDosimetryLib.tia.selection import fit_curve


def noisy(time_h, clean, sigma, seed=3):
    return np.maximum(clean + np.random.default_rng(seed).normal(0, sigma, len(time_h)), 0.01)


def test_names_are_those_of_the_command_line():
    assert set(model_names()) == {
        *("trapezoid", "monoexponential", "biexponential", "triexponential", "monoexponential_uptake"),
        *("biexponential_uptake", "mansouri", "kim", "two_point", "haenscheid", "madsen"),
    }
    assert all(kinetic_model(name).name == name for name in model_names())


def test_aicc_by_hand(curve):
    """n = 6, k = 3, RSS = 0.06 of a curve whose maximum is 1: 6 ln 0.01 + 6 + 24/2."""
    six = curve((1, 2, 3, 4, 5, 6), (1.0, 0.9, 0.8, 0.7, 0.6, 0.5))
    assert aicc(0.06e12, six, 3) == pytest.approx(6 * np.log(0.01) + 6 + 12, rel=1e-12)
    assert aicc(0.06e12, six, 5) is None


def test_auto_finds_the_model_that_made_the_data(curve):
    time_h = np.array([1.0, 3, 6, 12, 24, 36, 48, 72, 96, 120, 168, 200])
    one = 80 * np.exp(-0.013 * time_h)
    rising = 100 * (np.exp(-0.012 * time_h) - np.exp(-0.2 * time_h))
    two = 60 * np.exp(-0.008 * time_h) + 60 * np.exp(-0.15 * time_h)
    for clean, name in ((one, "monoexponential"), (rising, "monoexponential_uptake"), (two, "biexponential")):
        fit = fit_curve(curve(time_h, noisy(time_h, clean, 0.3)))
        assert fit.model == name
        assert "lowest AICc" in fit.warnings[0]
        assert fit.aicc == min(f.aicc for f in (fit, *fit.alternatives) if f.aicc is not None)


def test_auto_needs_two_models_with_an_aicc(curve):
    """Five scans give an AICc to monoexponential alone (k = 3); six to monoexponential_uptake also (k = 4)."""
    time_h = np.array([4.0, 24, 48, 72, 120, 168])
    clean = 100 * (np.exp(-0.012 * time_h) - np.exp(-0.1 * time_h))
    assert "too few to choose by AICc" in fit_curve(curve(time_h[:5], clean[:5])).warnings[0]
    assert "lowest AICc" in fit_curve(curve(time_h, clean)).warnings[0]


@pytest.mark.parametrize(
    ("n", "kind", "model"),
    [
        (2, "organ", "two_point"),
        (3, "organ", "monoexponential"),
        (4, "organ", "monoexponential_uptake"),
        (4, "lesion", "monoexponential_uptake"),
        (4, "region", "trapezoid"),
    ],
)
def test_defaults_by_number_of_scans_and_kind(n, kind, model, curve):
    time_h = np.array([4.0, 24, 69, 120])[-n:]
    clean = 100 * (np.exp(-0.012 * time_h) - np.exp(-0.1 * time_h))
    fit = fit_curve(curve(time_h, clean), kind=kind)
    assert fit.model == model
    assert f"the default for a VOI of kind {kind}" in fit.warnings[0]


def test_default_steps_down_when_no_scan_sees_the_uptake(curve):
    time_h = np.array([4.0, 24, 69, 120])
    fit = fit_curve(curve(time_h, 80 * np.exp(-0.013 * time_h)))
    assert fit.model == "monoexponential"
    assert "uptake is over" in fit.warnings[0]
    assert fit.tia_bq_s == pytest.approx(80 / 0.013 * 3.6e9, rel=1e-6)


def test_default_that_misses_the_scans_is_not_kept(curve):
    # blood-like: a fast and a slow phase; one exponential through the first scans passes far below the last
    time_h = np.array([4.0, 24, 69, 120])
    fit = fit_curve(curve(time_h, 150 * np.exp(-0.12 * time_h) + 50 * np.exp(-0.0125 * time_h)))
    assert fit.model == "mansouri"
    assert "one exponential misses a scan by" in fit.warnings[0]
    slow_and_fast = 150 / 0.12 + 50 / 0.0125
    assert fit.tia_bq_s == pytest.approx(slow_and_fast * 3.6e9, rel=0.12)


def test_disagreement_of_the_models_is_said(curve):
    fit = fit_curve(curve((4, 24, 69, 120), (10.0, 8.0, 5.0, 3.0)))
    highest = max(fit.alternatives, key=lambda f: f.tia_bq_s)
    assert f"{highest.tia_bq_s / 3.6e9:.4g} ({highest.model})" in fit.warnings[1]


def test_one_scan_is_no_curve(curve):
    with pytest.raises(KineticsError, match="One time point"):
        fit_curve(curve((24,), (8.0,)))
