"""Voxel against voxel: how often each pair of doses occurs, on logarithmic axes, with the line of identity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from RPTDosimetryLib.evaluation.voxel_spread import VoxelSpread, dose_edges_gy
from RPTDosimetryLib.report.figures import new_figure, save_figure
from RPTDosimetryLib.report.short_names import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Doses are shown from this share of the highest one that occurs.
SHOWN_FROM = 1e-4
#: Room around the cells, as a factor.
_MARGIN = 1.25


def save_density(spreads: Mapping[str, VoxelSpread], path: Path, title: str) -> None:
    """One panel a method, all on the same axes and one scale of voxel counts."""
    from matplotlib.colors import LogNorm

    columns = min(3, len(spreads))
    rows = -(-len(spreads) // columns)
    figure = new_figure(4.6 * columns + 1.0, 4.5 * rows + 0.4)
    axes = figure.subplots(rows, columns, squeeze=False)
    most = max(int(spread.density.max()) for spread in spreads.values())
    limits = _limits_gy(spreads)
    for axis, (name, spread) in zip(axes.flat, spreads.items(), strict=False):
        drawn = _draw(axis, spread, limits, LogNorm(1, max(most, 2)))
        axis.set_title(shortened(name), fontsize=11)
    for axis in list(axes.flat)[len(spreads) :]:
        axis.set_axis_off()
    bar = figure.colorbar(drawn, ax=axes.ravel().tolist(), shrink=0.9)
    bar.set_label("Voxels in a cell (6 % × 6 % in dose)")
    figure.suptitle(title, fontsize=12)
    save_figure(figure, path)


def _draw(axis: Axes, spread: VoxelSpread, limits: tuple[float, float], norm: Any) -> Any:
    edges = dose_edges_gy()
    counts = np.ma.masked_equal(spread.density.T, 0)
    drawn = axis.pcolormesh(edges, edges, counts, norm=norm, cmap="viridis", rasterized=True)
    axis.plot(limits, limits, color="tab:red", linewidth=1, label="equal")
    axis.set(xscale="log", yscale="log", xlim=limits, ylim=limits, aspect="equal")
    axis.set(xlabel="Reference dose [Gy]", ylabel="Evaluated dose [Gy]")
    told = []
    if spread.correlation is not None:
        told.append(f"r = {spread.correlation:.4f}")
    if spread.slope_origin is not None:
        told.append(f"slope {spread.slope_origin:.4f}")
    told.append(f"{spread.voxels:,} voxels".replace(",", " "))
    axis.text(0.96, 0.04, "\n".join(told), transform=axis.transAxes, ha="right", va="bottom", fontsize=9,
              bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none"})  # fmt: skip
    axis.legend(frameon=False, loc="upper left", fontsize=9)
    axis.grid(alpha=0.3)
    return drawn


def _limits_gy(spreads: Mapping[str, VoxelSpread]) -> tuple[float, float]:
    edges = dose_edges_gy()
    together = np.sum([spread.density for spread in spreads.values()], axis=0)
    used = np.flatnonzero(together.any(axis=0) | together.any(axis=1))
    if not used.size:
        return 1e-3, 1.0
    highest = float(edges[used[-1] + 1])
    return max(float(edges[used[0]]) / _MARGIN, SHOWN_FROM * highest), highest * _MARGIN
