"""Nodes and weights of Gauss–Legendre quadrature, computed once for each count."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def unit_interval(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights on (0, 1); the arrays are shared and read-only."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    scaled = 0.5 * (nodes + 1.0), 0.5 * weights
    for array in scaled:
        array.setflags(write=False)
    return scaled
