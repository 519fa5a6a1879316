"""Saving and loading a whole scene (.mrb) as Slicer does, without its windows."""

import slicer


def save_bundle(path):
    """Write the scene; every storable node gets its storage node first, as Slicer's Save does."""
    scene = slicer.mrmlScene
    for index in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(index)
        if node.IsA("vtkMRMLStorableNode") and node.GetSaveWithScene():
            node.AddDefaultStorageNode()
    assert scene.WriteToMRB(str(path), None)


def load_bundle(path):
    """Close the scene and load a bundle in its place."""
    slicer.mrmlScene.Clear(0)
    assert slicer.mrmlScene.ReadFromMRB(str(path), True)
    slicer.app.layoutManager().refill()
    slicer.app.processEvents()
