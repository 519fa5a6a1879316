"""Monte Carlo in voxels: dose from a time-integrated activity map with density and medium voxel by voxel.

The same electron and photon transport as the point kernels; only the scene differs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CancelledError, TransportError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.materials import Material
from RPTDosimetryLib.physics.nuclides import Nuclide, nuclide
from RPTDosimetryLib.records import Cancelled, Progress, never, silent
from RPTDosimetryLib.transport.emission import Emission, above, electron_emission, photon_emission
from RPTDosimetryLib.transport.multiple_scattering import scattering_table
from RPTDosimetryLib.transport.particle_moves import ELECTRON, N_PARTS, PHOTON, VOXELS, Scene
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, PHOTON_KIND
from RPTDosimetryLib.transport.transport_tables import TransportPhysics, electron_tables, photon_tables
from RPTDosimetryLib.transport.voxel_histories import run_voxel_source
from RPTDosimetryLib.units import J_PER_KEV, KG_PER_G

CM_PER_MM: Final = 0.1
CHUNK: Final = 50_000


@dataclass(frozen=True)
class VoxelCase:
    """What is irradiated: Ã [Bq·s per voxel], density [g/cm³] and medium (index into materials), all (z, y, x)."""

    tia_bq_s: NDArray[Any]
    density_g_per_cm3: NDArray[Any]
    medium: NDArray[Any]
    materials: Sequence[Material]
    grid: Grid

    def __post_init__(self) -> None:
        for name in ("tia_bq_s", "density_g_per_cm3", "medium"):
            if getattr(self, name).shape != self.grid.shape_zyx:
                raise TransportError(f"{name} has {getattr(self, name).shape} voxels, the grid {self.grid.shape_zyx}.")
        tia, density = self.tia_bq_s, self.density_g_per_cm3
        if not np.all(np.isfinite(tia)) or np.any(tia < 0) or not np.any(tia > 0):
            raise TransportError("The time-integrated activity must be finite, not negative, and not zero everywhere.")
        if not np.all(np.isfinite(density)) or np.any(density < 0) or np.any(density > 25):
            raise TransportError("Densities must lie between 0 and 25 g/cm3 in every voxel: check the HU conversion.")
        if np.any(density[tia > 0] <= 0):
            raise TransportError("There is activity in voxels without matter: mask it, or give them a density.")
        if self.medium.max() >= len(self.materials) or self.medium.min() < 0:
            raise TransportError(f"Medium indices must lie between 0 and {len(self.materials) - 1}.")


@dataclass(frozen=True)
class VoxelRunSettings:
    """How much is simulated: decays for the electron part, and the share of them that the photon part gets."""

    decays: float = 1e7
    photon_share: float = 0.25
    batches: int = 20
    seed: int = 1
    physics: TransportPhysics = field(
        default_factory=lambda: TransportPhysics(
            steps_per_e_fold=10.0, secondary_range_cut_g_per_cm2=0.01, bremsstrahlung_copies=1
        )
    )

    def __post_init__(self) -> None:
        if not 1e3 <= self.decays <= 1e13 or not 0 < self.photon_share <= 1 or self.batches < 2:
            raise TransportError(
                f"A voxel run needs 1e3 to 1e13 decays, a photon share above 0 up to 1 and 2 or more batches: got "
                f"{self.decays:g}, {self.photon_share:g} and {self.batches}."
            )


@dataclass(frozen=True)
class VoxelDose:
    """Dose [Gy] (z, y, x) of electrons and photons and the standard error of their sum; 0 in voxels without matter.

    emitted_j, escaped_j: energy that Ã sets free, and what left the grid. balance: (absorbed + escaped)/emitted − 1.
    """

    electron_gy: NDArray[np.float32]
    photon_gy: NDArray[np.float32]
    standard_error_gy: NDArray[np.float32]
    emitted_j: float
    escaped_j: float
    balance: float

    @property
    def total_gy(self) -> NDArray[np.float32]:
        """Electron and photon part together."""
        return self.electron_gy + self.photon_gy


def simulate_voxels(
    source: str | Nuclide,
    case: VoxelCase,
    settings: VoxelRunSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> VoxelDose:
    """Monte Carlo dose of a whole Ã map. Electrons below the cut are deposited in closed form.

    Outside the grid is vacuum. The result depends on the seed, not on the threads. Raises TransportError,
    CancelledError.
    """
    chosen = settings or VoxelRunSettings()
    decaying = nuclide(source) if isinstance(source, str) else source
    run = _VoxelRun(case, chosen, progress, cancelled)
    electrons, at_once_kev = above(electron_emission(decaying), chosen.physics.electron_cut_kev)
    photons = photon_emission(decaying)
    electron = run.part(ELECTRON_KIND, ELECTRON, electrons, chosen.decays, (0.0, 0.6))
    photon = run.part(PHOTON_KIND, PHOTON, photons, chosen.decays * chosen.photon_share, (0.6, 0.4))
    return run.dose(electron, photon, at_once_kev)


@dataclass
class _Part:
    """Sums over batches of energy per decay [keV]: per voxel (with what escaped at the end), its square, emitted."""

    total: NDArray[np.float64]
    squared: NDArray[np.float64]
    emitted_kev: float


class _VoxelRun:
    """Tables, scene and threads of one run."""

    def __init__(self, case: VoxelCase, settings: VoxelRunSettings, progress: Progress, cancelled: Cancelled) -> None:
        self._case, self._settings, self._progress, self._cancelled = case, settings, progress, cancelled
        self._electrons = electron_tables(case.materials, settings.physics)
        self._photons = photon_tables(case.materials, settings.physics)
        self._angles = scattering_table()
        self._scene = voxel_scene(case)
        tia = case.tia_bq_s.ravel().astype(np.float64)
        voxels = np.flatnonzero(tia > 0)
        cumulative = np.cumsum(tia[voxels])
        self._decays = float(cumulative[-1])
        self._source = (voxels, cumulative / cumulative[-1])

    def part(self, kind: int, part: int, emission: Emission, decays: float, share: tuple[float, float]) -> _Part:
        """All batches of one kind of particle; memory: one score a thread."""
        cells = self._scene.n_cells + 1
        sums = _Part(np.zeros(cells), np.zeros(cells), 0.0)
        if emission.particles == 0:
            return sums
        count = self._settings.batches
        each = max(int(decays * emission.particles / count), 1)
        threads = min(os.cpu_count() or 1, count)
        scores = [np.zeros((N_PARTS, cells)) for _ in range(threads)]
        with ThreadPoolExecutor(max_workers=threads) as pool:
            for first in range(0, count, threads):
                batches = range(first, min(first + threads, count))
                jobs = [
                    pool.submit(self._batch, kind, part, emission, each, batch, score)
                    for batch, score in zip(batches, scores, strict=False)
                ]
                for job, score in zip(jobs, scores, strict=False):
                    emitted = job.result()
                    energy = score.sum(axis=0) * (emission.particles / each)
                    sums.total += energy
                    sums.squared += energy**2
                    sums.emitted_kev += emitted * emission.particles / each / count
                if self._cancelled():
                    raise CancelledError("The Monte Carlo run was stopped; nothing was kept.")
                self._progress(share[0] + share[1] * batches[-1] / count, "Monte Carlo")
        return sums

    def _batch(
        self, kind: int, part: int, emission: Emission, each: int, batch: int, score: NDArray[np.float64]
    ) -> float:
        score[:] = 0.0
        emitted = 0.0
        seed = (self._settings.seed * 2 + kind) * 1_000_003 + batch
        for first in range(0, each, CHUNK):
            if self._cancelled():
                break
            emitted += run_voxel_source(
                kind, part, emission, (first, min(first + CHUNK, each), each), self._source, self._electrons,
                self._photons, self._angles, self._scene, seed, score,
            )  # fmt: skip
        return emitted

    def dose(self, electron: _Part, photon: _Part, at_once_kev: float) -> VoxelDose:
        """Means of the batches over voxel masses, scaled to all decays; electrons below the cut stay at the source."""
        count = self._settings.batches
        shape = self._case.grid.shape_zyx
        mass_kg = self._scene.density.astype(np.float64) * self._case.grid.voxel_volume_ml * KG_PER_G
        gray_per_kev = np.divide(
            J_PER_KEV * self._decays, mass_kg, out=np.zeros_like(mass_kg), where=self._scene.density > 0
        )
        at_source = self._case.tia_bq_s.ravel() / self._decays * at_once_kev
        means = [part.total / count for part in (electron, photon)]
        variance = np.zeros(self._scene.n_cells + 1)
        for part, mean in zip((electron, photon), means, strict=True):
            variance += np.maximum(part.squared / count - mean**2, 0.0) / (count - 1)
        emitted = electron.emitted_kev + photon.emitted_kev + at_once_kev
        escaped = means[0][-1] + means[1][-1]
        absorbed = means[0][:-1].sum() + means[1][:-1].sum() + at_once_kev
        return VoxelDose(
            electron_gy=((means[0][:-1] + at_source) * gray_per_kev).reshape(shape).astype(np.float32),
            photon_gy=(means[1][:-1] * gray_per_kev).reshape(shape).astype(np.float32),
            standard_error_gy=(np.sqrt(variance[:-1]) * gray_per_kev).reshape(shape).astype(np.float32),
            emitted_j=emitted * self._decays * J_PER_KEV,
            escaped_j=float(escaped) * self._decays * J_PER_KEV,
            balance=float((absorbed + escaped) / emitted - 1),
        )


def voxel_scene(case: VoxelCase) -> Scene:
    """The grid as the transport wants it: flat arrays, cm."""
    density = np.ascontiguousarray(case.density_g_per_cm3, dtype=np.float32).ravel()
    medium = np.ascontiguousarray(case.medium, dtype=np.uint8).ravel()
    largest = [float(density[medium == index].max(initial=0.0)) for index in range(len(case.materials))]
    nz, ny, nx = case.grid.shape_zyx
    dx, dy, dz = (mm * CM_PER_MM for mm in case.grid.spacing_mm)
    return Scene(
        kind=VOXELS, density=density, medium=medium, largest_density=np.array(largest), n_cells=density.size,
        nx=nx, ny=ny, nz=nz, dx=dx, dy=dy, dz=dz, first_radius2=0.0, last_radius2=0.0, shells_per_log2=0.0,
    )  # fmt: skip
