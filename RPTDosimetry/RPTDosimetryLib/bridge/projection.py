"""The dose as maximum intensity projection in the 3-D view, by Slicer's volume rendering."""

from __future__ import annotations

from typing import Any

import slicer


def show_projection(volume: Any) -> None:
    """Render a volume in the 3-D views as maximum intensity projection, in its colours and from its threshold on."""
    logic = _logic()
    if logic is None:
        return
    display = logic.CreateDefaultVolumeRenderingNodes(volume)
    logic.CopyDisplayToVolumeRenderingDisplayNode(display, volume.GetDisplayNode())
    display.SetVisibility(True)
    for view in slicer.util.getNodesByClass("vtkMRMLViewNode"):
        view.SetRaycastTechnique(slicer.vtkMRMLViewNode.MaximumIntensityProjection)


def hide_projection(volume: Any) -> None:
    """Take the projection of a volume out of the 3-D views."""
    for index in range(volume.GetNumberOfDisplayNodes()):
        display = volume.GetNthDisplayNode(index)
        if display is not None and display.IsA("vtkMRMLVolumeRenderingDisplayNode"):
            display.SetVisibility(False)


def _logic() -> Any:
    module = getattr(slicer.modules, "volumerendering", None)
    return None if module is None else module.logic()
