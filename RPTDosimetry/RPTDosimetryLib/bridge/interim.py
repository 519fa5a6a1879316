"""A dose on its way in the views: a volume that says in its name, its legend and the panel that it is no result."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import views
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.dose_colours import dose_colours
from RPTDosimetryLib.bridge.volumes import put_image, volume_from_image
from RPTDosimetryLib.interim_dose import InterimDose


def show_interim(case: Case, engine: str, interim: InterimDose, opacity: float, threshold: float) -> Any:
    """The dose so far over the CT, new or in place of the one before. threshold: drawn from this share of its maximum.

    A user who looks at something else by now is left there.
    """
    node = case.node(at.INTERIM)
    new = node is None
    if new:
        node = volume_from_image(interim.dose, f"Dose {engine}, interim [Gy]", at.INTERIM)
        node.GetDisplayNode().SetAndObserveColorNodeID(dose_colours().GetID())
    else:
        put_image(node, interim.dose)
    at.write(node, "RelativeError", interim.relative_error)
    highest = float(interim.dose.voxels.max())
    display = node.GetDisplayNode()
    display.SetWindowLevelMinMax(0.0, highest if highest > 0 else 1.0)
    display.SetThreshold(threshold * highest, highest)
    if new:
        views.show_layout(views.OVERLAY)
        ct = next((point.ct for point in case.time_points() if point.ct is not None), None)
        views.show_overlay(ct or node, node if ct is not None else None, opacity, fit=True)
        views.hide_legends()
    title = _("INTERIM, not a result\nAbsorbed dose [Gy], error {percent:.2g} %")
    legend = views.show_legend(node, title.format(percent=100 * interim.relative_error))
    _never_saved(node, legend)
    return node


def told(case: Case) -> str:
    """What the panel says of the dose on its way; empty where there is none."""
    node = case.node(at.INTERIM)
    if node is None:
        return ""
    percent = 100 * (at.number(node, "RelativeError") or 0.0)
    text = _("Interim dose, not a result: error of voxels above 10 % of the maximum {percent:.2g} % (1 σ).")
    return text.format(percent=percent)


def remove_interim(case: Case) -> bool:
    """Take it out of the scene; True where there was one."""
    nodes = case.nodes(at.INTERIM)
    for node in nodes:
        case.remove(node)
    return bool(nodes)


def _never_saved(node: Any, legend: Any) -> None:
    """Neither the volume nor what shows it goes into a saved scene."""
    others = [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
    for each in [node, legend, *others]:
        if each is not None:
            each.SetSaveWithScene(False)
