"""Grids compare by where their voxels are; coarsening keeps totals; point sampling keeps a linear field."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.errors import GridMismatchError
from RPTDosimetryLib.grid import Grid, coverage, grid_of, require_same_grid, resample, resample_mean, sitk_image

ROTATION = tuple(np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]).ravel())


def box(shape, spacing, origin):
    return Grid(tuple(shape), tuple(spacing), tuple(origin))


def test_matrix_maps_indices_to_patient_space_by_hand():
    grid = Grid((4, 3, 2), (1.0, 2.0, 3.0), (10.0, 20.0, 30.0), ROTATION)
    # i runs along +y, j along -x: (1, 1, 1) -> (10 - 2, 20 + 1, 30 + 3)
    assert (grid.lps_from_ijk @ [1, 1, 1, 1])[:3] == pytest.approx([8.0, 21.0, 33.0])
    assert grid.voxel_volume_ml == pytest.approx(0.006)


def test_round_trip_through_simpleitk_keeps_geometry():
    grid = Grid((4, 3, 2), (1.0, 2.0, 3.0), (10.0, 20.0, 30.0), ROTATION)
    assert grid_of(sitk_image(np.zeros(grid.shape_zyx, np.float32), grid)).same_as(grid)


def test_shifted_grid_is_not_the_same():
    grid = box((4, 4, 4), (2, 2, 2), (0, 0, 0))
    assert not grid.same_as(box((4, 4, 4), (2, 2, 2), (0, 0, 0.01)))
    with pytest.raises(GridMismatchError, match="TIA and density"):
        require_same_grid(grid, box((4, 4, 5), (2, 2, 2), (0, 0, 0)), "TIA and density")


@given(
    shape=st.tuples(*[st.integers(1, 6)] * 3),
    spacing=st.tuples(*[st.floats(0.5, 5.0)] * 3),
    target=st.tuples(*[st.floats(0.7, 6.0)] * 3),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_mean_resampling_keeps_the_total_on_any_covering_grid(shape, spacing, target, seed):
    voxels = np.random.default_rng(seed).random(shape).astype(np.float32)
    source = box(shape, spacing, (3.0, -7.0, 11.0))
    low = np.subtract(source.origin_mm, np.divide(source.spacing_mm, 2))
    extent = np.multiply(source.shape_zyx[::-1], source.spacing_mm)
    count = np.ceil(extent / target).astype(int) + 1
    onto = box(count[::-1], target, low - 0.3 * np.array(target) + np.array(target) / 2)
    mean = resample_mean(voxels, source, onto)
    total = voxels.sum(dtype=float) * source.voxel_volume_ml
    assert mean.sum(dtype=float) * onto.voxel_volume_ml == pytest.approx(total, rel=2e-5)


def test_mean_resampling_by_hand_with_fill_outside():
    source = box((1, 1, 2), (1, 1, 1), (0.5, 0.5, 0.5))  # covers x 0..2
    onto = box((1, 1, 2), (1.5, 1, 1), (0.75, 0.5, 0.5))  # covers x 0..3
    mean = resample_mean(np.array([[[4.0, 1.0]]]), source, onto, fill=-1.0)
    assert mean.ravel() == pytest.approx([(4 + 0.5) / 1.5, (0.5 * 1 - 1.0) / 1.5])
    assert coverage(source, onto).ravel() == pytest.approx([1.0, 1 / 3])


def test_mean_resampling_onto_a_turned_grid_agrees_with_the_aligned_answer():
    rng = np.random.default_rng(1)
    source = box((8, 8, 8), (1, 1, 1), (0.5, 0.5, 0.5))
    voxels = rng.random(source.shape_zyx).astype(np.float32)
    aligned = resample_mean(voxels, source, box((4, 4, 4), (2, 2, 2), (1, 1, 1)))
    turned = resample_mean(voxels, source, Grid((4, 4, 4), (2, 2, 2), (7.0, 1.0, 1.0), ROTATION))
    # i along +y, j along -x from x = 7: turned[k, j, i] is aligned[k, i, 3 - j]
    assert turned == pytest.approx(np.transpose(aligned, (0, 2, 1))[:, ::-1, :], rel=1e-5)


def test_point_sampling_keeps_a_linear_field():
    source = Grid((10, 10, 10), (2.0, 2.0, 2.0))
    z, y, x = np.indices(source.shape_zyx) * 2.0
    onto = Grid((5, 5, 5), (1.3, 1.7, 2.1), (2.0, 3.0, 4.0))
    sampled = resample((x + 2 * y - z).astype(np.float32), source, onto)
    k, j, i = np.indices(onto.shape_zyx)
    expected = (2.0 + 1.3 * i) + 2 * (3.0 + 1.7 * j) - (4.0 + 2.1 * k)
    assert sampled == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("spacing", [(0.0, 1, 1), (1, -1, 1), (1, 1, float("nan"))])
def test_impossible_spacing_is_refused(spacing):
    with pytest.raises(GridMismatchError, match="positive spacing"):
        Grid((2, 2, 2), spacing)
