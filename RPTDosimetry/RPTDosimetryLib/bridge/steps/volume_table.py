"""The review table of step Segmentation as widgets: one row a volume, its kind to choose, its review in the margin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge.voi_rows import Row, texts_of

KINDS = ("organ", "lesion", "region")
_KIND_COLUMN = 2
_UNREVIEWED_COLOUR = (217, 83, 79)  # readable on light and on dark themes; the word says it too


def show_table(table: Any, rows: Sequence[Row], hours: Sequence[str], on_kind: Callable[[int, str], Any]) -> None:
    """Show rows, with one column of activity for each time point; on_kind gets the row's number and the kind chosen."""
    titles = [_("name"), _("code"), _("kind"), _("volume [mL]"), _("mass [g]")]
    titles += [_("{hours} [MBq]").format(hours=text) for text in hours]
    titles += [_("lesions"), _("reviewed by"), _("when")]
    table.setColumnCount(len(titles))
    table.setHorizontalHeaderLabels(titles)
    table.setRowCount(len(rows))
    table.setVerticalHeaderLabels(["✓" if row.voi is not None and row.voi.review else "!" for row in rows])
    for number, row in enumerate(rows):
        for column, text in enumerate(texts_of(row)):
            said = column >= len(titles) - 2  # who reviewed it, and when
            _show_cell(table, number, column, _item(row, text, column == 0, said))
        _show_kind(table, number, row, on_kind)
    table.resizeColumnsToContents()


def swatch(colour: tuple[float, float, float]) -> Any:
    """A square in the colour of a volume, for its row: the legend of outlines and curves."""
    picture = qt.QPixmap(10, 10)
    picture.fill(qt.QColor(*(round(255 * part) for part in colour)))
    return qt.QIcon(picture)


def _show_cell(table: Any, number: int, column: int, item: Any) -> None:
    """Put a cell where it is another than the one that is there."""
    there = table.item(number, column)
    if there is None or (there.text(), there.toolTip()) != (item.text(), item.toolTip()):
        table.setItem(number, column, item)


def _item(row: Row, text: str, editable: bool, said: bool) -> Any:
    """A cell; said: one of those that say whether the volume is reviewed."""
    item = qt.QTableWidgetItem(text)
    flags = qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled
    item.setFlags(flags | qt.Qt.ItemIsEditable if editable else flags)
    if row.problem or (said and row.voi is not None and row.voi.review is None):
        item.setForeground(qt.QBrush(qt.QColor(*_UNREVIEWED_COLOUR)))
    notes = [row.problem] if row.problem else []
    if row.voi is not None:
        notes += [row.voi.source, *row.voi.warnings]
    item.setToolTip("\n".join(notes))
    return item


def _show_kind(table: Any, number: int, row: Row, on_kind: Callable[[int, str], Any]) -> None:
    """The box of a row, made once; it acts on whatever volume its row shows."""
    box = table.cellWidget(number, _KIND_COLUMN)
    if box is None:
        box = qt.QComboBox()
        box.addItems(list(KINDS))
        box.toolTip = _("Organ, lesion or region: rules and models go by it")
        box.connect("activated(int)", lambda index: on_kind(number, KINDS[index]))
        table.setCellWidget(number, _KIND_COLUMN, box)
    box.enabled = row.voi is not None
    if row.voi is not None:
        box.setCurrentIndex(KINDS.index(row.voi.kind))
