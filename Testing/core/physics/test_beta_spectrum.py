import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPTDosimetryLib.errors import PhysicsDataError
from RPTDosimetryLib.physics.beta_spectrum import BetaBranch, beta_density_per_kev, fermi_function

ALLOWED, NON_UNIQUE, UNIQUE = "allowed", "first_forbidden_non_unique", "first_forbidden_unique"


def mean_kev(branch: BetaBranch) -> float:
    energy = np.linspace(0.0, branch.end_point_kev, 40001)
    density = beta_density_per_kev(energy, branch)
    return float((energy * density).sum() / density.sum())


def branch(end_point_kev: float, kind: str, z: int, a: int) -> BetaBranch:
    return BetaBranch(end_point_kev, 1.0, kind, z, a)


# Mean energies that ENSDF prints (program LOGFT): Kondev 2019, Khazov 2006, Singh 2020, Reich 2011.
@pytest.mark.parametrize(
    ("end_point", "kind", "z", "a", "mean", "tolerance"),
    [
        (496.8, NON_UNIQUE, 72, 177, 148.84, 1e-3),
        (383.9, NON_UNIQUE, 72, 177, 111.20, 1e-3),
        (175.5, ALLOWED, 72, 177, 47.23, 1e-3),
        (606.3, ALLOWED, 54, 131, 191.58, 1e-3),
        (333.8, ALLOWED, 54, 131, 96.62, 1e-3),
        (247.9, ALLOWED, 54, 131, 69.36, 1e-3),
        (174.762, NON_UNIQUE, 66, 161, 47.2, 2e-3),
        (2278.5, UNIQUE, 40, 90, 932.4, 2.5e-3),
        (517.8, UNIQUE, 40, 90, 184.59, 5e-3),
        (806.9, UNIQUE, 54, 131, 283.24, 8e-3),
    ],
)
def test_mean_energy_of_a_branch_is_the_evaluated_one(end_point, kind, z, a, mean, tolerance):
    assert mean_kev(branch(end_point, kind, z, a)) == pytest.approx(mean, rel=tolerance)


# BetaShape 2.4 (Mougeot 2023), which adds finite size, screening and exchange: what this leaves out is below 0.8 %.
@pytest.mark.parametrize(
    ("end_point", "kind", "z", "a", "mean"),
    [
        (496.8, NON_UNIQUE, 72, 177, 147.75),
        (383.8, NON_UNIQUE, 72, 177, 110.23),
        (606.3, ALLOWED, 54, 131, 190.49),
        (2278.7, UNIQUE, 40, 90, 928.8),
    ],
)
def test_mean_energy_is_close_to_betashape(end_point, kind, z, a, mean):
    assert mean_kev(branch(end_point, kind, z, a)) == pytest.approx(mean, rel=9e-3)


def test_slow_limit_without_charge_is_a_third_of_the_end_point():
    # √E (Q − E)²: mean = Q·B(5/2, 3)/B(3/2, 3) = Q/3
    assert mean_kev(branch(0.05, ALLOWED, 0, 3)) == pytest.approx(0.05 / 3, rel=1e-4)


def test_fast_limit_without_charge_is_half_of_the_end_point():
    assert mean_kev(branch(1e6, ALLOWED, 0, 3)) == pytest.approx(5e5, rel=1e-3)


def test_fermi_function_of_no_charge_is_one():
    energy = np.array([1.0, 100.0, 2000.0])
    assert fermi_function(energy, branch(2500.0, ALLOWED, 0, 90)) == pytest.approx(np.ones(3), rel=1e-12)


def test_fermi_function_approaches_the_gamow_factor_at_low_energy_and_charge():
    energy, z = np.array([1.0]), 2
    eta = 7.2973525693e-3 * z * (1 + 1 / 510.999) / math.sqrt((1 + 1 / 510.999) ** 2 - 1)
    gamow = 2 * math.pi * eta / (1 - math.exp(-2 * math.pi * eta))
    assert fermi_function(energy, branch(18.6, ALLOWED, z, 3))[0] == pytest.approx(gamow, rel=3e-3)


@given(
    end_point=st.floats(20.0, 3000.0),
    z=st.integers(1, 90),
    kind=st.sampled_from([ALLOWED, NON_UNIQUE, UNIQUE]),
)
def test_any_spectrum_is_positive_inside_and_zero_outside_its_end_point(end_point, z, kind):
    any_branch = branch(end_point, kind, z, 2 * z + 10)
    inside = beta_density_per_kev(np.linspace(0.001, 0.999, 50) * end_point, any_branch)
    outside = beta_density_per_kev(np.array([-1.0, 0.0, end_point, 1.1 * end_point]), any_branch)
    assert np.isfinite(inside).all()
    assert (inside > 0).all()
    assert (outside == 0).all()


@pytest.mark.parametrize(
    ("end_point", "intensity", "kind"), [(0.0, 1.0, ALLOWED), (100.0, -0.1, ALLOWED), (100.0, 1.0, "second")]
)
def test_a_branch_that_cannot_be_is_refused(end_point, intensity, kind):
    with pytest.raises(PhysicsDataError):
        BetaBranch(end_point, intensity, kind, 72, 177)
