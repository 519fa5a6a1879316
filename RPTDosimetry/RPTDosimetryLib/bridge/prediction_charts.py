"""Histograms of a prediction as a chart: with the interval of one organ, or beside those after therapy."""

from __future__ import annotations

from typing import Any

import numpy as np
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.charts import (
    KIND,
    MOST_IN_LEGEND,
    Line,
    remove_chart,
    show_lines,
    table_of_columns,
    values_of,
)
from RPTDosimetryLib.bridge.prediction_beside import Beside
from RPTDosimetryLib.bridge.prediction_nodes import HISTOGRAMS, POINTS, answer_of, in_order, part
from RPTDosimetryLib.bridge.prediction_parameters import PredictionPlot

#: Kind of the chart, and of the table of the curves per GBq, predicted and after therapy.
CHART, BESIDE = "prediction dvh", "beside"
#: Organs whose doses are too low beside the others to be told apart.
_NOT_DRAWN = ("rest_of_body", "lungs", "heart", "bone")
#: By common name, told apart on white and on black.
_COLOURS = {
    "kidneys": (0.84, 0.15, 0.16),
    "liver": (0.12, 0.47, 0.71),
    "spleen": (0.58, 0.40, 0.74),
    "lesion_bone": (1.00, 0.50, 0.05),
    "lesion_soft": (0.89, 0.47, 0.76),
    "marrow": (0.74, 0.74, 0.13),
    "pancreas": (0.17, 0.63, 0.17),
    "bowel": (0.55, 0.34, 0.29),
    "bladder": (0.09, 0.75, 0.81),
}
_OTHER = (0.5, 0.5, 0.5)
_SOLID, _DASH, _DOT = 0, 1, 2
#: How far the axis goes on behind the last curve, as a share of its decades: room for the legend.
_ROOM = 0.6
#: Beside those after therapy so many organs are drawn, the first: more curves have no legend.
_MOST_BESIDE = MOST_IN_LEGEND // 2


def colour_of_organ(name: str) -> tuple[float, float, float]:
    """The colour of an organ by its common name."""
    return _COLOURS.get(name, _OTHER)


def put_chart(case: Case, beside: Beside) -> Any:
    """The chosen chart anew, or None without a prediction."""
    table = part(case, HISTOGRAMS)
    if table is None:
        remove_charts(case)
        return None
    drawn = in_order(str(name) for name in at.lines(table, "Names") if name not in _NOT_DRAWN)
    told = case.parameters.predict
    if told.plot is PredictionPlot.therapy and beside.means:
        return _beside_chart(case, table, drawn, beside)
    answer = answer_of(case)
    lines = [Line(n, table, f"{n} [Gy]", f"{n} [%]", colour_of_organ(n), style=_SOLID) for n in drawn]
    organ = told.wantedOrgan
    if organ in at.lines(table, "Names"):
        if organ not in drawn:
            lines.append(Line(organ, table, f"{organ} [Gy]", f"{organ} [%]", colour_of_organ(organ), style=_SOLID))
        lines += [
            Line(
                f"{organ}, {side} 95 %",
                table,
                f"{organ} {end} [Gy]",
                f"{organ} [%]",
                colour_of_organ(organ),
                style=_DOT,
            )
            for end, side in (("low", _("low")), ("high", _("high")))
        ]
    gbq, method = answer["activity_gbq"], answer["method"]
    title = _("PREDICTION by {method}: DVH for {gbq:g} GBq").format(method=method, gbq=gbq)
    return _shown(case, lines, (title, _("predicted absorbed dose [Gy]"), _("volume [%]")))


def remove_charts(case: Case) -> None:
    """Take the chart out of the scene, and the table of curves per GBq."""
    remove_chart(case, CHART)
    node = _beside_table(case)
    if node is not None:
        case.remove(node)


def _beside_chart(case: Case, table: Any, drawn: list[str], beside: Beside) -> Any:
    """Predicted solid, after therapy dashed, for organs that both have; both per GBq of what is given."""
    answer = answer_of(case)
    after = {histogram.name: histogram for histogram in beside.histograms}
    columns: dict[str, Any] = {}
    shared = [name for name in drawn if name in after][:_MOST_BESIDE]
    for name in shared:
        columns[f"{name} [Gy/GBq]"] = values_of(table, f"{name} [Gy]") / answer["activity_gbq"]
        columns[f"{name} [%]"] = values_of(table, f"{name} [%]")
        columns[f"{name} after [Gy/GBq]"] = after[name].dose_gy[POINTS]
        columns[f"{name} after [%]"] = 100.0 * after[name].cumulative[POINTS]
    old = _beside_table(case)
    node = table_of_columns(columns, _("PREDICTION: DVH beside that after therapy"), at.CHART)
    at.write(node, KIND, BESIDE)
    lines = []
    for name in shared:
        colour = colour_of_organ(name)
        lines.append(Line(_("{n}, predicted").format(n=name), node, f"{name} [Gy/GBq]", f"{name} [%]", colour))
        dashed = (f"{name} after [Gy/GBq]", f"{name} after [%]")
        lines.append(Line(_("{n}, after therapy").format(n=name), node, *dashed, colour, style=_DASH))
    title = _("DVH: PREDICTION solid, {engine} after therapy dashed").format(engine=beside.engine)
    chart = _shown(case, lines, (title, _("absorbed dose per activity [Gy/GBq]"), _("volume [%]")))
    if old is not None:
        case.remove(old)
    return chart


def _beside_table(case: Case) -> Any:
    return next((node for node in case.nodes(at.CHART) if at.text(node, KIND) == BESIDE), None)


def _shown(case: Case, lines: list[Line], titles: tuple[str, str, str]) -> Any:
    """Along a logarithm of dose: lesions have ten times that of kidneys, and these ten times that of the liver."""
    chart = show_lines(case, CHART, lines, titles)
    curves = [(values_of(line.table, line.x), values_of(line.table, line.y)) for line in lines]
    medians = [float(np.median(x[y > 50.0])) for x, y in curves if (y > 50.0).any()]
    if medians:
        chart.SetXAxisLogScale(True)
        chart.SetXAxisRangeAuto(False)
        low, high = 0.5 * min(medians), max(float(x.max()) for x, _y in curves)
        chart.SetXAxisRange(low, high * (high / low) ** _ROOM)
        chart.SetYAxisRangeAuto(False)
        chart.SetYAxisRange(0.0, 101.0)
    return chart
