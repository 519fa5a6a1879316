"""Two dose maps compared, as a folder: the figures, where errors lie, how voxels and organs agree, histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.evaluation.agreement import OrganAgreement, bland_altman
from RPTDosimetryLib.evaluation.full_comparison import relative_error_map, volume_histogram
from RPTDosimetryLib.evaluation.image_metrics import RELATIVE_FLOOR_PERCENT
from RPTDosimetryLib.evaluation.violin import error_violins
from RPTDosimetryLib.evaluation.voxel_spread import voxel_spread
from RPTDosimetryLib.files import whole_folder
from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.records import Image, Voi
from RPTDosimetryLib.report.figures import (
    draw_plane,
    label_plane,
    legend_below,
    legend_handles,
    new_figure,
    outline_vois,
    outlined,
    save_figure,
    shown_frame_mm,
    voi_colours,
)
from RPTDosimetryLib.report.planes import PLANES, standing
from RPTDosimetryLib.report.provenance import json_text
from RPTDosimetryLib.report.tables import write_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ERROR_COLOURS = "RdBu_r"
#: The colour scale of relative errors ends at the first of these that holds 95 % of the voxels [%].
SCALES_PERCENT = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)

#: Reference, evaluated, and the voxels that count (None: all).
Doses = tuple[Image, Image, NDArray[np.bool_] | None]


def write_comparison(
    answer: Mapping[str, Any], doses: Doses, vois: Sequence[Voi], organs: Sequence[OrganAgreement], folder: Path
) -> None:
    """comparison.json, relative_error.png, voxels.png, violins.png, profiles.png and, with volumes, volumes.csv,
    organs.png and dvh.png; all or none.
    """
    from RPTDosimetryLib.report.compare_density import save_density
    from RPTDosimetryLib.report.compare_profiles import save_profiles
    from RPTDosimetryLib.report.violins import save_error_violins

    reference, evaluated, mask = doses
    with whole_folder(folder) as temporary:
        (temporary / "comparison.json").write_text(json_text(answer) + "\n", encoding="utf-8")
        save_relative_error(doses, vois, temporary / "relative_error.png")
        spread = {"evaluated against reference": voxel_spread(reference, evaluated, mask)}
        save_density(spread, temporary / "voxels.png", "Voxel by voxel")
        shapes = error_violins(relative_error_map(reference, evaluated, mask), vois)
        save_error_violins(shapes, temporary / "violins.png")
        save_profiles({"reference": reference, "evaluated": evaluated}, temporary / "profiles.png")
        if vois:
            write_rows([flat_row(row) for row in answer["volumes"]], temporary / "volumes.csv")
            save_organ_agreement(organs, answer["mean_weighting"], temporary / "organs.png")
            save_dvh_overlay(doses, vois, temporary / "dvh.png")


def save_relative_error(doses: Doses, vois: Sequence[Voi], path: Path) -> None:
    """(evaluated − reference)/reference [%] in three planes through the highest reference dose, and its histogram."""
    reference = doses[0]
    percent = relative_error_map(*doses).voxels
    known = percent[np.isfinite(percent)]
    top = error_scale_percent(percent)
    at_mm = hottest_mm(reference)
    under = standing(np.sqrt(np.clip(reference.voxels, 0.0, None)), reference.grid)
    over = standing(percent, reference.grid)
    shown = outlined(vois, reference)
    outlines = [(voi.name, standing(voi.mask, voi.grid)) for voi in shown]
    frame_mm = shown_frame_mm(reference, vois)
    figure = new_figure(12.0, 10.0)
    axes = figure.subplots(2, 2)
    for axis, name in zip(axes.flat, PLANES, strict=False):
        draw_plane(axis, under.plane(name, at_mm), "gray", (0.0, float(np.sqrt(reference.voxels.max()))))
        plane = over.plane(name, at_mm)
        drawn = draw_plane(axis, plane, ERROR_COLOURS, (-top, top))
        outline_vois(axis, name, at_mm, outlines)
        label_plane(axis, name, at_mm, frame_mm)
    bar = figure.colorbar(drawn, ax=axes[:, 0].tolist(), location="left", shrink=0.7, pad=0.02, extend="both")
    bar.set_label("(evaluated − reference) / reference [%]")
    histogram = axes.flat[3]
    histogram.hist(np.clip(known, -top, top), bins=80, range=(-top, top), color="0.45")
    histogram.axvline(0.0, color="black", linewidth=1)
    histogram.set(xlabel="Relative error [%]", ylabel="Voxels", yscale="log", xlim=(-top, top))
    if known.size:
        histogram.set_title(f"mean {known.mean():+.2f} %, mean absolute {np.abs(known).mean():.2f} %", fontsize=10)
    histogram.grid(alpha=0.3)
    legend_below(figure, [voi.name for voi in shown])
    figure.suptitle(
        f"Relative error of {known.size} voxels with at least {RELATIVE_FLOOR_PERCENT:g} % of the reference's maximum "
        f"({reference.voxels.max():.4g} Gy)\ngrey: reference dose, square root; outer bins hold what is beyond",
        fontsize=12,
    )
    save_figure(figure, path)


def flat_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A volume's figures in one line: those of its voxels with their own names after "voxel_"."""
    own = {key: value for key, value in row.items() if key != "metrics"}
    return own | {f"voxel_{key}": value for key, value in row["metrics"].items()}


