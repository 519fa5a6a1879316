"""A uniform sphere seen with a Gaussian resolution: what is counted inside its outline, and how that follows it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

#: FWHM/σ of a Gaussian.
FWHM_PER_SIGMA: Final = 2.0 * math.sqrt(2.0 * math.log(2.0))
_STEPS = 400


def radius_mm(volume_ml: float) -> float:
    """Radius of the sphere of a volume."""
    return (3.0 * volume_ml * 1e3 / (4.0 * math.pi)) ** (1.0 / 3.0)


def surface_factor(volume_ml: float, fwhm_mm: float) -> float:
    """φ = erf(2r/(σ√2)) − (2σ/(r√(2π)))·(1 − e^(−2r²/σ²)): twice the concentration seen at the sphere's own surface.

    A VOI that grows by dV takes up φ/2·c·dV, so u(C)/C = φ/(2R)·u(V)/V. 1 for a large sphere, 0 for a small one. Gear
    et al. 2018 (doi 10.1007/s00259-018-4136-7).
    """
    if fwhm_mm <= 0:
        return 1.0
    x = radius_mm(volume_ml) / (fwhm_mm / FWHM_PER_SIGMA)
    return math.erf(x * math.sqrt(2.0)) - (2.0 / (x * math.sqrt(2.0 * math.pi))) * -math.expm1(-2.0 * x * x)


def seen_fraction(volume_ml: float, fwhm_mm: float) -> float:
    """R: share of a sphere's counts that lies inside its outline, surroundings cold; ∫_0^r c(s)·3s²/r³ ds."""
    if fwhm_mm <= 0:
        return 1.0
    x = radius_mm(volume_ml) / (fwhm_mm / FWHM_PER_SIGMA)
    nodes, weights = np.polynomial.legendre.leggauss(_STEPS)
    s = 0.5 * x * (nodes + 1.0)
    return float((0.5 * x * weights) @ (_profile(s, x) * 3.0 * s**2) / x**3)


def _profile(s: np.ndarray, x: float) -> np.ndarray:
    """Concentration at s from the centre (lengths in σ) of a sphere of radius x with concentration 1."""
    from scipy.special import erf

    edges = 0.5 * (erf((x - s) / math.sqrt(2.0)) + erf((x + s) / math.sqrt(2.0)))
    return np.asarray(
        edges - (np.exp(-0.5 * (x - s) ** 2) - np.exp(-0.5 * (x + s) ** 2)) / (s * math.sqrt(2 * math.pi))
    )
