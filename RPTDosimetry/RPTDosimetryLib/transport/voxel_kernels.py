"""Voxel S kernels from radial point kernels: any density, any voxel size, electron and photon parts apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import TransportError
from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.transport.radial_profile import RadialProfile, radial_profile
from RPTDosimetryLib.transport.voxel_displacement import displacement_table
from RPTDosimetryLib.units import J_PER_KEV, ML_PER_MM3, mass_kg

if TYPE_CHECKING:
    from RPTDosimetryLib.transport.point_kernel import PointKernel

Reach = tuple[int, int, int]

#: Photons carry organ dose over 10 cm and more; kernels to 19 cm still miss 1 to 5 % of it (physics.md, section 4).
PHOTON_REACH_MM = 300.0
ELECTRON_REACH_VOXELS = 5
#: What an electron kernel may leave outside (bremsstrahlung) before its reach grows beyond five voxels.
ELECTRON_SHARE_OUTSIDE = 1e-3
#: Voxels closer than this many of the longest side take the exact displacement average; the others Gauss points.
NEAR_SIDES = 5
#: Three-point Gauss rule for the weight Λ(t) = max(0, 1 − |t|) on (−1, 1): moments 1, 1/6, 1/15, exact to degree 5.
TRIANGLE_NODES = (-math.sqrt(0.4), 0.0, math.sqrt(0.4))
TRIANGLE_WEIGHTS = (1.0 / 4.8, 1.0 - 2.0 / 4.8, 1.0 / 4.8)


@dataclass(frozen=True)
class VoxelSKernel:
    """S(source voxel 0 → voxel ijk) [Gy/(Bq·s)] of a uniform infinite medium; one octant, arrays (k, j, i).

    electron, photon: mean values, each with its own reach. electron_se, photon_se: one standard error, over the block
    of voxels near the source only (the rest of the kernel is never quoted alone). *_kev_per_decay: emitted energy.
    """

    nuclide: str
    material: str
    density_g_per_cm3: float
    voxel_mm: Vector3
    electron: NDArray[np.float64]
    photon: NDArray[np.float64]
    electron_se: NDArray[np.float64]
    photon_se: NDArray[np.float64]
    electron_kev_per_decay: float
    photon_kev_per_decay: float

    @property
    def total(self) -> NDArray[np.float64]:
        """Electron and photon part together, on the larger reach of each axis."""
        shape = [max(e, p) for e, p in zip(self.electron.shape, self.photon.shape, strict=True)]
        both = np.zeros(shape)
        for part in (self.electron, self.photon):
            both[tuple(slice(n) for n in part.shape)] += part
        return both

    @property
    def voxel_mass_kg(self) -> float:
        """ρ·V of one voxel."""
        return mass_kg(self.density_g_per_cm3, math.prod(self.voxel_mm) * ML_PER_MM3)


def photon_reach(voxel_mm: Vector3, shape_zyx: tuple[int, int, int] | None = None) -> Reach:
    """Voxels (x, y, z) that reach 30 cm, and no farther than an image of shape_zyx can use."""
    most = (math.inf,) * 3 if shape_zyx is None else tuple(max(n - 1, 0) for n in shape_zyx[::-1])
    return tuple(int(min(math.ceil(PHOTON_REACH_MM / mm), m)) for mm, m in zip(voxel_mm, most, strict=True))  # type: ignore[return-value]


def voxel_s_kernel(
    point_kernel: PointKernel,
    density_g_per_cm3: float,
    voxel_mm: Vector3,
    reach_electron: Reach | None = None,
    reach_photon: Reach | None = None,
    near: Reach | None = None,
) -> VoxelSKernel:
    """S_ijk = Σ_r E(r)·P_ijk(r) / m with radii scaled by ρ_ref/ρ [Gy/(Bq·s)].

    P_ijk(r): probability that a point uniform in voxel 0, displaced by r in an isotropic direction, lands in voxel
    ijk. Near voxels by the displacement table, batch by batch (standard error); far ones by
    S = (V/m) Σ w e(|x|) over 27 Gauss points of the triangle weight. Default reach: photons 30 cm; electrons five
    voxels, more where that leaves over 0.1 % of their energy outside. near: the block with the exact average and
    standard errors, default five of the longest sides. Raises TransportError for values ≤ 0.
    Method: the voxel S value of MIRD 17 with the source-target distance distribution of a box.
    """
    if not (density_g_per_cm3 > 0 and math.isfinite(density_g_per_cm3)):
        raise TransportError(f"A density of {density_g_per_cm3} g/cm3 has no kernel: give a positive one.")
    if not all(mm > 0 and math.isfinite(mm) for mm in voxel_mm):
        raise TransportError(f"Voxel sides of {voxel_mm} mm have no kernel: give three positive ones.")
    scaled = [
        radial_profile(point_kernel.radius_mm, kev, point_kernel.reference_density_g_per_cm3, density_g_per_cm3)
        for kev in (point_kernel.electron_kev, point_kernel.photon_kev)
    ]
    photon_voxels = reach_photon or photon_reach(voxel_mm)
    electron_voxels = reach_electron or electron_reach(scaled[0], voxel_mm, photon_voxels)
    gray_per_kev = J_PER_KEV / mass_kg(density_g_per_cm3, math.prod(voxel_mm) * ML_PER_MM3)
    near = near or _near(voxel_mm)
    electron, electron_se = _octant(scaled[0], voxel_mm, electron_voxels, near)
    photon, photon_se = _octant(scaled[1], voxel_mm, photon_voxels, near)
    return VoxelSKernel(
        nuclide=point_kernel.nuclide,
        material=point_kernel.material,
        density_g_per_cm3=density_g_per_cm3,
        voxel_mm=voxel_mm,
        electron=electron * gray_per_kev,
        photon=photon * gray_per_kev,
        electron_se=electron_se * gray_per_kev,
        photon_se=photon_se * gray_per_kev,
        electron_kev_per_decay=point_kernel.electron_emitted_kev,
        photon_kev_per_decay=point_kernel.photon_emitted_kev,
    )


def electron_reach(profile: RadialProfile, voxel_mm: Vector3, most: Reach | None = None) -> Reach:
    """Voxels (x, y, z) that leave at most 0.1 % of the electron energy outside, at least five."""
    radius_mm = profile.radius_holding_mm(1.0 - ELECTRON_SHARE_OUTSIDE)
    reach = [max(ELECTRON_REACH_VOXELS, math.ceil(radius_mm / mm)) for mm in voxel_mm]
    if most is not None:
        reach = [min(r, max(m, ELECTRON_REACH_VOXELS)) for r, m in zip(reach, most, strict=True)]
    return reach[0], reach[1], reach[2]


def _near(voxel_mm: Vector3) -> Reach:
    x, y, z = (math.ceil(NEAR_SIDES * max(voxel_mm) / mm) for mm in voxel_mm)
    return x, y, z


def _octant(
    profile: RadialProfile, voxel_mm: Vector3, reach: Reach, near: Reach
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energy per decay [keV] in each octant voxel, and its standard error over the near block."""
    x, y, z = (min(r, n) for r, n in zip(reach, near, strict=True))
    table = displacement_table(voxel_mm, (x, y, z))
    batches = table.probability @ profile.shell_kev(table.edges_mm).T
    n = batches.shape[1]
    se = batches.std(axis=1, ddof=1) / math.sqrt(n) if n > 1 else np.full(len(batches), np.nan)
    kev = np.zeros((reach[2] + 1, reach[1] + 1, reach[0] + 1))
    step_mm = min(voxel_mm) / 8.0
    edges_mm = np.arange(0.0, min(profile.farthest_mm, _diagonal_mm(reach, voxel_mm)) + 2.0 * step_mm, step_mm)
    per_mm3 = profile.shell_kev(edges_mm).mean(axis=0) / (4.0 / 3.0 * np.pi * np.diff(edges_mm**3))
    _far_energy(per_mm3, step_mm, np.array(voxel_mm), np.array(table.shape_kji), kev)
    kev[tuple(slice(s) for s in table.shape_kji)] = batches.mean(axis=1).reshape(table.shape_kji)
    return kev, se.reshape(table.shape_kji)


