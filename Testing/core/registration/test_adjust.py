"""Transforms edited by hand and time points left out, with the activity kept; a checkerboard for the eye."""

from dataclasses import replace

import numpy as np
import pytest

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Image, Study, TimePoint
from RPTDosimetryLib.registration.adjust import EDITED, left_out, realigned
from RPTDosimetryLib.registration.checkerboard import checkerboard
from RPTDosimetryLib.registration.point_map import PointMap
from RPTDosimetryLib.registration.register import register
from RPTDosimetryLib.registration.settings import RegistrationSettings

GRID = Grid((20, 24, 28), (5.0, 5.0, 5.0))
STILL = RegistrationSettings(method="none")


def blob(x_mm):
    """A body and a hot ball in it, both moved along x."""
    k, j, i = np.meshgrid(*(np.arange(n) * 5.0 for n in GRID.shape_zyx), indexing="ij")
    body = np.exp(-(((i - 65 - x_mm) / 35) ** 2 + ((j - 60) / 28) ** 2 + ((k - 48) / 30) ** 2))
    ball = np.exp(-(((i - 80 - x_mm) / 9) ** 2 + ((j - 55) / 9) ** 2 + ((k - 50) / 9) ** 2))
    return Image((1e4 * body + 8e4 * ball).astype(np.float32), GRID, "Bq/mL")


@pytest.fixture(scope="module")
def registered():
    points = tuple(TimePoint(blob(x), hours * 3600.0) for x, hours in ((0, 4), (10, 24), (-5, 72)))
    return register(Study(Administration("Lu-177", 7.4e9), points), STILL)


def shifted(x_mm):
    matrix = np.eye(4)
    matrix[0, 3] = x_mm
    return matrix


def test_the_right_matrix_brings_the_image_onto_the_reference_and_keeps_its_activity(registered):
    moved = realigned(registered, {1: shifted(10.0)}, STILL)
    np.testing.assert_allclose(moved.activity[1].voxels[5:-5, 5:-5, 5:-5], blob(0).voxels[5:-5, 5:-5, 5:-5], rtol=0.02)
    found = moved.alignments[1]
    assert found.source == EDITED
    assert found.correlation_after > 0.999 > found.correlation_before
    assert found.displacement_mm == pytest.approx(10.0)
    total = moved.activity[1].voxels.sum(dtype=float) / registered.study.time_points[1].spect.voxels.sum(dtype=float)
    assert total == pytest.approx(1.0 - found.cut_fraction, rel=1e-5)
    assert moved.activity[2] is registered.activity[2]
    assert moved.seen.sum() < registered.seen.sum(), "its field of view has moved along"


def test_moving_it_again_by_none_gives_the_first_study_back(registered):
    again = realigned(realigned(registered, {1: shifted(10.0)}, STILL), {1: np.eye(4)}, STILL)
    np.testing.assert_array_equal(again.activity[1].voxels, registered.activity[1].voxels)
    np.testing.assert_array_equal(again.seen, registered.seen)
    assert again.warnings == registered.warnings


def test_what_a_search_would_refuse_is_a_warning(registered):
    moved = realigned(registered, {1: shifted(-35.0)}, STILL)
    assert "Time point 2" in moved.alignments[1].warnings[0]


@pytest.mark.parametrize(
    ("index", "matrix", "sentence"),
    [
        (0, np.eye(4), "reference and stays"),
        (1, np.diag([-1.0, 1, 1, 1]), "mirrors"),
        (1, np.full((4, 4), np.nan), "mirrors"),
        (1, shifted(1000.0), "leaves the image"),
    ],
)
def test_a_matrix_that_cannot_be_is_refused(registered, index, matrix, sentence):
    with pytest.raises(RegistrationError, match=sentence):
        realigned(registered, {index: matrix}, STILL)


def test_leaving_out_is_as_if_it_had_never_been_there(registered):
    fewer = left_out(realigned(registered, {1: shifted(10.0)}, STILL), [1], STILL)
    points = registered.study.time_points
    without = register(replace(registered.study, time_points=(points[0], points[2])), STILL)
    np.testing.assert_array_equal(fewer.seen, without.seen)
    for a, b in zip(fewer.activity, without.activity, strict=True):
        np.testing.assert_array_equal(a.voxels, b.voxels)
    assert fewer.warnings == (
        *without.warnings,
        "The time point at 24.0 h was left out: its registration was rejected.",
    )


def test_the_reference_cannot_be_left_out(registered):
    with pytest.raises(RegistrationError, match="reference of the registration"):
        left_out(registered, [0], STILL)


def test_a_checkerboard_of_an_image_with_itself_is_that_image():
    image = blob(0)
    board = checkerboard(image, image, PointMap(np.eye(4)))
    top = np.percentile(image.voxels[image.voxels > 0], 99.5)
    np.testing.assert_allclose(board.voxels, image.voxels / top, rtol=1e-5, atol=1e-6)


def test_a_checkerboard_shows_both_images_in_turns_where_the_map_puts_them():
    one = Image(np.full(GRID.shape_zyx, 3.0, dtype=np.float32), GRID, "Bq/mL")
    ramp = np.broadcast_to(np.arange(28, dtype=np.float32), GRID.shape_zyx).copy()
    board = checkerboard(one, Image(ramp, GRID, "Bq/mL"), PointMap(shifted(5.0)), block_mm=50.0)
    top = np.percentile(ramp[ramp > 0], 99.5)
    assert board.voxels[0, 0, 0] == pytest.approx(1.0)
    assert board.voxels[0, 0, 12] == pytest.approx(13.0 / top)
    assert board.voxels[0, 10, 12] == pytest.approx(1.0)
