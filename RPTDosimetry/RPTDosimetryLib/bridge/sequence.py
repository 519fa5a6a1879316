"""The time points as a sequence that can be scrolled: made from the SPECT nodes whenever they change, never saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.time_points import time_s_of
from RPTDosimetryLib.units import S_PER_H

if TYPE_CHECKING:
    from RPTDosimetryLib.bridge.case import Case

_MADE_FROM = "MadeFrom"


def browser_of(case: Case) -> Any:
    """The sequence browser over the time points with known times, up to date; None with fewer than two of them."""
    administration = case.administration(strict=False)
    timed = [(time_s_of(p.spect, administration), p.spect) for p in case.time_points()]
    known = [(time_s, node) for time_s, node in timed if time_s is not None]
    made_from = case.content([node for _, node in known]) + str([time_s for time_s, _ in known])
    browser = case.node(at.BROWSER)
    if browser is not None and at.text(browser, _MADE_FROM) == made_from:
        return browser
    for role in (at.BROWSER, at.SEQUENCE, at.SHOWN):
        for node in case.nodes(role):
            case.remove(node)
    return _made(known, made_from) if len(known) > 1 else None


def _made(known: list[tuple[float, Any]], made_from: str) -> Any:
    scene = slicer.mrmlScene
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Time points")
    sequence.SetIndexName("time after administration")
    sequence.SetIndexUnit("h")
    sequence.SetIndexType(slicer.vtkMRMLSequenceNode.NumericIndex)
    for time_s, node in known:
        sequence.SetDataNodeAtValue(node, f"{time_s / S_PER_H:.4f}")
    for number in range(sequence.GetNumberOfDataNodes()):  # copies: they are shown, they are not of the case
        copy = sequence.GetNthDataNode(number)
        for name in at.all_of(copy):
            at.write(copy, name, None)
        at.write(copy, at.ROLE, at.SHOWN)  # the shown node takes it over at every scroll
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Time points browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    browser.SetSaveChanges(sequence, False)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    shown = browser.GetProxyNode(sequence)
    display = known[0][1].GetDisplayNode()
    if shown is not None:
        shown.CreateDefaultDisplayNodes()
        if display is not None and shown.GetDisplayNode() is not None:
            shown.GetDisplayNode().CopyContent(display)
    at.write(sequence, at.ROLE, at.SEQUENCE)
    at.write_all(browser, Role=at.BROWSER, MadeFrom=made_from)
    for node in (sequence, browser, shown, shown.GetDisplayNode() if shown is not None else None):
        if node is not None:
            node.SetSaveWithScene(False)
    return browser
