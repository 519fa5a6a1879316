"""Step 3, Registration: align all time points, look at each, nudge by hand, accept or reject."""

from __future__ import annotations

from typing import Any, ClassVar

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.background import Request, perform
from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import registered as bridge
from RPTDosimetryLib.bridge import views
from RPTDosimetryLib.bridge.alignment_view import nudge_time_point, show_aligned, show_handles
from RPTDosimetryLib.bridge.case import Case, fingerprint
from RPTDosimetryLib.bridge.quantified import activity_check_of, activity_nodes, ct_node_of, quantified_of
from RPTDosimetryLib.bridge.registration_choices import (
    files_told,
    lacking_files,
    registration_settings,
    why_no_elastix,
)
from RPTDosimetryLib.bridge.steps.step import State, Step, Watched
from RPTDosimetryLib.bridge.time_points import time_s_of
from RPTDosimetryLib.bridge.transforms import figures_of, matrix_of
from RPTDosimetryLib.bridge.words import in_panel_words
from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.units import S_PER_H

_COLUMNS = (_("h after"), _("decision"), _("shift [mm]"), _("turn [°]"), _("correlation"), _("MI [nats]"))
_TIPS = (
    _("Start of the acquisition, hours after administration"),
    _("Nothing goes on without a mark until a person has looked: accept or reject"),
    _("Mean displacement over the body"),
    _("Rotation of the matrix"),
    _("Of the compared images over the body, before → after"),
    _("Mutual information over the body, before → after"),
)
_WARNING_COLOUR = (217, 83, 79)  # readable on light and on dark themes; the words say it too
#: Buttons of the .ui file: shifts to the right, front, head, and turns about the axes that point there.
_SHIFTS = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
_TURNS = {"RA": (0, 0, 1), "AR": (0, 0, -1), "AS": (1, 0, 0), "SA": (-1, 0, 0), "SR": (0, 1, 0), "RS": (0, -1, 0)}


