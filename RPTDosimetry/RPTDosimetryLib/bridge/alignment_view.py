"""A time point over the reference, fused or as checkerboard, live under its transform; and handles to move it by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import views
from RPTDosimetryLib.bridge.geometry import ras_point
from RPTDosimetryLib.bridge.quantified import ct_node_of
from RPTDosimetryLib.bridge.registered import alignment_node, reference_number
from RPTDosimetryLib.bridge.transforms import alignment_of, nudge
from RPTDosimetryLib.bridge.volumes import image_of, put_image, volume_from_image

if TYPE_CHECKING:
    from RPTDosimetryLib.bridge.case import Case

_GREY = "vtkMRMLColorTableNodeGrey"


def show_aligned(case: Case, number: int, fit: bool = False) -> None:
    """Show a time point as the settings say: look, what lies under it, blend."""
    told = case.parameters.registration
    reference = reference_number(case)
    still = case.node(at.REGISTERED, reference)
    moving = case.node(at.ACTIVITY, number)
    if still is None or moving is None:
        return
    views.hide_legends()  # both images are shown as shares of their own
    if told.look == "checkerboard" and number != reference:
        views.show_overlay(_checkerboard(case, number), None, fit=fit)
        return
    _dress(still, moving)
    ct = ct_node_of(case, reference) if told.under == "reference CT" else None
    above = still if number == reference and ct is not None else (None if number == reference else moving)
    views.show_overlay(ct or still, above, told.blend, fit=fit)


def show_handles(case: Case, number: int | None) -> None:
    """Handles of one transform in the slice and 3-D views; None takes all away."""
    for node in case.nodes(at.ALIGNMENT):
        wanted = at.whole_number(node, at.TIME_POINT) == number
        if wanted and node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        if display is not None:
            display.SetEditorVisibility(wanted)
            display.SetEditorSliceIntersectionVisibility(wanted)


def nudge_time_point(case: Case, number: int, shift_ras_mm: tuple[float, ...], turn_deg: tuple[float, ...]) -> None:
    """Shift (right, front, head) or turn a time point about the middle of the reference image."""
    middle_mm = _middle_ras_mm(case)
    nudge(alignment_node(case, number), shift_ras_mm, turn_deg, middle_mm)


def _middle_ras_mm(case: Case) -> tuple[float, ...]:
    from RPTDosimetryLib.bridge.geometry import grid_of_volume

    grid = grid_of_volume(case.node(at.REGISTERED, reference_number(case)))
    return tuple(float(value) for value in ras_point(grid.centre_mm))


def _checkerboard(case: Case, number: int) -> Any:
    from RPTDosimetryLib.registration.checkerboard import checkerboard
    from RPTDosimetryLib.registration.point_map import PointMap

    still, moving = case.node(at.REGISTERED, reference_number(case)), case.node(at.ACTIVITY, number)
    board = checkerboard(image_of(still), image_of(moving), PointMap.of(alignment_of(alignment_node(case, number))))
    node = case.node(at.CHECKERBOARD)
    if node is None:
        node = volume_from_image(board, "Checkerboard", at.CHECKERBOARD)
        node.SetSaveWithScene(False)
        node.GetDisplayNode().SetSaveWithScene(False)
    else:
        put_image(node, board)
    node.SetName(f"Checkerboard of {moving.GetName()}")
    _in_grey(node)
    node.GetDisplayNode().SetWindowLevelMinMax(0.0, 1.0)
    return node


def _dress(still: Any, moving: Any) -> None:
    """The reference in grey, nothing hidden, under the colours of the time point; both bright enough to see organs."""
    from RPTDosimetryLib.registration.checkerboard import shown_top

    _in_grey(still)
    for node in (still, moving):
        display = node.GetDisplayNode()
        if display is not None:
            display.SetAutoWindowLevel(False)
            display.SetWindowLevelMinMax(0.0, shown_top(slicer.util.arrayFromVolume(node)))
    if still.GetDisplayNode() is not None:
        still.GetDisplayNode().SetApplyThreshold(False)


def _in_grey(node: Any) -> None:
    display = node.GetDisplayNode()
    if display is None:
        return
    if slicer.mrmlScene.GetNodeByID(_GREY) is not None:
        display.SetAndObserveColorNodeID(_GREY)
    display.SetAutoWindowLevel(False)
