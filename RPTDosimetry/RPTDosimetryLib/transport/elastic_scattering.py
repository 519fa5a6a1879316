"""How fast electrons turn: transport coefficients of screened, spin-corrected elastic scattering."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.physics.bremsstrahlung import FINE_STRUCTURE
from RPTDosimetryLib.physics.klein_nishina import CLASSICAL_ELECTRON_RADIUS_CM, ELECTRON_REST_KEV
from RPTDosimetryLib.physics.photon_cross_sections import atomic_numbers, atoms_per_g
from RPTDosimetryLib.physics.stopping_powers import StoppingMedium, beta_squared

ElasticModel = Literal["mott", "rutherford"]
#: Thomas–Fermi radius over Bohr radius × Z^(1/3).
THOMAS_FERMI: Final = 0.88534
_Y = np.concatenate([np.geomspace(1e-9, 0.02, 500), np.linspace(0.02, 2.0, 400)[1:]])


def screening_parameter(z: int, energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Molière's A in dσ ∝ 1/(1 − μ + 2A)²: A = ¼ (αmc/p)² Z^(2/3)/0.885² (1.13 + 3.76 (αZ/β)²). Molière 1947."""
    tau = np.asarray(energy_kev, dtype=float) / ELECTRON_REST_KEV
    p2 = tau * (tau + 2)
    born = 1.13 + 3.76 * (FINE_STRUCTURE * z) ** 2 / beta_squared(energy_kev)
    return np.asarray(0.25 * FINE_STRUCTURE**2 / p2 * z ** (2 / 3) / THOMAS_FERMI**2 * born)


def transport_coefficients(
    medium: StoppingMedium, energy_kev: NDArray[np.float64], cut_kev: float, model: ElasticModel = "mott"
) -> NDArray[np.float64]:
    """(2, n): N_A/A ∫ (1 − P_l(μ)) dσ for l = 1, 2 [cm²/g], the inverse transport mean free paths.

    Nuclei: screened Rutherford, with the spin factor of McKinley and Feshbach (1948) for "mott". Electrons of the
    medium: the same with Z² → Z, up to the angle of an energy transfer of cut_kev; larger ones are Møller collisions
    that are simulated one by one.
    """
    energy = np.atleast_1d(np.asarray(energy_kev, dtype=float))
    coefficients = np.zeros((2, energy.size))
    for z, count in zip(atomic_numbers(medium.mass_fractions), atoms_per_g(medium.mass_fractions), strict=True):
        for column, one in enumerate(energy):
            coefficients[:, column] += count * _coefficients_of_atom(z, float(one), cut_kev, model)
    return coefficients


def _coefficients_of_atom(z: int, energy_kev: float, cut_kev: float, model: ElasticModel) -> NDArray[np.float64]:
    tau = energy_kev / ELECTRON_REST_KEV
    beta2 = float(beta_squared(np.array(energy_kev)))
    screening = float(screening_parameter(z, np.array(energy_kev)))
    nuclear = np.full_like(_Y, float(z * z))
    if model == "mott":
        half_sine = np.sqrt(_Y / 2)
        nuclear *= 1 - beta2 * half_sine**2 + np.pi * FINE_STRUCTURE * z * np.sqrt(beta2) * half_sine * (1 - half_sine)
    electronic = np.where(_largest_soft_y(energy_kev, cut_kev) >= _Y, float(z), 0.0)
    unit = 2 * np.pi * CLASSICAL_ELECTRON_RADIUS_CM**2 / (beta2**2 * (1 + tau) ** 2)
    spectrum = unit * (nuclear + electronic) / (_Y + 2 * screening) ** 2
    weights = np.array([_Y, 1.5 * _Y * (2 - _Y)])
    # ∫ dy as ∫ y d(ln y): smooth over the nine decades
    return np.asarray(np.trapezoid(weights * spectrum * _Y, np.log(_Y), axis=1))


def _largest_soft_y(energy_kev: float, cut_kev: float) -> float:
    """1 − cos θ of an electron that loses min(cut, E/2) to a free electron at rest."""
    loss = min(cut_kev, energy_kev / 2)
    twice = 2 * ELECTRON_REST_KEV
    cosine2 = (energy_kev - loss) * (energy_kev + twice) / (energy_kev * (energy_kev - loss + twice))
    return float(1 - np.sqrt(cosine2))
