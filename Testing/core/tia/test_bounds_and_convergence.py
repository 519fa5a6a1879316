"""λ_eff is never below λ_phys without a word, and a search that was stopped does not pass for a result."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.configuration import settings_from
from RPTDosimetryLib.errors import ConfigurationError, KineticsError
from RPTDosimetryLib.records import TimeActivityCurve
from RPTDosimetryLib.tia import exponential_fit
from RPTDosimetryLib.tia.integrate import integrate
from RPTDosimetryLib.tia.registry import model_names
from RPTDosimetryLib.tia.selection import fit_curve
from RPTDosimetryLib.tia.settings import FitSettings, TiaSettings
from RPTDosimetryLib.tia.voi_curves import fit_vois

LAMBDA_PHYS_PER_S = float(np.log(2)) / (6.647 * 86400)
TIME_H = np.array([4.0, 24.0, 48.0, 72.0, 96.0, 140.0])
SLOWEST = ("lambda_eff_per_s", "lambda1_eff_per_s", "tail_lambda_eff_per_s")


@pytest.mark.parametrize("name", model_names())
@settings(max_examples=12, deadline=None)
@given(activity=st.lists(st.floats(0.05, 100.0), min_size=6, max_size=6))
def test_no_model_ever_clears_more_slowly_than_it_decays(name, activity):
    found = TimeActivityCurve(TIME_H * 3600, np.array(activity) * 1e6, "Lu-177", LAMBDA_PHYS_PER_S)
    fit = fit_curve(found, name, FitSettings(population_half_life_h=60.0, tail="last_two_points"))
    slowest = next(fit.parameters[key] for key in SLOWEST if key in fit.parameters)
    assert slowest >= LAMBDA_PHYS_PER_S * (1 - 1e-9)
    assert fit.tia_bq_s > 0


@pytest.mark.parametrize(
    "name", ["monoexponential", "monoexponential_uptake", "two_point", "mansouri", "trapezoid", "biexponential"]
)
@settings(max_examples=10, deadline=None)
@given(half_life_share=st.floats(1.05, 50.0))
def test_a_curve_slower_than_physical_decay_is_held_there_and_it_is_said(name, half_life_share):
    activity = 5e7 * np.exp(-LAMBDA_PHYS_PER_S / half_life_share * TIME_H * 3600)
    found = TimeActivityCurve(TIME_H * 3600, activity, "Lu-177", LAMBDA_PHYS_PER_S)
    fit = fit_curve(found, name, FitSettings(tail="last_two_points"))
    slowest = next(fit.parameters[key] for key in SLOWEST if key in fit.parameters)
    assert slowest == pytest.approx(LAMBDA_PHYS_PER_S, rel=1e-9)
    assert any("λ_phys" in text for text in fit.warnings)


@pytest.mark.parametrize("half_life_h", [160.0, 1e4])
@pytest.mark.parametrize("key", ["population_half_life_h", "tail_half_life_h"])
def test_a_half_life_given_longer_than_the_physical_one_is_refused(key, half_life_h, curve):
    name = "madsen" if key.startswith("population") else "mansouri"
    with pytest.raises(KineticsError, match="longer than the physical"):
        fit_curve(curve(TIME_H, 5 * 2 ** (-TIME_H / 50)), name, FitSettings(**{key: half_life_h}))


@pytest.fixture
def stopped(monkeypatch):
    """The search may make one step only."""
    monkeypatch.setattr(exponential_fit, "ROUGH", {**exponential_fit.ROUGH, "max_nfev": 1})
    monkeypatch.setattr(exponential_fit, "TIGHT", {**exponential_fit.TIGHT, "max_nfev": 1})


def test_a_fit_that_does_not_converge_says_so_and_has_no_uncertainty(stopped, curve):
    time_h = np.array([4.0, 24, 48, 72, 120, 168])
    fit = fit_curve(curve(time_h, 100 * (np.exp(-0.012 * time_h) - np.exp(-0.07 * time_h))), "monoexponential_uptake")
    assert "did not converge" in fit.warnings[0]
    assert fit.tia_se_bq_s is None
    assert fit.aicc is None
    assert fit.tia_bq_s > 0


def test_fits_that_do_not_converge_take_no_part_in_the_choice(stopped, curve):
    time_h = np.array([4.0, 24, 48, 72, 120, 168])
    fit = fit_curve(curve(time_h, 100 * (np.exp(-0.012 * time_h) - np.exp(-0.07 * time_h))))
    assert "too few to choose by AICc" in fit.warnings[0]
    assert any("did not converge" in text for text in fit.warnings)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.005, 0.03), st.floats(0.08, 0.8), st.integers(0, 10**6))
def test_ordinary_curves_converge(lam, mu, seed):
    assume(mu > 3 * lam)
    noise = 1 + 0.05 * np.random.default_rng(seed).standard_normal(TIME_H.size)
    activity = 1e8 * (np.exp(-lam * TIME_H) - np.exp(-mu * TIME_H)) * noise
    found = TimeActivityCurve(TIME_H * 3600, activity, "Lu-177", LAMBDA_PHYS_PER_S)
    for name in ("monoexponential", "monoexponential_uptake"):
        assert not any("converge" in text for text in fit_curve(found, name).warnings)


def test_models_by_kind_of_voi_replace_the_common_one(series, voi):
    time_h = (4.0, 24.0, 69.0, 120.0)
    images = series(time_h, [np.full((4, 4, 4), 1e5 * 2 ** (-t / 60)) for t in time_h])
    vois = [voi(images, kind, np.s_[:2], kind) for kind in ("organ", "lesion", "region")]
    found = fit_vois(images, vois, TiaSettings(voi_model="kim", lesion_model="monoexponential", region_model="auto"))
    assert [found[kind].model for kind in ("organ", "lesion", "region")] == ["kim", "monoexponential", "trapezoid"]


def test_the_lesions_mansouri_takes_the_half_life_of_its_voxels(series, voi):
    time_h = (4.0, 24.0, 69.0, 120.0)
    images = series(time_h, [np.full((4, 4, 4), 1e5 * 2 ** (-t / 60)) for t in time_h])
    found = fit_vois(images, [voi(images, "l", np.s_[:2], "lesion")], TiaSettings(lesion_model="mansouri"))
    assert np.log(2) / found["l"].parameters["lambda_eff_per_s"] / 3600 == pytest.approx(60.0, rel=1e-5)


def test_a_bootstrap_of_vois_gives_an_interval_or_says_why_not(series, voi):
    time_h = (4.0, 24.0, 69.0, 120.0)
    noise = np.random.default_rng(1).normal(1.0, 0.03, 4)
    images = series(time_h, [np.full((4, 4, 4), 1e5 * 2 ** (-t / 60) * n) for t, n in zip(time_h, noise, strict=True)])
    vois = [voi(images, "organ", np.s_[:2])]
    fitted = fit_vois(images, vois, TiaSettings(voi_model="monoexponential", bootstrap=200, bootstrap_seed=3))["organ"]
    low, high = fitted.tia_interval_bq_s
    assert low < fitted.tia_bq_s < high
    assert fitted.bootstrap_se_bq_s == pytest.approx(fitted.tia_se_bq_s, rel=0.3)
    again = fit_vois(images, vois, TiaSettings(voi_model="monoexponential", bootstrap=200, bootstrap_seed=3))["organ"]
    assert again.tia_interval_bq_s == fitted.tia_interval_bq_s
    lines = fit_vois(images, vois, TiaSettings(voi_model="kim", bootstrap=200))["organ"]
    assert lines.tia_interval_bq_s is None
    assert "leaves no residuals" in lines.warnings[-1]


def test_too_few_replicates_are_refused():
    with pytest.raises(ConfigurationError, match="bootstrap = 3: 0 for none, or at least 100"):
        TiaSettings(bootstrap=3)


@pytest.mark.parametrize("name", model_names())
def test_every_model_of_the_map_is_reached_from_the_run_settings(name, series, voi):
    """[tia] model = …: with the half-lives of the VOIs (mansouri) as well as free fits of each voxel."""
    table = {"tia": {"model": name, "population_half_life_h": 60.0, "lesion_model": name}}
    chosen = settings_from(table, "run.toml").tia
    images = series(TIME_H, [np.full((2, 4, 4), 1e5 * 2 ** (-t / 60)) for t in TIME_H])
    tia = integrate(images, [voi(images, "organ", np.s_[:1])], chosen)
    assert tia.model == name
    assert tia.image.unit == "Bq·s"
    assert ("voi_effective_half_life_h" in tia.parameters) == (name == "mansouri")
    exact = 1e5 * 0.08 * 60 * 3600 / np.log(2)
    # trapezoids before and physical tails after the scans are known to differ
    np.testing.assert_allclose(tia.image.voxels, exact, rtol=0.6 if name in ("kim", "trapezoid") else 0.07)


def test_an_unknown_model_for_a_kind_is_refused():
    with pytest.raises(ConfigurationError, match=r"tia.lesion_model = 'expo'"):
        settings_from({"tia": {"lesion_model": "expo"}}, "run.toml")
