"""Electron stopping powers: Bethe with density effect, its part below a cut-off, bremsstrahlung, and CSDA ranges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from RPTDosimetryLib.physics.bremsstrahlung import radiative_loss_kev_cm2
from RPTDosimetryLib.physics.klein_nishina import CLASSICAL_ELECTRON_RADIUS_CM, ELECTRON_REST_KEV
from RPTDosimetryLib.physics.photon_cross_sections import atomic_numbers, atoms_per_g, electrons_per_g

#: Plasma energy of one electron per cm³: ħ·sqrt(4π r_e c²) [eV cm^1.5].
PLASMA_ENERGY_EV: Final = 3.7133e-11
_SHELLS = Path(__file__).parent / "data" / "electron_shells.json"


class StoppingMedium(Protocol):
    """What stopping powers need of a material."""

    @property
    def density_g_per_cm3(self) -> float:
        """Density, for the density effect."""

    @property
    def mass_fractions(self) -> Mapping[str, float]:
        """Element symbol to mass fraction."""

    @property
    def mean_excitation_energy_ev(self) -> float:
        """I value [eV]."""


@lru_cache(maxsize=1)
def _shells() -> dict[str, list[list[float]]]:
    shells: dict[str, list[list[float]]] = json.loads(_SHELLS.read_text())["shells"]
    return shells


def _oscillators(medium: StoppingMedium) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Oscillator strengths (sum 1) and binding energies [eV] of the medium's subshells."""
    strengths, energies = [], []
    atoms = atoms_per_g(medium.mass_fractions)
    for z, count in zip(atomic_numbers(medium.mass_fractions), atoms, strict=True):
        for electrons, binding in _shells()[str(z)]:
            strengths.append(electrons * count)
            energies.append(binding)
    total = np.array(strengths)
    return total / total.sum(), np.array(energies)


@dataclass(frozen=True)
class DensityEffect:
    """Oscillator model of a non-conductor: energies and plasma energy in units that make the sums dimensionless."""

    strength: NDArray[np.float64]
    scaled_energy2: NDArray[np.float64]  # (ρ_s hν_i / hν_p)²
    level2: NDArray[np.float64]  # the same + 2/3 f_i

    def delta(self, energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
        """δ(E) = Σ f_i ln(1 + L²/l_i²) − L²(1 − β²), L from 1/β² − 1 = Σ f_i/(ν_i² + L²); 0 below the onset."""
        beta2 = beta_squared(np.atleast_1d(energy_kev))
        wanted = 1 / beta2 - 1
        above = wanted < np.sum(self.strength / self.scaled_energy2)
        low, high = np.zeros_like(beta2), 2 / wanted
        for _ in range(80):  # bisection: the sum falls with L²
            l2 = 0.5 * (low + high)
            too_small = np.sum(self.strength / (self.scaled_energy2 + l2[:, None]), axis=1) > wanted
            low, high = np.where(too_small, l2, low), np.where(too_small, high, l2)
        delta = np.sum(self.strength * np.log1p(l2[:, None] / self.level2), axis=1) - l2 * (1 - beta2)
        return np.asarray(np.where(above, delta, 0.0))


def density_effect(medium: StoppingMedium) -> DensityEffect:
    """Density effect after Sternheimer, Berger and Seltzer (At. Data Nucl. Data Tables 30 (1984) 261).

    The shell energies are raised by one factor ρ_s so that Σ f_i ln sqrt((ρ_s hν_i)² + 2/3 f_i (hν_p)²) = ln I.
    """
    strength, binding = _oscillators(medium)
    plasma = PLASMA_ENERGY_EV * np.sqrt(electrons_per_g(medium.mass_fractions) * medium.density_g_per_cm3)
    wanted = 2 * np.log(medium.mean_excitation_energy_ev / plasma)

    def excess(log_factor: float) -> float:
        level2 = (np.exp(log_factor) * binding / plasma) ** 2 + 2 / 3 * strength
        return float(np.sum(strength * np.log(level2)) - wanted)

    factor = np.exp(brentq(excess, -5.0, 8.0))
    scaled2 = (factor * binding / plasma) ** 2
    return DensityEffect(strength, scaled2, scaled2 + 2 / 3 * strength)


def beta_squared(energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """(v/c)² of an electron of kinetic energy E."""
    tau = np.asarray(energy_kev, dtype=float) / ELECTRON_REST_KEV
    return tau * (tau + 2) / (tau + 1) ** 2


def collision_stopping_power(
    medium: StoppingMedium, energy_kev: NDArray[np.float64], cut_kev: float | None = None
) -> NDArray[np.float64]:
    """Mass collision stopping power [keV cm²/g]; with cut_kev only losses below it (restricted).

    S = 2π r_e² mc² n_e/β² · [2 ln(E/I) + ln(1 + τ/2) + G − δ] with G for Møller collisions up to min(cut, E/2):
    G = −1 − β² + ln(4(1−η)η) + 1/(1−η) + (1−β²)[τ²η²/2 + (2τ+1) ln(1−η)], η = cut/E.
    Bethe; ICRU report 37, equations 2.10 to 2.14; Møller 1932.
    """
    energy = np.atleast_1d(np.asarray(energy_kev, dtype=float))
    tau, beta2 = energy / ELECTRON_REST_KEV, beta_squared(energy)
    eta = np.full_like(energy, 0.5) if cut_kev is None else np.minimum(cut_kev / energy, 0.5)
    moller = -1 - beta2 + np.log(4 * (1 - eta) * eta) + 1 / (1 - eta)
    moller += (1 - beta2) * (tau**2 * eta**2 / 2 + (2 * tau + 1) * np.log(1 - eta))
    logarithm = 2 * np.log(energy * 1e3 / medium.mean_excitation_energy_ev) + np.log(1 + tau / 2)
    bracket = logarithm + moller - density_effect(medium).delta(energy)
    factor = 2 * np.pi * CLASSICAL_ELECTRON_RADIUS_CM**2 * ELECTRON_REST_KEV * electrons_per_g(medium.mass_fractions)
    return factor / beta2 * bracket


def radiative_stopping_power(
    medium: StoppingMedium, energy_kev: NDArray[np.float64], cut_kev: float | None = None
) -> NDArray[np.float64]:
    """Mass radiative stopping power [keV cm²/g], Σ n_i ∫ k dσ_i/dk dk; with cut_kev only photons below it."""
    energy = np.atleast_1d(np.asarray(energy_kev, dtype=float))
    atoms = atoms_per_g(medium.mass_fractions)
    losses = [radiative_loss_kev_cm2(z, energy, cut_kev) for z in atomic_numbers(medium.mass_fractions)]
    return np.asarray(atoms @ np.array(losses))


def csda_range_g_per_cm2(
    medium: StoppingMedium, energy_kev: NDArray[np.float64], from_kev: float = 1.0
) -> NDArray[np.float64]:
    """∫ dE/(S_col + S_rad) from from_kev up to each energy [g/cm²] (ESTAR starts at 1 keV, as here by default)."""
    energy = np.atleast_1d(np.asarray(energy_kev, dtype=float))
    grid = np.geomspace(from_kev, max(energy.max(), from_kev * 1.001), 2000)
    stopping = collision_stopping_power(medium, grid) + radiative_stopping_power(medium, grid)
    integrand = grid / stopping
    steps = 0.5 * (integrand[1:] + integrand[:-1]) * np.diff(np.log(grid))
    return np.interp(energy, grid, np.concatenate([[0.0], np.cumsum(steps)]))
