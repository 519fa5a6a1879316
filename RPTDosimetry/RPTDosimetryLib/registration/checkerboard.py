"""Two images in one, in turns: for the eye, no measure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Grid, resample
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.registration.point_map import PointMap


def checkerboard(fixed: Image, moving: Image, moved: PointMap, block_mm: float = 40.0) -> Image:
    """Blocks of about block_mm: fixed and moving in turns, each as a share of its 99.5th percentile (of values > 0).

    The moving image is drawn where ``moved`` puts it, linearly, in the voxels of the fixed one; unit "1".
    """
    there = resample(moving.voxels, moving.grid, fixed.grid, moving_from_fixed=moved.transform())
    odd = _blocks(fixed.grid, block_mm)
    both = np.where(
        odd, there / np.float32(shown_top(moving.voxels)), fixed.voxels / np.float32(shown_top(fixed.voxels))
    )
    return Image(both.astype(np.float32), fixed.grid, "1")


def _blocks(grid: Grid, block_mm: float) -> NDArray[np.bool_]:
    """True in every other block; the first, at the first voxel, is False."""
    numbers = [
        np.floor(np.arange(n) * s / block_mm).astype(int)
        for n, s in zip(grid.shape_zyx, grid.spacing_mm[::-1], strict=True)
    ]
    k, j, i = np.ix_(*numbers)
    return np.asarray((k + j + i) % 2 == 1)


def shown_top(voxels: NDArray[Any]) -> float:
    """Where a display that shows body and organs ends: the 99.5th percentile of the values > 0 (1 where none is)."""
    seen = voxels[voxels > 0]
    return float(np.percentile(seen, 99.5)) if seen.size else 1.0
