"""How the voxels of two maps lie against each other: counts that add up over patients, so that no map is kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.evaluation.comparable import checked_mask, require_comparable
from RPTDosimetryLib.evaluation.image_metrics import RELATIVE_FLOOR_PERCENT
from RPTDosimetryLib.records import Image

#: Cells of the density plot: 1 µGy to 10 kGy, 40 a factor of ten (6 % wide).
DECADES = (-6, 4)
PER_DECADE = 40
#: Relative errors are counted in steps of a quarter percent; what is beyond ±100 % counts in the outermost.
ERRORS_PERCENT = 100.0
ERROR_STEP_PERCENT = 0.25


@dataclass(frozen=True)
class VoxelSpread:
    """Voxels of two maps, or of many pairs added up.

    density (reference, evaluated): voxels by both doses in dose_edges_gy, where both are within them; voxels: all that
    count. errors: voxels by relative error in error_edges_percent, those with a reference of at least 1 % of their
    map's maximum. sums: Σ R, Σ V, Σ R², Σ V², Σ RV.
    """

    density: NDArray[np.int64]
    errors: NDArray[np.int64]
    voxels: int
    sums: NDArray[np.float64]

    def __add__(self, other: VoxelSpread) -> VoxelSpread:
        return VoxelSpread(
            self.density + other.density,
            self.errors + other.errors,
            self.voxels + other.voxels,
            self.sums + other.sums,
        )

    @cached_property
    def correlation(self) -> float | None:
        """Pearson's r of all voxels; None where one of the maps does not vary."""
        r, v, rr, vv, rv = self.sums / max(self.voxels, 1)
        spread = (rr - r * r) * (vv - v * v)
        return float(np.clip((rv - r * v) / np.sqrt(spread), -1, 1)) if spread > 1e-24 * rr * vv else None

    @cached_property
    def slope_origin(self) -> float | None:
        """Σ RV/Σ R²: least squares through the origin."""
        return float(self.sums[4] / self.sums[2]) if self.sums[2] > 0 else None


def dose_edges_gy() -> NDArray[np.float64]:
    """Edges of the density's cells [Gy]."""
    low, high = DECADES
    return np.logspace(low, high, (high - low) * PER_DECADE + 1)


def error_edges_percent() -> NDArray[np.float64]:
    """Edges of the bins of relative error [%]."""
    return np.linspace(-ERRORS_PERCENT, ERRORS_PERCENT, round(2 * ERRORS_PERCENT / ERROR_STEP_PERCENT) + 1)


def voxel_spread(reference: Image, evaluated: Image, mask: NDArray[np.bool_] | None = None) -> VoxelSpread:
    """Count the voxels of two maps [Gy] on one grid. Errors as image_metrics."""
    require_comparable(reference, evaluated)
    inside = checked_mask(reference, mask)
    gray, other = (np.asarray(image.voxels, dtype=np.float64)[inside] for image in (reference, evaluated))
    edges = dose_edges_gy()
    seen = (np.minimum(gray, other) >= edges[0]) & (np.maximum(gray, other) < edges[-1])
    at = [((np.log10(doses[seen]) - DECADES[0]) * PER_DECADE).astype(np.int64) for doses in (gray, other)]
    cells = edges.size - 1
    density = np.bincount(np.clip(at[0], 0, cells - 1) * cells + np.clip(at[1], 0, cells - 1), minlength=cells**2)
    counted = gray >= RELATIVE_FLOOR_PERCENT / 100.0 * float(reference.voxels.max())
    percent = np.clip(100.0 * (other[counted] / gray[counted] - 1.0), -ERRORS_PERCENT, ERRORS_PERCENT)
    errors, _ = np.histogram(percent, error_edges_percent())
    sums = np.array([gray.sum(), other.sum(), gray @ gray, other @ other, gray @ other])
    return VoxelSpread(density.reshape(cells, cells).astype(np.int64), errors.astype(np.int64), gray.size, sums)
