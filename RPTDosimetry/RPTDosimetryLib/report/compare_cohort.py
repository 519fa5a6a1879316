"""Figures of a cohort: violins of voxel figures and organ errors by method, and differences of all volumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from RPTDosimetryLib.evaluation.agreement import bland_altman
from RPTDosimetryLib.evaluation.cohort_answer import CohortAnswer
from RPTDosimetryLib.evaluation.cohort_statistics import patient_means, spread_of
from RPTDosimetryLib.evaluation.violin import floor_told, violin
from RPTDosimetryLib.evaluation.voxel_spread import ERROR_STEP_PERCENT, VoxelSpread, error_edges_percent
from RPTDosimetryLib.report.figures import legend_handles, new_figure, save_figure, voi_colours
from RPTDosimetryLib.report.short_names import shortened
from RPTDosimetryLib.report.violins import HALF_WIDTH, LEGEND, draw_points, draw_violin, name_places, round_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What the violins of patients show: figure, title, factor.
_SHOWN = (
    ("rae_percent", "RAE [%]", 1.0),
    ("mae_gy", "MAE [Gy]", 1.0),
    ("rmse_gy", "RMSE [Gy]", 1.0),
    ("ssim", "SSIM [%]", 100.0),
    ("psnr_db", "PSNR [dB]", 1.0),
    ("gamma_all_percent", "Gamma passing, all voxels [%]", 1.0),
    ("gamma_cutoff_percent", "Gamma passing, from cut-off [%]", 1.0),
    ("gamma_lesions_all_percent", "Gamma passing, lesions [%]", 1.0),
)
#: A violin of fewer values would invent a shape: then only the values are drawn.
FEWEST_IN_VIOLIN = 5
_FEW = f"fewer than {FEWEST_IN_VIOLIN}: points and their mean"


def save_patient_violins(cohort: CohortAnswer, path: Path) -> None:
    """Every voxel figure: a violin a method over patients, each patient a point."""
    shown = [row for row in _SHOWN if any(v is not None for m in cohort.methods for _, v in cohort.of_cases(m, row[0]))]
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(3.6 * columns, 3.4 * rows + 0.5)
    axes = figure.subplots(rows, columns, squeeze=False)
    colours = method_colours(cohort.methods)
    for axis, (name, title, factor) in zip(axes.flat, shown, strict=False):
        for place, (method, colour) in enumerate(zip(cohort.methods, colours, strict=True)):
            values = [factor * v for v in patient_means(cohort.of_cases(method, name)).values()]
            _draw_some(axis, values, place, colour)
        name_places(axis, cohort.methods)
        axis.set_title(title, fontsize=10)
    for axis in list(axes.flat)[len(shown) :]:
        axis.set_axis_off()
    figure.suptitle(f"{patients_told(cohort)}, each a point (mean of its cycles)\n{LEGEND}; {_FEW}", fontsize=11)
    save_figure(figure, path)


def save_organ_errors(cohort: CohortAnswer, path: Path, figure_name: str = "absolute_error_percent") -> None:
    """Errors of mean doses by group of volumes: for each, a violin a method; every volume a point."""
    groups, methods = cohort.groups, cohort.methods
    colours = method_colours(methods)
    figure = new_figure(max(7.0, 1.3 * len(groups) + 2.0), 5.4)
    axis = figure.subplots()
    step = 0.84 / len(methods)
    highest: list[float] = []
    for place, group in enumerate(groups):
        for number, (method, colour) in enumerate(zip(methods, colours, strict=True)):
            values = [v for _, v in cohort.of_volumes(method, group, figure_name) if v is not None]
            at = place + (number - (len(methods) - 1) / 2) * step
            _draw_some(axis, values, at, colour, 0.45 * step)
            highest += values
    name_places(axis, groups)
    absolute = figure_name.startswith("absolute")
    if absolute and highest and max(highest) > 20 * float(np.median(highest)) > 0:
        axis.set_yscale("symlog", linthresh=round_up(float(np.median(highest))))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.set_ylim(0.0, 1.5 * max(highest))
    elif absolute:
        axis.set_ylim(bottom=0.0)
    else:
        axis.axhline(0.0, color="black", linewidth=0.8)
    axis.set_ylabel("Absolute error of the mean dose [%]" if absolute else "Error of the mean dose [%]")
    axis.legend(handles=_handles(methods, colours), frameon=False, fontsize=9, ncols=len(methods), loc="upper center",
                bbox_to_anchor=(0.5, 1.1))  # fmt: skip
    figure.suptitle(f"Organ and lesion doses, every volume a point\n{LEGEND}; {_FEW}", fontsize=11)
    save_figure(figure, path)


def save_cohort_bland_altman(cohort: CohortAnswer, path: Path) -> None:
    """A panel a method: difference of the mean dose of every volume against the mean of both, coloured by group."""
    methods, groups = cohort.methods, cohort.groups
    columns = min(3, len(methods))
    rows = -(-len(methods) // columns)
    figure = new_figure(4.6 * columns, 4.2 * rows + 0.9)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True, sharex=True)
    colours = dict(zip(groups, voi_colours(len(groups)), strict=True))
    for axis, method in zip(axes.flat, methods, strict=False):
        _draw_differences(axis, cohort, method, colours)
        axis.set_title(shortened(method), fontsize=11)
        axis.set_xlabel("Mean of both doses [Gy]")
    for axis in axes[:, 0]:
        axis.set_ylabel("Difference [% of the mean of both]")
    for axis in list(axes.flat)[len(methods) :]:
        axis.set_axis_off()
    figure.legend(handles=_dots(groups, colours), loc="outside lower center", ncols=min(6, len(groups)), frameon=False,
                  fontsize=9, borderaxespad=2)  # fmt: skip
    figure.suptitle(f"Bland–Altman, {patients_told(cohort)}: evaluated − reference, lines mean and ± 1.96 SD")
    save_figure(figure, path)


def save_pooled_errors(cohort: CohortAnswer, path: Path) -> None:
    """Relative errors of all voxels of all patients, a violin a method (from counts of a quarter percent)."""
    figure = new_figure(max(5.0, 1.6 * len(cohort.methods) + 2.0), 5.0)
    axis = figure.subplots()
    colours = method_colours(cohort.methods)
    top = 0.0
    for place, (method, colour) in enumerate(zip(cohort.methods, colours, strict=True)):
        top = max(top, _draw_counts(axis, cohort.pooled[method], place, colour))
    axis.set_ylim(-top, top)
    axis.axhline(0.0, color="black", linewidth=0.8)
    name_places(axis, cohort.methods)
    axis.set_ylabel("(evaluated − reference) / reference [%]")
    voxels = f"{int(next(iter(cohort.pooled.values())).errors.sum()):,}".replace(",", " ")
    axis.set_title(
        f"Relative error of {voxels} voxels of {patients_told(cohort)}, {floor_told()}\n{LEGEND}", fontsize=9
    )
    save_figure(figure, path)


def patients_told(cohort: CohortAnswer) -> str:
    """How many patients, in words."""
    count = len(cohort.patients)
    return f"{count} patient{'s' if count != 1 else ''}"


def method_colours(methods: Sequence[str]) -> list[Any]:
    """One colour a method, the same in every figure."""
    from matplotlib import colormaps

    return [colormaps["tab10"](number % 10) for number in range(len(methods))]


def _draw_some(axis: Axes, values: Sequence[float], at: float, colour: Any, half_width: float = HALF_WIDTH) -> None:
    known = [v for v in values if np.isfinite(v)]
    if len(known) >= FEWEST_IN_VIOLIN:
        shape = violin(known, "", "")
        if shape is not None:
            draw_violin(axis, shape, at, colour, half_width)
    if len(known) <= 40:
        draw_points(axis, known, at, colour, half_width)
    told = spread_of(known)
    if told.mean is not None and 1 < len(known) < FEWEST_IN_VIOLIN:
        axis.plot([at - 0.6 * half_width, at + 0.6 * half_width], [told.mean] * 2, color="0.15", linewidth=1.5)


def _draw_counts(axis: Axes, spread: VoxelSpread, at: float, colour: Any) -> float:
    """A violin from counts; how far its middle 95 % reach, with some room."""
    edges = error_edges_percent()
    centres = 0.5 * (edges[1:] + edges[:-1])
    total = int(spread.errors.sum())
    if total == 0:
        return ERROR_STEP_PERCENT
    below = np.cumsum(spread.errors) / total
    marks = [float(np.interp(share, below, edges[1:])) for share in (0.025, 0.25, 0.5, 0.75, 0.975)]
    wide = HALF_WIDTH * spread.errors / spread.errors.max()
    axis.fill_betweenx(centres, at - wide, at + wide, color=colour, alpha=0.55, linewidth=0)
    axis.plot([at, at], [marks[0], marks[-1]], color="0.15", linewidth=1.0)
    axis.plot([at, at], [marks[1], marks[3]], color="0.15", linewidth=4.0, solid_capstyle="butt")
    axis.plot([at], [marks[2]], "o", color="white", markersize=4, markeredgecolor="0.15", zorder=4)
    return 1.3 * max(abs(marks[0]), abs(marks[-1]), 4 * ERROR_STEP_PERCENT)


def _draw_differences(axis: Axes, cohort: CohortAnswer, method: str, colours: dict[str, Any]) -> None:
    rows = [row for row in cohort.volumes if row.method == method and row.percent_of_both is not None]
    means = np.array([0.5 * (row.reference_mean_gy + row.evaluated_mean_gy) for row in rows])
    percents = np.array([row.percent_of_both for row in rows], dtype=np.float64)
    axis.scatter(means, percents, s=24, c=[colours[row.group] for row in rows], edgecolor="black", linewidth=0.4,
                 zorder=3)  # fmt: skip
    limits = bland_altman(percents, "%")
    if limits is not None:
        for value, style in ((limits.mean_difference, "-"), (limits.lower_limit, "--"), (limits.upper_limit, "--")):
            axis.axhline(value, color="0.3", linestyle=style, linewidth=1.2)
        told = f"mean {limits.mean_difference:+.2f} %\nlimits {limits.lower_limit:+.2f} to {limits.upper_limit:+.2f} %"
        axis.text(0.97, 0.97, told, transform=axis.transAxes, ha="right", va="top", fontsize=9,
                  bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none"})  # fmt: skip
    axis.axhline(0.0, color="black", linewidth=0.6)
    if means.size and (means > 0).all():
        axis.set_xscale("log")
    axis.margins(y=0.12)
    axis.grid(alpha=0.3)


def _handles(methods: Sequence[str], colours: Sequence[Any]) -> list[Any]:
    from matplotlib.patches import Patch

    return [
        Patch(color=colour, alpha=0.7, label=shortened(name)) for name, colour in zip(methods, colours, strict=True)
    ]


def _dots(groups: Sequence[str], colours: dict[str, Any]) -> list[Any]:
    handles = legend_handles([shortened(group) for group in groups])
    for handle, group in zip(handles, groups, strict=True):
        handle.set(linestyle="none", marker="o", color=colours[group])
    return handles
