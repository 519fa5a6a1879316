"""Far photons by the matter that they cross: what a kernel of soft tissue misses beyond some centimetres.

    F(x) = Σ_s Ã(s)·h(r)·(m²·S(m·r) − S(r)),    r = |x − s|                                                  [Gy]

m is the mean of ρ/ρ_ref along the straight way from s to x, S the dose kernel of soft tissue per decay [Gy/(Bq·s)], and
h rises from 0 at NEAREST_MM to 1 at WHOLE_MM. In a medium of one density m this is O'Connor's theorem, exact for one
composition: S_m(r) = m²·S(m·r). Between media it is the usual scaling of kernels by radiological path (Ahnesjö 1989).
Linear in the activity. Computed on blocks of some 2 cm and interpolated, as far photons vary slowly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from RPTDosimetryLib.learning.photon_bands import REFERENCE_G_PER_CM3, SoftKernels
from RPTDosimetryLib.transport.compiled import compiled

#: (decays, matter, inside, sides of a block [mm], kernel's table) → F of every block [Gy].
Summed = Callable[[Any, Any, Any, NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
#: Side of a block, where far photons begin and where they count whole, and the longest way [mm].
BLOCK_MM: Final = 19.2
NEAREST_MM, WHOLE_MM, FARTHEST_MM = 38.4, 76.8, 560.0
#: Distance between two values of the kernel's table [mm].
TABLE_MM: Final = 4.8
#: Faces that a way crosses at once, at an edge, differ by no more than this share of it.
ROUNDING: Final = 1e-9


def far_photons(tia: Any, density: Any, tissue: Any, kernels: SoftKernels, summed: Summed | None = None) -> Any:
    """F [Gy] (z, y, x) float32 on the device of the TIA map [Bq·s]; density [g/cm³]; 0 where there is no tissue.

    summed: what sums over pairs of blocks; None: the processor's cores.
    """
    import torch

    sides = [max(1, round(BLOCK_MM / mm)) for mm in kernels.voxel_mm[::-1]]
    block_mm = np.array([n * mm for n, mm in zip(sides, kernels.voxel_mm[::-1], strict=True)])
    activity = _blocks(tia, sides).sum(dim=(1, 3, 5))
    matter = _blocks(density, sides).mean(dim=(1, 3, 5)) / REFERENCE_G_PER_CM3
    inside = _blocks(tissue, sides).amax(dim=(1, 3, 5)) > 0
    coarse = (summed or pairs_on_cores)(activity, matter, inside, block_mm, _table(kernels))
    filled = _filled(coarse, inside.cpu().numpy())
    values = torch.as_tensor(filled, dtype=torch.float32, device=tia.device)[None, None]
    fine = torch.nn.functional.interpolate(values, scale_factor=tuple(sides), mode="trilinear", align_corners=False)
    nz, ny, nx = tia.shape
    return fine[0, 0, :nz, :ny, :nx] * tissue


def pairs_on_cores(
    activity: Any, matter: Any, inside: Any, block_mm: NDArray[np.float64], table: NDArray[np.float64]
) -> NDArray[np.float64]:
    """F of every block [Gy] from tensors of the decays in it [Bq·s], ρ/ρ_ref and whether it holds tissue."""
    return _pairs(*(values.cpu().numpy() for values in (activity, matter, inside)), block_mm, table)


@njit(cache=True, parallel=True, nogil=True)
def _pairs(
    activity: NDArray[np.float64], matter: NDArray[np.float64], inside: NDArray[np.bool_],
    block_mm: NDArray[np.float64], table: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """The sum over all blocks with activity, for every block with tissue."""
    nz, ny, nx = activity.shape
    answer = np.zeros(activity.shape)
    for place in prange(nz * ny * nx):
        target = (place // (ny * nx), place // nx % ny, place % nx)
        if not inside[target]:
            continue
        total = 0.0
        for sz in range(nz):
            for sy in range(ny):
                for sx in range(nx):
                    total += given_by_block((sz, sy, sx), target, activity, matter, block_mm, table)
        answer[target] = total
    return answer


@compiled()
def given_by_block(source, target, activity, matter, block_mm, table):  # type: ignore[no-untyped-def]
    """What one block adds to F of another [Gy]."""
    decays = activity[source]
    if decays <= 0.0:
        return 0.0
    dz, dy, dx = source[0] - target[0], source[1] - target[1], source[2] - target[2]
    r = math.sqrt((dz * block_mm[0]) ** 2 + (dy * block_mm[1]) ** 2 + (dx * block_mm[2]) ** 2)
    if r <= NEAREST_MM:
        return 0.0
    m = _mean_on_way(matter, target, (dz, dy, dx))
    rise = min((r - NEAREST_MM) / (WHOLE_MM - NEAREST_MM), 1.0)
    return decays * rise * (m * m * _at(table, m * r) - _at(table, r))


@compiled()
def _mean_on_way(matter, start, way):  # type: ignore[no-untyped-def]
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


@compiled()
def _at(table, r):  # type: ignore[no-untyped-def]
    """The kernel at a distance [mm]; 0 beyond the table."""
    place = r / TABLE_MM
    first = int(place)
    if first + 1 >= table.size:
        return 0.0
    return table[first] + (place - first) * (table[first + 1] - table[first])


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


def _blocks(values: Any, sides: list[int]) -> Any:
    """(z, block, y, block, x, block) float64: the map in blocks; beyond its last voxels is nothing."""
    import torch

    behind = [n for size, side in zip(values.shape[::-1], sides[::-1], strict=True) for n in (0, -size % side)]
    whole = torch.nn.functional.pad(values.double(), behind)
    shape = [part for n, side in zip(whole.shape, sides, strict=True) for part in (n // side, side)]
    return whole.reshape(shape)


def _filled(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Blocks without tissue take the nearest one's value, for the interpolation."""
    from scipy import ndimage

    if not known.any():
        return values
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])
