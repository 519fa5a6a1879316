"""Contours that cross themselves, overlap, or are written twice: one stated result, and said."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Contours
from RPTDosimetryLib.vois.contour_crossings import crossings_said
from RPTDosimetryLib.vois.contours import draw_contours
from RPTDosimetryLib.vois.polygons import area, even_odd_area

GRID = Grid((20, 50, 50), (2.0, 2.0, 3.0), (-50.0, -50.0, -30.0))


def stack(*outlines, heights=(0.0, 3.0, 6.0)):
    return Contours(
        "organ", tuple(np.column_stack([o, np.full(len(o), z)]) for z in heights for o in map(np.asarray, outlines))
    )


def box(x0, y0, x1, y1):
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


BOW_TIE = [(-20.0, -20.0), (20.0, 20.0), (20.0, -20.0), (-20.0, 20.0)]


def test_a_figure_eight_counts_both_lobes_and_is_said_with_its_slice():
    drawn = draw_contours(stack(BOW_TIE), GRID)
    assert drawn.volume_ml == pytest.approx(2 * 0.5 * 40 * 20 * 9.0 / 1000, rel=0.005)
    (text,) = drawn.warnings
    assert text.startswith("organ: 3 contours cross themselves, the first on the slice at z = 0.0 mm")
    assert "even-odd" in text


def test_lobes_of_unequal_size_are_found_too():
    eight = [(-20.0, -20.0), (4.0, 4.0), (4.0, -4.0), (-20.0, 20.0)]  # lobes meet at the origin: 400 and 16 mm2
    drawn = draw_contours(stack(eight), GRID)
    assert drawn.volume_ml == pytest.approx(416 * 9.0 / 1000, rel=0.005)
    assert any("cross themselves" in text for text in drawn.warnings)


def test_what_two_overlapping_contours_share_is_left_out_and_said():
    drawn = draw_contours(stack(box(-20, -20, 10, 10), box(0, 0, 30, 30)), GRID)
    assert drawn.volume_ml == pytest.approx((900 + 900 - 2 * 100) * 9.0 / 1000, rel=0.005)
    (text,) = drawn.warnings
    assert text.startswith(
        "organ: 3 contours overlap another one on their slice in part, the first on the slice at z = 0.0"
    )


@pytest.mark.parametrize(
    "outlines",
    [
        (box(-20, -20, 20, 20),),
        (box(-20, -20, 20, 20), box(-5, -5, 5, 5)),  # a hole
        (box(-20, -20, 20, 20), box(-20, -20, 5, 5)),  # a hole that shares two edges
        (box(-20, -20, 0, 20), box(0, -20, 20, 20)),  # neighbours that share an edge
        (box(-20, -20, -5, -5), box(5, 5, 20, 20)),
        ([*box(-20, -20, 20, 20), (-20, 0), (-5, 0), (-5, 5), (5, 5), (5, -5), (-5, -5), (-5, 0), (-20, 0)],),
        ([(-20, 0), (0, -1), (20, 0), (0, 1)],),
    ],
    ids=["box", "hole", "hole at the edge", "neighbours", "apart", "keyhole", "thin"],
)  # fmt: skip
def test_proper_contours_are_not_said(outlines):
    assert draw_contours(stack(*outlines), GRID).warnings == ()


@pytest.mark.parametrize(
    "copy", [lambda o: o, lambda o: o[::-1], lambda o: o[2:] + o[:2], lambda o: (o[2:] + o[:2])[::-1]]
)
def test_a_contour_written_twice_counts_once_and_is_said(copy):
    outline = [(-20.0, -20.0), (20.0, -20.0), (25.0, 10.0), (0.0, 20.0), (-20.0, 12.0)]
    once, twice = draw_contours(stack(outline), GRID), draw_contours(stack(outline, copy(outline)), GRID)
    assert np.array_equal(once.fraction, twice.fraction)
    assert twice.warnings == ("organ: 3 contours are written twice and count once.",)


def test_sagittal_contours_are_judged_in_their_own_planes():
    turned = Contours("organ", tuple(p[:, [2, 0, 1]] for p in stack(BOW_TIE).polygons_mm))
    assert any("cross themselves" in text for text in draw_contours(turned, GRID).warnings)


@given(st.integers(3, 40), st.floats(0.2, 300.0), st.floats(1.0, 8.0), st.integers(0, 10**6))
def test_a_star_shaped_polygon_has_the_same_area_by_both_rules(count, size, stretch, seed):
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi - 0.1, count)) + np.linspace(0, 0.1, count)
    radius = size * rng.uniform(0.5, 1.0, count)
    polygon = np.column_stack([stretch * radius * np.cos(angle), radius * np.sin(angle)])
    box_area = float(np.ptp(polygon, axis=0).prod())
    gaps = np.diff(np.r_[angle, angle[0] + 2 * np.pi])
    if gaps.max() < np.pi:  # the centre lies inside: star-shaped, hence simple
        assert even_odd_area([polygon]) == pytest.approx(area(polygon), abs=1e-9 * box_area)


def test_the_search_takes_no_more_time_than_drawing():
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    ring = np.column_stack([30 * np.cos(angle), 20 * np.sin(angle)])
    polygons = [np.column_stack([ring, np.full(200, 0.0)]) for _ in range(100)]
    start = time.perf_counter()
    for polygon in polygons:
        even_odd_area([polygon[:, :2]])
    assert time.perf_counter() - start < 1.0


def test_a_small_hole_in_a_large_body_is_no_overlap():
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    body = np.column_stack([200 * np.cos(angle), 130 * np.sin(angle), np.zeros(400)])
    holes = [body * (0.01, 0.01, 1) + (13.7 * n, 9.1 * n, 0) for n in range(-5, 6)]
    assert crossings_said([body, *holes], [list(range(12))], GRID, "body") == ()
    crossed = [body, body * (0.01, 0.01, 1) + (200.0, 0, 0)]
    (said,) = crossings_said(crossed, [[0, 1]], GRID, "body")
    assert "1 contours overlap another one" in said
