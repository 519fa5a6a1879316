"""A lesion that is being drawn on the registered SPECT: where it is looked for, by which tool, and its preview."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import slicer

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.geometry import grid_of_volume, lps_point
from RPTDosimetryLib.bridge.registered import failure, reference_number, registered_numbers
from RPTDosimetryLib.bridge.segmentations import put_vois
from RPTDosimetryLib.bridge.volumes import UNIT
from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.records import Image, Voi

_PLACE = "RPTDosimetry.LesionPlace"  # node reference of the settings: the markups in use
_BOX_MM = 60.0
_YELLOW = (1.0, 0.9, 0.0)


def place_of(case: Case) -> Any:
    """The markups node (points or box) in use, or None."""
    return case.node_of_settings.GetNodeReference(_PLACE)


def choose_place(case: Case, node: Any) -> None:
    """Use another markups node."""
    case.node_of_settings.SetNodeReferenceID(_PLACE, None if node is None else node.GetID())


def told_of(place: Any) -> list[Any]:
    """Where a place is, as plain values: moving a point gives its node no new time."""
    if place is None:
        return []
    if place.IsA("vtkMRMLMarkupsROINode"):
        bounds = [0.0] * 6
        place.GetRASBounds(bounds)
        return bounds
    ras = [0.0] * 3
    count = place.GetNumberOfControlPoints()
    if count == 0:
        return [0]
    place.GetNthControlPointPositionWorld(count - 1, ras)
    return [count, place.GetNthControlPointPositionStatus(count - 1), *ras]


def seed_at(case: Case, ras_mm: tuple[float, float, float]) -> Any:
    """Put the seed at a point [mm, RAS]: the points in use get one point; returns their node."""
    node = case.node(at.LESION_PLACE)
    if node is None or not node.IsA("vtkMRMLMarkupsFiducialNode"):
        node = _new(case, "vtkMRMLMarkupsFiducialNode", "Lesion seed")
    node.RemoveAllControlPoints()
    node.AddControlPoint(*ras_mm)
    choose_place(case, node)
    return node


def empty_seed(case: Case) -> Any:
    """Points without a point, for the user to place one."""
    node = seed_at(case, (0.0, 0.0, 0.0))
    node.RemoveAllControlPoints()
    return node


def box_at(case: Case, ras_mm: tuple[float, float, float]) -> Any:
    """A box of 60 mm around a point [mm, RAS], to be dragged to size."""
    boxes = [node for node in case.nodes(at.LESION_PLACE) if node.IsA("vtkMRMLMarkupsROINode")]
    node = boxes[-1] if boxes else _new(case, "vtkMRMLMarkupsROINode", "Lesion box")
    node.SetCenter(*ras_mm)
    node.SetSize(_BOX_MM, _BOX_MM, _BOX_MM)
    choose_place(case, node)
    return node


def crosshair() -> tuple[float, float, float]:
    """Where the crosshair is [mm, RAS]. Raises VoiError where there is none."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if node is None:
        raise VoiError("There is no crosshair in the views: place a point instead.")
    x, y, z = node.GetCrosshairRAS()
    return float(x), float(y), float(z)


def activity_of(case: Case, number: int) -> Image:
    """The registered activity of a time point, not copied: for reading only. Raises VoiError where there is none."""
    node = case.node(at.REGISTERED, number or reference_number(case)) if case.node(at.SEEN) is not None else None
    if node is None:
        raise VoiError("Lesions are drawn on the registered SPECT: run step Registration first.")
    why = failure(case, at.whole_number(node, at.TIME_POINT) or 0)
    if why:
        raise VoiError(f"{why} Choose another time point to draw on.")
    return Image(slicer.util.arrayFromVolume(node), grid_of_volume(node), at.text(node, UNIT))


def tool_of(case: Case) -> Any:
    """The LesionTool that panel and markups describe. Raises VoiError without a place, ConfigurationError."""
    from RPTDosimetryLib.vois.lesion_tools import LesionTool

    chosen, node = case.parameters.segmentation, place_of(case)
    method: Any = chosen.lesionMethod.name
    tool = {
        "name": chosen.lesionName.strip() or "lesion",
        "method": method,
        "percent": chosen.percent,
        "threshold_bq_per_ml": chosen.thresholdKbqPerMl * 1e3 if method == "fixed" else None,
        "core_share": chosen.coreShare,
        "background_share": chosen.backgroundShare,
        "reach_mm": chosen.reachMm,
    }
    if node is None:
        raise VoiError("Place a point in the lesion, or a box around it, first.")
    if node.IsA("vtkMRMLMarkupsROINode"):
        bounds = [0.0] * 6
        node.GetRASBounds(bounds)
        return LesionTool(**tool, box_mm=(_lps(bounds[0::2]), _lps(bounds[1::2])))
    count = node.GetNumberOfControlPoints()
    if count == 0 or node.GetNthControlPointPositionStatus(count - 1) != node.PositionDefined:
        raise VoiError("Place a point in the lesion first: click into a slice view.")
    ras = [0.0] * 3
    node.GetNthControlPointPositionWorld(count - 1, ras)
    return LesionTool(**tool, seed_mm=_lps(ras))


def drawn_lesion(case: Case) -> Any:
    """The DrawnLesion of the tool as it is set now. Raises what draw_lesion raises."""
    from RPTDosimetryLib.vois.lesion_tools import draw_lesion
    from RPTDosimetryLib.vois.names import code_of

    number = case.parameters.segmentation.lesionTimePoint or (
        reference_number(case) if case.node(at.SEEN) is not None else 0
    )
    found = draw_lesion(activity_of(case, number), tool_of(case))
    place = registered_numbers(case).index(number) + 1
    voi = replace(found.voi, source=f"{found.voi.source}, on time point {place}", code=code_of(found.voi.name))
    return replace(found, voi=voi)


def show_preview(case: Case, voi: Voi) -> Any:
    """The outline of a lesion in the views; nothing of it is saved."""
    node = case.node(at.PREVIEW)
    if node is None:
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentationNode")
        node.UnRegister(None)
        node.SetName("Lesion preview")
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        at.write(node, at.ROLE, at.PREVIEW)
        slicer.mrmlScene.AddNode(node)
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetSaveWithScene(False)
    put_vois(node, [voi])
    node.GetSegmentation().GetNthSegment(0).SetColor(*_YELLOW)
    display = node.GetDisplayNode()
    display.SetVisibility2DFill(False)
    display.SetVisibility2DOutline(True)
    display.SetSliceIntersectionThickness(3)
    return node


def clear_preview(case: Case) -> None:
    """No preview."""
    for node in case.nodes(at.PREVIEW):
        case.remove(node)


def _lps(ras_mm: list[float]) -> tuple[float, float, float]:
    x, y, z = lps_point(ras_mm)
    return float(x), float(y), float(z)


def _new(case: Case, kind: str, name: str) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass(kind, name)
    node.CreateDefaultDisplayNodes()
    at.write(node, at.ROLE, at.LESION_PLACE)
    return node


def ct_of(case: Case, number: int | None) -> Any:
    """The CT to look at: that of the reference (of its joined beds), else any."""
    own = [case.node(role, number) for role in (at.ACTIVITY_CT, at.CT)] if number is not None else []
    return next((node for node in [*own, *case.nodes(at.CT)] if node is not None), None)
