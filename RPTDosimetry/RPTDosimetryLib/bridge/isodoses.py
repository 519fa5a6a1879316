"""Isodose surfaces of a dose volume as models: lines over the CT in slice views, surfaces in the 3-D view."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.case import Case, fingerprint
from RPTDosimetryLib.bridge.dose_colours import colour_at
from RPTDosimetryLib.errors import ConfigurationError

PERCENT, GRAY = "% of maximum", "Gy"
_OPACITY_3D, _MADE_FROM = 0.25, "MadeFrom"


def levels_gy(text: str, unit: str, maximum_gy: float) -> list[float]:
    """Levels [Gy] of what a person writes, rising, each once. Raises ConfigurationError, saying how to write them."""
    try:
        values = sorted({float(part) for part in text.replace(";", ",").split(",") if part.strip()})
    except ValueError as error:
        raise ConfigurationError(
            _('The isodose levels "{text}" are not numbers: write them like 10, 20, 50.').format(text=text)
        ) from error
    if not values or not all(0 < value < float("inf") for value in values):
        raise ConfigurationError(_("Isodose levels must be above 0: write them like 10, 20, 50."))
    return [value * maximum_gy / 100 if unit == PERCENT else value for value in values]


def show_isodoses(case: Case, dose: Any, levels: list[float]) -> list[Any]:
    """One model for each level of a dose volume that its doses reach; those in the scene where they are the same."""
    made_from = fingerprint([case.content([dose]), levels])
    there = case.nodes(at.ISODOSE)
    if there and all(at.text(model, _MADE_FROM) == made_from for model in there):
        return there
    remove_isodoses(case)
    made = []
    maximum_gy = float(slicer.util.arrayFromVolume(dose).max())
    for number, level in enumerate(levels):
        surface = _surface(dose, level)
        if surface.GetNumberOfPoints() == 0:
            continue
        model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", f"Isodose {level:.3g} Gy")
        at.write_all(model, Role=at.ISODOSE, LevelGy=level, Engine=at.text(dose, "Engine"), MadeFrom=made_from)
        model.SetAndObservePolyData(surface)
        model.CreateDefaultDisplayNodes()
        _dress(model.GetDisplayNode(), colour_at(number / max(len(levels) - 1, 1)), level / maximum_gy)
        made.append(model)
    folder = hierarchy.result_item(hierarchy.study_item(at.text(case.node_of_settings, "PatientId")), "Isodoses")
    for model in made:
        hierarchy.place(model, folder)
    return made


def remove_isodoses(case: Case) -> None:
    """Take all isodoses out of the scene."""
    for model in case.nodes(at.ISODOSE):
        case.remove(model)


def _surface(dose: Any, level_gy: float) -> Any:
    """Where the dose is level_gy, linear between voxel centres; RAS [mm]."""
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(dose.GetImageData())
    contour.SetNumberOfContours(1)
    contour.SetValue(0, level_gy)
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    matrix = vtk.vtkMatrix4x4()
    dose.GetIJKToRASMatrix(matrix)
    transform = vtk.vtkTransform()
    transform.SetMatrix(matrix)
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetInputConnection(contour.GetOutputPort())
    placed.SetTransform(transform)
    placed.Update()
    return placed.GetOutput()


def _dress(display: Any, colour: tuple[float, float, float], share: float) -> None:
    display.SetColor(*colour)
    display.SetVisibility2D(True)
    display.SetSliceIntersectionThickness(2)
    display.SetOpacity(_OPACITY_3D if share < 0.9 else 0.6)
    display.SetBackfaceCulling(False)
