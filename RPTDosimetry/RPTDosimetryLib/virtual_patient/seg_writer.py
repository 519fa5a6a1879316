"""Masks as a DICOM segmentation object (SEG): on the images of a virtual patient, or named by a caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydicom
from numpy.typing import NDArray

from RPTDosimetryLib import __version__
from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.grid import Grid, require_same_grid
from RPTDosimetryLib.records import Code, Segment
from RPTDosimetryLib.virtual_patient.dicom_identity import PatientInfo, Visit, code_item, uid

#: DICOM CID 7150, and the type to write where none is known.
_ANATOMY = Code("91723000", "SCT", "Anatomical Structure")
_TISSUE = Code("85756007", "SCT", "Tissue")
_SIDES = {"left": ("7771000", "SCT", "Left"), "right": ("24028007", "SCT", "Right")}


@dataclass(frozen=True)
class SegOptions:
    """kind: how voxels are stored. fractions: (z, y, x) shares from 0 to 1, one array a segment, for FRACTIONAL.

    keep_empty_frames: frames without a voxel are written too.
    """

    kind: Literal["BINARY", "FRACTIONAL", "LABELMAP"] = "BINARY"
    fractions: tuple[NDArray[np.float32], ...] = ()
    keep_empty_frames: bool = False


@dataclass(frozen=True)
class SegNaming:
    """How the object is called, and which program made it."""

    series_instance_uid: str
    sop_instance_uid: str
    model: str = "virtual patient"


def write_seg(
    segments: Sequence[Segment],
    path: Path,
    patient: PatientInfo,
    visit: Visit,
    images: Sequence[Path],
    options: SegOptions | None = None,
) -> Path:
    """Segments on one grid, made on ``images`` (a CT series, or one multi-frame file), whose frame they share.

    Raises VoiError without a segment, GridMismatchError for segments on different grids.
    """
    naming = SegNaming(
        uid(patient, "SEG series", visit.number, path.name), uid(patient, "SEG", visit.number, path.name)
    )
    sources = [pydicom.dcmread(image, stop_before_pixels=True) for image in images]
    seg = segmentation(segments, sources, naming, options)
    with whole_file(path) as temporary:
        seg.save_as(temporary)
    return path


def segmentation(
    segments: Sequence[Segment], sources: Sequence[Any], naming: SegNaming, options: SegOptions | None = None
) -> Any:
    """The object (highdicom.seg.Segmentation), with the identity of ``sources`` (datasets of one image series).

    Raises VoiError without a segment, GridMismatchError for segments on different grids.
    """
    from highdicom import Volume
    from highdicom.seg import Segmentation

    chosen = options or SegOptions()
    if not segments:
        raise VoiError("No segment to write: a segmentation needs at least one volume.")
    for segment in segments[1:]:
        require_same_grid(segments[0].grid, segment.grid, f"Segments {segments[0].name} and {segment.name}")
    volume = Volume(
        _array(segments, chosen), _affine(segments[0].grid), "PATIENT", channels=_channels(segments, chosen)
    )
    return Segmentation(
        source_images=sources,
        pixel_array=volume,
        segmentation_type=chosen.kind,
        segment_descriptions=[_description(n, segment) for n, segment in enumerate(segments, start=1)],
        series_instance_uid=naming.series_instance_uid,
        series_number=10,
        sop_instance_uid=naming.sop_instance_uid,
        instance_number=1,
        manufacturer="SlicerRPTDosimetry",
        manufacturer_model_name=naming.model,
        software_versions=__version__,
        device_serial_number="1",
        omit_empty_frames=not chosen.keep_empty_frames,
    )


def _array(segments: Sequence[Segment], options: SegOptions) -> NDArray[Any]:
    if options.kind == "LABELMAP":
        labels = np.zeros(segments[0].mask.shape, dtype=np.uint8)
        for number, segment in enumerate(segments, start=1):
            labels[segment.mask] = number
        return labels
    if options.kind == "FRACTIONAL":
        return np.stack(options.fractions, axis=-1).astype(np.float32)
    return np.stack([segment.mask for segment in segments], axis=-1).astype(np.uint8)


def _channels(segments: Sequence[Segment], options: SegOptions) -> dict[str, list[int]] | None:
    return None if options.kind == "LABELMAP" else {"SegmentNumber": list(range(1, len(segments) + 1))}


def _affine(grid: Grid) -> NDArray[np.float64]:
    """(slice, row, column) index to LPS [mm]."""
    return np.asarray(grid.lps_from_ijk[:, [2, 1, 0, 3]])


def _description(number: int, segment: Segment) -> Any:
    from highdicom.seg import SegmentDescription
    from highdicom.sr import CodedConcept

    code = segment.code or _TISSUE
    description = SegmentDescription(
        segment_number=number,
        segment_label=segment.name,
        segmented_property_category=CodedConcept(_ANATOMY.value, _ANATOMY.scheme, _ANATOMY.meaning),
        segmented_property_type=CodedConcept(code.value, code.scheme, code.meaning),
        algorithm_type="MANUAL",
    )
    if code.laterality is not None:
        item = description.SegmentedPropertyTypeCodeSequence[0]
        item.SegmentedPropertyTypeModifierCodeSequence = [code_item(*_SIDES[code.laterality])]
    return description
