"""Weights that blend neighbouring beds over their overlap: linear, and together 1 everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Range = tuple[float, float]


def ramp(at_mm: NDArray[np.float64], low_mm: float, high_mm: float) -> NDArray[np.float64]:
    """0 below low, 1 above high, linear between; a step where they coincide."""
    if high_mm - low_mm < 1e-6:
        return np.asarray(at_mm >= low_mm, dtype=np.float64)
    return np.clip((at_mm - low_mm) / (high_mm - low_mm), 0.0, 1.0)


def bed_weight(at_mm: NDArray[np.float64], ranges: Sequence[Range], index: int) -> NDArray[np.float64]:
    """w_b(z) of one bed of several sorted along z: rises over the overlap below it, falls over the overlap above.

    Σ_b w_b(z) = 1 wherever a bed reaches, as long as no place is seen by three beds.
    """
    weight = np.ones_like(at_mm)
    if index > 0:
        weight = ramp(at_mm, ranges[index][0], ranges[index - 1][1])
    if index < len(ranges) - 1:
        weight = weight * (1.0 - ramp(at_mm, ranges[index + 1][0], ranges[index][1]))
    return weight
