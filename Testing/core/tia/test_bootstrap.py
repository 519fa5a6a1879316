"""Bootstrap against linear theory, and repeatable from its seed."""

import numpy as np
import pytest

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.tia.bootstrap import BootstrapSettings, bootstrap
from RPTDosimetryLib.tia.selection import fit_curve

TIME_H = np.array([2.0, 4, 8, 24, 48, 72, 96, 120, 168, 192])


def test_parametric_bootstrap_of_kim_has_the_standard_error_of_a_weighted_sum(curve):
    known = curve((4, 24, 69, 120), (10.0, 8.0, 5.0, 3.0), (0.5, 0.4, 0.3, 0.2))
    found = bootstrap(known, "kim", how=BootstrapSettings(replicates=4000, seed=5))
    expected = fit_curve(known, "kim").tia_se_bq_s
    assert found.tia_se_bq_s == pytest.approx(expected, rel=0.05)  # 1/√8000 = 1.1 %
    low, high = found.interval_bq_s
    assert (high - low) / expected == pytest.approx(2 * 1.96, rel=0.05)


@pytest.mark.parametrize("kind", ["parametric", "residual"])
def test_bootstrap_of_a_fit_agrees_with_its_covariance_where_noise_is_small(kind, curve):
    rng = np.random.default_rng(11)
    noisy = curve(TIME_H, 80 * np.exp(-0.013 * TIME_H) + rng.normal(0, 0.3, TIME_H.size))
    found = bootstrap(noisy, "monoexponential", how=BootstrapSettings(kind, 4000, 2))
    assert found.tia_se_bq_s == pytest.approx(fit_curve(noisy, "monoexponential").tia_se_bq_s, rel=0.06)


def test_bootstrap_repeats_from_its_seed(curve):
    noisy = curve((4, 24, 69, 120), (10.0, 8.0, 5.1, 2.9))
    first, again, other = (bootstrap(noisy, "monoexponential", how=BootstrapSettings(seed=s)) for s in (3, 3, 4))
    assert np.array_equal(first.tia_bq_s, again.tia_bq_s)
    assert not np.array_equal(first.tia_bq_s, other.tia_bq_s)


def test_no_noise_to_draw_from_is_an_error(curve):
    with pytest.raises(KineticsError, match="leaves no residuals"):
        bootstrap(curve((24, 120), (8.0, 3.0)), "two_point")
    with pytest.raises(KineticsError, match="leaves no residuals"):
        bootstrap(curve((4, 24, 69), (10.0, 8.0, 5.0)), "monoexponential_uptake")
