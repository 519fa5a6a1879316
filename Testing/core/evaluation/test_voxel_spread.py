"""Counts of voxels that add up over patients, and violins of their errors."""

import numpy as np
import pytest

from RPTDosimetryLib.evaluation.violin import error_violins, violin
from RPTDosimetryLib.evaluation.voxel_spread import dose_edges_gy, error_edges_percent, voxel_spread
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image, Voi

approx = pytest.approx
GRID = Grid((10, 10, 10), (4.0, 4.0, 4.0))


def image(voxels):
    return Image(np.asarray(voxels, dtype=np.float32).reshape(GRID.shape_zyx), GRID, "Gy")


def pair(seed, scale=1.0):
    rng = np.random.default_rng(seed)
    reference = scale * rng.gamma(2.0, 1.0, 1000)
    return image(reference), image(reference * (1 + 0.1 * rng.standard_normal(1000)))


def test_two_patients_added_are_their_voxels_together():
    pairs = [pair(1), pair(2, 20.0)]
    together = voxel_spread(*pairs[0]) + voxel_spread(*pairs[1])
    reference, evaluated = (np.concatenate([p[n].voxels.ravel() for p in pairs]).astype(float) for n in (0, 1))
    assert together.voxels == 2000
    assert together.correlation == approx(np.corrcoef(reference, evaluated)[0, 1], rel=1e-9)
    assert together.slope_origin == approx((reference @ evaluated) / (reference @ reference))
    expected = np.histogram2d(reference, evaluated, (dose_edges_gy(), dose_edges_gy()))[0]
    assert np.abs(together.density - expected).sum() <= 4  # a dose on an edge may fall on either side


def test_relative_errors_are_counted_from_one_percent_of_the_maximum_on():
    reference = np.full(1000, 10.0)
    reference[:10] = 0.05
    spread = voxel_spread(image(reference), image(reference * 1.1201))
    edges = error_edges_percent()
    (at,) = np.flatnonzero(spread.errors)
    assert edges[at] <= 12.01 <= edges[at + 1]
    assert spread.errors.sum() == 990


def test_doses_of_zero_and_errors_beyond_the_scale_are_kept_in_view():
    reference = np.r_[0.0, np.full(999, 1.0)]
    spread = voxel_spread(image(reference), image(5 * reference))
    assert spread.density.sum() == 999
    assert spread.errors[-1] == 999
    assert voxel_spread(image(np.ones(1000)), image(np.ones(1000))).correlation is None


def test_a_mask_limits_what_counts():
    mask = np.zeros(GRID.shape_zyx, bool)
    mask[0] = True
    assert voxel_spread(*pair(1), mask).voxels == 100


def test_a_violin_of_a_normal_distribution_has_its_shape():
    shape = violin(np.random.default_rng(1).normal(2.0, 1.5, 20_000), "liver", "%")
    assert shape.count == 20_000
    assert shape.mean == approx(2.0, abs=0.04)
    assert shape.percentiles == approx([2 - 2.94, 2 - 1.012, 2.0, 2 + 1.012, 2 + 2.94], abs=0.08)
    assert shape.values[np.argmax(shape.density)] == approx(2.0, abs=0.3)
    at = np.interp(2.0 + 1.5, shape.values, shape.density)
    assert at == approx(np.exp(-0.5), abs=0.06)  # one standard deviation from the middle


def test_a_violin_of_one_value_is_a_line_and_of_none_is_none():
    same = violin(np.full(50, 3.0), "x", "%")
    assert np.ptp(same.values) == 0
    assert same.percentiles == (3.0,) * 5
    assert violin(np.full(3, np.nan), "x", "%") is None


def test_violins_of_a_map_leave_out_volumes_without_a_counted_voxel():
    percent = Image(np.full(GRID.shape_zyx, np.nan, np.float32), GRID, "%")
    percent.voxels[0] = 1.0
    cold = Voi("cold", np.arange(10)[:, None, None] * np.ones(GRID.shape_zyx) > 4, GRID)
    warm = Voi("warm", np.isfinite(percent.voxels), GRID)
    assert [shape.name for shape in error_violins(percent, (cold, warm))] == ["all", "warm"]
