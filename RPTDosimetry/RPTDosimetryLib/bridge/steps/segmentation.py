"""Step 4, Segmentation: volumes from the study's files or TotalSegmentator, lesions on SPECT, editing and review."""

from __future__ import annotations

from typing import Any, ClassVar

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from RPTDosimetryLib.background import Request
from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import lesions, views
from RPTDosimetryLib.bridge import volumes_of_interest as vois
from RPTDosimetryLib.bridge.case import Case, fingerprint
from RPTDosimetryLib.bridge.other_segmentations import same_geometry, take_over
from RPTDosimetryLib.bridge.patient import density_settings_of, put_patient
from RPTDosimetryLib.bridge.registered import reference_number, registered_numbers, registered_of
from RPTDosimetryLib.bridge.steps.step import Step, Watched
from RPTDosimetryLib.bridge.steps.volume_table import show_table
from RPTDosimetryLib.bridge.total_segmentator import why_no_total_segmentator
from RPTDosimetryLib.bridge.voi_rows import Row, hours_of, rows_of
from RPTDosimetryLib.bridge.volumes import dress
from RPTDosimetryLib.bridge.words import activity_title
from RPTDosimetryLib.errors import DosimetryError, VoiError

_EDITED_AFTER_MS, _PREVIEW_AFTER_MS = 250, 20
#: Notes on the volumes that the message area shows after drawing; the table's tooltips hold all.
_NOTES_SAID = 5
#: Rows of the form that a method of drawing lesions does not use.
_OF_METHOD = {
    "percent_of_maximum": ("percent",),
    "fixed": ("threshold",),
    "adaptive": ("core", "background"),
    "gradient": (),
}
_PREVIEWED_BY = (
    "lesionName",
    "lesionMethod",
    "lesionTimePoint",
    "percent",
    "thresholdKbqPerMl",
    "coreShare",
    "backgroundShare",
    "reachMm",
)


