"""The quantitative study in the scene: calibrated activity [Bq/mL] of each visit, its beds joined, and back again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.volumes import image_of, volume_from_image
from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Study, TimePoint
from RPTDosimetryLib.units import S_PER_H

if TYPE_CHECKING:
    from RPTDosimetryLib.bridge.case import Case

_PARTS, _NOTES = "Parts", "StudyWarnings"


def put_quantified(case: Case, study: Study, groups: tuple[tuple[int, ...], ...]) -> list[Any]:
    """Nodes of a calibrated study; groups: indices of the case's time points that each of its time points is made of.

    Older ones go.
    """
    for role in (at.ACTIVITY, at.ACTIVITY_CT):
        for node in case.nodes(role):
            case.remove(node)
    numbers = [nodes.number for nodes in case.time_points()]
    made = []
    for point, group in zip(study.time_points, groups, strict=True):
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

    Raises StudyError before that step was run, and where time points it was made of are gone.
    """
    nodes = activity_nodes(case)
    if not nodes:
        raise StudyError("The activity is not calibrated yet: run step Calibration.")
    read = case.study()
    by_number = {p.number: point for p, point in zip(case.time_points(), read.time_points, strict=True)}
    points = tuple(_time_point(case, node, by_number) for node in nodes)
    return replace(read, time_points=points, warnings=at.lines(nodes[0], _NOTES))


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
