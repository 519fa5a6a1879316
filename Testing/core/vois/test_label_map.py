"""Label maps of other grids on the dose grid."""

import numpy as np
import pytest

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.vois.delineate import vois_from_labels
from RPTDosimetryLib.vois.label_map import labels_on


def ball(grid, centre, radius_mm):
    axes = [o + s * np.arange(n) for o, s, n in zip(grid.origin_mm, grid.spacing_mm, grid.shape_zyx[::-1], strict=True)]
    z, y, x = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 < radius_mm**2


@pytest.fixture
def fine():
    grid = Grid((60, 80, 80), (1.5, 1.5, 2.0), (-60.0, -60.0, -60.0))
    labels = np.zeros(grid.shape_zyx, dtype=np.int32)
    labels[ball(grid, (-12.0, 0.0, 0.0), 22.0)] = 1
    labels[ball(grid, (25.0, 5.0, 3.0), 16.0)] = 7
    return Image(labels, grid, "1")


def test_the_same_grid_gives_the_labels_themselves(fine):
    np.testing.assert_array_equal(labels_on(fine, fine.grid), fine.voxels)


def test_volumes_survive_a_coarser_grid(fine):
    vois = vois_from_labels(fine, {1: "organ", 7: "Lesion 3"}, Grid((24, 24, 24), (4.8,) * 3, (-58.0,) * 3), "map")
    # The smaller ball was painted over the larger where they touch; both volumes are those of the fine map.
    fine_ml = [float((fine.voxels == n).sum()) * fine.grid.voxel_volume_ml for n in (1, 7)]
    assert [voi.volume_ml for voi in vois] == pytest.approx(fine_ml, rel=0.02)
    assert [voi.kind for voi in vois] == ["organ", "lesion"]
    assert not (vois[0].mask & vois[1].mask).any()


def test_a_voxel_goes_to_the_label_that_fills_most_of_it():
    source = Grid((1, 1, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    labels = Image(np.array([[[1, 2, 2, 2, 3, 0, 0, 0]]], dtype=np.int16), source, "1")
    onto = Grid((1, 1, 2), (4.0, 1.0, 1.0), (1.5, 0.0, 0.0))
    np.testing.assert_array_equal(labels_on(labels, onto), [[[2, 0]]])


def test_a_label_that_vanishes_on_the_dose_grid_is_an_error(fine):
    voxels = fine.voxels.copy()
    voxels[30, 5, 5] = 9
    with pytest.raises(VoiError, match=r"label 9 \(speck\) is empty"):
        vois_from_labels(fine.with_voxels(voxels), {9: "speck"}, Grid((24, 24, 24), (4.8,) * 3, (-58.0,) * 3), "map")


def test_broken_numbers_are_refused(fine):
    with pytest.raises(VoiError, match="whole labels"):
        labels_on(fine.with_voxels(fine.voxels.astype(np.float32) * 0.5), Grid((4, 4, 4), (9.0,) * 3))
