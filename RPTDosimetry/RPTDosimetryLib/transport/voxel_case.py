"""What a voxel Monte Carlo run irradiates, as maps and as the transport reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import TransportError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.materials import Material
from RPTDosimetryLib.transport.particle_moves import VOXELS, Scene
from RPTDosimetryLib.transport.transport_tables import ATTENUATION, PhotonTables
from RPTDosimetryLib.transport.voxel_histories import Source
from RPTDosimetryLib.units import CM_PER_MM, KG_PER_G

#: Denser than any metal in a patient [g/cm³].
DENSEST: Final = 25.0


@dataclass(frozen=True)
class VoxelCase:
    """What is irradiated: Ã [Bq·s per voxel], density [g/cm³] and medium (index into materials), all (z, y, x).

    fold: that many voxels along each axis are scored as one, as where density is known on a finer grid than activity.
    Raises TransportError for maps that cannot be: another shape than the grid, NaN, negative Ã, Ã of zero everywhere or
    in voxels without matter, densities outside 0 to 25 g/cm³, media that are not among the materials.
    """

    tia_bq_s: NDArray[Any]
    density_g_per_cm3: NDArray[Any]
    medium: NDArray[Any]
    materials: Sequence[Material]
    grid: Grid
    fold: int = 1

    def __post_init__(self) -> None:
        for name in ("tia_bq_s", "density_g_per_cm3", "medium"):
            if getattr(self, name).shape != self.grid.shape_zyx:
                raise TransportError(f"{name} has {getattr(self, name).shape} voxels, the grid {self.grid.shape_zyx}.")
        tia, density = self.tia_bq_s, self.density_g_per_cm3
        if not np.all(np.isfinite(tia)) or np.any(tia < 0) or not np.any(tia > 0):
            raise TransportError("The time-integrated activity must be finite, not negative, and not zero everywhere.")
        if not np.all(np.isfinite(density)) or np.any(density < 0) or np.any(density > DENSEST):
            raise TransportError("Densities must lie between 0 and 25 g/cm3 in every voxel: check the HU conversion.")
        empty = int(np.count_nonzero(density[tia > 0] <= 0))
        if empty:
            raise TransportError(
                f"There is activity in {empty} voxels without matter: mask it, or give them a density."
            )
        if self.medium.max() >= len(self.materials) or self.medium.min() < 0:
            raise TransportError(f"Medium indices must lie between 0 and {len(self.materials) - 1}.")
        if self.fold < 1 or any(n % self.fold for n in self.grid.shape_zyx):
            raise TransportError(f"{self.grid.shape_zyx} voxels cannot be scored in blocks of {self.fold}³.")

    @property
    def decays(self) -> float:
        """Σ Ã, the decays of the whole map."""
        return float(self.tia_bq_s.sum(dtype=np.float64))

    @property
    def scored_shape(self) -> tuple[int, int, int]:
        """Voxels of the dose map."""
        nz, ny, nx = self.grid.shape_zyx
        return nz // self.fold, ny // self.fold, nx // self.fold

    @property
    def scored_volume_ml(self) -> float:
        """Volume of a scored voxel."""
        return self.grid.voxel_volume_ml * self.fold**3

    @property
    def mass_kg(self) -> NDArray[np.float64]:
        """Mass of each scored voxel (z, y, x)."""
        return self.folded(self.density_g_per_cm3) * (self.grid.voxel_volume_ml * KG_PER_G)

    def folded(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sums over the voxels that are scored as one."""
        (nz, ny, nx), n = self.scored_shape, self.fold
        return values.astype(np.float64).reshape(nz, n, ny, n, nx, n).sum(axis=(1, 3, 5))

    def digest(self) -> str:
        """SHA-256 over all maps, the grid and the materials: two cases with the same are one."""
        digest = hashlib.sha256(
            repr((self.grid, self.fold, [(m.name, m.mass_fractions) for m in self.materials])).encode()
        )
        for array, kind in (
            (self.tia_bq_s, np.float32), (self.density_g_per_cm3, np.float32), (self.medium, np.uint8)
        ):  # fmt: skip
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        return digest.hexdigest()


def voxel_scene(case: VoxelCase, photons: PhotonTables) -> Scene:
    """The grid as the transport wants it: flat arrays, cm."""
    density = np.ascontiguousarray(case.density_g_per_cm3, dtype=np.float32).ravel()
    medium = np.ascontiguousarray(case.medium, dtype=np.uint8).ravel()
    largest = np.array([density[medium == index].max(initial=0.0) for index in range(len(case.materials))], np.float64)
    nz, ny, nx = case.grid.shape_zyx
    dx, dy, dz = (mm * CM_PER_MM for mm in case.grid.spacing_mm)
    return Scene(
        kind=VOXELS, density=density, medium=medium, n_cells=density.size,
        largest_attenuation=(photons.nodes[:, :, ATTENUATION] * largest[:, None]).max(axis=0),
        nx=nx, ny=ny, nz=nz, dx=dx, dy=dy, dz=dz, first_radius2=0.0, last_radius2=0.0, shells_per_log2=0.0,
    )  # fmt: skip


def voxel_source(case: VoxelCase, flattening: float = 0.0) -> Source:
    """Histories over voxels: of a share ``flattening`` each active voxel gets as many, the rest follow Ã; a history
    weighs its voxel's share of the decays over its share of the histories.

    So cold voxels gain and hot ones lose no more than that share; weights stay below 1/(1 − flattening).
    """
    tia = case.tia_bq_s.ravel().astype(np.float64)
    voxels = np.flatnonzero(tia > 0)
    decays = tia[voxels] / tia.sum()
    chance = (1.0 - flattening) * decays + flattening / voxels.size
    cumulative = np.cumsum(chance)
    return Source(voxels, cumulative / cumulative[-1], decays / chance)


def folded_score(score: NDArray[np.float64], case: VoxelCase) -> NDArray[np.float64]:
    """A score (part, cell) of the grid as one of the scored voxels; the first is emptied."""
    shape = (score.shape[0], *case.grid.shape_zyx)
    blocks = [case.folded(part) for part in score[:, :-1].reshape(shape)]
    folded = np.concatenate([np.reshape(blocks, (score.shape[0], -1)), score[:, -1:]], axis=1)
    score[:] = 0.0
    return folded
