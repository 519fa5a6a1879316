"""A whole report from what a person has worked out step by step: one folder, all of it or nothing.

Adding an export is one line in EXPORTS: its name, what it is, and what writes it into the folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.calibration.activity_table import CalibratedTotal
from RPTDosimetryLib.calibration.recovery import RecoveryCurve
from RPTDosimetryLib.errors import ReportError
from RPTDosimetryLib.evaluation.organ_table import organ_doses
from RPTDosimetryLib.files import whole_folder
from RPTDosimetryLib.records import (
    ActivitySeries,
    DoseMap,
    KineticFit,
    PatientMap,
    Progress,
    RegisteredStudy,
    TiaMap,
    TimeActivityCurve,
    Voi,
    part_of,
    silent,
)
from RPTDosimetryLib.report.assessment import Choices, assessed
from RPTDosimetryLib.report.compared import COLUMNS, ComparedDoses, compared_rows, compared_title
from RPTDosimetryLib.report.notice import noticed
from RPTDosimetryLib.report.outcome import Outcome
from RPTDosimetryLib.report.provenance import Origin, json_text, sha256_of
from RPTDosimetryLib.report.summary import SUMMARY, Summary, TableOfText, assessment_text, organ_text, summary_html
from RPTDosimetryLib.report.tables import write_rows
from RPTDosimetryLib.tia.kinetics import KineticsChoice
from RPTDosimetryLib.tia.side_by_side import SideBySide, side_by_side_of_vois
from RPTDosimetryLib.tia.voi_curves import fit_vois, voi_curves

NOT_REVIEWED, COMPARISON, COMPARED_ORGANS, SCENE = (
    "NOT_REVIEWED.txt",
    "comparison.json",
    "compared_organs.csv",
    "case.mrb",
)
#: Folder of what other systems take.
PARTS: Final = "export"


@dataclass(frozen=True)
class ReportOrder:
    """All that a report is made from. doses: each dose map with the patient in its engine's media.

    unreviewed: names of the volumes that nobody has accepted. choices: of the assessment (uncertainty, BED,
    limits, protection), the documented defaults where none are given. comparison: figures and gamma of a comparison,
    empty without one; compared: its doses, for the pictures. scene: a scene file to take along (moved into the
    report), None for none. parts: what other systems shall take, by the names of export_folder.WRITERS; key: the
    secret where that is de-identified.
    """

    registered: RegisteredStudy
    series: ActivitySeries
    vois: tuple[Voi, ...]
    tia: TiaMap
    doses: tuple[tuple[DoseMap, PatientMap], ...]
    kinetics: KineticsChoice = field(default_factory=KineticsChoice)
    recovery: RecoveryCurve | None = None
    totals: tuple[CalibratedTotal, ...] = ()
    checks: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    choices: Choices = field(default_factory=Choices)
    comparison: Mapping[str, Any] = field(default_factory=dict)
    compared: ComparedDoses | None = None
    reviewer: str = ""
    comment: str = ""
    scene: Path | None = None
    parts: tuple[str, ...] = ()
    key: str | None = None

    @property
    def unreviewed(self) -> tuple[str, ...]:
        """Names of the volumes that nobody has accepted."""
        return tuple(voi.name for voi in self.vois if voi.review is None)


@dataclass(frozen=True)
class Writing:
    """A report while it is written: where, and what is known of each dose by now."""

    order: ReportOrder
    folder: Path
    outcomes: tuple[Outcome, ...]
    warnings: list[str]
    progress: Progress = silent


@dataclass(frozen=True)
class Export:
    """One kind of file. wanted: whether there is something to write."""

    name: str
    text: str
    write: Callable[[Writing], None]
    wanted: Callable[[ReportOrder], bool] = lambda _order: True


@dataclass(frozen=True)
class WrittenReport:
    """The folder, its files and every warning."""

    folder: Path
    files: tuple[str, ...]
    warnings: tuple[str, ...]


def notice_of(unreviewed: Sequence[str]) -> str:
    """The sentence on every file while contours are unreviewed; empty when all are reviewed."""
    return f"CONTOURS NOT REVIEWED: {', '.join(unreviewed)}" if unreviewed else ""


def write_report(order: ReportOrder, folder: Path, progress: Progress = silent) -> WrittenReport:
    """Every export that has something to say, in one folder, all or none.

    Raises ReportError without a dose or where the disk refuses, and what the rooms before raise.
    """
    if not order.doses:
        raise ReportError("There is no dose to report: run step Dose.")
    notice = notice_of(order.unreviewed)
    warnings: list[str] = []
    progress(0.0, "Curves and organ doses")
    outcomes = outcomes_of(order, notice)
    wanted = [export for export in EXPORTS if export.wanted(order)]
    with whole_folder(folder) as temporary, noticed(notice):
        for number, export in enumerate(wanted):
            step = part_of(progress, 0.1 + 0.9 * number / len(wanted), 0.1 + 0.9 * (number + 1) / len(wanted))
            step(0.0, export.text)
            export.write(Writing(order, temporary, outcomes, warnings, step))
        files = tuple(sorted(path.relative_to(temporary).as_posix() for path in temporary.rglob("*") if path.is_file()))
    progress(1.0, "Report written")
    return WrittenReport(folder, files, tuple(dict.fromkeys(warnings)))


def outcomes_of(order: ReportOrder, notice: str = "") -> tuple[Outcome, ...]:
    """What a run would have computed, a dose map each; the notice is in every method line."""
    curves = voi_curves(order.series, order.vois)
    pairs: dict[str, tuple[TimeActivityCurve, KineticFit]] = {}
    compared: dict[str, SideBySide] = {}
    for voi in order.vois:
        settings = order.kinetics.of(voi)
        pairs[voi.name] = (curves[voi.name], fit_vois(order.series, [voi], settings)[voi.name])
        compared |= side_by_side_of_vois({voi.name: pairs[voi.name]}, settings)
    checks = tuple(text for text in (notice, *order.checks) if text)
    given = order.registered.study.administration
    found = []
    for dose, patient in order.doses:
        said = replace(dose, method=" ".join(text for text in (dose.method, notice and f"{notice}.") if text))
        rows = tuple(organ_doses(said, order.vois, patient, order.tia, given, order.recovery))
        parts = (order.registered, patient, order.vois, pairs, order.tia, said, rows, checks, order.totals, compared)
        choices = replace(order.choices, recovery=order.recovery)
        found.append(assessed(Outcome(*parts, settings=order.settings), choices))
    return tuple(found)


def _write_results(writing: Writing) -> None:
    """Maps, tables, figures, RT Dose and provenance; in a folder an engine where there are several."""
    from RPTDosimetryLib.report.results import (  # needs packages that the list of exports does not
        Answerable,
        write_results,
    )

    inputs, gone = _inputs(writing.order.registered)
    writing.warnings.extend(gone)
    for number, outcome in enumerate(writing.outcomes):
        several = len(writing.outcomes) > 1
        folder = writing.folder / outcome.dose.engine if several else writing.folder
        folder.mkdir(exist_ok=True)
        share = part_of(writing.progress, number / len(writing.outcomes), (number + 1) / len(writing.outcomes))
        order = writing.order
        answerable = Answerable(order.reviewer, order.comment, order.comparison, order.compared)
        writing.warnings.extend(write_results(outcome, folder, Origin(), inputs, share, answerable))


def _write_parts(writing: Writing) -> None:
    """What other systems take, in a folder of its own beside each record."""
    from RPTDosimetryLib.report.export_folder import ExportChoice, export_record

    choice = ExportChoice(**dict.fromkeys(writing.order.parts, True), key=writing.order.key)
    for record in sorted(writing.folder.rglob("provenance.json")):
        writing.warnings.extend(export_record(record, record.parent / PARTS, choice)["warnings"])


def _inputs(registered: RegisteredStudy) -> tuple[dict[str, str], list[str]]:
    """SHA-256 of the files that the study was read from, and a sentence for those that are gone."""
    files = [file for point in registered.study.time_points for file in point.files]
    known = {file.as_posix(): sha256_of(file) for file in files if file.is_file()}
    gone = len(files) - len(known)
    return known, [f"{gone} input files are no longer where they were read: not in the record."] if gone else []


def _write_comparison(writing: Writing) -> None:
    told = writing.order.comparison
    (writing.folder / COMPARISON).write_text(json_text(told) + "\n", encoding="utf-8")
    rows = [
        {"reference": told["doses"][0], "evaluated": told["doses"][1]}
        | {name: value for name, value in row.items() if not isinstance(value, Mapping)}
        for row in told["figures"]["volumes"]
    ]
    if rows:
        write_rows(rows, writing.folder / COMPARED_ORGANS)


def _write_summary(writing: Writing) -> None:
    order = writing.order
    tables = [table for outcome in writing.outcomes for table in _tables(outcome)]
    files = sorted(path.relative_to(writing.folder).as_posix() for path in writing.folder.rglob("*") if path.is_file())
    summary = Summary(
        patient_id=order.registered.study.patient_id,
        administration=order.registered.study.administration,
        tables=(*tables, *_comparison_table(order.comparison)),
        methods=tuple(dict.fromkeys(dose.method for dose, _patient in order.doses)),
        reviewer=order.reviewer,
        comment=order.comment,
        notice=notice_of(order.unreviewed),
        warnings=tuple(dict.fromkeys(writing.warnings)),
        pictures=tuple(name for name in files if name.endswith(".png")),
        files=tuple(files),
    )
    (writing.folder / SUMMARY).write_text(summary_html(summary), encoding="utf-8")


def _tables(outcome: Outcome) -> list[TableOfText]:
    from RPTDosimetryLib.report.assessment_tables import assessment_answer, effect_rows

    engine = f"Engine {outcome.dose.engine_told}"
    rows = organ_text(outcome.organ_doses, engine)
    return [rows, *assessment_text(engine, effect_rows(outcome), assessment_answer(outcome)["limits"])]


def _comparison_table(told: Mapping[str, Any]) -> list[TableOfText]:
    if not told:
        return []
    titles = tuple(title for _key, title, _style in COLUMNS)
    return [TableOfText(f"Comparison: {compared_title(told)}", titles, compared_rows(told))]


def _write_notice(writing: Writing) -> None:
    names = "\n".join(writing.order.unreviewed)
    text = f"{notice_of(writing.order.unreviewed)}\n\nNobody has accepted these contours; all figures depend on them:\n"
    (writing.folder / NOT_REVIEWED).write_text(f"{text}{names}\n", encoding="utf-8")


def _write_scene(writing: Writing) -> None:
    if writing.order.scene is not None:
        shutil.move(writing.order.scene, writing.folder / SCENE)


#: In the order of writing; the summary lists the files that are there by then.
EXPORTS: Final[tuple[Export, ...]] = (
    Export("results", "Report (HTML, PDF), maps, tables, RT Dose", _write_results),
    Export("parts", "For other systems", _write_parts, lambda order: bool(order.parts)),
    Export("comparison", "Comparison of doses", _write_comparison, lambda order: bool(order.comparison)),
    Export("notice", "Contours that are not reviewed", _write_notice, lambda order: bool(order.unreviewed)),
    Export("scene", "Scene of 3D Slicer (.mrb)", _write_scene, lambda order: order.scene is not None),
    Export("summary", "Summary to read and print", _write_summary),
)
