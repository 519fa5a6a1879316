"""Voxel S kernels kept on disk under the hash of everything they depend on."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from RPTDosimetryLib.errors import ReportError
from RPTDosimetryLib.files import user_folder, whole_file
from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.transport.voxel_kernels import Reach, VoxelSKernel, voxel_s_kernel

if TYPE_CHECKING:
    from RPTDosimetryLib.transport.point_kernel import PointKernel

#: Raise it when the quadrature or the record changes, so that old files are not read.
KERNEL_VERSION = 3


def cached_voxel_s_kernel(
    point_kernel: PointKernel,
    density_g_per_cm3: float,
    voxel_mm: Vector3,
    reach_electron: Reach | None = None,
    reach_photon: Reach | None = None,
) -> VoxelSKernel:
    """voxel_s_kernel(...), read from the cache folder when the same content was built before.

    A cache that cannot be read or written costs only time: the kernel is built again.
    """
    key = _content_key(point_kernel, repr((density_g_per_cm3, voxel_mm, reach_electron, reach_photon, KERNEL_VERSION)))
    path = user_folder("cache") / "voxel_kernels" / f"{key}.npz"
    kernel = _read(path)
    if kernel is None:
        kernel = voxel_s_kernel(point_kernel, density_g_per_cm3, voxel_mm, reach_electron, reach_photon)
        _write(kernel, path)
    return kernel


def _content_key(point_kernel: PointKernel, settings: str) -> str:
    digest = hashlib.sha256(settings.encode())
    named = (point_kernel.nuclide, point_kernel.material, point_kernel.reference_density_g_per_cm3)
    digest.update(repr((*named, point_kernel.electron_emitted_kev, point_kernel.photon_emitted_kev)).encode())
    for array in (point_kernel.radius_mm, point_kernel.electron_kev, point_kernel.photon_kev):
        digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
    return digest.hexdigest()[:32]


def _read(path: Path) -> VoxelSKernel | None:
    try:
        with np.load(path) as stored:
            values = {field.name: stored[field.name] for field in fields(VoxelSKernel)}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    plain = {name: value.item() if value.ndim == 0 else value for name, value in values.items()}
    plain["voxel_mm"] = tuple(float(mm) for mm in values["voxel_mm"])
    return VoxelSKernel(**plain)


def _write(kernel: VoxelSKernel, path: Path) -> None:
    try:
        with whole_file(path) as temporary:
            np.savez(temporary, **{field.name: getattr(kernel, field.name) for field in fields(VoxelSKernel)})
    except ReportError:
        return
