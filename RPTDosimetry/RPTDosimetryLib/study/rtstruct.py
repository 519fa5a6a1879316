"""Contours from an RTSTRUCT file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Contours
from RPTDosimetryLib.study.dicom_files import UNREADABLE, DicomFile, read_dicom, source_of
from RPTDosimetryLib.study.scan import StructureSet

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR")


def read_rtstruct(file: DicomFile, root: Path) -> StructureSet:
    """Closed planar polygons of every structure, LPS [mm] (DICOM PS3.3 C.8.8.6). Raises StudyError when cut off."""
    dataset = read_dicom(file.path)
    if dataset.get("StructureSetROISequence") and "ROIContourSequence" not in dataset:
        raise StudyError(f"{file.path} names structures and holds no contours: it is cut off. Copy it again.")
    contours: list[Contours] = []
    warnings: list[str] = []
    try:
        names = {int(roi.ROINumber): roi for roi in dataset.get("StructureSetROISequence", [])}
        for drawn in dataset.get("ROIContourSequence", []):
            roi = names.get(int(drawn.ReferencedROINumber))
            name = str(roi.get("ROIName", "") if roi is not None else "") or f"structure {drawn.ReferencedROINumber}"
            polygons, skipped = _polygons(drawn, name, file.path)
            if skipped:
                warnings.append(f"structure {name}: {skipped} contours that are not closed areas are left out")
            if not polygons:
                warnings.append(f"structure {name} has no closed contour and is left out")
                continue
            frame = str(roi.get("ReferencedFrameOfReferenceUID", "")) if roi is not None else ""
            contours.append(Contours(name, polygons, frame or None))
    except StudyError:
        raise
    except UNREADABLE as error:
        raise StudyError(f"{file.path} is cut off or damaged ({error}). Copy it again.") from error
    return StructureSet(tuple(contours), source_of((file,), root), _referenced_series(dataset), tuple(warnings))


def _polygons(drawn: Any, name: str, path: Path) -> tuple[tuple[np.ndarray, ...], int]:
    polygons, skipped = [], 0
    for contour in drawn.get("ContourSequence", []):
        if str(contour.get("ContourGeometricType", "")) not in _CLOSED:
            skipped += 1
            continue
        values = np.array([float(v) for v in contour.get("ContourData", None) or []])
        announced = int(contour.get("NumberOfContourPoints", None) or len(values) // 3)
        if len(values) != 3 * announced or not np.isfinite(values).all():
            raise StudyError(
                f"{path}: a contour of {name} announces {announced} points and holds {len(values)} coordinates. Copy "
                "or export it again."
            )
        if announced < 3:
            skipped += 1
            continue
        polygons.append(values.reshape(-1, 3))
    return tuple(polygons), skipped


def _referenced_series(dataset: Any) -> frozenset[str]:
    return frozenset(
        str(series.get("SeriesInstanceUID", ""))
        for frame in dataset.get("ReferencedFrameOfReferenceSequence", [])
        for study in frame.get("RTReferencedStudySequence", [])
        for series in study.get("RTReferencedSeriesSequence", [])
    )
