"""Electron stopping powers against ESTAR (ICRU report 37) and against their own integral identities."""

import numpy as np
import pytest

from RPTDosimetryLib.physics.materials import Material
from RPTDosimetryLib.physics.stopping_powers import (
    collision_stopping_power,
    csda_range_g_per_cm2,
    density_effect,
    radiative_stopping_power,
)
from RPTDosimetryLib.transport.transport_tables import brems_cross_section, moller_cross_section

WATER = Material("water", 1.0, {"H": 0.111894, "O": 0.888106}, 75.0)
ALUMINIUM = Material("aluminium", 2.699, {"Al": 1.0}, 166.0)


@pytest.mark.parametrize(
    ("medium", "energy_kev", "estar"),
    [
        # collision stopping power [MeV cm²/g]
        (WATER, 10.0, 22.56), (WATER, 20.0, 13.17), (WATER, 50.0, 6.603), (WATER, 100.0, 4.115),
        (WATER, 200.0, 2.793), (WATER, 500.0, 2.034), (WATER, 1000.0, 1.849), (WATER, 2000.0, 1.824),
        (ALUMINIUM, 10.0, 16.49), (ALUMINIUM, 100.0, 3.177), (ALUMINIUM, 1000.0, 1.465),
    ],
)  # fmt: skip
def test_collision_stopping_power_agrees_with_estar(medium, energy_kev, estar):
    found = collision_stopping_power(medium, np.array([energy_kev]))[0] / 1e3
    assert found == pytest.approx(estar, rel=0.003)


@pytest.mark.parametrize(
    ("energy_kev", "estar"), [(100.0, 4.228e-3), (500.0, 7.257e-3), (1000.0, 1.280e-2), (2000.0, 2.678e-2)]
)
def test_radiative_stopping_power_of_water_agrees_with_estar(energy_kev, estar):
    # spectra within 4 % of Seltzer and Berger for C and O
    assert radiative_stopping_power(WATER, np.array([energy_kev]))[0] / 1e3 == pytest.approx(estar, rel=0.035)


@pytest.mark.parametrize(
    ("energy_kev", "estar"), [(50.0, 4.320e-3), (100.0, 1.431e-2), (500.0, 0.1766), (1000.0, 0.4367), (2000.0, 0.9785)]
)
def test_csda_range_of_water_agrees_with_estar(energy_kev, estar):
    assert csda_range_g_per_cm2(WATER, np.array([energy_kev]))[0] == pytest.approx(estar, rel=0.003)


def test_density_effect_sets_in_above_half_an_mev_in_water():
    # Sternheimer's onset for water: βγ = 10^0.24, E = 0.52 MeV
    delta = density_effect(WATER).delta(np.array([300.0, 500.0, 1000.0, 2000.0]))
    assert delta[:2] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert 0.15 < delta[2] < 0.35
    assert 0.7 < delta[3] < 0.9


@pytest.mark.parametrize("energy_kev", [25.0, 100.0, 600.0, 2200.0])
def test_losses_below_and_above_the_cut_add_up(energy_kev):
    """S − L(Δ) must be the energy that Møller collisions above Δ carry: −∫ W dσ by integrating σ(>W) over W."""
    cut = 10.0
    energy = np.array([energy_kev])
    above = collision_stopping_power(WATER, energy) - collision_stopping_power(WATER, energy, cut)
    transfer = np.linspace(cut, energy_kev / 2, 4000)
    number = np.array([moller_cross_section(WATER, energy, one)[0] for one in transfer])
    assert np.trapezoid(number, transfer) + cut * number[0] == pytest.approx(above[0], rel=1e-4)


def test_photons_below_and_above_the_cut_add_up():
    energy = np.array([1000.0])
    above = radiative_stopping_power(WATER, energy) - radiative_stopping_power(WATER, energy, 5.0)
    photon = np.geomspace(5.0, 999.9, 3000)
    number = np.array([brems_cross_section(WATER, energy, one)[0] for one in photon])
    assert np.trapezoid(number, photon) + 5.0 * number[0] == pytest.approx(above[0], rel=2e-3)
