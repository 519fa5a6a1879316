"""Particles that wait for their turn within one history."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

ELECTRON_KIND: Final = 1
PHOTON_KIND: Final = 2
#: Secondaries share the energy of their parent above a cut of 10 keV or more, so a history cannot hold more.
STACK_SIZE: Final = 4096


def new_stack() -> NDArray[np.float64]:
    """Columns: kind, energy [keV], x, y, z [cm], direction, part of the score."""
    return np.zeros((STACK_SIZE, 9))


@numba.njit(cache=True)
def push(stack, count, kind, energy, place, direction, part):  # type: ignore[no-untyped-def]
    """Add one particle; returns the new count."""
    row = stack[count]
    row[0], row[1], row[8] = kind, energy, part
    for axis in range(3):
        row[2 + axis] = place[axis]
        row[5 + axis] = direction[axis]
    return count + 1