def _diagonal_mm(reach: Reach, voxel_mm: Vector3) -> float:
    return float(np.linalg.norm((np.asarray(reach) + 1) * np.asarray(voxel_mm)))


@numba.njit(cache=True)
def _far_energy(per_mm3, step_mm, voxel_mm, near_kji, kev):  # type: ignore[no-untyped-def]
    """V Σ w e(|x|) for the octant voxels outside the near block; e is tabulated at the middle of steps."""
    volume = voxel_mm[0] * voxel_mm[1] * voxel_mm[2]
    last = per_mm3.size - 1
    for k in range(kev.shape[0]):
        for j in range(kev.shape[1]):
            for i in range(kev.shape[2]):
                if k < near_kji[0] and j < near_kji[1] and i < near_kji[2]:
                    continue
                total = 0.0
                for c in range(3):
                    z = (k + TRIANGLE_NODES[c]) * voxel_mm[2]
                    for b in range(3):
                        y = (j + TRIANGLE_NODES[b]) * voxel_mm[1]
                        for a in range(3):
                            x = (i + TRIANGLE_NODES[a]) * voxel_mm[0]
                            place = np.sqrt(x * x + y * y + z * z) / step_mm - 0.5
                            cell = int(place)
                            if cell >= last:
                                continue
                            part = place - cell
                            weight = TRIANGLE_WEIGHTS[a] * TRIANGLE_WEIGHTS[b] * TRIANGLE_WEIGHTS[c]
                            total += weight * ((1.0 - part) * per_mm3[cell] + part * per_mm3[cell + 1])
                kev[k, j, i] = volume * total
