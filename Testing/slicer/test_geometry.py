"""LPS of the library and RAS of Slicer agree, for oblique grids too, and against SimpleITK reading the same file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.errors import GridMismatchError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image


def oblique(angles):
    a, b, c = angles
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return tuple((x @ y @ z).ravel())


OBLIQUE = Grid((4, 5, 6), (2.0, 3.0, 4.5), (-11.0, 22.0, 333.0), oblique((0.2, -0.4, 0.7)))


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.floats(-3, 3)] * 3), st.tuples(*[st.floats(0.2, 10)] * 3), st.tuples(*[st.floats(-500, 500)] * 3))
def test_any_grid_comes_back_from_its_matrix(scene_once, angles, spacing, origin):
    from RPTDosimetryLib.bridge.geometry import grid_from, ras_from_ijk

    grid = Grid((4, 5, 6), spacing, origin, oblique(angles))
    assert grid_from(grid.shape_zyx, ras_from_ijk(grid)).same_as(grid, tolerance_mm=1e-6)


@pytest.fixture(scope="module")
def scene_once(_core):
    return _core


def test_a_volume_written_by_slicer_is_read_alike_by_simpleitk(scene, tmp_path):
    """Independent check: Slicer's own NRRD writer and SimpleITK's reader."""
    import slicer

    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.volumes import volume_from_image
    from RPTDosimetryLib.study.image_files import read_image

    voxels = np.arange(120, dtype=np.float32).reshape(OBLIQUE.shape_zyx)
    node = volume_from_image(Image(voxels, OBLIQUE, "Gy"), "dose", at.DOSE)
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(tmp_path / "dose.nrrd"))
    assert storage.WriteData(node)
    read = read_image(tmp_path / "dose.nrrd", "Gy")
    assert read.grid.same_as(OBLIQUE, tolerance_mm=1e-4)
    np.testing.assert_array_equal(read.voxels, voxels)


def test_a_volume_read_by_slicer_has_the_grid_that_simpleitk_wrote(scene, tmp_path):
    import slicer

    from RPTDosimetryLib.bridge.volumes import image_of
    from RPTDosimetryLib.study.image_files import write_image

    voxels = np.arange(120, dtype=np.float32).reshape(OBLIQUE.shape_zyx)
    write_image(Image(voxels, OBLIQUE, "HU"), tmp_path / "ct.nrrd")
    node = slicer.modules.volumes.logic().AddArchetypeVolume(str(tmp_path / "ct.nrrd"), "ct")
    image = image_of(node)
    assert image.grid.same_as(OBLIQUE, tolerance_mm=1e-4)
    np.testing.assert_array_equal(image.voxels, voxels)


def test_points_change_the_sign_of_x_and_y_only(scene):
    from RPTDosimetryLib.bridge.geometry import lps_point, ras_point

    assert ras_point([[1.0, 2.0, 3.0]]).tolist() == [[-1.0, -2.0, 3.0]]
    assert lps_point(ras_point([4.0, -5.0, 6.0])).tolist() == [4.0, -5.0, 6.0]


def test_sheared_axes_are_refused_with_advice(scene):
    from RPTDosimetryLib.bridge.geometry import grid_from

    matrix = np.eye(4)
    matrix[0, 1] = 0.3
    with pytest.raises(GridMismatchError, match=r"not perpendicular.*resample"):
        grid_from((2, 2, 2), matrix)


def test_a_volume_without_voxels_is_refused_by_name(scene):
    from RPTDosimetryLib.bridge.geometry import grid_of_volume

    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty one")
    with pytest.raises(GridMismatchError, match="empty one"):
        grid_of_volume(node)


def test_an_alignment_moves_points_as_the_transform_node_does(scene):
    """A reference point goes into the time point by the record; the node takes it back."""
    import vtk

    from RPTDosimetryLib.bridge.geometry import ras_point
    from RPTDosimetryLib.bridge.transforms import alignment_of, transform_from
    from RPTDosimetryLib.records import Alignment

    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(oblique((0.1, 0.2, -0.3)), (3, 3))
    matrix[:3, 3] = (5.0, -7.0, 11.0)
    alignment = Alignment(matrix, "rigid", 0.1, 0.5, 0.6, 0.9, 3.0, 2.0, 1.01, 0.02, ("a note",))
    node = transform_from(alignment, "24 h onto reference", 2)
    in_reference = np.array([10.0, 20.0, 30.0, 1.0])
    in_time_point = (matrix @ in_reference)[:3]
    general = vtk.vtkGeneralTransform()
    node.GetTransformToWorld(general)
    moved = general.TransformPoint(*ras_point(in_time_point))
    np.testing.assert_allclose(moved, ras_point(in_reference[:3]), atol=1e-9)
    back = alignment_of(node)
    np.testing.assert_allclose(back.moving_from_fixed, matrix, atol=1e-12)
    assert (back.method, back.correlation_after, back.warnings) == ("rigid", 0.9, ("a note",))
