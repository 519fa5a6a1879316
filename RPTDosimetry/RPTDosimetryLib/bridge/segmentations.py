"""Voi and Segment of the library ↔ segments of a segmentation node: mask, colour, code, review.

Each segment keeps its own layer, cut to the box that holds it, on the lattice of the Grid that the node remembers.
What the library knows of it travels in one tag of the segment, so it is saved with the segmentation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.geometry import array_of, ras_from_ijk, vtk_matrix
from RPTDosimetryLib.errors import GridMismatchError, VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Code, Review, Segment, Voi

_TAG = "RPTDosimetry"
_GRID = "Grid"
_TERMINOLOGY = "Segmentation category and type - 3D Slicer General Anatomy list"
_CATEGORY = {
    "organ": ("SCT", "123037004", "Anatomical Structure"),
    "lesion": ("SCT", "49755003", "Morphologically Altered Structure"),
    "region": ("SCT", "123037004", "Anatomical Structure"),
}
#: Colours by a word of the name, as anatomy atlases have them; others are spread around the colour circle.
_COLOURS = {
    "liver": (0.87, 0.51, 0.40),
    "kidney": (0.73, 0.40, 0.51),
    "spleen": (0.62, 0.42, 0.68),
    "marrow": (0.95, 0.85, 0.57),
    "lesion": (0.95, 0.25, 0.20),
    "body": (0.69, 0.69, 0.69),
}


def segmentation_from(vois: Sequence[Voi], name: str, role: str) -> Any:
    """A new segmentation node with one segment for each VOI; all on one grid. Raises VoiError without any."""
    if not vois:
        raise VoiError("There is no volume of interest to show: delineate some first.")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    at.write(node, at.ROLE, role)
    put_vois(node, vois)
    node.CreateDefaultDisplayNodes()
    return node


def put_vois(node: Any, vois: Sequence[Voi]) -> None:
    """Replace all segments of a segmentation node."""
    grid = vois[0].grid
    if not all(voi.grid.same_as(grid) for voi in vois):
        raise GridMismatchError("The volumes of interest lie on different grids: draw them all on the reference grid.")
    at.write(node, _GRID, asdict(grid))
    state = node.StartModify()
    try:
        node.SetSourceRepresentationToBinaryLabelmap()
        node.GetSegmentation().RemoveAllSegments()
        for index, voi in enumerate(vois):
            identifier = _add_mask(node, voi.name, voi.mask, grid, _colour(voi, index))
            describe(node.GetSegmentation().GetSegment(identifier), voi)
    finally:
        node.EndModify(state)


def vois_of(node: Any) -> tuple[Voi, ...]:
    """Every segment as a VOI on the node's grid, edits of the Segment Editor included.

    Raises GridMismatchError where a segment was drawn on another lattice, VoiError for an empty segment.
    """
    grid = grid_of_segmentation(node)
    segmentation = node.GetSegmentation()
    return tuple(_voi(node, segmentation.GetNthSegmentID(n), grid) for n in range(segmentation.GetNumberOfSegments()))


def voi_of(node: Any, segment_id: str) -> Voi:
    """One segment as a VOI on the node's grid. Raises as vois_of."""
    return _voi(node, segment_id, grid_of_segmentation(node))


def grid_of_segmentation(node: Any) -> Grid:
    """The grid that the node's VOIs are read onto. Raises GridMismatchError for a node of somebody else."""
    told = at.mapping(node, _GRID)
    if not told:
        raise GridMismatchError(
            f"The segmentation {node.GetName()} was not made here: take it over in step Segmentation, which puts it "
            "onto the reference grid."
        )
    told["shape_zyx"] = tuple(told["shape_zyx"])
    return Grid(**told)


def describe(segment: Any, voi: Voi) -> None:
    """Write kind, source, code, lesions, warnings and review of a VOI into its segment."""
    told: dict[str, Any] = {"kind": voi.kind, "source": voi.source, "lesions": voi.lesions}
    told["warnings"] = list(voi.warnings)
    told["code"] = None if voi.code is None else asdict(voi.code)
    if voi.review is not None:
        told["review"] = asdict(voi.review) | {"time": voi.review.time.isoformat()}
    segment.SetTag(_TAG, quote(json.dumps(told), safe=""))
    if voi.code is not None:
        kind = "^".join(_CATEGORY[voi.kind])
        what = f"{voi.code.scheme}^{voi.code.value}^{voi.code.meaning}"
        text = f"{_TERMINOLOGY}~{kind}~{what}~^^~Anatomic codes - DICOM master list~^^~^^"
        segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), text)


def described(segment: Any) -> Voi:
    """What describe wrote into a segment, without its mask (one empty voxel)."""
    return _described(segment, Grid((1, 1, 1), (1.0, 1.0, 1.0)))


def set_review(node: Any, segment_id: str, review: Review | None) -> None:
    """Mark one segment as reviewed, or take the mark away."""
    segment = node.GetSegmentation().GetSegment(segment_id)
    describe(segment, replace(described(segment), review=review))
    node.Modified()


