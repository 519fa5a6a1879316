"""Planar contours as a volume on a grid: slabs between slices, cover of each voxel, a mask of the same volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Contours, Segment
from RPTDosimetryLib.vois.contour_crossings import crossings_said, without_copies
from RPTDosimetryLib.vois.polygons import covered_fraction
from RPTDosimetryLib.vois.share import share_on

#: A polygon whose points leave its plane by more than this is not planar.
PLANE_TOLERANCE_MM: Final = 0.2
#: Slices closer than this are one slice (positions in files are rounded).
SAME_SLICE_MM: Final = 0.05


@dataclass(frozen=True)
class Drawn:
    """Contours on a grid. fraction (z, y, x): share of each voxel inside. volume_ml: Σ area · slab thickness, all of
    it; outside_fraction: the share of that volume beyond the grid.
    """

    fraction: NDArray[np.float32]
    volume_ml: float
    outside_fraction: float
    warnings: tuple[str, ...] = ()


def draw_contours(contours: Contours, grid: Grid) -> Drawn:
    """Share of each voxel of ``grid`` inside a structure.

    Each contour slice fills a slab that reaches half-way to its neighbours (at the ends, half a slice spacing), so the
    volume is Σ area · thickness, as contours are usually understood. One missing slice is bridged and said; larger gaps
    stay empty. Holes, crossings and overlaps on a slice by the even-odd rule (see contour_crossings.py), a contour
    written twice counts once. Contours in planes parallel to the grid's slices are
    drawn straight into its voxels, others on a fine grid of their own first. Raises VoiError: no contour, points off
    their plane, planes that are not parallel.
    """
    if not contours.polygons_mm:
        raise VoiError(f"Structure {contours.name} has no closed contour. Draw it again, or exclude it.")
    index = [_indices(polygon, grid) for polygon in contours.polygons_mm]
    tolerance = PLANE_TOLERANCE_MM / grid.spacing_mm[2]
    if all(np.ptp(polygon[:, 2]) <= 2 * tolerance for polygon in index):
        return _drawn_straight(index, grid, contours.name)
    own = _own_grid(contours, grid)
    straight = _drawn_straight([_indices(p, own) for p in contours.polygons_mm], own, contours.name)
    fraction = share_on(straight.fraction, own, grid)
    inside_ml = float(fraction.sum(dtype=np.float64)) * grid.voxel_volume_ml
    outside = max(0.0, 1.0 - inside_ml / straight.volume_ml) if straight.volume_ml > 0 else 0.0
    return Drawn(fraction, straight.volume_ml, outside if outside > 0.005 else 0.0, straight.warnings)


def segment_of(contours: Contours, grid: Grid) -> tuple[Segment, tuple[str, ...]]:
    """The contours filled on a fine grid of their own (half the finest spacing of ``grid``), and what was said."""
    if not contours.polygons_mm:
        raise VoiError(f"Structure {contours.name} has no closed contour. Draw it again, or exclude it.")
    own = _own_grid(contours, grid)
    if np.ptp(np.concatenate([_indices(p, own)[:, 2] for p in contours.polygons_mm])) < SAME_SLICE_MM:
        raise VoiError(
            f"{contours.name} is drawn on one slice only, which a deformation cannot carry over: draw it on the "
            "reference time point, or on more slices."
        )
    drawn = draw_contours(contours, own)
    mask = mask_of_same_volume(drawn.fraction, own.voxel_volume_ml, drawn.volume_ml)
    return Segment(contours.name, mask, own, None, contours.frame_of_reference_uid), drawn.warnings


def mask_of_same_volume(fraction: NDArray[np.float32], voxel_volume_ml: float, volume_ml: float) -> NDArray[np.bool_]:
    """The voxels of greatest cover, as many as the volume asks for: |mask| · voxel volume = volume to half a voxel.

    A threshold at one half would be the same for large smooth bodies, but lose or gain several percent of small or thin
    ones. Among equal covers the voxel with the fuller neighbourhood goes first.
    """
    count = round(volume_ml / voxel_volume_ml)
    mask = np.zeros(fraction.shape, dtype=bool)
    touched = np.flatnonzero(fraction.ravel() > 1e-6)
    if count == 0 or not len(touched):
        return mask
    box = ndimage.find_objects((fraction > 1e-6).astype(np.uint8))[0]
    neighbourhood = np.zeros_like(fraction)
    neighbourhood[box] = ndimage.uniform_filter(fraction[box], 3, mode="constant")
    cover = np.round(fraction.ravel()[touched], 5)
    order = np.lexsort((-neighbourhood.ravel()[touched], -cover))
    mask.ravel()[touched[order[:count]]] = True
    return mask


def _indices(polygon_mm: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """(n, 3) voxel coordinates (i, j, k) of points in LPS."""
    points = np.c_[np.asarray(polygon_mm, dtype=np.float64), np.ones(len(polygon_mm))]
    return np.asarray((points @ np.linalg.inv(grid.lps_from_ijk).T)[:, :3])


def _drawn_straight(polygons: Sequence[NDArray[np.float64]], grid: Grid, name: str) -> Drawn:
    """Cover by polygons in planes of constant k."""
    slices, low, high, warnings = _slabs(polygons, grid, name)
    slices, copies = without_copies(polygons, slices, name)
    warnings = (*warnings, *copies, *crossings_said(polygons, slices, grid, name))
    corner = np.concatenate(polygons)
    first = np.floor(corner[:, :2].min(axis=0) + 0.5).astype(int)
    last = np.floor(corner[:, :2].max(axis=0) + 0.5).astype(int)
    shape = (int(last[1] - first[1] + 1), int(last[0] - first[0] + 1))
    k_first, k_last = int(np.floor(low.min() + 0.5)), int(np.ceil(high.max() - 0.5))
    block = np.zeros((k_last - k_first + 1, *shape), dtype=np.float32)
    for members, bottom, top in zip(slices, low, high, strict=True):
        plane = covered_fraction([polygons[m][:, :2] for m in members], (int(first[0]), int(first[1])), shape)
        for k in range(int(np.floor(bottom + 0.5)), int(np.ceil(top - 0.5)) + 1):
            overlap = min(top, k + 0.5) - max(bottom, k - 0.5)
            if overlap > 0:
                block[k - k_first] += np.float32(overlap) * plane
    fraction = np.zeros(grid.shape_zyx, dtype=np.float32)
    _place(block, fraction, (k_first, int(first[1]), int(first[0])))
    total = float(block.sum(dtype=np.float64))
    outside = 1.0 - float(fraction.sum(dtype=np.float64)) / total if total > 0 else 0.0
    return Drawn(np.clip(fraction, 0.0, 1.0), total * grid.voxel_volume_ml, max(0.0, outside), warnings)


def _slabs(
    polygons: Sequence[NDArray[np.float64]], grid: Grid, name: str
) -> tuple[list[list[int]], NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
    """Polygons slice by slice, and from where to where [in k] each slice reaches."""
    height = np.array([polygon[:, 2].mean() for polygon in polygons])
    order = np.argsort(height, kind="stable")
    new = np.r_[True, np.diff(height[order]) > SAME_SLICE_MM / grid.spacing_mm[2]]
    starts = np.flatnonzero(new)
    slices = [list(map(int, part)) for part in np.split(order, starts[1:])]
    at = np.array([height[members].mean() for members in slices])
    if len(at) == 1:
        warning = (
            f"{name} is drawn on one slice only: it is taken as {grid.spacing_mm[2]:.3g} mm thick, as the dose grid."
        )
        return slices, at - 0.5, at + 0.5, (warning,)
    gaps = np.diff(at)
    spacing = float(np.median(gaps))
    bridged = gaps <= 2.25 * spacing
    half = np.where(bridged, gaps / 2, spacing / 2)
    warnings = []
    missing = int(np.count_nonzero(bridged & (gaps > 1.5 * spacing)))
    if missing:
        warnings.append(f"{name}: {missing} missing contour slices are bridged from their neighbours.")
    if not bridged.all():
        warnings.append(f"{name} comes in {int((~bridged).sum()) + 1} pieces with empty slices between them.")
    low = at - np.r_[spacing / 2, half]
    high = at + np.r_[half, spacing / 2]
    return slices, low, high, tuple(warnings)


def _place(block: NDArray[np.float32], target: NDArray[np.float32], first: tuple[int, int, int]) -> None:
    """Copy the part of a block that lies inside the target."""
    into, out_of = [], []
    for start, n_block, n_target in zip(first, block.shape, target.shape, strict=True):
        low, high = max(0, start), min(n_target, start + n_block)
        if low >= high:
            return
        into.append(slice(low, high))
        out_of.append(slice(low - start, high - start))
    target[tuple(into)] = block[tuple(out_of)]


def _own_grid(contours: Contours, grid: Grid) -> Grid:
    """A grid around the structure whose slices are parallel to its contours, of half the dose grid's finest spacing."""
    largest = max(contours.polygons_mm, key=lambda p: float(np.ptp(p, axis=0).max()))
    normal = np.linalg.svd(largest - largest.mean(axis=0))[2][2]
    for polygon in contours.polygons_mm:
        if np.abs((polygon - polygon.mean(axis=0)) @ normal).max() > PLANE_TOLERANCE_MM:
            raise VoiError(
                f"The contours of {contours.name} do not lie in parallel planes: a volume cannot be built from them. "
                "Export the structure on axial slices, or as a label map."
            )
    aside = np.eye(3)[int(np.argmin(np.abs(normal)))]
    first = np.cross(aside, normal) / np.linalg.norm(np.cross(aside, normal))
    axes = np.column_stack([first, np.cross(normal, first), normal])
    local = np.concatenate(contours.polygons_mm) @ axes
    spacing = 0.5 * min(grid.spacing_mm)
    margin = 2.0 * max(grid.spacing_mm) + _widest_gap(local[:, 2])
    low, high = local.min(axis=0) - margin, local.max(axis=0) + margin
    counts = np.ceil((high - low) / spacing).astype(int) + 1
    origin = axes @ low
    return Grid(
        (int(counts[2]), int(counts[1]), int(counts[0])),
        (spacing, spacing, spacing),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        tuple(axes.ravel()),
    )


def _widest_gap(heights: NDArray[np.float64]) -> float:
    gaps = np.diff(np.unique(np.round(heights, 2)))
    return float(gaps.max()) if len(gaps) else 0.0
