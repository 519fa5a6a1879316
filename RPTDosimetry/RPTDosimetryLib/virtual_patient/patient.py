"""The virtual patient: a CT, regions, how each region's activity is spread, and its kinetics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.grid import Grid, require_same_grid, resample_mean
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.virtual_patient.kinetics import RegionKinetics, UptakeParameters, require_possible


@dataclass(frozen=True)
class VirtualPatient:
    """ct [HU] and regions (index into names, 0 = outside) on one grid.

    share_per_ml (z, y, x) float32: share of the region's activity per mL, Σ over a region · voxel volume = 1.
    vois: name -> the regions it is made of; VOIs may overlap. source says where the anatomy comes from.
    """

    ct: Image
    regions: Image
    names: tuple[str, ...]
    share_per_ml: NDArray[np.float32]
    kinetics: Mapping[str, RegionKinetics]
    administered_activity_bq: float
    vois: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source: str = ""
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_same_grid(self.ct.grid, self.regions.grid, "CT and regions of a virtual patient")
        require_possible(self.kinetics)

    @property
    def grid(self) -> Grid:
        """The fine grid of the anatomy."""
        return self.regions.grid

    def concentration_at(self, time_s: float) -> Image:
        """Activity concentration at a time since administration [Bq/mL]."""
        amount = [self._amount(name, lambda k: float(k.activity_fraction(time_s))) for name in self.names]
        return self._spread(amount, "Bq/mL")

    def tia_concentration(self) -> Image:
        """Time-integrated activity concentration from 0 to infinity [Bq·s/mL]."""
        amount = [self._amount(name, lambda k: k.tia_coefficient_s) for name in self.names]
        return self._spread(amount, "Bq·s/mL")

    def tia_on(self, grid: Grid) -> Image:
        """Time-integrated activity per voxel of another grid [Bq·s]; what lies inside the grid is kept exactly."""
        tia = self.tia_concentration()
        return Image(resample_mean(tia.voxels, tia.grid, grid) * np.float32(grid.voxel_volume_ml), grid, "Bq·s")

    def tia_bq_s(self, voi: str) -> float:
        """Analytic Ã of a VOI [Bq·s]: Σ of its regions."""
        return sum(self.administered_activity_bq * self.kinetics[r].tia_coefficient_s for r in self.vois[voi])

    def activity_bq(self, voi: str, time_s: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Analytic activity of a VOI at times since administration [Bq]."""
        fractions = [self.kinetics[r].activity_fraction(time_s) for r in self.vois[voi]]
        return np.asarray(self.administered_activity_bq * np.sum(fractions, axis=0))

    def mask(self, voi: str) -> NDArray[np.bool_]:
        """The VOI on the fine grid."""
        chosen = np.array([name in self.vois[voi] for name in self.names])
        return chosen[self.regions.voxels]

    def _amount(self, name: str, of: object) -> float:
        curve = self.kinetics.get(name)
        return self.administered_activity_bq * of(curve) if curve is not None and callable(of) else 0.0

    def _spread(self, amount: list[float], unit: str) -> Image:
        return Image(np.asarray(amount, dtype=np.float32)[self.regions.voxels] * self.share_per_ml, self.grid, unit)


@dataclass(frozen=True)
class RegionMap:
    """Regions before kinetics: index into names, and relative activity per mL within and among regions."""

    regions: Image
    names: tuple[str, ...]
    weight: NDArray[np.float32]


def give_kinetics(
    region_map: RegionMap, uptake: Mapping[str, UptakeParameters]
) -> tuple[NDArray[np.float32], dict[str, RegionKinetics]]:
    """Share per mL of each voxel, and a curve for each region.

    A region named in ``uptake`` has its own curve; all others divide the curve "remainder" by Σ weight · volume. Raises
    VoiError when a region with its own curve has no voxel or no weight.
    """
    index, volume_ml = region_map.regions.voxels, region_map.regions.grid.voxel_volume_ml
    sums = np.bincount(index.ravel(), region_map.weight.ravel(), len(region_map.names)) * volume_ml
    own = [n for n, name in enumerate(region_map.names) if n and name in uptake]
    empty = [region_map.names[n] for n in own if sums[n] <= 0]
    if empty:
        raise VoiError(
            f"Virtual patient: {', '.join(empty)} would hold activity but has no voxel. Enlarge or leave it out."
        )
    others = [n for n in range(1, len(region_map.names)) if n not in own and sums[n] > 0]
    everything_else = float(sums[others].sum())
    kinetics = {region_map.names[n]: uptake[region_map.names[n]].kinetics() for n in own}
    for n in others:
        kinetics[region_map.names[n]] = uptake["remainder"].kinetics().scaled(float(sums[n]) / everything_else)
    factor = np.zeros(len(region_map.names), dtype=np.float32)
    factor[[*own, *others]] = 1.0 / sums[[*own, *others]]
    return factor[index] * region_map.weight, kinetics
