"""Voxel S kernels from synthetic point kernels whose voxel averages are known in closed form or by sampling."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.errors import TransportError
from RPTDosimetryLib.transport.kernel_cache import cached_voxel_s_kernel
from RPTDosimetryLib.transport.voxel_displacement import displacement_table
from RPTDosimetryLib.transport.voxel_kernels import photon_reach, voxel_s_kernel
from RPTDosimetryLib.units import J_PER_KEV

approx = pytest.approx


def exponential_point_kernel(electron_mm=0.3, photon_per_mm=0.02, reference_density=1.0, farthest_mm=1200.0):
    """dE/dr = E·exp(−r/L)/L: an absorber without scatter, two batches 1 % apart."""
    radius_mm = np.concatenate([[0.0], np.geomspace(0.01, farthest_mm, 400)])
    electron = 100.0 * np.diff(-np.exp(-radius_mm / electron_mm))
    photon = 50.0 * np.diff(-np.exp(-radius_mm * photon_per_mm))
    return point_kernel(radius_mm, electron, photon, reference_density)


def point_kernel(radius_mm, electron, photon, reference_density=1.0):
    return SimpleNamespace(
        nuclide="X",
        material="synthetic",
        reference_density_g_per_cm3=reference_density,
        radius_mm=radius_mm,
        electron_kev=np.stack([0.99 * electron, 1.01 * electron]),
        photon_kev=np.stack([0.99 * photon, 1.01 * photon]),
        electron_emitted_kev=float(electron.sum()),
        photon_emitted_kev=float(photon.sum()),
    )


def kev_per_decay(kernel, octant):
    """Energy in all voxels of the kernel, mirror images included."""
    images = [np.where(np.arange(n) == 0, 1.0, 2.0) for n in octant.shape]
    return np.einsum("kji,k,j,i", octant, *images) * kernel.voxel_mass_kg / J_PER_KEV


@pytest.mark.parametrize("cell", [0, 30, 150, 200])
def test_radii_within_one_voxel_land_as_the_closed_form_says(cell):
    """Means over directions: <|x|> = 1/2, <|xy|> = 2/3π, <|xyz|> = 1/4π; over the cell: <rⁿ> of a uniform radius."""
    table = displacement_table((4.8, 4.8, 4.8), (2, 2, 2))
    low, high = table.edges_mm[cell : cell + 2] / 4.8
    assert high < 1.0
    moments = [(high**n - low**n) / n / (high - low) for n in (2, 3, 4)]
    one, two, three = (m * f for m, f in zip(moments, (1 / 2, 2 / (3 * np.pi), 1 / (4 * np.pi)), strict=True))
    landed = table.probability[:, [cell]].toarray().reshape(table.shape_kji)
    assert landed[0, 0, 0] == approx(1 - 3 * one + 3 * two - three, rel=1e-12)
    assert landed[0, 0, 1] == approx((one - 2 * two + three) / 2, rel=1e-9)
    assert landed[0, 1, 1] == approx((two - three) / 4, rel=1e-9)
    assert landed[1, 1, 1] == approx(three / 8, rel=1e-9)


def test_an_exponential_absorber_escapes_its_voxel_as_its_mean_radius_says():
    """For L ≪ a the escape is 3<r>/2a − 2<r²>/πa² + <r³>/4πa³ with <rⁿ> = n!·Lⁿ, to 0.01 % of the escape."""
    kernel = voxel_s_kernel(exponential_point_kernel(electron_mm=0.25), 1.0, (4.8, 4.8, 4.8))
    x = 0.25 / 4.8
    escape = 1.5 * x - 3 * 2 / (3 * np.pi) * 2 * x**2 + 6 * x**3 / (4 * np.pi)
    kept = kernel.electron[0, 0, 0] * kernel.voxel_mass_kg / J_PER_KEV / 100.0
    assert 1 - kept == approx(escape, rel=1e-3)


def test_sampled_displacements_land_as_tabulated():
    """Independent of all quadrature: 5·10⁶ random points of an anisotropic voxel, radius uniform in one cell."""
    voxel_mm, points = (2.0, 3.0, 5.0), 5_000_000
    table = displacement_table(voxel_mm, (4, 3, 2))
    cell = int(np.searchsorted(table.edges_mm, 7.3))
    rng = np.random.default_rng(1)
    radius_mm = rng.uniform(*table.edges_mm[cell : cell + 2], size=(points, 1))
    direction = rng.normal(size=(points, 3))
    moved = radius_mm * direction / np.linalg.norm(direction, axis=1, keepdims=True) / voxel_mm
    index = np.abs(np.floor(rng.random((points, 3)) + moved).astype(int))
    shape = (5, 4, 3)
    counts = np.bincount(np.ravel_multi_index(tuple(index.T), (9, 9, 9)), minlength=729).reshape(9, 9, 9)
    counts = counts[: shape[0], : shape[1], : shape[2]].transpose(2, 1, 0)
    images = np.einsum("k,j,i->kji", *(np.where(np.arange(n) == 0, 1.0, 2.0) for n in counts.shape))
    expected = table.probability[:, [cell]].toarray().reshape(counts.shape) * images * points
    assert np.count_nonzero(expected > 1000) > 20
    assert (np.abs(counts - expected) <= 4.5 * np.sqrt(expected) + 1e-3 * expected).all()


@settings(max_examples=6, deadline=None)
@given(
    side=st.floats(1.5, 10.0),
    flat=st.sampled_from([1.0, 2.0]),
    density=st.floats(0.2, 2.0),
    photon=st.floats(0.02, 0.2),
)
def test_no_energy_is_lost(side, flat, density, photon):
    voxel_mm = (side, side, side * flat)
    reach = tuple(int(np.ceil(12.0 / photon / density / mm)) for mm in voxel_mm)
    reach = tuple(min(r, 40) for r in reach)
    kernel = voxel_s_kernel(exponential_point_kernel(photon_per_mm=photon), density, voxel_mm, None, reach)
    outside = np.exp(-photon * density * min(r * mm for r, mm in zip(reach, voxel_mm, strict=True)))
    assert kev_per_decay(kernel, kernel.electron) == approx(100.0, rel=1e-3)
    assert kev_per_decay(kernel, kernel.photon) == approx(50.0, rel=1e-3 + outside)


def test_gauss_points_far_out_agree_with_the_exact_average():
    point = exponential_point_kernel(photon_per_mm=0.014)
    for voxel_mm in ((4.8, 4.8, 4.8), (2.0, 3.0, 4.0)):
        quick = voxel_s_kernel(point, 1.0, voxel_mm, None, (9, 9, 9)).photon
        exact = voxel_s_kernel(point, 1.0, voxel_mm, None, (9, 9, 9), near=(9, 9, 9)).photon
        assert quick == approx(exact, rel=6e-4)


def test_scaling_density_and_voxel_together_changes_nothing_but_mass():
    """Equal mass per area: the energy in a voxel of 9.6 mm at 0.5 g/cm³ is that of 4.8 mm at 1 g/cm³."""
    point = exponential_point_kernel()
    thin = voxel_s_kernel(point, 0.5, (9.6, 9.6, 9.6), None, (20, 20, 20))
    thick = voxel_s_kernel(point, 1.0, (4.8, 4.8, 4.8), None, (20, 20, 20))
    assert thin.photon * thin.voxel_mass_kg == approx(thick.photon * thick.voxel_mass_kg, rel=1e-6)
    assert thin.electron * thin.voxel_mass_kg == approx(thick.electron * thick.voxel_mass_kg, rel=1e-6, abs=1e-25)


def test_the_axes_of_an_anisotropic_kernel_are_those_of_the_voxel():
    point = exponential_point_kernel()
    flat = voxel_s_kernel(point, 1.0, (2.0, 3.0, 5.0), (5, 5, 5), (10, 9, 8)).photon
    turned = voxel_s_kernel(point, 1.0, (5.0, 2.0, 3.0), (5, 5, 5), (8, 10, 9)).photon
    assert flat.shape == (9, 10, 11)
    assert np.transpose(turned, (2, 0, 1)) == approx(flat, rel=2e-4)
    assert flat[0, 0, 1] > flat[0, 1, 0] > flat[1, 0, 0]


def test_a_cube_looks_the_same_along_all_axes():
    photon = voxel_s_kernel(exponential_point_kernel(), 1.0, (3.0, 3.0, 3.0), None, (8, 8, 8)).photon
    for order in ((0, 2, 1), (2, 1, 0), (1, 2, 0)):
        assert photon.transpose(order) == approx(photon, rel=1e-9)


def test_standard_errors_are_those_of_the_batches():
    kernel = voxel_s_kernel(exponential_point_kernel(), 1.0, (4.8, 4.8, 4.8))
    # two batches 1 % either side of the mean: standard deviation 1.41 %, of the mean 1 %
    assert kernel.electron_se[0, 0, 0] == approx(0.01 * kernel.electron[0, 0, 0], rel=1e-6)
    assert kernel.photon_se[3, 2, 1] == approx(0.01 * kernel.photon[3, 2, 1], rel=1e-3)


def test_photons_reach_30_cm_but_not_beyond_the_image():
    assert photon_reach((4.8, 4.8, 4.8)) == (63, 63, 63)
    assert photon_reach((2.0, 4.0, 10.0), shape_zyx=(20, 500, 60)) == (59, 75, 19)


@pytest.mark.parametrize(
    ("density", "voxel_mm"), [(0.0, (4.8,) * 3), (float("nan"), (4.8,) * 3), (1.0, (4.8, -1, 4.8))]
)
def test_impossible_kernels_are_refused(density, voxel_mm):
    with pytest.raises(TransportError):
        voxel_s_kernel(exponential_point_kernel(), density, voxel_mm)


def test_a_kernel_comes_back_from_the_cache_and_other_content_does_not(tmp_path, monkeypatch):
    monkeypatch.setenv("RPTDOSIMETRY_CACHE", str(tmp_path))
    point = exponential_point_kernel()
    first = cached_voxel_s_kernel(point, 1.0, (4.8, 4.8, 4.8), None, (6, 6, 6))
    (stored,) = tmp_path.rglob("*.npz")
    again = cached_voxel_s_kernel(point, 1.0, (4.8, 4.8, 4.8), None, (6, 6, 6))
    assert (again.nuclide, again.voxel_mm, again.density_g_per_cm3) == ("X", (4.8, 4.8, 4.8), 1.0)
    assert np.array_equal(first.photon, again.photon)
    cached_voxel_s_kernel(point, 1.01, (4.8, 4.8, 4.8), None, (6, 6, 6))
    assert len(list(tmp_path.rglob("*.npz"))) == 2
    stored.write_bytes(b"not an archive")
    rebuilt = cached_voxel_s_kernel(point, 1.0, (4.8, 4.8, 4.8), None, (6, 6, 6))
    assert np.array_equal(first.photon, rebuilt.photon)
