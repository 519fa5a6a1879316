"""The distribution of a set of errors as a violin: its density and its percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.evaluation.image_metrics import RELATIVE_FLOOR_PERCENT
from RPTDosimetryLib.records import Image, Voi

#: Percentiles that a violin marks.
PERCENTILES = (2.5, 25.0, 50.0, 75.0, 97.5)
#: Values from which the density is estimated; more change nothing that is seen.
_MOST_VALUES = 4000
_POINTS = 120


@dataclass(frozen=True)
class Violin:
    """values (n) and density there, highest 1; percentiles: of PERCENTILES. count: how many errors it shows."""

    name: str
    unit: str
    count: int
    values: NDArray[np.float64]
    density: NDArray[np.float64]
    percentiles: tuple[float, ...]
    mean: float


def violin(values: NDArray[np.floating] | Sequence[float], name: str, unit: str) -> Violin | None:
    """Gaussian kernel density (Scott's width) from the 0.5th to the 99.5th percentile; None without a finite value.

    All alike: a line at that value.
    """
    from scipy.stats import gaussian_kde

    known = np.sort(np.asarray(values, dtype=np.float64).ravel())
    known = known[np.isfinite(known)]
    if known.size == 0:
        return None
    marks = tuple(float(v) for v in np.percentile(known, PERCENTILES))
    low, high = np.percentile(known, (0.5, 99.5))
    some = known[np.linspace(0, known.size - 1, min(known.size, _MOST_VALUES)).astype(np.int64)]
    some = np.clip(some, low, high)
    if np.ptp(some) <= 1e-9 * max(1.0, float(np.abs(some).max())):
        at, density = np.array([low, low]), np.array([1.0, 1.0])
    else:
        at = np.linspace(low, high, _POINTS)
        density = gaussian_kde(some)(at)
        density = density / density.max()
    return Violin(name, unit, known.size, at, density, marks, float(known.mean()))


def error_violins(percent: Image, vois: Sequence[Voi], whole: str = "all") -> tuple[Violin, ...]:
    """Relative errors [%] (NaN: not counted) of the whole map, and of each volume that has any."""
    found = [violin(percent.voxels, whole, "%"), *(violin(percent.voxels[voi.mask], voi.name, "%") for voi in vois)]
    return tuple(shape for shape in found if shape is not None)


def floor_told() -> str:
    """Over which voxels relative errors are."""
    return f"voxels with at least {RELATIVE_FLOOR_PERCENT:g} % of the reference's maximum"
