"""Pictures of what a PET can tell of a dose: the simulation's clouds, and heat maps of voxels and textures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.prediction.heterogeneity import PUBLISHED_TEXTURE_R, PUBLISHED_VOXEL_R, Heterogeneity
from RPTDosimetryLib.prediction.kinetic_simulation import PUBLISHED_R, SimulatedVoxels
from RPTDosimetryLib.report.figures import new_figure, save_figure

_TITLES = {
    "proportional": "Agent proportional to tracer",
    "two_clusters": "Proportional in each of two sub-tissues",
    "own_variety": "Agent with a variety of its own",
}


def save_simulation_figure(simulated: Sequence[SimulatedVoxels], path: Path) -> None:
    """PET against dose of the simulated voxels, a panel a case, with r and the published r."""
    figure = new_figure(5.0 * len(simulated), 4.8)
    axes = np.atleast_1d(figure.subplots(1, len(simulated)))
    for axis, one in zip(axes, simulated, strict=True):
        for second, colour in ((False, "tab:blue"), (True, "tab:orange")):
            here = one.second == second
            r = f", r = {one.r_each[int(second)]:.2f}"
            axis.plot(one.suv[here], one.dose_gy[here], ".", ms=2, alpha=0.4, color=colour,
                      label=f"sub-tissue {int(second) + 1}{r}")  # fmt: skip
        axis.set_title(f"{_TITLES[one.case]}\nr = {one.r:.2f} (published {_published(one)})", fontsize=10)
        axis.set(
            xlabel="PET uptake at 60 min [SUV]", ylabel="Dose per activity [Gy/GBq]", xlim=(0, None), ylim=(0, None)
        )
        axis.legend(fontsize=8, markerscale=5, frameon=False, loc="upper left")
        axis.grid(alpha=0.3)
    figure.suptitle("Simulated voxels of a kidney: [68Ga]Ga-PSMA-11 uptake and [177Lu]Lu-PSMA-617 dose", fontsize=12)
    save_figure(figure, path)


def save_heterogeneity_figure(
    found: Heterogeneity, voxels: dict[str, tuple[NDArray[np.floating], NDArray[np.floating]]], path: Path
) -> None:
    """Scatter heat maps of PET [SUV] against dose [Gy/GBq] by organ, and r of every texture feature by family.

    voxels: (PET, dose) of the voxels of one patient's organs.
    """
    figure = new_figure(4.4 * len(voxels), 8.6)
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.0, 1.1])[:, 0]
    for axis, (organ, (suv, dose)) in zip(np.atleast_1d(top.subplots(1, len(voxels))), voxels.items(), strict=True):
        _, _, _, drawn = axis.hist2d(suv, dose, bins=40, cmin=1, cmap="viridis")
        top.colorbar(drawn, ax=axis, label="voxels")
        axis.set(xlabel="PET [SUV]", ylabel="Dose per activity [Gy/GBq]")
        low, high = min(found.voxel_r[organ]), max(found.voxel_r[organ])
        r, published = found.mean_voxel_r(organ), PUBLISHED_VOXEL_R.get(organ)
        beside = "" if published is None else f" (published {published:.2f})"
        axis.set_title(f"{organ}: r = {r:.2f}, {low:.2f} to {high:.2f}{beside}", fontsize=10)
    for axis, (family, values) in zip(bottom.subplots(1, len(found.texture_r)), found.texture_r.items(), strict=True):
        names = sorted(values, key=lambda name: values[name])
        axis.barh(range(len(names)), [values[name] for name in names], color="tab:blue")
        axis.set_yticks(range(len(names)), [name.split("_", 1)[1] for name in names], fontsize=7)
        axis.set(xlabel="Pearson's r of PET and dose over patients", xlim=(-1, 1))
        axis.set_title(
            f"{family}: mean r = {found.mean_texture_r(family):.2f} (published {PUBLISHED_TEXTURE_R[family]:.2f})",
            fontsize=10,
        )
        axis.grid(alpha=0.3, axis="x")
    top.suptitle(
        "Voxels of one virtual patient (r: mean and range over all), and texture features over all", fontsize=12
    )
    save_figure(figure, path)


def _published(one: SimulatedVoxels) -> str:
    published = f"{PUBLISHED_R[one.case]:.2f}"
    return f"{published} in each" if one.case == "two_clusters" else published
