"""Segmentations that others put into the scene (DICOM, TotalSegmentator's extension, by hand) as VOIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk

from RPTDosimetryLib.bridge.geometry import array_of, grid_from
from RPTDosimetryLib.bridge.volumes_of_interest import segment_ids
from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.records import Segment, Voi

if TYPE_CHECKING:
    from RPTDosimetryLib.grid import Grid


def take_over(node: Any, grid: Grid) -> list[Voi]:
    """The segments of somebody's segmentation as VOIs on the dose grid, each with its volume (vois.segment).

    Raises VoiError: nothing in it, an empty segment, one outside the grid, a segmentation under a transform.
    """
    from RPTDosimetryLib.vois.delineate import kind_of_segment
    from RPTDosimetryLib.vois.segment import voi_from_segment

    if node.GetParentTransformNode() is not None:
        raise VoiError(
            f"{node.GetName()} lies under the transform {node.GetParentTransformNode().GetName()}: harden that in the "
            "module Transforms first."
        )
    parts = segments_as_they_lie(node)
    if not parts:
        raise VoiError(f"{node.GetName()} holds no segment: draw one first.")
    source = f"segmentation {node.GetName()}"
    return [voi_from_segment(part, grid, source, kind_of_segment(part)) for part in parts]


def same_geometry(node: Any, grid: Grid) -> bool:
    """True when every segment of a segmentation lies on the lattice of a grid."""
    return all(_on_lattice(part.grid, grid) for part in segments_as_they_lie(node))


def segments_as_they_lie(node: Any) -> list[Segment]:
    """Every segment with the grid of its own label map. Raises VoiError for an empty segment."""
    from vtk.util.numpy_support import vtk_to_numpy

    found = []
    for identifier in segment_ids(node):
        name, image = node.GetSegmentation().GetSegment(identifier).GetName(), slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(identifier, image)
        i0, i1, j0, j1, k0, k1 = image.GetExtent()
        if i1 < i0 or j1 < j0 or k1 < k0 or image.GetPointData().GetScalars() is None:
            raise VoiError(f"Segment {name} of {node.GetName()} is empty: draw it, or remove it.")
        shape = (k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
        matrix = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        first = array_of(matrix)
        first[:3, 3] = (first @ [i0, j0, k0, 1.0])[:3]
        mask = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape) > 0
        if not mask.any():
            raise VoiError(f"Segment {name} of {node.GetName()} is empty: draw it, or remove it.")
        found.append(Segment(name, mask, grid_from(shape, first)))
    return found


def _on_lattice(grid: Grid, onto: Grid) -> bool:
    shift = np.linalg.inv(onto.lps_from_ijk) @ grid.lps_from_ijk
    aligned = np.allclose(shift[:3, :3], np.eye(3), atol=1e-3)
    return bool(aligned and np.allclose(shift[:3, 3], np.round(shift[:3, 3]), atol=1e-2))
