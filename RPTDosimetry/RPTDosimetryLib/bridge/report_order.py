"""All that a report is made from, gathered from the scene; and the scene itself as a file."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import comparison
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.errors import ReportError
from RPTDosimetryLib.records import Review

if TYPE_CHECKING:
    from RPTDosimetryLib.report.assessment import Choices
    from RPTDosimetryLib.report.exports import ReportOrder
    from RPTDosimetryLib.report.summary import Summary, TableOfText

#: Check boxes of step Report, by the names of the parameters and of export_folder.WRITERS.
PARTS = ("seg", "sr", "rtstruct", "pdf")
#: Folders of this process: another Slicer may be writing a report too.
_WAITING = f"rptdosimetry-report-{os.getpid()}-"


def order_of(case: Case, kinetics: Any, scene: Path | None) -> ReportOrder:
    """The order of a report. kinetics: the KineticsChoice of the step. Raises ConfigurationError for assumptions that
    cannot be, and what the steps' readers raise.
    """
    from RPTDosimetryLib.bridge.assumptions import choices_of
    from RPTDosimetryLib.bridge.doses import doses_of_case, tia_of_case
    from RPTDosimetryLib.bridge.patient import patient_of_case
    from RPTDosimetryLib.bridge.quantified import activity_check_of, calibration_of, cut_of, totals_of
    from RPTDosimetryLib.bridge.registered import registered_of
    from RPTDosimetryLib.bridge.volumes_of_interest import vois_of_case
    from RPTDosimetryLib.dose.engine import scheme_of
    from RPTDosimetryLib.report.exports import ReportOrder
    from RPTDosimetryLib.tia.kinetics import series_of_registered

    registered, told, choices = registered_of(case), case.parameters.report, choices_of(case)
    return ReportOrder(
        registered=registered,
        series=series_of_registered(registered),
        vois=vois_of_case(case),
        tia=tia_of_case(case),
        doses=tuple((dose, patient_of_case(case, scheme_of(dose.engine))) for dose in doses_of_case(case)),
        kinetics=kinetics,
        recovery=calibration_of(case).recovery_curve(),
        totals=tuple(totals_of(case)),
        checks=(*activity_check_of(case).allowed, *cut_of(case)),
        settings={"panel": settings_of(case), **_assumed(choices)},
        choices=choices,
        comparison=comparison.answer(case),
        reviewer=told.reviewer,
        comment=told.comment,
        scene=scene,
        parts=parts_of(case),
        key=secrets.token_hex(16) if told.deidentify else None,
    )


def _assumed(choices: Choices) -> dict[str, Any]:
    """The assumptions written out under the names of run.toml: rows that nobody edited stand there too."""
    return {name: getattr(choices, name) for name in ("radiobiology", "cycles", "uncertainty", "protection")}


def parts_of(case: Case) -> tuple[str, ...]:
    """What other systems shall take; a de-identified export has the dose as well, since the report's own names who."""
    told = case.parameters.report
    chosen = tuple(name for name in PARTS if getattr(told, name))
    return ("rtdose", *chosen) if told.deidentify else chosen


def settings_of(case: Case) -> dict[str, str]:
    """Every setting of the panel as it stands in the parameter node, but the tables that _assumed writes out."""
    from RPTDosimetryLib.bridge.assumptions import COLUMNS

    node, tables = case.node_of_settings, [f"assumptions.{table}" for table in COLUMNS]
    names = [str(name) for name in node.GetParameterNames()]
    return {name: str(node.GetParameter(name)) for name in sorted(names) if name not in tables}


def preview_of(case: Case, files: tuple[str, ...], effects: Mapping[str, Any] | None = None) -> Summary:
    """What the summary will say, as far as it is known before the report is written.

    effects: by engine what effect_nodes.effects_told has told, where it is of the doses and assumptions of now.
    """
    from RPTDosimetryLib.bridge.volumes_of_interest import known_of
    from RPTDosimetryLib.report.exports import notice_of
    from RPTDosimetryLib.report.summary import Summary

    told = case.parameters.report
    doses = case.nodes(at.DOSE)
    unreviewed = [voi.name for voi in known_of(case).settled if voi.review is None]
    warnings = [*at.lines(case.node_of_settings, "Warnings")]
    for node in [*case.nodes(at.TIA), *doses]:
        warnings += at.lines(node, "Warnings")
    for known in (effects or {}).values():
        warnings += known["warnings"]
    return Summary(
        patient_id=at.text(case.node_of_settings, "PatientId"),
        administration=case.administration(strict=False),
        tables=tuple(_tables(case, effects or {})),
        methods=tuple(dict.fromkeys(at.text(node, "Method") for node in doses)),
        reviewer=told.reviewer,
        comment=told.comment,
        notice=notice_of(unreviewed),
        warnings=tuple(dict.fromkeys(warnings)),
        files=files,
    )


def _tables(case: Case, effects: Mapping[str, Any]) -> list[TableOfText]:
    """Organ doses that step Dose left in the scene, what they mean, and the table of the comparison."""
    from RPTDosimetryLib.bridge.dose_nodes import organ_doses_of_case
    from RPTDosimetryLib.bridge.volumes_of_interest import known_of
    from RPTDosimetryLib.report.compared import COLUMNS, compared_rows, compared_title
    from RPTDosimetryLib.report.summary import TableOfText, assessment_text, organ_text

    reviews = {voi.name: voi.review for voi in known_of(case).settled}
    found = []
    for engine, rows in organ_doses_of_case(case).items():
        # doses are as computed; who has accepted a contour may have changed since
        known = effects.get(engine)
        u_gy = {each["name"]: each["mean_u_gy"] for each in known["told"]["uncertainty"]} if known else {}
        now = [
            replace(row, reviewed_by=_reviewed_by(reviews.get(row.name)), mean_u_gy=u_gy.get(row.name)) for row in rows
        ]
        found.append(organ_text(now, f"Engine {engine}"))
        found += assessment_text(f"Engine {engine}", known["rows"], known["told"]["limits"]) if known else []
    told = comparison.answer(case)
    if told and told["figures"]["volumes"]:
        columns = tuple(title for _key, title, _style in COLUMNS)
        found.append(TableOfText(f"Comparison: {compared_title(told)}", columns, compared_rows(told)))
    return found


def _reviewed_by(review: Review | None) -> str | None:
    return None if review is None else f"{review.reviewer}, {review.time.isoformat()}"


# the scene as a file --------------------------------------------------------------------------------------------------


def save_scene() -> Path:
    """The whole scene as .mrb in a folder of its own, from which a report takes it. Raises ReportError."""
    forget_saved_scenes()
    folder = Path(tempfile.mkdtemp(prefix=_WAITING))
    scene = slicer.mrmlScene
    for index in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(index)
        if node.IsA("vtkMRMLStorableNode") and node.GetSaveWithScene():
            node.AddDefaultStorageNode()
    path = folder / "case.mrb"
    if not scene.WriteToMRB(str(path), None):
        shutil.rmtree(folder, ignore_errors=True)
        raise ReportError("The scene could not be saved: free some space, or leave it out of the report.")
    return path


def forget_saved_scenes() -> None:
    """Remove scenes that no report has taken (it failed, or was cancelled): they hold the patient's images."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_WAITING}*"):
        shutil.rmtree(folder, ignore_errors=True)
