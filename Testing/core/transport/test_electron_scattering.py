"""Elastic scattering against closed forms and published behaviour."""

import numba
import numpy as np
import pytest

from RPTDosimetryLib.physics.bremsstrahlung import FINE_STRUCTURE
from RPTDosimetryLib.physics.klein_nishina import CLASSICAL_ELECTRON_RADIUS_CM, ELECTRON_REST_KEV
from RPTDosimetryLib.physics.materials import Material
from RPTDosimetryLib.transport.elastic_scattering import largest_soft_y, screening_parameter, transport_coefficients
from RPTDosimetryLib.transport.multiple_scattering import (
    LOG_SCREENING_NODES,
    deflection,
    scattering_table,
    single_scattering_moments,
)
from RPTDosimetryLib.transport.random_numbers import start_history

OXYGEN = Material("oxygen", 1.0, {"O": 1.0}, 95.0)


@numba.njit
def mean_powers(k1, screening_index, table, histories):
    rng = np.zeros(1, np.uint64)
    start_history(rng, 3, 0)
    total = np.zeros(4)
    row = 0
    for _ in range(histories):
        y, row = deflection(k1, screening_index, table, row, rng)
        second = 1.5 * y * (2.0 - y)
        total += np.array([y, y * y, second, second * second])
    return total / histories


@pytest.mark.parametrize("k1", [5e-4, 0.004, 0.03, 0.11, 0.4, 1.7])
@pytest.mark.parametrize("index", [0, 4, 7])
def test_deflections_have_the_moments_of_goudsmit_and_saunderson(k1, index):
    """⟨P_l⟩ = exp(−K_l) for l = 1, 2, where K_2/K_1 is the ratio of one collision."""
    histories = 400_000
    single = single_scattering_moments(float(np.exp(LOG_SCREENING_NODES[index])))
    y, y2, second, second2 = mean_powers(k1, float(index), scattering_table(), histories)
    error = np.sqrt(np.array([y2 - y * y, second2 - second**2]) / histories)
    assert y == pytest.approx(-np.expm1(-k1), abs=4 * error[0] + 1e-3 * y)
    # the second moment interpolates between nodes
    assert second == pytest.approx(-np.expm1(-k1 * single[2] / single[1]), abs=4 * error[1] + 0.012 * second)


@pytest.mark.parametrize("energy_kev", [20.0, 150.0, 1000.0])
def test_screened_rutherford_agrees_with_its_closed_form(energy_kev):
    """σ_tr = 2π r_e² Z(Z+1)/(β⁴γ²) · [ln(1 + 1/A) − 1/(1 + A)]."""
    a = screening_parameter(8, energy_kev)
    tau = energy_kev / ELECTRON_REST_KEV
    beta2 = tau * (tau + 2) / (tau + 1) ** 2
    closed = 2 * np.pi * CLASSICAL_ELECTRON_RADIUS_CM**2 * 72 / (beta2**2 * (1 + tau) ** 2)
    closed *= np.log(1 + 1 / a) - 1 / (1 + a)
    found = transport_coefficients(OXYGEN, np.array([energy_kev]), 10.0, "rutherford")[0, 0]
    assert found == pytest.approx(closed * 6.02214076e23 / 15.999, rel=1e-4)


def test_moments_of_one_collision_agree_with_their_closed_form():
    a = 1e-4
    assert single_scattering_moments(a)[1] == pytest.approx(2 * a * ((1 + a) * np.log(1 + 1 / a) - 1), rel=1e-6)


def test_hartree_fock_and_thomas_fermi_atoms_agree_where_spin_does_not_matter():
    """At 20 keV spin is worth 1 %; the two atoms and the electrons' share must agree within a few per cent."""
    energy = np.array([20.0])
    ratio = transport_coefficients(OXYGEN, energy, 10.0, "mott") / transport_coefficients(
        OXYGEN, energy, 10.0, "rutherford"
    )
    assert np.all(np.abs(ratio - 1) < 0.05)


def test_spin_lowers_scattering_of_fast_electrons():
    energy = np.array([1000.0])
    mott = transport_coefficients(OXYGEN, energy, 1e6, "mott")[0, 0]
    assert mott < transport_coefficients(OXYGEN, energy, 1e6, "rutherford")[0, 0]


def test_angle_of_a_small_transfer():
    """For W ≪ E: 1 − cos θ = mW/(E(E + 2m)) to first order."""
    energy, loss = 500.0, 0.01
    first_order = loss * ELECTRON_REST_KEV / (energy * (energy + 2 * ELECTRON_REST_KEV))
    assert largest_soft_y(energy, loss) == pytest.approx(first_order, rel=1e-3)


def test_molieres_screening_of_hydrogen():
    """A·p² is 1.13·(αmc)²/(4·0.885²) for Z = 1 at any energy: the Coulomb term is 2e-4 there."""
    light = [screening_parameter(1, e) * e * (e + 2 * ELECTRON_REST_KEV) for e in (100.0, 2000.0)]
    assert light[0] == pytest.approx(light[1], rel=1e-3)
    expected = 0.25 * 1.13 * (FINE_STRUCTURE * ELECTRON_REST_KEV / 0.88534) ** 2
    assert light[1] == pytest.approx(expected, rel=1e-3)
