"""Point kernels: conservation, limits of range and attenuation, repeatability."""

import numpy as np
import pytest

from RPTDosimetryLib.errors import CancelledError, TransportError
from RPTDosimetryLib.physics.klein_nishina import incoherent_cross_section_cm2
from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.physics.photon_cross_sections import mass_attenuation_cm2_per_g
from RPTDosimetryLib.physics.stopping_powers import csda_range_g_per_cm2
from RPTDosimetryLib.transport.multiple_scattering import scattering_table
from RPTDosimetryLib.transport.particle_moves import ELECTRON, PHOTON
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, PHOTON_KIND
from RPTDosimetryLib.transport.point_histories import room_for_histories, run_point_source
from RPTDosimetryLib.transport.point_kernel import (
    N_SHELLS,
    PointKernelSettings,
    shell_edges_mm,
    simulate_point_kernel,
    uniform_scene,
)
from RPTDosimetryLib.transport.transport_physics import TransportPhysics
from RPTDosimetryLib.transport.transport_tables import electron_tables, photon_tables

SMALL = PointKernelSettings(electron_histories=8_000, photon_histories=8_000, batches=4)


@pytest.fixture(scope="module")
def shells(one_line):
    """Energy by part and shell [keV] of one line in a material, and the energy emitted."""

    def run(kind, energy_kev, name="water", histories=4000, physics=None):
        where, physics = material(name), physics or TransportPhysics()
        score = np.zeros((3, N_SHELLS + 1))
        emitted = run_point_source(
            kind, ELECTRON if kind == ELECTRON_KIND else PHOTON, one_line(energy_kev), (0, histories, histories),
            electron_tables([where], physics), photon_tables([where], physics), scattering_table(),
            uniform_scene(where.density_g_per_cm3), 11, score, *room_for_histories(),
        )  # fmt: skip
        return score, emitted

    return run


@pytest.mark.parametrize(("nuclide", "name"), [("Lu-177", "lung"), ("Y-90", "cortical_bone"), ("I-131", "water")])
def test_energy_is_conserved(nuclide, name):
    kernel = simulate_point_kernel(nuclide, material(name), SMALL)
    assert abs(kernel.balance) < 1e-9
    # 80 g/cm² hold all but a few per cent of the photons' energy
    assert kernel.electron_escaped_kev < 1e-3 * kernel.electron_emitted_kev
    assert kernel.photon_escaped_kev <= 0.02 * kernel.photon_emitted_kev
    assert np.all(kernel.bremsstrahlung_kev <= kernel.electron_kev)


@pytest.mark.parametrize("energy_kev", [60.0, 400.0])
def test_electrons_stop_within_their_csda_range(shells, energy_kev):
    score, emitted = shells(ELECTRON_KIND, energy_kev)
    edges_cm = shell_edges_mm(1.0) / 10
    longest = csda_range_g_per_cm2(material("water"), np.array([energy_kev]))[0]
    # straggling lets the ones without a Møller collision above the cut get a little further than the mean
    beyond = np.searchsorted(edges_cm, longest * 1.12)
    assert score[ELECTRON, beyond:].sum() == 0.0
    half = np.searchsorted(edges_cm, longest * 0.5)
    assert 0.3 < score[ELECTRON, half:].sum() / emitted < 0.6


def test_emitted_energy_below_the_cut_stays_at_the_source(shells):
    score, emitted = shells(ELECTRON_KIND, 9.0)
    assert score[ELECTRON, 0] == pytest.approx(emitted, rel=1e-12)


def test_photons_of_20_kev_are_absorbed_as_beer_and_lambert_say(shells):
    """In bone at 20 keV nearly all is photoelectric: the energy within r is at least that of first collisions that
    absorb, at most 1 − exp(−µr)."""
    score, emitted = shells(PHOTON_KIND, 20.0, "cortical_bone", 20_000)
    where = material("cortical_bone")
    edges_cm = shell_edges_mm(where.density_g_per_cm3) / 10
    shell = int(np.searchsorted(edges_cm, 0.15))
    within = score[PHOTON, :shell].sum() / emitted
    mu = mass_attenuation_cm2_per_g(where.mass_fractions, np.array([20.0]))[0] * where.density_g_per_cm3
    reached = 1 - np.exp(-mu * edges_cm[shell])
    assert 0.9 * reached < within < reached + 0.01


