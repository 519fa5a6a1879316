"""Many curves with the same scan times side by side: voxels of a map, or replicates of a bootstrap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What happened to how many curves, and how much of the time-integrated activity they hold: text -> (count, Ã [Bq·s]).
Notes = Mapping[str, tuple[int, float]]


@dataclass(frozen=True)
class ActivityColumns:
    """activity_bq: (scan, curve), not negative.

    voi_lambda_per_s: (curve,) the tail's λ where a VOI gives it. scan_weights: (scan,) in place of those of the
    settings' weighting, where standard errors give them.
    """

    activity_bq: NDArray[np.float64]
    time_s: NDArray[np.float64]
    nuclide: str
    lambda_phys_per_s: float
    voi_lambda_per_s: NDArray[np.float64] | None = None
    scan_weights: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class IntegratedColumns:
    """tia_bq_s: (curve,) from t = 0 to infinity; tail_bq_s: the part after the last scan."""

    tia_bq_s: NDArray[np.float64]
    tail_bq_s: NDArray[np.float64]
    notes: Notes = field(default_factory=dict)


def noted(chosen: NDArray[np.bool_], tia_bq_s: NDArray[Any]) -> tuple[int, float]:
    """How many curves are chosen and what they hold [Bq·s]."""
    return int(np.count_nonzero(chosen)), float(tia_bq_s[chosen].sum())


def merged(notes: Iterable[Notes]) -> dict[str, tuple[int, float]]:
    """The notes of several parts of a map as those of the whole, without those that concern no curve."""
    total: dict[str, tuple[int, float]] = {}
    for part in notes:
        for text, (count, tia_bq_s) in part.items():
            if count:
                counted, held = total.get(text, (0, 0.0))
                total[text] = counted + count, held + tia_bq_s
    return total
