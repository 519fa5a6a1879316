"""Figures a physician can read: dose over anatomy, dose-volume histograms, time-activity curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import ReportError
from RPTDosimetryLib.evaluation.dvh import Dvh
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.records import DoseMap, Image, KineticFit, TimeActivityCurve, Voi
from RPTDosimetryLib.report.notice import notice
from RPTDosimetryLib.report.planes import PLANES, Plane, Standing, standing
from RPTDosimetryLib.report.provenance import DISCLAIMER
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOSE_COLOURS = "inferno"
#: CT is shown between these HU (a soft-tissue window, level 40, width 400).
CT_WINDOW_HU = (-160.0, 240.0)
#: Dose below this share of the colour scale's top leaves the anatomy uncovered.
SHOWN_FROM = 0.05
#: What is shown around the body [mm].
MARGIN_MM = 15.0
DPI = 130
OUTLINES = "tab20"
#: More outlines than this hide what is under them.
MOST_OUTLINES = 12


@dataclass(frozen=True)
class Backdrop:
    """What lies under the dose: an image, its grey window, and a line that says what it is."""

    image: Image
    window: tuple[float, float]
    text: str


def ct_backdrop(ct: Image) -> Backdrop:
    """A CT in a soft-tissue window."""
    return Backdrop(ct, CT_WINDOW_HU, f"CT, window {CT_WINDOW_HU[0]:.0f} to {CT_WINDOW_HU[1]:.0f} HU")


def activity_backdrop(activity: Image) -> Backdrop:
    """A SPECT where there is no CT."""
    top = float(np.percentile(activity.voxels, 99.8)) or 1.0
    return Backdrop(activity, (0.0, top), "SPECT (no CT)")


def save_dose_overlay(dose: DoseMap, backdrop: Backdrop, vois: Sequence[Voi], path: Path, density: str) -> None:
    """Axial, coronal and sagittal plane through the hottest VOI, and a coronal maximum projection, with Gy scale.

    density: where the density of the dose calculation comes from, as the picture says it.
    """
    figure = new_figure(12.0, 10.0)
    shown = [voi for voi in vois if voi.name != "body"]
    top_gy = _scale_top_gy(dose.image, shown)
    at_mm = _point_of_interest_mm(dose.image, shown)
    dose_standing = standing(dose.image.voxels, dose.image.grid)
    under = standing(backdrop.image.voxels, backdrop.image.grid)
    outlines = [(voi.name, standing(voi.mask, voi.grid)) for voi in shown]
    frame_mm = shown_frame_mm(dose.image, vois)
    axes = figure.subplots(2, 2)
    for axis, name in zip(axes.flat, PLANES, strict=False):
        draw_plane(axis, under.plane(name, at_mm), "gray", backdrop.window)
        drawn = _draw_dose(axis, dose_standing.plane(name, at_mm), top_gy)
        outline_vois(axis, name, at_mm, outlines)
        label_plane(axis, name, at_mm, frame_mm)
    projection = axes.flat[3]
    drawn = draw_plane(projection, dose_standing.projection("coronal"), DOSE_COLOURS, (0.0, top_gy))
    label_plane(projection, "coronal", None, frame_mm)
    bar = figure.colorbar(drawn, ax=axes.ravel().tolist(), extend="max", shrink=0.7, pad=0.02)
    bar.set_label("Absorbed dose [Gy]")
    legend_below(figure, [voi.name for voi in shown])
    lowest = f"shown from {SHOWN_FROM * top_gy:.2g} Gy"
    figure.suptitle(
        f"Absorbed dose, {dose.nuclide}, engine {dose.engine_told} ({lowest}) over {backdrop.text}\nDensity: {density}",
        fontsize=12,
    )
    save_figure(figure, path)


def save_dvh(dvhs: Sequence[Dvh], path: Path, title: str) -> None:
    """Cumulative and differential dose-volume histograms of all VOIs, one colour a VOI in both."""
    figure = new_figure(12.0, 5.6)
    cumulative, differential = figure.subplots(1, 2)
    for dvh, colour in zip(dvhs, voi_colours(len(dvhs)), strict=True):
        cumulative.plot(dvh.dose_gy, 100 * dvh.cumulative, color=colour, label=dvh.name, linewidth=1.6)
        centres = 0.5 * (dvh.dose_gy[1:] + dvh.dose_gy[:-1])
        coarse_gy, coarse = _coarser(centres, dvh.differential_per_gy)
        differential.plot(coarse_gy, 100 * coarse, color=colour, linewidth=1.3, drawstyle="steps-mid")
    cumulative.set(xlabel="Absorbed dose [Gy]", ylabel="Volume receiving at least this dose [%]", ylim=(0, 101))
    differential.set(xlabel="Absorbed dose [Gy]", ylabel="Volume per dose [%/Gy]", yscale="log")
    differential.set_title("Differential (display bins joined)", fontsize=10)
    cumulative.set_title("Cumulative", fontsize=10)
    for axis in (cumulative, differential):
        axis.grid(alpha=0.3)
        axis.set_xlim(left=0)
    cumulative.legend(fontsize=8, frameon=False, loc="upper right")
    figure.suptitle(title, fontsize=12)
    save_figure(figure, path)


def save_curves(fits: Mapping[str, tuple[TimeActivityCurve, KineticFit]], path: Path, title: str) -> None:
    """Measured points and the fitted curve of each VOI, with its share of extrapolation."""
    columns = min(3, max(1, len(fits)))
    rows = max(1, -(-len(fits) // columns))
    figure = new_figure(4.2 * columns, 3.2 * rows)
    axes = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    for axis, (name, (curve, fit)) in zip(axes, fits.items(), strict=False):
        end_h = 1.6 * float(curve.time_s[-1]) / S_PER_H
        hours = np.linspace(0, end_h, 300)
        axis.plot(hours, fit.activity_bq_at(hours * S_PER_H) / BQ_PER_MBQ, color="tab:blue", linewidth=1.5)
        axis.plot(curve.time_s / S_PER_H, curve.activity_bq / BQ_PER_MBQ, "o", color="black", markersize=4)
        axis.axvspan(float(curve.time_s[-1]) / S_PER_H, end_h, color="0.93", zorder=0)
        axis.set_title(f"{name}: {fit.model}, {fit.extrapolated_fraction:.0%} beyond last scan", fontsize=9)
        axis.set(xlabel="Time since administration [h]", ylabel="Activity [MBq]", xlim=(0, end_h))
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    for axis in axes[len(fits) :]:
        axis.set_axis_off()
    figure.suptitle(title, fontsize=12)
    save_figure(figure, path)


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as MatplotlibFigure

    figure = MatplotlibFigure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def require_png(path: Path) -> None:
    """Raise ReportError for a picture that would have another ending."""
    if path.suffix.lower() != ".png":
        raise ReportError(f"{path}: pictures are written as PNG: give a name that ends in .png.")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG with the disclaimer, and the notice where there is one, whole or not at all.

    Raises ReportError, also for another ending.
    """
    require_png(path)
    figure.text(1.0, -0.004, DISCLAIMER, ha="right", va="top", fontsize=6, color="0.4")
    if notice():
        figure.text(0.5, 1.004, notice(), ha="center", va="bottom", fontsize=11, color="#b2182b", weight="bold")
    with whole_file(path) as temporary:
        figure.savefig(
            temporary, dpi=DPI, bbox_inches="tight", pad_inches=0.08, metadata={"Software": "SlicerRPTDosimetry"}
        )


