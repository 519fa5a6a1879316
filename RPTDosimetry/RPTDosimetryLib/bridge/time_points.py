"""Time points in the scene: from a Study, from volumes that are there, what the user fills in, and back to a Study."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.parameters import date_and_time, show_administration
from RPTDosimetryLib.bridge.segmentations import segmentation_of_segments, segments_of
from RPTDosimetryLib.bridge.volumes import (
    UNIT,
    image_of,
    put_image,
    set_unit,
    volume_from_image,
    with_unit,
    without_unit,
)
from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Administration, Contours, Image, Study, TimePoint
from RPTDosimetryLib.units import S_PER_H

if TYPE_CHECKING:
    from RPTDosimetryLib.bridge.case import Case, TimePointNodes

#: Units a user may state, and the factor to Bq/mL (counts stay counts).
UNITS = {"Bq/mL": 1.0, "kBq/mL": 1e3, "MBq/mL": 1e6, "counts": 1.0}
DECAY = ("NONE", "START", "ADMIN")
_SAME_TIME_S = 1.0


@dataclass(frozen=True)
class Cell:
    """One value of the table: as shown, missing or not, and whether the user may change it (header silent)."""

    text: str
    missing: str = ""
    editable: bool = False


def add_study(case: Case, study: Study) -> None:
    """Put every time point of a Study into the scene; the administration goes into the settings.

    Raises StudyError when the case holds another patient's time points already.
    """
    held = at.text(case.node_of_settings, "PatientId")
    if case.nodes(at.SPECT) and held != study.patient_id:
        raise StudyError(
            f"The time points are of patient {study.patient_id or 'without ID'}, those in the scene of "
            f"{held or 'a patient without ID'}: close the scene first, or add only this patient's time points."
        )
    _require_new(case, study)
    settings = case.node_of_settings
    warnings = [*at.lines(settings, "Warnings"), *study.warnings]
    at.write_all(settings, PatientId=study.patient_id, Warnings=list(dict.fromkeys(warnings)))
    at.write(settings, "LabelNames", {str(k): v for k, v in study.label_names.items()})
    show_administration(case.parameters.administration, study.administration)
    first = 1 + max(map(_number, case.nodes(at.SPECT)), default=0)
    for number, point in enumerate(study.time_points, start=first):
        _add_time_point(case, number, point, study.administration)


def add_volumes(case: Case, spect: Any, ct: Any = None) -> None:
    """Take volumes of the scene as a time point; nothing is known of it but its voxels and, perhaps, its unit.

    Raises StudyError for a volume that belongs to the case already, is under a transform, or is the CT itself.
    """
    if spect is None:
        raise StudyError("Choose the SPECT volume first.")
    if spect is ct:
        raise StudyError(f"{spect.GetName()} is chosen as SPECT and as CT: choose two volumes, or no CT.")
    for node in (spect, ct):
        _require_free(node)
    image = image_of(spect)  # raises for a volume without voxels
    if not np.isfinite(image.voxels).all():
        raise StudyError(f"The volume {spect.GetName()} holds values that are not numbers: reconstruct it again.")
    number = 1 + max(map(_number, case.nodes(at.SPECT)), default=0)
    units = spect.GetVoxelValueUnits()
    coded = "" if units is None else units.GetCodeValue() or ""
    at.write_all(spect, Role=at.SPECT, TimePoint=number, Files=[], Warnings=[])
    set_unit(spect, {"Bq/ml": "Bq/mL", "{counts}": "counts"}.get(coded, "unknown"))
    at.write(spect, "StatedUnit", {"Bq/ml": "Bq/mL", "{counts}": "counts"}.get(coded))
    if ct is not None:
        at.write_all(ct, Role=at.CT, TimePoint=number)
        set_unit(ct, "HU")
    _place(case, number, [node for node in (spect, ct) if node is not None])


def remove_time_point(case: Case, number: int) -> None:
    """Take a time point out of the scene with all that was made from it."""
    for node in case.nodes(time_point=number):
        case.remove(node)
    hierarchy.tidy()


def set_value(node: Any, column: str, text: str) -> None:
    """What the user writes into a cell: acquired, time_h, duration_s, unit or decay. Raises StudyError."""
    writers = {
        "acquired": _set_acquired,
        "time_h": _set_time,
        "duration_s": _set_duration,
        "unit": _set_unit,
        "decay": _set_decay,
    }
    state = node.StartModify()
    try:
        writers[column](node, text.strip())
    finally:
        node.EndModify(state)


def row_of(nodes: TimePointNodes, administration: Administration) -> dict[str, Cell]:
    """The cells of a time point, by column, with what is missing named as the library names it."""
    from RPTDosimetryLib.study.complete import ACQUISITION_TIME, DECAY_CORRECTION, DURATION
    from RPTDosimetryLib.study.complete import UNIT as UNIT_MISSING

    spect = nodes.spect
    time_s, acquired = time_s_of(spect, administration), at.moment(spect, "Acquired")
    lacking = missing_of(spect, administration)
    duration_s, unit = at.number(spect, "DurationS"), unit_of(spect)
    given = set(at.lines(spect, "Given"))

    def cell(name: str, text: str, column: str, header_knows: bool) -> Cell:
        return Cell(text, name if name in lacking else "", column in given or not header_knows)

    return {
        "acquired": cell(
            ACQUISITION_TIME, "" if acquired is None else f"{acquired:%Y-%m-%d %H:%M}", "acquired", acquired is not None
        ),
        "time_h": cell(
            ACQUISITION_TIME, "" if time_s is None else f"{time_s / S_PER_H:.2f}", "time_h", time_s is not None
        ),
        "duration_s": cell(
            DURATION, "" if duration_s is None else f"{duration_s:g}", "duration_s", duration_s is not None
        ),
        "unit": cell(UNIT_MISSING, unit or "", "unit", unit is not None),
        "decay": cell(
            DECAY_CORRECTION, at.text(spect, "DecayReference"), "decay", bool(at.text(spect, "DecayReference"))
        ),
        "calibrated": Cell("yes" if unit == "Bq/mL" else "no"),
        "ct": Cell("none" if nodes.ct is None else without_unit(nodes.ct.GetName())),
    }


def missing_of(spect: Any, administration: Administration) -> tuple[str, ...]:
    """What neither the files nor the user say about a time point, by the names of study.complete."""
    from RPTDosimetryLib.study.complete import missing_of_time_point

    known = time_s_of(spect, administration) is not None or at.moment(spect, "Acquired") is not None
    reference = at.text(spect, "DecayReference") or None
    return missing_of_time_point(known, unit_of(spect), reference, at.number(spect, "DurationS"))


def unit_of(spect: Any) -> str | None:
    """The unit, Bq/mL or counts; None where nobody says."""
    unit = at.text(spect, UNIT)
    return unit if unit in ("Bq/mL", "counts") else None


def time_s_of(spect: Any, administration: Administration) -> float | None:
    """Seconds since administration: as stated, else by the clocks, else None."""
    stated = at.number(spect, "TimeS")
    acquired = at.moment(spect, "Acquired")
    if stated is not None:
        return stated
    if acquired is None or administration.time is None:
        return None
    return _seconds_between(administration.time, acquired)


def study_of(case: Case) -> Study:
    """The Study that the nodes hold. Raises StudyError without a time point or with one before the administration."""
    from RPTDosimetryLib.study.complete import ADMINISTERED_ACTIVITY, ADMINISTRATION_TIME, NUCLIDE

    administration = case.administration()
    points = tuple(_time_point(nodes, administration) for nodes in case.time_points())
    if not points:
        raise StudyError("The scene holds no time point: add some in step Study.")
    lacking = [NUCLIDE] if administration.nuclide is None else []
    lacking += [ADMINISTERED_ACTIVITY] if administration.administered_activity_bq is None else []
    if administration.time is None and any(point.time_s is None for point in points):
        lacking.append(ADMINISTRATION_TIME)
    settings = case.node_of_settings
    return Study(
        administration=administration,
        time_points=points,
        patient_id=at.text(settings, "PatientId"),
        missing=tuple(lacking),
        warnings=at.lines(settings, "Warnings"),
        label_names={int(k): v for k, v in at.mapping(settings, "LabelNames").items()},
    )


def contours_to_text(contours: tuple[Contours, ...]) -> str:
    """Contours as JSON, every digit kept."""
    return json.dumps(
        [
            {
                "name": c.name,
                "frame_of_reference_uid": c.frame_of_reference_uid,
                "polygons_mm": [polygon.tolist() for polygon in c.polygons_mm],
            }
            for c in contours
        ]
    )


def contours_from_text(text: str) -> tuple[Contours, ...]:
    """The inverse of contours_to_text."""
    return tuple(
        Contours(
            told["name"],
            tuple(np.asarray(polygon, dtype=np.float64).reshape(-1, 3) for polygon in told["polygons_mm"]),
            told["frame_of_reference_uid"],
        )
        for told in json.loads(text)
    )


# into the scene -----------------------------------------------------------------------------------------------------


def _add_time_point(case: Case, number: int, point: TimePoint, administration: Administration) -> None:
    import slicer

    label = f"Time point {number}" if point.time_s is None else f"{point.time_s / S_PER_H:.1f} h"
    spect = volume_from_image(point.spect, with_unit(f"SPECT {label}", point.spect.unit), at.SPECT)
    by_clock = None
    if point.acquired is not None and administration.time is not None:
        by_clock = _seconds_between(administration.time, point.acquired)
    stated = by_clock is None or (point.time_s is not None and abs(by_clock - point.time_s) > _SAME_TIME_S)
    at.write_all(
        spect,
        TimePoint=number,
        Acquired=point.acquired,
        TimeS=point.time_s if stated else None,
        DurationS=point.duration_s,
        StatedUnit=point.spect.unit if unit_of(spect) else None,
        FrameOfReferenceUid=point.frame_of_reference_uid,
        Calibration=point.calibration,
        DecayCorrection=point.decay_correction,
        DecayReference=_reference(point),
        UndoneFactor=_undone_factor(point, administration),
        Warnings=list(point.warnings),
        Files=[str(file) for file in point.files],
    )
    made = [spect]
    if point.ct is not None:
        made.append(volume_from_image(point.ct, with_unit(f"CT {label}", "HU"), at.CT))
    if point.labels is not None:
        made.append(volume_from_image(point.labels, f"Labels {label}", at.LABELS))
    if point.segments:
        made.append(segmentation_of_segments(point.segments, f"Segments {label}"))
        at.write(made[-1], at.ROLE, at.SEGMENTS)
    if point.structures:
        text = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", f"Contours {label}")
        text.SetText(contours_to_text(point.structures))
        at.write(text, at.ROLE, at.CONTOURS)
        made.append(text)
    for node in made[1:]:
        at.write(node, at.TIME_POINT, number)
    _place(case, number, made)


def _place(case: Case, number: int, nodes: list[Any]) -> None:
    study = hierarchy.study_item(at.text(case.node_of_settings, "PatientId"))
    folder = hierarchy.time_point_item(study, number, f"Time point {number}")
    for node in nodes:
        hierarchy.place(node, folder)


def _require_new(case: Case, study: Study) -> None:
    held = {file for node in case.nodes(at.SPECT) for file in at.lines(node, "Files")}
    again = sorted({str(file) for point in study.time_points for file in point.files} & held)
    if again:
        raise StudyError(f"{again[0]} is in the scene already: remove that time point first, or leave it as it is.")


def _require_free(node: Any) -> None:
    if node is None:
        return
    if at.role(node):
        raise StudyError(f"{node.GetName()} belongs to the case already (as {at.role(node)}): choose another volume.")
    if node.GetParentTransformNode() is not None:
        raise StudyError(
            f"{node.GetName()} lies under the transform {node.GetParentTransformNode().GetName()}: harden the "
            "transform in the module Transforms, or take the volume out of it."
        )


def _reference(point: TimePoint) -> str:
    word = point.decay_correction.split(":")[0]
    return word if word in DECAY else ""


def _undone_factor(point: TimePoint, administration: Administration) -> float:
    """By what the stored voxels were multiplied to take a correction to the administration away (1 where none was)."""
    from RPTDosimetryLib.study.administration import half_life_s_of

    half_life_s = half_life_s_of(administration)
    undone = point.decay_correction.startswith("ADMIN: corrected")
    if not undone or half_life_s is None or point.time_s is None:
        return 1.0
    return math.exp(-math.log(2.0) / half_life_s * point.time_s)


def _number(node: Any) -> int:
    return at.whole_number(node, at.TIME_POINT) or 0


def _seconds_between(earlier: datetime, later: datetime) -> float:
    from RPTDosimetryLib.study.dicom_values import seconds_between

    return float(seconds_between(earlier, later))


# what the user fills in ---------------------------------------------------------------------------------------------


def _given(node: Any, column: str, told: str) -> None:
    at.write(node, "Given", sorted({*at.lines(node, "Given"), column}))
    notes = [note for note in at.lines(node, "Warnings") if not note.startswith(f"{column} ")]
    at.write(node, "Warnings", [*notes, f"{column} {told}: given by the user"])


def _set_acquired(node: Any, text: str) -> None:
    acquired = date_and_time(text, "acquisition start")
    at.write_all(node, Acquired=acquired, TimeS=None if acquired is not None else at.number(node, "TimeS"))
    _given(node, "acquired", text)


def _set_time(node: Any, text: str) -> None:
    hours = _positive(text, "time after administration [h]", zero=True)
    at.write(node, "TimeS", None if hours is None else hours * S_PER_H)
    _given(node, "time_h", text)


def _set_duration(node: Any, text: str) -> None:
    at.write(node, "DurationS", _positive(text, "acquisition duration [s]"))
    _given(node, "duration_s", text)


def _set_unit(node: Any, text: str) -> None:
    """Voxels become Bq/mL (or counts); choosing again starts from the values as they were."""
    if text not in UNITS:
        raise StudyError(f'The unit "{text}" is not known: choose one of {", ".join(UNITS)}.')
    before = UNITS.get(at.text(node, "StatedUnit"), 1.0)
    image = image_of(node)
    unit = "counts" if text == "counts" else "Bq/mL"
    if UNITS[text] != before:
        put_image(node, Image(image.voxels * np.float32(UNITS[text] / before), image.grid, unit))
    set_unit(node, unit)
    node.SetName(with_unit(node.GetName(), unit))
    at.write(node, "StatedUnit", text)
    _given(node, "unit", text)


def _set_decay(node: Any, text: str) -> None:
    if text not in DECAY:
        raise StudyError(f'The decay correction "{text}" is not known: choose one of {", ".join(DECAY)}.')
    at.write(node, "DecayReference", text)
    _given(node, "decay", text)


def _positive(text: str, what: str, zero: bool = False) -> float | None:
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise StudyError(f'The {what} "{text}" is not a positive number.')
    return value


# back to records ----------------------------------------------------------------------------------------------------


def _time_point(nodes: TimePointNodes, administration: Administration) -> TimePoint:
    spect = nodes.spect
    time_s = time_s_of(spect, administration)
    if time_s is not None and time_s < 0:
        raise StudyError(
            f"{spect.GetName()} starts {-time_s / S_PER_H:.2f} h before the administration: check both dates in step "
            "Study."
        )
    image, decay = _at_scan_time(spect, time_s, administration)
    return TimePoint(
        spect=image,
        time_s=time_s,
        acquired=at.moment(spect, "Acquired"),
        duration_s=at.number(spect, "DurationS"),
        ct=None if nodes.ct is None else image_of(nodes.ct),
        structures=() if nodes.contours is None else contours_from_text(nodes.contours.GetText()),
        segments=() if nodes.segments is None else segments_of(nodes.segments),
        labels=None if nodes.labels is None else image_of(nodes.labels),
        frame_of_reference_uid=at.text(spect, "FrameOfReferenceUid") or None,
        decay_correction=decay,
        calibration=at.text(spect, "Calibration"),
        missing=missing_of(spect, administration),
        warnings=at.lines(spect, "Warnings"),
        files=tuple(Path(file) for file in at.lines(spect, "Files")),
    )


def _at_scan_time(spect: Any, time_s: float | None, administration: Administration) -> tuple[Image, str]:
    """The image at scan time by what is known now; the factor applied when it was read is taken back first."""
    image, told = image_of(spect), at.text(spect, "DecayCorrection")
    reference = at.text(spect, "DecayReference")
    if reference != "ADMIN" and (told.startswith(reference) and told):
        return image, told
    from RPTDosimetryLib.study.administration import half_life_s_of
    from RPTDosimetryLib.study.decay import at_scan_time
    from RPTDosimetryLib.study.scan import Scan, SourceFiles

    half_life_s = half_life_s_of(administration)
    undone = at.number(spect, "UndoneFactor") or 1.0
    if half_life_s is not None and time_s is not None:
        now = math.exp(-math.log(2.0) / half_life_s * time_s)
        if reference == "ADMIN" and math.isclose(now, undone, rel_tol=1e-9):
            return image, told
    stored = image if undone == 1.0 else image.with_voxels(image.voxels / np.float32(undone))
    scan = Scan(stored, SourceFiles(spect.GetName(), (), frozenset()), decay_reference=reference or None)
    changed, text, _notes = at_scan_time(stored, scan, time_s, half_life_s)
    return changed, text