class RegistrationStep(Step):
    """Its results are a transform and a volume on the reference grid for each time point."""

    key: ClassVar[str] = "registration"
    title: ClassVar[str] = _("Registration")
    ui_file: ClassVar[str] = "Registration.ui"
    upstream: ClassVar[tuple[str, ...]] = ("calibration",)
    _showing = False

    def setup(self) -> None:
        """Connect buttons and table."""
        ui, guard = self.ui, self.panel.guard
        ui.runButton.connect("clicked(bool)", lambda _checked: guard(self.run))
        ui.applyButton.connect("clicked(bool)", lambda _checked: guard(self.apply))
        ui.resetButton.connect("clicked(bool)", lambda _checked: guard(self.reset))
        ui.acceptButton.connect("clicked(bool)", lambda _checked: guard(lambda: self.decide(bridge.ACCEPTED)))
        ui.rejectButton.connect("clicked(bool)", lambda _checked: guard(lambda: self.decide(bridge.REJECTED)))
        ui.acceptAllButton.connect("clicked(bool)", lambda _checked: guard(self.accept_all))
        ui.handlesBox.connect("toggled(bool)", lambda _checked: guard(self._show_handles))
        ui.table.connect("itemSelectionChanged()", self._on_row)
        for box in (ui.lookBox, ui.underBox):
            box.connect("activated(int)", lambda _index: self.panel.guard(self._show_chosen))
        ui.blendSlider.connect("valueChanged(double)", self._on_blend)
        ui.transformsEdit.filters = ctk.ctkPathLineEdit.Dirs
        ui.transformsEdit.connect("currentPathChanged(QString)", self._on_transforms)
        ui.transformsEdit.connect(
            "validInputChanged(bool)", lambda _valid: self._on_transforms(ui.transformsEdit.currentPath)
        )
        for name, way in _SHIFTS.items():
            self._connect_nudge(f"shift{name}", way, (0, 0, 0))
        for name, way in _TURNS.items():
            self._connect_nudge(f"turn{name}", (0, 0, 0), way)
        ui.table.setColumnCount(len(_COLUMNS))
        ui.table.setHorizontalHeaderLabels(list(_COLUMNS))
        for column, tip in enumerate(_TIPS):
            ui.table.horizontalHeaderItem(column).setToolTip(tip)

    def _connect_nudge(self, name: str, shift: tuple[int, ...], turn: tuple[int, ...]) -> None:
        button = getattr(self.ui, name)
        button.connect("clicked(bool)", lambda _checked: self.panel.guard(lambda: self.nudge(shift, turn)))

    # what it lacks, what it runs ----------------------------------------------------------------------------------

    def missing(self, case: Case) -> list[str]:
        """Calibrated time points, and CTs where they are to be compared."""
        nodes = activity_nodes(case)
        if not nodes:
            return [_("Run step Calibration first.")]
        told = [*self.stale_upstream(case), *activity_check_of(case).refused]
        chosen = case.parameters.registration
        if chosen.reference > len(nodes):
            told.append(_("There is no time point {n} to be the reference.").format(n=chosen.reference))
        if chosen.transforms.strip():
            return [*told, *lacking_files(chosen.transforms)]
        if chosen.engine == "elastix" and chosen.method != "none":
            told += [why for why in [why_no_elastix()] if why]
        if chosen.through == "ct" and chosen.method != "none":
            without = [n for n, node in enumerate(nodes, start=1) if ct_node_of(case, _number(node)) is None]
            if without:
                numbers = ", ".join(str(n) for n in without)
                told.append(_("Time point {n} has no CT: compare the SPECT images.").format(n=numbers))
        return told

    def settings(self, case: Case) -> Any:
        """What the search is told, or the files that stand in its place."""
        told = case.parameters.registration
        if told.transforms.strip():
            return [files_told(told.transforms), told.reference]
        knots = told.knotsMm if told.method == "bspline" else None
        return [told.method, told.through, told.reference, knots, told.engine]

    def request(self, case: Case) -> Request:
        """Align every time point."""
        return Request("register_each", (quantified_of(case), registration_settings(case)))

    def take(self, case: Case, result: Any) -> list[Any]:
        """A transform and a volume for each time point."""
        registered, failed = result.registered, result.failed
        made = bridge.put_registered(case, registered, failed)
        if self.panel is not None:
            self.ui.handlesBox.checked = False
            told = _("Aligned. Look at each time point; accept or reject it.")
            self.panel.say("\n".join([told, *failed.values(), *registered.warnings]))
            self.refresh(case)
            numbers, reference = bridge.registered_numbers(case), bridge.reference_number(case)
            first = next((n for n in numbers if n != reference), reference)
            self.ui.table.selectRow(numbers.index(first))
            show_aligned(case, first, fit=True)
        return made

    def state(self, case: Case) -> State:
        """Out of date, too, while an edited transform waits to be applied."""
        found = super().state(case)
        done = found in (State.DONE, State.NEEDS_REVIEW)
        return State.OUT_OF_DATE if done and bridge.edited_numbers(case) else found

    def needs_review(self, case: Case) -> list[str]:
        """Time points that nobody has accepted or rejected, and those that could not be aligned."""
        told = []
        for n, number in enumerate(bridge.registered_numbers(case), start=1):
            if bridge.decision(case, number) == bridge.OPEN:
                told.append(_("Time point {n}: accept or reject its registration.").format(n=n))
            elif bridge.decision(case, number) == bridge.FAILED:
                why = bridge.failure(case, number)
                told.append(_("{why} It is left out: move and apply it, align again, or reject it.").format(why=why))
        return told

    def outputs_fingerprint(self, case: Case) -> str:
        """Transforms, volumes and decisions too: users edit them."""
        roles = (at.ALIGNMENT, at.DEFORMATION, at.REGISTERED)
        return fingerprint([self.inputs_fingerprint(case), case.content([n for r in roles for n in case.nodes(r)])])

    # what the user does -------------------------------------------------------------------------------------------

    def chosen(self) -> int:
        """Number of the time point chosen in the table. Raises RegistrationError without one."""
        numbers, row = bridge.registered_numbers(self.panel.case), self.ui.table.currentRow()
        if not 0 <= row < len(numbers):
            raise RegistrationError(_("Choose a time point in the table first."))
        return numbers[row]

    def nudge(self, shift: tuple[int, ...], turn: tuple[int, ...]) -> None:
        """Move the chosen time point by one step of the settings."""
        case, number = self.panel.case, self._movable()
        told = case.parameters.registration
        shift_mm, turn_deg = (told.stepMm * s for s in shift), (told.stepDeg * t for t in turn)
        nudge_time_point(case, number, tuple(shift_mm), tuple(turn_deg))
        self._show_chosen()

    def apply(self) -> None:
        """Resample the time points whose transform was edited, in the background."""
        numbers = bridge.edited_numbers(self.panel.case)
        request = self.apply_request(self.panel.case)
        self.panel.start(self, request, lambda result: self._applied(self.panel.case, result, numbers))

    def apply_now(self, case: Case) -> None:
        """The same for scripts: waits for its end."""
        numbers = bridge.edited_numbers(case)
        self._applied(case, perform(self.apply_request(case)), numbers)

    def apply_request(self, case: Case) -> Request:
        """Moves the edited time points. Raises RegistrationError where none was edited."""
        edited, numbers = bridge.edited_numbers(case), bridge.registered_numbers(case)
        if not edited:
            raise RegistrationError(_("No transform was edited: there is nothing to apply."))
        registered = bridge.registered_of(case, rejected=True, edited=True)
        matrices = {numbers.index(number): matrix_of(bridge.alignment_node(case, number)) for number in edited}
        return Request("realign", (registered, matrices, registration_settings(case)))

    @staticmethod
    def _applied(case: Case, result: Any, numbers: list[int]) -> None:
        for number in numbers:
            bridge.replace_time_point(case, result, number)

    def reset(self) -> None:
        """The chosen transform as it was applied last."""
        bridge.reset_transform(self.panel.case, self.chosen())
        self._show_chosen()

    def decide(self, what: str) -> None:
        """Accept or reject the chosen time point."""
        number = self.chosen()
        if number in bridge.edited_numbers(self.panel.case):
            raise RegistrationError(_("Apply the edited transform first, or reset it."))
        bridge.decide(self.panel.case, number, what)
        self.panel.say("" if what == bridge.ACCEPTED else _REJECTED)

    def accept_all(self) -> None:
        """Accept every time point that nobody has decided on yet."""
        case = self.panel.case
        if bridge.edited_numbers(case):
            raise RegistrationError(_("Apply the edited transform first, or reset it."))
        for number in bridge.registered_numbers(case):
            if bridge.decision(case, number) == bridge.OPEN:
                bridge.decide(case, number, bridge.ACCEPTED)

    def _movable(self) -> int:
        number = self.chosen()
        if number == bridge.reference_number(self.panel.case):
            raise RegistrationError(_("The reference stays: choose another time point to move."))
        return number

    # showing ------------------------------------------------------------------------------------------------------

    def watched(self, case: Case) -> list[Watched]:
        """Transforms may be edited anywhere in Slicer: the panel shows it at once."""
        event = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        return [Watched(node, event, self._on_transform) for node in case.nodes(at.ALIGNMENT)]

    def refresh(self, case: Case) -> None:
        """Table, and which buttons can be used."""
        ui, lacking = self.ui, self.missing(case)
        self._showing = True
        try:
            self._show_table(case)
        finally:
            self._showing = False
        numbers, edited = bridge.registered_numbers(case), bridge.edited_numbers(case)
        busy = _("A step is running: wait for it, or cancel it.") if self.panel.runner.busy else ""
        self._enable(ui.runButton, busy or "\n".join(lacking), _("Align every time point with the reference"))
        nothing = "" if numbers else _("Align the time points first.")
        for widget in (ui.lookBox, ui.underBox, ui.blendSlider, ui.nudgeBox):
            widget.enabled = not nothing
        waiting = "" if edited else _("No transform was edited.")
        self._enable(ui.applyButton, busy or waiting, _("Resample the time points whose transform was edited"))
        self._enable(ui.resetButton, waiting, _("The chosen transform as it was applied last"))
        first = _("Apply the edited transform first, or reset it.") if edited else ""
        for button, told in (
            (ui.acceptButton, _("The chosen time point lies well: use it")),
            (ui.rejectButton, _REJECTED),
            (ui.acceptAllButton, _("Accept every time point that is still to be decided on")),
        ):
            self._enable(button, nothing or first, told)
        self._show_search(case)
        seen = case.node(at.SEEN)
        notes = () if seen is None else at.lines(seen, "Notes")
        ui.notesLabel.text = in_panel_words("\n".join(notes))
        ui.notesLabel.setVisible(bool(notes))

    def _show_search(self, case: Case) -> None:
        """Which choices of the search count, and why the others do not."""
        ui, told = self.ui, case.parameters.registration
        if ui.transformsEdit.currentPath != told.transforms:
            ui.transformsEdit.currentPath = told.transforms
        given = _("The transforms come from files: empty that field to search.") if told.transforms.strip() else ""
        bends = "" if told.method == "bspline" else _("Only the method bspline has knots.")
        for box, reason, otherwise in (
            (ui.methodBox, given, _METHOD),
            (ui.throughBox, given, _THROUGH),
            (ui.engineBox, given or ("" if told.engine == "elastix" else why_no_elastix()), _ENGINE),
            (ui.knotsBox, given or bends, _KNOTS),
        ):
            self._enable(box, reason, otherwise)

    @staticmethod
    def _enable(button: Any, reason: str, otherwise: str) -> None:
        button.enabled = not reason
        button.toolTip = reason or otherwise

    def _show_table(self, case: Case) -> None:
        table, numbers = self.ui.table, bridge.registered_numbers(case)
        edited, administration = bridge.edited_numbers(case), case.administration(strict=False)
        spects = {point.number: point.spect for point in case.time_points()}
        table.setRowCount(len(numbers))
        for row, number in enumerate(numbers):
            transform = bridge.alignment_node(case, number)
            if transform is None or number not in spects:  # removed in step Study
                continue
            time_s = time_s_of(spects[number], administration)
            figures, why = figures_of(transform), bridge.failure(case, number)
            texts = ("–",) * 4 if why else _cells(figures)
            warnings = [why] if why else figures.get("warnings", [])
            cells = ("" if time_s is None else f"{time_s / S_PER_H:.2f}", _decision(case, number, edited), *texts)
            for column, text in enumerate(cells):
                item = qt.QTableWidgetItem(text)
                item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
                item.setToolTip(
                    in_panel_words("\n".join([*([] if why else [_figures(figures)]), *_who(case, number), *warnings]))
                )
                if warnings:
                    item.setForeground(qt.QBrush(qt.QColor(*_WARNING_COLOUR)))
                table.setItem(row, column, item)
        table.resizeColumnsToContents()

    def _show_chosen(self) -> None:
        case, numbers, row = self.panel.case, bridge.registered_numbers(self.panel.case), self.ui.table.currentRow()
        if 0 <= row < len(numbers):
            show_aligned(case, numbers[row])

    def _show_handles(self) -> None:
        if not self.ui.handlesBox.checked:
            show_handles(self.panel.case, None)
            return
        try:
            show_handles(self.panel.case, self._movable())
        except RegistrationError:
            self.ui.handlesBox.checked = False
            raise

    # slots --------------------------------------------------------------------------------------------------------

    def _on_row(self) -> None:
        if self._showing or not 0 <= self.ui.table.currentRow() < len(bridge.registered_numbers(self.panel.case)):
            return
        self._show_chosen()
        case, number = self.panel.case, self.chosen()
        moves = self.ui.handlesBox.checked and number != bridge.reference_number(case)
        show_handles(case, number if moves else None)

    def _on_blend(self, value: float) -> None:
        told = self.panel.parameters.registration
        if not self._showing and told.look == "fused" and self.panel.case.node(at.SEEN) is not None:
            views.set_blend(value)

    def _on_transforms(self, folder: str) -> None:
        if self.panel.parameters.registration.transforms != folder:
            self.panel.parameters.registration.transforms = folder

    def _on_transform(self, _caller: Any = None, _event: Any = None) -> None:
        self.panel.refresh_soon()


