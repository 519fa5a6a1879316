"""Where a lesion is looked for: inside a box, or around a seed, and the hottest voxel there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.grid import Grid, Vector3
from RPTDosimetryLib.records import Image

#: Image kept around the place searched: what the background and the gradient at its border are taken from.
MARGIN_MM: Final = 20.0
Box = tuple[Vector3, Vector3]


@dataclass(frozen=True)
class Search:
    """A part of the image around the place searched.

    activity_bq_per_ml and inside (z, y, x) cover the part that begins at voxel first_kji of the image; inside is True
    where the lesion may lie. peak: index of its hottest voxel in the part. limit says what bounds the place: "box" or
    "reach".
    """

    name: str
    activity_bq_per_ml: NDArray[np.float64]
    inside: NDArray[np.bool_]
    first_kji: tuple[int, int, int]
    grid: Grid
    peak: tuple[int, ...]
    limit: str
    warnings: tuple[str, ...] = ()

    @property
    def peak_bq_per_ml(self) -> float:
        """Activity concentration of the hottest voxel [Bq/mL]."""
        return float(self.activity_bq_per_ml[self.peak])

    @property
    def peak_mm(self) -> Vector3:
        """LPS of the hottest voxel's centre [mm]."""
        return _lps(self.grid, np.add(self.first_kji, self.peak))

    def component(self, threshold_bq_per_ml: float) -> NDArray[np.bool_]:
        """Voxels at or above a threshold that hang together, face to face (6-connected), with the hottest one."""
        pieces, _ = ndimage.label((self.activity_bq_per_ml >= threshold_bq_per_ml) & self.inside)
        return np.asarray((pieces == pieces[self.peak]) & (pieces > 0))

    def at_limit(self, region: NDArray[np.bool_]) -> bool:
        """True when a region has voxels next to the end of the place searched (the end of the image aside)."""
        edge = self.inside & ~ndimage.binary_erosion(self.inside, border_value=1)
        return bool(np.any(region & edge))

    def on_image(self, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A region of the part as a mask of the whole image."""
        mask = np.zeros(self.grid.shape_zyx, dtype=bool)
        mask[tuple(slice(f, f + n) for f, n in zip(self.first_kji, region.shape, strict=True))] = region
        return mask


def search_box(activity: Image, box_mm: Box, name: str) -> Search:
    """The voxels whose centres lie between two LPS corners [mm]; the hottest of them is the peak.

    Raises VoiError: a box outside the image, one without any voxel centre, no activity in it.
    """
    grid = activity.grid
    low, high = np.minimum(*box_mm), np.maximum(*box_mm)
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    if not np.all(np.isfinite(corners)):
        raise VoiError(f"{name}: the box {box_mm} holds numbers that are not finite. Give two corners in mm.")
    inside_kji = _kji(grid, corners)
    first, last = inside_kji.min(axis=0), inside_kji.max(axis=0)
    if np.any(last < -0.5) or np.any(first > np.array(grid.shape_zyx) - 0.5):
        raise VoiError(
            f"{name}: the box from {_said(low)} to {_said(high)} mm lies outside the image, which holds {_extent(grid)}"
            ". Give LPS coordinates of this image."
        )
    part, first_kji = _part(activity, first, last)
    at = _centres(grid, first_kji, part.shape)
    inside = np.all((at >= low - 1e-6) & (at <= high + 1e-6), axis=-1)
    if not inside.any():
        raise VoiError(
            f"{name}: the box from {_said(low)} to {_said(high)} mm holds no voxel centre ({grid}). Draw it larger."
        )
    said: tuple[str, ...] = ()
    if np.any(first < -0.5 - 1e-6) or np.any(last > np.array(grid.shape_zyx) - 0.5 + 1e-6):
        said = (f"{name}: a part of its box lies outside the image.",)
    peak = np.unravel_index(int(np.argmax(np.where(inside, part, -np.inf))), part.shape)
    return _with_activity(Search(name, part, inside, first_kji, grid, tuple(int(n) for n in peak), "box", said))


def search_from(activity: Image, seed_mm: Vector3, climb_mm: float, reach_mm: float, name: str) -> Search:
    """From the voxel under a seed (LPS, mm) uphill to a local maximum of its 26 neighbours, no further than climb_mm.

    The lesion may lie within reach_mm of the seed. Raises VoiError: a seed outside the image, no activity there.
    """
    grid = activity.grid
    where = _kji(grid, np.asarray([seed_mm], dtype=np.float64))[0]
    if not np.all(np.isfinite(where)) or np.any(where < -0.5) or np.any(where > np.array(grid.shape_zyx) - 0.5):
        raise VoiError(
            f"{name}: the seed {_said(seed_mm)} mm lies outside the image, which holds {_extent(grid)}. Give LPS "
            "coordinates of this image."
        )
    wide = reach_mm / np.asarray(grid.spacing_mm[::-1])
    part, first_kji = _part(activity, where - wide, where + wide)
    distance = np.linalg.norm(_centres(grid, first_kji, part.shape) - np.asarray(seed_mm), axis=-1)
    nearest = np.clip(np.rint(where).astype(int), 0, np.array(grid.shape_zyx) - 1) - np.asarray(first_kji)
    peak, rising = _climb(part, tuple(int(n) for n in nearest), distance <= climb_mm)
    inside = distance <= reach_mm
    inside[peak] = True
    said: tuple[str, ...] = ()
    if rising:
        said = (
            f"{name}: activity still rises {climb_mm:g} mm from the seed, where the search for the maximum ends. Put "
            "the seed nearer to the maximum, or draw a box.",
        )
    return _with_activity(Search(name, part, inside, first_kji, grid, peak, "reach", said))


def _with_activity(search: Search) -> Search:
    if not search.peak_bq_per_ml > 0:
        place = "in its box" if search.limit == "box" else "around its seed"
        raise VoiError(f"{search.name}: there is no activity {place}. Check the coordinates (LPS, mm).")
    return search


def _climb(
    part: NDArray[np.float64], start: tuple[int, ...], allowed: NDArray[np.bool_]
) -> tuple[tuple[int, ...], bool]:
    """Index of the maximum reached, and whether a higher neighbour is left beyond what is allowed."""
    here = start
    while True:
        around = tuple(slice(max(0, i - 1), i + 2) for i in here)
        patch = part[around]
        permitted = np.where(allowed[around], patch, -np.inf)
        best = np.unravel_index(int(np.argmax(permitted)), patch.shape)
        if not permitted[best] > part[here]:
            return here, bool(patch.max() > part[here])
        here = tuple(int(s.start + n) for s, n in zip(around, best, strict=True))


def _part(
    activity: Image, first: NDArray[np.float64], last: NDArray[np.float64]
) -> tuple[NDArray[np.float64], tuple[int, int, int]]:
    """Voxels from first to last (k, j, i) with the margin, as float64, and the index of the first one."""
    margin = MARGIN_MM / np.asarray(activity.grid.spacing_mm[::-1])
    low = np.maximum(np.floor(first - margin).astype(int), 0)
    high = np.minimum(np.ceil(last + margin).astype(int) + 1, activity.grid.shape_zyx)
    cut = activity.voxels[low[0] : high[0], low[1] : high[1], low[2] : high[2]].astype(np.float64)
    return cut, (int(low[0]), int(low[1]), int(low[2]))


def _centres(grid: Grid, first_kji: tuple[int, int, int], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(z, y, x, 3) LPS of voxel centres [mm]."""
    k, j, i = (np.arange(f, f + n, dtype=np.float64) for f, n in zip(first_kji, shape, strict=True))
    matrix = grid.lps_from_ijk
    at: NDArray[np.float64] = (
        i[None, None, :, None] * matrix[:3, 0]
        + j[None, :, None, None] * matrix[:3, 1]
        + k[:, None, None, None] * matrix[:3, 2]
        + matrix[:3, 3]
    )
    return at


def _kji(grid: Grid, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) voxel indices (k, j, i), not rounded, of LPS points."""
    ijk = np.c_[points_mm, np.ones(len(points_mm))] @ np.linalg.inv(grid.lps_from_ijk).T
    return np.asarray(ijk[:, 2::-1])


def _lps(grid: Grid, kji: NDArray[np.int_]) -> Vector3:
    x, y, z = (grid.lps_from_ijk @ [kji[2], kji[1], kji[0], 1.0])[:3]
    return float(x), float(y), float(z)


def _extent(grid: Grid) -> str:
    ends = np.array([_lps(grid, np.array([k, j, i])) for k in (0, grid.shape_zyx[0] - 1)
                     for j in (0, grid.shape_zyx[1] - 1) for i in (0, grid.shape_zyx[2] - 1)])  # fmt: skip
    return f"{_said(ends.min(axis=0))} to {_said(ends.max(axis=0))} mm"


def _said(point: NDArray[np.float64] | Vector3) -> str:
    return "(" + ", ".join(f"{value:.1f}" for value in point) + ")"
