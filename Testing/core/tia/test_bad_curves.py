"""Each wrong curve gets one sentence that says what, where and what to do."""

import numpy as np
import pytest

from RPTDosimetryLib.errors import ConfigurationError, KineticsError
from RPTDosimetryLib.tia.registry import model_names
from RPTDosimetryLib.tia.selection import fit_curve
from RPTDosimetryLib.tia.settings import FitSettings


@pytest.mark.parametrize(
    ("time_h", "activity", "message"),
    [
        ((4, 24, 24, 120), (4, 3, 3, 1), "Time points 2 and 3 are at the same time"),
        ((4, 24, 24.005), (4, 3, 3), "Time points 2 and 3 are at the same time"),
        ((-1, 24), (4, 3), "Time point 1 is at -1 h"),
        ((0, 24), (4, 3), "Time point 1 is at 0 h"),
        ((4, np.nan), (4, 3), "Time point 2 is at nan h"),
        ((4, 24), (4, -3), r"time point 2 \(24 h\) is negative"),
        ((4, 24), (np.nan, 3), r"time point 1 \(4 h\) is not a number"),
        ((4, 24), (0, 0), "zero at every time point"),
        ((4, 24, 48), (4, 3), "3 times and 2 activities"),
        ((), (), "0 times"),
    ],
)
def test_wrong_points(time_h, activity, message, curve):
    with pytest.raises(KineticsError, match=message):
        fit_curve(curve(time_h, activity), "monoexponential")


@pytest.mark.parametrize("name", sorted(set(model_names()) - {"haenscheid", "madsen"}))
def test_one_time_point_with_a_multi_point_model(name, curve):
    with pytest.raises(KineticsError, match=f"The model {name} needs . time points; there is 1.*haenscheid or madsen"):
        fit_curve(curve((24,), (8.0,)), name)


@pytest.mark.parametrize(
    ("name", "needed"),
    [("monoexponential_uptake", 3), ("biexponential", 4), ("biexponential_uptake", 5), ("triexponential", 6)],
)
def test_too_few_points_names_what_is_needed(name, needed, curve):
    times = np.arange(1, needed) * 24.0
    with pytest.raises(KineticsError, match=f"needs {needed} time points; there are {needed - 1}"):
        fit_curve(curve(times, np.exp(-0.01 * times)), name)


def test_unknown_model_lists_the_names(curve):
    with pytest.raises(KineticsError, match=r"Unknown kinetic model 'expo'.*haenscheid, kim, madsen"):
        fit_curve(curve((4, 24), (4, 3)), "expo")


def test_scans_out_of_order_are_sorted_and_it_is_said(curve):
    sorted_fit = fit_curve(curve((4, 24, 120), (4, 3, 1)), "kim")
    fit = fit_curve(curve((24, 4, 120), (3, 4, 1)), "kim")
    assert fit.tia_bq_s == sorted_fit.tia_bq_s
    assert "sorted" in fit.warnings[0]


def test_a_zero_among_the_scans_is_said(curve):
    fit = fit_curve(curve((4, 24, 120), (4, 3, 0)), "kim")
    assert "zero at 120 h" in fit.warnings[0]
    with pytest.raises(KineticsError, match="zero activity"):
        fit_curve(curve((4, 24, 120), (4, 3, 0)), "mansouri")


def test_first_scan_after_all_has_decayed(curve, lambda_phys_per_s):
    late_h = 6 / lambda_phys_per_s / 3600
    with pytest.raises(KineticsError, match="comes so late"):
        fit_curve(curve((late_h, late_h + 24), (4, 3)), "monoexponential")


def test_standard_errors_must_be_positive(curve):
    with pytest.raises(KineticsError, match="standard errors"):
        fit_curve(curve((4, 24), (4, 3), (0.1, 0.0)), "kim")


@pytest.mark.parametrize(
    "wrong", [{"weighting": "chi"}, {"tail": "linear"}, {"start": "one"}, {"population_half_life_h": -3.0}]
)
def test_wrong_settings(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        FitSettings(**wrong)