def save_organ_agreement(organs: Sequence[OrganAgreement], weighting: str, path: Path) -> None:
    """Error of each organ's mean dose, and differences against means with limits of agreement (Bland–Altman)."""
    figure = new_figure(13.0, 0.32 * len(organs) + 3.4)
    bars, plot = figure.subplots(1, 2)
    names = [row.name for row in organs]
    errors = [np.nan if row.error_percent is None else row.error_percent for row in organs]
    colours = voi_colours(len(organs))
    bars.barh(names, errors, color=colours)
    bars.axvline(0.0, color="black", linewidth=1)
    for place, error in enumerate(errors):
        bars.annotate(f"{error:+.2f} %", (error, place), xytext=(4 if error >= 0 else -4, 0),
                      textcoords="offset points", va="center", ha="left" if error >= 0 else "right",
                      fontsize=8)  # fmt: skip
    bars.invert_yaxis()
    bars.margins(x=0.2)
    bars.set(xlabel="Error of the mean dose [% of the reference]")
    bars.grid(axis="x", alpha=0.3)
    _draw_bland_altman(plot, organs, colours)
    figure.suptitle(f"Organ mean doses, weighted by {weighting}: evaluated − reference", fontsize=12)
    save_figure(figure, path)


def save_dvh_overlay(doses: Doses, vois: Sequence[Voi], path: Path, parts: int | None = None) -> None:
    """Cumulative dose-volume histograms of each volume: reference solid, evaluated dashed. parts: partial voxels."""
    from matplotlib.lines import Line2D

    figure = new_figure(10.0, 6.0)
    axis = figure.subplots()
    colours = voi_colours(len(vois))
    lowest = np.inf
    for voi, colour in zip(vois, colours, strict=True):
        for image, line in zip(doses[:2], ("-", "--"), strict=True):
            curve = volume_histogram(image, voi, parts)
            axis.plot(curve.dose_gy, 100 * curve.cumulative, line, color=colour, linewidth=1.4)
        lowest = min(lowest, float(curve.dose_gy[-1]))
    highest = float(doses[0].voxels.max())
    # organs of a hundredth of the tumour's dose are seen only on a logarithmic axis
    if 0 < lowest < 0.1 * highest:
        axis.set(xscale="log", xlim=(0.02 * lowest, 1.1 * highest))
    else:
        axis.set_xlim(left=0)
    axis.set(xlabel="Absorbed dose [Gy]", ylabel="Volume receiving at least this dose [%]", ylim=(0, 101))
    axis.grid(alpha=0.3)
    styles = [Line2D([], [], color="black", label="reference"),
              Line2D([], [], color="black", linestyle="--", label="evaluated")]  # fmt: skip
    handles = [*styles, *legend_handles([voi.name for voi in vois])]
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=8)
    axis.set_title(f"Dose-volume histograms{', partial voxels' if parts else ''}", fontsize=12)
    save_figure(figure, path)


def _draw_bland_altman(axis: Axes, organs: Sequence[OrganAgreement], colours: Sequence[Any]) -> None:
    means = np.array([0.5 * (row.reference_mean_gy + row.evaluated_mean_gy) for row in organs])
    percents = np.array([100 * row.error_gy / m if m > 0 else np.nan for row, m in zip(organs, means, strict=True)])
    axis.scatter(means, percents, color=colours, s=45, zorder=3, edgecolor="black", linewidth=0.5)
    limits = bland_altman(percents[np.isfinite(percents)], "%")
    if limits:
        for value, style, text in (
            (limits.mean_difference, "-", "mean"),
            (limits.lower_limit, "--", "−1.96 SD"),
            (limits.upper_limit, "--", "+1.96 SD"),
        ):
            axis.axhline(value, color="0.3", linestyle=style, linewidth=1.2)
            axis.annotate(f"{text} {value:+.2f} %", (1.0, value), xycoords=("axes fraction", "data"), ha="right",
                          va="bottom", fontsize=8)  # fmt: skip
    if (means > 0).all():
        axis.set_xscale("log")
    axis.margins(y=0.15)
    axis.set(xlabel="Mean of both organ doses [Gy]", ylabel="Difference [% of the mean of both]")
    axis.set_title("Bland–Altman" if limits else "Bland–Altman (too few volumes for limits)", fontsize=11)
    axis.grid(alpha=0.3)


def error_scale_percent(percent: NDArray[np.floating]) -> float:
    """The first of SCALES_PERCENT that holds 95 % of the relative errors known."""
    known = percent[np.isfinite(percent)]
    spread = float(np.percentile(np.abs(known), 95)) if known.size else 0.0
    return next((scale for scale in SCALES_PERCENT if scale >= spread), SCALES_PERCENT[-1])


def hottest_mm(reference: Image) -> Vector3:
    """LPS of the voxel of highest dose [mm]."""
    k, j, i = np.unravel_index(int(np.argmax(reference.voxels)), reference.voxels.shape)
    x, y, z = (reference.grid.lps_from_ijk @ [i, j, k, 1.0])[:3]
    return float(x), float(y), float(z)
