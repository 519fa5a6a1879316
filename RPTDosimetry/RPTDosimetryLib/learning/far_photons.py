"""Far photons by the matter that they cross: what a kernel of soft tissue misses beyond some centimetres.

    F(x) = Σ_s Ã(s)·h(r)·(m²·S(m·r) − S(r)),    r = |x − s|                                                  [Gy]

m is the mean of ρ/ρ_ref along the straight way from s to x, S the dose kernel of soft tissue per decay [Gy/(Bq·s)], and
h rises from 0 at NEAREST_MM to 1 at WHOLE_MM. In a medium of one density m this is O'Connor's theorem, exact for one
composition: S_m(r) = m²·S(m·r). Between media it is the usual scaling of kernels by radiological path (Ahnesjö 1989).
Linear in the activity. Computed on blocks of some 2 cm and interpolated, as far photons vary slowly.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from RPTDosimetryLib.learning.photon_bands import REFERENCE_G_PER_CM3, SoftKernels

#: Side of a block, where far photons begin and where they count whole, and the longest way [mm].
BLOCK_MM: Final = 19.2
NEAREST_MM, WHOLE_MM, FARTHEST_MM = 38.4, 76.8, 560.0
#: Distance between two values of the kernel's table [mm].
TABLE_MM: Final = 4.8
#: Faces that a way crosses at once, at an edge, differ by no more than this share of it.
ROUNDING: Final = 1e-9


def far_photons(tia: Any, density: Any, tissue: Any, kernels: SoftKernels) -> Any:
    """F [Gy] (z, y, x) float32 on the device of the TIA map [Bq·s]; density [g/cm³]; 0 where there is no tissue."""
    import torch

    sides = [max(1, round(BLOCK_MM / mm)) for mm in kernels.voxel_mm[::-1]]
    activity = _blocks(tia, sides).sum(axis=(1, 3, 5), dtype=np.float64)
    matter = _blocks(density, sides).mean(axis=(1, 3, 5), dtype=np.float64) / REFERENCE_G_PER_CM3
    inside = _blocks(tissue, sides).max(axis=(1, 3, 5)) > 0
    block_mm = np.array([n * mm for n, mm in zip(sides, kernels.voxel_mm[::-1], strict=True)])
    coarse = _far(activity, matter, inside, block_mm, _table(kernels))
    values = torch.as_tensor(_filled(coarse, inside), dtype=torch.float32, device=tia.device)[None, None]
    fine = torch.nn.functional.interpolate(values, scale_factor=tuple(sides), mode="trilinear", align_corners=False)
    nz, ny, nx = tia.shape
    return fine[0, 0, :nz, :ny, :nx] * tissue


@njit(cache=True, parallel=True, nogil=True, fastmath=False)
def _far(
    activity: NDArray[np.float64], matter: NDArray[np.float64], inside: NDArray[np.bool_],
    block_mm: NDArray[np.float64], table: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """The sum over all blocks with activity, for every block with tissue."""
    nz, ny, nx = activity.shape
    answer = np.zeros(activity.shape)
    for place in prange(nz * ny * nx):
        tz, ty, tx = place // (ny * nx), place // nx % ny, place % nx
        if not inside[tz, ty, tx]:
            continue
        total = 0.0
        for sz in range(nz):
            for sy in range(ny):
                for sx in range(nx):
                    decays = activity[sz, sy, sx]
                    if decays <= 0.0:
                        continue
                    dz, dy, dx = sz - tz, sy - ty, sx - tx
                    r = np.sqrt((dz * block_mm[0]) ** 2 + (dy * block_mm[1]) ** 2 + (dx * block_mm[2]) ** 2)
                    if r <= NEAREST_MM:
                        continue
                    m = _mean_on_way(matter, (tz, ty, tx), (dz, dy, dx))
                    rise = min((r - NEAREST_MM) / (WHOLE_MM - NEAREST_MM), 1.0)
                    total += decays * rise * (m * m * _at(table, m * r) - _at(table, r))
        answer[tz, ty, tx] = total
    return answer


@njit(cache=True, nogil=True)
def _mean_on_way(matter: NDArray[np.float64], start: tuple[int, int, int], way: tuple[int, int, int]) -> float:
    """Mean over the straight line from the middle of a block to that of another, block by block (Amanatides 1987)."""
    z, y, x = start
    az, ay, ax = abs(way[0]), abs(way[1]), abs(way[2])
    # Where the next face along each axis is crossed, as a share of the way; faces lie half a block from the middles.
    face_z, face_y, face_x = 0.5 / az if az else 2.0, 0.5 / ay if ay else 2.0, 0.5 / ax if ax else 2.0
    mean, here = 0.0, 0.0
    while True:
        face = min(face_z, face_y, face_x)
        if face >= 1.0:
            return mean + (1.0 - here) * matter[z, y, x]
        mean += (face - here) * matter[z, y, x]
        here = face
        if face_z <= face + ROUNDING:
            z += 1 if way[0] > 0 else -1
            face_z += 1.0 / az
        if face_y <= face + ROUNDING:
            y += 1 if way[1] > 0 else -1
            face_y += 1.0 / ay
        if face_x <= face + ROUNDING:
            x += 1 if way[2] > 0 else -1
            face_x += 1.0 / ax


@njit(cache=True, nogil=True)
def _at(table: NDArray[np.float64], r: float) -> float:
    """The kernel at a distance [mm]; 0 beyond the table."""
    place = r / TABLE_MM
    first = int(place)
    if first + 1 >= table.size:
        return 0.0
    return float(table[first] + (place - first) * (table[first + 1] - table[first]))


@lru_cache(maxsize=4)
def _table(kernels: SoftKernels) -> NDArray[np.float64]:
    """S(r) every TABLE_MM from the kernel of voxels: ln(r²·S) averaged in shells, on a straight line beyond them."""
    axes = [np.arange(n) * mm for n, mm in zip(kernels.photon.shape, kernels.voxel_mm[::-1], strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    r = np.sqrt(z**2 + y**2 + x**2).ravel()
    strength = kernels.photon.ravel() * r**2
    edges = np.arange(0.5 * NEAREST_MM, min(axis[-1] for axis in axes), TABLE_MM)
    shell = np.digitize(r, edges)
    middles, logs = [], []
    for number in range(1, edges.size):
        here = (shell == number) & (strength > 0)
        if here.any():
            middles.append(r[here].mean())
            logs.append(np.log(strength[here]).mean())
    distance = np.arange(0.0, FARTHEST_MM, TABLE_MM)
    logarithm = np.interp(distance, middles, logs)
    slope = (logs[-1] - logs[-10]) / (middles[-1] - middles[-10])
    beyond = distance > middles[-1]
    logarithm[beyond] = logs[-1] + slope * (distance[beyond] - middles[-1])
    return np.asarray(np.exp(logarithm) / np.maximum(distance, TABLE_MM) ** 2)


def _blocks(values: Any, sides: list[int]) -> NDArray[np.float32]:
    """(z, block, y, block, x, block): the map in blocks; beyond its last voxels is nothing."""
    array = values.detach().cpu().numpy()
    array = np.pad(array, [(0, -n % side) for n, side in zip(array.shape, sides, strict=True)])
    shape = [part for n, side in zip(array.shape, sides, strict=True) for part in (n // side, side)]
    return np.asarray(array.reshape(shape))


def _filled(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Blocks without tissue take the nearest one's value, for the interpolation."""
    from scipy import ndimage

    if not known.any():
        return values
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])
