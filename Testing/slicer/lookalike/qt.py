"""Stand-in for PythonQt's ``qt`` on PySide6: properties are attributes, connect takes a signature, typos fail.

Each widget class is made on first use as a subclass of PySide6's. An exception inside a slot is kept in slot_errors
(Slicer prints it to its console), so that a test can fail on it.
"""

import ctypes
import re
import sys
import traceback

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

if sys.version_info < (3, 12):
    # PySide6 6.12 takes None, True and False to be immortal, as from Python 3.12 on: each call that gives one
    # costs a reference, and the interpreter stops when none is left. Give them plenty.
    for constant in (None, True, False):
        ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40

slot_errors = []
_made = {}
_custom = {}  # classes of ctk and slicer that .ui files may name
_Meta = type(QtCore.QObject)


class _Kind(_Meta):
    """A class whose instances include PySide6's own (isinstance(anything, qt.QWidget) holds, as in PythonQt)."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, cls.__dict__.get("_original", cls.__mro__[1])) or _Meta.__instancecheck__(
            cls, instance
        )


def _attribute(name):
    def write(self, value):
        if not self.setProperty(name, value):
            raise TypeError(f"{type(self).__name__}.{name} does not take {value!r}")

    return property(lambda self: self.property(name), write)


class Behaviour:
    """What PythonQt adds to a QObject."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.connect, cls.disconnect = _connect, _disconnect  # must sit on the most derived class

    def __setattr__(self, name, value):
        if isinstance(value, QtCore.QObject) and value.property("objectName") == name:
            return  # PySide's QUiLoader names children on the form; PythonQt does not
        if not hasattr(type(self), name) and not name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        super().__setattr__(name, value)

    @property
    def name(self):
        return self.objectName

    @name.setter
    def name(self, value):
        self.objectName = value

    def className(self):
        return self.metaObject().className()

    def findChildren(self, kind=QtCore.QObject, name=None):
        kind = kind.__dict__.get("_original", kind)
        return super().findChildren(kind, name) if name else super().findChildren(kind)


def _signal(widget, signature):
    signature = re.sub(r"vtkMRML\w+\*", "PyObject", signature)
    found = re.fullmatch(r"(\w+)\((.*)\)", signature)
    if (
        not found
        or widget.metaObject().indexOfSignal(QtCore.QMetaObject.normalizedSignature(signature).toStdString()) < 0
    ):
        raise ValueError(f"{type(widget).__name__} has no signal {signature}")
    count = len([part for part in found[2].split(",") if part.strip()])
    signal = getattr(widget, found[1])
    try:
        return signal[found[2]] if found[2] else signal, count
    except (KeyError, IndexError, TypeError):
        return signal, count


def _connect(self, signature, slot):
    signal, count = _signal(self, signature)

    def call(*arguments):
        try:
            slot(*arguments[:count])
        except Exception as error:  # as in Slicer: told, and the application goes on
            slot_errors.append(error)
            traceback.print_exc(file=sys.stderr)

    connections = self.__dict__.setdefault("_connections", [])
    connections.append((signature, slot, call))
    signal.connect(call)
    return True


def _disconnect(self, signature, slot):
    for entry in list(self.__dict__.get("_connections", [])):
        if entry[0] == signature and entry[1] == slot:
            _signal(self, signature)[0].disconnect(entry[2])
            self._connections.remove(entry)
            return True
    return False


def looks_like(original, name=None, **members):
    """PySide6's class with the behaviour of PythonQt's: its properties as attributes."""
    meta = original.staticMetaObject
    names = [meta.property(index).name() for index in range(meta.propertyCount())]
    names = set(names) - {"sizeHint", "minimumSizeHint"}  # virtual: Qt asks Python for them as methods
    members = {prop: _attribute(prop) for prop in names} | {"_original": original} | members
    return _Kind(name or original.__name__, (Behaviour, original), members)


def add_custom(*classes):
    """Let .ui files name these classes."""
    _custom.update({kind.__name__: kind for kind in classes})


class QUiLoader(QtUiTools.QUiLoader):
    """Makes the classes of this look-alike, named ones of ctk and slicer included."""

    def createWidget(self, class_name, parent=None, name=""):
        import ctk  # noqa: F401 (registers its classes)

        kind = _custom.get(class_name) or sys.modules[__name__].__getattr__(class_name)
        widget = kind(parent)
        widget.setObjectName(name)
        return widget


def __getattr__(name):
    if name in _made:
        return _made[name]
    for module in (QtWidgets, QtGui, QtCore):
        if hasattr(module, name):
            found = getattr(module, name)
            plain = not (isinstance(found, type) and issubclass(found, QtCore.QObject)) or name == "QApplication"
            _made[name] = found if plain else looks_like(found)
            return _made[name]
    raise AttributeError(f"qt has no {name}")
