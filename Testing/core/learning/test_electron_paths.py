"""Electrons along rays: the voxel S kernel in one medium, Monte Carlo between media, energy kept, linear, symmetric."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='networks need torch: pip install "slicer-rpt-dosimetry[dl]"')

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from RPTDosimetryLib.grid import Grid  # noqa: E402
from RPTDosimetryLib.learning.electron_paths import _rays, _within, traced_electrons  # noqa: E402
from RPTDosimetryLib.learning.photon_bands import SoftKernels  # noqa: E402
from RPTDosimetryLib.physics.materials import material  # noqa: E402
from RPTDosimetryLib.transport.point_kernel_library import point_kernel  # noqa: E402
from RPTDosimetryLib.transport.voxel_case import VoxelCase  # noqa: E402
from RPTDosimetryLib.transport.voxel_kernels import voxel_s_kernel  # noqa: E402
from RPTDosimetryLib.transport.voxel_run import simulate_voxels  # noqa: E402
from RPTDosimetryLib.transport.voxel_settings import VoxelRunSettings  # noqa: E402
from RPTDosimetryLib.units import J_PER_KEV  # noqa: E402

VOXEL = (4.8, 4.8, 4.8)
KERNEL = point_kernel("Lu-177", material("schneider_soft"))


def traced(tia, density, voxel_mm=VOXEL, electron_msv=None, nuclide="Lu-177"):
    tia, density = (torch.as_tensor(np.ascontiguousarray(v, dtype=np.float32)) for v in (tia, density))
    msv = torch.zeros_like(tia) if electron_msv is None else torch.as_tensor(electron_msv)
    kernels = SoftKernels(nuclide, voxel_mm, np.zeros((1, 1, 1)))
    return traced_electrons(tia, density, torch.ones_like(tia), msv, kernels).numpy()


def point(shape, at, decays=1.0):
    tia = np.zeros(shape, dtype=np.float32)
    tia[at] = decays
    return tia


@pytest.mark.parametrize("voxel_mm", [VOXEL, (2.4, 2.4, 2.4), (3.9, 3.9, 5.0)])
@pytest.mark.parametrize("density", [1.6, 1.04, 0.26, 0.1])
def test_in_one_medium_it_is_the_voxel_s_kernel(density, voxel_mm):
    """To 0.05 % of a decay's energy in the voxel itself, 0.25 % in any other."""
    n = 17
    found = traced(point((n, n, n), (8, 8, 8)), np.full((n, n, n), density), voxel_mm)[8:, 8:, 8:]
    whole = KERNEL.electron_emitted_kev * J_PER_KEV / (density * np.prod(voxel_mm) * 1e-6)
    expected = voxel_s_kernel(KERNEL, density, voxel_mm).electron[:9, :9, :9] / whole
    found = found[tuple(slice(side) for side in expected.shape)]
    difference = np.abs(found / whole - expected)
    assert difference[0, 0, 0] < 5e-4
    assert difference.max() < 2.5e-3
    assert expected[0, 0, 1] > 5e-3


def test_what_leaves_a_voxel_arrives_in_others():
    rng = np.random.default_rng(3)
    density = rng.uniform(0.1, 1.8, (21, 21, 21)).astype(np.float32)
    tia = np.zeros(density.shape)
    tia[8:13, 8:13, 8:13] = rng.random((5, 5, 5)) * 1e9
    joule = (traced(tia, density) * density).sum(dtype=float) * np.prod(VOXEL) * 1e-6
    electrons = KERNEL.electron_emitted_kev - KERNEL.bremsstrahlung_kev.sum(axis=1).mean() - KERNEL.electron_escaped_kev
    assert joule == pytest.approx(tia.sum() * electrons * J_PER_KEV, rel=1e-3)


def test_bremsstrahlung_stays_as_msv_has_it():
    shape = (5, 5, 5)
    msv = np.full(shape, 7.0, dtype=np.float32)
    alone = traced(np.zeros(shape), np.ones(shape), electron_msv=msv)
    share = 1.0 - _within("Lu-177", VOXEL).whole
    assert 5e-4 < share < 2e-3
    np.testing.assert_allclose(alone, 7.0 * share, rtol=1e-3)


@pytest.mark.slow
def test_between_densities_it_follows_monte_carlo():
    """A patchwork of thin lung, lung and soft tissue; RMS of voxels relative to the mean dose of their kind."""
    rng = np.random.default_rng(5)
    shape = (9, 9, 9)
    thin = rng.random(shape)
    density = np.select([thin < 0.3, thin < 0.6], [0.07, 0.3], 1.04).astype(np.float32)
    tia = rng.random(shape) * 1e9
    medium = np.zeros(shape, dtype=np.int64)
    case = VoxelCase(tia, density, medium, [material("schneider_soft")], Grid(shape, VOXEL))
    run = simulate_voxels("Lu-177", case, VoxelRunSettings(decays=4e6, batch_decays=2e5, photon_share=0.02, seed=2))
    inner = (slice(2, -2),) * 3  # what leaves the phantom does not come back
    truth, found, noise = run.electron_gy[inner], traced(tia, density)[inner], run.standard_error_gy[inner]
    for rho in (0.07, 0.3, 1.04):
        here = density[inner] == np.float32(rho)
        assert found[here].mean() == pytest.approx(truth[here].mean(), rel=0.01)
        beyond_noise = ((found[here] - truth[here]) ** 2 - noise[here] ** 2).mean() / truth[here].mean() ** 2
        assert beyond_noise < 0.015**2


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_it_is_linear_in_the_activity(seed):
    rng = np.random.default_rng(seed)
    density = rng.uniform(0.05, 1.5, (6, 7, 8))
    one, other = rng.random((2, 6, 7, 8)) * 1e8
    both = traced(one + 2.5 * other, density)
    np.testing.assert_allclose(both, traced(one, density) + 2.5 * traced(other, density), rtol=1e-4)


@pytest.mark.parametrize(
    "turned", [np.flipud, lambda v: v[:, ::-1], lambda v: v[..., ::-1], lambda v: v.transpose(1, 2, 0)]
)
def test_a_turned_patient_gets_the_turned_map(turned):
    rng = np.random.default_rng(1)
    density, tia = rng.uniform(0.05, 1.5, (8, 8, 8)), rng.random((8, 8, 8)) * 1e8
    np.testing.assert_allclose(traced(turned(tia), turned(density)), turned(traced(tia, density)), rtol=1e-4)


def test_in_metal_electrons_stay_and_through_air_they_arrive():
    density = np.full((9, 9, 9), 1.04)
    share = {}
    for rho in (8.0, 0.00121):
        density[4, 4, 4] = rho
        energy = traced(point(density.shape, (4, 4, 4)), density) * density
        share[rho] = energy[4, 4, 4] / energy.sum()
        assert energy[3:6, 3:6, 3:6].sum() > 0.95 * energy.sum()
    assert share[8.0] > 0.985
    assert share[0.00121] < 0.02


def test_the_rays_weigh_a_decay():
    """Σ weight · chord is 1 for a convex body (Cauchy: mean chord 4·volume/surface); 8 rays and images are near it."""
    rays = _rays(VOXEL)
    assert rays.weight.size == 48 * 8
    assert float((rays.weight * rays.chord_mm).sum()) == pytest.approx(1.0, rel=0.15)