class SegmentationStep(Step):
    """Its result is the segmentation node VOIS (as drawn), with density and media of the patient."""

    key: ClassVar[str] = "segmentation"
    title: ClassVar[str] = _("Segmentation")
    ui_file: ClassVar[str] = "Segmentation.ui"
    upstream: ClassVar[tuple[str, ...]] = ("registration",)
    _showing = False
    _editor: Any = None
    _edited_soon: Any = None
    _preview_soon: Any = None
    _previewed = ""  # what the preview on show was made from

    def setup(self) -> None:
        """Connect the widgets; the Segment Editor is made when it is opened first."""
        ui, guard = self.ui, self.panel.guard
        for name, action in {
            "run": self.run,
            "takeOver": self.take_chosen,
            "seed": self.place_seed,
            "crosshair": self.seed_at_crosshair,
            "box": self.place_box,
            "addLesion": self.add_lesion,
            "accept": self.accept_chosen,
            "acceptAll": self.accept_all,
            "remove": self.remove_chosen,
        }.items():
            button = getattr(ui, f"{name}Button")
            button.connect("clicked(bool)", lambda _checked, action=action: guard(action))
        for selector in (ui.otherSelector, ui.placeSelector):
            selector.setMRMLScene(slicer.mrmlScene)
        ui.otherSelector.connect("currentNodeChanged(vtkMRMLNode*)", lambda _node: self.panel.refresh_soon())
        ui.placeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._on_place_chosen)
        ui.timePointBox.connect("activated(int)", self._on_time_point)
        ui.previewBox.connect("toggled(bool)", lambda _checked: self._preview_soon.start())
        ui.editButton.connect("contentsCollapsed(bool)", self._on_editor)
        ui.editButton.collapsed = True
        ui.table.connect("cellChanged(int,int)", self._on_cell)
        ui.table.connect("itemSelectionChanged()", self._on_row)
        self._edited_soon = self._timer(_EDITED_AFTER_MS, self.panel.refresh)
        self._preview_soon = self._timer(_PREVIEW_AFTER_MS, self._show_preview)

    @staticmethod
    def _timer(milliseconds: int, slot: Any) -> Any:
        timer = qt.QTimer()
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.connect("timeout()", slot)
        return timer

    # what it runs -------------------------------------------------------------------------------------------------

    def missing(self, case: Case) -> list[str]:
        """Registered time points, and a CT and the program where TotalSegmentator is asked for."""
        told = []
        if case.node(at.SEEN) is None:
            told.append(_("Register the time points first (step Registration)."))
        if case.parameters.segmentation.organs.name == "totalsegmentator":
            why_not = why_no_total_segmentator(case)
            told += [why_not] if why_not else []
        try:
            density_settings_of(case)
        except DosimetryError as error:
            told.append(str(error))
        count, chosen = len(case.time_points()), case.parameters.segmentation.structuresFrom
        if chosen > count:
            told.append(
                _("Volumes are to come from time point {n}, and there are {count}.").format(n=chosen, count=count)
            )
        return told

    def needs_review(self, case: Case) -> list[str]:
        """One sentence for every volume that nobody has accepted as it is now."""
        return vois.unreviewed(case)

    def settings(self, case: Case) -> Any:
        """What is drawn; the rules come later (vois.vois_of_case) and need no new drawing."""
        chosen = case.parameters.segmentation
        drawn = [chosen.organs.name, chosen.fast, chosen.structuresFrom, chosen.exclude, chosen.body]
        return [*drawn, chosen.huCurve.split(), chosen.outsideCt.name]

    def outputs_fingerprint(self, case: Case) -> str:
        """The volumes as they are now, edits and rules included."""
        return fingerprint([self.inputs_fingerprint(case), vois.content_of(case)])

    def request(self, case: Case) -> Request:
        """Draw every volume of the study in the background."""
        from RPTDosimetryLib.vois.delineate import VoiSettings
        from RPTDosimetryLib.vois.total_segmentator import TotalSegmentatorSettings

        chosen = case.parameters.segmentation
        settings = VoiSettings(
            exclude=tuple(name.strip() for name in chosen.exclude.split(",") if name.strip()),
            body=chosen.body,
            structures_from=chosen.structuresFrom or None,
            organs=chosen.organs.name,
            total_segmentator=TotalSegmentatorSettings(fast=chosen.fast),
        )
        return Request("draw_volumes", (registered_of(case), settings, density_settings_of(case)))

    def take(self, case: Case, result: Any) -> list[Any]:
        """Volumes into the segmentation, beside what people drew; density and media into the scene."""
        patient, drawn = result
        nodes = put_patient(case, patient)
        node, said = vois.replace_made(case, drawn, patient.density.grid)
        if self.panel is not None:
            self._show(case)
            count = _("{count} volumes drawn from the study.").format(count=len(drawn))
            notes = list(dict.fromkeys([*said, *patient.warnings, *(note for voi in drawn for note in voi.warnings)]))
            more = _("{n} more notes: see the tooltips of the table.").format(n=len(notes) - _NOTES_SAID)
            self.panel.say("\n".join([count, *notes[:_NOTES_SAID], *([more] if len(notes) > _NOTES_SAID else [])]))
        return [node, *nodes]

    # what the user does -------------------------------------------------------------------------------------------

    def take_chosen(self) -> None:
        """Take over the chosen segmentation of the scene, resampled where it lies on another grid."""
        case, other = self.panel.case, self.ui.otherSelector.currentNode()
        if other is None:
            raise VoiError(_("Choose a segmentation of the scene first."))
        grid = self._grid(case)
        said = "" if same_geometry(other, grid) else _(" They lay on another grid and were resampled, volume kept.")
        self._add(case, take_over(other, grid))
        self.panel.say(_("The segments of {name} were taken over.").format(name=other.GetName()) + said)

    def place_seed(self) -> None:
        """Let the user click a point into a view."""
        case = self.panel.case
        lesions.activity_of(case, case.parameters.segmentation.lesionTimePoint)  # raises where there is none
        node = lesions.empty_seed(case)
        self.ui.previewBox.checked = True
        logic = slicer.modules.markups.logic()
        logic.SetActiveList(node)
        logic.StartPlaceMode(False)
        self.panel.say(_("Click into the lesion in a slice view."))

    def seed_at_crosshair(self) -> None:
        """Take the crosshair as seed."""
        case = self.panel.case
        lesions.activity_of(case, case.parameters.segmentation.lesionTimePoint)
        lesions.seed_at(case, lesions.crosshair())
        self.ui.previewBox.checked = True
        self._preview_soon.start()

    def place_box(self) -> None:
        """A box where the crosshair is, to be dragged around the lesion."""
        case = self.panel.case
        lesions.activity_of(case, case.parameters.segmentation.lesionTimePoint)
        lesions.box_at(case, lesions.crosshair())
        self.ui.previewBox.checked = True
        self._preview_soon.start()

    def add_lesion(self) -> None:
        """The lesion as it is drawn now becomes a volume of interest."""
        case = self.panel.case
        found = lesions.drawn_lesion(case)
        self._add(case, [found.voi])
        lesions.clear_preview(case)
        self._previewed = ""
        self.ui.previewBox.checked = False
        count = sum(part.voi is not None and part.voi.kind == "lesion" for part in vois.known_of(case).drawn)
        case.parameters.segmentation.lesionName = f"lesion {count + 1}"
        self.panel.say("\n".join([f"{found.voi.name}: {found.voi.source}.", *found.voi.warnings]))

    def accept_chosen(self) -> None:
        """The volume of the chosen row is reviewed."""
        self._accept([self._chosen().segment_id])

    def accept_all(self) -> None:
        """Every volume is reviewed."""
        self._accept([row.segment_id for row in rows_of(self.panel.case)])

    def remove_chosen(self) -> None:
        """Take the volume of the chosen row away."""
        vois.remove(self.panel.case, self._chosen().segment_id)

    def _accept(self, identifiers: list[str]) -> None:
        case = self.panel.case
        vois.accept(case, identifiers, case.parameters.segmentation.reviewer)

    def _add(self, case: Case, added: list[Any]) -> None:
        node = vois.add_volumes(case, added)
        if not case.made_from(node):
            case.mark(node, self.key, self.inputs_fingerprint(case))

    def _chosen(self) -> Row:
        rows, row = rows_of(self.panel.case), self.ui.table.currentRow()
        if not 0 <= row < len(rows):
            raise VoiError(_("Choose a volume in the table first."))
        return rows[row]

    @staticmethod
    def _grid(case: Case) -> Any:
        node = case.node(at.VOIS)
        if node is not None:
            return vois.grid_of_segmentation(node)
        return lesions.activity_of(case, 0).grid

    # showing ------------------------------------------------------------------------------------------------------

    def watched(self, case: Case) -> list[Watched]:
        """The segments, and the seed or box, that are there now."""
        node, kind, place = case.node(at.VOIS), slicer.vtkSegmentation, lesions.place_of(case)
        edited = (kind.SourceRepresentationModified, kind.SegmentAdded, kind.SegmentRemoved, kind.SegmentModified)
        told = [] if node is None else [Watched(node, event, self._on_segments) for event in edited]
        if place is None:
            return told
        moved: tuple[int, ...] = (vtk.vtkCommand.ModifiedEvent,)
        if place.IsA("vtkMRMLMarkupsFiducialNode"):
            moved = (place.PointModifiedEvent, place.PointPositionDefinedEvent, place.PointRemovedEvent)
        return [*told, *(Watched(place, event, self._on_place) for event in moved)]

    def pause(self) -> None:
        """As Slicer's Segment Editor when it is left: no effect, no hold on the views."""
        self._edited_soon.stop()
        self._preview_soon.stop()
        if self._editor is not None:
            self._editor.setActiveEffect(None)
            self._editor.removeViewObservations()

    def forget(self) -> None:
        """The editor lets go of the segmentation, as Slicer's own does."""
        if self._editor is not None:
            self._editor.setSegmentationNode(None)

    def resume(self) -> None:
        """The editor takes hold of the views again, if it is open."""
        if self._editor is not None:
            self._editor.setupViewObservations()

    def refresh(self, case: Case) -> None:
        """Table, lesion tool, editor; what can be used and why not."""
        self._showing = True
        try:
            self._show_table(case)
            self._show_time_points(case)
            place = lesions.place_of(case)
            if self.ui.placeSelector.currentNode() is not place:
                self.ui.placeSelector.setCurrentNode(place)
        finally:
            self._showing = False
        self._show_method(case)
        self._show_buttons(case)
        told = vois.unreviewed(case)
        self.ui.reviewLabel.text = "\n".join(told[:6] + ([f"… ({len(told)})"] if len(told) > 6 else []))
        self.ui.reviewLabel.setVisible(bool(told))
        if self._editor is not None and not self.ui.editButton.collapsed:
            self._connect_editor(case)
        if self.ui.previewBox.checked:
            self._preview_soon.start()

    def _show_buttons(self, case: Case) -> None:
        ui = self.ui
        busy = _("A step is running: wait for it, or cancel it.") if self.panel.runner.busy else ""
        lacking = "\n".join(self.missing(case))
        self._enable(ui.runButton, busy or lacking, _("Draw the volumes of the study on the dose grid"))
        unregistered = "" if case.node(at.SEEN) is not None else _("Register the time points first.")
        other = ui.otherSelector.currentNode()
        why = unregistered or ("" if other is not None else _("Choose a segmentation of the scene first."))
        otherwise, text = _("Take its segments as volumes of interest"), _("Take over")
        if not why and not self._lies_on_grid(case, other):
            text = _("Resample and take over")
            otherwise = _("It lies on another grid than the dose: its segments are resampled, their volumes kept")
        ui.takeOverButton.text = text
        self._enable(ui.takeOverButton, why, otherwise)
        for button, tip in (
            (ui.seedButton, _("Click a point into the lesion in a view")),
            (ui.crosshairButton, _("Put the seed where the crosshair is")),
            (ui.boxButton, _("A box at the crosshair, to be dragged around the lesion")),
        ):
            self._enable(button, unregistered, tip)
        placeless = "" if lesions.place_of(case) is not None else _("Place a point or a box first.")
        self._enable(ui.addLesionButton, unregistered or placeless, _("Make the lesion a volume of interest"))
        nothing = "" if vois.segment_ids(case.node(at.VOIS)) else _("There is no volume yet.")
        nameless = "" if case.parameters.segmentation.reviewer.strip() else _("Write the name of the reviewer first.")
        broken = vois.known_of(case).problem
        self._enable(ui.acceptButton, nothing or nameless or broken, _("The volume of the chosen row is right"))
        self._enable(ui.acceptAllButton, nothing or nameless or broken, _("All volumes are right"))
        self._enable(ui.removeButton, nothing, _("Remove the volume of the chosen row"))

    @staticmethod
    def _enable(button: Any, reason: str, otherwise: str) -> None:
        button.enabled = not reason
        button.toolTip = reason or otherwise

    def _lies_on_grid(self, case: Case, other: Any) -> bool:
        try:
            return same_geometry(other, self._grid(case))
        except DosimetryError:
            return True  # taking it over says what is wrong

    def _show_table(self, case: Case) -> None:
        hours = [hours_of(case, number) for number in registered_numbers(case)]
        show_table(self.ui.table, rows_of(case), hours, self._set_kind)

    def _set_kind(self, number: int, kind: str) -> None:
        case = self.panel.case
        self.panel.guard(lambda: vois.set_kind(case, rows_of(case)[number].segment_id, kind))

    def _show_time_points(self, case: Case) -> None:
        box, numbers = self.ui.timePointBox, registered_numbers(case)
        labels = [hours_of(case, number) for number in numbers]
        if [box.itemText(n) for n in range(box.count)] != labels:
            box.clear()
            box.addItems(labels)
        if numbers:
            chosen = case.parameters.segmentation.lesionTimePoint or reference_number(case)
            box.setCurrentIndex(numbers.index(chosen) if chosen in numbers else 0)

    def _show_method(self, case: Case) -> None:
        used = _OF_METHOD[case.parameters.segmentation.lesionMethod.name]
        for name in ("percent", "threshold", "core", "background"):
            for part in ("Label", "Slider"):
                getattr(self.ui, f"{name}{part}").setVisible(name in used)

    def _show(self, case: Case) -> None:
        number = reference_number(case) if case.node(at.SEEN) is not None else None
        spect = None if number is None else case.node(at.REGISTERED, number)
        ct = lesions.ct_of(case, number)
        node = case.node(at.VOIS)
        node.CreateClosedSurfaceRepresentation()
        views.show_volumes(node, filled=True)
        if spect is not None:
            dress(spect, at.REGISTERED)  # step Registration shows it in grey
            views.show_over_ct(spect, ct, activity_title(spect), fit=False)

    # preview and editor -------------------------------------------------------------------------------------------

    def _show_preview(self) -> None:
        case = self.panel.case
        if not self.ui.previewBox.checked:
            lesions.clear_preview(case)
            self._previewed = ""
            self.ui.lesionLabel.text = ""
            return
        made_from = self._preview_key(case)
        if made_from == self._previewed:
            return
        self._previewed = made_from
        try:
            found = lesions.drawn_lesion(case)
            lesions.show_preview(case, found.voi)
        except DosimetryError as error:
            lesions.clear_preview(case)
            self.ui.lesionLabel.text = str(error)
            return
        threshold = "" if found.threshold_bq_per_ml is None else f", ≥ {found.threshold_bq_per_ml / 1e3:.4g} kBq/mL"
        self.ui.lesionLabel.text = (
            f"{found.voi.volume_ml:.2f} mL{threshold}; mean {found.mean_bq_per_ml / 1e3:.4g}, "
            f"maximum {found.maximum_bq_per_ml / 1e3:.4g} kBq/mL"
        )

    @staticmethod
    def _preview_key(case: Case) -> str:
        chosen, where = case.parameters.segmentation, lesions.told_of(lesions.place_of(case))
        there = case.content(case.nodes(at.REGISTERED))
        return fingerprint([[str(getattr(chosen, name)) for name in _PREVIEWED_BY], where, there])

    def _on_editor(self, collapsed: bool) -> None:
        if collapsed:
            if self._editor is not None:
                self._editor.setActiveEffect(None)
            return
        if self._editor is None:
            self._editor = slicer.qMRMLSegmentEditorWidget()
            self._editor.setMRMLScene(slicer.mrmlScene)
            self._editor.setSegmentationNodeSelectorVisible(False)
            self._editor.setSwitchToSegmentationsButtonVisible(False)
            self._editor.setMaximumNumberOfUndoStates(10)
            self._editor.setAutoShowSourceVolumeNode(False)  # what the panel shows stays in the views
            self.ui.editorFrame.layout().addWidget(self._editor)
        self.panel.guard(lambda: self._connect_editor(self.panel.case))

    def _connect_editor(self, case: Case) -> None:
        """The editor works on the node VOIS, whose grid is that of the dose; one source volume is chosen at first."""
        if case.node(at.SEEN) is None:
            return
        node = vois.node_on(case, self._grid(case))
        if not case.made_from(node):
            case.mark(node, self.key, self.inputs_fingerprint(case))
        if self._editor.mrmlSegmentEditorNode() is not None and self._editor.segmentationNode() is node:
            return  # it chooses a segmentation by itself, but edits nothing without a node of its own
        scene = slicer.mrmlScene
        editing = scene.GetSingletonNode("RPTDosimetry", "vtkMRMLSegmentEditorNode")
        if editing is None:
            editing = scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            editing.UnRegister(None)
            editing.SetSingletonTag("RPTDosimetry")
            editing = scene.AddNode(editing)
            editing.SetOverwriteMode(editing.OverwriteNone)  # a lesion may lie in its organ
        self._editor.setMRMLSegmentEditorNode(editing)
        self._editor.setSegmentationNode(node)
        number = reference_number(case)
        self._editor.setSourceVolumeNode(lesions.ct_of(case, number) or case.node(at.REGISTERED, number))

    # slots --------------------------------------------------------------------------------------------------------

    def _on_segments(self, _caller: Any = None, _event: Any = None) -> None:
        self._edited_soon.start()

    def _on_place(self, _caller: Any = None, _event: Any = None) -> None:
        self._preview_soon.start()

    def _on_place_chosen(self, node: Any) -> None:
        if not self._showing:
            lesions.choose_place(self.panel.case, node)
            self.panel.refresh_soon()

    def _on_time_point(self, index: int) -> None:
        case = self.panel.case
        case.parameters.segmentation.lesionTimePoint = registered_numbers(case)[index]

    def _on_cell(self, row: int, column: int) -> None:
        if self._showing or column != 0:
            return
        rows = rows_of(self.panel.case)
        text = self.ui.table.item(row, column).text()
        self.panel.guard(lambda: vois.rename(self.panel.case, rows[row].segment_id, text))

    def _on_row(self) -> None:
        if self._showing:
            return
        rows, row = rows_of(self.panel.case), self.ui.table.currentRow()
        if not 0 <= row < len(rows):
            return
        node, identifier = self.panel.case.node(at.VOIS), rows[row].segment_id
        centre = None if rows[row].voi is None else node.GetSegmentCenterRAS(identifier)
        if centre is not None:
            slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *centre)
        if self._editor is not None:
            self._editor.setCurrentSegmentID(identifier)
