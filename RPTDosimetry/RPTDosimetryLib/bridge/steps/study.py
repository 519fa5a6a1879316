"""Step 1, Study: time points from a folder, the scene or the DICOM database; what is missing; the administration."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.background import Request
from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import dicom_database, samples, views
from RPTDosimetryLib.bridge.case import Case, fingerprint
from RPTDosimetryLib.bridge.quantified import ct_node_of
from RPTDosimetryLib.bridge.registered import reference_number
from RPTDosimetryLib.bridge.sequence import browser_of
from RPTDosimetryLib.bridge.steps.step import State, Step
from RPTDosimetryLib.bridge.time_points import (
    DECAY,
    UNITS,
    Cell,
    add_study,
    add_volumes,
    missing_of,
    remove_time_point,
    row_of,
    set_value,
    time_s_of,
)
from RPTDosimetryLib.bridge.volumes import dress
from RPTDosimetryLib.bridge.words import activity_title
from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Study

_COLUMNS = ("acquired", "time_h", "duration_s", "unit", "decay", "calibrated", "ct")
_CHOICES = {"unit": tuple(UNITS), "decay": DECAY}
_MISSING_COLOUR = (217, 83, 79)  # readable on light and on dark themes; the word says it too


class StudyStep(Step):
    """Its results are the time points; it runs no verb of its own but reading."""

    key: ClassVar[str] = "study"
    title: ClassVar[str] = _("Study")
    ui_file: ClassVar[str] = "Study.ui"
    _showing = False

    def setup(self) -> None:
        """Connect buttons, table and scroll bar."""
        ui = self.ui
        ui.sampleButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.load_sample))
        ui.folderButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.add_folder))
        ui.volumesButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.add_chosen_volumes))
        ui.dicomButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.add_patient))
        ui.sideButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.show_side_by_side))
        ui.removeButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.remove_chosen))
        ui.folderEdit.connect("currentPathChanged(QString)", self._on_folder)
        ui.folderEdit.connect("validInputChanged(bool)", lambda _valid: self._on_folder(ui.folderEdit.currentPath))
        ui.spectSelector.connect("currentNodeChanged(vtkMRMLNode*)", lambda _node: self.panel.refresh_soon())
        ui.table.connect("cellChanged(int,int)", self._on_cell)
        ui.table.connect("itemSelectionChanged()", self._on_row)
        ui.scrollSlider.connect("valueChanged(int)", self._on_scroll)
        ui.folderEdit.filters = ctk.ctkPathLineEdit.Dirs
        ui.table.setColumnCount(len(_COLUMNS))
        ui.table.setHorizontalHeaderLabels(
            [_("date"), _("h after"), _("scan [s]"), _("unit"), _("decay"), _("calib."), _("CT")]
        )
        for selector in (ui.spectSelector, ui.ctSelector):
            selector.setMRMLScene(slicer.mrmlScene)

    # what it lacks ------------------------------------------------------------------------------------------------

    def missing(self, case: Case) -> list[str]:
        """One sentence a missing value, in the order of the table."""
        told = []
        try:
            administration = case.administration()
        except StudyError as error:
            told.append(str(error))
            administration = case.administration(strict=False)
        points = case.time_points()
        if not points:
            return [*told, _("Add time points from a folder, the DICOM database or volumes of the scene.")]
        for number, nodes in enumerate(points, start=1):
            lacking = missing_of(nodes.spect, administration)
            told += [_("Time point {n}: the {what} is missing.").format(n=number, what=what) for what in lacking]
            if (time_s_of(nodes.spect, administration) or 0.0) < 0:
                told.append(_("Time point {n} is before the administration: check both dates.").format(n=number))
        if administration.nuclide is None:
            told.append(_("Choose the nuclide."))
        if administration.administered_activity_bq is None:
            told.append(_("Give the administered activity."))
        if administration.time is None and any(at.number(p.spect, "TimeS") is None for p in points):
            told.append(_("Give the time of administration, or the hours after it for every time point."))
        return told

    def results(self, case: Case) -> list[Any]:
        """The time points."""
        return case.nodes(at.SPECT)

    def state(self, case: Case) -> State:
        """Done when nothing is missing: reading is not repeated, so nothing goes out of date."""
        return State.TODO if self.missing(case) else State.DONE

    def settings(self, case: Case) -> Any:
        """The administration."""
        given = case.administration(strict=False)
        return [given.nuclide, given.administered_activity_bq, str(given.time), given.half_life_s]

    def outputs_fingerprint(self, case: Case) -> str:
        """The administration and all that the time points hold, edits included."""
        parts = [node for p in case.time_points() for node in (p.spect, p.ct, p.contours, p.labels, p.segments)]
        return fingerprint([self.inputs_fingerprint(case), case.content(parts)])

    # what the user does -------------------------------------------------------------------------------------------

    def load_sample(self) -> None:
        """Make (once) and read the virtual patient."""
        case = self.panel.case
        if case.nodes(at.SPECT):
            raise StudyError(_("The scene holds time points already: close the scene first (File, Close Scene)."))
        self.panel.start(self, samples.sample_request(), self._take_study)

    def add_folder(self) -> None:
        """Read the chosen folder in the background."""
        folder = self.panel.parameters.study.folder
        if not folder:
            raise StudyError(_("Choose the folder of the study first."))
        self.panel.start(self, Request("read_study", (Path(folder),)), self._take_study)

    def add_patient(self) -> None:
        """Read the chosen patient of the DICOM database in the background."""
        reason = dicom_database.why_not()
        if reason:
            raise StudyError(reason)
        patient = dicom_database.patients()[self.ui.dicomBox.currentIndex]
        folder = Path(tempfile.mkdtemp(prefix="rptdosimetry-dicom-"))
        origin = dicom_database.gather(patient, folder)

        def take(study: Study) -> None:
            shutil.rmtree(folder, ignore_errors=True)
            self._take_study(dicom_database.with_origins(study, origin))

        self.panel.start(self, Request("read_study", (folder,)), take)

    def add_chosen_volumes(self) -> None:
        """Take the chosen volumes of the scene as a time point."""
        add_volumes(self.panel.case, self.ui.spectSelector.currentNode(), self.ui.ctSelector.currentNode())
        self.ui.spectSelector.setCurrentNode(None)
        self.ui.ctSelector.setCurrentNode(None)
        self._show_first()

    def remove_chosen(self) -> None:
        """Take the chosen time point out of the scene."""
        points, row = self.panel.case.time_points(), self.ui.table.currentRow()
        if not 0 <= row < len(points):
            raise StudyError(_("Choose a time point in the table first."))
        remove_time_point(self.panel.case, points[row].number)

    def show_side_by_side(self) -> None:
        """A view for each of the first time points: registered, over the reference's CT; else as read, over its own."""
        case, every = self.panel.case, self.panel.case.time_points()
        if len(every) < 2:
            raise StudyError(_("Side by side needs two time points: add another."))
        points = every[: views.SIDE_BY_SIDE]
        registered = [case.node(at.REGISTERED, point.number) for point in points]
        aligned = None not in registered
        volumes = registered if aligned else [point.spect for point in points]
        for volume in volumes:
            dress(volume, at.role(volume))
        below = [ct_node_of(case, reference_number(case) if aligned else point.number) for point in points]
        views.show_side_by_side(volumes, below)
        views.show_volumes(case.node(at.VOIS), filled=False)
        views.hide_legends()
        for volume in volumes:
            views.show_legend(volume, activity_title(volume))
        left = len(every) - len(points)
        self.panel.say(_("{n} more time points: scroll to see them.").format(n=left) if left else "")

    def _take_study(self, study: Study) -> None:
        add_study(self.panel.case, study)
        self._show_first()
        notes = [*study.warnings, *(note for point in study.time_points for note in point.warnings)]
        count = len(study.time_points)
        self.panel.say("\n".join([_("{count} time points read.").format(count=count), *dict.fromkeys(notes)]))

    def _show_first(self) -> None:
        points = self.panel.case.time_points()
        if points:
            ct = next((p.ct for p in points if p.ct is not None), None)
            views.show_over_ct(points[0].spect, ct, activity_title(points[0].spect))

    # showing ------------------------------------------------------------------------------------------------------

    def refresh(self, case: Case) -> None:
        """Table, what is missing, which sources can be used."""
        ui = self.ui
        self._showing = True
        try:
            self._show_table(case)
            self._show_scroll(case)
            folder = case.parameters.study.folder
            if ui.folderEdit.currentPath != folder:
                ui.folderEdit.currentPath = folder
        finally:
            self._showing = False
        points = case.nodes(at.SPECT)
        told = self.missing(case) if points else []
        ui.missingLabel.text = "\n".join(told)
        ui.missingLabel.setVisible(bool(told))
        busy = _("A step is running: wait for it, or cancel it.") if self.panel.runner.busy else ""
        self._enable(ui.folderButton, busy or ("" if folder else _("Choose a folder first.")), _("Read the folder"))
        chosen = ui.spectSelector.currentNode() is not None
        self._enable(ui.volumesButton, "" if chosen else _("Choose a SPECT volume first."), _("Add the volumes"))
        self._enable(ui.dicomButton, busy or dicom_database.why_not(), _("Read all SPECT/CT of the patient"))
        held = _("Close the scene first: it holds time points.") if points else ""
        self._enable(ui.sampleButton, busy or held, _("A virtual patient, made on this computer in about 15 s"))
        alone = "" if len(case.time_points()) > 1 else _("Side by side needs two time points.")
        self._enable(ui.sideButton, alone, _("The first four time points in linked views, on one colour scale"))
        self._enable(ui.removeButton, "" if points else _("There is no time point."), _("Remove the chosen time point"))
        self._show_patients()

    @staticmethod
    def _enable(button: Any, reason: str, otherwise: str) -> None:
        button.enabled = not reason
        button.toolTip = reason or otherwise

    def _show_patients(self) -> None:
        box, labels = self.ui.dicomBox, [patient.label for patient in dicom_database.patients()]
        if [box.itemText(n) for n in range(box.count)] != labels:
            box.clear()
            box.addItems(labels)
        box.setVisible(bool(labels))

    def _show_table(self, case: Case) -> None:
        table, points = self.ui.table, case.time_points()
        administration = case.administration(strict=False)
        table.setRowCount(len(points))
        for row, nodes in enumerate(points):
            cells = row_of(nodes, administration)
            for column, name in enumerate(_COLUMNS):
                self._show_cell(row, column, cells[name])
        table.resizeColumnsToContents()

    def _show_cell(self, row: int, column: int, cell: Cell) -> None:
        table, name = self.ui.table, _COLUMNS[column]
        item = qt.QTableWidgetItem(_("missing") if cell.missing else cell.text)
        flags = qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled
        item.setFlags(flags | qt.Qt.ItemIsEditable if cell.editable and name not in _CHOICES else flags)
        if cell.missing:
            item.setForeground(qt.QBrush(qt.QColor(*_MISSING_COLOUR)))
            item.setToolTip(_("The {what} is missing: type it here.").format(what=cell.missing))
        elif cell.editable:
            item.setToolTip(_("The files do not say: given by you, and can be changed."))
        table.setItem(row, column, item)
        if name in _CHOICES and cell.editable:
            table.setCellWidget(row, column, self._choice(row, column, cell))
        else:
            table.removeCellWidget(row, column)

    def _choice(self, row: int, column: int, cell: Cell) -> Any:
        choices = _CHOICES[_COLUMNS[column]]
        box = qt.QComboBox()
        box.addItems([_("missing"), *choices])
        box.setCurrentIndex(choices.index(cell.text) + 1 if cell.text in choices else 0)
        box.toolTip = _("The {what} is missing: choose it.").format(what=cell.missing) if cell.missing else ""
        box.connect("activated(int)", lambda index: self._set(row, column, choices[index - 1]) if index else None)
        return box

    def _show_scroll(self, case: Case) -> None:
        browser, slider = browser_of(case), self.ui.scrollSlider
        count = 0 if browser is None else browser.GetNumberOfItems()
        for widget in (slider, self.ui.scrollLabel):
            widget.setVisible(count > 1)
        if count > 1:
            slider.setRange(0, count - 1)
            slider.setValue(max(0, browser.GetSelectedItemNumber()))
            self._show_scrolled(browser)

    def _show_scrolled(self, browser: Any) -> None:
        hours = browser.GetMasterSequenceNode().GetNthIndexValue(browser.GetSelectedItemNumber())
        self.ui.scrollLabel.text = _("{hours:.1f} h after administration").format(hours=float(hours))

    # slots --------------------------------------------------------------------------------------------------------

    def _on_folder(self, path: str) -> None:
        if not self._showing:
            self.panel.parameters.study.folder = path

    def _on_cell(self, row: int, column: int) -> None:
        if not self._showing:
            self._set(row, column, self.ui.table.item(row, column).text())

    def _set(self, row: int, column: int, text: str) -> None:
        spect = self.panel.case.time_points()[row].spect
        if self.panel.guard(lambda: set_value(spect, _COLUMNS[column], text)):
            self.panel.say("")

    def _on_row(self) -> None:
        points, row = self.panel.case.time_points(), self.ui.table.currentRow()
        if not self._showing and 0 <= row < len(points):
            point = points[row]
            ct = point.ct or next((p.ct for p in points if p.ct is not None), None)
            views.show_over_ct(point.spect, ct, activity_title(point.spect), fit=False)

    def _on_scroll(self, value: int) -> None:
        browser = None if self._showing else browser_of(self.panel.case)
        if browser is None:
            return
        browser.SetSelectedItemNumber(value)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        shown = browser.GetProxyNode(browser.GetMasterSequenceNode())
        ct = next((p.ct for p in self.panel.case.time_points() if p.ct is not None), None)
        views.show_over_ct(shown, ct, activity_title(shown), fit=False)
        self._show_scrolled(browser)
