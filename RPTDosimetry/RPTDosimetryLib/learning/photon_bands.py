"""The photon dose in soft tissue, split by the distance and the direction it comes from: linear in the activity.

    P(x) = Σ_s Ã(s)·S(|x − s|) = Σ_b P_b(x),   P_b = Σ_s Ã(s)·S(|x − s|)·h_b(|x − s|)                        [Gy]

h_b are hats over log r that add up to 1, centred at BAND_CENTRES_MM. For the three widest also the three components
Σ_s Ã·S·h_b·(x − s)/|x − s|: a weight of the scalar and of the components is a weight that depends on direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Vector3

if TYPE_CHECKING:
    from RPTDosimetryLib.transport.point_kernel import PointKernel

BAND_CENTRES_MM: Final = (4.8, 9.6, 19.2, 38.4, 76.8, 153.6)
#: Bands with scalar maps, how many of them (the widest) also have components, and channels in all.
SCALAR: Final = len(BAND_CENTRES_MM)
DIRECTIONAL: Final = 3
CHANNELS: Final = SCALAR + 3 * DIRECTIONAL
#: Coarse voxels around the map on which the wide bands are computed.
EDGE: Final = 1
REFERENCE_G_PER_CM3: Final = 1.04
REFERENCE_MATERIAL: Final = "schneider_soft"


#: One octant of a kernel (k, j, i), and the axis along which it changes sign, if any.
Octant = tuple[NDArray[np.float64], int | None]


@dataclass(frozen=True, eq=False)  # equal and hashed as the one object it is, for the cache of spectra
class SoftKernels:
    """The photon kernel of soft tissue on cubic-like voxels [Gy/(Bq·s)], an octant (k, j, i)."""

    nuclide: str
    voxel_mm: Vector3
    photon: NDArray[np.float64]


@lru_cache(maxsize=4)
def soft_kernels(nuclide: str, voxel_mm: Vector3, reach: tuple[int, int, int] = (62, 62, 62)) -> SoftKernels:
    """The kernel at 1.04 g/cm³, up to ``reach`` voxels (x, y, z)."""
    from RPTDosimetryLib.transport.kernel_cache import cached_voxel_s_kernel

    kernel = cached_voxel_s_kernel(soft_point_kernel(nuclide), REFERENCE_G_PER_CM3, voxel_mm, reach_photon=reach)
    return SoftKernels(kernel.nuclide, voxel_mm, kernel.photon)


def soft_point_kernel(nuclide: str) -> PointKernel:
    """The Monte Carlo point kernel of soft tissue, from which all kernels here are made."""
    from RPTDosimetryLib.physics.materials import material
    from RPTDosimetryLib.transport.point_kernel_library import point_kernel

    return point_kernel(nuclide, material(REFERENCE_MATERIAL))


def hats(radius_mm: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """h_b(r), one array a band: linear in log r between the centres, flat below the first and beyond the last."""
    place = np.log(np.maximum(radius_mm, 1e-3)) / np.log(2.0)
    centres = np.log(np.asarray(BAND_CENTRES_MM)) / np.log(2.0)
    rows = np.eye(SCALAR)
    return [np.interp(place, centres, rows[band]) for band in range(SCALAR)]


def photon_bands(tia: Any, kernels: SoftKernels) -> Any:
    """All channels [Gy] of a TIA map (z, y, x) [Bq·s]: (CHANNELS, z, y, x) float32 on the map's device.

    Scalars in the order of BAND_CENTRES_MM, then z, y, x components of each of the three widest bands. The wide bands
    are computed on voxels twice as large, where their kernels are smooth, and interpolated.
    """
    import torch

    near = _convolved(tia, kernels, _near_kernels)
    edge = 2 * EDGE  # so that interpolation has a voxel beyond each face
    behind = [v for n in reversed(tia.shape) for v in (edge, edge + n % 2)]
    coarse_tia = 8.0 * torch.nn.functional.avg_pool3d(torch.nn.functional.pad(tia, behind)[None, None], 2)[0, 0]
    coarse = _convolved(coarse_tia, kernels, _far_kernels)
    far = torch.nn.functional.interpolate(coarse[None], scale_factor=2, mode="trilinear", align_corners=False)[0]
    far = far[:, edge : edge + tia.shape[0], edge : edge + tia.shape[1], edge : edge + tia.shape[2]]
    return torch.cat([near, far])


def _near_kernels(kernels: SoftKernels) -> list[Octant]:
    """(octant, odd axis) of the bands that end within their centre times two."""
    radius = _radius_mm(kernels.photon.shape, kernels.voxel_mm)
    near = SCALAR - DIRECTIONAL
    reach = [int(2 * BAND_CENTRES_MM[near - 1] / mm) + 2 for mm in kernels.voxel_mm[::-1]]
    cut = tuple(slice(n) for n in reach)
    return [((kernels.photon * h)[cut], None) for h in hats(radius)[:near]]


def _far_kernels(kernels: SoftKernels) -> list[Octant]:
    """Scalars of the wide bands, then their components, on every second voxel of the kernel."""
    every = kernels.photon[::2, ::2, ::2]
    doubled = (2 * kernels.voxel_mm[0], 2 * kernels.voxel_mm[1], 2 * kernels.voxel_mm[2])
    radius = _radius_mm(every.shape, doubled)
    wide = [every * h for h in hats(radius)[SCALAR - DIRECTIONAL :]]
    answer: list[Octant] = [(octant, None) for octant in wide]
    axes = np.meshgrid(*[np.arange(n) * mm for n, mm in zip(every.shape, doubled[::-1], strict=True)], indexing="ij")
    for octant in wide:
        answer += [(octant * axes[a] / np.maximum(radius, 1e-3), a) for a in range(3)]
    return answer


def _radius_mm(shape_kji: tuple[int, ...], voxel_mm: Vector3) -> NDArray[np.float64]:
    z, y, x = (np.arange(n) * mm for n, mm in zip(shape_kji, voxel_mm[::-1], strict=True))
    return np.asarray(np.sqrt(z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2))


def _convolved(source: Any, kernels: SoftKernels, which: Callable[[SoftKernels], list[Octant]]) -> Any:
    """Linear convolution of a map with all kernels of ``which``, zero outside the map."""
    import torch

    spectra, size = _spectra(kernels, which, tuple(source.shape), str(source.device))
    spectrum = torch.fft.rfftn(source, size)
    nz, ny, nx = source.shape
    return torch.stack([torch.fft.irfftn(spectrum * one, size)[:nz, :ny, :nx] for one in spectra])


@lru_cache(maxsize=4)
def _spectra(
    kernels: SoftKernels, which: Callable[[SoftKernels], list[Octant]], shape: tuple[int, ...], device: str
) -> tuple[list[Any], list[int]]:
    """Transforms of mirrored kernels for maps of a shape, and the padded size: the same for all patients of a set."""
    import torch
    from scipy.fft import next_fast_len

    octants = which(kernels)
    size = [
        next_fast_len(2 * (n - 1) + 1 if n <= k else n + k - 1, real=True)
        for n, k in zip(shape, octants[0][0].shape, strict=True)
    ]
    kernels_whole = (mirrored(octant, size, odd) for octant, odd in octants)
    return [torch.fft.rfftn(torch.as_tensor(m, dtype=torch.float32, device=device)) for m in kernels_whole], size


def mirrored(octant: NDArray[np.float64], size: list[int], odd: int | None) -> NDArray[np.float64]:
    """The whole kernel, wrapped around index 0, from its octant."""
    whole = np.zeros(size)
    cut = octant[tuple(slice((n + 1) // 2) for n in size)]
    whole[tuple(slice(n) for n in cut.shape)] = cut
    for axis in range(3):
        n = cut.shape[axis]
        sign = -1.0 if odd == axis else 1.0
        front = [slice(None)] * 3
        back = [slice(None)] * 3
        front[axis], back[axis] = slice(1, n), slice(size[axis] - n + 1, size[axis])
        whole[tuple(back)] = sign * np.flip(whole[tuple(front)], axis)
    return whole
