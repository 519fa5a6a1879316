"""Many curves at once give what each of them gives alone; the two fits are written apart and find the same minimum."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.records import TimeActivityCurve
from RPTDosimetryLib.tia.columns import ActivityColumns
from RPTDosimetryLib.tia.registry import kinetic_model, model_names
from RPTDosimetryLib.tia.settings import FitSettings

LAMBDA_PHYS_PER_S = float(np.log(2)) / (6.647 * 86400)
TIME_S = np.array([1.0, 3, 6, 12, 24, 48, 96, 144, 192]) * 3600
POPULATION = FitSettings(population_half_life_h=50.0)


def made_up_curves(count, noise, seed, phases=1):
    """Curves with uptake and one or two clearance phases, with noise in proportion to activity [Bq]."""
    rng = np.random.default_rng(seed)
    slow, fast = rng.uniform(0.006, 0.015, count), rng.uniform(0.05, 0.1, count)
    mu = rng.uniform(0.4, 1.0, count)
    t = TIME_S[:, None] / 3600
    share = rng.uniform(0.3, 1.0, count) * (phases - 1)
    clean = np.exp(-slow * t) + share * np.exp(-fast * t) - (1 + share) * np.exp(-mu * t)
    return rng.uniform(1e3, 1e6, count) * clean * (1 + noise * rng.standard_normal(clean.shape))


def columns_of(activity_bq):
    return ActivityColumns(activity_bq, TIME_S, "Lu-177", LAMBDA_PHYS_PER_S)


def curve_of(activity_bq):
    return TimeActivityCurve(TIME_S, activity_bq, "Lu-177", LAMBDA_PHYS_PER_S)


@pytest.mark.parametrize("weighting", ["none", "poisson", "relative"])
@pytest.mark.parametrize("name", model_names())
def test_columns_equal_curves(name, weighting):
    """A search ends where what is left moves nothing by more than about 0.5 % of its standard error (NO_GAIN)."""
    activity = made_up_curves(12, 0.01, 5, phases=2 if name in {"biexponential_uptake", "triexponential"} else 1)
    model, chosen = kinetic_model(name), replace(POPULATION, weighting=weighting)
    many = model.integrate_columns(columns_of(activity), chosen)
    for i in range(activity.shape[1]):
        one = model.fit(curve_of(activity[:, i]), chosen)
        within = max(1e-6 * one.tia_bq_s, 0.02 * (one.tia_se_bq_s or 0.0))
        assert many.tia_bq_s[i] == pytest.approx(one.tia_bq_s, abs=within)
        assert many.tail_bq_s[i] == pytest.approx(one.extrapolated_fraction * one.tia_bq_s, abs=2 * within)


@pytest.mark.parametrize("name", ["monoexponential", "monoexponential_uptake", "biexponential"])
def test_compiled_fits_of_exact_curves_give_the_exact_tia(name):
    t = TIME_S[:, None] / 3600
    rng = np.random.default_rng(2)
    lam, mu, a = rng.uniform(0.006, 0.03, 300), rng.uniform(0.15, 0.8, 300), rng.uniform(1e3, 1e6, 300)
    if name == "monoexponential":
        activity, tia = a * np.exp(-lam * t), a / lam
    elif name == "monoexponential_uptake":
        activity, tia = a * (np.exp(-lam * t) - np.exp(-mu * t)), a * (1 / lam - 1 / mu)
    else:
        activity, tia = a * (np.exp(-lam * t) + 0.5 * np.exp(-mu * t)), a * (1 / lam + 0.5 / mu)
    found = kinetic_model(name).integrate_columns(columns_of(activity), FitSettings())
    assert found.tia_bq_s / 3600 == pytest.approx(tia, rel=1e-6)


@pytest.mark.parametrize("name", ["monoexponential", "monoexponential_uptake", "biexponential", "mansouri"])
@settings(max_examples=25, deadline=None)
@given(factor=st.floats(1e-6, 1e9), seed=st.integers(0, 1000))
def test_columns_are_proportional_to_activity(name, factor, seed):
    activity = made_up_curves(5, 0.1, seed).clip(0)
    model = kinetic_model(name)
    one = model.integrate_columns(columns_of(activity), FitSettings())
    many = model.integrate_columns(columns_of(factor * activity), FitSettings())
    assert many.tia_bq_s == pytest.approx(factor * one.tia_bq_s, rel=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(0, 1e6), min_size=18, max_size=18),
    name=st.sampled_from([n for n in model_names() if n != "triexponential"]),
)
def test_any_activity_gives_a_finite_tia_that_is_not_negative(values, name):
    activity = np.reshape(values, (9, 2))
    found = kinetic_model(name).integrate_columns(columns_of(activity), POPULATION)
    assert np.all(np.isfinite(found.tia_bq_s))
    assert np.all(found.tia_bq_s >= 0)
    assert np.all(found.tail_bq_s <= found.tia_bq_s * (1 + 1e-9))
    assert np.all(found.tia_bq_s[~activity.any(axis=0)] == 0)


def test_rules_for_noisy_voxels_are_counted():
    """Rising: λ_eff held at λ_phys. Gone after the first scan: lines and a physical tail. Zero: zero."""
    t = TIME_S / 3600
    rising = np.exp(0.001 * t) * 1e5
    gone = np.array([1e5, *[0] * 8])
    falling = 1e5 * np.exp(-0.012 * t)
    found = kinetic_model("monoexponential").integrate_columns(
        columns_of(np.stack([rising, gone, np.zeros(9), falling], axis=1)), FitSettings()
    )
    counts = {text: count for text, (count, _) in found.notes.items() if count}
    assert sorted(counts.values()) == [1, 1]
    assert any("λ_eff held at λ_phys" in text for text in counts)
    assert any("straight lines" in text for text in counts)
    decay = np.exp(-LAMBDA_PHYS_PER_S * TIME_S)
    assert found.tia_bq_s[0] == pytest.approx(rising @ decay / (decay @ decay) / LAMBDA_PHYS_PER_S, rel=1e-9)
    assert found.tia_bq_s[1] == pytest.approx(0.5 * 1e5 * TIME_S[1], rel=1e-12)
    assert found.tia_bq_s[2] == 0
    assert found.tia_bq_s[3] / 3600 == pytest.approx(1e5 / 0.012, rel=1e-6)


@pytest.mark.parametrize("name", ["biexponential", "biexponential_uptake", "triexponential"])
@pytest.mark.parametrize("scans", [6, 7, 9])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_functions_that_are_alike_to_rounding_never_win_the_table(name, scans, noise):
    """One exponential, few scans: in the fastest corner of the table the basis functions are one, to rounding."""
    t = np.array([4.0, 24, 48, 72, 96, 140, 168, 190, 220])[:scans]
    rng = np.random.default_rng(scans)
    activity = np.outer(2 ** (-t / 60), rng.uniform(1e3, 1e6, 50)) * (1 + noise * rng.standard_normal((scans, 50)))
    columns = ActivityColumns(activity, t * 3600, "Lu-177", LAMBDA_PHYS_PER_S)
    found = kinetic_model(name).integrate_columns(columns, FitSettings()).tia_bq_s
    by_lines = kinetic_model("mansouri").integrate_columns(columns, FitSettings()).tia_bq_s
    assert np.all(found > 0.5 * by_lines)  # too many phases for the data, but never another order of magnitude
    assert np.all(found < 2.5 * by_lines)