def mask_of(node: Any, segment_id: str, grid: Grid) -> NDArray[np.bool_]:
    """One segment as a mask (z, y, x) on a grid whose lattice it lies on. Raises GridMismatchError otherwise."""
    image = slicer.vtkOrientedImageData()
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    node.GetBinaryLabelmapRepresentation(segment_id, image)
    i0, i1, j0, j1, k0, k1 = image.GetExtent()
    if i1 < i0 or j1 < j0 or k1 < k0:
        return mask
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    offset = np.linalg.inv(ras_from_ijk(grid)) @ array_of(matrix)
    shift = np.round(offset[:3, 3]).astype(int)
    if not np.allclose(offset[:3, :3], np.eye(3), atol=1e-3) or not np.allclose(offset[:3, 3], shift, atol=1e-2):
        name = node.GetSegmentation().GetSegment(segment_id).GetName()
        raise GridMismatchError(f"Segment {name} was drawn on another grid than {grid}: set the source volume back.")
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1) > 0
    low = np.array([k0, j0, i0]) + shift[::-1]
    inside = [slice(max(a, 0), max(0, min(a + n, m))) for a, n, m in zip(low, voxels.shape, mask.shape, strict=True)]
    taken = [slice(s.start - a, s.stop - a) for s, a in zip(inside, low, strict=True)]
    if all(s.stop > s.start for s in inside):
        mask[tuple(inside)] = voxels[tuple(taken)]
    return mask


def segmentation_of_segments(segments: Sequence[Segment], name: str) -> Any:
    """A new segmentation node with segments as files gave them, each on its own grid."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.SetSourceRepresentationToBinaryLabelmap()
    for index, part in enumerate(segments):
        voi = Voi(part.name, part.mask, part.grid, code=part.code, source=part.frame_of_reference_uid or "")
        identifier = _add_mask(node, part.name, part.mask, part.grid, _colour(voi, index))
        segment = node.GetSegmentation().GetSegment(identifier)
        describe(segment, voi)
        segment.SetTag(_TAG + _GRID, quote(json.dumps(asdict(part.grid)), safe=""))
    node.CreateDefaultDisplayNodes()
    return node


def segments_of(node: Any) -> tuple[Segment, ...]:
    """The segments as files gave them."""
    found = []
    for number in range(node.GetSegmentation().GetNumberOfSegments()):
        identifier = node.GetSegmentation().GetNthSegmentID(number)
        segment = node.GetSegmentation().GetSegment(identifier)
        told = _tag(segment, _TAG + _GRID)
        grid = Grid(**{**told, "shape_zyx": tuple(told["shape_zyx"])})
        voi = _described(segment, grid)
        found.append(Segment(voi.name, mask_of(node, identifier, grid), grid, voi.code, voi.source or None))
    return tuple(found)


def _add_mask(node: Any, name: str, mask: NDArray[np.bool_], grid: Grid, colour: tuple[float, float, float]) -> str:
    """Add one segment, cut to its box. Its ID is made from its name and unique."""
    image = slicer.vtkOrientedImageData()
    image.SetImageToWorldMatrix(vtk_matrix(ras_from_ijk(grid)))
    where = np.nonzero(mask)
    low = [int(axis.min()) if axis.size else 0 for axis in where]
    high = [int(axis.max()) + 1 if axis.size else 1 for axis in where]
    cut = np.ascontiguousarray(mask[low[0] : high[0], low[1] : high[1], low[2] : high[2]], dtype=np.uint8)
    image.SetExtent(low[2], high[2] - 1, low[1], high[1] - 1, low[0], high[0] - 1)
    image.GetPointData().SetScalars(numpy_to_vtk(cut.ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR))
    return str(node.AddSegmentFromBinaryLabelmapRepresentation(image, name, colour, name))


def _voi(node: Any, identifier: str, grid: Grid) -> Voi:
    voi = _described(node.GetSegmentation().GetSegment(identifier), grid)
    mask = mask_of(node, identifier, grid)
    if not mask.any():
        raise VoiError(f"Segment {voi.name} is empty: draw it in step Segmentation, or remove it.")
    return replace(voi, mask=mask)


def _described(segment: Any, grid: Grid) -> Voi:
    """The VOI of a segment with an empty mask; a segment drawn by hand is an organ by nobody's code."""
    told = _tag(segment, _TAG)
    review = told.get("review")
    return Voi(
        name=segment.GetName(),
        mask=np.zeros(grid.shape_zyx, dtype=bool),
        grid=grid,
        kind=told.get("kind", "organ"),
        source=told.get("source", "drawn by hand"),
        warnings=tuple(told.get("warnings", ())),
        code=None if told.get("code") is None else Code(**told["code"]),
        lesions=told.get("lesions"),
        review=None if review is None else Review(**{**review, "time": datetime.fromisoformat(review["time"])}),
    )


def _tag(segment: Any, name: str) -> dict[str, Any]:
    value = vtk.reference("")
    return dict(json.loads(unquote(str(value)))) if segment.GetTag(name, value) else {}


def _colour(voi: Voi, index: int) -> tuple[float, float, float]:
    for word, colour in _COLOURS.items():
        if word in voi.name.lower() or word == voi.kind:
            return colour
    hue = (0.61803398875 * (index + 1)) % 1.0  # golden section: neighbours in the list differ most
    six = [abs((6 * hue + shift) % 6 - 3) - 1 for shift in (0, 4, 2)]
    red, green, blue = (0.35 + 0.6 * min(max(value, 0.0), 1.0) for value in six)
    return red, green, blue
