"""The same physics on any grid: 3.87 mm cubes and anisotropic voxels as cameras make them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import Image, PatientMap, TiaMap
from RPTDosimetryLib.transport.point_kernel_library import point_kernel
from RPTDosimetryLib.transport.sphere_s_value import sphere_s_value_gy_per_bq_s
from RPTDosimetryLib.transport.voxel_kernels import voxel_s_kernel
from RPTDosimetryLib.units import J_PER_KEV

approx = pytest.approx
SOFT, DENSITY = 3, 1.04  # medium of msv8 and its reference density [g/cm³]
#: Sides x, y, z [mm] of real systems: 3.87 mm cubes, 4.42 × 2.46 mm slices, a fine matrix on 5 mm slices, PET.
SIDES = [(3.87, 3.87, 3.87), (4.42, 4.42, 2.46), (2.4, 2.4, 5.0), (4.07, 4.07, 3.0)]


def uniform(grid, density=DENSITY):
    shape = grid.shape_zyx
    return PatientMap(
        Image(np.full(shape, density, np.float32), grid, "g/cm3"), np.full(shape, SOFT, np.uint8), "msv8", "made up"
    )


def dose_of(voxels, grid, density=DENSITY, nuclide="Lu-177", **choices):
    tia = TiaMap(Image(np.asarray(voxels, np.float32), grid, "Bq·s"), "made up", 0.0)
    return compute_dose(tia, uniform(grid, density), nuclide, DoseSettings(**choices)).image.voxels


def shape_around(counts_xyz, margin=3):
    return tuple(n + 2 * margin for n in counts_xyz[::-1])


@pytest.mark.parametrize(
    ("sides", "name"), [*((sides, "Lu-177") for sides in SIDES), (SIDES[1], "Tb-161"), (SIDES[2], "I-131")], ids=str
)
def test_a_box_of_many_voxels_gets_what_one_voxel_of_its_size_gets(sides, name):
    """Mean dose of a uniform box = S(0,0,0) of a voxel that large: two integrations of one point kernel."""
    counts = tuple(round(20.0 / side) for side in sides)
    grid = Grid(shape_around(counts), sides)
    inside = tuple(slice(3, 3 + n) for n in counts[::-1])
    voxels = np.zeros(grid.shape_zyx)
    voxels[inside] = 1e12 / np.prod(counts)
    box = tuple(n * side for n, side in zip(counts, sides, strict=True))
    kernel = voxel_s_kernel(point_kernel(name, "schneider_soft"), DENSITY, box, (0, 0, 0), (0, 0, 0))
    assert dose_of(voxels, grid, nuclide=name)[inside].mean() == approx(1e12 * kernel.total[0, 0, 0], rel=1e-3)


@pytest.mark.parametrize("sides", SIDES, ids=str)
def test_a_sphere_has_the_mean_dose_of_its_mass_on_every_grid(sides):
    """R = 30 mm; the steps of its surface let a little more out: 0.3 % on every grid."""
    half = [int(np.ceil(30.0 / side)) + 1 for side in sides]
    grid = Grid(tuple(2 * n + 1 for n in half[::-1]), sides, tuple(-n * s for n, s in zip(half, sides, strict=True)))
    z, y, x = (np.arange(-n, n + 1) * s for n, s in zip(half[::-1], sides[::-1], strict=True))
    sphere = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 < 30.0**2
    dose = dose_of(sphere * 1e9 * grid.voxel_volume_ml, grid)
    mass_g = np.count_nonzero(sphere) * grid.voxel_volume_ml * DENSITY
    s_value = sphere_s_value_gy_per_bq_s(point_kernel("Lu-177", "schneider_soft"), mass_g, DENSITY)
    assert dose[sphere].mean() == approx(s_value * 1e9 * mass_g / DENSITY, rel=5e-3)


@pytest.mark.parametrize("sides", SIDES, ids=str)
@pytest.mark.parametrize("density", [1.04, 1.10])
def test_the_electron_energy_of_a_decay_stays_whole_on_every_grid(sides, density):
    """Scaled and plain form together give the electron part: 147.9 keV (ICRP 107), whatever the voxel."""
    grid = Grid((17, 13, 15), sides)
    voxels = np.zeros(grid.shape_zyx)
    voxels[8, 6, 7] = 1e12
    mass_kg = grid.voxel_volume_ml * density * 1e-3
    kernel = voxel_s_kernel(
        point_kernel("Lu-177", "schneider_soft"), DENSITY, sides, reach_photon=(7, 6, 8), reach_electron=(7, 6, 8)
    )
    photons = mirrored_sum(kernel.photon)
    total_kev = float(dose_of(voxels, grid, density).sum(dtype=float)) * mass_kg / J_PER_KEV / 1e12
    assert total_kev - photons * mass_kg / J_PER_KEV == approx(147.9, rel=5e-3)


def mirrored_sum(octant):
    weights = [np.where(np.arange(n) == 0, 1, 2) for n in octant.shape]
    return float(np.einsum("kji,k,j,i->", octant, *weights))


@settings(max_examples=15, deadline=None)
@given(sides=st.sampled_from(SIDES), name=st.sampled_from(["Lu-177", "Tb-161"]))
def test_dose_around_a_point_is_symmetric_and_falls_with_the_distance_in_mm(sides, name):
    grid = Grid((9, 9, 9), sides)
    voxels = np.zeros(grid.shape_zyx)
    voxels[4, 4, 4] = 1e12
    dose = dose_of(voxels, grid, nuclide=name)
    near = 1e-7 * float(dose.max())
    for axis in range(3):
        assert np.flip(dose, axis) == approx(dose, rel=1e-4, abs=near)
    if sides[0] == sides[1]:
        assert dose.transpose(0, 2, 1) == approx(dose, rel=1e-4, abs=near)
    neighbours = {side: dose[at] for side, at in zip(sides, [(4, 4, 5), (4, 5, 4), (5, 4, 4)], strict=True)}
    by_distance = [neighbours[side] for side in sorted(neighbours)]
    assert all(one > two for one, two in pairwise(by_distance))


def test_grids_given_with_the_noise_of_headers_share_their_kernel():
    """3.8699999 and 3.87 mm are one camera."""
    voxels = np.zeros((9, 9, 9))
    voxels[4, 4, 4] = 1e12
    one, two = (dose_of(voxels, Grid((9, 9, 9), (side,) * 3)) for side in (3.87, 3.8699999))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("sides", SIDES, ids=str)
def test_tb_161_gives_more_than_lu_177_by_its_energy_and_a_little_by_its_range(sides):
    """Self voxel: 202.5 to 147.9 keV a decay (EJNMMI Phys 2020, 7:33); more of Tb-161's is of short range."""
    grid = Grid((9, 9, 9), sides)
    voxels = np.zeros(grid.shape_zyx)
    voxels[4, 4, 4] = 1e12
    tb, lu = (dose_of(voxels, grid, nuclide=name) for name in ("Tb-161", "Lu-177"))
    by_energy = nuclide("Tb-161").mean_electron_kev / nuclide("Lu-177").mean_electron_kev
    assert by_energy < tb[4, 4, 4] / lu[4, 4, 4] < 1.08 * by_energy
    local = [dose_of(voxels, grid, nuclide=name, engine="local")[4, 4, 4] for name in ("Tb-161", "Lu-177")]
    assert local[0] / local[1] == approx(202.5 / 147.9, rel=5e-3)
