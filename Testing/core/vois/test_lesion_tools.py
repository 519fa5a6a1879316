"""Lesions drawn on blurred spheres whose profile is known in closed form, and what the tools refuse."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import erf

from RPTDosimetryLib.errors import ConfigurationError, VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.vois.lesion_tools import METHODS, LesionTool, draw_lesion

SPACING_MM = 2.4
GRID = Grid((51, 51, 51), (SPACING_MM,) * 3, (-60.0, -60.0, -60.0))
FINE = Grid((61, 61, 61), (1.0, 1.0, 1.0), (-30.0, -30.0, -30.0))


def blurred_sphere(r_mm, radius_mm, sigma_mm):
    """A ball of 1 convolved with a 3-D Gaussian, at distance r from its centre:
    ½[erf((R+r)/√2σ) + erf((R−r)/√2σ)] − σ/(r√2π)·[e^(−(R−r)²/2σ²) − e^(−(R+r)²/2σ²)].
    """
    r = np.maximum(np.asarray(r_mm, dtype=float), 1e-6)
    a, b = (radius_mm + r) / (np.sqrt(2) * sigma_mm), (radius_mm - r) / (np.sqrt(2) * sigma_mm)
    return 0.5 * (erf(a) + erf(b)) - sigma_mm / (r * np.sqrt(2 * np.pi)) * (np.exp(-(b**2)) - np.exp(-(a**2)))


def image_of(radius_mm, sigma_mm, grid=GRID, lesion=1e6, background=1e5, centre=(0.0, 0.0, 0.0)):
    z, y, x = (o + s * np.arange(n) for o, s, n in
               zip(grid.origin_mm[::-1], grid.spacing_mm[::-1], grid.shape_zyx, strict=True))  # fmt: skip
    r = np.sqrt((z[:, None, None] - centre[2]) ** 2 + (y[:, None] - centre[1]) ** 2 + (x - centre[0]) ** 2)
    return Image(background + (lesion - background) * blurred_sphere(r, radius_mm, sigma_mm), grid, "Bq/mL")


def radius_of(volume_ml):
    return (3 * 1000.0 * volume_ml / (4 * np.pi)) ** (1 / 3)


def box(half_mm, centre=(0.0, 0.0, 0.0)):
    return tuple(tuple(c + s * half_mm for c in centre) for s in (-1, 1))


def at_origin(method, **more):
    return LesionTool("l", method, seed_mm=(1.0, -2.0, 0.5), threshold_bq_per_ml=5.5e5, **more)


@pytest.mark.parametrize("percent", [41.0, 50.0, 70.0])
@pytest.mark.parametrize("radius_mm", [10.0, 20.0])
def test_an_isocontour_has_the_volume_of_the_analytic_profile(percent, radius_mm):
    image = image_of(radius_mm, 5.0, FINE, background=0.0)
    drawn = draw_lesion(image, at_origin("percent_of_maximum", percent=percent))
    share = percent / 100 * blurred_sphere(0.0, radius_mm, 5.0)
    r_mm = brentq(lambda r: blurred_sphere(r, radius_mm, 5.0) - share, 0.1, 60.0)
    assert radius_of(drawn.voi.volume_ml) == pytest.approx(r_mm, abs=0.1)  # a tenth of a voxel
    assert drawn.threshold_bq_per_ml == pytest.approx(share * 1e6, rel=1e-6)


def test_the_half_maximum_of_a_large_sphere_is_its_edge_less_what_curvature_takes():
    """To first order in σ/R a blurred ball has half its plateau at R − σ²/R, not at R."""
    drawn = draw_lesion(image_of(24.0, 4.0, background=0.0), at_origin("percent_of_maximum", percent=50.0))
    assert radius_of(drawn.voi.volume_ml) == pytest.approx(24.0 - 4.0**2 / 24.0, abs=0.1)


@pytest.mark.parametrize("background", [0.0, 1e5, 4e5])
def test_adaptive_and_gradient_find_the_radius_of_a_large_sphere_whatever_the_background(background):
    image = image_of(22.0, 4.0, background=background)
    for method in ("adaptive", "gradient"):
        for place in ({"seed_mm": (3.0, 0.0, -4.0)}, {"box_mm": box(36.0)}):
            drawn = draw_lesion(image, LesionTool("l", method, **place))
            assert radius_of(drawn.voi.volume_ml) == pytest.approx(22.0, abs=SPACING_MM / 2), (method, place)


def test_the_percent_threshold_swells_with_background_where_the_adaptive_one_does_not():
    image = image_of(15.0, 4.0, background=3.5e5)
    by_percent = draw_lesion(image, at_origin("percent_of_maximum")).voi.volume_ml
    adapted = draw_lesion(image, at_origin("adaptive")).voi.volume_ml
    assert by_percent > 1.3 * adapted
    assert radius_of(adapted) == pytest.approx(15.0, abs=SPACING_MM / 2)


def test_adaptive_shares_are_used_as_told():
    drawn = draw_lesion(image_of(22.0, 4.0, background=2e5), at_origin("adaptive", core_share=0.6))
    core = draw_lesion(image_of(22.0, 4.0, background=2e5), at_origin("percent_of_maximum", percent=70.0))
    by_hand = 0.6 * core.mean_bq_per_ml + 0.5 * drawn.background_bq_per_ml
    assert drawn.threshold_bq_per_ml == pytest.approx(by_hand, rel=1e-9)
    assert drawn.background_bq_per_ml == pytest.approx(2e5, rel=0.01)


def test_a_fixed_threshold_is_absolute():
    image = image_of(20.0, 4.0)
    drawn = draw_lesion(image, at_origin("fixed"))
    assert np.array_equal(drawn.voi.mask, image.voxels >= 5.5e5)
    assert "5.5e+05 Bq/mL" in drawn.voi.source


@settings(max_examples=25, deadline=None)
@given(st.integers(-30, 30), st.sampled_from(["percent_of_maximum", "adaptive", "gradient"]), st.integers(0, 10**6))
def test_scaling_the_activity_leaves_the_mask_as_it_is(power, method, seed):
    noise = np.random.default_rng(seed).normal(1.0, 0.03, GRID.shape_zyx)
    image = image_of(14.0, 5.0)
    image = image.with_voxels(image.voxels * noise)
    tool = LesionTool("l", method, box_mm=box(32.0))
    once = draw_lesion(image, tool).voi.mask
    again = draw_lesion(image.with_voxels(image.voxels * 2.0**power), tool).voi.mask
    assert np.array_equal(once, again)


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.integers(-4, 4)] * 3), st.sampled_from(METHODS))
def test_a_shifted_lesion_gives_the_shifted_mask(voxels, method):
    here = image_of(12.0, 4.0)
    shift_mm = np.array(voxels) * SPACING_MM
    there = image_of(12.0, 4.0, centre=tuple(shift_mm))
    tool = at_origin(method, reach_mm=35.0)
    moved = replace(tool, seed_mm=tuple(np.add(tool.seed_mm, shift_mm)))
    first, second = draw_lesion(here, tool), draw_lesion(there, moved)
    assert np.array_equal(np.roll(first.voi.mask, voxels[::-1], axis=(0, 1, 2)), second.voi.mask)
    np.testing.assert_allclose(np.subtract(second.centroid_mm, first.centroid_mm), shift_mm, atol=1e-6)


def test_a_grid_whose_axes_run_backwards_gives_the_same_lesion():
    image = image_of(12.0, 4.0, centre=(7.0, -5.0, 3.0))
    flipped = Grid(GRID.shape_zyx, GRID.spacing_mm, (60.0, 60.0, -60.0), (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))
    back = Image(image.voxels[:, ::-1, ::-1].copy(), flipped, "Bq/mL")
    for method in METHODS:
        tool = LesionTool("l", method, seed_mm=(7.0, -5.0, 3.0), threshold_bq_per_ml=5e5)
        one, two = draw_lesion(image, tool), draw_lesion(back, tool)
        assert np.array_equal(one.voi.mask, two.voi.mask[:, ::-1, ::-1])
        np.testing.assert_allclose(two.centroid_mm, (7.0, -5.0, 3.0), atol=0.3)
        assert one.peak_mm == pytest.approx(two.peak_mm)


def test_a_seed_beside_the_maximum_climbs_to_it_and_only_its_own_lesion_is_taken():
    near, far = image_of(10.0, 4.0, centre=(-25.0, 0, 0)), image_of(10.0, 4.0, centre=(25.0, 0, 0), lesion=3e6)
    both = near.with_voxels(near.voxels + far.voxels - 1e5)
    for method in METHODS:
        tool = LesionTool("l", method, seed_mm=(-31.0, 4.0, 3.0), threshold_bq_per_ml=5.5e5, reach_mm=80.0)
        drawn = draw_lesion(both, tool)
        np.testing.assert_allclose(drawn.peak_mm, (-25.0, 0.0, 0.0), atol=SPACING_MM)
        np.testing.assert_allclose(drawn.centroid_mm, (-25.0, 0.0, 0.0), atol=SPACING_MM)


def test_a_seed_too_far_from_the_maximum_is_said():
    drawn = draw_lesion(image_of(12.0, 8.0), replace(at_origin("percent_of_maximum"), seed_mm=(14.0, 0, 0), climb_mm=5))
    assert any("still rises 5 mm from the seed" in w for w in drawn.voi.warnings)


def test_in_a_box_the_maximum_of_the_box_counts_and_a_cut_lesion_is_said():
    image = image_of(15.0, 4.0)
    drawn = draw_lesion(image, LesionTool("l", box_mm=((-30.0, -30.0, -30.0), (4.0, 30.0, 30.0))))
    assert any("touches the border of its box" in w for w in drawn.voi.warnings)
    i = np.argwhere(drawn.voi.mask)[:, 2]
    assert (GRID.origin_mm[0] + SPACING_MM * i).max() <= 4.0
    whole = draw_lesion(image, LesionTool("l", box_mm=((30.0, 30.0, 30.0), (-30.0, -30.0, -30.0))))
    assert whole.voi.warnings == ()


def test_a_lesion_at_the_edge_of_the_image_is_said():
    image = image_of(10.0, 4.0, centre=(0.0, 0.0, 58.0))
    drawn = draw_lesion(image, LesionTool("l", seed_mm=(0.0, 0.0, 58.0)))
    assert any("edge of the image" in w for w in drawn.voi.warnings)


@pytest.mark.parametrize(
    ("tool", "error"),
    [
        (LesionTool("l", seed_mm=(200.0, 0, 0)), r"seed \(200.0, 0.0, 0.0\) mm lies outside the image.*-60.0.*60.0"),
        (LesionTool("l", box_mm=box(5.0, (0.0, 900.0, 0.0))), "box .* lies outside the image"),
        (LesionTool("l", box_mm=box(0.5, (1.2, 1.2, 1.2))), "no voxel centre"),
        (LesionTool("l", box_mm=box(float("nan"))), "not finite"),
        (LesionTool("l", seed_mm=(float("nan"), 0.0, 0.0)), "outside the image"),
        (LesionTool("l", "fixed", seed_mm=(0.0, 0, 0), threshold_bq_per_ml=2e6), "above the maximum"),
        (LesionTool("l", "adaptive", seed_mm=(0.0, 0, 0), core_share=1.5), "above the maximum"),
        (LesionTool("l", percent=5.0, seed_mm=(0.0, 0, 0)), "grows to 60 mm from its seed.*leaked"),
        (LesionTool("l", percent=5.0, box_mm=box(30.0)), "fills its whole box"),
        (LesionTool("l", box_mm=box(40.0), largest_ml=5.0), "more than largest_ml = 5 mL"),
        (LesionTool("l", "gradient", box_mm=box(500.0)), "holds the whole image"),
    ],
)
def test_bad_places_and_thresholds_are_one_clear_error(tool, error):
    with pytest.raises(VoiError, match=error):
        draw_lesion(image_of(15.0, 4.0), tool)


def test_a_box_partly_outside_the_image_is_said():
    drawn = draw_lesion(image_of(10.0, 4.0), LesionTool("l", box_mm=((-30.0, -30.0, -30.0), (30.0, 30.0, 300.0))))
    assert any("part of its box lies outside the image" in w for w in drawn.voi.warnings)


@pytest.mark.parametrize("method", METHODS)
def test_where_nothing_is_there_is_nothing_to_draw(method):
    empty = Image(np.zeros(GRID.shape_zyx, dtype=np.float32), GRID, "Bq/mL")
    for place in ({"seed_mm": (0.0, 0.0, 0.0)}, {"box_mm": box(20.0)}):
        with pytest.raises(VoiError, match="there is no activity"):
            draw_lesion(empty, LesionTool("l", method, threshold_bq_per_ml=1.0, **place))


@pytest.mark.parametrize("method", ["adaptive", "gradient"])
def test_without_contrast_the_edge_methods_say_so(method):
    flat = Image(np.full(GRID.shape_zyx, 1e5, dtype=np.float32), GRID, "Bq/mL")
    with pytest.raises(VoiError, match="does not stand out"):
        draw_lesion(flat, LesionTool("l", method, box_mm=box(20.0)))


def test_counts_and_nan_are_refused():
    image = image_of(10.0, 4.0)
    with pytest.raises(VoiError, match="Bq/mL, not 'counts'"):
        draw_lesion(image.with_voxels(image.voxels, "counts"), at_origin("fixed"))
    image.voxels[25, 25, 27] = np.nan
    with pytest.raises(VoiError, match="NaN"):
        draw_lesion(image, at_origin("fixed"))


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, "either seed_mm or box_mm"),
        ({"seed_mm": (0, 0, 0), "box_mm": box(2.0)}, "either seed_mm or box_mm"),
        ({"seed_mm": (0, 0, 0), "method": "snake"}, "choose one of percent_of_maximum"),
        ({"seed_mm": (0, 0, 0), "percent": 0.0}, "percent = 0.0"),
        ({"seed_mm": (0, 0, 0), "method": "fixed"}, "needs threshold_bq_per_ml"),
        ({"seed_mm": (0, 0, 0), "reach_mm": -1.0}, "reach_mm = -1.0"),
        ({"seed_mm": (0, 0, 0), "time_point": 0}, "count from 1"),
    ],
)
def test_a_tool_that_cannot_be_meant_is_refused(given, error):
    with pytest.raises(ConfigurationError, match=error):
        LesionTool("l", **given)


@pytest.mark.parametrize(("radius_mm", "sigma_mm"), [(8.0, 4.0), (14.0, 6.0), (22.0, 7.0)])
def test_the_gradient_edge_is_where_the_analytic_profile_is_steepest(radius_mm, sigma_mm):
    r_mm = np.linspace(0.5, 50.0, 20000)
    steepest_mm = r_mm[np.argmin(np.gradient(blurred_sphere(r_mm, radius_mm, sigma_mm), r_mm))]
    drawn = draw_lesion(image_of(radius_mm, sigma_mm), at_origin("gradient"))
    assert radius_of(drawn.voi.volume_ml) == pytest.approx(steepest_mm, abs=SPACING_MM / 8)
    assert steepest_mm == pytest.approx(radius_mm - sigma_mm**2 / radius_mm, abs=0.85)
