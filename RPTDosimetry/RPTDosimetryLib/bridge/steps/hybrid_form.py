"""The part of step Dose that is about the engine hybrid: its model with its card, and what the guard says of a dose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctk
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import dependencies
from RPTDosimetryLib.bridge import hybrid_choices as choices
from RPTDosimetryLib.bridge import monte_carlo_choices as monte_carlo
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.errors import LearningError

#: A frame for what has to be looked at; in a colour that is readable on light and on dark themes.
_FRAME = "border: 2px solid #f0ad4e; padding: 4px;"


class HybridForm:
    """Widgets of Dose.ui that begin with hy, and the line that says what the guard found."""

    def __init__(self, ui: Any, panel: Any) -> None:
        self.ui, self.panel, self._showing = ui, panel, False
        self._why: tuple[bool, bool] | None = None  # ticked or not, usable or not, when it was last shown
        self._card = ""
        ui.hyFolderEdit.filters = ctk.ctkPathLineEdit.Dirs
        ui.hyModelBox.connect("activated(int)", self._on_model)
        ui.hyFolderEdit.connect("currentPathChanged(QString)", self._on_folder)
        ui.hyButton.connect("contentsCollapsed(bool)", lambda _collapsed: panel.refresh_soon())
        ui.hyInstallButton.connect("clicked(bool)", lambda _checked: panel.guard(dependencies.install_for_networks))

    def refresh(self, case: Case, ticked: bool, reason: str) -> None:
        """The settings where the engine is ticked; folded, with the reason, where it cannot be used here."""
        ui = self.ui
        shown = ticked or bool(reason)
        ui.hyButton.setVisible(shown)
        ui.hyButton.text = _("Hybrid: not available here") if reason else _("Hybrid")
        if shown and self._why != (ticked, bool(reason)):
            ui.hyButton.collapsed = not ticked
            self._why = (ticked, bool(reason))
        if not shown or ui.hyButton.collapsed:
            return
        told = reason or choices.no_model(case)
        ui.hyReasonLabel.text = told
        ui.hyReasonLabel.setVisible(bool(told))
        self._show_install()
        self._show_models(case)
        self._show_device(case)
        self._show_card(case)

    def show_verdict(self, case: Case, dose: Any) -> None:
        """What the guard says of the dose that is shown, and the button that accepts it where somebody has to."""
        ui = self.ui
        told = "" if dose is None else choices.verdict(dose)
        ui.verdictLabel.setVisible(bool(told))
        asks = bool(told) and choices.to_review(dose)
        ui.acceptButton.setVisible(asks)
        if not told:
            return
        by = choices.accepted(dose)
        ui.verdictLabel.text = told + (_(" Accepted by {reviewer}, {time}.").format(**by) if by else "")
        ui.verdictLabel.setStyleSheet(_FRAME if asks or choices.fell_back(dose) else "")
        reviewer = case.parameters.segmentation.reviewer.strip()
        ui.acceptButton.enabled = bool(reviewer)
        ui.acceptButton.toolTip = (
            _("Note that {reviewer} accepts this dose in spite of it").format(reviewer=reviewer)
            if reviewer
            else _("Write the name of the reviewer in step Segmentation first.")
        )

    def _show_install(self) -> None:
        requirements, megabytes = dependencies.missing_packages(dependencies.FOR_NETWORKS)
        button = self.ui.hyInstallButton
        button.setVisible(bool(requirements))
        if requirements:
            button.text = _("Install what networks need (about {mb} MB)").format(mb=megabytes)
            told = _("{names}; for a graphics card several gigabytes. The extension PyTorch, where it is installed, ")
            button.toolTip = told.format(names=", ".join(requirements)) + _("chooses what fits this computer.")

    def _show_models(self, case: Case) -> None:
        """Shipped ones and the user's, and last a folder that was chosen or is not there on this computer."""
        box, chosen = self.ui.hyModelBox, case.parameters.hybrid.model
        offered = choices.models()
        other = chosen not in offered.values()
        if other:
            of_folder = _("{name} (folder)").format(name=Path(chosen).name)
            offered[of_folder if Path(chosen).is_absolute() else chosen] = chosen
        self._showing = True
        try:
            if [(box.itemText(n), box.itemData(n)) for n in range(box.count)] != list(offered.items()):
                box.clear()
                for text, value in offered.items():
                    box.addItem(text, value)
            box.setCurrentIndex(list(offered.values()).index(chosen))
            path = chosen if other and Path(chosen).is_absolute() else ""
            if self.ui.hyFolderEdit.currentPath != path:
                self.ui.hyFolderEdit.currentPath = path
        finally:
            self._showing = False

    def _show_device(self, case: Case) -> None:
        """Greyed with its reason where there is no choice; a scene from elsewhere may hold one that is not there."""
        reason, box = monte_carlo.no_cuda(), self.ui.hyDeviceBox
        box.enabled = not (reason and case.parameters.hybrid.device == "cpu")
        told = _("Processor (cpu) or NVIDIA graphics card (cuda)")
        box.toolTip = told if box.enabled else _("No GPU: {reason}").format(reason=reason)

    def _show_card(self, case: Case) -> None:
        """The page is set only when it has changed: it keeps its place while it is read."""
        from RPTDosimetryLib.learning.model_file import card_text

        try:
            card = choices.card_of(case)
        except LearningError:
            card = {}
        self.ui.hyCard.setVisible(bool(card))
        self.ui.hyGuardLabel.text = self._guard_told(case, card) if card else ""
        text = card_text(card) if card else ""
        if text != self._card:
            self._card = text
            self.ui.hyCard.setMarkdown(text)

    @staticmethod
    def _guard_told(case: Case, card: dict[str, Any]) -> str:
        """What the guard has said, or will look at."""
        of_engine = [node for node in case.nodes(at.DOSE) if at.text(node, "Engine") == choices.ENGINE]
        if of_engine and not choices.outdated(case, of_engine[-1]):
            return choices.verdict(of_engine[-1])
        told = _("Guard: not asked yet. It compares body, voxels and activity with the {n} patients of training.")
        lines = [told.format(n=card["guard"].get("patients", 0))]
        nuclide = case.parameters.administration.nuclide
        if nuclide and nuclide != card["nuclide"]:
            told = _("The model was trained on {known}: {nuclide} gets MSV-8, with the reason.")
            lines.append(told.format(known=card["nuclide"], nuclide=nuclide))
        if case.parameters.dose.integrate == "dose_rate":
            lines.append(_("Of dose rates there is no map of the correction: integrate the activity to see it."))
        return "\n".join(lines)

    def _on_model(self, index: int) -> None:
        if not self._showing and index >= 0:
            self.panel.parameters.hybrid.model = self.ui.hyModelBox.itemData(index)

    def _on_folder(self, path: str) -> None:
        if not self._showing and path and self.panel.parameters.hybrid.model != path:
            self.panel.parameters.hybrid.model = path
