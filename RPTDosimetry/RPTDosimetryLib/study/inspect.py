"""What was found in a study and what is missing: as a dictionary for machines, as a table for people."""

from __future__ import annotations

from typing import Any

import numpy as np

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Segment, Study, TimePoint
from RPTDosimetryLib.study.complete import KEYS, is_at_scan_time
from RPTDosimetryLib.study.total_activity import stored_total, total_activity_bq
from RPTDosimetryLib.text import aligned
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H


def inspect_study(study: Study) -> dict[str, Any]:
    """The study as JSON-ready values.

    total_activity_bq is at scan time, None unless the unit is Bq/mL and the decay correction known and undone;
    stored_total is Σ value·voxel volume [value unit × mL] of the voxels as they stand.
    """
    administration = study.administration
    return {
        "patient_id": study.patient_id,
        "administration": {
            "nuclide": administration.nuclide,
            "administered_activity_bq": administration.administered_activity_bq,
            "time": None if administration.time is None else administration.time.isoformat(),
            "half_life_s": administration.half_life_s,
        },
        "time_points": [_time_point(point, number) for number, point in enumerate(study.time_points, start=1)],
        "label_names": {str(label): name for label, name in study.label_names.items()},
        "missing": list(study.missing),
        "warnings": list(study.warnings),
    }


def inspect_table(study: Study) -> str:
    """The same for people: one block for the administration, one line a time point, then what is missing and notes."""
    administration = study.administration
    activity_bq = administration.administered_activity_bq
    lines = [
        f"Patient         {study.patient_id or 'no ID'}",
        f"Nuclide         {administration.nuclide or 'MISSING'}",
        f"Administered    {'MISSING' if activity_bq is None else f'{activity_bq / BQ_PER_MBQ:.2f} MBq'}"
        f" at {administration.time or ('MISSING' if 'administration time' in study.missing else 'a time not told')}",
        "",
    ]
    header = ("", "acquired", "after", "duration", "unit", "total", "SPECT grid", "CT", "structures")
    rows = [header, *(_row(number, point) for number, point in enumerate(study.time_points, start=1))]
    lines.append(aligned(rows, "left"))
    for number, point in enumerate(study.time_points, start=1):
        lines += ["", f"Time point {number}: {_place(point)}", f"  decay correction  {point.decay_correction}"]
        lines += [f"  structure         {contours.name}" for contours in point.structures]
        lines += [f"  segment           {_told(segment)}" for segment in point.segments]
        lines += [f"  note              {warning}" for warning in point.warnings]
    lines += ["", *_missing_lines(study)]
    lines += [f"Note: {warning}" for warning in study.warnings]
    return "\n".join(lines)


def _time_point(point: TimePoint, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "files": _place(point),
        "time_s": point.time_s,
        "acquired": None if point.acquired is None else point.acquired.isoformat(),
        "duration_s": point.duration_s,
        "total_activity_bq": _total_bq(point),
        "unit": _unit(point),
        "stored_total": stored_total(point),
        "decay_correction": point.decay_correction,
        "grid": _grid(point.spect.grid),
        "ct_grid": None if point.ct is None else _grid(point.ct.grid),
        "labels": point.labels is not None,
        "structures": [contours.name for contours in point.structures],
        "segments": [_segment(segment) for segment in point.segments],
        "frame_of_reference_uid": point.frame_of_reference_uid,
        "missing": list(point.missing),
        "warnings": list(point.warnings),
    }


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "name": segment.name,
        "code": None if segment.code is None else vars(segment.code),
        "volume_ml": float(np.count_nonzero(segment.mask)) * segment.grid.voxel_volume_ml,
    }


def _told(segment: Segment) -> str:
    code = "" if segment.code is None else f" ({segment.code.value} {segment.code.scheme} {segment.code.meaning})"
    return f"{segment.name}{code}, {_segment(segment)['volume_ml']:.4g} mL"


def _row(number: int, point: TimePoint) -> tuple[str, ...]:
    total_bq = _total_bq(point)
    return (
        str(number),
        "MISSING" if point.acquired is None and point.time_s is None else f"{point.acquired or '-'}",
        "-" if point.time_s is None else f"{point.time_s / S_PER_H:.4f} h",
        "-" if point.duration_s is None else f"{point.duration_s:.0f} s",
        _unit(point) or "MISSING",
        "-" if total_bq is None else f"{total_bq / BQ_PER_MBQ:.3f} MBq",
        str(point.spect.grid),
        "none" if point.ct is None else str(point.ct.grid),
        str(len(point.structures) + len(point.segments)) + (" + labels" if point.labels is not None else ""),
    )


def _missing_lines(study: Study) -> list[str]:
    lines = [f"MISSING {name}: give {KEYS[name]}" for name in study.missing]
    for number, point in enumerate(study.time_points, start=1):
        lines += [f"MISSING {name} of time point {number}: give {KEYS[name]}" for name in point.missing]
    return lines or ["Nothing is missing."]


def _total_bq(point: TimePoint) -> float | None:
    return total_activity_bq(point) if _unit(point) == "Bq/mL" and is_at_scan_time(point) else None


def _unit(point: TimePoint) -> str | None:
    return point.spect.unit if point.spect.unit in ("Bq/mL", "counts") else None


def _grid(grid: Grid) -> dict[str, Any]:
    return {
        "shape_zyx": list(grid.shape_zyx),
        "spacing_mm": list(grid.spacing_mm),
        "origin_mm": list(grid.origin_mm),
        "direction": list(grid.direction),
    }


def _place(point: TimePoint) -> str:
    if not point.files:
        return "no file"
    first = point.files[0]
    return str(first) if len(point.files) == 1 else f"{first.parent} ({len(point.files)} files)"
