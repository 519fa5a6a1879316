"""Step 2, Calibration: counts to Bq/mL by a camera of the user's library, beds joined, totals before and after."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

import qt
from slicer.i18n import tr as _

from RPTDosimetryLib.background import Request
from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import views
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.quantified import (
    activity_check_of,
    activity_nodes,
    ct_node_of,
    cut_of,
    put_quantified,
    totals_of,
)
from RPTDosimetryLib.bridge.steps.camera_form import CameraForm, described
from RPTDosimetryLib.bridge.steps.step import Step
from RPTDosimetryLib.bridge.time_points import unit_of
from RPTDosimetryLib.bridge.words import activity_title
from RPTDosimetryLib.errors import CalibrationError, DosimetryError
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H

_TOTALS = (_("h after"), _("before"), _("calibrated [MBq]"), _("at most [MBq]"), _("ratio"))
_TOTALS_TIPS = (
    _("Start of the acquisition, hours after administration"),
    _("Sum over the image as it was read"),
    _("Sum over the calibrated image at its start"),
    _("Administered activity less physical decay: the most that can be left in the patient"),
    _("Calibrated over the most that can be left; above 1 cannot be"),
)
_WARNING_COLOUR = (217, 83, 79)  # readable on light and on dark themes; the words say it too
_RATE = "ObservedCps"
_US_PER_S = 1e6


class CalibrationStep(Step):
    """Its results are the calibrated volumes, one for each visit; with beds joined."""

    key: ClassVar[str] = "calibration"
    title: ClassVar[str] = _("Calibration")
    ui_file: ClassVar[str] = "Calibration.ui"
    upstream: ClassVar[tuple[str, ...]] = ("study",)
    _showing = False

    def setup(self) -> None:
        """Connect buttons, tables and the form of a new camera."""
        ui = self.ui
        ui.runButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.run))
        ui.cameraBox.connect("activated(int)", self._on_camera)
        ui.rateTable.connect("cellChanged(int,int)", self._on_rate)
        ui.totalsTable.connect("itemSelectionChanged()", self._on_row)
        ui.rateTable.setColumnCount(2)
        ui.rateTable.setHorizontalHeaderLabels([_("time point"), _("count rate of one head [1/s]")])
        ui.totalsTable.setColumnCount(len(_TOTALS))
        ui.totalsTable.setHorizontalHeaderLabels(list(_TOTALS))
        for column, tip in enumerate(_TOTALS_TIPS):
            ui.totalsTable.horizontalHeaderItem(column).setToolTip(tip)
        self.form = CameraForm(ui, self.panel, self._on_kept)

    # what it lacks, what it runs ----------------------------------------------------------------------------------

    def missing(self, case: Case) -> list[str]:
        """What step Study lacks, and a factor where there are counts."""
        if self.others["study"].missing(case):
            return [_("Complete step Study first.")]
        counts = _in_counts(case)
        if not counts:
            return []
        try:
            settings, named, tau_s = calibration_settings(case), camera_of(case), _dead_time_s(case, strict=True)
        except DosimetryError as error:
            return [str(error)]
        if settings.factor_cps_per_bq is None and named is None:
            return [_("{names}: in counts. Choose a camera, or give its factor.").format(names=_listed(counts))]
        lacking = [n for n in counts if at.number(case.time_points()[n - 1].spect, _RATE) is None]
        if tau_s and lacking:
            told = _("{names}: the dead time needs the count rate of one head. Type it, or leave dead time out.")
            return [told.format(names=_listed(lacking))]
        return []

    def settings(self, case: Case) -> Any:
        """The calibration as the library takes it, the camera's own values included."""
        told = case.parameters.calibration
        try:
            named = camera_of(case)
            values = asdict(calibration_settings(case))
        except DosimetryError as error:
            return [told.camera, str(error)]
        return [values, None if named is None else str(asdict(named)), told.joinBeds]

    def request(self, case: Case) -> Request:
        """Calibrate, and join the beds of each visit."""
        from RPTDosimetryLib.registration.beds import BedSettings

        beds = BedSettings(join=case.parameters.calibration.joinBeds)
        return Request("quantify", (case.study(), calibration_settings(case), beds))

    def take(self, case: Case, result: Any) -> list[Any]:
        """A calibrated volume for each visit."""
        made = put_quantified(case, result)
        if self.panel is not None:
            self._show_first(case)
            self.panel.say("\n".join([_("Calibrated."), *self._notes(case)]))
        return made

    def needs_review(self, case: Case) -> list[str]:
        """So much more activity than can be left that the steps below refuse it."""
        return list(activity_check_of(case).refused)

    # showing ------------------------------------------------------------------------------------------------------

    def refresh(self, case: Case) -> None:
        """Cameras, count rates, totals, warnings, and whether it can run."""
        ui = self.ui
        points, lacking = case.time_points(), self.missing(case)
        counts = _in_counts(case)
        self._showing = True
        try:
            self._show_cameras(case, bool(points))
            self._show_rates(case, counts if _dead_time_s(case) else [])
            self._show_totals(case)
        finally:
            self._showing = False
        ui.countsBox.setVisible(bool(counts) or not points)
        quantitative = [n for n in range(1, len(points) + 1) if n not in counts]
        told = _("{names}: in Bq/mL already, pass unchanged.").format(names=_listed(quantitative))
        ui.quantitativeLabel.text = told if quantitative else ""
        ui.quantitativeLabel.setVisible(bool(quantitative))
        checked = activity_check_of(case)
        above = [*checked.refused, *checked.allowed]
        ui.warningLabel.text = "\n".join(above)
        ui.warningLabel.setVisible(bool(above))
        busy = [_("A step is running: wait for it, or cancel it.")] if self.panel.runner.busy else []
        reasons = busy or lacking
        ui.runButton.enabled = not reasons
        ui.runButton.toolTip = "\n".join(reasons) or _("Bring every time point to Bq/mL and join its beds")

    def _show_cameras(self, case: Case, wanted: bool) -> None:
        """The library is read once there is something to calibrate: opening the panel does not wait for it."""
        box, chosen = self.ui.cameraBox, case.parameters.calibration.camera
        names, reason = ((), "") if not wanted else _camera_names()
        if chosen and chosen not in names:
            names = (*names, chosen)
        told = [_("none"), *names]
        if [box.itemText(n) for n in range(box.count)] != told:
            box.clear()
            box.addItems(told)
        box.currentIndex = told.index(chosen) if chosen else 0
        self.ui.cameraLabel.text = reason or (self._described(case) if chosen else "")
        self.form.refresh(chosen if wanted else "")

    @staticmethod
    def _described(case: Case) -> str:
        try:
            return described(camera_of(case))
        except DosimetryError as error:
            return str(error)

    def _show_rates(self, case: Case, counts: list[int]) -> None:
        table, points = self.ui.rateTable, case.time_points()
        table.setRowCount(len(counts))
        table.setVisible(bool(counts))
        for row, number in enumerate(counts):
            rate = at.number(points[number - 1].spect, _RATE)
            name, value = qt.QTableWidgetItem(str(number)), qt.QTableWidgetItem("" if rate is None else f"{rate:g}")
            name.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            value.setToolTip(_("Mean over the acquisition, of the events that the dead time was measured with"))
            table.setItem(row, 0, name)
            table.setItem(row, 1, value)
        table.resizeColumnsToContents()

    def _show_totals(self, case: Case) -> None:
        table, totals = self.ui.totalsTable, totals_of(case)
        table.setRowCount(len(totals))
        for row, total in enumerate(totals):
            in_bq = total.before_unit == "Bq"
            before = f"{total.before / BQ_PER_MBQ:.1f} MBq" if in_bq else f"{total.before:.4g} {total.before_unit}"
            texts = (
                "" if total.time_s is None else f"{total.time_s / S_PER_H:.2f}",
                before,
                f"{total.total_activity_bq / BQ_PER_MBQ:.1f}",
                "" if total.expected_bq is None else f"{total.expected_bq / BQ_PER_MBQ:.1f}",
                "" if total.ratio is None else f"{total.ratio:.3f}",
            )
            for column, text in enumerate(texts):
                item = qt.QTableWidgetItem(text)
                item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
                item.setToolTip(total.calibration)
                if (total.ratio or 0.0) > 1:
                    item.setForeground(qt.QBrush(qt.QColor(*_WARNING_COLOUR)))
                table.setItem(row, column, item)
        table.resizeColumnsToContents()
        table.setVisible(bool(totals))

    def _notes(self, case: Case) -> list[str]:
        nodes = activity_nodes(case)
        parts = [note for node in nodes for note in at.lines(node, "Warnings") if "beds joined" in note]
        return [*dict.fromkeys([*parts, *cut_of(case)])]

    def _show_first(self, case: Case) -> None:
        nodes = activity_nodes(case)
        ct = ct_node_of(case, at.whole_number(nodes[0], at.TIME_POINT) or 0)
        views.show_over_ct(nodes[0], ct, activity_title(nodes[0]), fit=False)

    # slots --------------------------------------------------------------------------------------------------------

    def _on_camera(self, index: int) -> None:
        self.panel.parameters.calibration.camera = self.ui.cameraBox.itemText(index) if index > 0 else ""

    def _on_kept(self, name: str) -> None:
        self.panel.parameters.calibration.camera = name

    def _on_rate(self, row: int, column: int) -> None:
        if self._showing or column != 1:
            return
        number = int(self.ui.rateTable.item(row, 0).text())
        spect, text = self.panel.case.time_points()[number - 1].spect, self.ui.rateTable.item(row, 1).text()
        self.panel.guard(lambda: set_count_rate(spect, text))

    def _on_row(self) -> None:
        nodes, row = activity_nodes(self.panel.case), self.ui.totalsTable.currentRow()
        if not self._showing and 0 <= row < len(nodes):
            ct = ct_node_of(self.panel.case, at.whole_number(nodes[row], at.TIME_POINT) or 0)
            views.show_over_ct(nodes[row], ct, activity_title(nodes[row]), fit=False)


