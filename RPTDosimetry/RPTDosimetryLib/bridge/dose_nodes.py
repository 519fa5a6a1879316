"""Organ tables and histograms of the dose volumes of a case: as tables and a chart of the scene, and as .csv."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.charts import MOST_IN_LEGEND, Line, dress_chart, show_lines, table_of_columns, values_of
from RPTDosimetryLib.bridge.doses import MAPS, put_dose
from RPTDosimetryLib.bridge.hybrid_choices import fell_back

if TYPE_CHECKING:
    from RPTDosimetryLib.evaluation.organ_table import OrganDose
    from RPTDosimetryLib.evaluation.several_doses import DoseOfEngine

_ROWS = "OrganDoses"
_CHART = "dvh"
#: Points of a drawn histogram are every so many of its bins; figures come from the voxels themselves.
_EVERY = 4


def put_doses(case: Case, found: tuple[DoseOfEngine, ...]) -> list[Any]:
    """A dose volume for each engine, and the tables of all doses of the scene anew; returns all of the nodes."""
    made = []
    for one in found:
        volumes = put_dose(case, one.dose)
        at.write(volumes[0], _ROWS, [asdict(row) for row in one.rows])
        made += [*volumes, _put_histograms(case, one)]
    return [*made, *put_organ_table(case)]


def remove_dose(case: Case, engine: str) -> None:
    """Take the dose of an engine out of the scene, with its maps and histograms."""
    for role in (at.DOSE, *MAPS, at.DVHS, at.ISODOSE):
        for node in case.nodes(role):
            if at.text(node, "Engine") == engine:
                case.remove(node)


def organ_doses_of_case(case: Case) -> dict[str, list[OrganDose]]:
    """Rows of the organ table by engine, every digit kept; empty before step Dose has run."""
    return {at.text(node, "Engine"): rows_of(node) for node in case.nodes(at.DOSE)}


def called(dose: Any) -> str:
    """The engine of a dose volume, with what stands in its place where that is another one."""
    engine = at.text(dose, "Engine")
    return _("{engine} (is MSV-8)").format(engine=engine) if fell_back(dose) else engine


def rows_of(dose: Any) -> list[OrganDose]:
    """Rows of the organ table of one dose volume."""
    from RPTDosimetryLib.evaluation.organ_table import OrganDose

    told: list[dict[str, Any]] = list(at.lines(dose, _ROWS))  # type: ignore[arg-type]
    return [OrganDose(**{**row, "warnings": tuple(row["warnings"])}) for row in told]


def put_organ_table(case: Case) -> list[Any]:
    """One table of the organ doses of every engine, in place of the older one."""
    from RPTDosimetryLib.evaluation.organ_table import OrganDose

    for old in case.nodes(at.ORGAN_DOSES):
        case.remove(old)
    rows = [(called(node), row) for node in case.nodes(at.DOSE) for row in rows_of(node)]
    if not rows:
        return []
    columns: dict[str, Any] = {"engine": [engine for engine, _row in rows]}
    for field in fields(OrganDose):
        values = [getattr(row, field.name) for _engine, row in rows]
        if any(isinstance(value, (str, tuple)) for value in values):
            columns[field.name] = [_text(value) for value in values]
        else:
            columns[field.name] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    table = table_of_columns(columns, _("Absorbed dose of VOIs"), at.ORGAN_DOSES)
    _place(case, table)
    return [table]


def write_csv(case: Case, path: Path) -> None:
    """The organ table of every engine as .csv, every digit kept, units in the names of the columns.

    Raises ReportError where the disk refuses.
    """
    from RPTDosimetryLib.report.tables import write_rows

    methods = {at.text(node, "Engine"): at.text(node, "Method") for node in case.nodes(at.DOSE)}
    told = organ_doses_of_case(case)
    rows = [
        {"engine": engine, **vars(row), "method": methods[engine]}
        for engine, several in told.items()
        for row in several
    ]
    write_rows(rows, path)


def chart_of_histograms(case: Case, engines: list[str]) -> Any:
    """The chart of the cumulative histograms: a colour for each VOI, a style for each engine.

    Of the first engine alone where the curves of all would be too many for a legend.
    """
    lines: list[Line] = []
    for style, engine in enumerate(engines):
        table = next((node for node in case.nodes(at.DVHS) if at.text(node, "Engine") == engine), None)
        for name in () if table is None else at.lines(table, "Names"):
            legend = name if len(engines) == 1 else f"{name}, {engine}"
            lines.append(Line(legend, table, f"{name} [Gy]", f"{name} [%]", colour_of(case, name), style=style))
    if not lines:
        return None
    if len(lines) > MOST_IN_LEGEND and len(engines) > 1:
        return chart_of_histograms(case, engines[:1])
    shown = _("DVH, {engine}").format(engine=engines[0]) if len(engines) == 1 else _("Dose-volume histograms")
    titles = (shown, _("absorbed dose [Gy]"), _("volume [%]"))
    chart = show_lines(case, _CHART, lines, titles)
    dress_chart(chart, max(float(np.max(values_of(line.table, line.x))) for line in lines))
    return chart


def _put_histograms(case: Case, one: DoseOfEngine) -> Any:
    for old in case.nodes(at.DVHS):
        if at.text(old, "Engine") == one.dose.engine:
            case.remove(old)
    columns = {}
    for histogram in one.histograms:
        columns[f"{histogram.name} [Gy]"] = histogram.dose_gy[::_EVERY]
        columns[f"{histogram.name} [%]"] = 100.0 * histogram.cumulative[::_EVERY]
    table = table_of_columns(columns, f"DVH {one.dose.engine}", at.DVHS)
    at.write_all(table, Engine=one.dose.engine, Names=[histogram.name for histogram in one.histograms])
    _place(case, table)
    return table


def colour_of(case: Case, name: str) -> tuple[float, float, float]:
    """The colour of a volume by its name, as its segment has it; grey for one that is gone."""
    node = case.node(at.VOIS)
    if node is not None:
        identifier = node.GetSegmentation().GetSegmentIdBySegmentName(name)
        if identifier:
            red, green, blue = node.GetSegmentation().GetSegment(identifier).GetColor()
            return red, green, blue
    return 0.4, 0.4, 0.4


def _text(value: Any) -> str:
    if value is None:
        return ""
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _place(case: Case, node: Any) -> None:
    study = hierarchy.study_item(at.text(case.node_of_settings, "PatientId"))
    hierarchy.place(node, hierarchy.result_item(study, "Dose"))
