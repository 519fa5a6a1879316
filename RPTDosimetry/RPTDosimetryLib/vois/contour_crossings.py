"""Contours that cross themselves or each other: found by their areas, drawn by the even-odd rule, and said."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.vois.polygons import area, even_odd_area

#: Share of a contour's area below which a crossing changes nothing that counts (a loop at a vertex).
SAID_FROM: Final = 0.02
#: Two contours whose points agree within this share of a pixel are one contour written twice.
_SAME_POINT: Final = 1e-3


def without_copies(
    polygons: Sequence[NDArray[np.float64]], slices: list[list[int]], name: str
) -> tuple[list[list[int]], tuple[str, ...]]:
    """Slices (lists of polygon numbers) without contours that are written twice: by even-odd they would cancel out."""
    kept: list[list[int]] = []
    copies = 0
    for members in slices:
        single: list[int] = []
        for number in members:
            if any(_same(polygons[number], polygons[other]) for other in single):
                copies += 1
            else:
                single.append(number)
        kept.append(single)
    said = (f"{name}: {copies} contours are written twice and count once.",) if copies else ()
    return kept, said


def crossings_said(
    polygons: Sequence[NDArray[np.float64]], slices: list[list[int]], grid: Grid, name: str
) -> tuple[str, ...]:
    """One warning for contours that cross themselves, one for contours of a slice that overlap in part.

    polygons: (n, 3) in voxels of ``grid``. A contour crosses itself when its area by the shoelace formula, where lobes
    of opposite sense subtract, is not that by the even-odd rule; two contours overlap when they share an area that is
    neither nothing nor the whole of the smaller (a hole). In both cases even-odd holds: what is enclosed twice is out.
    """
    crossing: list[NDArray[np.float64]] = []
    overlapping: list[NDArray[np.float64]] = []
    for members in slices:
        flat = {n: polygons[n][:, :2] for n in members}
        areas = {n: even_odd_area([flat[n]]) for n in members}
        for n in members:
            if abs(areas[n] - area(flat[n])) > SAID_FROM * max(areas[n], area(flat[n])):
                crossing.append(polygons[n])
        for n, m in itertools.combinations(members, 2):
            smaller = min(areas[n], areas[m])
            if smaller <= 0 or not _boxes_meet(flat[n], flat[m]):
                continue
            shared = (areas[n] + areas[m] - even_odd_area([flat[n], flat[m]])) / 2
            if SAID_FROM * smaller < shared < (1 - SAID_FROM) * smaller:
                overlapping.append(polygons[m])
    said = []
    if crossing:
        said.append(
            f"{name}: {len(crossing)} contours cross themselves, the first {_where(crossing[0], grid)}: lobes count, "
            "what is enclosed twice does not (even-odd rule). Check the drawing."
        )
    if overlapping:
        said.append(
            f"{name}: {len(overlapping)} contours overlap another one on their slice in part, the first "
            f"{_where(overlapping[0], grid)}: what both enclose is left out (even-odd rule). Check the drawing."
        )
    return tuple(said)


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """The same points, wherever the contour starts and whichever way it runs."""
    if len(one) != len(other) or np.abs(one.mean(axis=0) - other.mean(axis=0)).max() > _SAME_POINT:
        return False
    start = int(np.argmin(np.abs(other - one[0]).sum(axis=1)))
    forth, back = np.roll(other, -start, axis=0), np.roll(other[::-1], start + 1, axis=0)
    return any(bool(np.abs(one - candidate).max() < _SAME_POINT) for candidate in (forth, back))


def _boxes_meet(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool((one.min(axis=0) < other.max(axis=0)).all() and (other.min(axis=0) < one.max(axis=0)).all())


def _where(polygon: NDArray[np.float64], grid: Grid) -> str:
    x, y, z = (grid.lps_from_ijk @ [*polygon.mean(axis=0), 1.0])[:3]
    return f"on the slice at z = {z:.1f} mm (around x = {x:.0f}, y = {y:.0f} mm, LPS)"
