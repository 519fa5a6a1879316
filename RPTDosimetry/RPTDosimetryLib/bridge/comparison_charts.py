"""Charts of a comparison beside the histograms: voxel against voxel, Bland–Altman, violins of relative errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.dose_nodes import colour_of
from RPTDosimetryLib.bridge.line_charts import Axes, Curve, chart_of

#: Kinds of charts, as the box of plots names them.
VOXELS, DIFFERENCES, VIOLINS = "voxels", "Bland-Altman", "violins"
#: Cells by how many voxels they hold, dark to light as the library's figure; from here on each.
_FROM = (1, 10, 100, 1000)
_DENSITY = ((0.27, 0.00, 0.33), (0.19, 0.41, 0.56), (0.21, 0.72, 0.47), (0.99, 0.91, 0.14))
_RED, _GREY, _BLACK = (0.84, 0.19, 0.15), (0.55, 0.55, 0.55), (0.1, 0.1, 0.1)
#: Half the width of a violin, in steps between them.
_HALF = 0.38
#: Doses that differ by more than this factor are drawn on a logarithmic axis.
_WIDE = 20.0
#: Voxels below this share of the highest dose are not drawn, as in the library's figure.
_SHOWN_FROM = 1e-4
#: The legend stands at the right: so much more of the axis is kept free for it.
_FREE = 0.75


def charts_of_comparison(case: Case, made: Any) -> list[Any]:
    """Nodes of the charts of a Comparison."""
    nodes = _voxels(made.spread)
    if made.figures["volumes"]:
        nodes += _differences(case, made.figures)
    if made.violins:
        nodes += _violins(case, made.violins)
    return nodes


def _voxels(spread: Any) -> list[Any]:
    """Each pair of doses that occurs as a mark, coloured by how many voxels have it; the line of equal doses."""
    from RPTDosimetryLib.evaluation.voxel_spread import dose_edges_gy

    edges = dose_edges_gy()
    middle = np.sqrt(edges[1:] * edges[:-1])
    used = np.flatnonzero(spread.density.any(axis=0) | spread.density.any(axis=1))
    if not used.size:
        return []
    lowest = max(middle[used[0]], _SHOWN_FROM * middle[used[-1]]) / 1.2
    ends = np.array([lowest, 1.2 * middle[used[-1]]])
    curves = []
    for number, (least, colour) in enumerate(zip(_FROM, _DENSITY, strict=True)):
        most = _FROM[number + 1] if number + 1 < len(_FROM) else np.inf
        row, column = np.nonzero((spread.density >= least) & (spread.density < most))
        seen = (middle[row] > lowest) & (middle[column] > lowest)
        row, column = row[seen], column[seen]
        if row.size:
            name = _("{n} voxels or more").format(n=least) if np.isinf(most) else f"{least}–{most - 1}"
            curves.append(Curve(name, middle[row], middle[column], colour, marks=3.0))
    curves.append(Curve(_("equal"), ends, ends, _RED))
    told = "" if spread.correlation is None else f", r = {spread.correlation:.4f}"
    slope = "" if spread.slope_origin is None else f", {_('slope')} {spread.slope_origin:.4f}"
    axes = Axes(
        f"{_('Voxel by voxel')}{told}{slope}",
        _("Reference dose [Gy]"),
        _("Evaluated dose [Gy]"),
        log_x=True,
        log_y=True,
        x_range=(float(ends[0]), float(ends[1] * (ends[1] / ends[0]) ** _FREE)),
        y_range=(float(ends[0]), float(ends[1])),
    )
    return chart_of(curves, axes, at.COMPARISON, VOXELS)


def _differences(case: Case, figures: dict[str, Any]) -> list[Any]:
    """A mark a volume; mean and limits of agreement as lines, where there are enough volumes for them."""
    curves, means = [], []
    for row in figures["volumes"]:
        mean = 0.5 * (row["reference_mean_gy"] + row["evaluated_mean_gy"])
        if mean > 0:
            percent = 100.0 * row["error_gy"] / mean
            means.append(mean)
            curves.append(
                Curve(row["name"], np.array([mean]), np.array([percent]), colour_of(case, row["name"]), marks=9.0)
            )
    if not curves:
        return []
    limits = figures["over_volumes"]["bland_altman_percent"]
    if limits is not None:
        span = np.array([min(means), max(means)])
        for key, name, dashed in (
            ("mean_difference", _("mean"), False),
            ("lower_limit", _("mean − 1.96 SD"), True),
            ("upper_limit", _("mean + 1.96 SD"), True),
        ):
            curves.append(Curve(f"{name} {limits[key]:+.2f} %", span, np.full(2, limits[key]), _GREY, dashed))
    low, high = min(means), max(means)
    log = high > _WIDE * low
    span_gy = (low / 1.3, high * (1.3 * high / low) ** _FREE) if log else (0.0, (1.0 + _FREE) * high)
    title, x, y = _("Bland–Altman of mean doses"), _("Mean of both doses [Gy]"), _("Difference [% of the mean]")
    axes = Axes(title, x, y, log_x=log, x_range=span_gy)
    return chart_of(curves, axes, at.COMPARISON, DIFFERENCES)


def _violins(case: Case, shapes: Sequence[Any]) -> list[Any]:
    """An outline a volume, numbered in the legend; marks at the quartiles."""
    curves, marks, top = [], [], _reach_percent(shapes)
    for number, shape in enumerate(shapes, start=1):
        wide = _HALF * shape.density
        x = np.r_[number - wide, number + wide[::-1], number - wide[0]]
        y = np.r_[shape.values, shape.values[::-1], shape.values[0]]
        colour = _BLACK if number == 1 else colour_of(case, shape.name)
        name = _("all") if number == 1 else shape.name
        beyond = f" ({_('median')} {shape.percentiles[2]:+.0f} %)" if abs(shape.percentiles[2]) > top else ""
        curves.append(Curve(f"{number} {name}{beyond}", x, y, colour))
        marks += [(number, percentile) for percentile in shape.percentiles[1:4]]
    at_x, at_y = np.array(marks, dtype=np.float64).T
    curves.append(Curve(_("quartiles and median"), at_x, at_y, _GREY, marks=5.0))
    axes = Axes(
        _("Relative error, voxels from 1 % of maximum"),
        _("Volume (number in the legend)"),
        _("Relative error [%]"),
        x_range=(0.4, (1.0 + _FREE) * len(shapes) + 0.6),
        y_range=(-top, top),
    )
    return chart_of(curves, axes, at.COMPARISON, VIOLINS)


def _reach_percent(shapes: Sequence[Any]) -> float:
    """How far the axis reaches: one organ that is far off must not flatten all others."""
    reach = np.abs([(shape.values[0], shape.values[-1]) for shape in shapes]).max(axis=1)
    return max(1.1 * min(float(reach.max()), 6.0 * float(np.median(reach))), 0.1)
