"""One SPECT from DICOM: an NM multi-frame RECON TOMO file, or a series of PT slices."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.dicom_administration import read_administration
from RPTDosimetryLib.study.dicom_files import NM, DicomFile, read_dicom, source_of
from RPTDosimetryLib.study.dicom_geometry import nm_volume, stack_slices
from RPTDosimetryLib.study.dicom_pixels import rescale_of, rescaled, stored_values
from RPTDosimetryLib.study.dicom_values import (
    date_of,
    date_time,
    number,
    seconds_between,
    time_of_day,
    time_zone,
    words,
)
from RPTDosimetryLib.study.given import DECAY_REFERENCES
from RPTDosimetryLib.study.scan import Scan

_MS_PER_S = 1e3


def why_not_spect(files: tuple[DicomFile, ...]) -> str | None:
    """None for an NM RECON TOMO or a PT image series, else what the file is."""
    header = files[0].header
    image_type = words(header, "ImageType")
    if files[0].kind == NM:
        what = image_type[2] if len(image_type) > 2 else "no image type"
        return None if what == "RECON TOMO" else f"NM {what}, not a RECON TOMO"
    series_type = words(header, "SeriesType")
    return "PT reprojection" if "REPROJECTION" in series_type or "MIP" in image_type else None


def read_nm(file: DicomFile, root: Path) -> Scan:
    """NM RECON TOMO: unit and decay reference only where an attribute beyond the NM standard proves them."""
    dataset = read_dicom(file.path)
    grid, order, notes = nm_volume(dataset, file.path)
    stored = stored_values(dataset, file.path)
    if stored.shape != grid.shape_zyx:
        raise StudyError(
            f"{file.path} holds {stored.shape} pixels where its header says {grid.shape_zyx}. Copy it again."
        )
    rescale = rescale_of(dataset, file.path)
    acquired, time_notes = _acquired(dataset, file.path)
    administration = read_administration(dataset, file.path)
    return Scan(
        image=Image(np.ascontiguousarray(rescaled(stored, rescale)[order]), grid, "unknown"),
        source=source_of((file,), root),
        unit=rescale.unit,
        decay_reference=_decay_reference(dataset, file.path),
        acquired=acquired,
        duration_s=_nm_duration_s(dataset, file.path),
        administration=administration,
        warnings=(*notes, *time_notes, *_decay_note(dataset), *administration.warnings),
    )


def read_pt(files: tuple[DicomFile, ...], root: Path) -> Scan:
    """SPECT stored as PT slices; each slice has its own rescale slope and may have its own acquisition time."""
    source = source_of(files, root)
    datasets = [read_dicom(file.path) for file in files]
    paths = [file.path for file in files]
    grid, order = stack_slices(datasets, paths, source.name)
    first, path = datasets[order[0]], paths[order[0]]
    _require_all_slices(datasets, path, source.name)
    voxels = np.empty(grid.shape_zyx, dtype=np.float32)
    rescales = [rescale_of(datasets[i], paths[i]) for i in order]
    if len({rescale.unit for rescale in rescales}) > 1:
        raise StudyError(f"{source.name}: the slices have different units. Export the series again.")
    for k, i in enumerate(order):
        voxels[k] = rescaled(stored_values(datasets[i], paths[i]), rescales[k])
    acquired, delay_s, time_notes = _slice_times([datasets[i] for i in order], [paths[i] for i in order])
    duration_ms = number(first, "ActualFrameDuration", path)
    administration = read_administration(first, path)
    return Scan(
        image=Image(voxels, grid, "unknown"),
        source=source,
        unit=rescales[0].unit,
        decay_reference=_decay_reference(first, path),
        acquired=acquired,
        duration_s=None if duration_ms is None else duration_ms / _MS_PER_S,
        slice_delay_s=delay_s,
        decay_factor=number(first, "DecayFactor", path),
        administration=administration,
        warnings=(*time_notes, *administration.warnings),
    )


def _decay_reference(dataset: Any, path: Path) -> str | None:
    reference = str(dataset.get("DecayCorrection", "") or "").strip().upper()
    if reference and reference not in DECAY_REFERENCES:
        raise StudyError(
            f"{path}: DecayCorrection = {reference} is none of {', '.join(DECAY_REFERENCES)}: state decay_correction "
            "in the configuration after correcting the header."
        )
    return reference or None


def _decay_note(dataset: Any) -> tuple[str, ...]:
    corrected = words(dataset, "CorrectedImage")
    if "DECY" in corrected and not dataset.get("DecayCorrection"):
        return ("the header says the image is decay-corrected (DECY) but not to which time: give decay_correction",)
    return ()


def _acquired(dataset: Any, path: Path) -> tuple[datetime | None, tuple[str, ...]]:
    """Acquisition start and notes: AcquisitionDateTime, or AcquisitionTime with the nearest date the header gives."""
    zone = time_zone(dataset, path)
    moment = date_time(dataset, "AcquisitionDateTime", path, zone)
    if moment is not None:
        return moment, ()
    clock = time_of_day(dataset, "AcquisitionTime", path)
    if clock is None:
        return None, ()
    for keyword in ("AcquisitionDate", "SeriesDate", "StudyDate"):
        day = date_of(dataset, keyword, path)
        if day is not None:
            note = f"no acquisition date: {keyword} {day} is taken" if keyword != "AcquisitionDate" else ""
            return datetime.combine(day, clock, zone), (note,) if note else ()
    return None, ("an acquisition time without any date: give acquired or time_h",)


def _slice_times(
    datasets: list[Any], paths: list[Path]
) -> tuple[datetime | None, NDArray[np.float64] | None, tuple[str, ...]]:
    """Earliest acquisition start, each slice's delay after it [s] (None when all start together), and notes."""
    told = [_acquired(dataset, path) for dataset, path in zip(datasets, paths, strict=True)]
    moments = [moment for moment, _ in told if moment is not None]
    notes = told[0][1]
    if len(moments) < len(told):
        return None, None, notes
    start = min(moments, key=lambda moment: seconds_between(moments[0], moment))
    delay_s = np.array([seconds_between(start, moment) for moment in moments])
    if not delay_s.any():
        return start, None, notes
    return (
        start,
        delay_s,
        (*notes, f"slices were acquired one bed after another, over {timedelta(seconds=delay_s.max())}"),
    )


def _nm_duration_s(dataset: Any, path: Path) -> float | None:
    """Σ over rotations of frames × frame duration: NumberOfFramesInRotation counts one detector's angles (C.8.4.12)."""
    total_ms = 0.0
    for rotation in dataset.get("RotationInformationSequence", []):
        frames, frame_ms = (
            number(rotation, "NumberOfFramesInRotation", path),
            number(rotation, "ActualFrameDuration", path),
        )
        if frames is None or frame_ms is None:
            return None
        total_ms += frames * frame_ms
    if total_ms == 0.0:
        total_ms = number(dataset, "ActualFrameDuration", path) or 0.0
    return total_ms / _MS_PER_S or None


def _require_all_slices(datasets: list[Any], path: Path, name: str) -> None:
    announced = number(datasets[0], "NumberOfSlices", path)
    if announced is not None and len(datasets) < announced:
        raise StudyError(
            f"{name} has missing slices: {len(datasets)} files, the header announces {announced:.0f} (0054,0081). Copy "
            "the series again."
        )
