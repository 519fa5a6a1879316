"""From a folder to a Study: what the files say, what the user adds, and what is still missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Administration, Image, Study, TimePoint
from RPTDosimetryLib.study.activity_units import read_unit
from RPTDosimetryLib.study.administration import half_life_s_of, settle_administration
from RPTDosimetryLib.study.checks import activity_image, require_after_administration, require_distinct
from RPTDosimetryLib.study.complete import ADMINISTERED_ACTIVITY, ADMINISTRATION_TIME, NUCLIDE, missing_of_time_point
from RPTDosimetryLib.study.decay import at_scan_time
from RPTDosimetryLib.study.dicom_values import seconds_between
from RPTDosimetryLib.study.given import StudyGiven, TimePointGiven, given_datetime
from RPTDosimetryLib.study.order import in_order, matched
from RPTDosimetryLib.study.read_dicom_study import read_dicom_study
from RPTDosimetryLib.study.scan import FoundStudy, Scan
from RPTDosimetryLib.study.study_json import STUDY_JSON, read_study_json
from RPTDosimetryLib.study.walk import files_below
from RPTDosimetryLib.units import S_PER_H

_SAME_TIME_S = 60.0
_NOTHING_GIVEN = StudyGiven()


def read_study(folder: Path, given: StudyGiven = _NOTHING_GIVEN) -> Study:
    """Time points (activity at acquisition start), administration, CTs and contours of one patient's cycle.

    folder: DICOM in any layout, or a folder (or file) study.json; a single DICOM file is a study too. What neither
    files nor ``given`` tell is listed in ``missing`` and never assumed; see complete.require_complete. Raises
    StudyError for files that are unreadable, incomplete or contradict each other, ConfigurationError for entries that
    fit no image.
    """
    found = _read_files(Path(folder), given)
    entries = matched(found.scans, given)
    scans = tuple(_with_given(scan, entries.get(index), given) for index, scan in enumerate(found.scans))
    scans = in_order(scans)
    administration, notes = settle_administration(replace(found, scans=scans), given)
    scans = tuple(_with_time(scan, administration) for scan in scans)
    require_distinct(scans)
    time_points = tuple(_time_point(scan, administration) for scan in in_order(scans))
    return Study(
        administration=administration,
        time_points=time_points,
        patient_id=found.patient_id,
        missing=_missing(administration, time_points),
        warnings=(*found.warnings, *notes),
        label_names=dict(found.label_names),
    )


def _read_files(folder: Path, given: StudyGiven) -> FoundStudy:
    root, paths = files_below(folder)
    description = folder if folder.name == STUDY_JSON else root / STUDY_JSON
    if (folder.is_dir() and description in paths) or folder == description:
        found = read_study_json(description)
        kept = tuple(scan for scan in found.scans if not any(scan.source.is_called(name) for name in given.ignore))
        return replace(found, scans=in_order(kept)) if kept else _none_left(root)

    def chosen(scans: tuple[Scan, ...]) -> Mapping[int, str]:
        return {index: entry.ct for index, entry in matched(scans, given).items() if entry.ct is not None}

    return read_dicom_study(root, paths, given.ignore, chosen)


def _none_left(root: Path) -> FoundStudy:
    raise StudyError(f"{root}: every time point is named in ignore. Leave at least one.")


def _with_given(scan: Scan, entry: TimePointGiven | None, given: StudyGiven) -> Scan:
    """The scan with the user's values in place of the header's, each noted with what it replaces."""
    changes: dict[str, object] = {}
    notes: list[str] = []

    def take(field: str, value: object, told: str, name: str) -> None:
        if value is None:
            return
        before = getattr(scan, field)
        replaces = "" if before is None or str(before) == str(value) else f" (in place of {before} in the files)"
        changes[field] = value
        notes.append(f"{name} {told}: given by the user{replaces}")

    unit = (entry.unit if entry else None) or given.unit
    decay = (entry.decay_correction if entry else None) or given.decay_correction
    take("unit", unit, str(unit), "unit")
    take("decay_reference", decay, str(decay), "decay correction")
    if entry is not None:
        acquired = given_datetime(entry.acquired, "acquired")
        take("acquired", acquired, str(acquired), "acquisition start")
        take("time_s", None if entry.time_h is None else entry.time_h * S_PER_H, f"{entry.time_h} h", "time")
        take("duration_s", entry.duration_s, f"{entry.duration_s} s", "duration")
    return replace(scan, **changes, warnings=(*scan.warnings, *notes))  # type: ignore[arg-type]


def _with_time(scan: Scan, administration: Administration) -> Scan:
    """time_s (and acquired) completed from each other; a contradiction is noted, the stated time_s counts."""
    name = scan.source.name
    from_clock_s = None
    if scan.acquired is not None and administration.time is not None:
        from_clock_s = seconds_between(administration.time, scan.acquired)
    if scan.time_s is None:
        require_after_administration(from_clock_s, name)
        zones = [moment.tzinfo is None for moment in (scan.acquired, administration.time) if moment is not None]
        note: tuple[str, ...] = ()
        if len(set(zones)) > 1:
            note = ("only one of scan and administration has a time zone: both are taken to be in it",)
        return replace(scan, time_s=from_clock_s, warnings=(*scan.warnings, *note))
    if from_clock_s is not None and abs(from_clock_s - scan.time_s) > _SAME_TIME_S:
        note = (
            f"the clock times say {from_clock_s / S_PER_H:.4f} h after administration, the stated time "
            f"{scan.time_s / S_PER_H:.4f} h is used",
        )
        return replace(scan, warnings=(*scan.warnings, *note))
    if scan.acquired is None and administration.time is not None:
        return replace(scan, acquired=administration.time + timedelta(seconds=scan.time_s))
    return scan


def _time_point(scan: Scan, administration: Administration) -> TimePoint:
    unit, image = _in_unit(scan)
    image, value_notes = activity_image(image, scan.source.name)
    image, decay_text, decay_notes = at_scan_time(image, scan, scan.time_s, half_life_s_of(administration))
    time_known = scan.time_s is not None or scan.acquired is not None
    return TimePoint(
        spect=image,
        time_s=scan.time_s,
        acquired=scan.acquired,
        duration_s=scan.duration_s,
        ct=scan.ct,
        structures=scan.structures,
        segments=scan.segments,
        labels=scan.labels,
        calibration=scan.calibration,
        frame_of_reference_uid=scan.source.frame_of_reference_uid,
        decay_correction=decay_text,
        missing=missing_of_time_point(time_known, unit, scan.decay_reference, scan.duration_s),
        warnings=(*scan.warnings, *value_notes, *decay_notes),
        files=scan.source.files,
    )


def _in_unit(scan: Scan) -> tuple[str | None, Image]:
    """("Bq/mL" | "counts" | None, image in it). Raises StudyError for a unit that is neither."""
    if scan.unit is None:
        return None, scan.image
    known = read_unit(scan.unit)
    if known is None:
        raise StudyError(
            f"SPECT {scan.source.name} has the unknown unit {scan.unit}, which is neither Bq/mL nor counts: export it "
            "in Bq/mL, or state the true unit of its values as unit in the configuration."
        )
    unit, factor = known
    voxels = scan.image.voxels if factor == 1.0 else scan.image.voxels * factor
    return unit, Image(voxels, scan.image.grid, unit)


def _missing(administration: Administration, time_points: tuple[TimePoint, ...]) -> tuple[str, ...]:
    missing = []
    if administration.nuclide is None:
        missing.append(NUCLIDE)
    if administration.administered_activity_bq is None:
        missing.append(ADMINISTERED_ACTIVITY)
    if administration.time is None and any(point.time_s is None for point in time_points):
        missing.append(ADMINISTRATION_TIME)
    return tuple(missing)