def calibration_settings(case: Case) -> Any:
    """CalibrationSettings from the panel. Raises ConfigurationError for values that cannot be."""
    from RPTDosimetryLib.calibration.settings import CalibrationSettings, TimePointCalibration

    told = case.parameters.calibration
    counts = _in_counts(case)
    rates = [(n, at.number(point.spect, _RATE)) for n, point in enumerate(case.time_points(), start=1) if n in counts]
    own = told.deadTime == "given here"
    dead_time_s = told.deadTimeUs / _US_PER_S if own else (0.0 if told.deadTime == "left out" else None)
    return CalibrationSettings(
        camera=told.camera or None,
        factor_cps_per_bq=told.factorCpsPerMbq / BQ_PER_MBQ or None,
        factor_source=told.factorSource,
        dead_time_s=dead_time_s,
        dead_time_acts_on=told.deadTimeRate if own else None,
        decay_during_scan=told.decayDuringScan,
        recovery=told.recovery,
        time_points=tuple(TimePointCalibration(n, observed_cps=rate) for n, rate in rates if rate is not None),
    )


def camera_of(case: Case) -> Any:
    """The chosen Camera, None where none is chosen. Raises CalibrationError where it is not in the library."""
    name = case.parameters.calibration.camera
    if not name:
        return None
    from RPTDosimetryLib.calibration.camera_library import camera

    return camera(name)


