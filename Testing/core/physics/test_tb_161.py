"""Tb-161 against what others publish of it."""

import pytest

from RPTDosimetryLib.physics.nuclides import nuclide

TB = nuclide("Tb-161")
DAY_S = 86400


def test_the_half_life_is_that_of_the_measurements_of_this_decade():
    """6.953(2) d and 6.9637(29) d, Collins et al., Appl. Radiat. Isot. 182 (2022) 110140 (abstract gives both)."""
    assert TB.half_life_s / DAY_S == pytest.approx(6.953, abs=0.002)
    assert TB.half_life_s / DAY_S == pytest.approx(6.9637, rel=2e-3)
    # ICRP 107 and the evaluation of 2011 are 1 % shorter
    assert TB.half_life_s / DAY_S == pytest.approx(6.906, rel=0.01)
    assert TB.half_life_s / DAY_S == pytest.approx(6.89, rel=0.01)


# EJNMMI Phys 2020, 7:33 (doi 10.1186/s40658-020-00301-2), table 1, after ICRP 107: keV per decay.
@pytest.mark.parametrize(
    ("quantity", "published_kev", "tolerance"),
    [
        ("mean_beta_kev", 154.3, 5e-3),
        ("mean_conversion_kev", 39.28, 0.025),  # newer conversion coefficients
        ("mean_auger_kev", 8.94, 0.05),
        ("mean_electron_kev", 202.5, 5e-3),
        ("mean_photon_kev", 36.35, 0.015),
    ],
)
def test_energies_per_decay_are_the_published_ones(quantity, published_kev, tolerance):
    assert getattr(TB, quantity) == pytest.approx(published_kev, rel=tolerance)


def test_conversion_and_auger_electrons_are_a_quarter_of_the_electron_energy():
    assert TB.mean_conversion_kev + TB.mean_auger_kev == pytest.approx(39.28 + 8.94, rel=0.03)


def test_the_imaging_line_has_its_published_intensity():
    """75 keV at 10.2 % (same table)."""
    found = min(TB.photon_lines, key=lambda line: abs(line[0] - 75.0))
    assert found == pytest.approx((74.57, 0.102), rel=5e-3)


def test_mean_energies_of_the_electron_lines_are_of_the_published_size():
    """Weighted mean energy: conversion electrons 28 keV; they lie between 3.3 and 98.3 keV (same table)."""
    carried = [(energy, number) for energy, number in TB.conversion_lines if energy < 100.0]
    mean = sum(e * n for e, n in carried) / sum(n for _, n in carried)
    assert mean == pytest.approx(28.0, rel=0.05)
    assert min(energy for energy, number in carried if number > 1e-3) >= 3.2
