"""Stand-in for slicer.parameterNodeWrapper: typed parameters, packs of them, and their binding to widgets."""

import enum
import pathlib
import typing
from dataclasses import dataclass

import ctk
import qt
import slicer
import vtk


@dataclass
class WithinRange:
    minimum: float
    maximum: float

    def check(self, value):
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within {self.minimum} and {self.maximum}")


@dataclass
class Choice:
    choices: list

    def check(self, value):
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {self.choices}")


@dataclass
class Default:
    value: object


@dataclass
class Decimals:
    value: int


@dataclass
class SingleStep:
    value: float


class _Leaf:
    """One parameter: its type, its limits, and how it stands in the node."""

    def __init__(self, annotated, default):
        kind, *self.notes = typing.get_args(typing.Annotated[annotated, None])[:-1]
        self.is_node = isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)
        self.kind = kind
        given = [note.value for note in self.notes if isinstance(note, Default)]
        first = next(iter(kind)) if isinstance(kind, type) and issubclass(kind, enum.Enum) else None
        empty = None if self.is_node else first if first is not None else kind()
        self.default = default if default is not None else given[0] if given else empty
        if not self.is_node:
            self.check(self.default)

    def check(self, value):
        accepted = (int, float) if self.kind is float else self.kind
        if not isinstance(value, accepted) and not (self.is_node and value is None):
            raise TypeError(f"{value!r} is not {self.kind}")
        for note in self.notes:
            if hasattr(note, "check"):
                note.check(value)

    def write(self, node, name, value):
        self.check(value)
        if self.is_node:
            node.SetParameter(name, "")
            node.SetNodeReferenceID(name, value.GetID() if value is not None else None)
        else:
            node.SetParameter(name, value.name if isinstance(value, enum.Enum) else str(value))

    def read(self, node, name):
        if self.is_node:
            return node.GetNodeReference(name)
        if not node.HasParameter(name):
            self.write(node, name, self.default)
        text = node.GetParameter(name)
        if self.kind is bool:
            return text == "True"
        return self.kind[text] if issubclass(self.kind, enum.Enum) else self.kind(text)


def _leaves(cls, in_pack=False):
    hints = typing.get_type_hints(cls, include_extras=True)
    if in_pack:  # Slicer prints a warning and goes on
        unused = [n for n, t in hints.items() if any(isinstance(x, (Decimals, SingleStep)) for x in typing.get_args(t))]
        assert not unused, f"Decimals and SingleStep have no effect in a pack: {unused}; set them in the .ui file"
    return {n: t if getattr(t, "_is_pack", False) else _Leaf(t, cls.__dict__.get(n)) for n, t in hints.items()}


def parameterPack(cls):
    """A group of parameters with names of their own."""
    leaves = _leaves(cls, in_pack=True)

    def start(self, *values, **named):
        given = dict(zip(leaves, values, strict=False)) | named
        for name, leaf in leaves.items():
            object.__setattr__(self, name, given.pop(name, leaf.default))
        if given:
            raise TypeError(f"{cls.__name__} has no {', '.join(given)}")

    for name in leaves:
        if name in cls.__dict__:
            delattr(cls, name)
    cls.__init__, cls._is_pack, cls._leaves = start, True, leaves
    return cls


class _PackInNode:
    def __init__(self, leaves, node, prefix):
        self.__dict__.update(_leaves=leaves, _node=node, _prefix=prefix)

    def __getattr__(self, name):
        if name not in self._leaves:
            raise AttributeError(name)
        return self._leaves[name].read(self._node, f"{self._prefix}.{name}")

    def __setattr__(self, name, value):
        self._leaves[name].write(self._node, f"{self._prefix}.{name}", value)


