"""Voxel figures against numpy, scikit-image and values that follow by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from RPTDosimetryLib.errors import EvaluationError, GridMismatchError
from RPTDosimetryLib.evaluation.image_metrics import VoxelComparison, correlation
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image

approx = pytest.approx
GRID = Grid((9, 10, 11), (4.8, 4.8, 4.8))


def image(voxels, grid=GRID):
    return Image(np.asarray(voxels, dtype=np.float32), grid, "Gy")


def pair(seed=1, noise=0.1):
    rng = np.random.default_rng(seed)
    reference = rng.gamma(0.5, 2.0, GRID.shape_zyx)
    return image(reference), image(reference * (1 + noise * rng.standard_normal(GRID.shape_zyx)))


def test_four_voxels_by_hand():
    grid = Grid((1, 1, 4), (1.0, 1.0, 1.0))
    reference, evaluated = image([[[10.0, 5.0, 0.5, 0.0]]], grid), image([[[11.0, 4.0, 0.6, 0.2]]], grid)
    found = VoxelComparison(reference, evaluated).metrics()
    assert found.voxels == 4
    assert found.me_gy == approx((1 - 1 + 0.1 + 0.2) / 4)
    assert found.mae_gy == approx((1 + 1 + 0.1 + 0.2) / 4)
    assert found.mse_gy2 == approx((1 + 1 + 0.01 + 0.04) / 4)
    assert found.rmse_gy == approx(np.sqrt(found.mse_gy2))
    assert found.nrmse == approx(found.rmse_gy / 10)
    assert found.psnr_db == approx(20 * np.log10(10 / found.rmse_gy))
    assert found.relative_voxels == 3  # 0 Gy is below 1 % of 10 Gy
    assert found.re_percent == approx((10 - 20 + 20) / 3, rel=1e-5)
    assert found.rae_percent == approx((10 + 20 + 20) / 3, rel=1e-5)
    assert found.low_dose_voxels == 1  # 0.5 Gy; one voxel has no correlation
    assert found.low_dose_correlation is None
    assert found.ssim is None  # no window of 7 voxels fits


def test_figures_are_those_of_numpy_and_scikit_image():
    reference, evaluated = pair()
    found = VoxelComparison(reference, evaluated).metrics()
    r, e = (i.voxels.astype(np.float64) for i in (reference, evaluated))
    assert found.psnr_db == approx(peak_signal_noise_ratio(r, e, data_range=r.max()))
    assert found.ssim == approx(structural_similarity(r, e, data_range=r.max()))
    assert found.correlation == approx(np.corrcoef(r.ravel(), e.ravel())[0, 1])
    low = (r >= 0.01 * r.max()) & (r < 0.1 * r.max())
    assert found.low_dose_voxels == low.sum()
    assert found.low_dose_correlation == approx(np.corrcoef(r[low], e[low])[0, 1])


def test_a_mask_chooses_the_voxels_but_not_the_range():
    reference, evaluated = pair()
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[3:6, 3:7, 3:8] = True
    found = VoxelComparison(reference, evaluated).metrics(mask)
    r, e = (i.voxels.astype(np.float64) for i in (reference, evaluated))
    assert found.voxels == 60
    assert found.mae_gy == approx(np.abs(e - r)[mask].mean())
    assert found.nrmse == approx(np.sqrt(((e - r)[mask] ** 2).mean()) / r.max())
    _, local = structural_similarity(r, e, data_range=r.max(), full=True)
    assert found.ssim == approx(local[mask].mean())
    corner = np.zeros(GRID.shape_zyx, dtype=bool)
    corner[0, 0, 0] = True
    assert VoxelComparison(reference, evaluated).metrics(corner).ssim is None


def test_identical_maps_have_no_error():
    reference, _ = pair()
    found = VoxelComparison(reference, reference).metrics()
    assert (found.me_gy, found.mae_gy, found.rmse_gy, found.re_percent, found.rae_percent) == (0, 0, 0, 0, 0)
    assert found.psnr_db == float("inf")
    assert (found.ssim, found.correlation, found.low_dose_correlation) == (approx(1), approx(1), approx(1))


@given(st.integers(0, 10_000), st.floats(0.1, 50.0))
@settings(max_examples=25, deadline=None)
def test_scaling_both_maps_scales_gy_and_leaves_relative_figures(seed, factor):
    one = VoxelComparison(*pair(seed)).metrics()
    two = VoxelComparison(*(image(i.voxels * np.float32(factor)) for i in pair(seed))).metrics()
    assert two.rmse_gy == approx(factor * one.rmse_gy, rel=1e-4)
    assert two.mae_gy == approx(factor * one.mae_gy, rel=1e-4)
    assert two.nrmse == approx(one.nrmse, rel=1e-4)
    assert two.psnr_db == approx(one.psnr_db, rel=1e-4)
    assert two.ssim == approx(one.ssim, abs=1e-4)
    assert two.correlation == approx(one.correlation, abs=1e-5)


@given(st.integers(0, 10_000), st.floats(0.0, 0.5))
@settings(max_examples=25, deadline=None)
def test_exchanging_the_maps_changes_the_sign_of_the_mean_error_only(seed, noise):
    reference, evaluated = pair(seed, noise)
    there = VoxelComparison(reference, evaluated).metrics()
    back = VoxelComparison(evaluated, reference).metrics()
    assert back.me_gy == approx(-there.me_gy)
    assert (back.mae_gy, back.rmse_gy) == (approx(there.mae_gy), approx(there.rmse_gy))
    assert abs(there.me_gy) <= there.mae_gy + 1e-12
    assert there.mae_gy <= there.rmse_gy + 1e-12


def test_a_constant_has_no_correlation():
    ramp = np.linspace(0, 1, 50)
    assert correlation(ramp, np.full(50, 0.1)) is None
    assert correlation(ramp[:1], ramp[:1]) is None
    assert correlation(ramp, 3 - 2 * ramp) == approx(-1)
    with pytest.raises(EvaluationError):
        correlation(ramp, ramp[1:])


def test_maps_that_cannot_be_compared_are_refused():
    reference, evaluated = pair()
    with pytest.raises(GridMismatchError):
        VoxelComparison(reference, image(evaluated.voxels, Grid(GRID.shape_zyx, (5.0, 4.8, 4.8))))
    with pytest.raises(EvaluationError, match="no dose above 0"):
        VoxelComparison(image(np.zeros(GRID.shape_zyx)), evaluated)
    with pytest.raises(EvaluationError, match="not numbers"):
        VoxelComparison(reference, image(evaluated.voxels + np.inf))
    with pytest.raises(EvaluationError, match="mask is empty"):
        VoxelComparison(reference, evaluated).metrics(np.zeros(GRID.shape_zyx, dtype=bool))


def test_slopes_of_a_line_are_the_line():
    reference, _ = pair()
    found = VoxelComparison(reference, image(1.25 * reference.voxels + 0.5)).metrics()
    assert found.slope_orthogonal == approx(1.25, rel=1e-5)
    assert found.intercept_orthogonal_gy == approx(0.5, rel=1e-4)
    r = reference.voxels.astype(float)
    assert found.slope_origin == approx(1.25 + 0.5 * r.sum() / (r**2).sum(), rel=1e-6)


def test_the_orthogonal_slope_turns_over_when_the_maps_change_places():
    """Total least squares treats both alike: 1/slope. Its slope is the principal axis of the cloud of points."""
    reference, evaluated = pair(noise=0.3)
    one = VoxelComparison(reference, evaluated).metrics().slope_orthogonal
    other = VoxelComparison(evaluated, reference).metrics().slope_orthogonal
    assert one * other == approx(1.0)
    points = np.stack([reference.voxels.ravel(), evaluated.voxels.ravel()]).astype(float)
    along = np.linalg.eigh(np.cov(points))[1][:, -1]
    assert one == approx(along[1] / along[0])


def test_mape_has_the_floor_of_the_voxels_that_count():
    grid = Grid((1, 1, 5), (1.0, 1.0, 1.0))
    reference = image([[[100.0, 0.4, 0.2, 0.003, 0.0]]], grid)
    evaluated = image([[[101.0, 0.5, 0.1, 0.030, 0.1]]], grid)
    comparison = VoxelComparison(reference, evaluated)
    whole = comparison.metrics()
    assert (whole.mape_voxels, whole.mape_percent) == (1, approx(1.0, rel=1e-4))  # as RAE
    assert whole.rae_percent == whole.mape_percent
    cold = comparison.metrics(np.array([[[False, True, True, True, True]]]))
    assert cold.relative_voxels == 0  # all below 1 % of 100 Gy
    assert (cold.mape_voxels, cold.mape_percent) == (2, approx((25 + 50) / 2, rel=1e-5))


def test_an_unexposed_volume_has_no_slope_and_no_mape():
    grid = Grid((1, 1, 3), (1.0, 1.0, 1.0))
    comparison = VoxelComparison(image([[[1.0, 0.0, 0.0]]], grid), image([[[1.0, 0.2, 0.1]]], grid))
    found = comparison.metrics(np.array([[[False, True, True]]]))
    assert (found.mape_percent, found.slope_origin, found.slope_orthogonal) == (None, None, None)
