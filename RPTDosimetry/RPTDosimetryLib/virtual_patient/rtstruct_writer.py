"""Masks as an RTSTRUCT, closed planar contours slice by slice: a label map's, or those of a caller's object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import contourpy
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.dicom_files import RTSTRUCT
from RPTDosimetryLib.virtual_patient.dicom_identity import PatientInfo, Visit, base_dataset, decimal, save, uid

_DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"
_MM_DIGITS = 4


@dataclass(frozen=True)
class ReferencedSeries:
    """The images the contours are drawn on."""

    series_uid: str
    sop_class_uid: str
    sop_instance_uids: tuple[str, ...]


def write_rtstruct(
    labels: Image,
    names: Mapping[int, str],
    path: Path,
    patient: PatientInfo,
    visit: Visit,
    referenced: ReferencedSeries | None = None,
) -> Path:
    """Each label's outline on each slice of its grid, in LPS [mm], as CLOSED_PLANAR contours (DICOM PS3.3 C.8.8.6).

    Outlines run along the sides of the voxels, so they enclose the label's own volume, and filling them, inside where
    an odd number of contours encloses a place, gives the same voxels back; holes are contours of their own. Raises
    VoiError for a label without a voxel.
    """
    ds = base_dataset(patient, visit, RTSTRUCT, "RTSTRUCT", (9, "Structures"))
    ds.SOPInstanceUID = uid(patient, "RTSTRUCT", visit.number, path.name)
    ds.InstanceNumber, ds.StructureSetLabel, ds.OperatorsName = 1, "Structures", ""
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = visit.frame_of_reference_uid(patient), ""
    ds.StructureSetDate, ds.StructureSetTime = ds.StudyDate, ds.StudyTime
    del ds.ContentDate, ds.ContentTime
    add_structures(
        ds, ((name, labels.voxels == label) for label, name in sorted(names.items())), labels.grid, referenced
    )
    save(ds, path)
    return path


def add_structures(
    ds: Dataset,
    masks: Iterable[tuple[str, NDArray[np.bool_]]],
    grid: Grid,
    referenced: ReferencedSeries | None,
) -> None:
    """The contours of named masks on one grid, put into a structure set whose frame of reference is known.

    Raises VoiError for a mask without a voxel.
    """
    ds.ApprovalStatus = "UNAPPROVED"
    ds.ReferencedFrameOfReferenceSequence = [_frame(ds, referenced)]
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = [], [], []
    for number, (name, mask) in enumerate(masks, start=1):
        polygons = label_outlines(mask, grid)
        if not polygons:
            raise VoiError(f"{name} has no voxel: there is nothing to draw. Leave it out.")
        ds.StructureSetROISequence.append(_roi(number, name, str(ds.FrameOfReferenceUID)))
        ds.ROIContourSequence.append(_contours(number, polygons))
        ds.RTROIObservationsSequence.append(_observation(number))


def label_outlines(mask: NDArray[np.bool_], grid: Grid) -> list[NDArray[np.float64]]:
    """Closed outlines (n, 3) LPS [mm] of a mask on every slice of its grid, along the sides of its voxels."""
    outlines = []
    for k in np.flatnonzero(mask.any(axis=(1, 2))):
        edged = np.pad(mask[k], 1).astype(np.float64)
        for line in contourpy.contour_generator(z=edged).lines(0.5):
            ij = _corners(np.asarray(line, dtype=np.float64)) - 1.0
            index = np.column_stack([ij, np.full(len(ij), float(k)), np.ones(len(ij))])
            outlines.append((index @ grid.lps_from_ijk.T)[:, :3])
    return outlines


def _corners(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners of the voxels that a line half-way between centres cuts off; all else of it lies on voxel sides."""
    start, end = line[:-1], line[1:]
    diagonal = (np.abs(end - start) < 0.75).all(axis=1)  # half a voxel along both axes
    return np.floor(np.minimum(start, end)[diagonal]) + 0.5


def _frame(ds: Dataset, referenced: ReferencedSeries | None) -> Dataset:
    frame = Dataset()
    frame.FrameOfReferenceUID = ds.FrameOfReferenceUID
    if referenced is None:
        return frame
    images = []
    for instance in referenced.sop_instance_uids:
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = referenced.sop_class_uid, instance
        images.append(image)
    series, study = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ContourImageSequence = referenced.series_uid, images
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = _DETACHED_STUDY, ds.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame.RTReferencedStudySequence = [study]
    return frame


def _roi(number: int, name: str, frame_of_reference_uid: str) -> Dataset:
    roi = Dataset()
    roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, name, "AUTOMATIC"
    roi.ReferencedFrameOfReferenceUID = frame_of_reference_uid
    return roi


def _contours(number: int, polygons: list[NDArray[np.float64]]) -> Dataset:
    drawn = Dataset()
    drawn.ReferencedROINumber, drawn.ContourSequence = number, []
    for polygon in polygons:
        contour = Dataset()
        contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(polygon)
        contour.ContourData = [decimal(v) for v in np.round(polygon, _MM_DIGITS).ravel()]
        drawn.ContourSequence.append(contour)
    return drawn


def _observation(number: int) -> Dataset:
    observation = Dataset()
    observation.ObservationNumber, observation.ReferencedROINumber = number, number
    observation.RTROIInterpretedType, observation.ROIInterpreter = "ORGAN", ""
    return observation
