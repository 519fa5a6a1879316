"""What was drawn lands where the reference has it, for rigid, affine and deformed alignments."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.errors import GridMismatchError, RegistrationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Alignment, Contours, Deformation, Image, Segment
from RPTDosimetryLib.registration.carry_over import (
    contours_on_reference,
    image_on_reference,
    labels_on_reference,
    mask_on_reference,
    segment_on_reference,
)
from RPTDosimetryLib.registration.point_map import PointMap
from RPTDosimetryLib.virtual_patient.imaging import Pose

GRID = Grid((50, 50, 50), (4.8,) * 3, (-117.6,) * 3)
POSE = Pose((6.0, -4.0, 9.0), (4.0, -6.0, 8.0)).moved_from_rest


def alignment_of(matrix=None, deformation=None):
    matrix = np.eye(4) if matrix is None else matrix
    return Alignment(matrix, "bspline", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, deformation=deformation)


def swollen(amplitude_mm=10.0, wave_mm=150.0):
    """u = a·sin along each axis, fading out at the border."""
    k, j, i = np.indices(GRID.shape_zyx)
    lps = np.stack([-117.6 + 4.8 * n for n in (i, j, k)], axis=-1)
    fade = np.prod(np.cos(np.pi / 2 * lps / 117.6), axis=-1)[..., None]
    fade[[0, -1]] = fade[:, [0, -1]] = fade[:, :, [0, -1]] = 0.0
    return Deformation((amplitude_mm * fade * np.sin(2 * np.pi * lps / wave_mm)).astype(np.float32), GRID)


def affine():
    matrix = POSE.copy()
    matrix[:3, :3] = matrix[:3, :3] @ np.diag([1.1, 0.95, 1.05])
    return matrix


MAPS = {"rigid": (POSE, None), "affine": (affine(), None), "deformed": (POSE, swollen())}
inside = st.tuples(*[st.floats(-90, 90)] * 3)


@settings(max_examples=40, deadline=None)
@given(point=inside, name=st.sampled_from(sorted(MAPS)))
def test_the_inverse_comes_back_to_the_point(point, name):
    mapped = PointMap(*MAPS[name])
    there = mapped.moving(np.array([point]))
    assert np.linalg.norm(mapped.fixed(there) - point) < 0.02


@settings(max_examples=30, deadline=None)
@given(point=inside, name=st.sampled_from(sorted(MAPS)))
def test_points_go_where_simpleitk_puts_them(point, name):
    mapped = PointMap(*MAPS[name])
    np.testing.assert_allclose(mapped.moving(np.array([point]))[0], mapped.transform().TransformPoint(point), atol=1e-3)


def test_the_jacobian_is_that_of_the_formula():
    # u_x = a·sin(2πx/w) where nothing fades: det = 1 + 2πa/w·cos(2πx/w)
    x = -117.6 + 4.8 * np.indices(GRID.shape_zyx)[2]
    u = np.zeros((*GRID.shape_zyx, 3), dtype=np.float32)
    u[..., 0] = 8.0 * np.sin(2 * np.pi * x / 200.0)
    found = PointMap(affine(), Deformation(u, GRID)).jacobian_on(GRID)
    expected = 1.1 * 0.95 * 1.05 * (1 + 2 * np.pi * 8.0 / 200.0 * np.cos(2 * np.pi * x / 200.0))
    np.testing.assert_allclose(found[5:-5, 5:-5, 5:-5], expected[5:-5, 5:-5, 5:-5], rtol=0.004)


@pytest.mark.parametrize("name", sorted(MAPS))
def test_contours_and_masks_of_one_structure_land_on_the_same_place(name):
    mapped = PointMap(*MAPS[name])
    alignment = alignment_of(*MAPS[name])
    centre = np.array([20.0, -15.0, 10.0])  # in the reference
    there = mapped.moving(centre[None])[0]
    fine = Grid((71, 71, 71), (0.5,) * 3, tuple(there - 17.5))
    k, j, i = np.indices(fine.shape_zyx)
    distance = np.sqrt(sum((n * 0.5 - 17.5) ** 2 for n in (i, j, k)))
    mask, grid = mask_on_reference(distance < 12.0, fine, alignment)
    ijk = np.argwhere(mask).mean(axis=0)[::-1]
    landed = (grid.lps_from_ijk @ [*ijk, 1.0])[:3]
    assert np.linalg.norm(landed - centre) < 1.0
    volume_ratio = mask.sum() / (distance < 12.0).sum()
    point = Grid((1, 1, 1), (1.0,) * 3, tuple(centre))
    assert volume_ratio == pytest.approx(1 / mapped.jacobian_on(point).item(), rel=0.04)
    (polygon,) = contours_on_reference(Contours("a", (there[None],)), alignment).polygons_mm
    assert np.linalg.norm(polygon[0] - centre) < 0.02
    segment = segment_on_reference(Segment("a", distance < 12.0, fine), alignment)
    np.testing.assert_array_equal(segment.mask, mask)
    assert segment.grid == grid


def test_a_rigid_move_touches_no_label():
    labels = Image(np.random.default_rng(1).integers(0, 5, GRID.shape_zyx).astype(np.int32), GRID, "1")
    moved = labels_on_reference(labels, alignment_of(POSE))
    assert moved.voxels is labels.voxels
    corner = (moved.grid.lps_from_ijk @ [49, 49, 49, 1])[:3]
    np.testing.assert_allclose(POSE @ [*corner, 1.0], GRID.lps_from_ijk @ [49, 49, 49, 1.0], atol=1e-9)
    assert labels_on_reference(labels, alignment_of()) is labels


def test_nothing_of_a_large_image_is_cut_off():
    values = np.full((80, 80, 80), 40.0, dtype=np.float32)
    ct = Image(values, Grid(values.shape, (3.0,) * 3, (-118.5,) * 3), "HU")
    moved = image_on_reference(ct, alignment_of(affine()), -1000.0, "linear")
    volume = (moved.voxels > -480).sum() * moved.grid.voxel_volume_ml
    assert volume == pytest.approx(240.0**3 / 1000.0 / (1.1 * 0.95 * 1.05), rel=0.01)


def test_a_deformation_that_folds_has_no_inverse():
    folded = replace(swollen(), displacement_mm=6 * swollen().displacement_mm)
    with pytest.raises(RegistrationError, match="cannot be inverted"):
        PointMap(np.eye(4), folded).fixed(np.random.default_rng(0).uniform(-90, 90, (200, 3)))


def test_displacements_need_their_grid():
    with pytest.raises(GridMismatchError, match="do not fit"):
        Deformation(np.zeros((2, 2, 2, 3), np.float32), GRID)
