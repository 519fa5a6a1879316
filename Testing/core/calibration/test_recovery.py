"""Recovery curves: fitted, applied to means of volumes, and said where they do not reach."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPTDosimetryLib.calibration.recovery import RecoveryCurve, fit_recovery, recovered_mean
from RPTDosimetryLib.calibration.settings import CalibrationSettings
from RPTDosimetryLib.errors import CalibrationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Voi

NEMA_ML = np.pi / 6 * np.array([1.0, 1.3, 1.7, 2.2, 2.8, 3.7]) ** 3


def curve(v50=1.8, beta=0.9):
    return RecoveryCurve(v50, beta, NEMA_ML[0], NEMA_ML[-1])


@given(v50=st.floats(0.3, 20.0), beta=st.floats(0.4, 3.0))
def test_exact_points_give_the_curve_back(v50, beta):
    true = curve(v50, beta)
    found = fit_recovery(NEMA_ML, [true.coefficient(v) for v in NEMA_ML])
    assert found.v50_ml == pytest.approx(v50, rel=1e-3)
    assert found.beta == pytest.approx(beta, rel=1e-3)


def test_limits_of_the_curve():
    assert curve().coefficient(1.8) == pytest.approx(0.5)
    assert curve().coefficient(1e9) == pytest.approx(1.0)
    assert curve().coefficient(1e-9) == pytest.approx(0.0, abs=1e-6)


def test_standard_error_agrees_with_repeated_noisy_fits():
    rng = np.random.default_rng(4)
    true = np.array([curve().coefficient(v) for v in NEMA_ML])
    fits = [fit_recovery(NEMA_ML, np.clip(true + rng.normal(0, 0.02, 6), 0.01, 1.1)) for _ in range(300)]
    spread = np.std([fit.coefficient(4.0) for fit in fits])
    told = np.sqrt(np.mean([fit.standard_error(4.0) ** 2 for fit in fits]))
    assert told == pytest.approx(spread, rel=0.15)


def voi(volume_ml):
    grid = Grid((1, 1, 1), (10.0, 10.0, 10.0 * volume_ml))
    return Voi("lesion_1", np.ones(grid.shape_zyx, dtype=bool), grid, "lesion")


def test_both_means_are_given():
    record = recovered_mean(voi(1.8), 3.0, curve())
    assert (record.uncorrected, record.coefficient, record.corrected) == pytest.approx((3.0, 0.5, 6.0))
    assert record.note == ""


def test_extrapolation_is_said():
    assert "below the smallest sphere measured (0.524 mL)" in recovered_mean(voi(0.2), 1.0, curve()).note
    assert "above the largest sphere measured (26.5 mL)" in recovered_mean(voi(100.0), 1.0, curve()).note


@pytest.mark.parametrize(
    ("volumes", "coefficients", "says"),
    [
        ([1.0, 2.0], [0.4, 0.6], "at least 3 different volumes"),
        ([1.0, 1.0, 2.0], [0.4, 0.41, 0.6], "at least 3 different volumes"),
        ([1.0, 2.0, 4.0], [0.4, 0.6], "one coefficient for each volume"),
        ([1.0, 2.0, 4.0], [0.4, 0.6, 1.2], "1.2 at 4 mL"),
        ([1.0, 2.0, 4.0], [-0.1, 0.6, 0.7], "-0.1 at 1 mL"),
        ([0.0, 2.0, 4.0], [0.4, 0.6, 0.7], "above 0 mL"),
        ([1.0, 2.0, 4.0], [0.7, 0.6, 0.4], "do not rise with volume"),
        ([1.0, 2.0, 4.0], [0.6, 0.6, 0.6], "do not rise with volume"),
    ],
)
def test_points_that_are_no_recovery_curve(volumes, coefficients, says):
    with pytest.raises(CalibrationError, match=says):
        fit_recovery(volumes, coefficients)


def test_meaningless_volumes_and_parameters():
    with pytest.raises(CalibrationError, match="0 mL has no recovery"):
        curve().coefficient(0.0)
    with pytest.raises(CalibrationError, match="beta = -1"):
        curve(beta=-1.0)


def test_the_settings_hold_the_curve_and_can_leave_it_out():
    points = {"recovery_volumes_ml": tuple(NEMA_ML), "recovery_coefficients": (0.2, 0.3, 0.45, 0.55, 0.65, 0.75)}
    found = CalibrationSettings(**points).recovery_curve()
    assert found.coefficient(NEMA_ML[3]) == pytest.approx(0.55, abs=0.03)
    assert CalibrationSettings(recovery=False, **points).recovery_curve() is None
    assert CalibrationSettings().recovery_curve() is None
