"""Dose-volume histograms of several methods over those of the reference, a panel a volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from RPTDosimetryLib.evaluation.dvh import dvh, dvh_r2
from RPTDosimetryLib.records import Image, Voi
from RPTDosimetryLib.report.figures import new_figure, outlined, save_figure
from RPTDosimetryLib.report.short_names import shortened

#: More panels would be too small to read: those of the highest dose are drawn.
MOST_PANELS = 12


def save_dvh_of_methods(doses: Mapping[str, Image], vois: Sequence[Voi], path: Path) -> None:
    """Cumulative histograms: the reference, first, in black; R² of each method in the legend."""
    from matplotlib import colormaps

    (first, reference), *others = doses.items()
    shown = outlined(vois, reference)[:MOST_PANELS]
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(3.7 * columns, 3.1 * rows + 0.5)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis, voi in zip(axes.flat, shown, strict=False):
        volume_ml = voi.grid.voxel_volume_ml
        known = dvh(reference.voxels[voi.mask], volume_ml, voi.name)
        axis.plot(known.dose_gy, 100 * known.cumulative, color="black", linewidth=1.8, label=first)
        for number, (name, image) in enumerate(others):
            curve = dvh(image.voxels[voi.mask], volume_ml, voi.name)
            r2 = dvh_r2(known, curve)
            told = "" if r2 is None else f", R² {np.floor(1e5 * r2) / 1e5:.5f}"
            axis.plot(curve.dose_gy, 100 * curve.cumulative, "--", color=colormaps["tab10"](number % 10),
                      linewidth=1.3, label=f"{shortened(name)}{told}")  # fmt: skip
        axis.set_title(f"{shortened(voi.name)}, {voi.volume_ml:.{0 if voi.volume_ml >= 100 else 1}f} mL", fontsize=10)
        axis.set(xlabel="Absorbed dose [Gy]", ylim=(0, 101))
        axis.set_xlim(left=0)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=7, loc="best")
    for axis in axes[:, 0]:
        axis.set_ylabel("Volume with at least this dose [%]")
    for axis in list(axes.flat)[len(shown) :]:
        axis.set_axis_off()
    some = f" ({len(shown)} of {len(vois)} volumes, of highest dose)" if len(shown) < len(vois) else ""
    figure.suptitle(f"Dose-volume histograms{some}", fontsize=12)
    save_figure(figure, path)
