"""The gamma index against pymedphys, against its closed form, and at its bounds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from RPTDosimetryLib.errors import CancelledError, EvaluationError, GridMismatchError
from RPTDosimetryLib.evaluation.comparable import onto_reference
from RPTDosimetryLib.evaluation.gamma import GammaSettings, above_cutoff, gamma_index
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image

approx = pytest.approx

CUBE = Grid((12, 13, 14), (4.795, 4.795, 4.795))
SLAB = Grid((9, 13, 14), (2.1, 3.0, 5.0))  # x, y, z mm
FINE = Grid((11, 12, 13), (1.0, 1.1, 2.0))  # the DTA of 2 mm falls on voxel centres of three axes


def dose_pair(grid, noise, seed=1):
    """A smooth dose of 0 to 10 Gy and the same with relative noise."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.random(grid.shape_zyx), 1.5)
    smooth = 10 * (smooth - smooth.min()) / np.ptp(smooth)
    noisy = smooth * (1 + noise * rng.standard_normal(grid.shape_zyx))
    return tuple(Image(voxels.astype(np.float32), grid, "Gy") for voxels in (smooth, noisy))


def uniform(value, grid=CUBE):
    return Image(np.full(grid.shape_zyx, value, dtype=np.float32), grid, "Gy")


def gamma_of_pymedphys(reference, evaluated, criteria):
    pymedphys = pytest.importorskip("pymedphys", reason="pymedphys is the oracle of this test; it is not installed")
    grid = reference.grid
    axes = tuple(np.arange(n) * mm for n, mm in zip(grid.shape_zyx, grid.spacing_mm[::-1], strict=True))
    return pymedphys.gamma(
        *(axes, reference.voxels, axes, evaluated.voxels, criteria.dose_percent, criteria.dta_mm),
        lower_percent_dose_cutoff=criteria.cutoff_percent,
        max_gamma=criteria.maximum_gamma,
        local_gamma=criteria.local,
        interp_fraction=criteria.steps_per_dta,
        global_normalisation=criteria.reference_dose_gy,
    )


@pytest.mark.parametrize("noise", [0.02, 0.3])
@pytest.mark.parametrize(
    ("grid", "criteria"),
    [
        (CUBE, GammaSettings()),
        (CUBE, GammaSettings(local=True)),
        (CUBE, GammaSettings(cutoff_percent=0.0, maximum_gamma=1.3)),
        (CUBE, GammaSettings(dta_mm=1.5, dose_percent=3.0)),
        (CUBE, GammaSettings(reference_dose_gy=4.0, cutoff_percent=25.0)),
        (SLAB, GammaSettings(cutoff_percent=20.0)),
        (SLAB, GammaSettings(local=True, dta_mm=3.0, dose_percent=2.0)),
        (FINE, GammaSettings(dta_mm=2.0, maximum_gamma=3.0, steps_per_dta=7)),
        (FINE, GammaSettings(dta_mm=2.0, local=True, cutoff_percent=0.0)),
    ],
)
def test_every_judged_voxel_is_that_of_pymedphys(grid, criteria, noise):
    reference, evaluated = dose_pair(grid, noise)
    ours = gamma_index(reference, evaluated, criteria).gamma_index.voxels
    theirs = gamma_of_pymedphys(reference, evaluated, criteria)
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    assert np.nanmax(np.abs(ours - theirs)) < 1e-5  # the bar is 1e-3
    assert np.count_nonzero(np.nan_to_num(ours) > 0.1) > 100  # voxels that were searched, not only compared in place


@pytest.mark.parametrize("local", [False, True])
def test_one_per_cent_more_everywhere_is_gamma_one_and_passes(local):
    result = gamma_index(uniform(2.7), uniform(2.7 * 1.01), GammaSettings(local=local))
    assert result.gamma_index.voxels == approx(1.0, abs=2e-5)
    assert (result.judged, result.passed, result.pass_rate) == (CUBE_VOXELS, CUBE_VOXELS, 1.0)
    over = gamma_index(uniform(2.7), uniform(2.7 * 1.0102), GammaSettings(local=local))
    assert over.pass_rate == 0.0


CUBE_VOXELS = 12 * 13 * 14


def test_in_a_gradient_gamma_is_the_distance_to_a_line():
    """D = g·x shifted by s: γ = s/DTA · 1/√(1 + (ΔD/(g·DTA))²), the distance from a point to a line in scaled axes."""
    grid = Grid((7, 7, 41), (1.0, 1.0, 1.0))
    x = np.broadcast_to(np.arange(41, dtype=np.float32), grid.shape_zyx)
    gradient, shift = 0.25, 0.8  # Gy/mm, mm
    criteria = GammaSettings(dose_percent=10.0, reference_dose_gy=5.0, dta_mm=2.0, cutoff_percent=0.0, steps_per_dta=50)
    criteria = replace(criteria, maximum_gamma=1.0)
    dose = 20 + gradient * x
    result = gamma_index(Image(dose, grid, "Gy"), Image(dose + gradient * shift, grid, "Gy"), criteria)
    allowed_gy = 0.5
    expected = gradient * shift / np.hypot(allowed_gy, gradient * 2.0)
    assert result.gamma_index.voxels[3, 3, 5:-5] == approx(expected, abs=1e-3)


