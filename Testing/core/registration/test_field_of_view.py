"""Cut bodies are said, whole ones are not."""

import dataclasses

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Image, Study, TimePoint
from RPTDosimetryLib.registration.field_of_view import beyond_ct, ct_cut, hot_ends, spect_cut, truncation

SPECT = Grid((40, 80, 80), (4.8, 4.8, 4.8), (-189.6, -189.6, -93.6))
CT = Grid((40, 128, 128), (3.9, 3.9, 4.8), (-247.65, -247.65, -93.6))


def trunk(grid, centre=(0.0, 0.0), half=(150.0, 100.0)):
    """1 inside an elliptic cylinder along z, 0 outside."""
    _, nj, ni = grid.shape_zyx
    x = grid.origin_mm[0] + grid.spacing_mm[0] * np.arange(ni) - centre[0]
    y = grid.origin_mm[1] + grid.spacing_mm[1] * np.arange(nj) - centre[1]
    inside = (x[None] / half[0]) ** 2 + (y[:, None] / half[1]) ** 2 < 1
    return np.broadcast_to(inside, grid.shape_zyx)


def spect(**place):
    rng = np.random.default_rng(1)
    voxels = np.where(
        trunk(SPECT, **place), rng.gamma(20.0, 50.0, SPECT.shape_zyx), rng.gamma(1.0, 5.0, SPECT.shape_zyx)
    )
    voxels[18:24, 36:44, 50:56] += 3e4  # an organ in the middle of the stack
    return Image(voxels.astype(np.float32), SPECT, "Bq/mL")


def ct(circle=True, **place):
    hu = np.where(trunk(CT, **place), 30.0, -1000.0).astype(np.float32)
    hu[:, 110:113, 20:108] = 50.0  # a couch
    if circle:
        y, x = np.meshgrid(*[np.arange(128) - 63.5] * 2, indexing="ij")
        hu[:, np.hypot(x, y) > 64.0] = -1000.0
    return Image(hu, CT, "HU")


def test_a_whole_trunk_raises_nothing():
    assert spect_cut(spect(), "T") == []
    assert ct_cut(ct(), "CT") == []
    assert ct_cut(ct(circle=False), "CT") == []
    assert hot_ends(spect(), "T") == []
    assert beyond_ct(spect(), ct(), "T") == []
    whole = TimePoint(spect(), 0.0, ct=ct())
    found = truncation(Study(Administration(), (whole,)))
    assert found == dataclasses.replace(found, warnings=(), notes=())


def test_a_spect_that_cuts_the_body_names_the_side():
    (left,) = spect_cut(spect(centre=(80.0, 0.0)), "Time point 1")
    assert "Time point 1: the field of view of the SPECT cuts the body on the left" in left
    assert "right" not in left
    mirrored = dataclasses.replace(SPECT, direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1), origin_mm=(189.6, 189.6, -93.6))
    (right,) = spect_cut(Image(spect(centre=(80.0, 0.0)).voxels, mirrored, "Bq/mL"), "T")
    assert "right" in right
    (back,) = spect_cut(spect(centre=(0.0, 120.0)), "T")
    assert "posterior" in back


def test_a_ct_that_cuts_the_body_by_its_circle_or_its_side():
    (circle,) = ct_cut(ct(centre=(70.0, 70.0), half=(170.0, 150.0)), "CT")
    assert "circular field of view cuts the body" in circle
    (side,) = ct_cut(ct(circle=False, half=(265.0, 120.0)), "CT")
    assert "left" in side
    assert "right" in side


def test_a_spect_beyond_its_ct_gives_length_and_share():
    short = ct()
    low = Grid((30, 128, 128), CT.spacing_mm, (CT.origin_mm[0], CT.origin_mm[1], CT.origin_mm[2] + 48.0))
    short = Image(short.voxels[10:], low, "HU")
    (told,) = beyond_ct(spect(), short, "Time point 2")
    assert "Time point 2: the SPECT reaches 48 mm below its CT" in told
    expected = spect().voxels[:10].sum(dtype=float) / spect().voxels.sum(dtype=float)
    assert f"{expected:.1%}" in told


@pytest.mark.parametrize(("k", "end"), [(0, "first"), (36, "last")])
def test_an_organ_at_an_end_slice_is_noted(k, end):
    image = spect()
    image.voxels[k : k + 4, 36:46, 30:40] += 2e4
    (note,) = hot_ends(image, "T")
    assert f"the {end} slice" in note


def test_an_image_without_activity_is_left_to_other_checks():
    empty = Image(np.zeros(SPECT.shape_zyx, np.float32), SPECT, "Bq/mL")
    assert spect_cut(empty, "T") == []
    assert hot_ends(empty, "T") == []
