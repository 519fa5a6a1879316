"""How far images reach along the axis of their slices: what tells beds that follow one another from repeats."""

from __future__ import annotations

import numpy as np

from RPTDosimetryLib.grid import Grid

#: Images that share more than this of the shorter one show the same place twice; beds share their edges only.
LARGEST_SHARED = 0.5


def along_slices_mm(grid: Grid, axis_of: Grid | None = None) -> tuple[float, float]:
    """Lower and upper face of a grid along the slice axis of ``axis_of`` (its own by default) [mm, LPS]."""
    normal = np.reshape((axis_of or grid).direction, (3, 3))[:, 2]
    nk, nj, ni = grid.shape_zyx
    corners = [[i, j, k, 1.0] for i in (-0.5, ni - 0.5) for j in (-0.5, nj - 0.5) for k in (-0.5, nk - 0.5)]
    along = (np.asarray(corners) @ grid.lps_from_ijk.T)[:, :3] @ normal
    return float(along.min()), float(along.max())


def overlap_mm(first: Grid, second: Grid) -> float:
    """Length that both reach along the first's slice axis [mm]; negative: the gap between them."""
    low_a, high_a = along_slices_mm(first)
    low_b, high_b = along_slices_mm(second, first)
    return min(high_a, high_b) - max(low_a, low_b)


def shared_fraction(first: Grid, second: Grid) -> float:
    """Overlap over the length of the shorter one (0 to 1)."""
    lengths = [high - low for low, high in (along_slices_mm(first), along_slices_mm(second, first))]
    return max(0.0, overlap_mm(first, second)) / min(lengths)


def follow_one_another(first: Grid, second: Grid) -> bool:
    """True when the axes agree, the second is shifted along the slices, and they share at most half of the shorter."""
    return first.aligned_with(second) and shared_fraction(first, second) <= LARGEST_SHARED
