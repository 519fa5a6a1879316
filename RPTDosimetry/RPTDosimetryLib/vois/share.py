"""How much of each voxel of a grid a mask of another grid fills."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Grid, resample_mean


def share_on(mask: NDArray[Any], grid: Grid, onto: Grid) -> NDArray[np.float32]:
    """Share (z, y, x) of each voxel of ``onto`` that a mask (or a cover from 0 to 1) on ``grid`` fills.

    Beyond ``grid`` counts as empty. Only the part of ``onto`` around ``grid`` is worked on.
    """
    share = np.zeros(onto.shape_zyx, dtype=np.float32)
    padded, larger = _padded(np.asarray(mask, dtype=np.float32), grid)
    box = _box_around(larger, onto)
    if box is None:
        return share
    x, y, z = (onto.lps_from_ijk @ [box[2].start, box[1].start, box[0].start, 1.0])[:3]
    part = Grid(
        (box[0].stop - box[0].start, box[1].stop - box[1].start, box[2].stop - box[2].start),
        onto.spacing_mm,
        (float(x), float(y), float(z)),
        onto.direction,
    )
    share[box] = np.clip(resample_mean(padded, larger, part), 0.0, 1.0)
    return share


def _padded(values: NDArray[np.float32], grid: Grid) -> tuple[NDArray[np.float32], Grid]:
    """One empty voxel more on every side, so that interpolation falls to zero beyond the edge as it does inside."""
    x, y, z = (grid.lps_from_ijk @ [-1.0, -1.0, -1.0, 1.0])[:3]
    nk, nj, ni = grid.shape_zyx
    larger = Grid((nk + 2, nj + 2, ni + 2), grid.spacing_mm, (float(x), float(y), float(z)), grid.direction)
    return np.pad(values, 1), larger


def _box_around(grid: Grid, onto: Grid) -> tuple[slice, slice, slice] | None:
    """Voxels (z, y, x) of ``onto`` that ``grid`` can touch; None when there is none."""
    corners = [(*corner, 1.0) for corner in itertools.product(*((-0.5, n - 0.5) for n in grid.shape_zyx[::-1]))]
    ijk = (np.asarray(corners) @ grid.lps_from_ijk.T @ np.linalg.inv(onto.lps_from_ijk).T)[:, :3]
    low = np.floor(ijk.min(axis=0)).astype(int)
    high = np.ceil(ijk.max(axis=0)).astype(int) + 1
    i, j, k = (slice(max(0, int(a)), min(n, int(b))) for a, b, n in zip(low, high, onto.shape_zyx[::-1], strict=True))
    return None if any(s.start >= s.stop for s in (i, j, k)) else (k, j, i)
