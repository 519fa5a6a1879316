"""Compton scattering by free electrons, and by bound ones through the incoherent scattering function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.physics.gauss_legendre import unit_interval

#: CODATA 2018.
ELECTRON_REST_KEV: Final = 510.99895
CLASSICAL_ELECTRON_RADIUS_CM: Final = 2.8179403262e-13
#: h·c, so that 1/λ [Å⁻¹] = E/KEV_ANGSTROM.
KEV_ANGSTROM: Final = 12.398419843


def incoherent_cross_section_cm2(
    energy_kev: NDArray[np.float64],
    scattering_function: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None,
    n_angles: int = 400,
) -> NDArray[np.float64]:
    """σ(E) = ∫ dσ_KN/dΩ · S(x) dΩ [cm²]; S(x) = 1 (one free electron) where no scattering function is given.

    x = sin(θ/2)·E/(h·c) [Å⁻¹]. Klein and Nishina 1929; incoherent scattering function after Hubbell et al. 1975.
    """
    # Substituting x = sin(θ/2) = t² crowds the nodes at small angles, where S(x) bends.
    t, weight = unit_interval(n_angles)
    one_minus_mu = 2 * t**4
    solid_angle = 2 * np.pi * 8 * t**3 * weight
    k = np.atleast_1d(energy_kev)[:, None] / ELECTRON_REST_KEV
    ratio = 1 / (1 + k * one_minus_mu)
    sin2 = one_minus_mu * (2 - one_minus_mu)
    per_angle = 0.5 * CLASSICAL_ELECTRON_RADIUS_CM**2 * ratio**2 * (ratio + 1 / ratio - sin2)
    if scattering_function is not None:
        per_angle = per_angle * scattering_function(t**2 * np.atleast_1d(energy_kev)[:, None] / KEV_ANGSTROM)
    return per_angle @ solid_angle
