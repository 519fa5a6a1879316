"""Alignment of the library ↔ linear transform node, under a grid transform node where there is a deformation.

A transform node maps points of what lies under it into the parent (here: the reference), in RAS; an Alignment maps
points of the reference into the time point, T(x) = M·(x + u(x)), in LPS. So the linear node's transform to its parent
is M⁻¹ in RAS, and the grid node above it has x + u(x) as its transform from its parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import slicer
import vtk

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.geometry import (
    LPS_FROM_RAS,
    RAS_FROM_LPS,
    Matrix,
    array_of,
    lps_point,
    ras_point,
    ras_transform,
    vtk_matrix,
)
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Alignment, Deformation

_FIELDS = "Alignment"
_NOT_TEXT = ("moving_from_fixed", "deformation")  # in the transforms themselves
_LPS_AND_RAS = np.array([-1.0, -1.0, 1.0])


def transform_from(alignment: Alignment, name: str, time_point: int) -> Any:
    """A new linear transform node that brings the time point onto the reference, under a new grid node if it bends."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    at.write_all(node, Role=at.ALIGNMENT, TimePoint=time_point)
    if alignment.deformation is not None:
        grid = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", f"{name} (deformation)")
        at.write_all(grid, Role=at.DEFORMATION, TimePoint=time_point)
        put_deformation(grid, alignment.deformation)
        node.SetAndObserveTransformNodeID(grid.GetID())
    put_alignment(node, alignment)
    return node


def put_alignment(node: Any, alignment: Alignment) -> None:
    """Replace the matrix and the figures of a transform node (not the deformation above it)."""
    put_matrix(node, alignment.moving_from_fixed)
    told = {f.name: getattr(alignment, f.name) for f in fields(alignment) if f.name not in _NOT_TEXT}
    at.write(node, _FIELDS, {name: list(v) if isinstance(v, tuple) else v for name, v in told.items()})


def alignment_of(node: Any) -> Alignment:
    """The Alignment of a transform node, its matrix as it stands now (nudged by hand or not)."""
    told = at.mapping(node, _FIELDS)
    told["warnings"] = tuple(told.get("warnings", ()))
    told["volume_change"] = tuple(told.get("volume_change", (1.0, 1.0)))
    above = node.GetParentTransformNode()
    bent = above is not None and at.role(above) == at.DEFORMATION
    deformation = deformation_of(above) if bent else None
    return Alignment(moving_from_fixed=matrix_of(node), deformation=deformation, **told)


def figures_of(node: Any) -> dict[str, Any]:
    """The figures of a transform node by the names of Alignment, as they were when it was last applied."""
    return at.mapping(node, _FIELDS)


def matrix_of(node: Any) -> Matrix:
    """M of a linear transform node: reference to time point, LPS [mm]."""
    matrix = vtk.vtkMatrix4x4()
    node.GetMatrixTransformToParent(matrix)
    return ras_transform(_inverse(array_of(matrix)))


def put_matrix(node: Any, moving_from_fixed: Matrix) -> None:
    """Replace M of a linear transform node: reference to time point, LPS [mm]."""
    node.SetMatrixTransformToParent(vtk_matrix(_inverse(ras_transform(moving_from_fixed))))


def nudge(node: Any, shift_ras_mm: Sequence[float], turn_deg: Sequence[float], about_ras_mm: Sequence[float]) -> None:
    """Shift and turn what lies under a linear transform node, as seen in the reference.

    Shifts to the right, front and head [mm]; turns about the axes that point there [degrees, right-handed], through a
    point that stays.
    """
    transform = vtk.vtkTransform()
    transform.PostMultiply()
    transform.Translate(*(-float(value) for value in about_ras_mm))
    for turn, angle in zip((transform.RotateX, transform.RotateY, transform.RotateZ), turn_deg, strict=True):
        turn(float(angle))
    transform.Translate(*(float(a) + float(s) for a, s in zip(about_ras_mm, shift_ras_mm, strict=True)))
    before = vtk.vtkMatrix4x4()
    node.GetMatrixTransformToParent(before)
    node.SetMatrixTransformToParent(vtk_matrix(array_of(transform.GetMatrix()) @ array_of(before)))


def put_deformation(node: Any, deformation: Deformation) -> None:
    """Displacements of a grid transform node: x + u(x) is its transform from its parent."""
    from vtk.util.numpy_support import numpy_to_vtk

    grid = deformation.grid
    image = vtk.vtkImageData()
    image.SetDimensions(*grid.shape_zyx[::-1])
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(ras_point(grid.origin_mm))
    vectors = np.ascontiguousarray(deformation.displacement_mm.reshape(-1, 3) * _LPS_AND_RAS)
    scalars = numpy_to_vtk(vectors, deep=True, array_type=vtk.VTK_DOUBLE)
    image.GetPointData().SetScalars(scalars)
    direction = np.eye(4)
    direction[:3, :3] = RAS_FROM_LPS[:3, :3] @ np.reshape(grid.direction, (3, 3))
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(image)
    transform.SetGridDirectionMatrix(vtk_matrix(direction))
    transform.SetInterpolationModeToLinear()
    node.SetAndObserveTransformFromParent(transform)


def deformation_of(node: Any) -> Deformation:
    """The displacements of a grid transform node."""
    from vtk.util.numpy_support import vtk_to_numpy

    transform = node.GetTransformFromParent()
    image = transform.GetDisplacementGrid()
    ni, nj, nk = image.GetDimensions()
    vectors = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(nk, nj, ni, 3) * _LPS_AND_RAS
    told = transform.GetGridDirectionMatrix()
    direction = np.eye(4) if told is None else array_of(told)
    axes = LPS_FROM_RAS[:3, :3] @ direction[:3, :3]
    x, y, z = (float(value) for value in lps_point(image.GetOrigin()))
    grid = Grid((nk, nj, ni), image.GetSpacing(), (x, y, z), tuple(axes.ravel()))
    return Deformation(vectors.astype(np.float32), grid)


def _inverse(matrix: Matrix) -> Matrix:
    return np.linalg.inv(matrix).astype(np.float64)
