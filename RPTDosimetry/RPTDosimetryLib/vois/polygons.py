"""Area that polygons cover of each pixel, holes and overlaps by the even-odd rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Scan lines through each pixel row; along the line the cover is exact.
LINES_PER_PIXEL: Final = 16
#: Lines at which polygons are cut for their area, beside those at every vertex.
_CUTS: Final = 256


def covered_fraction(
    polygons_ij: Sequence[NDArray[np.float64]], first_ij: tuple[int, int], shape_ji: tuple[int, int]
) -> NDArray[np.float32]:
    """Share (j, i) of each pixel of a block inside an odd number of polygons; pixel (i, j) spans ±0.5 around its index.

    polygons_ij: (n, 2) vertices in pixel coordinates, closed without repeating the first. first_ij: index of the
    block's first pixel. Along i the cover of every scan line is exact; along j it is the mean of 16 lines. A hole drawn
    as a polygon of its own, or through a keyhole, is left out.
    """
    rows, columns = shape_ji
    line_j = first_ij[1] - 0.5 + (np.arange(rows * LINES_PER_PIXEL) + 0.5) / LINES_PER_PIXEL
    line, at_i = _crossings(polygons_ij, line_j)
    order = np.lexsort((at_i, line))
    line, at_i = line[order], at_i[order] - first_ij[0]
    sign = np.where(_position_in_run(line) % 2 == 0, 1.0, -1.0)  # entering, leaving, entering, …
    at_i = np.clip(at_i, -0.5, columns - 0.5)
    pixel = np.minimum(np.floor(at_i + 0.5).astype(int), columns - 1)
    cover = np.zeros((len(line_j), columns + 1))
    np.add.at(cover, (line, pixel + 1), sign)
    cover = np.cumsum(cover, axis=1)[:, :columns]
    np.add.at(cover, (line, pixel), sign * (pixel + 0.5 - at_i))
    return np.asarray(cover.reshape(rows, LINES_PER_PIXEL, columns).mean(axis=1), dtype=np.float32)


def even_odd_area(polygons_ij: Sequence[NDArray[np.float64]]) -> float:
    """Area inside an odd number of polygons, in the units of their coordinates.

    Strips between the heights of all vertices, each by its width half-way up: exact where no edges cross inside a
    strip; crossings are resolved to 1/256 of the height.
    """
    points = np.concatenate(polygons_ij)[:, 1]
    heights = np.unique(np.concatenate([points, np.linspace(points.min(), points.max(), _CUTS + 1)]))
    line, at_i = _crossings(polygons_ij, (heights[1:] + heights[:-1]) / 2)
    order = np.lexsort((at_i, line))
    line, at_i = line[order], at_i[order]
    sign = np.where(_position_in_run(line) % 2 == 0, -1.0, 1.0)  # a width is where it leaves less where it enters
    return float((sign * at_i * np.diff(heights)[line]).sum()) if len(line) else 0.0


def area(polygon_ij: NDArray[np.float64]) -> float:
    """Area of one simple polygon by the shoelace formula."""
    i, j = polygon_ij[:, 0], polygon_ij[:, 1]
    return float(abs(np.dot(i, np.roll(j, -1)) - np.dot(j, np.roll(i, -1))) / 2.0)


def _crossings(
    polygons_ij: Sequence[NDArray[np.float64]], line_j: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Scan line number and i of every crossing of an edge with a line; an edge owns its lower end and not its upper."""
    start = np.concatenate(polygons_ij)
    end = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons_ij])
    low = np.searchsorted(line_j, np.minimum(start[:, 1], end[:, 1]))
    high = np.searchsorted(line_j, np.maximum(start[:, 1], end[:, 1]))
    counts = high - low
    edge = np.repeat(np.arange(len(start)), counts)
    line = np.repeat(low - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    slope = (end[edge, 0] - start[edge, 0]) / (end[edge, 1] - start[edge, 1])
    return line, start[edge, 0] + slope * (line_j[line] - start[edge, 1])


def _position_in_run(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, 2, … within each run of equal values."""
    if not len(values):
        return values
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    lengths = np.diff(np.r_[starts, len(values)])
    return np.arange(len(values)) - np.repeat(starts, lengths)
