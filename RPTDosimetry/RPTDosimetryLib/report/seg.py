"""The volumes of interest as a DICOM segmentation (PS3.3 A.51), each with its code, tracking ID and who drew it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydicom.dataset import Dataset

from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Code, Segment, Voi
from RPTDosimetryLib.report.dicom_object import MODEL, ST, Exported, fitted, restate
from RPTDosimetryLib.study.dicom_files import CT
from RPTDosimetryLib.virtual_patient.dicom_identity import code_item, decimal
from RPTDosimetryLib.virtual_patient.dicom_planes import orientation
from RPTDosimetryLib.virtual_patient.seg_writer import SegNaming, segmentation

#: DICOM CID 7150.
_ABNORMAL: Final = ("49755003", "SCT", "Morphologically Abnormal Structure")
#: What stands in a file for a volume that has no code (CID 7166).
TISSUE: Final = Code("85756007", "SCT", "Tissue")


@dataclass(frozen=True)
class WrittenSeg:
    """What a measurement report refers to. tracking: (ID, UID) of each volume, in their order."""

    dataset: Any
    tracking: tuple[tuple[str, str], ...]


def write_seg(vois: Sequence[Voi], path: Path, exported: Exported) -> WrittenSeg:
    """Binary, one segment a volume in their order; overlaps stay. Names longer than DICOM's 64 characters are cut.

    Raises VoiError without a volume, ReportError where the disk refuses.
    """
    segments = [Segment(fitted(voi.name), voi.mask, voi.grid, voi.code or TISSUE) for voi in vois]
    naming = SegNaming(exported.uid("SEG", "series"), exported.uid("SEG", "instance"), MODEL)
    seg = segmentation(segments, [_stand_in(vois[0].grid, exported)] if vois else [], naming)
    tracking = tuple((voi.name, exported.uid("volume", voi.name)) for voi in vois)
    for item, voi, (name, uid) in zip(seg.SegmentSequence, vois, tracking, strict=True):
        _describe(item, voi)
        item.TrackingID, item.TrackingUID = name, uid
    _name(seg, exported)
    with whole_file(path) as temporary:
        seg.save_as(temporary)
    return WrittenSeg(seg, tracking)


def _describe(item: Any, voi: Voi) -> None:
    """Who or what drew it: the record's own words, no claim of hand or machine beyond them."""
    item.SegmentAlgorithmType, item.SegmentAlgorithmName = "SEMIAUTOMATIC", fitted(voi.source or "not recorded")
    reviewed = f"reviewed by {voi.review.reviewer}" if voi.review else "not reviewed"
    item.SegmentDescription = fitted(f"{voi.name}; drawn by: {voi.source or 'not recorded'}; {reviewed}", ST)
    if voi.kind == "lesion":
        item.SegmentedPropertyCategoryCodeSequence = [code_item(*_ABNORMAL)]


def _stand_in(grid: Grid, exported: Exported) -> Dataset:
    """An image header with the identity alone: its plane lies elsewhere, so that no frame is derived from it."""
    header = Dataset()
    header.update(exported.identity.attributes)
    header.SOPClassUID, header.Modality = CT, exported.identity.modality or "OT"
    header.SOPInstanceUID, header.SeriesInstanceUID = exported.uid("none"), exported.uid("none", "series")
    header.Rows, header.Columns = 1, 1
    header.PixelSpacing, header.SliceThickness = [1, 1], 1
    header.ImageOrientationPatient = orientation(grid)
    header.ImagePositionPatient = [decimal(v) for v in (1e5, 1e5, 1e5)]
    return header


def _name(seg: Any, exported: Exported) -> None:
    restate(seg, exported)
    dimensions = exported.uid("SEG", "dimensions")
    for item in (*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimensions
    seg.SeriesDescription, seg.ContentLabel = "Volumes of interest", "DOSIMETRY"
    seg.ContentDescription = "Volumes of interest of a dosimetry"
    images = [_reference(*image) for image in exported.identity.images]
    for name in ("SourceImageSequence", "ReferencedSeriesSequence"):
        seg.pop(name, None)
    if images:
        series = Dataset()
        series.SeriesInstanceUID, series.ReferencedInstanceSequence = exported.identity.series_instance_uid, images
        seg.SourceImageSequence, seg.ReferencedSeriesSequence = images, [series]


def _reference(sop_class: str, instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
    return item
