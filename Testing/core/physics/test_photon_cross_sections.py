"""Photon cross sections against published NIST values and the Klein–Nishina formula's limits."""

import numpy as np
import pytest

from RPTDosimetryLib.errors import PhysicsDataError
from RPTDosimetryLib.physics.klein_nishina import incoherent_cross_section_cm2
from RPTDosimetryLib.physics.photon_cross_sections import (
    bound_fraction,
    electrons_per_g,
    form_factor_squared,
    mass_attenuation_cm2_per_g,
    mass_cross_sections,
)

WATER = {"H": 0.111894, "O": 0.888106}
CORTICAL_BONE = {
    "H": 0.034, "C": 0.155, "N": 0.042, "O": 0.435, "Na": 0.001, "Mg": 0.002, "P": 0.103, "S": 0.003, "Ca": 0.225,
}  # fmt: skip


@pytest.mark.parametrize(
    ("composition", "energy_kev", "published"),
    [
        # Hubbell and Seltzer, NISTIR 5632, tables of μ/ρ (with coherent scattering)
        (WATER, 10.0, 5.329), (WATER, 20.0, 0.8096), (WATER, 50.0, 0.2269), (WATER, 100.0, 0.1707),
        (WATER, 200.0, 0.1370), (WATER, 500.0, 0.09687), (WATER, 1000.0, 0.07072), (WATER, 2000.0, 0.04942),
        (CORTICAL_BONE, 10.0, 28.51), (CORTICAL_BONE, 50.0, 0.4242), (CORTICAL_BONE, 100.0, 0.1855),
        (CORTICAL_BONE, 200.0, 0.1309), ({"O": 1.0}, 100.0, 0.1551), ({"Ca": 1.0}, 10.0, 93.41),
        ({"Ca": 1.0}, 100.0, 0.2571), ({"I": 1.0}, 100.0, 1.942),
    ],
)  # fmt: skip
def test_attenuation_agrees_with_nist(composition, energy_kev, published):
    # at 2 MeV pair production (0.8 %) is left out
    tolerance = 0.012 if energy_kev == 2000.0 else 0.005
    found = mass_attenuation_cm2_per_g(composition, np.array([energy_kev]))[0]
    assert found == pytest.approx(published, rel=tolerance)


def test_shares_of_water_at_100_kev_agree_with_xcom():
    photoelectric, coherent, incoherent = mass_cross_sections(WATER, np.array([100.0]))[:, 0]
    assert photoelectric == pytest.approx(2.763e-3, rel=0.01)
    assert coherent == pytest.approx(5.349e-3, rel=0.01)
    assert incoherent == pytest.approx(0.1626, rel=0.003)


def test_absorption_edge_is_kept():
    below, above = mass_cross_sections({"Ca": 1.0}, np.array([4.038, 4.039]))[0]
    assert above / below == pytest.approx(8.7, rel=0.05)


def test_klein_nishina_total_at_its_limit_and_at_511_kev():
    thomson = 8 * np.pi / 3 * 2.8179403e-13**2
    assert incoherent_cross_section_cm2(np.array([1e-3]), None)[0] == pytest.approx(thomson, rel=1e-5)
    assert incoherent_cross_section_cm2(np.array([510.99895]), None)[0] == pytest.approx(2.8655e-25, rel=1e-4)


@pytest.mark.parametrize("composition", [WATER, CORTICAL_BONE])
def test_scattering_function_gives_the_tabulated_incoherent_cross_section(composition):
    energy = np.array([10.0, 30.0, 60.0, 113.0, 208.0, 364.0])
    bound = incoherent_cross_section_cm2(
        energy, lambda x: bound_fraction(composition, x.ravel()).reshape(x.shape), n_angles=200
    )
    assert electrons_per_g(composition) * bound == pytest.approx(mass_cross_sections(composition, energy)[2], rel=0.02)


def test_bound_fraction_runs_from_zero_to_one():
    share = bound_fraction(WATER, np.array([0.0, 0.01, 0.1, 1.0, 10.0, 100.0]))
    assert share[0] == 0.0
    assert np.all(np.diff(share) > 0)
    assert share[-1] == pytest.approx(1.0, abs=1e-3)


def test_form_factor_at_rest_counts_the_electrons():
    momentum, squared = form_factor_squared({"O": 1.0})
    assert momentum[0] == 0.0
    assert squared[0] == pytest.approx(64 * 6.02214076e23 / 15.999, rel=2e-3)


def test_electron_density_of_water():
    assert electrons_per_g(WATER) == pytest.approx(3.343e23, rel=1e-3)


@pytest.mark.parametrize("energy_kev", [0.5, 5000.0])
def test_energies_outside_the_tables_are_refused(energy_kev):
    with pytest.raises(PhysicsDataError, match="leave the tables"):
        mass_cross_sections(WATER, np.array([energy_kev]))


def test_unknown_element_is_named():
    with pytest.raises(PhysicsDataError, match="Uuo"):
        mass_cross_sections({"Uuo": 1.0}, np.array([100.0]))
