"""The paralyzable model solved for the true rate, and its limits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPTDosimetryLib.calibration.dead_time import dead_time_factor
from RPTDosimetryLib.calibration.decay_in_scan import decay_in_scan_factor
from RPTDosimetryLib.errors import CalibrationError


@given(true_cps=st.floats(1.0, 1e6), dead_time_s=st.floats(1e-8, 1e-5))
def test_the_true_rate_comes_back_below_the_maximum(true_cps, dead_time_s):
    busy = true_cps * dead_time_s
    if busy < 0.98:  # dm/dn vanishes at 1
        observed = true_cps * math.exp(-busy)
        assert observed * dead_time_factor(observed, dead_time_s) == pytest.approx(true_cps, rel=1e-6)


def test_at_the_maximum_the_factor_is_e_and_above_it_there_is_none():
    tau = 5e-6
    most = 1 / (math.e * tau)
    assert dead_time_factor(most * (1 - 1e-9), tau) == pytest.approx(math.e, rel=1e-3)
    with pytest.raises(CalibrationError, match=r"at most 73575\.9 counts/s"):
        dead_time_factor(most * 1.001, tau)


def test_no_dead_time_or_no_counts_lose_nothing():
    assert dead_time_factor(1e5, 0.0) == 1.0
    assert dead_time_factor(0.0, 5e-6) == 1.0
    for rate, tau in ((-1.0, 1e-6), (1e4, -1e-6), (float("nan"), 1e-6)):
        with pytest.raises(CalibrationError, match="has no meaning"):
            dead_time_factor(rate, tau)


def test_decay_in_scan_is_the_ratio_of_start_to_mean():
    lam, duration_s = math.log(2) / 574300.0, 1500.0
    steps = 100000
    mean = sum(math.exp(-lam * duration_s * (n + 0.5) / steps) for n in range(steps)) / steps
    assert decay_in_scan_factor(lam, duration_s) == pytest.approx(1 / mean, rel=1e-9)
    assert decay_in_scan_factor(lam, duration_s) == pytest.approx(1.000905, abs=1e-6)
    assert decay_in_scan_factor(1e-12, 1e-3) == pytest.approx(1.0, abs=1e-12)
    # one half-life of scanning: ln 2 / (1 - 1/2)
    assert decay_in_scan_factor(math.log(2) / 100.0, 100.0) == pytest.approx(2 * math.log(2))