@given(st.integers(0, 1000), st.floats(0.0, 0.3), st.booleans())
@settings(max_examples=25, deadline=None)
def test_gamma_is_never_above_the_dose_difference_alone_nor_the_distance_alone(seed, noise, local):
    grid = Grid((5, 6, 7), (2.0, 2.0, 3.0))
    reference, evaluated = dose_pair(grid, noise, seed)
    criteria = GammaSettings(dose_percent=2.0, dta_mm=3.0, local=local, cutoff_percent=10.0, maximum_gamma=1.5)
    result = gamma_index(reference, evaluated, criteria)
    gamma = result.gamma_index.voxels
    judged = np.isfinite(gamma)
    scale = reference.voxels if local else reference.voxels.max()
    with np.errstate(divide="ignore", invalid="ignore"):
        dose_only = np.abs(evaluated.voxels - reference.voxels) / (0.02 * scale)
    assert (gamma[judged] <= dose_only[judged] + 1e-4).all()
    assert (gamma[judged] >= 0).all()
    assert gamma[judged].max() <= 1.5
    assert result.judged == np.count_nonzero(judged) >= result.passed
    alone = gamma_index(reference, reference, criteria)
    assert np.nanmax(alone.gamma_index.voxels) == 0.0


def test_a_shift_by_one_voxel_is_at_most_the_distance():
    reference, _ = dose_pair(CUBE, 0.0)
    shifted = reference.with_voxels(np.roll(reference.voxels, 1, axis=0))
    gamma = gamma_index(reference, shifted, GammaSettings(dta_mm=2 * 4.795, cutoff_percent=0.0)).gamma_index.voxels
    # the last slice's partner has left the image; that of the last but one is on the border, in or out by rounding
    assert gamma[:-2].max() <= 0.5 + 1e-6


def test_mirrored_doses_have_the_mirrored_gamma():
    reference, evaluated = dose_pair(CUBE, 0.05)
    gamma = gamma_index(reference, evaluated).gamma_index.voxels
    mirrored = [image.with_voxels(image.voxels[::-1, ::-1, ::-1]) for image in (reference, evaluated)]
    # the border's planes hold points that rounding puts in or out: they are left out
    inner = (slice(3, -3),) * 3
    other = gamma_index(*mirrored).gamma_index.voxels[::-1, ::-1, ::-1]
    assert np.nan_to_num(gamma[inner]) == approx(np.nan_to_num(other[inner]), abs=0.06)  # points are not mirrored
    assert np.array_equal(np.isnan(gamma), np.isnan(other))


def test_a_second_call_and_a_mask_change_nothing():
    reference, evaluated = dose_pair(CUBE, 0.05)
    first = gamma_index(reference, evaluated)
    mask = np.zeros(CUBE.shape_zyx, dtype=bool)
    mask[2:9, 3:8, 4:12] = True
    masked = gamma_index(reference, evaluated, mask=mask)
    again = gamma_index(reference, evaluated)
    assert np.array_equal(first.gamma_index.voxels, again.gamma_index.voxels, equal_nan=True)
    assert np.array_equal(masked.gamma_index.voxels[mask], first.gamma_index.voxels[mask], equal_nan=True)
    assert np.isnan(masked.gamma_index.voxels[~mask]).all()
    assert masked.counts == first.counts_in(mask)
    assert masked.counts.voxels == np.count_nonzero(mask)


def test_below_the_cutoff_nothing_is_judged_and_the_cutoff_itself_is():
    doses = np.full(CUBE.shape_zyx, 0.05, dtype=np.float32)
    doses[4] = 1.0
    doses[5] = 0.1  # exactly 10 % of the maximum
    result = gamma_index(Image(doses, CUBE, "Gy"), Image(doses, CUBE, "Gy"))
    assert result.judged == 2 * 13 * 14
    assert result.counts.voxels == CUBE_VOXELS
    assert np.isnan(result.gamma_index.voxels[0]).all()
    everywhere = gamma_index(Image(doses, CUBE, "Gy"), Image(doses, CUBE, "Gy"), GammaSettings(cutoff_percent=0.0))
    later = above_cutoff(everywhere, Image(doses, CUBE, "Gy"), 10.0)
    assert np.array_equal(later.gamma_index.voxels, result.gamma_index.voxels, equal_nan=True)
    assert later.counts == result.counts


