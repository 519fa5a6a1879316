"""Alignment of the library ↔ linear transform node.

A transform node maps points of what lies under it into the parent (here: the reference), in RAS; an Alignment maps
points of the reference into the time point, in LPS. So: transform = inverse of the alignment, in RAS.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import slicer
import vtk

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.geometry import Matrix, array_of, ras_transform, vtk_matrix
from RPTDosimetryLib.records import Alignment

_FIELDS = "Alignment"


def transform_from(alignment: Alignment, name: str, time_point: int) -> Any:
    """A new linear transform node that brings the time point onto the reference."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    at.write_all(node, Role=at.ALIGNMENT, TimePoint=time_point)
    put_alignment(node, alignment)
    return node


def put_alignment(node: Any, alignment: Alignment) -> None:
    """Replace the matrix and the figures of a transform node."""
    node.SetMatrixTransformToParent(vtk_matrix(_inverse(ras_transform(alignment.moving_from_fixed))))
    told = {f.name: getattr(alignment, f.name) for f in fields(alignment) if f.name != "moving_from_fixed"}
    at.write(node, _FIELDS, {name: list(v) if isinstance(v, tuple) else v for name, v in told.items()})


def alignment_of(node: Any) -> Alignment:
    """The Alignment of a transform node, its matrix as it stands now (nudged by hand or not)."""
    matrix = vtk.vtkMatrix4x4()
    node.GetMatrixTransformToParent(matrix)
    told = at.mapping(node, _FIELDS)
    told["warnings"] = tuple(told.get("warnings", ()))
    return Alignment(moving_from_fixed=ras_transform(_inverse(array_of(matrix))), **told)


def _inverse(matrix: Matrix) -> Matrix:
    return np.linalg.inv(matrix).astype(np.float64)
