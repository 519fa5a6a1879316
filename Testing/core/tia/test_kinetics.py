"""Curves, fits, bands and the map in one go, equal to what the library's single steps give; and it travels."""

import pickle

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import ActivitySeries, Image, Voi
from RPTDosimetryLib.tia.bootstrap import BootstrapSettings, bootstrap_band
from RPTDosimetryLib.tia.integrate import integrate
from RPTDosimetryLib.tia.kinetics import KineticsChoice, kinetics
from RPTDosimetryLib.tia.settings import TiaSettings
from RPTDosimetryLib.tia.voi_curves import fit_vois

GRID = Grid((3, 4, 5), (4.0, 4.0, 4.0), (0.0, 0.0, 0.0))
TIME_S = np.array([4.0, 24.0, 72.0, 120.0]) * 3600
PHYSICAL = np.log(2) / 574300.0


@pytest.fixture
def series():
    rng = np.random.default_rng(4)
    start = rng.random(GRID.shape_zyx) * 1e5 + 1e4
    images = tuple(
        Image((start * np.exp(-3e-6 * t) * rng.normal(1, 0.03, start.shape)).astype(np.float32), GRID, "Bq/mL")
        for t in TIME_S
    )
    return ActivitySeries(images, TIME_S, "Lu-177", PHYSICAL)


@pytest.fixture
def vois():
    low = np.zeros(GRID.shape_zyx, bool)
    low[0] = True
    return [Voi("kidney", low, GRID), Voi("lesion", ~low, GRID, kind="lesion")]


def test_kinetics_are_those_of_the_single_steps(series, vois):
    settings = TiaSettings(bootstrap=100)
    found = kinetics(series, vois, KineticsChoice(settings))
    fits = fit_vois(series, vois, settings)
    for one in found.vois:
        assert one.tia_bq_s == fits[one.name].tia_bq_s
        assert one.model == fits[one.name].model
        np.testing.assert_array_equal(one.fitted_bq, fits[one.name].activity_bq_at(found.drawn_s))
    whole = integrate(series, vois, settings)
    np.testing.assert_array_equal(found.tia.image.voxels, whole.image.voxels)
    assert found.tia.parameters == whole.parameters


def test_one_voi_may_have_a_model_of_its_own(series, vois):
    found = kinetics(series, vois, KineticsChoice(TiaSettings(), {"lesion": "trapezoid"}))
    assert {one.name: one.model for one in found.vois}["lesion"] == "trapezoid"
    assert found.vois[0].model != "trapezoid"


def test_the_answer_travels_between_processes(series, vois):
    found = kinetics(series, vois)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.vois[0].fitted_bq, found.vois[0].fitted_bq)
    assert again.vois[0].figures() == found.vois[0].figures()


def test_a_band_holds_the_fit_and_shrinks_with_the_noise(curve):
    time_h = np.array([2.0, 4, 8, 24, 48, 72, 96, 120])
    noise = np.random.default_rng(1).normal(0, 1, time_h.size)
    at = np.array([1.0, 50.0, 150.0]) * 3600
    width = {}
    for share in (0.01, 0.04):
        noisy = curve(time_h, 80 * np.exp(-0.013 * time_h) * (1 + share * noise))
        low, high = bootstrap_band(noisy, "monoexponential", at, how=BootstrapSettings(replicates=100))
        assert (low < high).all()
        width[share] = (high - low)[1]
    assert width[0.04] / width[0.01] == pytest.approx(4, rel=0.15)  # linear in the noise; share of it by curvature


def test_a_band_where_the_line_is_straight_is_that_of_linear_theory(curve):
    """Known standard errors, dense scans: the band at a scan of a kim fit is that of the scan itself."""
    known = curve((4, 24, 69, 120), (10.0, 8.0, 5.0, 3.0), (0.5, 0.4, 0.3, 0.2))
    low, high = bootstrap_band(known, "trapezoid", np.array([24.0 * 3600]), how=BootstrapSettings(replicates=4000))
    assert (high - low)[0] == pytest.approx(2 * 1.96 * 0.4e6, rel=0.05)


def test_no_bootstrap_no_band_and_it_is_said(series, vois):
    one = kinetics(series, vois).vois[0]
    assert one.low_bq is None
    assert "no bootstrap" in one.band
