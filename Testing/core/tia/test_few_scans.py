"""Methods for one and two time points."""

import numpy as np
import pytest

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.tia.selection import fit_curve
from RPTDosimetryLib.tia.settings import FitSettings


def test_two_point_goes_through_both_scans(curve):
    fit = fit_curve(curve((24, 120), (8.0, 3.0)), "two_point")
    lam = np.log(8 / 3) / 96
    assert fit.parameters["lambda_eff_per_s"] * 3600 == pytest.approx(lam, rel=1e-8)
    assert fit.tia_bq_s / 3.6e9 == pytest.approx(8 * np.exp(lam * 24) / lam, rel=1e-8)
    assert fit.extrapolated_fraction == pytest.approx(np.exp(-lam * 120), rel=1e-8)


def test_two_point_of_more_scans_takes_the_one_nearest_24_h_and_the_last(curve):
    four = fit_curve(curve((4, 24, 69, 120), (10.0, 8.0, 5.0, 3.0)), "two_point")
    assert four.tia_bq_s == pytest.approx(fit_curve(curve((24, 120), (8.0, 3.0)), "two_point").tia_bq_s, rel=1e-9)
    assert "24 and 120 h" in four.warnings[0]


def test_haenscheid_is_two_t_over_ln_2_and_exact_when_the_half_life_is_the_scan_time(curve):
    exact = 50 * 2 ** (-96 / 96.0)
    fit = fit_curve(curve((96,), (exact,)), "haenscheid")
    assert fit.tia_bq_s / 3.6e9 == pytest.approx(exact * 2 * 96 / np.log(2), rel=1e-12)
    assert fit.tia_bq_s / 3.6e9 == pytest.approx(50 * 96 / np.log(2), rel=1e-12)
    assert fit.extrapolated_fraction == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("x", "error"),
    [(0.75, 2 * 0.75 / 2**0.75 - 1), (1.0, 0.0), (1 / np.log(2), 2 / (np.e * np.log(2)) - 1), (2.5, -0.1161)],
)
def test_haenscheid_error_follows_two_over_two_to_the_x_by_x(x, error, curve):
    half_life_h = 96 / x
    fit = fit_curve(curve((96,), (2**-x,)), "haenscheid")
    assert fit.tia_bq_s / 3.6e9 / (half_life_h / np.log(2)) - 1 == pytest.approx(error, abs=1e-4)
    assert -0.12 < error < 0.062
    assert "half-life between 38.4 and 128 h" in fit.warnings[0]


def test_haenscheid_of_several_scans_takes_the_one_nearest_96_h_or_the_one_asked_for(curve):
    several = curve((4, 24, 103, 168), (10.0, 8.0, 4.0, 2.0))
    assert fit_curve(several, "haenscheid").parameters["scan_time_s"] == 103 * 3600
    asked = fit_curve(several, "haenscheid", FitSettings(scan_time_h=24))
    assert asked.tia_bq_s / 3.6e9 == pytest.approx(8 * 2 * 24 / np.log(2), rel=1e-12)


def test_haenscheid_later_than_the_physical_half_life_is_refused(curve):
    with pytest.raises(KineticsError, match="longer than the physical one"):
        fit_curve(curve((168,), (2.0,)), "haenscheid")


def test_madsen_by_hand(curve):
    settings = FitSettings(population_half_life_h=50.0, population_half_life_se_h=5.0)
    fit = fit_curve(curve((24, 72), (8.0, 4.0), (0.8, 0.4)), "madsen", settings)
    lam = np.log(2) / 50
    tia = 4 * np.exp(lam * 72) / lam  # 72 h is nearer to 1/λ = 72.1 h
    assert fit.tia_bq_s / 3.6e9 == pytest.approx(tia, rel=1e-12)
    by_lambda = tia * (72 - 1 / lam) * lam * 5 / 50
    assert fit.tia_se_bq_s / 3.6e9 == pytest.approx(np.hypot(0.1 * tia, by_lambda), rel=1e-9)


def test_madsen_is_exact_for_the_half_life_it_assumes_whatever_the_scan(curve):
    for scan_h in (24, 96, 120):
        fit = fit_curve(curve((scan_h,), (2 ** (-scan_h / 50),)), "madsen", FitSettings(population_half_life_h=50.0))
        assert fit.tia_bq_s / 3.6e9 == pytest.approx(50 / np.log(2), rel=1e-12)


def test_madsen_invents_no_half_life(curve):
    with pytest.raises(KineticsError, match="population_half_life_h"):
        fit_curve(curve((24,), (8.0,)), "madsen")
    with pytest.raises(KineticsError, match="longer than the physical one"):
        fit_curve(curve((24,), (8.0,)), "madsen", FitSettings(population_half_life_h=200.0))


def test_scan_asked_for_must_exist(curve):
    with pytest.raises(KineticsError, match="No scan within 1 h of the 48 h"):
        fit_curve(curve((24, 96), (8.0, 4.0)), "haenscheid", FitSettings(scan_time_h=48))


def test_zero_activity_in_the_only_scan_is_refused(curve):
    with pytest.raises(KineticsError, match="is zero; choose another scan"):
        fit_curve(curve((24, 96), (8.0, 0.0)), "haenscheid")
