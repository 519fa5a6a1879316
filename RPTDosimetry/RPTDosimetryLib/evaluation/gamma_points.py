"""Where the gamma index looks for the dose: shells of points around a voxel, cut into patches by the grid's cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import EvaluationError

#: More points around one voxel than this (maximum γ · steps a DTA ≈ 110) are a slip, not a wish.
MOST_POINTS = 6_000_000


@dataclass(frozen=True)
class SearchPoints:
    """Points around a voxel centre in patches: the part of one shell in one cell of the grid, nearest shells first.

    A cell is the block between eight voxel centres, named by its lowest one relative to the voxel. Axes are z, y, x.
    For each of p patches: cell (p, 3), distance2 (p): (distance/DTA)², first (p + 1): where its points start. For each
    of n points: fraction (3, n): place within the cell, 0 to 1; offset_mm (3, n).
    """

    cell: NDArray[np.int64]
    distance2: NDArray[np.float64]
    first: NDArray[np.int64]
    fraction: NDArray[np.float64]
    offset_mm: NDArray[np.float64]

    @property
    def reach(self) -> NDArray[np.int64]:
        """Voxels that the points can touch on either side; one more than they need, against rounding."""
        return np.max(np.abs(self.cell), axis=0) + 2


@lru_cache(maxsize=4)
def search_points(
    spacing_zyx_mm: tuple[float, float, float], dta_mm: float, steps_per_dta: int, maximum_gamma: float
) -> SearchPoints:
    """Every point up to ``maximum_gamma`` · DTA, sorted for the search; raises EvaluationError for far too many."""
    if 4 * np.pi * (maximum_gamma * steps_per_dta) ** 3 / 3 > MOST_POINTS:
        raise EvaluationError(
            f"A maximum γ of {maximum_gamma:g} with {steps_per_dta} steps a DTA means more than {MOST_POINTS:,} points "
            "around each voxel. Lower one of them."
        )
    radius_mm = np.array(_radii_mm(dta_mm, dta_mm / steps_per_dta, maximum_gamma * dta_mm))
    shells = [_shell(radius / dta_mm * steps_per_dta) for radius in radius_mm]
    offset_mm = np.concatenate([np.zeros((3, 0)), *(shell * r for shell, r in zip(shells, radius_mm, strict=True))], 1)
    distance = np.repeat(radius_mm / dta_mm, [shell.shape[1] for shell in shells])
    place = offset_mm / np.asarray(spacing_zyx_mm)[:, None]
    cell = np.floor(place).astype(np.int64)
    order = np.lexsort((cell[2], cell[1], cell[0], distance))
    cell, place, offset_mm, distance = cell[:, order], place[:, order], offset_mm[:, order], distance[order]
    starts = np.flatnonzero(np.any(np.diff(cell, axis=1, prepend=0) != 0, axis=0) | (np.diff(distance, prepend=0) != 0))
    return SearchPoints(
        cell=np.ascontiguousarray(cell[:, starts].T),
        distance2=distance[starts] ** 2,
        first=np.append(starts, distance.size).astype(np.int64),
        fraction=np.ascontiguousarray(place - cell),
        offset_mm=np.ascontiguousarray(offset_mm),
    )


def _radii_mm(dta_mm: float, step_mm: float, furthest_mm: float) -> list[float]:
    """Radii of the shells, one step apart, the DTA itself among them.

    Added up step by step and not multiplied: pymedphys does so, and at the image's border the rounding decides whether
    a point exactly on the outermost voxel centres is inside.
    """
    radii, radius, dta_is_due = [], step_mm, True
    while radius <= furthest_mm:
        if dta_is_due and radius >= dta_mm:
            radius, dta_is_due = dta_mm, False
        radii.append(radius)
        radius += step_mm
    return radii


def _shell(radius: float) -> NDArray[np.float64]:
    """(3, n) unit vectors (z, y, x) whose neighbours are at most one step apart on a sphere of ``radius`` steps.

    Rows of equal polar angle about the x axis, each with points of equal azimuth: the sampling that pymedphys documents
    for its shells (after Wendling et al., Med Phys 34:1647, 2007), so that both search the same places.
    """
    polar = np.linspace(0.0, np.pi, int(np.ceil(np.pi * radius)) + 1)
    counts = np.ceil(2 * np.pi * radius * np.sin(polar)).astype(np.int64) + 1
    row = np.repeat(np.arange(polar.size), counts)
    within_row = np.arange(row.size) - np.repeat(np.cumsum(counts) - counts, counts)
    azimuth = within_row * (2 * np.pi / counts)[row]
    sine = np.sin(polar)[row]
    return np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), np.cos(polar)[row]])
