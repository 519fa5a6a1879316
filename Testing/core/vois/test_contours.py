"""Contours become masks of the same volume on any grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Contours
from RPTDosimetryLib.vois.contours import draw_contours, mask_of_same_volume
from RPTDosimetryLib.vois.delineate import voi_from_contours


def turned_grid(grid, degrees, about="x"):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix = {"x": [[1, 0, 0], [0, c, -s], [0, s, c]], "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]]}[about]
    origin = np.asarray(matrix) @ grid.origin_mm
    return Grid(grid.shape_zyx, grid.spacing_mm, tuple(origin), tuple(np.ravel(matrix)))


@pytest.mark.parametrize("spacing_mm", [1.0, 2.5, 3.0, 5.0])
def test_a_cylinder_keeps_its_volume_whatever_the_slice_spacing(cylinder, dose_grid, spacing_mm):
    true_ml = np.pi * 20.0**2 * (60.0 + spacing_mm) / 1000.0
    drawn = draw_contours(cylinder(spacing_mm=spacing_mm), dose_grid)
    assert drawn.volume_ml == pytest.approx(true_ml, rel=1e-3)
    assert drawn.fraction.sum(dtype=float) * dose_grid.voxel_volume_ml == pytest.approx(true_ml, rel=1e-3)
    voi = voi_from_contours(cylinder(spacing_mm=spacing_mm), dose_grid, "test", "organ")
    assert voi.volume_ml == pytest.approx(true_ml, abs=0.51 * dose_grid.voxel_volume_ml + 1e-3 * true_ml)


@pytest.mark.parametrize("radius_mm", [10.0, 12.4, 19.3, 40.0])
def test_spheres_down_to_four_millilitres_keep_their_volume(sphere, dose_grid, radius_mm):
    true_ml = 4 / 3 * np.pi * radius_mm**3 / 1000.0
    voi = voi_from_contours(sphere(radius_mm, 1.0), dose_grid, "test", "lesion")
    assert voi.volume_ml == pytest.approx(true_ml, rel=0.02)


def test_the_mask_lies_where_the_sphere_is(sphere, dose_grid):
    voi = voi_from_contours(sphere(25.0, 2.0), dose_grid, "test", "organ")
    kji = np.argwhere(voi.mask)
    points = np.c_[kji[:, ::-1], np.ones(len(kji))] @ dose_grid.lps_from_ijk.T
    np.testing.assert_allclose(points[:, :3].mean(axis=0), (0.7, 1.9, -0.4), atol=0.5)
    distance = np.linalg.norm(points[:, :3] - (0.7, 1.9, -0.4), axis=1)
    assert distance.max() < 25.0 + 4.795 * np.sqrt(3) / 2


@pytest.mark.parametrize("flip", [(-1, -1, 1), (1, 1, -1), (-1, 1, 1)])
def test_grids_whose_axes_run_backwards_give_the_same_voxels(sphere, dose_grid, flip):
    far = [o + (s * (n - 1) if f < 0 else 0.0) for o, s, n, f in zip(
        dose_grid.origin_mm, dose_grid.spacing_mm, dose_grid.shape_zyx[::-1], flip, strict=True)]  # fmt: skip
    flipped = Grid(dose_grid.shape_zyx, dose_grid.spacing_mm, tuple(far), tuple(np.diag(flip).ravel()))
    straight = draw_contours(sphere(), dose_grid).fraction
    back = draw_contours(sphere(), flipped).fraction
    back = back[:: flip[2], :: flip[1], :: flip[0]]
    np.testing.assert_allclose(back, straight, atol=0.03)
    assert back.sum() == pytest.approx(straight.sum(), rel=1e-3)


@pytest.mark.parametrize(("degrees", "about"), [(12.0, "x"), (3.0, "x"), (30.0, "z")])
def test_a_turned_dose_grid_keeps_the_volume(sphere, dose_grid, degrees, about):
    true_ml = 4 / 3 * np.pi * 25.0**3 / 1000.0
    drawn = draw_contours(sphere(25.0, 1.0), turned_grid(dose_grid, degrees, about))
    assert drawn.volume_ml == pytest.approx(true_ml, rel=0.01)
    assert drawn.fraction.sum() * dose_grid.voxel_volume_ml == pytest.approx(true_ml, rel=0.015)


def test_sagittal_contours_work_too(sphere, dose_grid):
    turned = Contours("s", tuple(p[:, [2, 0, 1]] for p in sphere(25.0, 1.0).polygons_mm))
    drawn = draw_contours(turned, dose_grid)
    assert drawn.fraction.sum() * dose_grid.voxel_volume_ml == pytest.approx(4 / 3 * np.pi * 25.0**3 / 1000, rel=0.015)


def test_a_tube_is_hollow(cylinder, dose_grid):
    outer, inner = cylinder(20.0), cylinder(12.0)
    tube = Contours("tube", outer.polygons_mm + inner.polygons_mm)
    drawn = draw_contours(tube, dose_grid)
    assert drawn.volume_ml == pytest.approx(np.pi * (20.0**2 - 12.0**2) * 63.0 / 1000.0, rel=2e-3)
    voi = voi_from_contours(tube, dose_grid, "test", "organ")
    i, j, k = np.rint(np.linalg.inv(dose_grid.lps_from_ijk) @ [1.3, -2.1, 0.0, 1.0])[:3].astype(int)
    assert not voi.mask[k, j, i]


def test_one_missing_slice_is_bridged_and_said(cylinder, dose_grid):
    drawn = draw_contours(cylinder(skip=(7,)), dose_grid)
    assert drawn.volume_ml == pytest.approx(np.pi * 0.4 * 63.0, rel=2e-3)
    assert any("missing contour slice" in w for w in drawn.warnings)


def test_a_wide_gap_stays_empty_and_is_said(cylinder, dose_grid):
    drawn = draw_contours(cylinder(skip=(7, 8, 9)), dose_grid)
    assert drawn.volume_ml == pytest.approx(np.pi * 0.4 * (63.0 - 9.0), rel=2e-3)
    assert any("2 pieces" in w for w in drawn.warnings)


def test_a_single_slice_is_as_thick_as_the_dose_grid_and_said(cylinder, dose_grid):
    one = Contours("one", cylinder().polygons_mm[:1])
    drawn = draw_contours(one, dose_grid)
    assert drawn.volume_ml == pytest.approx(np.pi * 0.4 * 4.795, rel=2e-3)
    assert any("one slice" in w for w in drawn.warnings)


def test_partly_outside_is_said_and_wholly_outside_is_an_error(cylinder, dose_grid):
    half = Contours(
        "half", tuple(p + np.array([dose_grid.origin_mm[0] - 2.3975 - 1.3, 0, 0]) for p in cylinder().polygons_mm)
    )
    voi = voi_from_contours(half, dose_grid, "RTSTRUCT", "organ")
    assert voi.volume_ml == pytest.approx(np.pi * 0.4 * 63.0 / 2, rel=0.01)
    assert any("50.0 %" in w for w in voi.warnings)
    gone = Contours("gone", tuple(p + np.array([500.0, 0, 0]) for p in cylinder().polygons_mm))
    with pytest.raises(VoiError, match="gone lies outside the dose grid"):
        voi_from_contours(gone, dose_grid, "RTSTRUCT", "organ")


def test_less_than_half_a_voxel_is_an_error_with_both_volumes(sphere, dose_grid):
    with pytest.raises(VoiError, match=r"0\.014 mL.*0\.11 mL"):
        voi_from_contours(sphere(1.5, 0.5), dose_grid, "RTSTRUCT", "lesion")


def test_contours_off_their_plane_are_refused(dose_grid):
    bent = np.array([[0.0, 0, 0], [20, 0, 0], [20, 20, 6], [0, 20, 0]])
    flat = np.array([[0.0, 0, 0], [40, 0, 0], [40, 40, 0], [0, 40, 0]])
    with pytest.raises(VoiError, match="parallel planes"):
        draw_contours(Contours("bent", (bent, flat)), dose_grid)


def test_no_contour_is_an_error(dose_grid):
    with pytest.raises(VoiError, match="no closed contour"):
        draw_contours(Contours("nothing", ()), dose_grid)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 0.95))
def test_the_mask_has_the_volume_asked_for_and_the_fullest_voxels(seed, share):
    fraction = np.random.default_rng(seed).random((4, 5, 6)).astype(np.float32)
    mask = mask_of_same_volume(fraction, 0.1, share * fraction.size * 0.1)
    assert abs(mask.sum() - share * fraction.size) <= 0.5 + 1e-6
    assert fraction[mask].min(initial=1.0) >= fraction[~mask].max(initial=0.0) - 1e-4
