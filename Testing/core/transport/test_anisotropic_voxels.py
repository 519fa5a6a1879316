"""Kernels of anisotropic voxels against a simulation in those voxels, and their symmetry."""

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.transport.point_kernel_library import point_kernel
from RPTDosimetryLib.transport.voxel_case import VoxelCase
from RPTDosimetryLib.transport.voxel_kernels import photon_reach, voxel_s_kernel
from RPTDosimetryLib.transport.voxel_run import simulate_voxels
from RPTDosimetryLib.transport.voxel_settings import VoxelRunSettings

FLAT, TALL = (4.42, 4.42, 2.46), (2.4, 2.4, 5.0)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sides"), [("Lu-177", FLAT), ("Tb-161", TALL)])
def test_the_kernel_is_what_a_simulation_in_the_voxels_gives(name, sides):
    """Every voxel of the electrons' reach within 4 standard errors and 0.5 %; in all, as scattered as chance allows."""
    shape = (7, 7, 7)
    tia = np.zeros(shape)
    tia[3, 3, 3] = 1.0
    filling = material("schneider_soft")
    case = VoxelCase(
        tia, np.full(shape, filling.density_g_per_cm3), np.zeros(shape, np.uint8), [filling], Grid(shape, sides)
    )
    dose = simulate_voxels(name, case, VoxelRunSettings(decays=400_000, batch_decays=20_000))
    kernel = voxel_s_kernel(point_kernel(name, filling), filling.density_g_per_cm3, sides, (3, 3, 3), (3, 3, 3))
    assert dose.total_gy[3, 3, 3] == pytest.approx(kernel.total[0, 0, 0], rel=3e-3)
    for axis in range(3):
        at, index = [3, 3, 3], [0, 0, 0]
        at[axis], index[axis] = 4, 1
        two = np.array([dose.total_gy[tuple(at)], dose.total_gy[tuple(6 - n for n in at)]])
        error = float(np.hypot(dose.standard_error_gy[tuple(at)], dose.standard_error_gy[tuple(6 - n for n in at)])) / 2
        expected = kernel.total[tuple(index)]
        assert abs(two.mean() - expected) < 4 * error + 5e-3 * expected, (axis, two, expected)


@pytest.mark.parametrize("sides", [FLAT, TALL, (3.87, 3.87, 3.87)])
def test_equal_sides_are_equal_axes_and_a_turned_voxel_has_the_turned_kernel(sides):
    x, y, z = sides
    point = point_kernel("Tb-161", "schneider_soft")
    upright = voxel_s_kernel(point, 1.04, sides, (4, 4, 4), (4, 4, 4), (4, 4, 4))
    turned = voxel_s_kernel(point, 1.04, (z, x, y), (4, 4, 4), (4, 4, 4), (4, 4, 4))
    for part in ("electron", "photon"):
        kernel = getattr(upright, part)
        assert kernel.transpose(0, 2, 1) == pytest.approx(kernel, rel=1e-9)
        # arrays are (z, y, x): what was along z now lies along x
        assert getattr(turned, part).transpose(2, 0, 1) == pytest.approx(kernel, rel=2e-3)


def test_photons_reach_30_cm_along_every_side():
    for sides in (FLAT, TALL, (3.87, 3.87, 3.87)):
        reach = photon_reach(sides)
        assert all(n * mm >= 300.0 > (n - 1) * mm for n, mm in zip(reach, sides, strict=True))
