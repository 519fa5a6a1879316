"""Bremsstrahlung spectra of electrons below 3 MeV in light elements."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.physics.gauss_legendre import unit_interval
from RPTDosimetryLib.physics.klein_nishina import CLASSICAL_ELECTRON_RADIUS_CM, ELECTRON_REST_KEV

FINE_STRUCTURE: Final = 1 / 137.035999
#: Momentum transfer [mc] below which a nucleus is screened, for Z = 1: 1/(183·√e), Bethe and Heitler 1934.
COMPLETE_SCREENING: Final = 1 / (183 * float(np.exp(0.5)))


def scaled_spectrum_cm2(
    z: int, energy_kev: NDArray[np.float64], photon_fraction: NDArray[np.float64]
) -> NDArray[np.float64]:
    """k·dσ/dk [cm²] at k = photon_fraction·E, shape (energies, fractions); fractions may differ by energy (2-D).

    Bethe and Heitler integrated over angles (Koch and Motz, Rev. Mod. Phys. 31 (1959) 920, formula 3BN) with Elwert's
    Coulomb factor; screening: in its logarithm q_min² → q_min² + q_s², q_s = Z^(1/3)/(183·√e), which gives the limit of
    complete screening; atomic electrons: Z² → Z(Z + η), see _electron_share. Against the tables of Seltzer and Berger
    (1986): docs/physics/transport.md.
    """
    t0 = np.atleast_1d(np.asarray(energy_kev, dtype=float))[:, None] / ELECTRON_REST_KEV
    fraction = np.atleast_2d(np.asarray(photon_fraction, dtype=float))
    k = t0 * fraction
    t = np.maximum(t0 - k, 1e-9 * t0)
    e0, e = 1 + t0, 1 + t
    p0, p = np.sqrt(t0 * (t0 + 2)), np.sqrt(t * (t + 2))
    eps0, eps = 2 * np.log(e0 + p0), 2 * np.log(e + p)
    # (E0·E + p0·p − 1)/k without cancellation at the tip of the spectrum
    big_l = 2 * np.log((e0 * e + p0 * p - 1) / k)
    least_transfer = p0 - p - k
    big_l = np.maximum(big_l - np.log1p((COMPLETE_SCREENING * z ** (1 / 3) / least_transfer) ** 2), 0.0)
    bracket = (
        4 / 3
        - 2 * e0 * e * (p**2 + p0**2) / (p0**2 * p**2)
        + eps0 * e / p0**3
        + eps * e0 / p**3
        - eps * eps0 / (p0 * p)
        + big_l
        * (
            8 / 3 * e0 * e / (p0 * p)
            + k**2 / (p0**3 * p**3) * (e0**2 * e**2 + p0**2 * p**2)
            + k
            / (2 * p0 * p)
            * ((e0 * e + p0**2) / p0**3 * eps0 - (e0 * e + p**2) / p**3 * eps + 2 * k * e0 * e / (p**2 * p0**2))
        )
    )
    unit = FINE_STRUCTURE * CLASSICAL_ELECTRON_RADIUS_CM**2 * z * (z + _electron_share(t0, fraction))
    return unit * p / p0 * bracket * _elwert(z, p0 / e0, p / e)


def _electron_share(t0: NDArray[np.float64], fraction: NDArray[np.float64]) -> NDArray[np.float64]:
    """η, what one atomic electron emits over what one proton does: no dipole at rest, nearly 1 when fast.

    0.85·τ/(1 + τ), fading out between 0.7 and 0.9 of the tip, which recoil of a free electron cannot reach. An
    interpolation: for hydrogen, where it matters most, the sum is within 15 % of Seltzer and Berger's.
    """
    return np.asarray(0.85 * t0 / (1 + t0) * np.clip((0.9 - fraction) / 0.2, 0.0, 1.0))


def _elwert(z: int, beta0: NDArray[np.float64], beta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ratio of the Coulomb densities after and before: corrects Born's approximation at the tip of the spectrum."""
    before, after = 2 * np.pi * z * FINE_STRUCTURE / beta0, 2 * np.pi * z * FINE_STRUCTURE / beta
    return beta0 / beta * np.expm1(-before) / np.expm1(-after)


def radiative_loss_kev_cm2(
    z: int, energy_kev: NDArray[np.float64], cut_kev: float | None = None
) -> NDArray[np.float64]:
    """∫ k dσ/dk dk up to min(cut, E) [keV cm²] per atom."""
    energy = np.atleast_1d(np.asarray(energy_kev, dtype=float))
    nodes, weights = unit_interval(24)
    top = np.ones_like(energy) if cut_kev is None else np.minimum(cut_kev / energy, 1.0)
    return np.asarray(energy * top * (scaled_spectrum_cm2(z, energy, top[:, None] * nodes) @ weights))
