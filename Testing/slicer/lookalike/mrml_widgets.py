"""Stand-ins for the qMRML widgets that the panel uses; they are put into the package slicer."""

import qt
import shiboken6
import slicer
from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QWidget


class qMRMLWidget(qt.looks_like(QWidget)):
    """A widget that knows the scene and tells its children."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        self._scene = scene
        for child in self.findChildren(QWidget):
            if hasattr(child, "setMRMLScene"):
                child.setMRMLScene(scene)
        self.mrmlSceneChanged.emit(scene)


class qMRMLNodeComboBox(qMRMLWidget):
    """Chooses a node of the scene by class and attribute."""

    currentNodeChanged = Signal((object,), (bool,))

    def __init__(self, parent=None):
        super().__init__(parent)
        self._types, self._attributes, self._none, self._tags = [], [], False, []
        self._box = qt.QComboBox(self)
        row = qt.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._box)
        self._box.currentIndexChanged.connect(self._changed)
        self.setFocusProxy(self._box)

    def _changed(self, _index):
        self.currentNodeChanged[object].emit(self.currentNode())
        self.currentNodeChanged[bool].emit(self.currentNode() is not None)

    def setMRMLScene(self, scene):
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        super().setMRMLScene(scene)
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent) if scene else ()
        self._tags = [scene.AddObserver(event, self._on_scene) for event in events]
        self._fill()

    def _on_scene(self, caller, _event):
        if shiboken6.isValid(self):
            self._fill()
            return
        for tag in self._tags:
            caller.RemoveObserver(tag)
        self._tags = []

    def addAttribute(self, node_type, name, value=None):
        self._attributes.append((node_type, name, value))
        self._fill()

    def _suits(self, node):
        wanted = [(name, value) for kind, name, value in self._attributes if node.IsA(kind)]
        return all(node.GetAttribute(n) is not None and v in (None, node.GetAttribute(n)) for n, v in wanted)

    def _fill(self):
        if self._scene is None:
            return
        before = self._box.currentData
        nodes = [
            n
            for kind in self._types
            for n in slicer.util.getNodesByClass(kind, self._scene)
            if not n.GetHideFromEditors()
        ]
        self._box.blockSignals(True)
        self._box.clear()
        if self._none:
            self._box.addItem("None", None)
        for node in filter(self._suits, nodes):
            self._box.addItem(node.GetName(), node.GetID())
        index = self._box.findData(before)
        self._box.setCurrentIndex(max(index, 0) if self._box.count else -1)
        self._box.blockSignals(False)
        if self._box.currentData != before:
            self._changed(0)

    def currentNode(self):
        identifier = self._box.currentData
        return self._scene.GetNodeByID(identifier) if identifier and self._scene else None

    def setCurrentNode(self, node):
        self._box.setCurrentIndex(self._box.findData(node.GetID() if node else None))

    def nodeCount(self):
        return self._box.count - int(self._none)

    def _set_types(self, types):
        self._types = list(types)
        self._fill()

    def _set_none(self, enabled):
        self._none = enabled
        self._fill()

    nodeTypes = Property("QStringList", lambda self: self._types, _set_types)
    noneEnabled = Property(bool, lambda self: self._none, _set_none)


for _name in ("addEnabled", "removeEnabled", "renameEnabled", "editEnabled", "showChildNodeTypes"):
    setattr(qMRMLNodeComboBox, _name, property(lambda self: False, lambda self, value: None))


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """Holds the nodes that the Segment Editor would edit; edits nothing."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._nodes = {}
        label = qt.QLabel("The Segment Editor appears here in 3D Slicer.", self)
        label.setWordWrap(True)
        qt.QVBoxLayout(self).addWidget(label)

    def setMRMLScene(self, scene):
        super().setMRMLScene(scene)
        self._nodes["segmentation"] = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")  # as Slicer's does

    def setMRMLSegmentEditorNode(self, node):
        self._nodes["editor"] = node

    def mrmlSegmentEditorNode(self):
        return self._nodes.get("editor")

    def setSegmentationNode(self, node):
        self._nodes["segmentation"] = node

    def setSourceVolumeNode(self, node):
        self._nodes["source"] = node

    def segmentationNode(self):
        return self._nodes.get("segmentation")

    def sourceVolumeNode(self):
        return self._nodes.get("source")

    def setSegmentationNodeSelectorVisible(self, visible):
        pass

    setSwitchToSegmentationsButtonVisible = setSourceVolumeNodeSelectorVisible = setSegmentationNodeSelectorVisible
    setAutoShowSourceVolumeNode = setSegmentationNodeSelectorVisible

    def setMaximumNumberOfUndoStates(self, count):
        pass

    def setCurrentSegmentID(self, identifier):
        self._nodes["segment"] = identifier

    def setActiveEffectByName(self, name):
        self._nodes["effect"] = name

    def setActiveEffect(self, effect):
        self._nodes["effect"] = effect

    def activeEffect(self):
        return self._nodes.get("effect")

    def setupViewObservations(self):
        self._nodes["views"] = True

    def removeViewObservations(self):
        self._nodes["views"] = False


qt.add_custom(qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentEditorWidget)
CLASSES = (qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentEditorWidget)
