"""Step 8, Report: what will be written, who answers for it, and the folder with all of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import ctk
import qt
from slicer.i18n import tr as _

from RPTDosimetryLib.background import Request
from RPTDosimetryLib.bridge import assumptions, comparison
from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.case import Case, fingerprint
from RPTDosimetryLib.bridge.comparison_choices import compared_of
from RPTDosimetryLib.bridge.effect_nodes import effect_engines
from RPTDosimetryLib.bridge.quantified import activity_check_of
from RPTDosimetryLib.bridge.report_order import forget_saved_scenes, order_of, parts_of, preview_of, save_scene
from RPTDosimetryLib.bridge.steps.assumption_form import AssumptionForm
from RPTDosimetryLib.bridge.steps.effects import Effects, current_effects, shown_engine
from RPTDosimetryLib.bridge.steps.step import State, Step
from RPTDosimetryLib.errors import ReportError

_WRITTEN = "ReportWritten"


class ReportStep(Step):
    """Its result is a folder; the scene remembers from what it was written, and where."""

    key: ClassVar[str] = "report"
    title: ClassVar[str] = _("Report")
    ui_file: ClassVar[str] = "Report.ui"
    upstream: ClassVar[tuple[str, ...]] = ("segmentation", "kinetics", "dose")
    _previewed = ""

    def __init__(self, panel: Any = None) -> None:
        super().__init__(panel)
        self._effects = Effects(panel)

    @property
    def effects(self) -> Effects:
        """The part that weights doses; it knows the other steps as this one does."""
        self._effects.others = self.others
        return self._effects

    def setup(self) -> None:
        """Connect folder and buttons."""
        ui = self.ui
        ui.folderEdit.filters = ctk.ctkPathLineEdit.Dirs
        ui.folderEdit.connect("currentPathChanged(QString)", self._on_folder)
        ui.folderEdit.connect("validInputChanged(bool)", lambda _valid: self._on_folder(ui.folderEdit.currentPath))
        ui.exportButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.run))
        ui.openButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.open_folder))
        self._assumed = AssumptionForm(ui, self.panel)
        ui.effectsButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.effects.run))
        ui.showEffectButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.show_effect))
        ui.effectEngineBox.connect("activated(int)", self._on_engine)
        ui.exportTable.setColumnCount(2)
        ui.exportTable.setHorizontalHeaderLabels([_("part"), _("in this report")])

    # what it lacks and runs ---------------------------------------------------------------------------------------

    def missing(self, case: Case) -> list[str]:
        """Results of the steps before, a reviewer, and a folder that can be written."""
        told = []
        if case.node(at.SEEN) is None:
            told.append(_("The time points are not registered yet: run step Registration."))
        if case.node(at.VOIS) is None:
            told.append(_("No volume of interest is drawn yet: do so in step Segmentation."))
        if case.node(at.TIA) is None:
            told.append(_("There is no map of time-integrated activity yet: run step Kinetics."))
        if not case.nodes(at.DOSE):
            told.append(_("There is no dose to report: run step Dose."))
        stale = [self.others[key] for key in (*self.upstream, "compare") if key in self.others]
        told += [
            _("Step {title} is out of date: run it again.").format(title=step.title)
            for step in stale
            if step.state(case) is State.OUT_OF_DATE
        ]
        if self.effects.out_of_date(case):
            told.append(_("The BED maps are out of date: make them again."))
        told += activity_check_of(case).refused
        told += assumptions.problems(case)
        if not case.parameters.report.reviewer.strip():
            told.append(_("Write who answers for the report."))
        return [*told, *folder_problems(case.parameters.report.folder)]

    def needs_review(self, case: Case) -> list[str]:
        """Contours that nobody has accepted: the report says so on every file."""
        from RPTDosimetryLib.bridge.volumes_of_interest import unreviewed

        return unreviewed(case) if case.node(at.VOIS) is not None else []

    def settings(self, case: Case) -> Any:
        """Reviewer, comment, parts and assumptions, not where it goes; the doses and the comparison reported."""
        told = case.parameters.report
        compared = comparison.part(case, comparison.ANSWER)
        parts = [*parts_of(case), told.deidentify]
        assumed = assumptions.told(case)
        return [told.reviewer, told.comment, parts, assumed, case.content([*case.nodes(at.DOSE), compared])]

    def state(self, case: Case) -> State:
        """Written from what the scene holds now, or not."""
        written = at.mapping(case.node_of_settings, _WRITTEN)
        if not written:
            return State.TODO if self.missing(case) else State.READY
        if written["from"] != self._written_from(case):
            return State.OUT_OF_DATE
        return State.NEEDS_REVIEW if self.needs_review(case) else State.DONE

    def _written_from(self, case: Case) -> str:
        return fingerprint([self.inputs_fingerprint(case), self.needs_review(case)])

    def request(self, case: Case) -> Request:
        """The scene is saved first; the rest is written in the background."""
        kinetics = self.others["kinetics"].choice(case)  # type: ignore[attr-defined]
        order = replace(order_of(case, kinetics, save_scene()), compared=compared_of(case))
        return Request("write_report", (order, Path(case.parameters.report.folder)))

    def take(self, case: Case, result: Any) -> list[Any]:
        """Nothing goes into the scene but the note of what was written; the panel says where it is."""
        forget_saved_scenes()  # a script's run has no end of a job
        note = {"from": self._written_from(case), "folder": str(result.folder), "files": list(result.files)}
        at.write(case.node_of_settings, _WRITTEN, note)
        if self.panel is not None:
            count = len(result.files)
            said = _("Report written: {count} files in {folder}.").format(count=count, folder=result.folder)
            self.panel.say("\n".join([said, *self.needs_review(case)]))
        return []

    def ended(self, case: Case) -> None:
        """The saved scene holds the patient's images: the report has its own by now, or needs none."""
        forget_saved_scenes()

    # what the user does -------------------------------------------------------------------------------------------

    def open_folder(self) -> None:
        """Show the folder in the file manager."""
        folder = self.panel.parameters.report.folder
        if not Path(folder).is_dir():
            raise ReportError(_("{folder} is not there.").format(folder=folder))
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(folder))

    def show_effect(self) -> None:
        """The chosen map of BED, EQD2 or of all cycles over the CT."""
        self.effects.show(self.panel.case)

    # showing ------------------------------------------------------------------------------------------------------

    def refresh(self, case: Case) -> None:
        """Folder, parts, preview, what is missing."""
        ui = self.ui
        folder = case.parameters.report.folder
        if ui.folderEdit.currentPath != folder:
            ui.folderEdit.currentPath = folder
        told = self.missing(case)
        ui.missingLabel.text = "\n".join(told)
        ui.missingLabel.setVisible(bool(told) and bool(case.nodes(at.DOSE)))
        unreviewed = self.needs_review(case)
        ui.reviewLabel.text = _("CONTOURS NOT REVIEWED: the report says so on every file.")
        ui.reviewLabel.setVisible(bool(unreviewed))
        ui.reviewLabel.toolTip = "\n".join(unreviewed)
        busy = _("A step is running: wait for it, or cancel it.") if self.panel.runner.busy else ""
        self._enable(ui.exportButton, busy or " ".join(told), _("Write everything into the folder, all or nothing"))
        written = at.mapping(case.node_of_settings, _WRITTEN)
        self._enable(ui.openButton, "" if written else _("Nothing is written yet."), _("Show the folder"))
        self._assumed.refresh(case)
        self._show_effects(case, busy)
        self._show_parts(case, bool(unreviewed))
        self._show_preview(case)

    def _show_effects(self, case: Case, busy: str) -> None:
        """What weights the doses and what of it can be shown."""
        ui, effects = self.ui, self.effects
        lacking = busy or " ".join([*effects.missing(case), *effects.stale_upstream(case)])
        self._enable(ui.effectsButton, lacking, _("Maps of BED and EQD2 of each engine's dose, with their tables"))
        engines = effect_engines(case)
        if [ui.effectEngineBox.itemText(n) for n in range(ui.effectEngineBox.count)] != engines:
            ui.effectEngineBox.clear()
            ui.effectEngineBox.addItems(engines)
        if engines:
            ui.effectEngineBox.setCurrentIndex(engines.index(shown_engine(case)))
        ui.effectEngineBox.setVisible(len(engines) > 1)
        self._enable(ui.showEffectButton, effects.not_there(case), _("The chosen map over the CT, with its legend"))
        old = bool(engines) and effects.out_of_date(case)
        ui.effectsLabel.text = _("The BED maps are out of date: make them again.") if old else ""
        ui.effectsLabel.setVisible(old)

    def _on_engine(self, index: int) -> None:
        self.panel.parameters.assumptions.shownEngine = self.ui.effectEngineBox.itemText(index)

    def _show_parts(self, case: Case, unreviewed: bool) -> None:
        """The registry of exports, and which of them this report will hold."""
        from RPTDosimetryLib.report.exports import EXPORTS

        parts = parts_of(case)
        known = {"comparison": bool(comparison.answer(case)), "notice": unreviewed, "parts": bool(parts)}
        hidden = _(", de-identified") if case.parameters.report.deidentify else ""
        more = {"parts": f": {', '.join(parts).upper()}{hidden}" if parts else ""}
        table = self.ui.exportTable
        table.setRowCount(len(EXPORTS))
        for row, export in enumerate(EXPORTS):
            in_it = known.get(export.name, bool(case.nodes(at.DOSE)))
            told = f"{_(export.text)}{more.get(export.name, '')}"
            for column, text in enumerate((told, _("yes") if in_it else _("no"))):
                table.setItem(row, column, qt.QTableWidgetItem(text))
        table.resizeColumnsToContents()

    def _show_preview(self, case: Case) -> None:
        """The page is set only when it has changed: it keeps its place while it is read."""
        from RPTDosimetryLib.report.summary import summary_html

        known = current_effects(case, self.effects)
        html = summary_html(preview_of(case, (), known)) if case.nodes(at.DOSE) else ""
        if html != self._previewed:
            self._previewed = html
            self.ui.preview.setHtml(html)

    @staticmethod
    def _enable(button: Any, reason: str, otherwise: str) -> None:
        button.enabled = not reason
        button.toolTip = reason or otherwise

    def _on_folder(self, path: str) -> None:
        if self.panel.parameters.report.folder != path:
            self.panel.parameters.report.folder = path


def folder_problems(told: str) -> list[str]:
    """Why nothing can be written there; empty when it can."""
    if not told.strip():
        return [_("Choose the folder of the report.")]
    folder = Path(told)
    if folder.is_file():
        return [_("{path} is a file: choose a folder.").format(path=folder)]
    above = next((parent for parent in (folder, *folder.parents) if parent.is_dir()), None)
    if above is None or not os.access(above, os.W_OK) or (folder.is_dir() and not os.access(folder.parent, os.W_OK)):
        return [_("You may not write into {path}: choose another folder.").format(path=folder)]
    return []
