"""Curves as a plot chart: one table, one series a curve, all saved with the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.charts import dress_chart

KIND = "Kind"


@dataclass(frozen=True)
class Curve:
    """One line: its name in the legend, its points, colour (RGB, 0 to 1) and style. marks: points of this size [px]
    instead of a line.
    """

    name: str
    x: NDArray[np.floating]
    y: NDArray[np.floating]
    colour: tuple[float, float, float]
    dashed: bool = False
    marks: float = 0.0


@dataclass(frozen=True)
class Axes:
    """What the axes show, with units. legend_beside: leave room for the legend at the right of the curves.

    log_x, log_y: logarithmic; x_range, y_range: from and to, None: all that is drawn.
    """

    title: str
    x: str
    y: str
    legend_beside: bool = False
    log_x: bool = False
    log_y: bool = False
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None


def chart_of(curves: Sequence[Curve], axes: Axes, role: str, kind: str) -> list[Any]:
    """A new chart (last in the list) with its table and series; each gets the role and the kind.

    All columns of a table are equally long: shorter curves repeat their last point, which nobody sees.
    """
    scene = slicer.mrmlScene
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", f"{axes.title} (values)")
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", axes.title)
    made = [table]
    longest = max((curve.x.size for curve in curves), default=0)
    for number, curve in enumerate(curves, start=1):
        columns = (f"{number} {curve.name}: {axes.x}", f"{number} {curve.name}: {axes.y}")
        _add_columns(table, columns, curve, longest)
        series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", curve.name)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(columns[0])
        series.SetYColumnName(columns[1])
        _dress(series, curve)
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
        made.append(series)
    chart.SetTitle(axes.title)
    chart.SetXAxisTitle(axes.x)
    chart.SetYAxisTitle(axes.y)
    chart.SetXAxisLogScale(axes.log_x)
    chart.SetYAxisLogScale(axes.log_y)
    dress_chart(chart, max(float(curve.x[-1]) for curve in curves) if axes.legend_beside else None)
    for span, choose, automatic in (
        (axes.x_range, chart.SetXAxisRange, chart.SetXAxisRangeAuto),
        (axes.y_range, chart.SetYAxisRange, chart.SetYAxisRangeAuto),
    ):
        if span is not None:
            automatic(False)
            choose(*span)
    made.append(chart)
    for node in made:
        at.write_all(node, Role=role, Kind=kind)
    return made


def _add_columns(table: Any, names: tuple[str, str], curve: Curve, length: int) -> None:
    for name, values in zip(names, (curve.x, curve.y), strict=True):
        padded = np.pad(values, (0, length - values.size), mode="edge")
        column = numpy_to_vtk(np.ascontiguousarray(padded, dtype=np.float64), deep=True, array_type=vtk.VTK_DOUBLE)
        column.SetName(name)
        table.AddColumn(column)
        table.SetColumnType(name, vtk.VTK_DOUBLE)  # kept beside the file: without it, columns come back as text


def _dress(series: Any, curve: Curve) -> None:
    kind = slicer.vtkMRMLPlotSeriesNode
    series.SetPlotType(kind.PlotTypeScatter)
    series.SetMarkerStyle(kind.MarkerStyleCircle if curve.marks else kind.MarkerStyleNone)
    if curve.marks:
        series.SetMarkerSize(curve.marks)
        series.SetLineStyle(kind.LineStyleNone)
    else:
        series.SetLineStyle(kind.LineStyleDash if curve.dashed else kind.LineStyleSolid)
    series.SetLineWidth(2)
    series.SetColor(*curve.colour)
