"""The gamma index in three planes, failing voxels standing out, and its histogram."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.evaluation.gamma import PASSES_UP_TO, GammaResult
from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.records import Image, Voi
from RPTDosimetryLib.report.figures import (
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
from RPTDosimetryLib.report.planes import PLANES, standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: From 0 to 1 blue, growing lighter; above 1 orange to dark red: told apart without seeing red or green.
PASS_COLOURS = ("#08306b", "#2171b5", "#c6dbef")
FAIL_COLOURS = ("#fdae61", "#f03b20", "#7f0000")
#: Failing voxels are counted in cubes of this side to find where most of them are [voxels].
CLUSTER = 5
BINS = 60


def save_gamma_figure(result: GammaResult, reference: Image, vois: Sequence[Voi], path: Path) -> None:
    """γ over the reference dose (grey, square root), through the place where most voxels fail; and how γ is spread."""
    figure = new_figure(12.0, 10.0)
    axes = figure.subplots(2, 2)
    gamma, top = result.gamma_index, result.settings.maximum_gamma
    at_mm = _place_mm(gamma, reference)
    under, grey = grey_dose(reference)
    over = standing(gamma.voxels, gamma.grid)
    shown = outlined(vois, reference)
    outlines = [(voi.name, standing(voi.mask, voi.grid)) for voi in shown]
    frame_mm = shown_frame_mm(reference, vois)
    for axis, name in zip(axes.flat, PLANES, strict=False):
        draw_plane(axis, under.plane(name, at_mm), "gray", grey)
        drawn = draw_plane(axis, over.plane(name, at_mm), gamma_colours(top), (0.0, top))
        outline_vois(axis, name, at_mm, outlines)
        label_plane(axis, name, at_mm, frame_mm)
    bar = figure.colorbar(drawn, ax=axes[:, 0].tolist(), location="left", shrink=0.7, pad=0.02)
    bar.set_label("Gamma index γ (passes up to 1)")
    bar.ax.axhline(1.0, color="black", linewidth=1.5)
    _draw_histogram(axes.flat[3], gamma.voxels[np.isfinite(gamma.voxels)], top)
    legend_below(figure, [voi.name for voi in shown])
    figure.suptitle(_title(result, len(shown), len(vois)), fontsize=12)
    save_figure(figure, path)


def _title(result: GammaResult, drawn: int, volumes: int) -> str:
    s, counts = result.settings, result.counts
    passed = "no voxel judged" if counts.pass_rate is None else f"{100 * counts.pass_rate:.2f} % pass"
    of = "of each voxel" if s.local else f"of {result.normalisation_gy:.4g} Gy"
    some = f"; {drawn} of {volumes} volumes outlined" if drawn < volumes else ""
    return (
        f"Gamma index, {s.dose_percent:g} % {of} ({'local' if s.local else 'global'}), {s.dta_mm:g} mm: {passed}\n"
        f"{counts.judged} of {counts.voxels} voxels judged (reference from {result.cutoff_gy:.3g} Gy); grey: reference "
        f"dose, square root{some}"
    )


def gamma_colours(top: float) -> Any:
    """The colour map from 0 to ``top`` that changes from blue to orange where γ fails."""
    from matplotlib.colors import LinearSegmentedColormap

    split = min(PASSES_UP_TO / top, 1.0 - 1e-6)
    low = [(split * i / (len(PASS_COLOURS) - 1), c) for i, c in enumerate(PASS_COLOURS)]
    high = [(split + (1 - split) * i / (len(FAIL_COLOURS) - 1), c) for i, c in enumerate(FAIL_COLOURS)]
    return LinearSegmentedColormap.from_list("gamma", [*low, *high], N=1024)


def _place_mm(gamma: Image, reference: Image) -> Vector3:
    """Where most voxels fail; the highest γ where none does, the highest dose where none is judged."""
    from scipy.ndimage import uniform_filter

    known: NDArray[np.float64] = np.nan_to_num(gamma.voxels.astype(np.float64))
    failing = uniform_filter((known > PASSES_UP_TO).astype(np.float64), CLUSTER, mode="constant")
    score = failing * (known > PASSES_UP_TO) + 1e-6 * known
    if not score.any():
        score = reference.voxels
    k, j, i = np.unravel_index(int(np.argmax(score)), score.shape)
    x, y, z = (gamma.grid.lps_from_ijk @ [i, j, k, 1.0])[:3]
    return float(x), float(y), float(z)


def _draw_histogram(axis: Axes, gamma: NDArray[np.floating], top: float) -> None:
    counts, edges = np.histogram(gamma, bins=BINS, range=(0.0, top))
    centres = 0.5 * (edges[1:] + edges[:-1])
    colours = gamma_colours(top)(centres / top)
    axis.bar(centres, counts, width=np.diff(edges), color=colours, edgecolor="0.4", linewidth=0.3)
    axis.axvline(1.0, color="black", linewidth=1.2)
    axis.set(xlabel="Gamma index γ", ylabel="Voxels", yscale="log", xlim=(0, top), ylim=(0.7, None))
    axis.set_title(f"judged voxels (last bin: γ of {top:g} or more)", fontsize=10)
    axis.grid(alpha=0.3)
