"""The part of step Report that says what is assumed: tissues and limits, earlier cycles, uncertainty, protection."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import assumptions
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.steps.record_table import RecordTable
from RPTDosimetryLib.errors import RadiobiologyError


class AssumptionForm:
    """Widgets of Report.ui inside assumptionsButton; single numbers are bound to the settings, tables are not."""

    def __init__(self, ui: Any, panel: Any) -> None:
        self.ui, self.panel = ui, panel
        self.tables = {
            assumptions.TISSUES: RecordTable(ui.tissuesTable, assumptions.TISSUES, panel),
            assumptions.LIMITS: RecordTable(ui.limitsTable, assumptions.LIMITS, panel),
            assumptions.PREVIOUS: RecordTable(ui.previousTable, assumptions.PREVIOUS, panel),
            assumptions.STAFF: RecordTable(ui.staffTable, assumptions.STAFF, panel),
        }
        for kind, add, remove, restore in (
            (assumptions.TISSUES, ui.tissuesAdd, ui.tissuesRemove, ui.tissuesRestore),
            (assumptions.LIMITS, ui.limitsAdd, ui.limitsRemove, ui.limitsRestore),
            (assumptions.STAFF, ui.staffAdd, ui.staffRemove, ui.staffRestore),
        ):
            table = self.tables[kind]
            add.connect("clicked(bool)", lambda _checked, table=table: panel.guard(table.add))
            remove.connect("clicked(bool)", lambda _checked, table=table: panel.guard(table.remove))
            restore.connect("clicked(bool)", lambda _checked, table=table: panel.guard(table.restore))
        ui.previousAdd.connect("clicked(bool)", lambda _checked: panel.guard(self.add_cycle))
        previous = self.tables[assumptions.PREVIOUS]
        ui.previousRemove.connect("clicked(bool)", lambda _checked: panel.guard(previous.remove))

    def refresh(self, case: Case) -> None:
        """Rows of the scene, and what cannot be."""
        for table in self.tables.values():
            table.refresh(case)
        told = assumptions.problems(case)
        self.ui.assumptionsLabel.text = "\n".join(told)
        self.ui.assumptionsLabel.setVisible(bool(told))
        count = len(assumptions.rows_of(case, assumptions.PREVIOUS))
        counted = _("Assumptions, earlier cycles: {n}").format(n=count)
        self.ui.assumptionsButton.text = counted if count else _("Assumptions")

    def add_cycle(self) -> None:
        """The file or folder as an earlier cycle. Raises RadiobiologyError without one."""
        path = self.ui.previousEdit.currentPath
        if not path:
            raise RadiobiologyError(_("Choose the results or the dose map of an earlier cycle first."))
        nuclide = self.panel.case.parameters.administration.nuclide
        self.tables[assumptions.PREVIOUS].add(assumptions.earlier_cycle(path, nuclide))
