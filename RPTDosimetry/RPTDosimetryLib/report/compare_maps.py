"""Several methods against one reference in three planes: doses, relative errors, gamma, as published side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from RPTDosimetryLib.evaluation.full_comparison import relative_error_map
from RPTDosimetryLib.evaluation.gamma import GammaResult
from RPTDosimetryLib.evaluation.image_metrics import RELATIVE_FLOOR_PERCENT
from RPTDosimetryLib.records import Image, Voi
from RPTDosimetryLib.report.compare_figures import ERROR_COLOURS, error_scale_percent, hottest_mm
from RPTDosimetryLib.report.figures import (
    DOSE_COLOURS,
    draw_plane,
    grey_dose,
    label_plane,
    legend_below,
    new_figure,
    outline_vois,
    outlined,
    save_figure,
    shown_frame_mm,
)
from RPTDosimetryLib.report.gamma_figure import gamma_colours
from RPTDosimetryLib.report.planes import PLANES, Standing, standing
from RPTDosimetryLib.report.short_names import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def save_dose_planes(doses: Mapping[str, Image], vois: Sequence[Voi], path: Path, label: str = "") -> None:
    """A column a map (the reference first), a row a plane, all on one scale: the square root, so that organs show."""
    from matplotlib.colors import PowerNorm

    reference = next(iter(doses.values()))
    top = float(max(image.voxels.max() for image in doses.values()))
    norm = PowerNorm(0.5, 0.0, top)
    columns = {shortened(name): standing(image.voxels, image.grid) for name, image in doses.items()}

    def draw(axis: Axes, column: Standing, plane: str, at_mm: Any) -> Any:
        pixels = column.plane(plane, at_mm)
        return axis.imshow(pixels.pixels, cmap=DOSE_COLOURS, norm=norm, extent=pixels.extent_mm,
                           interpolation="nearest")  # fmt: skip

    _save_grid(
        columns,
        (reference, vois),
        draw,
        (path, f"{_labelled(label)}absorbed dose (colours: square root)", "Absorbed dose [Gy]"),
    )


def save_error_planes(
    reference: Image, evaluated: Mapping[str, Image], vois: Sequence[Voi], path: Path, label: str = ""
) -> None:
    """Relative error [%] of each method over the reference dose in grey; one scale for all."""
    maps = {name: relative_error_map(reference, image) for name, image in evaluated.items()}
    top = max(error_scale_percent(image.voxels) for image in maps.values())
    under, grey = grey_dose(reference)
    columns = {shortened(name): standing(image.voxels, image.grid) for name, image in maps.items()}

    def draw(axis: Axes, column: Standing, plane: str, at_mm: Any) -> Any:
        draw_plane(axis, under.plane(plane, at_mm), "gray", grey)
        return draw_plane(axis, column.plane(plane, at_mm), ERROR_COLOURS, (-top, top))

    told = f"voxels with at least {RELATIVE_FLOOR_PERCENT:g} % of the reference's maximum"
    title = f"{_labelled(label)}relative error, {told} ({reference.voxels.max():.4g} Gy); grey: reference dose"
    _save_grid(columns, (reference, vois), draw, (path, title, "(evaluated − reference) / reference [%]"), "both")


def save_gamma_planes(
    reference: Image, results: Mapping[str, GammaResult], vois: Sequence[Voi], path: Path, label: str = ""
) -> None:
    """γ of each method over the reference dose in grey: blue passes, orange to dark red fails."""
    first = next(iter(results.values()))
    settings = first.settings
    top = settings.maximum_gamma
    colours = gamma_colours(top)
    under, grey = grey_dose(reference)
    columns = {}
    for name, result in results.items():
        rate = result.pass_rate
        told = "none judged" if rate is None else f"{100 * rate:.2f} % of {result.judged} pass"
        columns[f"{shortened(name)}\n{told}"] = standing(result.gamma_index.voxels, reference.grid)

    def draw(axis: Axes, column: Standing, plane: str, at_mm: Any) -> Any:
        draw_plane(axis, under.plane(plane, at_mm), "gray", grey)
        return draw_plane(axis, column.plane(plane, at_mm), colours, (0.0, top))

    kind = "local" if settings.local else "global"
    above = f"{settings.cutoff_percent:g} % of {first.normalisation_gy:.4g} Gy"
    criterion = f"gamma {settings.dose_percent:g} % {kind} / {settings.dta_mm:g} mm"
    title = f"{_labelled(label)}{criterion}, from {above}; grey: reference dose"
    _save_grid(columns, (reference, vois), draw, (path, title, "γ (passes up to 1)"), "max")


def _labelled(label: str) -> str:
    return f"{label}: " if label else ""


def _save_grid(
    columns: Mapping[str, Standing],
    case: tuple[Image, Sequence[Voi]],
    draw: Any,
    told: tuple[Path, str, str],
    extend: str = "neither",
) -> None:
    """Planes through the hottest voxel of the reference, a column a map, one colour bar."""
    reference, vois = case
    path, title, quantity = told
    at_mm, shown = hottest_mm(reference), outlined(vois, reference)
    outlines = [(voi.name, standing(voi.mask, voi.grid)) for voi in shown]
    frame_mm = shown_frame_mm(reference, vois)
    size = np.ptp(frame_mm, axis=1)
    heights = [size[1], size[2], size[2]]
    widest = max(size[0], size[1])
    figure = new_figure(3.3 * len(columns) + 1.2, 3.3 * sum(heights) / widest + 1.4)
    axes = figure.subplots(3, len(columns), squeeze=False, gridspec_kw={"height_ratios": heights})
    for number, (name, column) in enumerate(columns.items()):
        for axis, plane in zip(axes[:, number], PLANES, strict=True):
            drawn = draw(axis, column, plane, at_mm)
            outline_vois(axis, plane, at_mm, outlines)
            label_plane(axis, plane, at_mm, frame_mm)
        first = axes[0, number]
        first.set_title(f"{name}\n{first.get_title()}", fontsize=10)
    bar = figure.colorbar(drawn, ax=axes.ravel().tolist(), shrink=0.6, pad=0.02, extend=extend)
    bar.set_label(quantity)
    legend_below(figure, [voi.name for voi in shown])
    figure.suptitle(title if len(columns) > 1 else title.replace("; ", "\n"), fontsize=11)
    save_figure(figure, path)
