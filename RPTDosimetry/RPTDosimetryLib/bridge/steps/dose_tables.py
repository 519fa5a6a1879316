"""The two tables of step Dose: the engines that can be ticked, and the organ doses of the dose that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import qt
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.dose_nodes import colour_of, rows_of
from RPTDosimetryLib.bridge.hybrid_choices import fell_back, volume_figures
from RPTDosimetryLib.bridge.steps.volume_table import swatch

_NAME, _GIVES, _COSTS = 0, 1, 2


def show_engines(table: Any) -> None:
    """The engines of the library's registry, once: loading it must not delay opening the panel."""
    from RPTDosimetryLib.dose.engine import engine_description, engine_names

    if table.rowCount == len(engine_names()):
        return
    table.setColumnCount(3)
    table.setHorizontalHeaderLabels([_("engine"), _("gives"), _("costs")])
    table.setRowCount(len(engine_names()))
    for row, name in enumerate(engine_names()):
        told = engine_description(name)
        for column, text in enumerate((name, told.gives, told.costs)):
            item = qt.QTableWidgetItem(text)
            flags = qt.Qt.ItemIsEnabled
            item.setFlags(flags | qt.Qt.ItemIsUserCheckable if column == _NAME else flags)
            item.setToolTip(f"{name}: {told.gives} ({told.costs})")
            if column == _NAME:
                item.setCheckState(qt.Qt.Unchecked)
            table.setItem(row, column, item)
    table.resizeColumnsToContents()
    for column in (_GIVES, _COSTS):  # costs at their full width would leave a word's width to what an engine gives
        table.horizontalHeader().setSectionResizeMode(column, qt.QHeaderView.Stretch)
    table.verticalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)  # texts wrap


def tick_engines(table: Any, chosen: list[str], reasons: Mapping[str, str]) -> None:
    """Ticks as chosen. reasons: why an engine cannot be used here; it can only be unticked."""
    from RPTDosimetryLib.dose.engine import engine_description

    for row in range(table.rowCount):
        item = table.item(row, _NAME)
        name = item.text()
        ticked, reason = name in chosen, reasons.get(name, "")
        wanted = qt.Qt.Checked if ticked else qt.Qt.Unchecked
        if item.checkState() != wanted:
            item.setCheckState(wanted)
        if name not in reasons:
            continue
        told = engine_description(name)
        usable = ticked or not reason
        for column in (_NAME, _GIVES, _COSTS):
            flags = qt.Qt.ItemIsEnabled if usable else qt.Qt.NoItemFlags
            cell = table.item(row, column)
            cell.setFlags(flags | qt.Qt.ItemIsUserCheckable if usable and column == _NAME else flags)
            cell.setToolTip(reason or f"{name}: {told.gives} ({told.costs})")
        table.item(row, _COSTS).setText(_("not available here: see Hybrid below") if reason else told.costs)


def show_organs(table: Any, case: Case, dose: Any) -> None:
    """The organ doses of a dose volume; none without one."""
    rows = [] if dose is None else rows_of(dose)
    of_engine = {} if dose is None else volume_figures(dose)
    columns = _columns(rows, dose is not None and fell_back(dose), bool(of_engine))
    table.setColumnCount(len(columns) + 1)
    table.setHorizontalHeaderLabels([_("volume"), *columns.values()])
    table.setRowCount(len(rows))
    for number, row in enumerate(rows):
        told = {**vars(row), **of_engine.get(row.name, {}), "mean_gy": row.mean_gy}
        values = [told.get(name) for name in columns]
        cells = [row.name, *("–" if value is None else f"{value:.4g}" for value in values)]
        for column, text in enumerate(cells):
            item = qt.QTableWidgetItem(text)
            item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            item.setToolTip("\n".join(row.warnings))
            if column == 0:
                item.setIcon(swatch(colour_of(case, row.name)))
            table.setItem(number, column, item)
    table.resizeColumnsToContents()


def _columns(rows: list[Any], is_msv: bool, of_hybrid: bool) -> dict[str, str]:
    """Figures and their titles, in order."""
    columns = {"volume_ml": _("volume [mL]"), "mass_g": _("mass [g]")}
    columns["mean_gy"] = _("mean, MSV-8 [Gy]") if is_msv else _("mean [Gy]")
    if any(row.mean_se_gy is not None for row in rows):
        columns["mean_se_gy"] = _("± [Gy]")
    if of_hybrid:
        columns |= {"msv_mean_gy": _("MSV-8 [Gy]"), "member_sd_gy": _("networks ± [Gy]")}
    columns |= {"d98_gy": _("D98"), "d50_gy": _("D50"), "d2_gy": _("D2"), "gy_per_gbq": _("Gy/GBq")}
    if any(row.mean_recovered_gy is not None for row in rows):
        columns["mean_recovered_gy"] = _("mean/RC [Gy]")
    return columns
