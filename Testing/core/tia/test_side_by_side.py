"""Two-point and single-point results beside the multi-point one, by hand."""

import json

import numpy as np
import pytest

from RPTDosimetryLib.errors import ConfigurationError, KineticsError
from RPTDosimetryLib.tia.curve_file import curve_answer, curve_table
from RPTDosimetryLib.tia.models.two_point import scan_pair
from RPTDosimetryLib.tia.selection import akaike_weights, fit_curve
from RPTDosimetryLib.tia.settings import FitSettings
from RPTDosimetryLib.tia.side_by_side import side_by_side, side_by_side_of_vois, side_by_side_rows

TIME_H = np.array([4.0, 24.0, 96.0, 168.0])
HALF_LIFE_H = 60.0


@pytest.fixture
def one_exponential(curve):
    return curve(TIME_H, 80 * 2 ** (-TIME_H / HALF_LIFE_H))


def test_differences_of_a_monoexponential_are_those_of_theory(one_exponential):
    """Two points and Madsen with the true half-life are exact; Hänscheid at T gives 2x/2^x of it, x = T/T_eff."""
    found = side_by_side(one_exponential, settings=FitSettings(population_half_life_h=HALF_LIFE_H))
    assert found.multi_point.tia_bq_s == pytest.approx(80e6 * HALF_LIFE_H * 3600 / np.log(2), rel=1e-6)
    by_name = {few.method: few for few in found.few_scans}
    assert by_name["two_point"].difference_percent == pytest.approx(0.0, abs=1e-4)
    assert by_name["madsen"].difference_percent == pytest.approx(0.0, abs=1e-4)
    x = 96 / HALF_LIFE_H
    assert by_name["haenscheid"].difference_percent == pytest.approx(100 * (2 * x / 2**x - 1), abs=1e-3)
    assert found.largest_difference_percent == by_name["haenscheid"].difference_percent
    assert [t / 3600 for t in by_name["two_point"].scan_time_s] == [24.0, 168.0]
    assert [t / 3600 for t in by_name["haenscheid"].scan_time_s] == [96.0]
    assert [t / 3600 for t in by_name["madsen"].scan_time_s] == [96.0]  # nearest to 1/λ = 86.6 h
    assert not found.not_possible


def test_a_wrong_population_half_life_shows_as_its_share(one_exponential):
    assumed_h = 45.0
    found = side_by_side(one_exponential, settings=FitSettings(population_half_life_h=assumed_h, scan_time_h=24))
    (madsen,) = (few for few in found.few_scans if few.method == "madsen")
    share = 2 ** (24 / assumed_h) * assumed_h / (2 ** (24 / HALF_LIFE_H) * HALF_LIFE_H)
    assert madsen.difference_percent == pytest.approx(100 * (share - 1), abs=1e-3)


def test_methods_that_cannot_be_used_say_why(one_exponential, curve):
    found = side_by_side(one_exponential)
    assert "population_half_life_h" in found.not_possible["madsen"]
    late = curve((170.0, 200.0), (4.0, 3.0))
    assert "longer than the physical one" in side_by_side(late).not_possible["haenscheid"]
    with pytest.raises(KineticsError, match="One time point"):
        side_by_side(curve((96.0,), (4.0,)))


def test_against_a_fit_with_few_scans_the_multi_point_one_is_still_the_measure(one_exponential):
    asked = fit_curve(one_exponential, "haenscheid")
    assert side_by_side(one_exponential, asked).multi_point.model == "monoexponential"
    kept = fit_curve(one_exponential, "kim")
    assert side_by_side(one_exponential, kept).multi_point.model == "kim"


def test_where_no_multi_point_fit_exists_the_one_asked_for_is_the_measure(one_exponential, monkeypatch):
    from RPTDosimetryLib.tia import side_by_side as module

    asked = fit_curve(one_exponential, "haenscheid")

    def none(*_):
        raise KineticsError("no fit")

    monkeypatch.setattr(module, "fit_curve", none)
    assert side_by_side(one_exponential, asked).multi_point is asked
    with pytest.raises(KineticsError, match="no fit"):
        side_by_side(one_exponential)


@pytest.mark.parametrize(
    ("time_h", "pair"),
    [
        ((4, 24, 69, 120), (24, 120)),
        ((24, 96, 168), (24, 168)),
        ((4, 24, 120, 240), (24, 120)),
        ((4, 24, 72), (24, 72)),
        ((4, 200, 300), (4, 200)),
        ((1, 2, 400), (2, 400)),
        ((24, 120), (24, 120)),
        ((100, 160), (100, 160)),
        ((180, 400), (180, 400)),
    ],
)
def test_the_pair_is_one_day_and_four_to_seven_days_where_there_are_such(time_h, pair):
    times = np.array(time_h, dtype=float)
    assert tuple(times[scan_pair(times * 3600)]) == pair


def test_the_answer_and_the_table_hold_them(one_exponential, curve):
    answer = curve_answer(one_exponential, settings=FitSettings(population_half_life_h=50.0))
    json.dumps(answer, allow_nan=False)
    assert {few["method"] for few in answer["side_by_side"]["few_scans"]} == {"two_point", "haenscheid", "madsen"}
    assert "haenscheid (96 h)" in curve_table(answer)
    assert curve_answer(curve((96.0,), (4.0,)), "haenscheid")["side_by_side"] is None


def test_rows_of_vois_leave_out_the_empty_ones(one_exponential):
    fit = fit_curve(one_exponential)
    nothing = fit_curve(one_exponential)
    object.__setattr__(nothing, "tia_bq_s", 0.0)
    found = side_by_side_of_vois({"kidney": (one_exponential, fit), "void": (one_exponential, nothing)})
    rows = side_by_side_rows(found)
    assert [(row["name"], row["method"]) for row in rows] == [
        ("kidney", "multi-point (monoexponential)"),
        ("kidney", "two_point"),
        ("kidney", "haenscheid"),
    ]
    assert rows[1]["scan_time_h"] == "24 168"


def test_akaike_weights_by_hand(curve):
    time_h = np.array([1.0, 3, 6, 12, 24, 36, 48, 72, 96, 120, 168, 200])
    noisy = 100 * (np.exp(-0.012 * time_h) - np.exp(-0.2 * time_h)) + np.random.default_rng(4).normal(0, 0.5, 12)
    fit = fit_curve(curve(time_h, noisy))
    weights = akaike_weights((fit, *fit.alternatives))
    assert weights[fit.model][0] == 0.0
    assert sum(w for _, w in weights.values()) == pytest.approx(1.0)
    other = next(f for f in fit.alternatives if f.aicc is not None)
    ratio = np.exp(-(other.aicc - fit.aicc) / 2)
    assert weights[other.model][1] / weights[fit.model][1] == pytest.approx(ratio)
    answer = curve_answer(curve(time_h, noisy))
    assert answer["aicc_weight"] == weights[fit.model][1]
    assert next(o for o in answer["alternatives"] if o["model"] == "kim")["delta_aicc"] is None


def test_an_unknown_kind_is_refused():
    from RPTDosimetryLib.tia.settings import voi_kind

    assert voi_kind("lesion") == "lesion"
    with pytest.raises(ConfigurationError, match="choose one of organ, lesion, region"):
        voi_kind("tumour")
