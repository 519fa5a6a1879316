"""The quantitative study in the scene: calibrated activity [Bq/mL] of each visit, its beds joined, and back again."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.volumes import image_of, volume_from_image
from RPTDosimetryLib.errors import CalibrationError, StudyError
from RPTDosimetryLib.records import Study, TimePoint
from RPTDosimetryLib.units import S_PER_H

if TYPE_CHECKING:
    from RPTDosimetryLib.bridge.case import Case
    from RPTDosimetryLib.calibration.activity_table import CalibratedTotal
    from RPTDosimetryLib.calibration.consistency import ActivityCheck
    from RPTDosimetryLib.calibration.settings import CalibrationSettings
    from RPTDosimetryLib.pipeline import Quantified

_PARTS, _NOTES = "Parts", "StudyWarnings"
_NOT_YET = "The activity is not calibrated yet: run step Calibration."


def put_quantified(case: Case, quantified: Quantified) -> list[Any]:
    """Nodes of a calibrated study with its totals before and after, and the settings as used. Older ones go."""
    study = quantified.study
    for role in (at.ACTIVITY, at.ACTIVITY_CT):
        for node in case.nodes(role):
            case.remove(node)
    numbers = [nodes.number for nodes in case.time_points()]
    made = []
    for point, group, total in zip(study.time_points, quantified.groups, quantified.totals, strict=True):
        parts = [numbers[index] for index in group]
        volume = volume_from_image(point.spect, f"Activity {label_of(point, parts[0])} [Bq/mL]", at.ACTIVITY)
        at.write_all(
            volume,
            TimePoint=parts[0],
            Parts=parts,
            Calibration=point.calibration,
            DecayCorrection=point.decay_correction,
            DurationS=point.duration_s,
            Warnings=list(point.warnings),
            StudyWarnings=list(study.warnings),
            Cut=[*quantified.cut.warnings, *quantified.cut.notes],
            Total=asdict(total),
            Settings=asdict(quantified.calibration),
        )
        made.append(volume)
        if len(parts) > 1 and point.ct is not None:
            made.append(volume_from_image(point.ct, f"CT {label_of(point, parts[0])} joined", at.ACTIVITY_CT))
            at.write(made[-1], at.TIME_POINT, parts[0])
    study_item = hierarchy.study_item(at.text(case.node_of_settings, "PatientId"))
    for node in made:
        number = at.whole_number(node, at.TIME_POINT) or 0
        hierarchy.place(node, hierarchy.time_point_item(study_item, number, f"Time point {number}"))
    return made


def activity_nodes(case: Case) -> list[Any]:
    """The calibrated volumes in the order of their time points."""
    order = {nodes.number: place for place, nodes in enumerate(case.time_points())}
    return sorted(case.nodes(at.ACTIVITY), key=lambda node: order.get(at.whole_number(node, at.TIME_POINT) or 0, 1e9))


def quantified_of(case: Case) -> Study:
    """The Study in Bq/mL with its beds joined, as step Calibration left it.

    Raises StudyError before that step was run, and where time points it was made of are gone; CalibrationError where
    one holds so much more than can be left of the administration that nothing may be computed from it.
    """
    nodes = activity_nodes(case)
    if not nodes:
        raise StudyError(_NOT_YET)
    refused = activity_check_of(case).refused
    if refused:
        raise CalibrationError(" ".join(refused))
    read = case.study()
    by_number = {p.number: point for p, point in zip(case.time_points(), read.time_points, strict=True)}
    points = tuple(_time_point(case, node, by_number) for node in nodes)
    return replace(read, time_points=points, warnings=at.lines(nodes[0], _NOTES))


def totals_of(case: Case) -> list[CalibratedTotal]:
    """What each time point held before and after calibration; empty before that step was run."""
    from RPTDosimetryLib.calibration.activity_table import CalibratedTotal

    return [CalibratedTotal(**at.mapping(node, "Total")) for node in activity_nodes(case)]


def activity_check_of(case: Case) -> ActivityCheck:
    """What the library says of these totals: the rule that the command run goes by."""
    from RPTDosimetryLib.calibration.consistency import check_activity

    return check_activity(totals_of(case))


def cut_of(case: Case) -> tuple[str, ...]:
    """What the fields of view cut, one sentence each."""
    nodes = activity_nodes(case)
    return at.lines(nodes[0], "Cut") if nodes else ()


def calibration_of(case: Case) -> CalibrationSettings:
    """The settings that the activity was calibrated with, a camera's values written out (its recovery curve too).

    Raises StudyError before step Calibration was run.
    """
    from pydantic import TypeAdapter

    from RPTDosimetryLib.calibration.settings import CalibrationSettings

    nodes = activity_nodes(case)
    if not nodes:
        raise StudyError(_NOT_YET)
    used: CalibrationSettings = TypeAdapter(CalibrationSettings).validate_python(at.mapping(nodes[0], "Settings"))
    return used


def ct_node_of(case: Case, number: int) -> Any:
    """The CT volume that lies on the calibrated activity of a time point, or None."""
    joined = case.node(at.ACTIVITY_CT, number)
    return joined if joined is not None else case.node(at.CT, number)


def label_of(point: TimePoint, number: int) -> str:
    """How a time point is called in names of nodes."""
    return f"time point {number}" if point.time_s is None else f"{point.time_s / S_PER_H:.1f} h"


def _time_point(case: Case, node: Any, by_number: dict[int, TimePoint]) -> TimePoint:
    parts = [int(part) for part in at.lines(node, _PARTS)]
    if any(number not in by_number for number in parts):
        raise StudyError(f"{node.GetName()} is made of time points that are gone: run step Calibration again.")
    beds = [by_number[number] for number in parts]
    first = replace(
        beds[0],
        spect=image_of(node),
        calibration=at.text(node, "Calibration"),
        decay_correction=at.text(node, "DecayCorrection"),
        duration_s=at.number(node, "DurationS"),
        warnings=at.lines(node, "Warnings"),
    )
    if len(beds) == 1:
        return first
    joined = case.node(at.ACTIVITY_CT, parts[0])
    labels = [bed.labels for bed in beds if bed.labels is not None]
    return replace(
        first,
        ct=None if joined is None else image_of(joined),
        labels=labels[0] if labels else None,
        structures=tuple(structure for bed in beds for structure in bed.structures),
        segments=tuple(segment for bed in beds for segment in bed.segments),
        missing=tuple(dict.fromkeys(name for bed in beds for name in bed.missing)),
        files=tuple(file for bed in beds for file in bed.files),
    )
