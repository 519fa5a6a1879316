"""A voxel S kernel as the table that programs exchange: mGy/(MBq·s) by voxel index, with standard errors."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any

from RPTDosimetryLib.errors import TransportError
from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.transport.voxel_kernels import VoxelSKernel, voxel_s_kernel
from RPTDosimetryLib.units import MGY_PER_MBQ_S_PER_GY_PER_BQ_S

if TYPE_CHECKING:
    from RPTDosimetryLib.transport.point_kernel import PointKernel


#: Highest index with a standard error: the exact displacement table of a cube this far takes some ten seconds.
MOST_NEAR = 20


def kernel_answer(
    point_kernel: PointKernel, density_g_per_cm3: float | None, voxel_mm: Vector3, extent: int
) -> dict[str, Any]:
    """Every voxel (i, j, k) with 0 ≤ index ≤ extent along x, y, z; each stands for its mirror images.

    S = S_electron + S_photon with absolute standard errors (null beyond index 20, and where a kernel has one batch).
    voxel_mm is one number for cubes, three otherwise; density None means the reference density of the point kernel.
    Raises TransportError for a negative extent.
    """
    if extent < 0:
        raise TransportError(f"An extent of {extent} voxels does not exist: choose 0 or more.")
    density = point_kernel.reference_density_g_per_cm3 if density_g_per_cm3 is None else density_g_per_cm3
    reach, near = (extent,) * 3, (min(extent, MOST_NEAR),) * 3
    kernel = voxel_s_kernel(point_kernel, density, voxel_mm, reach, reach, near)
    cube = len(set(voxel_mm)) == 1
    return {
        "unit": "mGy/(MBq s)",
        "nuclide": kernel.nuclide,
        "medium": f"{kernel.material}_{density:.2f}",
        "medium_description": material(kernel.material).source,
        "density_gcc": density,
        "voxel_mm": voxel_mm[0] if cube else list(voxel_mm),
        "electron_kev_per_decay": kernel.electron_kev_per_decay,
        "photon_kev_per_decay": kernel.photon_kev_per_decay,
        "composition": _composition(kernel.material),
        "note": "uniform source in voxel (0,0,0) of an infinite uniform medium; ijk along x, y, z; all indices from 0 "
        "to the extent, each standing for its mirror images; se: one standard error of the simulation",
        "kernel": [_entry(kernel, ijk) for ijk in product(range(extent + 1), repeat=3)],
    }


def _composition(name: str) -> str:
    """Mass fractions in one line."""
    return ", ".join(f"{symbol} {fraction:.4g}" for symbol, fraction in material(name).mass_fractions.items())


def _entry(kernel: VoxelSKernel, ijk: tuple[int, ...]) -> dict[str, Any]:
    at = ijk[::-1]
    means = [float(part[at]) * MGY_PER_MBQ_S_PER_GY_PER_BQ_S for part in (kernel.electron, kernel.photon)]
    known = all(index < n for index, n in zip(at, kernel.electron_se.shape, strict=True))
    errors = [
        float(part[at]) * MGY_PER_MBQ_S_PER_GY_PER_BQ_S if known else math.nan
        for part in (kernel.electron_se, kernel.photon_se)
    ]
    se = [value if math.isfinite(value) else None for value in (math.hypot(*errors), *errors)]
    return {
        "ijk": list(ijk),
        "S": sum(means),
        "se": se[0],
        "S_electron": means[0],
        "se_electron": se[1],
        "S_photon": means[1],
        "se_photon": se[2],
    }
