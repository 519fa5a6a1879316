"""Dose and its statistical error from what the batches of a voxel run add up to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.transport.electron_transport import GAS_DENSITY
from RPTDosimetryLib.transport.voxel_case import VoxelCase
from RPTDosimetryLib.transport.voxel_settings import ErrorTarget
from RPTDosimetryLib.transport.voxel_tally import RegionSums, VoxelTally
from RPTDosimetryLib.units import J_PER_KEV, KG_PER_G


@dataclass(frozen=True)
class RegionDose:
    """Mean absorbed dose of a region, energy per mass [Gy], with its standard error from the spread of the batches'
    region sums, which holds all covariances of its voxels; photon_*: the part that photons started.
    """

    mean_gy: float
    standard_error_gy: float
    photon_gy: float
    photon_standard_error_gy: float

    @property
    def relative_error(self) -> float:
        """Standard error over mean; infinite without dose."""
        return self.standard_error_gy / self.mean_gy if self.mean_gy > 0 else math.inf


@dataclass(frozen=True)
class VoxelDose:
    """Dose [Gy] (z, y, x) of electrons and photons and the standard error of their sum; 0 in voxels without matter.

    emitted_j, escaped_j: energy that Ã sets free, and what left the grid. simulated_j: energy of the particles that
    were drawn, emitted_j within statistics; balance: (absorbed + escaped)/simulated − 1, how exactly it was kept.
    decays, batches: how much was simulated. tissue: voxels that are not gas, which alone count in the error of voxels.
    """

    electron_gy: NDArray[np.float32]
    photon_gy: NDArray[np.float32]
    standard_error_gy: NDArray[np.float32]
    emitted_j: float
    escaped_j: float
    simulated_j: float
    balance: float
    decays: float
    batches: int
    tissue: NDArray[np.bool_]
    regions: Mapping[str, RegionDose] = field(default_factory=dict)

    @property
    def total_gy(self) -> NDArray[np.float32]:
        """Electron and photon part together."""
        return self.electron_gy + self.photon_gy


@dataclass(frozen=True)
class Scale:
    """From quanta to what one batch stands for. at_once_kev: energy per decay of electrons below the cut, deposited
    where they start; emitted_kev: all energy per decay; batch_decays: decays of one batch.
    """

    at_once_kev: float
    emitted_kev: float
    batch_decays: float


def dose_of(case: VoxelCase, tally: VoxelTally, scale: Scale, regions: Mapping[str, NDArray[np.int64]]) -> VoxelDose:
    """Means over the batches per mass, times all decays: D = Ã_total·⟨E⟩/(n·m); variance of the mean from their spread.

    s²(mean) = (Σ x²/n − (Σ x/n)²)/(n − 1), x the energy of one batch; below two batches it is infinite.
    """
    count, shape = len(tally.batches), case.scored_shape
    mass_kg = case.mass_kg.ravel()
    joule = tally.quantum_kev * J_PER_KEV * case.decays / scale.batch_decays  # of one quantum in one batch
    per_mass = np.divide(joule, mass_kg, out=np.zeros_like(mass_kg), where=mass_kg > 0)
    at_source_j = case.folded(case.tia_bq_s).ravel() * (scale.at_once_kev * J_PER_KEV)
    at_source = np.divide(at_source_j, mass_kg, out=np.zeros_like(mass_kg), where=mass_kg > 0)
    electron = tally.electron[:-1] / max(count, 1) * per_mass + at_source
    photon = tally.photon[:-1] / max(count, 1) * per_mass
    spread = spread_of_mean(tally.electron[:-1] + tally.photon[:-1], tally.squared[:-1], count)
    error = np.multiply(spread, per_mass, out=np.zeros_like(per_mass), where=per_mass > 0)
    means = {
        name: _region_dose(tally.regions[name], cells, count, joule, (mass_kg, at_source_j))
        for name, cells in regions.items()
    }
    absorbed = int(tally.electron.sum()) + int(tally.photon.sum())
    escaped = int(tally.electron[-1]) + int(tally.photon[-1])
    booked = sum(tally.booked)
    at_once_j = float(at_source_j.sum())
    return VoxelDose(
        electron_gy=electron.reshape(shape).astype(np.float32),
        photon_gy=photon.reshape(shape).astype(np.float32),
        standard_error_gy=error.reshape(shape).astype(np.float32),
        emitted_j=scale.emitted_kev * J_PER_KEV * case.decays,
        escaped_j=escaped / max(count, 1) * joule,
        simulated_j=booked / max(count, 1) * joule + at_once_j,
        balance=absorbed / booked - 1 if booked else 0.0,
        decays=count * scale.batch_decays,
        batches=count,
        tissue=(mass_kg / KG_PER_G >= GAS_DENSITY * case.scored_volume_ml).reshape(shape),
        regions=means,
    )


def spread_of_mean(
    total: NDArray[np.int64] | float, squared: NDArray[np.float64] | float, count: int
) -> NDArray[np.float64]:
    """Standard error of the mean of batches from Σx and Σx² (same unit as x); infinite below two batches."""
    if count < 2:
        return np.full(np.shape(total), np.inf)
    mean = np.asarray(total, dtype=np.float64) / count
    variance = np.maximum(np.asarray(squared) / count - mean**2, 0.0) / (count - 1)
    return np.asarray(np.sqrt(variance))


def _region_dose(
    sums: RegionSums,
    cells: NDArray[np.int64],
    count: int,
    joule: float,
    of_voxels: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> RegionDose:
    mass_kg, at_source_j = (float(values[cells].sum()) for values in of_voxels)
    gray = joule / mass_kg
    total = sums.electron + sums.photon
    return RegionDose(
        mean_gy=total / max(count, 1) * gray + at_source_j / mass_kg,
        standard_error_gy=_spread_of_one(total, sums.total_squared, count) * gray,
        photon_gy=sums.photon / max(count, 1) * gray,
        photon_standard_error_gy=_spread_of_one(sums.photon, sums.photon_squared, count) * gray,
    )


def _spread_of_one(total: int, squared: int, count: int) -> float:
    """spread_of_mean of exact sums: n·Σx² − (Σx)² in whole numbers, since region sums vary by parts in a million."""
    if count < 2:
        return math.inf
    return math.sqrt((count * squared - total**2) / (count**2 * (count - 1)))


def error_reached(dose: VoxelDose, target: ErrorTarget) -> float:
    """The relative error that a target speaks of: the worst of its regions, or the RMS over its voxels."""
    if target.regions:
        return max(dose.regions[name].relative_error for name in target.regions)
    total = np.where(dose.tissue, dose.total_gy, 0.0)
    counted = total >= target.floor * total.max()
    return float(np.sqrt(np.mean((dose.standard_error_gy[counted] / total[counted]).astype(np.float64) ** 2)))
