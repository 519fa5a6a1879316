"""Violins of errors: their density, their quartiles and the middle 95 %, with every value where there are few."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from RPTDosimetryLib.evaluation.violin import Violin, floor_told
from RPTDosimetryLib.report.figures import new_figure, save_figure, voi_colours
from RPTDosimetryLib.report.short_names import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Half the width of a violin where it is widest, in steps between violins.
HALF_WIDTH = 0.38
#: What every figure with violins says of them.
LEGEND = "white: median, bar: quartiles, line: 2.5 to 97.5 %"


def draw_violin(axis: Axes, shape: Violin, at: float, colour: Any, half_width: float = HALF_WIDTH) -> None:
    """One upright violin around x = at."""
    low, first, median, third, high = shape.percentiles
    if np.ptp(shape.values) > 0:
        wide = half_width * shape.density
        axis.fill_betweenx(shape.values, at - wide, at + wide, color=colour, alpha=0.55, linewidth=0.8)
    axis.plot([at, at], [low, high], color="0.15", linewidth=1.0)
    axis.plot([at, at], [first, third], color="0.15", linewidth=4.0, solid_capstyle="butt")
    axis.plot([at], [median], "o", color="white", markersize=4, markeredgecolor="0.15", zorder=4)


def draw_points(axis: Axes, values: Sequence[float], at: float, colour: Any, half_width: float = HALF_WIDTH) -> None:
    """Every value as a point beside x = at, apart by their order so that equal ones are seen."""
    known = [v for v in values if v is not None and np.isfinite(v)]
    aside = half_width * np.linspace(-0.5, 0.5, len(known)) if len(known) > 1 else np.zeros(len(known))
    axis.scatter(at + aside, known, s=16, color=colour, edgecolor="black", linewidth=0.4, zorder=5)


def name_places(axis: Axes, names: Sequence[str]) -> None:
    """Names under the places 0, 1, …"""
    told = [shortened(name) for name in names]
    long = len(told) > 4 or max(map(len, told), default=0) > 12
    axis.set_xticks(range(len(told)), told, rotation=35 if long else 0, ha="right" if long else "center", fontsize=9)
    axis.set_xlim(-0.7, len(names) - 0.3)
    axis.grid(axis="y", alpha=0.3)


def save_error_violins(shapes: Sequence[Violin], path: Path) -> None:
    """Relative errors of the voxels of the whole map and of each volume."""
    figure = new_figure(max(6.0, 1.0 + 0.8 * len(shapes)), 5.2)
    axis = figure.subplots()
    colours = ["0.6", *voi_colours(len(shapes) - 1)] if shapes else []
    for place, (shape, colour) in enumerate(zip(shapes, colours, strict=True)):
        draw_violin(axis, shape, place, colour)
    axis.axhline(0.0, color="black", linewidth=0.8)
    told = ""
    if shapes:
        reach = np.abs([(shape.values[0], shape.values[-1]) for shape in shapes]).max(axis=1)
        usual, highest = float(np.median(reach)), max(1.1 * float(reach.max()), 0.1)
        if highest > 4 * usual > 0:  # a lung of +100 % would flatten all others
            axis.set_yscale("symlog", linthresh=round_up(usual))
            axis.yaxis.set_major_formatter("{x:g}")
            told = f"; logarithmic beyond ±{round_up(usual):g} %"
        axis.set_ylim(-highest, highest)
    name_places(axis, [shape.name for shape in shapes])
    axis.set_ylabel("(evaluated − reference) / reference [%]")
    axis.set_title(f"Relative error of {floor_told()}\n{LEGEND}{told}", fontsize=10)
    save_figure(figure, path)


def round_up(value: float) -> float:
    """1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value))
