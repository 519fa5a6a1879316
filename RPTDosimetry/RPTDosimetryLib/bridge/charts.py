"""Tables of numbers and plot charts over them, as nodes of the scene that are saved with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.case import Case

KIND = "Kind"


@dataclass(frozen=True)
class Line:
    """One series of a chart: columns of a table node and how it is drawn. points: marks without a line."""

    name: str
    table: Any
    x: str
    y: str
    colour: tuple[float, float, float]
    points: bool = False
    style: int = 0  # of STYLES


#: Solid, dash, dot, dash-dot: for engines of one VOI, and for bands.
STYLES = ("LineStyleSolid", "LineStyleDash", "LineStyleDot", "LineStyleDashDot")
#: More names would cover the curves: then a curve tells its name when the mouse rests on it.
MOST_IN_LEGEND = 16
#: Letters for a plot of 300 pixels beside the other views of a small screen.
_TITLE, _AXIS, _TICKS, _LEGEND = 13, 11, 10, 9


def table_of_columns(columns: Mapping[str, NDArray[np.floating] | Sequence[str]], name: str, role: str) -> Any:
    """A new table node of equally long columns, numbers as float64, the rest as text."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    at.write(node, at.ROLE, role)
    for title, values in columns.items():
        if isinstance(values, np.ndarray):
            numbers = np.ascontiguousarray(values, dtype=np.float64)
            column, kind = numpy_to_vtk(numbers, deep=True, array_type=vtk.VTK_DOUBLE), vtk.VTK_DOUBLE
        else:
            column, kind = vtk.vtkStringArray(), vtk.VTK_STRING
            for value in values:
                column.InsertNextValue(value)
        column.SetName(title)
        node.AddColumn(column)
        node.SetColumnType(title, kind)  # kept beside the file: without it, columns come back as text
    return node


def show_lines(case: Case, kind: str, lines: Sequence[Line], titles: tuple[str, str, str]) -> Any:
    """The chart of a kind with these lines in place of those before; titles: of the chart, x and y with units."""
    scene = slicer.mrmlScene
    chart = next((node for node in case.nodes(at.CHART) if at.text(node, KIND) == kind), None)
    if chart is None:
        chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", titles[0])
        at.write_all(chart, Role=at.CHART, Kind=kind)
    old = [node for node in case.nodes(at.CHART) if at.text(node, KIND) == f"{kind} line"]
    chart.RemoveAllPlotSeriesNodeIDs()
    for node in old[len(lines) :]:
        case.remove(node)
    for number, line in enumerate(lines):
        series = old[number] if number < len(old) else scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", line.name)
        at.write_all(series, Role=at.CHART, Kind=f"{kind} line")
        _dress(series, line)
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetName(titles[0])
    chart.SetTitle(titles[0])
    chart.SetXAxisTitle(titles[1])
    chart.SetYAxisTitle(titles[2])
    dress_chart(chart)
    return chart


def dress_chart(chart: Any, last_x: float | None = None) -> None:
    """Small letters and a legend. last_x: where curves end that need room for a long legend at their right."""
    chart.SetTitleFontSize(_TITLE)
    chart.SetAxisTitleFontSize(_AXIS)
    chart.SetAxisLabelFontSize(_TICKS)
    chart.SetLegendFontSize(_LEGEND)
    named = chart.GetNumberOfPlotSeriesNodes() <= MOST_IN_LEGEND
    chart.SetLegendVisibility(named)
    chart.SetXAxisRangeAuto(last_x is None or not named)
    if last_x is not None and named:
        chart.SetXAxisRange(0.0, 1.6 * last_x)


def remove_chart(case: Case, kind: str) -> None:
    """Take the chart of a kind and its series out of the scene."""
    for node in case.nodes(at.CHART):
        if at.text(node, KIND) in (kind, f"{kind} line"):
            case.remove(node)


def values_of(table: Any, column: str) -> np.ndarray:
    """A column of numbers of a table node."""
    return np.array(vtk_to_numpy(table.GetTable().GetColumnByName(column)))


def _dress(series: Any, line: Line) -> None:
    state = series.StartModify()
    try:
        series.SetName(line.name)
        series.SetAndObserveTableNodeID(line.table.GetID())
        series.SetXColumnName(line.x)
        series.SetYColumnName(line.y)
        kind = slicer.vtkMRMLPlotSeriesNode
        series.SetPlotType(kind.PlotTypeScatter)
        series.SetMarkerStyle(kind.MarkerStyleCircle if line.points else kind.MarkerStyleNone)
        series.SetMarkerSize(9)
        series.SetLineStyle(kind.LineStyleNone if line.points else getattr(kind, STYLES[line.style % len(STYLES)]))
        series.SetLineWidth(2)
        series.SetColor(*line.colour)
    finally:
        series.EndModify(state)
