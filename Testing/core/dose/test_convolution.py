"""Fourier convolution against direct summation, and its symmetries."""

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.dose.convolution import convolve, source_spectrum

approx = pytest.approx


def mirrored(octant, most):
    """The whole kernel of an octant, cut at ``most`` voxels from the centre."""
    index = [np.abs(np.arange(-min(n - 1, m), min(n - 1, m) + 1)) for n, m in zip(octant.shape, most, strict=True)]
    return octant[np.ix_(*index)]


def maps(seed, shape):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.mark.parametrize("reach", [(4, 3, 2), (7, 6, 9), (12, 1, 20)])
def test_equals_direct_summation_with_nothing_beyond_the_edges(reach):
    tia, octant = maps(1, (7, 9, 8)), maps(2, reach).astype(np.float64)
    direct = scipy.ndimage.convolve(tia.astype(np.float64), mirrored(octant, (6, 8, 7)), mode="constant")
    assert convolve(source_spectrum(tia, octant.shape), octant) == approx(direct, rel=2e-6)


def test_a_box_of_the_map_gets_the_same_values():
    tia, octant = maps(1, (12, 9, 8)), maps(2, (4, 4, 4))
    source = source_spectrum(tia, octant.shape)
    box = (slice(3, 7), slice(0, 9), slice(5, 8))
    assert convolve(source, octant, box) == approx(convolve(source, octant)[box], rel=1e-6)


def test_a_smaller_kernel_may_share_the_transform_of_a_larger_one():
    tia, octant = maps(1, (12, 9, 8)), maps(2, (2, 2, 2))
    shared = convolve(source_spectrum(tia, (12, 9, 8)), octant)
    assert shared == approx(convolve(source_spectrum(tia, (2, 2, 2)), octant), rel=2e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_a_moved_source_moves_its_dose(dz, dy, dx):
    tia, octant = np.zeros((11, 12, 13), np.float32), maps(2, (4, 3, 5))
    tia[3:6, 3:6, 4:6] = maps(3, (3, 3, 2))
    moved = np.roll(tia, (dz, dy, dx), axis=(0, 1, 2))
    dose = convolve(source_spectrum(tia, octant.shape), octant)
    moved_dose = convolve(source_spectrum(moved, octant.shape), octant)
    inner = (slice(dz, None), slice(dy, None), slice(dx, None))
    still = tuple(slice(0, n - d) for n, d in zip(tia.shape, (dz, dy, dx), strict=True))
    assert moved_dose[inner] == approx(dose[still], rel=1e-5, abs=1e-5)


def test_a_point_source_shows_the_kernel_to_single_precision():
    tia, octant = np.zeros((15, 15, 15), np.float32), np.exp(-np.add.outer(np.arange(8.0), np.arange(16.0)))[..., None]
    octant = octant * np.ones(8)
    tia[7, 7, 7] = 1e10
    dose = convolve(source_spectrum(tia, octant.shape), octant)
    assert dose[7:, 7:, 7:] / 1e10 == approx(octant[:, :8], rel=1e-5, abs=3e-7)