def voi_colours(count: int) -> list[Any]:
    """One colour a volume."""
    from matplotlib import colormaps

    return [colormaps[OUTLINES](i % 20) for i in range(count)]


def legend_handles(names: Sequence[str]) -> list[Any]:
    """Lines for a legend, in voi_colours."""
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=c, label=n) for n, c in zip(names, voi_colours(len(names)), strict=True)]


def legend_below(figure: Figure, names: Sequence[str]) -> None:
    """Names in voi_colours under the figure, clear of the disclaimer; nothing without names."""
    if names:
        handles = legend_handles(names)
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=min(6, len(handles)),
            frameon=False,
            fontsize=9,
            borderaxespad=2,
        )


def _scale_top_gy(dose: Image, vois: Sequence[Voi]) -> float:
    """The median dose of the hottest VOI: half of it is at the scale's top, and organs stay visible beside it."""
    medians = [float(np.median(dose.voxels[voi.mask])) for voi in vois if voi.mask.any()]
    return max([*medians, 0.0]) or float(dose.voxels.max()) or 1.0


def shown_frame_mm(dose: Image, vois: Sequence[Voi]) -> NDArray[np.float64]:
    """(3, 2) lowest and highest x, y, z [mm] of the body, or of all dose where no body is drawn, with a margin."""
    bodies = [voi.mask for voi in vois if voi.name == "body"]
    shown = standing(bodies[0] if bodies else dose.voxels > 0.01 * dose.voxels.max(), dose.grid)
    found = np.argwhere(shown.voxels)[:, ::-1]
    low = np.add(shown.grid.origin_mm, (found.min(axis=0) - 0.5) * shown.grid.spacing_mm) - MARGIN_MM
    high = np.add(shown.grid.origin_mm, (found.max(axis=0) + 0.5) * shown.grid.spacing_mm) + MARGIN_MM
    edges = shown.edges_mm
    return np.stack([np.maximum(low, edges[:, 0]), np.minimum(high, edges[:, 1])], axis=1)


