"""Doses along lines through the patient: reference and every method, as dose-line profiles are published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.evaluation.line_profile import line_profile
from RPTDosimetryLib.grid import Grid, Vector3
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.report.compare_figures import hottest_mm
from RPTDosimetryLib.report.figures import new_figure, save_figure, shown_frame_mm
from RPTDosimetryLib.report.short_names import shortened

#: Axis of LPS, what lies at its low and high end.
_LINES = ((0, "right", "left"), (1, "anterior", "posterior"), (2, "inferior", "superior"))


def save_profiles(doses: Mapping[str, Image], path: Path, through_mm: Vector3 | None = None, label: str = "") -> None:
    """Three lines through a point (the reference's hottest voxel where none is given); the reference, first, in black.

    Below each, the difference from the reference. The axes are positions in the image's own LPS [mm].
    """
    from matplotlib import colormaps

    (first, reference), *others = doses.items()
    at_mm = through_mm or hottest_mm(reference)
    frame_mm = shown_frame_mm(reference, ())
    figure = new_figure(13.5, 5.6)
    axes = figure.subplots(2, 3, sharex="col", height_ratios=(2.2, 1))
    for column, (axis, low, high) in enumerate(_LINES):
        above, below = axes[:, column]
        place, gray = _along(reference, at_mm, axis, frame_mm[axis])
        above.plot(place, gray, color="black", linewidth=1.8, label=first)
        for number, (name, image) in enumerate(others):
            colour = colormaps["tab10"](number % 10)
            _, dose = _along(image, at_mm, axis, frame_mm[axis])
            above.plot(place, dose, "--", color=colour, linewidth=1.4, label=shortened(name))
            below.plot(place, dose - gray, color=colour, linewidth=1.2)
        below.axhline(0.0, color="black", linewidth=0.8)
        others_mm = ", ".join(f"{'xyz'[n]} = {at_mm[n]:.0f} mm" for n in range(3) if n != axis)
        above.set_title(f"{low} → {high} ({others_mm})", fontsize=10)
        below.set_xlabel(f"{'xyz'[axis]} [mm, LPS]")
        for part in (above, below):
            part.grid(alpha=0.3)
        above.set_ylim(bottom=min(0.0, float(np.nanmin(gray))))
    axes[0, 0].set_ylabel("Absorbed dose [Gy]")
    axes[1, 0].set_ylabel("evaluated − ref. [Gy]")
    axes[0, 0].legend(frameon=False, fontsize=9)
    through = " through the reference's highest dose" if through_mm is None else ""
    figure.suptitle(f"{f'{label}: ' if label else ''}dose profiles{through}")
    save_figure(figure, path)


def _along(
    image: Image, at_mm: Vector3, axis: int, frame_mm: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = _reach_mm(image.grid, axis)
    start, end = list(at_mm), list(at_mm)
    start[axis], end[axis] = max(low, float(frame_mm[0])), min(high, float(frame_mm[1]))
    distance, dose = line_profile(image, (start[0], start[1], start[2]), (end[0], end[1], end[2]))
    return start[axis] + distance, dose


def _reach_mm(grid: Grid, axis: int) -> tuple[float, float]:
    """Lowest and highest coordinate of the grid's outermost voxel centres."""
    nk, nj, ni = grid.shape_zyx
    corners = np.array([[i, j, k, 1.0] for i in (0, ni - 1) for j in (0, nj - 1) for k in (0, nk - 1)])
    place = (corners @ grid.lps_from_ijk.T)[:, axis]
    return float(place.min()), float(place.max())
