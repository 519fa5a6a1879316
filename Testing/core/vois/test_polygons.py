"""Cover of pixels by polygons, against areas known from geometry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.vois.polygons import area, covered_fraction

SQUARE = np.array([[2.0, 2.0], [6.0, 2.0], [6.0, 6.0], [2.0, 6.0]])


def test_a_square_between_pixel_centres_covers_halves_and_quarters():
    cover = covered_fraction([SQUARE], (0, 0), (9, 9))
    assert cover[4, 4] == pytest.approx(1.0)
    assert cover[4, 2] == pytest.approx(0.5)
    assert cover[2, 2] == pytest.approx(0.25)
    assert cover[4, 1] == 0
    assert cover.sum() == pytest.approx(16.0, abs=1e-5)


def test_a_triangle_has_half_the_area_of_its_box():
    triangle = np.array([[1.0, 1.0], [17.3, 1.0], [1.0, 12.6]])
    assert covered_fraction([triangle], (0, 0), (20, 20)).sum() == pytest.approx(16.3 * 11.6 / 2, rel=2e-3)


def test_a_hole_is_cut_out_whether_drawn_apart_or_by_keyhole():
    outer = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
    hole = np.array([[4.0, 4.0], [6.0, 4.0], [6.0, 6.0], [4.0, 6.0]])
    keyhole = np.concatenate([outer, outer[:1], hole[::-1], hole[-1:]])
    apart = covered_fraction([outer, hole], (-1, -1), (13, 13))
    through = covered_fraction([keyhole], (-1, -1), (13, 13))
    assert apart.sum() == pytest.approx(96.0, abs=1e-4)
    assert apart[6, 6] == pytest.approx(0.0, abs=1e-6)  # pixel (5, 5), the middle of the hole
    np.testing.assert_allclose(through, apart, atol=1e-5)


def test_an_island_in_a_hole_counts_again():
    rings = [np.array([[-r, -r], [r, -r], [r, r], [-r, r]], dtype=float) for r in (8.0, 5.0, 2.0)]
    assert covered_fraction(rings, (-10, -10), (21, 21)).sum() == pytest.approx(256 - 100 + 16, abs=1e-3)


def test_the_direction_and_starting_point_of_a_polygon_do_not_matter():
    polygon = np.array([[1.3, 0.7], [8.1, 2.2], [6.6, 7.9], [3.0, 6.1]])
    expected = covered_fraction([polygon], (0, 0), (10, 10))
    np.testing.assert_allclose(covered_fraction([polygon[::-1]], (0, 0), (10, 10)), expected, atol=1e-6)
    np.testing.assert_allclose(covered_fraction([np.roll(polygon, 2, axis=0)], (0, 0), (10, 10)), expected, atol=1e-6)


def test_what_lies_left_and_right_of_the_block_does_not_leak_into_it():
    wide = np.array([[-50.0, 2.0], [50.0, 2.0], [50.0, 5.0], [-50.0, 5.0]])
    cover = covered_fraction([wide], (0, 0), (8, 6))
    np.testing.assert_allclose(cover[3], 1.0, atol=1e-6)
    assert cover.sum() == pytest.approx(18.0, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    radii=st.lists(st.floats(2.0, 14.0), min_size=5, max_size=24),
    shift=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
)
def test_star_shapes_have_the_area_of_the_shoelace_formula(radii, shift):
    angle = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    star = np.column_stack([np.cos(angle), np.sin(angle)]) * np.asarray(radii)[:, None] + shift
    cover = covered_fraction([star], (-16, -16), (33, 33))
    assert cover.min() >= -1e-5
    assert cover.max() <= 1 + 1e-5
    assert cover.sum() == pytest.approx(area(star), rel=0.01, abs=0.15)
