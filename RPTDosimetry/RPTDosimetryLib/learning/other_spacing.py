"""A patient on voxels of another size: the network works on its own size, its relative correction is carried back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.dose.engine import DoseTask
from RPTDosimetryLib.dose.patient_map import AIR_G_PER_CM3, patient_from_density
from RPTDosimetryLib.grid import Grid, Vector3, resample, resample_mean
from RPTDosimetryLib.learning.correction import Correction


def on_spacing(task: DoseTask, spacing_mm: Vector3) -> DoseTask:
    """The same patient on voxels of spacing_mm (x, y, z) that cover the same box: activity kept, density as a mean."""
    grid = task.tia.image.grid
    coarse = grid_over(grid, spacing_mm)
    ratio = coarse.voxel_volume_ml / grid.voxel_volume_ml
    tia = resample_mean(task.tia.image.voxels, grid, coarse) * np.float32(ratio)
    patient = patient_from_density(task.patient.density, coarse)
    filled = resample_mean(task.patient.density.voxels, grid, coarse, AIR_G_PER_CM3)
    patient = replace(patient, density=patient.density.with_voxels(filled))
    image = replace(task.tia.image, voxels=tia, grid=coarse)
    return replace(task, tia=replace(task.tia, image=image), patient=patient, vois=())


def grid_over(grid: Grid, spacing_mm: Vector3) -> Grid:
    """Voxels of spacing_mm from the same corner on, as many as cover the box of the grid."""
    sides = [n * mm for n, mm in zip(grid.shape_zyx[::-1], grid.spacing_mm, strict=True)]
    nx, ny, nz = (max(1, int(np.ceil(side / mm - 1e-6))) for side, mm in zip(sides, spacing_mm, strict=True))
    axes = np.reshape(grid.direction, (3, 3))
    x, y, z = np.add(grid.origin_mm, axes @ (np.subtract(spacing_mm, grid.spacing_mm) / 2.0))
    return Grid((nz, ny, nx), spacing_mm, (x, y, z), grid.direction)


def carried_over(
    found: Correction, coarse_msv_gy: NDArray[np.float32], coarse: Grid, msv_gy: NDArray[np.float32], task: DoseTask
) -> Correction:
    """Δ = MSV·(Δ/MSV of the coarse grid, interpolated linearly), so that a correction never outgrows its MSV dose."""
    grid = task.tia.image.grid
    tissue = task.patient.medium > 0

    def back(values: NDArray[np.float32]) -> NDArray[np.float32]:
        relative = np.divide(values, coarse_msv_gy, out=np.zeros_like(values), where=coarse_msv_gy > 0.0)
        there = resample(relative, coarse, grid) * msv_gy
        return np.where(tissue, there, np.float32(0.0)).astype(np.float32)

    return Correction(
        back(found.correction_gy),
        tuple(msv_gy + back(member - coarse_msv_gy) for member in found.members_gy),
        None if found.member_sd_gy is None else back(found.member_sd_gy),
        {name: (back(values), unit) for name, (values, unit) in found.attribution.items()},
        found.said,
    )
