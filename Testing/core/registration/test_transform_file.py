"""Transforms go to files and come back exactly; edited ones are judged before they are used."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Alignment, Deformation
from RPTDosimetryLib.registration.point_map import PointMap
from RPTDosimetryLib.registration.register import register
from RPTDosimetryLib.registration.settings import RegistrationSettings
from RPTDosimetryLib.registration.transform_file import read_transform, transform_name, write_transform
from RPTDosimetryLib.virtual_patient.imaging import Pose

GRID = Grid((12, 14, 16), (10.0,) * 3, (-75.0, -65.0, -55.0))
MATRIX = Pose((6.1, -4.0, 9.0), (4.0, -6.0, 8.0)).moved_from_rest


def alignment_of(matrix, deformation=None):
    return Alignment(matrix, "rigid", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, deformation=deformation)


def bent():
    u = np.random.default_rng(2).normal(0, 3, (*GRID.shape_zyx, 3)).astype(np.float32)
    for axis in range(3):
        np.moveaxis(u, axis, 0)[[0, -1]] = 0.0
    return Deformation(u, GRID)


def test_a_matrix_comes_back_bit_for_bit(tmp_path):
    write_transform(alignment_of(MATRIX), tmp_path / "transform_2.tfm")
    found = read_transform(tmp_path / "transform_2.tfm", GRID)
    np.testing.assert_array_equal(found.matrix, MATRIX)
    assert found.deformation is None


def test_a_deformation_comes_back_bit_for_bit(tmp_path):
    alignment = alignment_of(MATRIX, bent())
    path = tmp_path / transform_name(2, alignment)
    assert path.suffix == ".h5"
    write_transform(alignment, path)
    found = read_transform(path, GRID)
    np.testing.assert_array_equal(found.matrix, MATRIX)
    np.testing.assert_array_equal(found.deformation.displacement_mm, bent().displacement_mm)
    assert found.deformation.grid == GRID


def test_the_file_is_text_in_simpleitks_direction(tmp_path):
    path = tmp_path / "transform_2.tfm"
    write_transform(alignment_of(MATRIX), path)
    assert path.read_text().startswith("#Insight Transform File")
    there = sitk.ReadTransform(str(path)).TransformPoint((10.0, 20.0, 30.0))
    np.testing.assert_allclose(there, (MATRIX @ [10.0, 20.0, 30.0, 1.0])[:3], atol=1e-9)


def test_other_programs_transforms_are_understood(tmp_path):
    euler = sitk.Euler3DTransform((5.0, 1.0, 0.0), 0.1, 0.0, -0.05, (3.0, 2.0, 1.0))
    sitk.WriteTransform(euler, str(tmp_path / "a.tfm"))
    points = np.array([[10.0, -20.0, 30.0]])
    np.testing.assert_allclose(
        read_transform(tmp_path / "a.tfm", GRID).moving(points)[0], euler.TransformPoint(points[0]), atol=1e-9
    )
    spline = sitk.BSplineTransformInitializer(sitk.Image([16, 14, 12], sitk.sitkUInt8), [2, 2, 2])
    spline = sitk.BSplineTransform(3, 3)
    spline.SetTransformDomainOrigin((-80.0, -70.0, -60.0))
    spline.SetTransformDomainPhysicalDimensions((160.0, 140.0, 120.0))
    spline.SetTransformDomainMeshSize((2, 2, 2))
    spline.SetParameters(np.random.default_rng(0).normal(0, 4, len(spline.GetParameters())).tolist())
    sitk.WriteTransform(spline, str(tmp_path / "b.tfm"))
    found = read_transform(tmp_path / "b.tfm", Grid((49, 57, 65), (2.4,) * 3, (-76.8, -67.2, -57.6)))
    np.testing.assert_allclose(found.moving(points)[0], spline.TransformPoint(points[0]), atol=0.05)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"nonsense", "cannot be read"),
        (b"", "cannot be read"),
        (b"#Insight Transform File V1.0\nTransform: AffineTransform_double_3_3\nParameters: -1 0 0 0 1 0 0 0 1 0 0 0\n"
         b"FixedParameters: 0 0 0\n", "mirrors"),
        (b"#Insight Transform File V1.0\nTransform: AffineTransform_double_3_3\nParameters: nan 0 0 0 1 0 0 0 1 0 0 0\n"
         b"FixedParameters: 0 0 0\n", "NaN|cannot be read"),
        (b"#Insight Transform File V1.0\nTransform: AffineTransform_double_2_2\nParameters: 1 0 0 1 0 0\n"
         b"FixedParameters: 0 0\n", "2 dimensions|cannot be read"),
    ],
)  # fmt: skip
def test_files_that_are_no_transform_are_one_clear_error(tmp_path, content, says):
    path = tmp_path / "transform_2.tfm"
    path.write_bytes(content)
    with pytest.raises(RegistrationError, match=says):
        read_transform(path, GRID)


def test_a_given_transform_is_used_as_it_is_and_named(tmp_path, scan, study_of):
    pose = Pose((15.0, -8.0, 5.0), (2.0, 0.0, 4.0))
    study = study_of(scan(4.0), scan(24.0, pose))
    write_transform(alignment_of(pose.moved_from_rest), tmp_path / "transform_2.tfm")
    registered = register(study, RegistrationSettings(transforms=tmp_path))
    found = registered.alignments[1]
    np.testing.assert_array_equal(found.moving_from_fixed, pose.moved_from_rest)
    assert found.source.startswith("transform_2.tfm, SHA-256 ")
    assert found.mutual_information_after > found.mutual_information_before
    assert not any("none" in w for w in registered.warnings)


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        (Pose((900.0, 0.0, 0.0)).moved_from_rest, "leaves the image"),
        (Pose((100.0, 100.0, 0.0)).moved_from_rest, "more than a patient moves"),
        (Pose((40.0, 40.0, 0.0)).moved_from_rest, "little in common|worse than none"),
        (np.diag([1.5, 1.5, 1.0, 1.0]), "volume changes"),
    ],
)
def test_a_given_transform_that_fails_is_refused(tmp_path, scan, study_of, matrix, says):
    write_transform(alignment_of(matrix), tmp_path / "transform_2.tfm")
    with pytest.raises(RegistrationError, match=says):
        register(study_of(scan(4.0), scan(24.0)), RegistrationSettings(transforms=tmp_path))


def test_missing_double_and_misplaced_files_are_refused(tmp_path, scan, study_of):
    study, settings = study_of(scan(4.0), scan(24.0)), RegistrationSettings(transforms=tmp_path)
    with pytest.raises(RegistrationError, match=r"holds no transform_2\.tfm"):
        register(study, settings)
    with pytest.raises(RegistrationError, match="no such folder"):
        register(study, replace(settings, transforms=tmp_path / "none"))
    write_transform(alignment_of(np.eye(4)), tmp_path / "transform_2.tfm")
    write_transform(alignment_of(np.eye(4)), tmp_path / "transform_2.txt")
    with pytest.raises(RegistrationError, match="keep one transform for time point 2"):
        register(study, settings)
    (tmp_path / "transform_2.txt").unlink()
    write_transform(alignment_of(MATRIX), tmp_path / "transform_1.tfm")
    with pytest.raises(RegistrationError, match="is the reference and stays"):
        register(study, settings)


def test_the_ending_must_hold_the_transform(tmp_path):
    with pytest.raises(RegistrationError, match=r"\.h5"):
        write_transform(alignment_of(MATRIX, bent()), tmp_path / "a.tfm")
    assert list(tmp_path.iterdir()) == []


def test_the_still_transform_moves_no_point():
    assert PointMap(np.eye(4)).still
    assert not PointMap(np.eye(4), bent()).still
