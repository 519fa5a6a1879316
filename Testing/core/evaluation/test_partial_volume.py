"""Volumes whose edge cuts through voxels: a sphere in a linear gradient has its doses in closed form."""

import numpy as np
import pytest
from scipy.optimize import brentq

from RPTDosimetryLib.errors import EvaluationError, GridMismatchError, VoiError
from RPTDosimetryLib.evaluation.compare_answer import compare_doses
from RPTDosimetryLib.evaluation.dvh import dose_at_volume_gy, dvh, dvh_r2, homogeneity_index, volume_at_dose
from RPTDosimetryLib.evaluation.full_comparison import volume_histogram
from RPTDosimetryLib.evaluation.partial_volume import MOST_VOXELS, covered_dose, partial_dvh_answer, parts_of
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Contours, Image, Segment, Voi

approx = pytest.approx
RADIUS_MM, MIDDLE_GY = 25.0, 2.0
GRID = Grid((17, 17, 17), (4.8, 4.8, 4.8), (-38.1, -37.3, -39.2))


def centres_mm(grid):
    k, j, i = np.indices(grid.shape_zyx)
    return np.stack([i, j, k], axis=-1) * np.array(grid.spacing_mm) + np.array(grid.origin_mm)


def gradient(direction):
    """From 1 to 3 Gy across the sphere."""
    unit = np.array(direction) / np.linalg.norm(direction)
    return Image((MIDDLE_GY + centres_mm(GRID) @ unit / RADIUS_MM).astype(np.float32), GRID, "Gy")


def cap(x):
    """Share of a sphere of radius 1 beyond the plane at x."""
    return (1 - x) ** 2 * (2 + x) / 4


TRUE_GY = {p: MIDDLE_GY + brentq(lambda x, share=p / 100: cap(x) - share, -1, 1) for p in (2, 50, 95, 98)}


def contours():
    """Circles every millimetre."""
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    ring = np.c_[np.cos(angle), np.sin(angle)]
    heights = np.arange(-24.5, 25.0)
    rims = (np.c_[np.sqrt(RADIUS_MM**2 - z**2) * ring, np.full(180, z)] for z in heights)
    return Contours("sphere", tuple(rims))


def segment():
    fine = Grid((120, 120, 120), (0.5, 0.5, 0.5), (-29.75, -29.75, -29.75))
    return Segment("sphere", (centres_mm(fine) ** 2).sum(axis=-1) <= RADIUS_MM**2, fine)


def mask():
    return Voi("sphere", (centres_mm(GRID) ** 2).sum(axis=-1) <= RADIUS_MM**2, GRID)


def worst(doses, weights):
    """Largest error of mean, D_x (of itself) and V_x (of the volume) [%]."""
    errors = [np.average(doses, weights=weights) / MIDDLE_GY - 1]
    errors += [dose_at_volume_gy(doses, p, weights) / gy - 1 for p, gy in TRUE_GY.items()]
    errors += [volume_at_dose(doses, MIDDLE_GY + x, weights) - cap(x) for x in (-0.5, 0.0, 0.5)]
    return 100 * np.abs(errors).max()


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 0, 1), (0.5, 0.6, 0.62)])
@pytest.mark.parametrize("shape", [contours, segment])
def test_a_sphere_in_a_gradient_is_right_to_a_tenth_of_a_percent(direction, shape):
    dose = gradient(direction)
    found = covered_dose(dose, shape())
    assert worst(found.dose_gy, found.weights) < 0.1
    assert found.weights.sum() * GRID.voxel_volume_ml == approx(4 / 3 * np.pi * RADIUS_MM**3 / 1000, rel=1e-3)
    histogram = dvh(found.dose_gy, GRID.voxel_volume_ml, weights=found.weights)
    x = np.clip(histogram.dose_gy - MIDDLE_GY, -1, 1)
    assert histogram.cumulative == approx(cap(x), abs=1e-3)
    assert (histogram.differential_per_gy * np.diff(histogram.dose_gy)).sum() == approx(1.0)
    # whole voxels, for comparison: up to 6 % off along an axis of the grid
    whole = worst(dose.voxels[mask().mask], None)
    assert whole > 5 * worst(found.dose_gy, found.weights)


def test_whole_voxels_of_this_sphere_are_off_by_percents():
    assert worst(gradient((1, 0, 0)).voxels[mask().mask], None) == approx(6.5, abs=0.5)


def test_a_sphere_too_large_to_gain_by_parts_is_right_with_whole_voxels():
    """Its figures: means within 0.1 %, D_x and V_x within 0.6 %, ten times better than the small one."""
    edge = 2 * round((0.75 * MOST_VOXELS / np.pi) ** (1 / 3)) + 3
    size = RADIUS_MM / (0.75 * MOST_VOXELS / np.pi) ** (1 / 3)
    half = 0.5 * size * (edge - 1)
    grid = Grid((edge, edge, edge), (size, size, size), (-half + 0.3 * size, -half, -half - 0.2 * size))
    centres = centres_mm(grid)
    large = Voi("sphere", (centres**2).sum(axis=-1) <= RADIUS_MM**2, grid)
    assert np.count_nonzero(large.mask) == approx(MOST_VOXELS, rel=0.02)
    doses = MIDDLE_GY + centres[large.mask] @ np.array([0.5, 0.6, 0.62]) / np.linalg.norm([0.5, 0.6, 0.62]) / RADIUS_MM
    assert worst(doses, None) < 0.6
    assert doses.mean() == approx(MIDDLE_GY, rel=1e-3)
    assert parts_of(Voi("all", np.ones(grid.shape_zyx, bool), grid), 4) is None
    assert parts_of(mask(), 4) == 4
    assert parts_of(mask(), None) is None