def _point_of_interest_mm(dose: Image, vois: Sequence[Voi]) -> Vector3:
    means = [(float(dose.voxels[voi.mask].mean()), voi.mask) for voi in vois if voi.mask.any()]
    where = max(means, key=lambda pair: pair[0])[1] if means else dose.voxels >= dose.voxels.max()
    k, j, i = np.argwhere(where).mean(axis=0)
    x, y, z = (dose.grid.lps_from_ijk @ [i, j, k, 1.0])[:3]
    return float(x), float(y), float(z)


def grey_dose(reference: Image) -> tuple[Standing, tuple[float, float]]:
    """The square root of a dose, upright, and its window for draw_plane: what other maps lie over."""
    root = np.sqrt(np.clip(reference.voxels, 0.0, None))
    return standing(root, reference.grid), (0.0, float(root.max()))


def draw_plane(axis: Axes, plane: Plane, colours: Any, window: tuple[float, float]) -> Any:
    """Pixels in a window of values, each voxel as it is."""
    return axis.imshow(
        plane.pixels, cmap=colours, vmin=window[0], vmax=window[1], extent=plane.extent_mm, interpolation="nearest"
    )


def _draw_dose(axis: Axes, plane: Plane, top_gy: float) -> Any:
    pixels: NDArray[Any] = np.asarray(plane.pixels, dtype=np.float32)
    alpha = 0.65 * np.clip(pixels / (4 * SHOWN_FROM * top_gy), 0, 1) * (pixels >= SHOWN_FROM * top_gy)
    return axis.imshow(
        pixels,
        cmap=DOSE_COLOURS,
        vmin=0,
        vmax=top_gy,
        alpha=np.nan_to_num(alpha),
        extent=plane.extent_mm,
        interpolation="nearest",
    )


def outlined(vois: Sequence[Voi], dose: Image) -> list[Voi]:
    """The volumes to outline, in their order: without the body, the MOST_OUTLINES of highest mean dose."""
    drawn = [voi for voi in vois if voi.name != "body" and voi.mask.any()]
    hottest = sorted(drawn, key=lambda voi: -float(dose.voxels[voi.mask].mean()))[:MOST_OUTLINES]
    return [voi for voi in drawn if any(voi is kept for kept in hottest)]


def outline_vois(axis: Axes, name: str, at_mm: Vector3, outlines: Sequence[tuple[str, Standing]]) -> None:
    """The contour of each mask in a plane, in voi_colours."""
    for (_, mask), colour in zip(outlines, voi_colours(len(outlines)), strict=True):
        plane = mask.plane(name, at_mm)
        if np.nan_to_num(plane.pixels).any():
            left, right, bottom, top = plane.extent_mm
            rows, columns = plane.pixels.shape
            x = left + (np.arange(columns) + 0.5) * (right - left) / columns
            y = top + (np.arange(rows) + 0.5) * (bottom - top) / rows
            axis.contour(x, y, plane.pixels, levels=[0.5], colors=[colour], linewidths=1.2)


def label_plane(axis: Axes, name: str, at_mm: Vector3 | None, frame_mm: NDArray[np.float64]) -> None:
    """Radiological letters, place, a 10 cm bar; shows frame_mm (3, 2: lowest and highest x, y, z)."""
    left, right, top, bottom = PLANES[name]
    for text, x, y in ((left, 0.02, 0.5), (right, 0.98, 0.5), (top, 0.5, 0.97), (bottom, 0.5, 0.03)):
        axis.text(
            x, y, text, transform=axis.transAxes, color="white", fontsize=12, ha="center", va="center", weight="bold"
        )
    (x0, x1), (y0, y1), (z0, z1) = frame_mm
    limits = {"axial": ((x0, x1), (y1, y0)), "coronal": ((x0, x1), (z0, z1)), "sagittal": ((y0, y1), (z0, z1))}[name]
    axis.set(xlim=limits[0], ylim=limits[1], xticks=[], yticks=[], facecolor="black", aspect="equal")
    position = {"axial": 2, "coronal": 1, "sagittal": 0}[name]
    place = "maximum projection" if at_mm is None else f"{'xyz'[position]} = {at_mm[position]:.0f} mm"
    axis.set_title(f"{name}, {place}", fontsize=10)
    start = limits[0][0] + 0.06 * (limits[0][1] - limits[0][0])
    height = limits[1][0] + 0.08 * (limits[1][1] - limits[1][0])
    axis.plot([start, start + 100], [height, height], color="white", linewidth=2)
    axis.text(start + 50, height, "10 cm", color="white", fontsize=8, ha="center", va="bottom")


def _coarser(centres: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[Any, Any]:
    """Bins joined until a small volume's histogram is a curve: about twice the root of the bins that hold voxels."""
    bins = int(np.clip(2 * np.sqrt(np.count_nonzero(values)), 8, 60))
    step = max(1, len(centres) // bins)
    usable = len(centres) // step * step
    joined = values[:usable].reshape(-1, step).mean(axis=1)
    return centres[:usable].reshape(-1, step).mean(axis=1), np.where(joined > 0, joined, np.nan)
