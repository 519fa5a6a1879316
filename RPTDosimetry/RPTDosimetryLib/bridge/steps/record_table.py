"""A table of records that a person edits: the rows of one kind of assumption."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import assumptions
from RPTDosimetryLib.bridge.assumptions import FLAG, NUMBER, OPTIONAL, Column


class RecordTable:
    """A QTableWidget over rows_of and put_rows of bridge/assumptions.py; the scene's rows are shown by refresh."""

    def __init__(self, table: Any, kind: str, panel: Any) -> None:
        self.table, self.kind, self.panel = table, kind, panel
        self.columns, self._showing = assumptions.COLUMNS[kind], False
        self._shown: list[dict[str, Any]] | None = None
        table.setColumnCount(len(self.columns))
        table.setHorizontalHeaderLabels([column.title for column in self.columns])
        for number, column in enumerate(self.columns):
            table.horizontalHeaderItem(number).setToolTip(column.tip)
        table.verticalHeader().setVisible(False)
        table.connect("cellChanged(int,int)", self._on_cell)

    def refresh(self, case: Any) -> None:
        """Show the rows of the scene, where they are others than those shown."""
        rows = assumptions.rows_of(case, self.kind)
        if rows == self._shown:
            return
        self._showing, self._shown = True, rows
        try:
            self.table.setRowCount(len(rows))
            for number, row in enumerate(rows):
                for place, column in enumerate(self.columns):
                    self.table.setItem(number, place, _item(column, row.get(column.key), _tip(row, column)))
            self.table.resizeColumnsToContents()
        finally:
            self._showing = False

    def add(self, row: dict[str, Any] | None = None) -> None:
        """A row at the end, empty where none is given."""
        rows = assumptions.rows_of(self.panel.case, self.kind)
        self._put([*rows, row or assumptions.new_row(self.kind)])

    def remove(self) -> None:
        """Take the chosen row away."""
        rows, chosen = assumptions.rows_of(self.panel.case, self.kind), self.table.currentRow()
        if 0 <= chosen < len(rows):
            self._put([row for number, row in enumerate(rows) if number != chosen])

    def restore(self) -> None:
        """The library's rows in place of all others."""
        self._put(assumptions.own_rows(self.kind))

    def _put(self, rows: list[dict[str, Any]]) -> None:
        assumptions.put_rows(self.panel.case, self.kind, rows)
        self.panel.refresh_soon()

    def _on_cell(self, row: int, place: int) -> None:
        if self._showing:
            return
        rows = assumptions.rows_of(self.panel.case, self.kind)
        if row < len(rows):
            column = self.columns[place]
            rows[row] = rows[row] | {column.key: _typed(column, self.table.item(row, place))}
            self._shown = rows  # the table is not filled anew: the next cell may be open by now
            self._tell(row, rows[row])
            self._put(rows)

    def _tell(self, number: int, row: dict[str, Any]) -> None:
        self._showing = True
        try:
            for place, column in enumerate(self.columns):
                self.table.item(number, place).setToolTip(_tip(row, column))
        finally:
            self._showing = False


def _item(column: Column, value: Any, tip: str) -> Any:
    item = qt.QTableWidgetItem("" if column.kind == FLAG or value is None else _text(value))
    if column.kind == FLAG:
        item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsUserCheckable)
        item.setCheckState(qt.Qt.Checked if value else qt.Qt.Unchecked)
    item.setToolTip(tip)
    return item


def _text(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _tip(row: dict[str, Any], column: Column) -> str:
    """Where the value is from; of paths and names, what stands there (a narrow column cuts it)."""
    of_exponent = column.key.startswith("geud")
    source = row.get("geud_source") if of_exponent else row.get("source")
    stands = _("Source: {source}").format(source=source) if source else str(row.get(column.key) or "")
    return "\n".join(text for text in (stands, column.tip) if text)


def _typed(column: Column, item: Any) -> Any:
    """What a person has put into a cell: a number where it is one, else the text, which the settings then refuse."""
    if column.kind == FLAG:
        return item.checkState() == qt.Qt.Checked
    text = str(item.text()).strip()
    if column.kind in (NUMBER, OPTIONAL):
        try:
            return float(text)
        except ValueError:
            return text or None
    return text
