"""The blurred sphere's closed forms against a sphere blurred voxel by voxel, and against their limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from RPTDosimetryLib.uncertainty.blurred_sphere import FWHM_PER_SIGMA, radius_mm, seen_fraction, surface_factor


def test_radius_of_a_volume():
    assert radius_mm(4 / 3 * np.pi * 2**3) == pytest.approx(20.0)


@pytest.mark.parametrize(("radius", "fwhm"), [(8.0, 10.0), (16.0, 10.0)])
def test_share_and_surface_of_a_sphere_blurred_by_voxels(radius, fwhm):
    mm, n = 1.0, 81
    z, y, x = np.indices((n, n, n)) - n // 2
    r = np.sqrt(x**2 + y**2 + z**2) * mm
    fine = np.clip(radius - r + 0.5, 0, 1)  # the edge voxels by their share, nearly
    seen = ndimage.gaussian_filter(fine, fwhm / FWHM_PER_SIGMA / mm, truncate=6)
    volume_ml = 4 / 3 * np.pi * radius**3 / 1e3
    assert seen_fraction(volume_ml, fwhm) == pytest.approx((seen * fine).sum() / fine.sum(), rel=0.01)
    shell = seen[np.abs(r - radius) < 0.5].mean()
    assert surface_factor(volume_ml, fwhm) / 2 == pytest.approx(shell, rel=0.02)


@given(st.floats(0.3, 2000.0), st.floats(2.0, 20.0))
def test_counts_grow_with_the_outline_as_the_surface_says(volume_ml, fwhm):
    """d(R·V)/dV by differences of a fixed sphere seen through outlines of other radii is φ/2."""
    radius, sigma = radius_mm(volume_ml), fwhm / FWHM_PER_SIGMA
    from RPTDosimetryLib.uncertainty.blurred_sphere import _profile

    edge = float(_profile(np.array([radius / sigma]), radius / sigma)[0])
    assert surface_factor(volume_ml, fwhm) / 2 == pytest.approx(edge, rel=1e-6, abs=1e-12)
    assert 0 < seen_fraction(volume_ml, fwhm) < 1


def test_limits():
    assert surface_factor(1e6, 5.0) == pytest.approx(1.0, abs=0.01)
    assert seen_fraction(1e6, 5.0) == pytest.approx(1.0, abs=0.01)
    assert seen_fraction(1e-4, 20.0) < 1e-3
    assert surface_factor(10.0, 0.0) == seen_fraction(10.0, 0.0) == 1.0