_REJECTED = _(
    "A rejected time point is left out of all that follows. To take it in: nudge and apply, or align again, and accept."
)


_METHOD = _("rigid (shift and turn), affine, bspline (bends smoothly), or none: already aligned")
_THROUGH = _("Which images are compared: the SPECT, or the CTs of both time points")
_ENGINE = _("Who searches: SimpleITK, or elastix (Klein et al. 2010)")
_KNOTS = _("Distance between the knots of bspline; closer ones bend within less")


def _number(node: Any) -> int:
    return at.whole_number(node, at.TIME_POINT) or 0


def _cells(figures: dict[str, Any]) -> tuple[str, str, str, str]:
    return (
        f"{figures['displacement_mm']:.1f}",
        f"{figures['rotation_deg']:.2f}",
        f"{figures['correlation_before']:.2f} → {figures['correlation_after']:.2f}",
        f"{figures['mutual_information_before']:.2f} → {figures['mutual_information_after']:.2f}",
    )


def _figures(figures: dict[str, Any]) -> str:
    detail = figures.get("detail_correlation")
    lowest, highest = figures["volume_change"]
    return _(
        "{method} through {through}, {source}; correlation of detail {detail}; volume ×{lowest:.2f} to ×{highest:.2f}; "
        "{cut:.1%} of the activity outside the reference image"
    ).format(
        method=figures["method"],
        through=figures["through"],
        source=figures["source"],
        detail="-" if detail is None else f"{detail:.2f}",
        lowest=lowest,
        highest=highest,
        cut=figures["cut_fraction"],
    )


def _decision(case: Case, number: int, edited: list[int]) -> str:
    if number in edited:
        return _("↻ edited")
    if number == bridge.reference_number(case):
        return _("reference")
    return {
        bridge.ACCEPTED: _("✓ accepted"),
        bridge.REJECTED: _("✗ rejected"),
        bridge.FAILED: _("✗ failed"),
        bridge.OPEN: _("! to decide"),
    }[bridge.decision(case, number)]


def _who(case: Case, number: int) -> list[str]:
    who = bridge.decided_by(case, number)
    return [_("Decided by {who}").format(who=who)] if who and who != "reference" else []
