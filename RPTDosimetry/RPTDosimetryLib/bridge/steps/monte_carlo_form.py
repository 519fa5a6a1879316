"""The part of step Dose that is about the engine monte_carlo: its settings, and what a stopped run left."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import checkpoints, interim
from RPTDosimetryLib.bridge import monte_carlo_choices as choices
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.parameters import MonteCarloUntil


class MonteCarloForm:
    """Widgets of Dose.ui that begin with mc, and the lines below the button; the boxes are bound to the settings."""

    def __init__(self, ui: Any, panel: Any) -> None:
        self.ui, self.panel, self._showing = ui, panel, False
        ui.mcVolumes.setColumnCount(1)
        ui.mcVolumes.horizontalHeader().setVisible(False)
        ui.mcVolumes.verticalHeader().setVisible(False)
        ui.mcVolumes.horizontalHeader().setStretchLastSection(True)
        ui.mcVolumes.connect("cellChanged(int,int)", self._on_volume)

    def refresh(self, case: Case, ticked: bool, known: list[str]) -> None:
        """The settings where the engine is ticked; what ends the run decides which can be used."""
        ui = self.ui
        ui.mcButton.setVisible(ticked)
        ui.interimLabel.text = interim.told(case)
        ui.interimLabel.setVisible(bool(ui.interimLabel.text))
        if not ticked:
            return
        until = case.parameters.monteCarlo.until
        counted = until is MonteCarloUntil.histories
        by_error = _("Only for a number of decays: choose it under Until.")
        by_count = _("Only with an error to reach: choose it under Until.")
        _enable(ui.mcMillionsBox, "" if counted else by_error, _("How many decays are simulated"))
        _enable(ui.mcErrorBox, by_count if counted else "", _("The relative standard error (1 σ) that ends the run"))
        most = _("Decays after which the run ends although the error is not reached")
        _enable(ui.mcAtMostBox, by_count if counted else "", most)
        of_volumes = until is MonteCarloUntil.volumes
        told = _("Volumes of interest whose mean dose is to reach the error, each of them")
        _enable(ui.mcVolumes, "" if of_volumes else _("Only for an error of volumes: choose it under Until."), told)
        self._show_volumes(known, choices.volumes_aimed_at(case))
        self._show_device(case)
        ui.mcEstimateLabel.text = choices.estimate(case)

    def show_kept(self, kept: str, busy: bool) -> None:
        """The line that says what a stopped run left, with the button that removes it."""
        ui = self.ui
        ui.keptLabel.text = kept
        for widget in (ui.keptLabel, ui.discardButton):
            widget.setVisible(bool(kept) and not busy)

    def _show_device(self, case: Case) -> None:
        """Greyed with its reason where there is no choice; a scene from elsewhere may hold one that is not there."""
        reason = choices.no_cuda()
        only_cpu = bool(reason) and case.parameters.monteCarlo.device == "cpu"
        told = _("Processor (cpu) or NVIDIA graphics card (cuda)")
        _enable(self.ui.mcDeviceBox, _("No GPU: {reason}").format(reason=reason) if only_cpu else "", told)

    def _show_volumes(self, known: list[str], aimed: list[str]) -> None:
        table = self.ui.mcVolumes
        names = [*known, *(name for name in aimed if name not in known)]
        self._showing = True
        try:
            if [table.item(row, 0).text() for row in range(table.rowCount)] != names:
                table.setRowCount(len(names))
                for row, name in enumerate(names):
                    item = qt.QTableWidgetItem(name)
                    item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
                    item.setCheckState(qt.Qt.Unchecked)
                    table.setItem(row, 0, item)
            for row, name in enumerate(names):
                wanted = qt.Qt.Checked if name in aimed else qt.Qt.Unchecked
                if table.item(row, 0).checkState() != wanted:
                    table.item(row, 0).setCheckState(wanted)
        finally:
            self._showing = False

    def _on_volume(self, _row: int, _column: int) -> None:
        if self._showing:
            return
        table = self.ui.mcVolumes
        items = [table.item(row, 0) for row in range(table.rowCount)]
        choices.aim_at(self.panel.case, [item.text() for item in items if item.checkState() == qt.Qt.Checked])


def kept_told(case: Case, found: checkpoints.Checkpoint | None) -> str:
    """What a stopped run left, in decays of those that were wanted."""
    if found is None:
        return ""
    settings = choices.settings_of(case).run_settings()
    done = found.batches * settings.decays_per_batch
    text = _(
        "{done:.3g} decays of a stopped Monte Carlo run are kept (of {most} {all:.3g}): Resume goes on from there."
    )
    most = _("at most") if settings.target is not None else _("all")
    return text.format(done=done, most=most, all=settings.decays)


def _enable(widget: Any, reason: str, otherwise: str) -> None:
    widget.enabled = not reason
    widget.toolTip = reason or otherwise