@pytest.mark.parametrize("energy_kev", [113.0, 208.4, 364.5])
def test_energy_near_the_source_is_the_published_energy_absorption(shells, energy_kev):
    """Well within one mean free path the first collision counts: dE/dr = E·µ_en (NIST, water, µ_en/ρ)."""
    published = {113.0: 0.0261, 208.4: 0.0299, 364.5: 0.0326}[energy_kev]
    at_once = TransportPhysics(secondary_range_cut_g_per_cm2=10.0)
    score, emitted = shells(PHOTON_KIND, energy_kev, histories=150_000, physics=at_once)
    edges_cm = shell_edges_mm(1.0) / 10
    near = int(np.searchsorted(edges_cm, 0.5))
    buildup = 1 + 0.5 * edges_cm[near] * 0.14  # scattered photons add about µr/2 of theirs
    found = score[PHOTON, :near].sum() / emitted / edges_cm[near]
    assert found == pytest.approx(published * buildup, rel=0.05)


def test_compton_electrons_take_the_mean_energy_of_klein_nishina(shells):
    """Photons of 600 keV in water, first 2 mm: nearly every loss is a first Compton recoil of a free electron."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    k = 600.0 / 510.99895
    ratio = 1 / (1 + k * (1 - nodes))
    per_angle = ratio**2 * (ratio + 1 / ratio - (1 - nodes**2))
    share = np.sum(weights * per_angle * (1 - ratio)) / np.sum(weights * per_angle)
    sigma = 3.3428e23 * incoherent_cross_section_cm2(np.array([600.0]), None)[0]
    at_once = TransportPhysics(secondary_range_cut_g_per_cm2=10.0)
    score, emitted = shells(PHOTON_KIND, 600.0, histories=200_000, physics=at_once)
    edges_cm = shell_edges_mm(1.0) / 10
    near = int(np.searchsorted(edges_cm, 0.2))
    found = score[PHOTON, :near].sum() / emitted / edges_cm[near]
    error = 1 / np.sqrt(200_000 * sigma * edges_cm[near])
    assert found == pytest.approx(share * sigma, rel=3 * error + 0.01)


def test_result_depends_on_the_seed_and_not_on_the_threads(monkeypatch):
    first = simulate_point_kernel("Lu-177", material("water"), SMALL)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    again = simulate_point_kernel("Lu-177", material("water"), SMALL)
    np.testing.assert_array_equal(first.electron_kev, again.electron_kev)
    np.testing.assert_array_equal(first.photon_kev, again.photon_kev)
    other = simulate_point_kernel("Lu-177", material("water"), PointKernelSettings(8_000, 8_000, 4, seed=2))
    assert not np.array_equal(first.electron_kev, other.electron_kev)


def test_radii_scale_with_density():
    """The same mass per area holds the same energy: shells at another density are other radii of the same kernel."""
    thin = material("water").at_density(0.5)
    dense, light = (simulate_point_kernel("I-131", where, SMALL) for where in (material("water"), thin))
    assert light.radius_mm == pytest.approx(2 * dense.radius_mm)
    here, there = dense.electron_kev.mean(axis=0).cumsum(), light.electron_kev.mean(axis=0).cumsum()
    # only the density effect differs, and below 0.6 MeV there is none
    assert np.abs(here - there).max() < 0.01 * dense.electron_emitted_kev


def test_batches_scatter_as_their_error_says():
    kernel = simulate_point_kernel("Lu-177", material("water"), PointKernelSettings(40_000, 40_000, 20))
    beyond = kernel.photon_kev[:, np.searchsorted(kernel.radius_mm, 20.0) :].sum(axis=1)
    assert 0.001 < beyond.std() / beyond.mean() < 0.05


def test_cancelling_keeps_nothing():
    with pytest.raises(CancelledError, match="Lu-177 in water"):
        simulate_point_kernel("Lu-177", material("water"), SMALL, cancelled=lambda: True)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: PointKernelSettings(batches=1),
        lambda: PointKernelSettings(electron_histories=0),
        lambda: TransportPhysics(electron_cut_kev=0.1),
        lambda: TransportPhysics(photon_cut_kev=100.0),
        lambda: TransportPhysics(steps_per_e_fold=1000.0),
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(TransportError):
        wrong()
