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
    """One line: its name in the legend, its points, colour (RGB, 0 to 1) and style. All of a chart are equally long."""

    name: str
    x: NDArray[np.floating]
    y: NDArray[np.floating]
    colour: tuple[float, float, float]
    dashed: bool = False


@dataclass(frozen=True)
class Axes:
    """What the axes show, with units. legend_beside: leave room for the legend at the right of the curves."""

    title: str
    x: str
    y: str
    legend_beside: bool = False


def chart_of(curves: Sequence[Curve], axes: Axes, role: str, kind: str) -> list[Any]:
    """A new chart (last in the list) with its table and series; each gets the role and the kind."""
    scene = slicer.mrmlScene
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", f"{axes.title} (values)")
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", axes.title)
    made = [table]
    for number, curve in enumerate(curves, start=1):
        columns = (f"{number} {curve.name}: {axes.x}", f"{number} {curve.name}: {axes.y}")
        _add_columns(table, columns, curve)
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
    dress_chart(chart, max(float(curve.x[-1]) for curve in curves) if axes.legend_beside else None)
    made.append(chart)
    for node in made:
        at.write_all(node, Role=role, Kind=kind)
    return made


def _add_columns(table: Any, names: tuple[str, str], curve: Curve) -> None:
    for name, values in zip(names, (curve.x, curve.y), strict=True):
        column = numpy_to_vtk(np.ascontiguousarray(values, dtype=np.float64), deep=True, array_type=vtk.VTK_DOUBLE)
        column.SetName(name)
        table.AddColumn(column)
        table.SetColumnType(name, vtk.VTK_DOUBLE)  # kept beside the file: without it, columns come back as text


def _dress(series: Any, curve: Curve) -> None:
    kind = slicer.vtkMRMLPlotSeriesNode
    series.SetPlotType(kind.PlotTypeScatter)
    series.SetMarkerStyle(kind.MarkerStyleNone)
    series.SetLineStyle(kind.LineStyleDash if curve.dashed else kind.LineStyleSolid)
    series.SetLineWidth(2)
    series.SetColor(*curve.colour)