def parameterNodeWrapper(cls):
    leaves = _leaves(cls)

    def flat():
        for name, leaf in leaves.items():
            yield from (
                ((f"{name}.{m}", x) for m, x in leaf._leaves.items()) if hasattr(leaf, "_is_pack") else ((name, leaf),)
            )

    every = dict(flat())

    def start(self, node):
        self.__dict__.update(parameterNode=node, _guis={}, _showing=False)
        for name, leaf in every.items():
            if not node.HasParameter(name):
                leaf.write(node, name, leaf.default)

    def fetch(self, name):
        if name not in leaves:
            raise AttributeError(f"{cls.__name__} has no parameter {name}")
        leaf = leaves[name]
        return (
            _PackInNode(leaf._leaves, self.parameterNode, name)
            if hasattr(leaf, "_is_pack")
            else leaf.read(self.parameterNode, name)
        )

    def assign(self, name, value):
        if name in self.__dict__:
            self.__dict__[name] = value
        elif hasattr(leaves[name], "_is_pack"):
            for member in leaves[name]._leaves:
                setattr(getattr(self, name), member, getattr(value, member))
        else:
            leaves[name].write(self.parameterNode, name, value)

    def connect(self, gui):
        widgets = gui.findChildren(qt.QWidget) if isinstance(gui, qt.QWidget) else vars(gui).values()
        bound = [(w.property("SlicerParameterName"), w) for w in widgets if w.property("SlicerParameterName")]
        for name, _widget in bound:
            if name not in every:
                raise ValueError(f"Cannot find a param with the given name: {name}")
        ties = [(name, every[name], _tie(widget, every[name])) for name, widget in bound]

        def show(*_):
            if not self._showing:
                self._showing = True
                try:
                    for name, leaf, (_read, write, _signal) in ties:
                        write(leaf.read(self.parameterNode, name))
                finally:
                    self._showing = False

        def taken(name, leaf, read):
            return lambda *_: None if self._showing else leaf.write(self.parameterNode, name, read())

        show()
        undo = []
        for name, leaf, (read, _write, signal) in ties:
            slot = taken(name, leaf, read)
            signal.connect(slot)
            undo.append((signal, slot))
        tag = len(self._guis)
        self._guis[tag] = (self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, show), undo)
        return tag

    def disconnect(self, tag):
        observer, undo = self._guis.pop(tag, (None, []))
        if observer is not None:
            self.parameterNode.RemoveObserver(observer)
        for signal, slot in undo:
            signal.disconnect(slot)

    for name in leaves:
        if name in cls.__dict__:
            delattr(cls, name)
    cls.__init__, cls.__getattr__, cls.__setattr__ = start, fetch, assign
    cls.connectGui, cls.disconnectGui = connect, disconnect
    cls.AddObserver = lambda self, event, call, priority=0.0: self.parameterNode.AddObserver(event, call, priority)
    cls.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    cls.StartModify = lambda self: self.parameterNode.StartModify()
    cls.EndModify = lambda self, state: self.parameterNode.EndModify(state)
    return cls


def _tie(widget, leaf):
    """(read, write, signal) of a widget for a parameter; only the pairs that Slicer's connectors know."""
    kind, exact = leaf.kind, type(widget)
    limits = next((note for note in leaf.notes if isinstance(note, WithinRange)), None)
    if kind is bool and exact in (qt.QCheckBox, qt.QPushButton):
        return lambda: widget.checked, lambda v: setattr(widget, "checked", v), widget.toggled
    if kind in (int, float) and exact in (
        qt.QDoubleSpinBox,
        ctk.ctkSliderWidget,
        ctk.ctkDoubleSpinBox,
        *((qt.QSpinBox, qt.QSlider) if kind is int else ()),
    ):
        if limits is None and exact in (ctk.ctkSliderWidget, qt.QSlider):
            raise RuntimeError("a slider needs the limits of its parameter")
        if kind is float:
            widget.decimals = next((note.value for note in leaf.notes if isinstance(note, Decimals)), widget.decimals)
        low, high = (limits.minimum, limits.maximum) if limits else (-(2**31), 2**31 - 1)
        widget.minimum, widget.maximum = kind(low), kind(high)
        return lambda: kind(widget.value), lambda v: setattr(widget, "value", v), widget.valueChanged
    if exact in (qt.QComboBox, ctk.ctkComboBox) and (kind in (int, float, str, bool) or issubclass(kind, enum.Enum)):
        if issubclass(kind, enum.Enum):
            choices = list(kind)
            labels = [(kind.label(c) if hasattr(kind, "label") else c.name) for c in choices]
        else:
            choices = list(next(note for note in leaf.notes if isinstance(note, Choice)).choices)
            labels = [str(c) for c in choices]
        widget.clear()
        for label in labels:
            widget.addItem(label)
        return (
            lambda: choices[widget.currentIndex],
            lambda v: setattr(widget, "currentIndex", choices.index(v)),
            widget.currentIndexChanged,
        )
    if kind is str and exact is qt.QLineEdit:
        return lambda: widget.text, lambda v: v == widget.text or setattr(widget, "text", v), widget.textChanged
    if kind is str and exact is qt.QTextEdit:
        return widget.toPlainText, widget.setPlainText, widget.textChanged
    if issubclass(kind, pathlib.PurePath) and exact is ctk.ctkPathLineEdit:
        return (
            lambda: kind(widget.currentPath),
            lambda v: setattr(widget, "currentPath", str(v)),
            widget.currentPathChanged,
        )
    if leaf.is_node and exact is slicer.qMRMLNodeComboBox:
        return widget.currentNode, widget.setCurrentNode, widget.currentNodeChanged
    raise RuntimeError(f"Unable to create GUI connector from datatype '{kind}' to widget type '{exact}'")
