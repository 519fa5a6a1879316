"""Step 7, Compare: two dose volumes against each other: gamma, differences, profile, histograms, organs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import qt
import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.background import Request
from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import comparison, views
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.comparison_choices import comparison_settings
from RPTDosimetryLib.bridge.dose_nodes import colour_of
from RPTDosimetryLib.bridge.geometry import grid_of_volume
from RPTDosimetryLib.bridge.quantified import ct_node_of
from RPTDosimetryLib.bridge.registered import reference_number
from RPTDosimetryLib.bridge.steps.step import Step, Watched
from RPTDosimetryLib.bridge.steps.volume_table import swatch
from RPTDosimetryLib.bridge.volumes_of_interest import content_of, unreviewed
from RPTDosimetryLib.errors import DosimetryError, EvaluationError

#: The profile is drawn anew when its line has rested for this long.
_AFTER_MS = 80
_LEGENDS = {
    comparison.DIFFERENCE: "Difference [Gy]",
    comparison.RELATIVE: "Relative error [%]",
    comparison.GAMMA: "Gamma (passes to 1)",
}
_OPACITY = 0.7
_MIDDLE = 0.5


class CompareStep(Step):
    """Its results are the maps, figures and charts of one comparison; the next one takes their place."""

    key: ClassVar[str] = "compare"
    title: ClassVar[str] = _("Compare")
    ui_file: ClassVar[str] = "Compare.ui"
    upstream: ClassVar[tuple[str, ...]] = ("segmentation", "dose")

    def setup(self) -> None:
        """Connect buttons and boxes."""
        ui = self.ui
        for button, action in (
            (ui.compareButton, self.run),
            (ui.loadButton, self.load_file),
            (ui.showButton, self.show_side_by_side),
            (ui.plotButton, self.show_plot),
            (ui.placeButton, self.place_profile),
            (ui.profileButton, self.show_profile),
        ):
            button.connect("clicked(bool)", lambda _checked, do=action: self.panel.guard(do))
        ui.referenceBox.connect("activated(int)", lambda _n: self._choose(ui.referenceBox, comparison.REFERENCE))
        ui.evaluatedBox.connect("activated(int)", lambda _n: self._choose(ui.evaluatedBox, comparison.EVALUATED))
        ui.maskBox.connect("activated(int)", self._on_mask)
        ui.shownBox.connect("activated(int)", lambda _n: self.panel.guard(self.show_side_by_side))
        ui.plotBox.connect("activated(int)", lambda _n: self.panel.guard(self.show_plot))
        ui.fileEdit.connect("currentPathChanged(QString)", self._on_file)
        ui.fileEdit.connect("validInputChanged(bool)", lambda _valid: self._on_file(ui.fileEdit.currentPath))
        self._line_moved = qt.QTimer(self.widget)  # a line that is dragged tells of every pixel
        self._line_moved.setSingleShot(True)
        self._line_moved.setInterval(_AFTER_MS)
        self._line_moved.connect("timeout()", self._on_line_rests)
        ui.organTable.setColumnCount(len(comparison.ORGAN_COLUMNS))
        ui.organTable.setHorizontalHeaderLabels([_(title) for _key, title, _style in comparison.ORGAN_COLUMNS])

    # what it lacks and runs ---------------------------------------------------------------------------------------

    def missing(self, case: Case) -> list[str]:
        """What keeps the two chosen volumes from being compared."""
        reference, evaluated = comparison.chosen_doses(case)
        if reference is None or evaluated is None:
            return [_("Two dose volumes [Gy] are needed: run another engine in step Dose, or load a dose file.")]
        told = []
        if reference is evaluated:
            told.append(_("The reference is the evaluated dose: choose two volumes."))
        for node in {reference, evaluated}:
            if node.GetParentTransformNode() is not None:
                told.append(_("{name} lies under a transform: harden it first.").format(name=node.GetName()))
        try:
            same = grid_of_volume(reference).same_as(grid_of_volume(evaluated))
        except DosimetryError as error:
            return [*told, str(error)]
        if not (same or case.parameters.compare.resample):
            told.append(_("The doses lie on different grids: check resample, or choose two on one grid."))
        mask = case.parameters.compare.mask
        if mask and mask not in comparison.voi_names(case):
            told.append(_("There is no volume {name} any more: choose what to count.").format(name=mask))
        elif mask and self._off_grid(case, reference):
            told.append(_("The volumes of interest lie on another grid than the reference: count the whole map."))
        return told

    @staticmethod
    def _off_grid(case: Case, reference: Any) -> bool:
        from RPTDosimetryLib.bridge.segmentations import grid_of_segmentation

        node = case.node(at.VOIS)
        return node is not None and not grid_of_segmentation(node).same_as(grid_of_volume(reference))

    def needs_review(self, case: Case) -> list[str]:
        """Contours that nobody has accepted: the table of organs and the mask depend on them."""
        return unreviewed(case) if case.node(at.VOIS) is not None else []

    def settings(self, case: Case) -> Any:
        """Criteria, mask, and the content of both doses."""
        told = case.parameters.compare
        criteria = [told.dosePercent, told.dtaMm, told.cutoffPercent, told.maximumGamma, told.local, told.resample]
        return [*criteria, told.partialVoxels, told.mask, case.content(comparison.chosen_doses(case)), content_of(case)]

    def request(self, case: Case) -> Request:
        """The whole comparison in the background."""
        nodes = comparison.chosen_doses(case)
        for role, node in zip((comparison.REFERENCE, comparison.EVALUATED), nodes, strict=True):
            comparison.choose(case, role, node)  # what was offered is now chosen
        doses = tuple(map(comparison.dose_image, nodes))
        vois, density = comparison.vois_on(case, nodes[0]), comparison.density_on(case, nodes[0])
        return Request("compare_fully", (doses, vois, density, comparison_settings(case)))

    def take(self, case: Case, result: Any) -> list[Any]:
        """Put the comparison into the scene and show it."""
        nodes = comparison.put_comparison(case, result, comparison.chosen_doses(case))
        self._show(case)
        if self.panel is not None:
            self.panel.say("\n".join([self._headline(comparison.answer(case)), *result.warnings]))
        return nodes

    def results(self, case: Case) -> list[Any]:
        """All but the profile, which follows the line and the doses by itself."""
        return [node for node in case.nodes(at.COMPARISON) if at.text(node, comparison.KIND) != comparison.PROFILES]

    # what the user does -------------------------------------------------------------------------------------------

    def load_file(self) -> None:
        """Read a dose file in the background."""
        told = self.panel.parameters.compare.file
        if not told:
            raise EvaluationError(_("Choose the dose file first."))
        path = Path(told)

        def take(image: Any) -> None:
            node = comparison.add_dose(self.panel.case, image, path.name)
            self.panel.say(_("{name} can be chosen as reference or evaluated dose.").format(name=node.GetName()))

        self.panel.start(self, Request("read_dose", (path,)), take)

    def show_side_by_side(self) -> None:
        """Reference, evaluated and the chosen map in the layout of comparisons."""
        self._show(self.panel.case)

    def show_plot(self) -> None:
        """The chosen chart in the plot view."""
        plot = self.panel.parameters.compare.plot
        if plot == "profile":
            self.show_profile()
            return
        chart = comparison.part(self.panel.case, comparison.PLOTS[plot])
        if chart is None:
            raise EvaluationError(_("There is no such plot: no volumes of interest lie on the grid of the doses."))
        views.show_chart(chart)

    def place_profile(self) -> None:
        """A new line; two clicks in a slice view place it, then its profile appears."""
        line = comparison.new_profile_line(self.panel.case)
        comparison.place_line(line)
        self.panel.say(_("Click the two ends of the profile in a slice view; they can be dragged afterwards."))

    def show_profile(self) -> None:
        """Both doses along the line, as it stands."""
        views.show_chart(comparison.put_profile(self.panel.case))

    def watched(self, case: Case) -> list[Watched]:
        """The profile follows its line."""
        line = comparison.profile_line(case)
        if line is None:
            return []
        return [Watched(line, e, self._on_line) for e in (line.PointPositionDefinedEvent, line.PointModifiedEvent)]

    def pause(self) -> None:
        """No profile is drawn for somebody who has gone."""
        self._line_moved.stop()

    def _on_line(self, _line: Any = None, _event: Any = None) -> None:
        self._line_moved.start()

    def _on_line_rests(self) -> None:
        if comparison.ends_of(comparison.profile_line(self.panel.case)) is None:
            return
        try:
            self.show_profile()
        except DosimetryError as error:
            self.panel.say_error(str(error))

    @staticmethod
    def _show(case: Case) -> None:
        """The layout without the panel's widgets: scripts see it too."""
        reference, evaluated = comparison.chosen_doses(case)
        if reference is None or evaluated is None:
            raise EvaluationError(_("Two dose volumes [Gy] are needed."))
        shown = comparison.part(case, case.parameters.compare.shown)
        views.show_layout(views.COMPARE)
        views.same_scale((reference, evaluated))
        below = anatomy(case)
        for view, volume in zip(views.compared_views(), (reference, evaluated, shown), strict=False):
            opacity = _MIDDLE if volume is not shown else _OPACITY
            views.show_in(view, below or volume, volume if below is not None else None, opacity)
        views.show_in("Green", below or shown, shown if below is not None else None, _OPACITY)
        views.fit_slices()
        views.link_slices(True)
        jump_to_hottest(reference)
        views.show_volumes(case.node(at.VOIS), filled=False)
        views.hide_legends()
        for volume in (reference, evaluated):
            views.show_legend(volume, _("Absorbed dose [Gy]"))
        if shown is not None:
            views.show_legend(shown, _(_LEGENDS[case.parameters.compare.shown]))
        plots = (case.parameters.compare.plot, "DVH", comparison.VOXELS)  # without volumes there are no histograms
        charts = (comparison.part(case, comparison.PLOTS[plot]) for plot in plots)
        chart = next((found for found in charts if found is not None), None)
        if chart is not None:
            views.show_chart(chart)

    # showing ------------------------------------------------------------------------------------------------------

    def refresh(self, case: Case) -> None:
        """Boxes, what is missing, the figures."""
        ui = self.ui
        chosen = comparison.chosen_doses(case)
        offered = [(node.GetName(), node.GetID()) for node in comparison.dose_volumes(case)]
        for box, node in zip((ui.referenceBox, ui.evaluatedBox), chosen, strict=True):
            self._fill(box, offered, None if node is None else node.GetID())
        names = comparison.voi_names(case)
        self._fill(ui.maskBox, [(_("whole map"), ""), *((name, name) for name in names)], case.parameters.compare.mask)
        if ui.fileEdit.currentPath != case.parameters.compare.file:
            ui.fileEdit.currentPath = case.parameters.compare.file
        told = self.missing(case)
        ui.missingLabel.text = "\n".join(told)
        ui.missingLabel.setVisible(bool(told) and len(offered) > 0)
        busy = _("A step is running: wait for it, or cancel it.") if self.panel.runner.busy else ""
        self._enable(ui.compareButton, busy or " ".join(told), _("Compare the evaluated dose with the reference"))
        no_file = "" if case.parameters.compare.file else _("Choose a dose file first.")
        self._enable(ui.loadButton, busy or no_file, _("Read the dose file"))
        self._show_results(case, None in chosen)

    def _show_results(self, case: Case, nothing: bool) -> None:
        ui, told = self.ui, comparison.answer(case)
        ui.resultWidget.setVisible(bool(told) or not nothing)
        none = "" if told else _("Compare first.")
        self._enable(ui.showButton, none, _("Reference, evaluated and the chosen map, linked"))
        self._enable(ui.plotButton, none, _("The chosen plot in the plot view"))
        ui.shownBox.enabled = ui.plotBox.enabled = not none
        self._enable(ui.placeButton, "", _("Place a line by two clicks in a slice view; both doses are drawn along it"))
        placed = comparison.ends_of(comparison.profile_line(case)) is not None
        self._enable(ui.profileButton, "" if placed else _("Place the profile first."), _("Both doses along the line"))
        rows = comparison.organ_rows(told) if told else []
        ui.figuresLabel.text = figures_text(told) if told else ""
        ui.figuresLabel.setVisible(bool(told))
        ui.organTable.setVisible(bool(rows))
        ui.organTable.setRowCount(len(rows))
        for row, cells in enumerate(rows):
            for column, text in enumerate(cells):
                ui.organTable.setItem(row, column, qt.QTableWidgetItem(text))
            ui.organTable.item(row, 0).setIcon(swatch(colour_of(case, cells[0])))
        ui.organTable.resizeColumnsToContents()

    @staticmethod
    def _fill(box: Any, choices: list[tuple[str, str]], chosen: str | None) -> None:
        if [(box.itemText(n), box.itemData(n)) for n in range(box.count)] != choices:
            box.clear()
            for text, data in choices:
                box.addItem(text, data)
        box.setCurrentIndex(next((n for n, (_text, data) in enumerate(choices) if data == chosen), -1))

    @staticmethod
    def _enable(button: Any, reason: str, otherwise: str) -> None:
        button.enabled = not reason
        button.toolTip = reason or otherwise

    def _headline(self, told: dict[str, Any]) -> str:
        return figures_text(told).split("\n", 1)[0]

    # slots --------------------------------------------------------------------------------------------------------

    def _choose(self, box: Any, role: str) -> None:
        comparison.choose(self.panel.case, role, slicer.mrmlScene.GetNodeByID(box.itemData(box.currentIndex) or ""))
        self.panel.refresh_soon()

    def _on_mask(self, index: int) -> None:
        self.panel.parameters.compare.mask = self.ui.maskBox.itemData(index) or ""
        self.panel.refresh_soon()

    def _on_file(self, path: str) -> None:
        if self.panel.parameters.compare.file != path:
            self.panel.parameters.compare.file = path


