"""How fast electrons turn: transport coefficients of elastic scattering by atoms."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.physics.bremsstrahlung import FINE_STRUCTURE
from RPTDosimetryLib.physics.klein_nishina import CLASSICAL_ELECTRON_RADIUS_CM, ELECTRON_REST_KEV, KEV_ANGSTROM
from RPTDosimetryLib.physics.photon_cross_sections import atomic_numbers, atoms_per_g, element_tables
from RPTDosimetryLib.physics.stopping_powers import StoppingMedium, beta_squared
from RPTDosimetryLib.transport.transport_physics import ElasticModel

#: Thomas–Fermi radius over Bohr radius × Z^(1/3).
THOMAS_FERMI: Final = 0.88534
_Y: Final = np.concatenate([np.geomspace(1e-9, 0.02, 500), np.linspace(0.02, 2.0, 400)[1:]])


def transport_coefficients(
    medium: StoppingMedium, energy_kev: NDArray[np.float64], cut_kev: float, model: ElasticModel = "mott"
) -> NDArray[np.float64]:
    """(2, n): N_A/A ∫ (1 − P_l(μ)) dσ for l = 1, 2 [cm²/g], the inverse transport mean free paths.

    "mott": first Born approximation with Hartree–Fock form factors and the spin factor of McKinley and Feshbach (1948);
    atomic electrons with the incoherent scattering function, up to the angle of an energy transfer of cut_kev (larger
    ones are Møller collisions, simulated one by one). "rutherford": Molière's screening, no spin, Z² → Z(Z + 1).
    """
    energy = np.atleast_1d(np.asarray(energy_kev, dtype=float))
    coefficients = np.zeros((2, energy.size))
    for z, count in zip(atomic_numbers(medium.mass_fractions), atoms_per_g(medium.mass_fractions), strict=True):
        for column, one in enumerate(energy):
            strength = _hartree_fock(z, float(one), cut_kev) if model == "mott" else _thomas_fermi(z, float(one))
            coefficients[:, column] += count * _integrated(strength, float(one))
    return coefficients


def screening_parameter(z: int, energy_kev: float) -> float:
    """Molière's A in dσ ∝ 1/(1 − μ + 2A)²: A = ¼ (αmc/p)² Z^(2/3)/0.885² (1.13 + 3.76 (αZ/β)²). Molière 1947."""
    tau = energy_kev / ELECTRON_REST_KEV
    thomas_fermi = FINE_STRUCTURE**2 / (tau * (tau + 2)) * z ** (2 / 3) / THOMAS_FERMI**2
    return 0.25 * thomas_fermi * 1.13 * _beyond_born(z, energy_kev)


def _beyond_born(z: int, energy_kev: float) -> float:
    """By how much the screening grows beyond the first Born approximation: 1 + (3.76/1.13)·(αZ/β)². Molière 1947."""
    return 1 + 3.76 / 1.13 * (FINE_STRUCTURE * z) ** 2 / float(beta_squared(np.array(energy_kev)))


def _thomas_fermi(z: int, energy_kev: float) -> NDArray[np.float64]:
    """Squared effective charge on _Y: Z(Z + 1)·(y/(y + 2A))²."""
    return np.asarray(z * (z + 1) * (_Y / (_Y + 2 * screening_parameter(z, energy_kev))) ** 2)


def _hartree_fock(z: int, energy_kev: float, cut_kev: float) -> NDArray[np.float64]:
    """Squared effective charge on _Y: (Z − F)²·spin factor, and S for the electrons of the atom."""
    tables = element_tables()
    row = int(np.searchsorted(tables.z, z))
    tau = energy_kev / ELECTRON_REST_KEV
    beta = float(np.sqrt(beta_squared(np.array(energy_kev))))
    x = np.sqrt(_Y / 2) * np.sqrt(tau * (tau + 2)) * ELECTRON_REST_KEV / KEV_ANGSTROM
    charge = _unscreened_charge(x / np.sqrt(_beyond_born(z, energy_kev)), row)
    sine = np.sqrt(_Y / 2)
    spin = 1 - (beta * sine) ** 2 + np.pi * FINE_STRUCTURE * z * beta * sine * (1 - sine)
    x0, p, q = tables.scattering_function[row]
    electronic = z * (1 - (1 + (x / x0) ** p) ** -q)
    return np.asarray(charge**2 * spin + np.where(largest_soft_y(energy_kev, cut_kev) >= _Y, electronic, 0.0))


def _unscreened_charge(x: NDArray[np.float64], row: int) -> NDArray[np.float64]:
    """Z − F(x), proportional to x² below a small x, where the table is rounded."""
    tables = element_tables()
    charge = tables.z[row] - tables.form_factor[row].astype(float)
    first = 12
    start = tables.momentum_per_angstrom[first]
    inside = np.interp(np.maximum(x, start), tables.momentum_per_angstrom, charge)
    return np.asarray(inside * np.minimum(x / start, 1.0) ** 2)


def _integrated(strength: NDArray[np.float64], energy_kev: float) -> NDArray[np.float64]:
    """2π r_e²/(β⁴γ²) ∫ (1 − P_l)·strength/y² dy [cm²] for l = 1, 2."""
    tau = energy_kev / ELECTRON_REST_KEV
    beta2 = float(beta_squared(np.array(energy_kev)))
    unit = 2 * np.pi * CLASSICAL_ELECTRON_RADIUS_CM**2 / (beta2**2 * (1 + tau) ** 2)
    weights = np.array([_Y, 1.5 * _Y * (2 - _Y)])
    # ∫ dy as ∫ y d(ln y): smooth over the nine decades
    return np.asarray(unit * np.trapezoid(weights * strength / _Y, np.log(_Y), axis=1))


def largest_soft_y(energy_kev: float, cut_kev: float) -> float:
    """1 − cos θ of an electron that loses min(cut, E/2) to a free electron at rest."""
    loss = min(cut_kev, energy_kev / 2)
    twice = 2 * ELECTRON_REST_KEV
    cosine2 = (energy_kev - loss) * (energy_kev + twice) / (energy_kev * (energy_kev - loss + twice))
    return float(1 - np.sqrt(cosine2))
