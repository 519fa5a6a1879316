"""The virtual patient: a CT, regions, how each region's activity is spread, and its kinetics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.grid import Grid, resample_mean
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.virtual_patient.kinetics import RegionKinetics, UptakeParameters, require_possible


@dataclass(frozen=True)
class VirtualPatient:
    """CT [HU] and regions (index into names, 0 = outside); the CT may have a finer grid than the regions.

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
        require_possible(self.kinetics)

    @property
    def grid(self) -> Grid:
        """The fine grid of the anatomy."""
        return self.regions.grid

    def concentration_at(self, time_s: float) -> Image:
        """Activity concentration at a time since administration [Bq/mL]."""
        return self._spread(lambda curve: float(curve.activity_fraction(time_s)), "Bq/mL")

    def tia_concentration(self) -> Image:
        """Time-integrated activity concentration from 0 to infinity [Bq·s/mL]."""
        return self._spread(lambda curve: curve.tia_coefficient_s, "Bq·s/mL")

    def tia_on(self, grid: Grid) -> Image:
        """Time-integrated activity per voxel of another grid [Bq·s]; what lies inside the grid is kept exactly."""
        tia = self.tia_concentration()
        return Image(resample_mean(tia.voxels, tia.grid, grid) * np.float32(grid.voxel_volume_ml), grid, "Bq·s")

    def tia_bq_s(self, voi: str) -> float:
        """Analytic Ã of a VOI [Bq·s]: Σ of its regions."""
        return sum(self.administered_activity_bq * self.kinetics[r].tia_coefficient_s for r in self.vois[voi])

    def tia_on_bq_s(self, voi: str, grid: Grid) -> float:
        """The part of Ã of a VOI that lies inside another grid [Bq·s]."""
        tia = self.tia_concentration()
        inside = resample_mean(np.where(self.mask(voi), tia.voxels, np.float32(0.0)), tia.grid, grid)
        return float(inside.sum(dtype=np.float64)) * grid.voxel_volume_ml

    def activity_bq(self, voi: str, time_s: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Analytic activity of a VOI at times since administration [Bq]."""
        fractions = [self.kinetics[r].activity_fraction(time_s) for r in self.vois[voi]]
        return np.asarray(self.administered_activity_bq * np.sum(fractions, axis=0))

    def mask(self, voi: str) -> NDArray[np.bool_]:
        """The VOI on the fine grid."""
        chosen = np.array([name in self.vois[voi] for name in self.names])
        return chosen[self.regions.voxels]

    def _spread(self, of: Callable[[RegionKinetics], float], unit: str) -> Image:
        curves = [self.kinetics.get(name) for name in self.names]
        amount = [0.0 if curve is None else self.administered_activity_bq * of(curve) for curve in curves]
        return Image(np.asarray(amount, dtype=np.float32)[self.regions.voxels] * self.share_per_ml, self.grid, unit)


@dataclass(frozen=True)
class RegionMap:
    """Regions before kinetics: index into names, relative activity per mL, and which curve each region shares in.

    A region that curve_of does not name takes part in the curve "remainder".
    """

    regions: Image
    names: tuple[str, ...]
    weight: NDArray[np.float32]
    curve_of: Mapping[str, str]


def give_kinetics(
    region_map: RegionMap, uptake: Mapping[str, UptakeParameters]
) -> tuple[NDArray[np.float32], dict[str, RegionKinetics]]:
    """Share per mL of each voxel, and a curve for each region.

    Regions of one curve divide it by Σ weight · volume. Raises VoiError when a curve finds no voxel to go to.
    """
    index, volume_ml = region_map.regions.voxels, region_map.regions.grid.voxel_volume_ml
    amount = np.bincount(index.ravel(), region_map.weight.ravel(), len(region_map.names)) * volume_ml
    curves = [region_map.curve_of.get(name, "remainder") for name in region_map.names]
    factor = np.zeros(len(region_map.names), dtype=np.float32)
    kinetics: dict[str, RegionKinetics] = {}
    for curve, parameters in uptake.items():
        members = [n for n in range(1, len(curves)) if curves[n] == curve and amount[n] > 0]
        if not members:
            raise VoiError(f"Virtual patient: the activity of {curve} finds no voxel. Leave its uptake out.")
        whole = float(amount[members].sum())
        for n in members:
            kinetics[region_map.names[n]] = parameters.kinetics().scaled(float(amount[n]) / whole)
        factor[members] = 1.0 / amount[members]
    return factor[index] * region_map.weight, kinetics