def figures_text(told: dict[str, Any]) -> str:
    """Gamma and voxel metrics in lines."""
    gamma, metrics = told["gamma"], told["figures"]["metrics"]
    settings, rate = gamma["settings"], gamma["pass_rate_percent"]
    passed = (
        _("no voxel judged")
        if rate is None
        else _("{rate:.2f} % of {n} voxels pass").format(rate=rate, n=gamma["judged"])
    )
    kind = _("local") if settings["local"] else _("global")
    lines = [f"Gamma {settings['dose_percent']:g} % {kind}, {settings['dta_mm']:g} mm: {passed}"]
    shown = (
        ("ME", metrics["me_gy"], "{:+.4g} Gy"),
        ("MAE", metrics["mae_gy"], "{:.4g} Gy"),
        ("RMSE", metrics["rmse_gy"], "{:.4g} Gy"),
        (_("mean relative error"), metrics["re_percent"], "{:+.3g} %"),
        ("SSIM", metrics["ssim"], "{:.4f}"),
        (_("correlation"), metrics["correlation"], "{:.4f}"),
    )
    lines.append(", ".join(f"{name} {style.format(value)}" for name, value, style in shown if value is not None))
    doses, counted = " / ".join(told["doses"]), told["figures"]["counted"]
    lines.append(_("Reference / evaluated: {doses}; {counted}").format(doses=doses, counted=counted))
    if told["figures"]["conventions"].get("partial_volume"):
        lines.append(_("Histograms and doses of volumes with partial voxels at their edge"))
    return "\n".join(lines)


def anatomy(case: Case) -> Any:
    """The CT that lies under the doses: the reference's where one is registered, else the first; None without any."""
    if case.node(at.SEEN) is not None:
        found = ct_node_of(case, reference_number(case))
        if found is not None:
            return found
    return next((point.ct for point in case.time_points() if point.ct is not None), None)


def jump_to_hottest(dose: Any) -> None:
    """Every slice view through the voxel of highest dose."""
    import numpy as np

    from RPTDosimetryLib.bridge.geometry import ras_from_ijk

    voxels = slicer.util.arrayFromVolume(dose)
    k, j, i = np.unravel_index(int(np.nanargmax(voxels)), voxels.shape)
    x, y, z = (ras_from_ijk(grid_of_volume(dose)) @ [i, j, k, 1.0])[:3]
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        node.JumpSliceByOffsetting(float(x), float(y), float(z))
