"""Colours for maps of errors: blue to red around 0, and gamma with its step at 1; NaN is not drawn at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

_ENTRIES = 256
#: Blue for too low, red for too high; told apart by those who do not see red and green alike.
_DIVERGING = ("#053061", "#2166ac", "#92c5de", "#f7f7f7", "#f4a582", "#b2182b", "#67001f")
#: As the gamma figure of the library has them: blue passes, orange to dark red fails.
_PASS = ("#08306b", "#2171b5", "#c6dbef")
_FAIL = ("#fdae61", "#f03b20", "#7f0000")


def diverging(name: str) -> Any:
    """A new colour table for values around 0, white where there is no error."""
    return _table(name, _interpolated(_DIVERGING, np.linspace(0.0, 1.0, _ENTRIES)))


def gamma_steps(name: str, top: float) -> Any:
    """A new colour table from 0 to ``top`` with a step at 1."""
    gamma = (np.arange(_ENTRIES) + 0.5) / _ENTRIES * top
    rgb = _interpolated(_PASS, np.minimum(gamma, 1.0))
    if top > 1.0:
        rgb = np.where((gamma > 1.0)[:, None], _interpolated(_FAIL, np.clip((gamma - 1) / (top - 1), 0, 1)), rgb)
    return _table(name, rgb)


def dress(volume: Any, colours: Any, low: float, high: float) -> None:
    """Show a volume in colours from low to high. Voxels of NaN stay clear: no threshold holds them."""
    display, values = volume.GetDisplayNode(), slicer.util.arrayFromVolume(volume)
    known = values[np.isfinite(values)]
    display.SetAutoWindowLevel(False)
    display.SetAutoThreshold(False)
    display.SetAndObserveColorNodeID(colours.GetID())
    display.SetWindowLevelMinMax(low, high)
    display.SetInterpolate(False)  # between a number and NaN there is nothing
    lowest, highest = (float(known.min()), float(known.max())) if known.size else (low, high)
    margin = 1e-6 * max(abs(lowest), abs(highest), 1e-6)
    display.SetThreshold(lowest - margin, highest + margin)
    display.SetApplyThreshold(True)


def symmetric_limit(values: NDArray[np.floating], percent: float = 99.0) -> float:
    """1, 2 or 5 times a power of ten that holds so many percent of what differs; 1 where nothing does."""
    known = np.abs(values[np.isfinite(values)])
    known = known[known > 0]
    if not known.size:
        return 1.0
    wanted = float(np.percentile(known, percent))
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= wanted * (1 - 1e-9)))


def _interpolated(colours: tuple[str, ...], place: NDArray[np.float64]) -> NDArray[np.float64]:
    anchors = np.array([[int(c[n : n + 2], 16) / 255 for n in (1, 3, 5)] for c in colours])
    at = np.linspace(0.0, 1.0, len(colours))
    return np.stack([np.interp(place, at, anchors[:, channel]) for channel in range(3)], axis=1)


def _table(name: str, rgb: NDArray[np.float64]) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", name)
    node.SetTypeToUser()
    node.SetNumberOfColors(_ENTRIES)
    for entry, (red, green, blue) in enumerate(rgb):
        node.SetColor(entry, f"{entry}", float(red), float(green), float(blue), 1.0)
    node.SetAttribute("Category", "RPT Dosimetry")
    return node
