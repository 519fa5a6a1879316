import pickle

import pytest

from RPTDosimetryLib.errors import PhysicsDataError
from RPTDosimetryLib.physics.materials import (
    Material,
    known_materials,
    material,
    mean_excitation_energy_ev,
)


# I values [eV] and densities that NIST lists for the ICRU-44 materials (X-ray mass attenuation coefficients, table 2).
@pytest.mark.parametrize(
    ("name", "energy_ev", "density"),
    [
        ("adipose", 64.8, 0.95),
        ("blood", 75.2, 1.06),
        ("cortical_bone", 112.0, 1.92),
        ("lung", 75.2, 0.26),
        ("muscle", 74.6, 1.05),
        ("soft_tissue", 74.7, 1.04),
        ("water", 75.0, 1.0),
        ("air", 85.7, 1.205e-3),
    ],
)
def test_mean_excitation_energy_and_density_are_the_tabulated_ones(name, energy_ev, density):
    assert material(name).mean_excitation_energy_ev == pytest.approx(energy_ev, rel=3e-3)
    assert material(name).density_g_per_cm3 == pytest.approx(density, rel=1e-3)


def test_bragg_additivity_gives_water_within_half_a_percent():
    assert mean_excitation_energy_ev(material("water").mass_fractions) == pytest.approx(75.0, rel=5e-3)


@pytest.mark.parametrize("name", known_materials())
def test_mass_fractions_add_up_to_one(name):
    assert sum(material(name).mass_fractions.values()) == pytest.approx(1.0, abs=2e-6)
    assert material(name).source


def test_electrons_per_gram_of_water():
    # 10 electrons per 18.015 g/mol
    fractions = material("water").mass_fractions
    assert fractions["H"] / 1.008 + fractions["O"] * 8 / 15.999 == pytest.approx(10 / 18.015, rel=1e-4)


@pytest.mark.parametrize("spelling", ["Soft Tissue", "soft-tissue", " soft_tissue "])
def test_spellings(spelling):
    assert material(spelling).name == "soft_tissue"


def test_density_can_be_chosen():
    assert material("soft_tissue").at_density(1.06).density_g_per_cm3 == 1.06
    assert material("soft_tissue").at_density(1.06).mass_fractions == material("soft_tissue").mass_fractions


def test_materials_travel_to_other_processes():
    assert pickle.loads(pickle.dumps(material("lung"))) == material("lung")


def test_unknown_material_is_refused_with_the_known_ones():
    with pytest.raises(PhysicsDataError, match=r"unobtainium.*water"):
        material("unobtainium")


@pytest.mark.parametrize(
    ("density", "fractions", "message"),
    [
        (0.0, {"H": 0.112, "O": 0.888}, "above 0"),
        (float("nan"), {"H": 0.112, "O": 0.888}, "above 0"),
        (1.0, {"H": 0.112, "O": 0.8}, "add up to 0.9120"),
        (1.0, {"H": -0.1, "O": 1.1}, "0 or more"),
        (1.0, {"H": 0.5, "Xx": 0.5}, "Xx"),
        (1.0, {"H": float("nan"), "O": 1.0}, "add up"),
    ],
)
def test_impossible_materials_are_refused(density, fractions, message):
    with pytest.raises(PhysicsDataError, match=message):
        Material("odd", density, fractions, 75.0)
