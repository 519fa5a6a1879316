"""Histograms and dose figures of shapes whose dose distribution is known in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from RPTDosimetryLib.errors import EvaluationError
from RPTDosimetryLib.evaluation.dvh import dose_at_volume_gy, dvh, volume_at_dose

approx = pytest.approx

DOSES = arrays(np.float32, st.integers(1, 400), elements=st.floats(0, 100, width=32))


@pytest.fixture(scope="module")
def box_gy():
    """A box in a linear gradient from 1 to 3 Gy: 200 slabs."""
    slabs = 1.0 + 2.0 * (np.arange(200) + 0.5) / 200
    return np.broadcast_to(slabs, (10, 10, 200))


@pytest.fixture(scope="module")
def sphere_gy():
    """A sphere of radius 1 in the gradient D = 2 + x Gy: V(D ≥ 2 + x) = (1 − x)²(2 + x)/4."""
    axis = (np.arange(160) + 0.5) / 80 - 1
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    return 2.0 + x[x**2 + y**2 + z**2 <= 1]


def test_a_box_in_a_gradient_has_a_straight_histogram(box_gy):
    histogram = dvh(box_gy, 0.1, "box")
    inside = (histogram.dose_gy > 1.0) & (histogram.dose_gy < 3.0)
    assert histogram.volume_ml == approx(2000.0)
    assert histogram.cumulative[inside] == approx((3.0 - histogram.dose_gy[inside]) / 2, abs=0.0026)
    assert histogram.cumulative[histogram.dose_gy < 1.0] == approx(1.0)
    # differential: 1/2 per Gy from 1 to 3 Gy, over windows of ten slabs
    edges, per_gy = histogram.dose_gy, histogram.differential_per_gy
    window = (edges[:-1] >= 1.5) & (edges[1:] <= 2.5)
    assert (per_gy * np.diff(edges))[window].sum() == approx(0.5, abs=0.01)


def test_a_sphere_in_a_gradient_has_the_volume_of_its_caps(sphere_gy):
    histogram = dvh(sphere_gy, 1.0)
    x = histogram.dose_gy - 2.0
    expected = np.where(x < -1, 1.0, (1 - np.clip(x, -1, 1)) ** 2 * (2 + np.clip(x, -1, 1)) / 4)
    assert histogram.cumulative == approx(expected, abs=0.005)
    # D_x solves the cap volume: D2 at x = 0.8345, D98 mirrored
    (root,) = [r.real for r in np.roots([1, 0, -3, 2 - 4 * 0.02]) if 0 < r.real < 1]
    assert dose_at_volume_gy(sphere_gy, 2) == approx(2 + root, abs=0.006)
    assert dose_at_volume_gy(sphere_gy, 98) == approx(2 - root, abs=0.006)
    assert dose_at_volume_gy(sphere_gy, 50) == approx(2.0, abs=0.0065)
    assert volume_at_dose(sphere_gy, 2.5) == approx(0.5**2 * 2.5 / 4, abs=0.003)


def test_bins_follow_the_dose():
    for level_gy in (0.0027, 2.7, 270.0):
        histogram = dvh(level_gy * np.linspace(0.5, 1, 1000), 1.0)
        assert histogram.dose_gy[-1] == approx(level_gy)
        assert np.count_nonzero(histogram.dose_gy > 0.5 * level_gy) >= 250


@given(DOSES)
def test_a_histogram_only_falls_and_holds_the_whole_volume(doses):
    histogram = dvh(doses, 1.0)
    assert histogram.cumulative[0] == 1.0
    assert (np.diff(histogram.cumulative) <= 0).all()
    assert (histogram.differential_per_gy * np.diff(histogram.dose_gy)).sum() == approx(1.0)
    # ∫ V dD is the mean dose, to half a bin
    width = histogram.dose_gy[1]
    assert np.trapezoid(histogram.cumulative, histogram.dose_gy) == approx(
        doses.mean(dtype=np.float64), abs=width + 1e-9
    )


@given(DOSES, st.floats(0, 100))
def test_dose_at_volume_and_volume_at_dose_agree(doses, percent):
    at_least = dose_at_volume_gy(doses, percent)
    step = 100.0 / doses.size
    assert volume_at_dose(doses, at_least * (1 - 1e-9)) * 100 >= percent - step - 1e-6
    assert volume_at_dose(doses, at_least * (1 + 1e-9) + 1e-12) * 100 <= percent + step + 1e-6 or np.ptp(doses) == 0


def test_a_uniform_and_an_unexposed_volume():
    uniform = dvh(np.full(8, 2.0), 1.0)
    assert (uniform.cumulative == 1.0).all()
    unexposed = dvh(np.zeros(8), 1.0)
    assert (unexposed.cumulative[0], unexposed.cumulative[1]) == (1.0, 0.0)
    assert dose_at_volume_gy(np.zeros(8), 50) == 0.0


@pytest.mark.parametrize("doses", [np.array([]), np.array([1.0, np.nan]), np.array([-1.0, 2.0])])
def test_volumes_without_a_dose_are_refused(doses):
    with pytest.raises(EvaluationError):
        dvh(doses, 1.0, "kidney")
