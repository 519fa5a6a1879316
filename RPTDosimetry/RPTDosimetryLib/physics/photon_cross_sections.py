"""Photon cross sections, form factors and scattering functions of elements and mixtures, 1 keV to 3 MeV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import PhysicsDataError

AVOGADRO_PER_MOL: Final = 6.02214076e23
ATOMIC_NUMBER: Final = {
    "H": 1, "C": 6, "N": 7, "O": 8, "F": 9, "Na": 11, "Mg": 12, "Al": 13, "Si": 14, "P": 15, "S": 16, "Cl": 17,
    "Ar": 18, "K": 19, "Ca": 20, "Ti": 22, "Fe": 26, "Cu": 29, "Zn": 30, "I": 53,
}  # fmt: skip
_FILE = Path(__file__).parent / "data" / "photon_cross_sections.npz"


@dataclass(frozen=True)
class ElementTables:
    """The generated tables. Axis 0 is the element; cross sections: photoelectric, coherent, incoherent [cm²/g].

    Made by physics/generate_tables.py from Elam et al. 2002 (cross sections) and Waasmaier and Kirfel 1995 (form
    factors); scattering_function holds (x0, p, q) of S = Z(1 − (1 + (x/x0)^p)^(−q)), fitted so that Klein–Nishina with
    S reproduces the incoherent cross sections.
    """

    z: NDArray[np.int64]
    atomic_mass_g: NDArray[np.float64]
    energy_kev: NDArray[np.float64]
    cross_section_cm2_per_g: NDArray[np.float32]
    momentum_per_angstrom: NDArray[np.float64]
    form_factor: NDArray[np.float32]
    scattering_function: NDArray[np.float64]


@lru_cache(maxsize=1)
def element_tables() -> ElementTables:
    """The tables of the package. Raises PhysicsDataError if the file is missing or damaged."""
    try:
        with np.load(_FILE) as stored:
            return ElementTables(**{name: stored[name] for name in stored.files})
    except (OSError, TypeError, ValueError) as error:
        raise PhysicsDataError(f"{_FILE} cannot be read ({error}). Install the package again.") from error


def atomic_numbers(mass_fractions: Mapping[str, float]) -> list[int]:
    """Z of each element. Raises PhysicsDataError for one without tables."""
    unknown = [symbol for symbol in mass_fractions if symbol not in ATOMIC_NUMBER]
    if unknown:
        raise PhysicsDataError(
            f"No cross sections for {', '.join(unknown)}: known are {', '.join(ATOMIC_NUMBER)}. "
            "Leave the element out or add it to physics/generate_tables.py."
        )
    return [ATOMIC_NUMBER[symbol] for symbol in mass_fractions]


def _rows(mass_fractions: Mapping[str, float]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    tables = element_tables()
    rows = np.searchsorted(tables.z, atomic_numbers(mass_fractions))
    weights = np.array(list(mass_fractions.values()), dtype=float)
    return rows, weights / weights.sum()


def mass_cross_sections(mass_fractions: Mapping[str, float], energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, n) photoelectric, coherent and incoherent cross section of a mixture [cm²/g], log-log interpolated.

    Σ w_i (σ/ρ)_i. Raises PhysicsDataError outside 1 to 3000 keV.
    """
    tables = element_tables()
    energy = np.atleast_1d(np.asarray(energy_kev, dtype=float))
    if energy.size and (energy.min() < tables.energy_kev[0] or energy.max() > tables.energy_kev[-1] * (1 + 1e-9)):
        raise PhysicsDataError(
            f"Photon energies {energy.min():.4g} to {energy.max():.4g} keV leave the tables (1 to 3000 keV)."
        )
    rows, weights = _rows(mass_fractions)
    log_energy = np.log(tables.energy_kev)
    total = np.zeros((3, energy.size))
    for row, weight in zip(rows, weights, strict=True):
        for kind in range(3):
            log_value = np.log(tables.cross_section_cm2_per_g[row, kind].astype(float))
            total[kind] += weight * np.exp(np.interp(np.log(energy), log_energy, log_value))
    return total


def mass_attenuation_cm2_per_g(
    mass_fractions: Mapping[str, float], energy_kev: NDArray[np.float64]
) -> NDArray[np.float64]:
    """μ/ρ with coherent scattering [cm²/g] (no pair production)."""
    return mass_cross_sections(mass_fractions, energy_kev).sum(axis=0)


def electrons_per_g(mass_fractions: Mapping[str, float]) -> float:
    """N_A Σ w_i Z_i/A_i [1/g]."""
    tables = element_tables()
    rows, weights = _rows(mass_fractions)
    return float(AVOGADRO_PER_MOL * np.sum(weights * tables.z[rows] / tables.atomic_mass_g[rows]))


def atoms_per_g(mass_fractions: Mapping[str, float]) -> NDArray[np.float64]:
    """N_A w_i/A_i [1/g], in the order of the mixture."""
    tables = element_tables()
    rows, weights = _rows(mass_fractions)
    return AVOGADRO_PER_MOL * weights / tables.atomic_mass_g[rows]


def bound_fraction(
    mass_fractions: Mapping[str, float], momentum_per_angstrom: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Σ n_i S(x, Z_i) / Σ n_i Z_i: 0 at x = 0, 1 where the electrons scatter as if free. x = sin(θ/2)/λ [Å⁻¹]."""
    tables = element_tables()
    rows, _ = _rows(mass_fractions)
    electrons = atoms_per_g(mass_fractions) * tables.z[rows]
    x0, p, q = tables.scattering_function[rows].T[:, :, None]
    share = 1 - (1 + (np.atleast_1d(momentum_per_angstrom)[None, :] / x0) ** p) ** -q
    return electrons @ share / electrons.sum()


def form_factor_squared(mass_fractions: Mapping[str, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Momentum x [Å⁻¹] and Σ n_i F²(x, Z_i) [1/g] of the mixture (independent atoms)."""
    tables = element_tables()
    rows, _ = _rows(mass_fractions)
    squared = tables.form_factor[rows].astype(float) ** 2
    return tables.momentum_per_angstrom, atoms_per_g(mass_fractions) @ squared
