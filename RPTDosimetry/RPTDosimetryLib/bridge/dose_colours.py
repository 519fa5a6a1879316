"""Colours of dose: from blue (low) over green to red (high), for the overlay and for isodoses alike."""

from __future__ import annotations

from typing import Any

import slicer

RGB = tuple[float, float, float]
_ANCHORS: tuple[RGB, ...] = ((0.15, 0.3, 0.95), (0.1, 0.85, 0.9), (0.25, 0.85, 0.2), (1.0, 0.9, 0.1), (0.95, 0.15, 0.1))
_ENTRIES = 256
_NAME = "Dose colours"


def colour_at(place: float) -> RGB:
    """The colour at a share (0 to 1) of the scale."""
    along = min(max(place, 0.0), 1.0) * (len(_ANCHORS) - 1)
    low = min(int(along), len(_ANCHORS) - 2)
    rest = along - low
    red, green, blue = (a + rest * (b - a) for a, b in zip(_ANCHORS[low], _ANCHORS[low + 1], strict=True))
    return red, green, blue


def dose_colours() -> Any:
    """The colour table node of the scene; Slicer's own rainbow has red for low values."""
    node = slicer.mrmlScene.GetFirstNode(_NAME, "vtkMRMLColorTableNode")
    if node is not None:
        return node
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", _NAME)
    node.SetTypeToUser()
    node.SetNumberOfColors(_ENTRIES)
    for entry in range(_ENTRIES):
        node.SetColor(entry, f"{entry}", *colour_at(entry / (_ENTRIES - 1)), 1.0)
    node.SetAttribute("Category", "RPT Dosimetry")
    return node