def test_a_local_criterion_leaves_out_voxels_without_reference_dose():
    reference, evaluated = dose_pair(CUBE, 0.01)
    voxels = reference.voxels.copy()
    voxels[:3] = 0.0
    result = gamma_index(reference.with_voxels(voxels), evaluated, GammaSettings(local=True, cutoff_percent=0.0))
    assert np.isnan(result.gamma_index.voxels[:3]).all()
    assert result.judged == CUBE_VOXELS - 3 * 13 * 14


def test_nothing_above_the_cutoff_has_no_pass_rate_and_says_so():
    reference, evaluated = dose_pair(CUBE, 0.01)
    cold = reference.voxels < 0.5
    result = gamma_index(reference, evaluated, mask=cold)
    assert (result.judged, result.pass_rate, result.counts.mean_gamma) == (0, None, None)
    assert "no pass rate" in result.warnings[0]


def test_a_dta_below_the_voxel_is_said_and_judges_the_dose_difference():
    reference, evaluated = dose_pair(CUBE, 0.05)
    fine = GammaSettings(dta_mm=0.01, cutoff_percent=0.0)
    result = gamma_index(reference, evaluated, fine)
    assert "below the voxel size" in result.warnings[0]
    dose_only = np.abs(evaluated.voxels - reference.voxels) / (0.01 * reference.voxels.max())
    assert result.gamma_index.voxels == approx(np.minimum(dose_only, 2.0), abs=0.05)
    assert gamma_index(reference, evaluated).warnings == ()


def test_doses_that_cannot_be_compared_are_refused():
    reference, evaluated = dose_pair(CUBE, 0.01)
    other = Image(reference.voxels, Grid(CUBE.shape_zyx, (4.8, 4.795, 4.795)), "Gy")
    with pytest.raises(GridMismatchError, match="Reference and evaluated dose"):
        gamma_index(reference, other)
    with pytest.raises(EvaluationError, match="no dose above 0"):
        gamma_index(uniform(0.0), evaluated)
    with pytest.raises(EvaluationError, match="mask is empty"):
        gamma_index(reference, evaluated, mask=np.zeros(CUBE.shape_zyx, dtype=bool))
    with pytest.raises(EvaluationError, match="not numbers"):
        gamma_index(reference, reference.with_voxels(reference.voxels * np.nan))
    one_slice = Grid((1, 13, 14), CUBE.spacing_mm)
    with pytest.raises(EvaluationError, match="only one slice"):
        gamma_index(uniform(1.0, one_slice), uniform(1.0, one_slice))
    with pytest.raises(EvaluationError, match="mask has"):
        gamma_index(reference, evaluated, mask=np.ones((2, 2, 2), dtype=bool))


@pytest.mark.parametrize(
    "wrong",
    [
        {"dose_percent": 0.0},
        {"dta_mm": -1.0},
        {"dta_mm": float("nan")},
        {"cutoff_percent": 101.0},
        {"maximum_gamma": 0.5},
        {"steps_per_dta": 0},
        {"reference_dose_gy": 0.0},
    ],
)
def test_criteria_that_mean_nothing_are_refused(wrong):
    with pytest.raises(EvaluationError):
        GammaSettings(**wrong)


def test_an_endless_search_is_refused():
    reference, evaluated = dose_pair(CUBE, 0.01)
    with pytest.raises(EvaluationError, match="points around each voxel"):
        gamma_index(reference, evaluated, replace(GammaSettings(), maximum_gamma=50.0))


def test_a_run_can_be_stopped():
    reference, evaluated = dose_pair(CUBE, 0.01)
    with pytest.raises(CancelledError):
        gamma_index(reference, evaluated, cancelled=lambda: True)


def test_resampling_on_request_keeps_a_linear_dose_and_leaves_out_what_is_not_reached():
    fine = Grid((24, 24, 24), (2.0, 2.0, 2.0))
    coarse = Grid((6, 6, 8), (4.0, 4.0, 4.0), (9.0, 9.0, 9.0))  # reaches beyond z = 47 mm

    def linear(grid):
        z, y, x = np.indices(grid.shape_zyx)
        lps = np.stack([x, y, z], axis=-1) * grid.spacing_mm + grid.origin_mm
        return Image((1 + lps @ [0.01, 0.02, 0.03]).astype(np.float32), grid, "Gy")

    moved = onto_reference(linear(coarse), linear(fine))
    assert moved.evaluated.voxels[moved.covered] == approx(linear(coarse).voxels[moved.covered], abs=1e-5)
    assert moved.covered.any()
    assert "resampled" in moved.said
    result = gamma_index(linear(coarse), moved.evaluated, GammaSettings(dta_mm=4.0), moved.covered)
    assert result.pass_rate == 1.0
    far = Image(linear(fine).voxels, Grid(fine.shape_zyx, fine.spacing_mm, (500.0, 0.0, 0.0)), "Gy")
    with pytest.raises(EvaluationError, match="does not reach"):
        onto_reference(linear(coarse), far)
    same = onto_reference(linear(coarse), linear(coarse))
    assert same.covered.all()
    assert same.said == ""
