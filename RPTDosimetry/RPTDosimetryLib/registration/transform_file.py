"""Alignments as transform files that ITK and Slicer open, and back."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK as sitk

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Alignment
from RPTDosimetryLib.registration.point_map import PointMap, deformation_from_field, sampled_deformation

#: Endings that are read: ITK transforms, and displacement fields [mm, LPS].
TRANSFORMS: Final = (".tfm", ".txt", ".h5", ".hdf5")
FIELDS: Final = (".nrrd", ".nii", ".nii.gz", ".mha")


def transform_name(number: int, alignment: Alignment) -> str:
    """File name for time point ``number`` (from 1): text for a matrix, HDF5 for a deformation."""
    return f"transform_{number}.tfm" if alignment.deformation is None else f"transform_{number}.h5"


def write_transform(alignment: Alignment, path: Path) -> None:
    """Write T as SimpleITK's WriteTransform does: from points of the reference to points of the time point, LPS [mm].

    A matrix is an AffineTransform; a deformation is a composite of it and a displacement field. In Slicer the file is a
    transform node that, put on the time point's image, brings it onto the reference. Raises RegistrationError for an
    ending that cannot hold it, ReportError when the disk refuses.
    """
    needed = TRANSFORMS[:2] if alignment.deformation is None else TRANSFORMS[2:]
    if not path.name.lower().endswith(needed):
        raise RegistrationError(f"{path.name}: this transform is written as {' or '.join(needed)}.")
    with whole_file(path) as temporary:
        try:
            sitk.WriteTransform(PointMap.of(alignment).transform(), str(temporary))
        except RuntimeError as error:
            raise OSError(str(error).strip().splitlines()[-1].strip()) from error


def read_transform(path: Path, over: Grid) -> PointMap:
    """T from an ITK transform file (.tfm, .txt, .h5) or a displacement field (.nrrd, .nii.gz, .mha) [mm].

    A matrix and what write_transform wrote come back exactly. Any other transform (a B-spline, a grid of Slicer) is
    sampled at the voxels of ``over``, the reference's working grid. Raises RegistrationError: unreadable, not 3-D, NaN,
    a matrix that mirrors or flattens.
    """
    try:
        if path.name.lower().endswith(FIELDS):
            field = deformation_from_field(sitk.ReadImage(str(path)))
            found = PointMap(np.eye(4), field)
        else:
            found = _of_transform(sitk.ReadTransform(str(path)), over)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise RegistrationError(f"{path} cannot be read as a transform: {reason}") from error
    _require_sound(found, path)
    return found


def given_transform(folder: Path, number: int, over: Grid) -> tuple[PointMap, str] | None:
    """The transform of time point ``number`` in a folder, with its name and SHA-256; None where there is none.

    Raises RegistrationError: no such folder, two files for one time point, and as read_transform.
    """
    if not folder.is_dir():
        raise RegistrationError(f"registration.transforms = {folder}: no such folder.")
    named = [folder / f"transform_{number}{ending}" for ending in (*TRANSFORMS, *FIELDS)]
    found = [path for path in named if path.is_file()]
    if len(found) > 1:
        raise RegistrationError(
            f"{folder} holds {' and '.join(path.name for path in found)}: keep one transform for time point {number}."
        )
    if not found:
        return None
    digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
    return read_transform(found[0], over), f"{found[0].name}, SHA-256 {digest}"


def _of_transform(transform: sitk.Transform, over: Grid) -> PointMap:
    if transform.GetDimension() != 3:
        raise RegistrationError(f"a transform in {transform.GetDimension()} dimensions moves no volume.")
    if transform.IsLinear():
        return PointMap(_linear(transform))
    parts = _parts(transform)
    if len(parts) == 2 and parts[0].IsLinear() and parts[1].GetTransformEnum() == sitk.sitkDisplacementField:
        field = sitk.DisplacementFieldTransform(parts[1]).GetDisplacementField()
        return PointMap(_linear(parts[0]), deformation_from_field(field))
    return PointMap(np.eye(4), sampled_deformation(transform, over))


def _parts(transform: sitk.Transform) -> list[sitk.Transform]:
    if transform.GetTransformEnum() != sitk.sitkComposite:
        return [transform]
    composite = sitk.CompositeTransform(transform)
    return [composite.GetNthTransform(n) for n in range(composite.GetNumberOfTransforms())]


def _linear(transform: sitk.Transform) -> np.ndarray:
    """The 4×4 matrix of a linear transform, from where it puts the origin and the unit vectors.

    An affine transform about the origin, as write_transform writes it, is read by its parameters, exactly.
    """
    matrix = np.eye(4)
    if transform.GetTransformEnum() == sitk.sitkAffine and not np.any(transform.GetFixedParameters()):
        parameters = transform.GetParameters()
        matrix[:3, :3] = np.reshape(parameters[:9], (3, 3))
        matrix[:3, 3] = parameters[9:]
        return matrix
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    for axis in range(3):
        matrix[:3, axis] = np.subtract(transform.TransformPoint(np.eye(3)[axis].tolist()), matrix[:3, 3])
    return matrix


def _require_sound(found: PointMap, path: Path) -> None:
    displacement = 0.0 if found.deformation is None else found.deformation.displacement_mm
    if not (np.isfinite(found.matrix).all() and np.isfinite(displacement).all()):
        raise RegistrationError(f"{path} holds NaN or infinite numbers. Save the transform again.")
    if np.linalg.det(found.matrix[:3, :3]) <= 1e-6:
        raise RegistrationError(f"{path} mirrors or flattens the patient (determinant of its matrix ≤ 0).")
