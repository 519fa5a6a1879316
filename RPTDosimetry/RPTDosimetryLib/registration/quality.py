"""How well two images agree, in figures that do not come from the optimiser itself."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Grid

BINS: Final = 32


def mutual_information(first: NDArray[np.floating], second: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """I(a; b) = Σ p_ab ln(p_ab / (p_a p_b)) [nats] from a joint histogram of 32 × 32 equally filled bins over the mask.

    Bins of equal filling make the figure independent of contrast; identical images give about ln 32 = 3.47.
    """
    joint, _, _ = np.histogram2d(_ranks(first[mask]), _ranks(second[mask]), bins=BINS, range=((0, BINS), (0, BINS)))
    joint /= joint.sum()
    outer = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / outer[filled])).sum())


def correlation(first: NDArray[np.floating], second: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """Pearson's r over the mask; 0 where one image is flat."""
    a, b = first[mask].astype(np.float64), second[mask].astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0


def mean_displacement_mm(moving_from_fixed: NDArray[np.float64], mask: NDArray[np.bool_], grid: Grid) -> float:
    """Mean over the mask of |T(x) - x| [mm]."""
    kji = np.argwhere(mask)
    kji = kji[:: max(1, len(kji) // 20000)]
    points = np.c_[kji[:, ::-1], np.ones(len(kji))] @ grid.lps_from_ijk.T
    moved = points @ np.asarray(moving_from_fixed).T
    return float(np.linalg.norm(moved[:, :3] - points[:, :3], axis=1).mean())


def rotation_deg(matrix: NDArray[np.float64]) -> float:
    """Angle of the rotation part of a 4×4 rigid matrix [degrees]."""
    cosine = (np.trace(np.asarray(matrix)[:3, :3]) - 1.0) / 2.0
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Each value's bin of equal filling, 0.5 … BINS - 0.5 (equal values share a bin)."""
    edges = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.asarray(np.searchsorted(edges, values, side="right") + 0.5, dtype=np.float64)
