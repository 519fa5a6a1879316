"""Stand-in for the ctk widgets that the panel uses."""

import qt
from PySide6.QtCore import Property, QRect, Qt, Signal
from PySide6.QtWidgets import QAbstractButton, QStyle, QStyleOptionButton, QStylePainter, QWidget

HEADER = 26


class ctkCollapsibleButton(qt.looks_like(QAbstractButton)):
    """A header that shows or hides what is below it."""

    contentsCollapsed = Signal(bool)

    def __init__(self, text="", parent=None):
        super().__init__(parent if parent is not None or isinstance(text, str) else text)
        self.setText(text if isinstance(text, str) else "")
        self._collapsed = False
        self.setContentsMargins(4, HEADER + 2, 4, 4)
        self.setFocusPolicy(Qt.StrongFocus)
        self.clicked.connect(lambda: self.setCollapsed(not self._collapsed))

    def isCollapsed(self):
        return self._collapsed

    def setCollapsed(self, collapsed):
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        for child in self.children():
            if isinstance(child, QWidget):
                child.setVisible(not collapsed)
        self.setMaximumHeight(HEADER if collapsed else 16777215)
        self.contentsCollapsed.emit(collapsed)

    collapsed = Property(bool, isCollapsed, setCollapsed)

    def hitButton(self, position):
        return position.y() <= HEADER

    def sizeHint(self):
        hint = super().sizeHint()
        hint.setHeight(HEADER if self._collapsed or self.layout() is None else self.layout().totalSizeHint().height())
        return hint

    minimumSizeHint = sizeHint

    def paintEvent(self, _event):
        painter, option = QStylePainter(self), QStyleOptionButton()
        option.initFrom(self)
        option.rect = QRect(0, 0, self.width, HEADER)
        painter.drawControl(QStyle.CE_PushButtonBevel, option)
        option.rect = QRect(6, HEADER // 2 - 5, 10, 10)
        painter.drawPrimitive(
            QStyle.PE_IndicatorArrowRight if self._collapsed else QStyle.PE_IndicatorArrowDown, option
        )
        text = QRect(22, 0, self.width - 26, HEADER)
        painter.drawItemText(text, Qt.AlignVCenter | Qt.TextShowMnemonic, self.palette, self.enabled, self.text)


class ctkSliderWidget(qt.looks_like(QWidget)):
    """A slider with a spin box beside it."""

    valueChanged = Signal(float)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._box, self._slider = qt.QDoubleSpinBox(self), qt.QSlider(Qt.Horizontal, self)
        row = qt.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider, 1)
        row.addWidget(self._box)
        self._box.valueChanged.connect(self._show)
        self._slider.setRange(0, 1000)
        self._slider.sliderMoved.connect(
            lambda n: self._box.setValue(self.minimum + (self.maximum - self.minimum) * n / 1000)
        )

    def _show(self, value):
        span = (self.maximum - self.minimum) or 1
        self._slider.setValue(round(1000 * (value - self.minimum) / span))
        self.valueChanged.emit(value)

    @staticmethod
    def _of_box(kind, name):
        return Property(
            kind, lambda self: getattr(self._box, name), lambda self, value: setattr(self._box, name, value)
        )


for _kind, _names in {
    float: ("value", "minimum", "maximum", "singleStep"),
    int: ("decimals",),
    str: ("suffix", "prefix"),
}.items():
    for _name in _names:
        _property = ctkSliderWidget._of_box(_kind, _name)
        setattr(ctkSliderWidget, _name, property(_property.fget, _property.fset))


class ctkPathLineEdit(qt.looks_like(QWidget)):
    """A path with a button to browse for it."""

    Files, Dirs, Writable = 0x2, 0x1, 0x20
    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        self.filters = self.Files
        self._valid = False
        self._edit, self._browse = qt.QLineEdit(self), qt.QToolButton(self)
        self._browse.setText("…")
        row = qt.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._edit, 1)
        row.addWidget(self._browse)
        self._edit.textChanged.connect(self._tell)
        self.setFocusProxy(self._edit)
        self.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)

    def _tell(self, path):
        """An empty path is not valid, and only valid ones are told of."""
        was, self._valid = self._valid, bool(path)
        if path:
            self.currentPathChanged.emit(path)
        if was != self._valid:
            self.validInputChanged.emit(self._valid)

    filters = None
    currentPath = Property(str, lambda self: self._edit.text, lambda self, path: self._edit.setText(path))


class ctkComboBox(qt.QComboBox):
    """A combo box that can elide."""


class ctkDoubleSpinBox(qt.QDoubleSpinBox):
    """A spin box with more decimals."""


qt.add_custom(ctkCollapsibleButton, ctkSliderWidget, ctkPathLineEdit, ctkComboBox, ctkDoubleSpinBox)
