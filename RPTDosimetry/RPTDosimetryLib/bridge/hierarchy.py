"""The subject hierarchy: patient → study (therapy cycle) → time point → nodes; results under the study."""

from __future__ import annotations

from typing import Any

import slicer

_ROOM = "RPTDosimetry.Room"


def subject_hierarchy() -> Any:
    """The scene's subject hierarchy node."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)


def study_item(patient_id: str) -> int:
    """The study (therapy cycle) of the case, made below its patient when it is not there yet."""
    tree = subject_hierarchy()
    patient = _child(tree, tree.GetSceneItemID(), "patient", lambda: tree.CreateSubjectItem(tree.GetSceneItemID(), "p"))
    tree.SetItemName(patient, patient_id or "Patient without ID")
    study = _child(tree, patient, "study", lambda: tree.CreateStudyItem(patient, "Therapy cycle"))
    return int(study)


def time_point_item(study: int, time_point: int, name: str) -> int:
    """The folder of one time point."""
    tree = subject_hierarchy()
    item = _child(tree, study, f"time point {time_point}", lambda: tree.CreateFolderItem(study, name))
    tree.SetItemName(item, name)
    return int(item)


def result_item(study: int, name: str) -> int:
    """A folder of results below the study, such as "Dose"."""
    tree = subject_hierarchy()
    return int(_child(tree, study, f"result {name}", lambda: tree.CreateFolderItem(study, name)))


def place(node: Any, parent: int) -> None:
    """Put a node below an item (Slicer may have made the node's item already, elsewhere)."""
    tree = subject_hierarchy()
    item = tree.GetItemByDataNode(node)
    if item == tree.GetInvalidItemID():
        tree.CreateItem(parent, node)
    else:
        tree.SetItemParent(item, parent)


def forget(node: Any) -> None:
    """Take a node's item away before the node goes.

    The hierarchy finds items by the address of their node: an item that outlives its node is found again by the next
    node at that address, and Slicer logs an inconsistent DataNodeCache.
    """
    tree = subject_hierarchy()
    item = tree.GetItemByDataNode(node)
    if item != tree.GetInvalidItemID():
        tree.RemoveItem(item, False, False)  # neither the node nor what lies below it


def tidy() -> None:
    """Remove folders of ours that hold nothing any more."""
    tree = subject_hierarchy()
    items = _descendants(tree, tree.GetSceneItemID())
    for item in reversed(items):
        ours = tree.GetItemAttribute(item, _ROOM) or ""
        if ours and tree.GetNumberOfItemChildren(item) == 0:
            tree.RemoveItem(item)


def _child(tree: Any, parent: int, room: str, make: Any) -> int:
    for item in _descendants(tree, parent, recursive=False):
        if tree.GetItemAttribute(item, _ROOM) == room:
            return int(item)
    made = make()
    tree.SetItemAttribute(made, _ROOM, room)
    return int(made)


def _descendants(tree: Any, parent: int, recursive: bool = True) -> list[int]:
    import vtk

    found = vtk.vtkIdList()
    tree.GetItemChildren(parent, found, recursive)
    return [found.GetId(n) for n in range(found.GetNumberOfIds())]
