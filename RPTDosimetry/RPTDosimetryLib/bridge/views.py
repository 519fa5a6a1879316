"""Layouts of our own and what they show: overlay with histogram, comparison, time points side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer

#: Views of a row, and rows, share the room evenly: without a splitSize, Slicer leaves a plot a strip.
_SLICE = (
    '<item splitSize="500"><view class="vtkMRMLSliceNode" singletontag="{tag}">'
    '<property name="orientation" action="default">{orientation}</property>'
    '<property name="viewlabel" action="default">{label}</property>'
    '<property name="viewcolor" action="default">{colour}</property></view></item>'
)
_AXIAL = {"tag": "Red", "orientation": "Axial", "label": "R", "colour": "#F34A33"}
_SAGITTAL = {"tag": "Yellow", "orientation": "Sagittal", "label": "Y", "colour": "#EDD54C"}
_CORONAL = {"tag": "Green", "orientation": "Coronal", "label": "G", "colour": "#6EB04B"}
_PLOT = (
    '<item splitSize="500"><view class="vtkMRMLPlotViewNode" singletontag="PlotView1">'
    '<property name="viewlabel" action="default">P</property></view></item>'
)
_THREE_D = (
    '<item splitSize="500"><view class="vtkMRMLViewNode" singletontag="1">'
    '<property name="viewlabel" action="default">1</property></view></item>'
)
_COMPARED = ("RPTCompare1", "RPTCompare2", "RPTCompare3", "RPTCompare4")
#: Time points beyond this share the scrolled sequence instead of a view each.
SIDE_BY_SIDE = len(_COMPARED)

#: Width and height of a colour legend as shares of its view: letters of 10 pixels where a view has 300.
_LEGEND_SIZE = (0.2, 0.5)

OVERLAY, COMPARE, TIME_POINTS = 7301, 7302, 7303


def _row(*items: str) -> str:
    return '<item splitSize="500"><layout type="horizontal" split="true">' + "".join(items) + "</layout></item>"


def _compared(count: int) -> tuple[str, ...]:
    return tuple(
        _SLICE.format(tag=tag, orientation="Axial", label=str(number), colour="#8C8CB8")
        for number, tag in enumerate(_COMPARED[:count], start=1)
    )


LAYOUTS = {
    OVERLAY: '<layout type="vertical" split="true">'
    + _row(_SLICE.format(**_AXIAL), _SLICE.format(**_CORONAL))
    + _row(_SLICE.format(**_SAGITTAL), _THREE_D, _PLOT)
    + "</layout>",
    COMPARE: '<layout type="vertical" split="true">'
    + _row(*_compared(3))
    + _row(_SLICE.format(**_CORONAL), _PLOT)
    + "</layout>",
    TIME_POINTS: '<layout type="vertical" split="true">' + _row(*_compared(2)) + _row(*_compared(4)[2:]) + "</layout>",
}


def register_layouts() -> None:
    """Make the layouts known to the application (again after each scene)."""
    manager = slicer.app.layoutManager()
    if manager is None:  # Slicer without a main window
        return
    node = manager.layoutLogic().GetLayoutNode()
    if node is None:
        return
    for layout, description in LAYOUTS.items():
        if not node.IsLayoutDescription(layout):
            node.AddLayoutDescription(layout, description)


def show_layout(layout: int) -> None:
    """Change to OVERLAY, COMPARE or TIME_POINTS."""
    manager = slicer.app.layoutManager()
    if manager is None:
        return
    register_layouts()
    if manager.layout != layout:  # views that are made now show only legends that are added after them
        for legend in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"):
            slicer.mrmlScene.RemoveNode(legend)
        manager.setLayout(layout)


def show_overlay(background: Any, foreground: Any, opacity: float = 0.5, fit: bool = True) -> None:
    """One volume over another in every slice view; None leaves a layer empty. A layout side by side is left."""
    manager = slicer.app.layoutManager()
    if manager is not None and manager.layout in (COMPARE, TIME_POINTS):
        link_slices(False)
        show_layout(OVERLAY)
    slicer.util.setSliceViewerLayers(
        background=background,
        foreground=foreground,
        foregroundOpacity=opacity if foreground is not None else 0.0,
        fit=fit,
    )


def show_over_ct(volume: Any, ct: Any, title: str, fit: bool = True) -> None:
    """A volume over a CT (alone where that is None) in every slice view, with its colour legend."""
    show_overlay(volume if ct is None else ct, None if ct is None else volume, fit=fit)
    hide_legends()
    show_legend(volume, title)


def set_blend(opacity: float) -> None:
    """How much of the upper volume is seen in every slice view, 0 to 1."""
    for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        node.SetForegroundOpacity(opacity)


def show_in(view: str, background: Any, foreground: Any = None, opacity: float = 0.5) -> None:
    """Volumes in one slice view by its name ("Red", or one of compared_views())."""
    node = slicer.mrmlScene.GetSingletonNode(view, "vtkMRMLSliceCompositeNode")
    if node is None:
        return
    node.SetBackgroundVolumeID(None if background is None else background.GetID())
    node.SetForegroundVolumeID(None if foreground is None else foreground.GetID())
    node.SetForegroundOpacity(opacity)


def compared_views() -> tuple[str, ...]:
    """Names of the slice views of layouts COMPARE and TIME_POINTS."""
    return _COMPARED


def show_side_by_side(volumes: Sequence[Any], under: Sequence[Any] = ()) -> None:
    """Up to four volumes, each in its own linked view, over what lies under it (a CT); all on one colour scale."""
    from RPTDosimetryLib.registration.checkerboard import shown_top

    show_layout(TIME_POINTS)
    same_scale(volumes, max((shown_top(slicer.util.arrayFromVolume(volume)) for volume in volumes), default=0.0))
    for number, view in enumerate(_COMPARED):
        volume = volumes[number] if number < len(volumes) else None
        below = under[number] if number < len(under) else None
        show_in(view, below or volume, volume if below is not None else None)
    fit_slices()
    link_slices(True)


def same_scale(volumes: Sequence[Any], highest: float | None = None) -> None:
    """Show volumes of one quantity with one colour scale, from 0 to highest (their common maximum)."""
    if highest is None:
        highest = max((float(slicer.util.arrayFromVolume(volume).max()) for volume in volumes), default=0.0)
    for volume in volumes:
        display = volume.GetDisplayNode()
        if display is not None and highest > 0:
            display.SetAutoWindowLevel(False)
            display.SetWindowLevelMinMax(0.0, highest)


def show_volumes(segmentation: Any, filled: bool, surfaces: bool = True) -> None:
    """Volumes of interest as outlines, filled or not (a fill tints the colours of a map); surfaces in 3-D views."""
    display = None if segmentation is None else segmentation.GetDisplayNode()
    if display is not None:
        display.SetVisibility2DFill(filled)
        display.SetVisibility3D(surfaces)


def fit_slices() -> None:
    """Zoom every slice view to its background volume."""
    manager = slicer.app.layoutManager()
    for name in () if manager is None else manager.sliceViewNames():
        manager.sliceWidget(name).sliceLogic().FitSliceToBackground()


def link_slices(linked: bool) -> None:
    """Scroll, zoom and pan of all slice views together, or each by itself."""
    for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        node.SetLinkedControl(linked)
        node.SetHotLinkedControl(linked)


def show_legend(volume: Any, title: str) -> Any:
    """The colour legend of a volume with its quantity and unit as title."""
    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(volume)
    if legend is not None:
        legend.SetTitleText(title)
        legend.SetLabelFormat("%8.3g")  # Bq·s are many, Gy few; Slicer makes short labels as wide as long ones
        legend.SetSize(*_LEGEND_SIZE)
        legend.SetVisibility(True)
    return legend


def hide_legends() -> None:
    """Take every colour legend away: the next overlay shows its own."""
    for legend in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"):
        legend.SetVisibility(False)


def show_chart(chart: Any) -> None:
    """A plot chart node in the plot view of the layout."""
    node = slicer.mrmlScene.GetSingletonNode("PlotView1", "vtkMRMLPlotViewNode")
    if node is None:
        node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotViewNode")
    if node is not None:
        node.SetPlotChartNodeID(chart.GetID())


def end_placing(nodes: Sequence[Any]) -> None:
    """End the placing of points of these nodes; what somebody else is placing goes on."""
    interaction = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLInteractionNode")
    selection = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSelectionNode")
    if interaction is None or selection is None:
        return
    if selection.GetActivePlaceNodeID() in [node.GetID() for node in nodes]:
        interaction.SetCurrentInteractionMode(interaction.ViewTransform)
