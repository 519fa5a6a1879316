"""Which scan a method with few time points uses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.units import S_PER_H

#: A scan time asked for is met when a scan lies within this of it.
TOLERANCE_H = 1.0


def nearest_scan(time_s: NDArray[np.float64], wanted_s: float) -> int:
    """Index of the scan nearest to a time."""
    return int(np.argmin(np.abs(time_s - wanted_s)))


def asked_scan(time_s: NDArray[np.float64], asked_h: float | None, preferred_s: float) -> int:
    """Index of the scan asked for (within TOLERANCE_H), or of the one nearest to the method's preferred time.

    Raises KineticsError when no scan is at the time asked for.
    """
    if asked_h is None:
        return nearest_scan(time_s, preferred_s)
    index = nearest_scan(time_s, asked_h * S_PER_H)
    if abs(time_s[index] / S_PER_H - asked_h) > TOLERANCE_H:
        there = ", ".join(f"{t / S_PER_H:.4g}" for t in time_s)
        raise KineticsError(
            f"No scan within {TOLERANCE_H:g} h of the {asked_h:g} h asked for: the scans are at {there} h."
        )
    return index
