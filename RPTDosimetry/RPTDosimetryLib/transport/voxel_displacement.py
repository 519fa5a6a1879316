"""Where a displaced point of a voxel lands: the geometry that turns a point kernel into a voxel S kernel."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise, permutations

import numba
import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Vector3

#: Radial cells: 2 % of the radius wide, but not below 0.1 % and not above 10 % of the smallest voxel side.
CELL_WIDTH_OF_RADIUS = 0.02
CELL_WIDTH_OF_VOXEL = (0.001, 0.1)
#: Gauss nodes (each angle of the octant): smooth integrand up to one voxel, kinks beyond it.
ANGLES_SMOOTH = 24
ANGLES_PER_VOXEL = 32
ANGLES_MOST = 320


@dataclass(frozen=True)
class DisplacementTable:
    """Landing probabilities P(r → voxel) for radial cells and the voxels of one octant.

    edges_mm: (n_cells + 1). probability: sparse (n_octant_voxels, n_cells), voxels in (k, j, i) order of shape_kji.
    A point uniform in voxel 0 and displaced by x lands in voxel i with probability Λ(x/a − i), Λ(t) = max(0, 1 − |t|);
    P is the product over the axes averaged over directions and over the radii of the cell (uniform in r).
    P is that of one voxel; by symmetry its mirror images have the same.
    """

    edges_mm: NDArray[np.float64]
    probability: scipy.sparse.csr_matrix
    shape_kji: tuple[int, int, int]


@lru_cache(maxsize=8)
def displacement_table(voxel_mm: Vector3, reach: tuple[int, int, int]) -> DisplacementTable:
    """Table for octant voxels 0..reach (x, y, z) of sides voxel_mm, for every radius that can land in them.

    Accuracy: radii up to one voxel are integrated to rounding (the integrand is smooth there); beyond, the Gauss
    product rule on kinked integrands is within 1e-4 of the converged value (docs/physics/voxel-s.md).
    """
    farthest_mm = float(np.linalg.norm((np.asarray(reach) + 1) * np.asarray(voxel_mm)))
    edges_mm = _radial_edges_mm(min(voxel_mm), farthest_mm)
    shape_kji = (reach[2] + 1, reach[1] + 1, reach[0] + 1)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        rows = list(pool.map(lambda cell: _cell_probability(cell, voxel_mm, shape_kji), pairwise(edges_mm)))
    probability = scipy.sparse.vstack(rows, format="csr").T.tocsr()
    return DisplacementTable(edges_mm, _alike(probability, voxel_mm[::-1], shape_kji), shape_kji)


def _alike(
    probability: scipy.sparse.csr_matrix, sides_mm: tuple[float, ...], shape: tuple[int, ...]
) -> scipy.sparse.csr_matrix:
    """Mean over the exchanges of equal axes, so that the error of the angles does not tell them apart."""
    axes = list(zip(sides_mm, shape, strict=True))
    same = [order for order in permutations(range(3)) if [axes[axis] for axis in order] == axes]
    index = np.arange(probability.shape[0]).reshape(shape)
    return sum(probability[index.transpose(order).ravel()] for order in same) / len(same)


def _radial_edges_mm(smallest_mm: float, farthest_mm: float) -> NDArray[np.float64]:
    narrow, wide = (share * smallest_mm for share in CELL_WIDTH_OF_VOXEL)
    edges = [0.0]
    while edges[-1] < farthest_mm:
        edges.append(edges[-1] + float(np.clip(CELL_WIDTH_OF_RADIUS * edges[-1], narrow, wide)))
    return np.array(edges)


def _cell_probability(
    cell_mm: tuple[float, float], voxel_mm: Vector3, shape_kji: tuple[int, int, int]
) -> scipy.sparse.csr_matrix:
    """(1, n_octant_voxels) mean of P over a radial cell: two Gauss radii."""
    low_mm, high_mm = cell_mm
    radii = 0.5 * (low_mm + high_mm) + 0.5 * (high_mm - low_mm) / np.sqrt(3.0) * np.array([-1.0, 1.0])
    sides = high_mm / min(voxel_mm)
    angles = ANGLES_SMOOTH if sides < 1.0 else min(ANGLES_PER_VOXEL * (1 + math.ceil(sides)), ANGLES_MOST)
    angle, weight = _quarter_circle(angles)
    landed = np.zeros(shape_kji)
    for radius in radii:
        _scatter(radius, np.array(voxel_mm), angle, weight, landed)
    # directions of one octant, normalised to 1; a voxel off a plane of symmetry has only half of them
    landed *= 2.0 / np.pi / len(radii)
    for axis in range(3):
        landed[(slice(None),) * axis + (slice(1, None),)] *= 0.5
    return scipy.sparse.csr_matrix(landed.reshape(1, -1))


@cache
def _quarter_circle(angles: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss nodes and weights on (0, π/2)."""
    nodes, weights = np.polynomial.legendre.leggauss(angles)
    return 0.25 * np.pi * (nodes + 1.0), 0.25 * np.pi * weights


@numba.njit(cache=True, nogil=True)
def _scatter(radius, voxel_mm, angle, weight, landed):  # type: ignore[no-untyped-def]
    """Add Π Λ(x/a − i)·sinθ dθ dφ over the octant's directions to the voxels (k, j, i)."""
    nk, nj, ni = landed.shape
    for t in range(angle.size):
        z = radius * np.cos(angle[t]) / voxel_mm[2]
        across = radius * np.sin(angle[t])
        k = int(z)
        fz = z - k
        for p in range(angle.size):
            x = across * np.cos(angle[p]) / voxel_mm[0]
            y = across * np.sin(angle[p]) / voxel_mm[1]
            i, j = int(x), int(y)
            fx, fy = x - i, y - j
            w = weight[t] * weight[p] * np.sin(angle[t])
            for dk in range(2):
                if k + dk >= nk:
                    break
                wz = w * (fz if dk else 1.0 - fz)
                for dj in range(2):
                    if j + dj >= nj:
                        break
                    wy = wz * (fy if dj else 1.0 - fy)
                    if i < ni:
                        landed[k + dk, j + dj, i] += wy * (1.0 - fx)
                    if i + 1 < ni:
                        landed[k + dk, j + dj, i + 1] += wy * fx