def _dead_time_s(case: Case, strict: bool = False) -> float:
    """The dead time that would be corrected, 0 for none. Where strict, raises for a camera that is not known."""
    try:
        named, told = camera_of(case), case.parameters.calibration
    except DosimetryError:
        if strict:
            raise
        return 0.0
    if told.deadTime != "of the camera":
        return float(told.deadTimeUs / _US_PER_S) if told.deadTime == "given here" else 0.0
    return 0.0 if named is None else float(named.dead_time_s or 0.0)


def set_count_rate(spect: Any, text: str) -> None:
    """Note the observed count rate of one head [1/s] for a time point; empty takes it away. Raises CalibrationError."""
    try:
        rate = float(text.replace(",", ".")) if text.strip() else None
    except ValueError:
        rate = 0.0
    if rate is not None and not 0 < rate < float("inf"):
        raise CalibrationError(f'The count rate "{text}" is not a positive number.')
    at.write(spect, _RATE, rate)


def _camera_names() -> tuple[tuple[str, ...], str]:
    """Names in the library, and why they cannot be told."""
    try:
        from RPTDosimetryLib.calibration.camera_library import camera_names

        return camera_names(), ""
    except (DosimetryError, ModuleNotFoundError) as error:
        return (), str(error)


def _in_counts(case: Case) -> list[int]:
    """Places (from 1) of the time points in counts."""
    return [n for n, point in enumerate(case.time_points(), start=1) if unit_of(point.spect) == "counts"]


def _listed(numbers: list[int]) -> str:
    many = len(numbers) > 1
    return (_("Time points {n}") if many else _("Time point {n}")).format(n=", ".join(str(n) for n in numbers))
