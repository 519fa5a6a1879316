"""Pictures are in radiological orientation whatever the orientation of the file."""

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.report.planes import standing

#: Axes of the file as columns: identity, flipped x and z, and one that runs S, R, A.
DIRECTIONS = {
    "LPS": np.eye(3),
    "flipped": np.diag([-1.0, 1.0, -1.0]),
    "turned": np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]], dtype=float),
}
SPOTS = {"left": (40.0, 0.0, 0.0), "posterior": (0.0, 40.0, 0.0), "superior": (0.0, 0.0, 40.0)}


def image_with_spot(direction, at_mm):
    shape, spacing = (21, 21, 21), (5.0, 5.0, 5.0)
    origin = -direction @ np.multiply(spacing, 10)
    grid = Grid(shape, spacing, tuple(origin), tuple(direction.ravel()))
    i, j, k = np.round(np.linalg.inv(grid.lps_from_ijk) @ [*at_mm, 1.0]).astype(int)[:3]
    voxels = np.zeros(shape, dtype=np.float32)
    voxels[k, j, i] = 1.0
    return standing(voxels, grid)


def spot(plane):
    """Row and column of the spot, and its place by the extent of the picture."""
    (row,), (column,) = np.nonzero(np.nan_to_num(plane.pixels))
    left, right, bottom, top = plane.extent_mm
    rows, columns = plane.pixels.shape
    return row, column, left + (column + 0.5) * (right - left) / columns, top + (row + 0.5) * (bottom - top) / rows


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_patients_left_is_on_the_right_of_axial_and_coronal(direction):
    shown = image_with_spot(direction, SPOTS["left"])
    for name in ("axial", "coronal"):
        _, column, x_mm, _ = spot(shown.plane(name, (0.0, 0.0, 0.0)))
        assert column > 10
        assert x_mm == pytest.approx(40.0)


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_posterior_is_below_in_axial_and_right_in_sagittal(direction):
    shown = image_with_spot(direction, SPOTS["posterior"])
    row, _, _, y_mm = spot(shown.plane("axial", (0.0, 0.0, 0.0)))
    assert row > 10
    assert y_mm == pytest.approx(40.0)
    _, column, y_mm, _ = spot(shown.plane("sagittal", (0.0, 0.0, 0.0)))
    assert column > 10
    assert y_mm == pytest.approx(40.0)


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_superior_is_on_top_of_coronal_and_sagittal(direction):
    shown = image_with_spot(direction, SPOTS["superior"])
    for name in ("coronal", "sagittal"):
        row, _, _, z_mm = spot(shown.plane(name, (0.0, 0.0, 0.0)))
        assert row < 10
        assert z_mm == pytest.approx(40.0)


def test_projection_shows_what_the_plane_misses():
    shown = image_with_spot(DIRECTIONS["LPS"], SPOTS["posterior"])
    assert shown.projection("coronal").pixels.sum() == 1.0
    assert shown.plane("coronal", (0.0, 0.0, 0.0)).pixels.sum() == 0.0


def test_plane_outside_the_image_is_blank():
    assert np.isnan(image_with_spot(DIRECTIONS["LPS"], SPOTS["left"]).plane("axial", (0, 0, 999.0)).pixels).all()
