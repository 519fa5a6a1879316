"""Segments from a DICOM segmentation object (SEG): binary, fractional or label map."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Code, Segment
from RPTDosimetryLib.study.dicom_files import UNREADABLE, DicomFile, read_dicom, source_of
from RPTDosimetryLib.study.scan import SegmentSet

#: A voxel of a fractional segmentation belongs to the segment from this share (or probability) on.
FRACTION_INSIDE: Final = 0.5
#: Tissue, anatomical structure, body structure, organ: what drawing programs write by default says nothing.
_GENERIC: Final = ("85756007", "91723000", "123037004", "113343008", "T-D0050", "T-D000A")
_LEFT: Final = ("7771000", "G-A101")
_RIGHT: Final = ("24028007", "G-A100")


def read_seg(file: DicomFile, root: Path) -> SegmentSet:
    """Every segment as a mask on the part of the file's own grid that it fills, with name, code and frame of reference.

    The grid comes from the positions of the frames (DICOM PS3.3 C.8.20), in any order and orientation; positions
    without a frame are empty there. Fractional segments take the voxels of 0.5 and more, and say so. An empty segment
    is left out, and said. Segments may overlap. Raises StudyError: cut off, no equal slice spacing, a slide, not told
    where it lies.
    """
    dataset = read_dicom(file.path)
    if not dataset.get("SegmentSequence") or "PixelData" not in dataset:
        raise StudyError(f"{file.path} is a segmentation without segments or pixels: it is cut off. Copy it again.")
    if "TotalPixelMatrixColumns" in dataset:
        raise StudyError(f"{file.path} is a segmentation of a microscopy slide, not of a patient: leave it out.")
    if not dataset.get("FrameOfReferenceUID"):
        raise StudyError(
            f"{file.path} does not say where it lies in the patient (frame of reference). Export it again."
        )
    referenced = _referenced_series(dataset)
    try:
        segments, warnings = _segments(dataset)
    except StudyError:
        raise
    except (*UNREADABLE, RuntimeError, IndexError) as error:
        raise StudyError(
            f"{file.path} is no segmentation on evenly spaced parallel slices, or is damaged "
            f"({' '.join(str(error).split())}). Export it again."
        ) from error
    return SegmentSet(tuple(segments), source_of((file,), root), referenced, tuple(warnings))


def _segments(dataset: Any) -> tuple[list[Segment], list[str]]:
    from highdicom.seg import Segmentation

    seg = Segmentation.from_dataset(dataset, copy=False)
    frame = str(seg.FrameOfReferenceUID)
    fractional = str(seg.SegmentationType) == "FRACTIONAL"
    segments, warnings = [], []
    for number, mask, grid in _masks(seg):
        description = seg.get_segment_description(number)
        name = str(description.segment_label).strip() or f"segment {number}"
        if not mask.any():
            warnings.append(f"segment {name} is empty and is left out")
            continue
        cropped, own = _cropped(mask, grid)
        segments.append(Segment(name, cropped, own, _code(description), frame))
    if fractional and segments:
        told = str(seg.get("SegmentationFractionalType", "fraction")).lower()
        warnings.append(f"a fractional segmentation: voxels of {told} {FRACTION_INSIDE:g} and more belong to a segment")
    return segments, warnings


def _masks(seg: Any) -> Iterator[tuple[int, NDArray[np.bool_], Grid]]:
    """(number, mask, grid) of each segment; a label map is decoded once, frames of others segment by segment."""
    numbers = [int(n) for n in seg.segment_numbers]
    if str(seg.SegmentationType) == "LABELMAP":
        volume = seg.get_volume(combine_segments=True)
        for number in numbers:
            yield number, *_upright(np.asarray(volume.array) == number, volume.affine)
        return
    framed = {int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber) for frame in _frames(seg)}
    for number in numbers:
        if number not in framed:
            yield number, np.zeros((1, 1, 1), dtype=bool), Grid((1, 1, 1), (1.0, 1.0, 1.0))
            continue
        volume = seg.get_volume(segment_numbers=[number])
        yield number, *_upright(np.asarray(volume.array)[..., 0] >= FRACTION_INSIDE, volume.affine)


def _frames(seg: Any) -> list[Any]:
    """Functional groups of each frame; where all frames share the segment, it stands in the shared group."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    return [shared] if "SegmentIdentificationSequence" in shared else list(seg.PerFrameFunctionalGroupsSequence)


def _upright(stack: NDArray[np.bool_], affine: NDArray[np.float64]) -> tuple[NDArray[np.bool_], Grid]:
    """Slices along row × column, as CT series are stacked here; affine: (slice, row, column) index to LPS [mm]."""
    columns = np.asarray(affine, dtype=np.float64)[:3, [2, 1, 0]]
    origin = np.asarray(affine, dtype=np.float64)[:3, 3]
    if np.linalg.det(columns) < 0:
        stack = stack[::-1]
        origin = origin + (len(stack) - 1) * columns[:, 2]
        columns = columns * (1.0, 1.0, -1.0)
    spacing = np.linalg.norm(columns, axis=0)
    x, y, z = origin
    return stack, Grid(stack.shape, tuple(spacing), (x, y, z), tuple((columns / spacing).ravel()))


def _cropped(mask: NDArray[np.bool_], grid: Grid) -> tuple[NDArray[np.bool_], Grid]:
    """The part of a mask that is filled: a hundred whole masks of a CT would not fit into memory."""
    box = []
    for axis in range(3):
        filled = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
    x, y, z = (grid.lps_from_ijk @ [box[2].start, box[1].start, box[0].start, 1.0])[:3]
    cropped = mask[tuple(box)].copy()
    return cropped, Grid(cropped.shape, grid.spacing_mm, (float(x), float(y), float(z)), grid.direction)


def _code(description: Any) -> Code | None:
    """The type of the segment, with its side; where that only says tissue or organ, the anatomic region, if any."""
    found = _coded(description, "SegmentedPropertyTypeCodeSequence", "SegmentedPropertyTypeModifierCodeSequence")
    if found is None or found.value in _GENERIC:
        return _coded(description, "AnatomicRegionSequence", "AnatomicRegionModifierSequence")
    return found


def _coded(description: Any, sequence: str, modifiers: str) -> Code | None:
    items = description.get(sequence, None) or []
    if not items:
        return None
    # Long codes and codes of other systems stand in attributes of their own (DICOM PS3.3 8.1).
    value = items[0].get("CodeValue") or items[0].get("LongCodeValue") or items[0].get("URNCodeValue")
    if not value:
        return None
    sides = [str(m.get("CodeValue", "")) for place in (items[0], description) for m in place.get(modifiers, None) or []]
    side: Literal["left", "right"] | None = None
    if any(code in _LEFT for code in sides):
        side = "left"
    elif any(code in _RIGHT for code in sides):
        side = "right"
    return Code(str(value), str(items[0].get("CodingSchemeDesignator", "")), str(items[0].get("CodeMeaning", "")), side)


def _referenced_series(dataset: Any) -> frozenset[str]:
    """UIDs of the series that the file says it was made on."""
    return frozenset(
        str(series.SeriesInstanceUID)
        for series in dataset.get("ReferencedSeriesSequence", [])
        if series.get("SeriesInstanceUID")
    )