def test_figures_of_a_comparison_with_partial_voxels_are_those_of_the_smoothed_sphere():
    """A gradient of 1 to 3 Gy against half of it: D2 and R² of the parts, errors of exactly half."""
    dose, voi = gradient((1, 0, 0)), mask()
    half = dose.with_voxels(0.5 * dose.voxels)
    whole = compare_doses(dose, half, [voi]).organs[0]
    cut = compare_doses(dose, half, [voi], parts=4)
    row = cut.organs[0]
    assert row.d2_error_percent == approx(-50.0)
    assert row.error_percent == approx(-50.0)
    assert 2 * abs(row.d2_error_gy) == approx(TRUE_GY[2], rel=0.01)
    assert 2 * abs(whole.d2_error_gy) != approx(TRUE_GY[2], rel=0.01)
    assert row.metrics == whole.metrics
    assert "4x4x4 parts" in cut.answer()["conventions"]["partial_volume"]
    assert "partial_volume" not in compare_doses(dose, half, [voi]).answer()["conventions"]
    histogram = volume_histogram(dose, voi, 4)
    assert histogram.cumulative == approx(cap(np.clip(histogram.dose_gy - MIDDLE_GY, -1, 1)), abs=0.01)


def test_a_mask_alone_is_smoothed_and_keeps_its_volume():
    dose, voi = gradient((1, 0, 0)), mask()
    found = covered_dose(dose, voi)
    assert found.drawn_from == "mask"
    assert found.weights.sum() * GRID.voxel_volume_ml == approx(voi.volume_ml, rel=1e-4)
    assert worst(found.dose_gy, found.weights) < 1.0  # 6.5 % with whole voxels


def test_weights_of_one_are_the_plain_histogram():
    rng = np.random.default_rng(2)
    doses = rng.uniform(1, 3, 20_000)
    ones = np.ones(doses.size)
    assert dose_at_volume_gy(doses, 2, ones) == approx(dose_at_volume_gy(doses, 2), rel=1e-4)
    assert volume_at_dose(doses, 1.7, ones) == approx(volume_at_dose(doses, 1.7), abs=1e-4)
    assert dvh(doses, 1.0, weights=ones).cumulative == approx(dvh(doses, 1.0).cumulative, abs=2e-4)


def test_a_voxel_of_weight_zero_is_none():
    assert dose_at_volume_gy([1.0, 2.0, 90.0], 0, np.array([1.0, 1.0, 0.0])) == 2.0


def test_a_uniform_dose_has_one_level():
    ones = np.full(10, 0.3)
    assert dose_at_volume_gy(np.full(10, 2.0), 98, ones) == 2.0
    assert volume_at_dose(np.full(10, 2.0), 2.0, ones) == 1.0
    assert volume_at_dose(np.full(10, 2.0), 2.1, ones) == 0.0


@pytest.mark.parametrize("weights", [np.array([1.0]), np.array([0.0, 0.0]), np.array([-1.0, 1.0]), [np.nan, 1.0]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(EvaluationError):
        dvh(np.array([1.0, 2.0]), 1.0, weights=np.asarray(weights))


def test_homogeneity_as_icru_83_defines_it():
    ramp = np.linspace(1.0, 3.0, 1001)  # D2 = 2.96, D50 = 2, D98 = 1.04
    told = [dose_at_volume_gy(ramp, p) for p in (2, 50, 98)]
    assert homogeneity_index(*told) == approx(0.96)
    assert homogeneity_index(0.0, 0.0, 0.0) is None


def test_r2_of_histograms():
    ramp = np.linspace(1.0, 3.0, 4000)
    first = dvh(ramp, 1.0)
    assert dvh_r2(first, first) == approx(1.0)
    assert dvh_r2(first, dvh(1.02 * ramp, 1.0)) == approx(1 - 8.49e-4 / 0.3595, abs=2e-5)  # both integrals by hand
    assert dvh_r2(first, dvh(ramp / 20, 1.0)) < 0


def test_the_answer_weights_by_mass_and_leaves_air_out():
    density = np.full(GRID.shape_zyx, 1.0, np.float32)
    density[:, :, : GRID.shape_zyx[2] // 2] = 0.001
    got = partial_dvh_answer(gradient((1, 0, 0)), [contours()], 4, Image(density, GRID, "g/cm3"))["volumes"][0]
    assert got["volume_ml"] == approx(65.45, rel=1e-3)
    assert 0.4 < got["air_ml"] / got["volume_ml"] < 0.6
    assert got["mass_g"] == approx(got["volume_ml"] - got["air_ml"], rel=1e-6)
    assert got["minimum_gy"] > 1.8
    assert got["homogeneity_index"] == approx((got["d2_gy"] - got["d98_gy"]) / got["d50_gy"])


def test_what_cannot_be_covered_is_one_clear_error():
    dose = gradient((1, 0, 0))
    away = Contours("far", tuple(p + 1e4 for p in contours().polygons_mm))
    with pytest.raises(VoiError, match="outside the dose"):
        covered_dose(dose, away)
    with pytest.raises(VoiError, match="empty"):
        covered_dose(dose, Voi("none", np.zeros(GRID.shape_zyx, bool), GRID))
    with pytest.raises(EvaluationError, match="1 to 10 parts"):
        covered_dose(dose, contours(), 0)
    other = Grid(GRID.shape_zyx, (4.0, 4.8, 4.8))
    with pytest.raises(GridMismatchError):
        covered_dose(dose, Voi("moved", mask().mask, other))
