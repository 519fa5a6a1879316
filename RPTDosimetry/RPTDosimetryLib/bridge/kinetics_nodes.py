"""Kinetics of the library in the scene: a table of scans, one of drawn curves, their figures, the chart of a VOI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.charts import Line, remove_chart, show_lines, table_of_columns
from RPTDosimetryLib.bridge.doses import put_tia
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H

if TYPE_CHECKING:
    from RPTDosimetryLib.tia.kinetics import Kinetics

TIME = "time [h]"
_CHART = "curves"


def put_kinetics(case: Case, found: Kinetics) -> list[Any]:
    """The map as a volume and the curves as tables, in place of older ones; returns the nodes."""
    for node in [*case.nodes(at.CURVES), *case.nodes(at.SCANS)]:
        case.remove(node)
    remove_chart(case, _CHART)
    scans = {TIME: found.vois[0].time_s / S_PER_H}
    drawn = {TIME: found.drawn_s / S_PER_H}
    for voi in found.vois:
        scans[scan_column(voi.name)] = voi.activity_bq / BQ_PER_MBQ
        drawn[fit_column(voi.name)] = voi.fitted_bq / BQ_PER_MBQ
        if voi.low_bq is not None and voi.high_bq is not None:
            drawn[low_column(voi.name)] = voi.low_bq / BQ_PER_MBQ
            drawn[high_column(voi.name)] = voi.high_bq / BQ_PER_MBQ
    tables = [
        table_of_columns(scans, _("Activity of VOIs at the scans"), at.SCANS),
        table_of_columns(drawn, _("Fitted curves of VOIs"), at.CURVES),
    ]
    at.write(tables[1], "Figures", [voi.figures() for voi in found.vois])
    folder = hierarchy.result_item(hierarchy.study_item(at.text(case.node_of_settings, "PatientId")), "Kinetics")
    for table in tables:
        hierarchy.place(table, folder)
    return [put_tia(case, found.tia), *tables]


def figures_of_case(case: Case) -> list[dict[str, Any]]:
    """Figures of every VOI as tia.kinetics.VoiKinetics.figures() told them; empty before step Kinetics has run."""
    table = case.node(at.CURVES)
    return [] if table is None else list(at.lines(table, "Figures"))  # type: ignore[arg-type]


def scan_column(name: str) -> str:
    """Column of the activities of a VOI at the scans."""
    return f"{name} [MBq]"


def fit_column(name: str) -> str:
    """Column of its fitted curve."""
    return f"{name} fit [MBq]"


def low_column(name: str) -> str:
    """Column of the lower end of its band."""
    return f"{name} 2.5 % [MBq]"


def high_column(name: str) -> str:
    """Column of the upper end of its band."""
    return f"{name} 97.5 % [MBq]"


def chart_of_voi(case: Case, name: str) -> Any:
    """The chart of one VOI: scans, fit and, where there is one, its band; None before step Kinetics has run."""
    scans, drawn = case.node(at.SCANS), case.node(at.CURVES)
    told = next((figures for figures in figures_of_case(case) if figures["name"] == name), None)
    if scans is None or drawn is None or told is None:
        return None
    blue, grey = (0.12, 0.36, 0.65), (0.45, 0.60, 0.80)
    lines = [Line(_("fit: {model}").format(model=told["model"]), drawn, TIME, fit_column(name), blue)]
    if drawn.GetTable().GetColumnByName(low_column(name)) is not None:
        lines += [
            Line(_("2.5 % of the band"), drawn, TIME, low_column(name), grey, style=1),
            Line(_("97.5 % of the band"), drawn, TIME, high_column(name), grey, style=1),
        ]
    lines.append(Line(_("scans"), scans, TIME, scan_column(name), (0.85, 0.25, 0.10), points=True))
    titles = (_("Activity of {name}").format(name=name), _("time after administration [h]"), _("activity [MBq]"))
    return show_lines(case, _CHART, lines, titles)


def megabecquerel_hours(tia_bq_s: float) -> float:
    """Ã [MBq·h]."""
    return tia_bq_s / BQ_PER_MBQ / S_PER_H
