"""Step 6, Dose: engines side by side, their maps over the CT with legend and isodoses, organ table and histograms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.background import Request
from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import checkpoints, dose_maps, interim, views
from RPTDosimetryLib.bridge import hybrid_choices as hybrid
from RPTDosimetryLib.bridge import monte_carlo_choices as monte_carlo
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.dose_maps import Shown, maps_shown_of
from RPTDosimetryLib.bridge.dose_nodes import chart_of_histograms, put_doses, remove_dose, write_csv
from RPTDosimetryLib.bridge.doses import tia_of_case
from RPTDosimetryLib.bridge.isodoses import levels_gy, remove_isodoses, show_isodoses
from RPTDosimetryLib.bridge.projection import hide_projection, show_projection
from RPTDosimetryLib.bridge.steps.compare import jump_to_hottest
from RPTDosimetryLib.bridge.steps.dose_tables import show_engines, show_organs, tick_engines
from RPTDosimetryLib.bridge.steps.hybrid_form import HybridForm
from RPTDosimetryLib.bridge.steps.kinetics import tia_settings_of
from RPTDosimetryLib.bridge.steps.monte_carlo_form import MonteCarloForm, kept_told
from RPTDosimetryLib.bridge.steps.step import State, Step
from RPTDosimetryLib.bridge.volumes_of_interest import known_of
from RPTDosimetryLib.errors import ConfigurationError

_SSV_MATERIAL = _("Of what the one kernel of ssv is made; choosing it sets its usual density")
_SSV_DENSITY = _("At which density the kernel of ssv is taken")


class DoseStep(Step):
    """Computes the dose by the ticked engines; an engine that is not ticked keeps its older dose while it holds."""

    key: ClassVar[str] = "dose"
    title: ClassVar[str] = _("Dose")
    ui_file: ClassVar[str] = "Dose.ui"
    upstream: ClassVar[tuple[str, ...]] = ("study", "calibration", "registration", "segmentation", "kinetics")
    _showing = False
    _drawn: Any = None  # what the display was last made from
    _form: Any = None
    _hybrid_form: Any = None

    def setup(self) -> None:
        """Connect what can be used."""
        ui = self.ui
        ui.engines.connect("cellChanged(int,int)", self._on_engine)
        ui.runButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.run))
        ui.ssvMaterialBox.connect("activated(int)", self._on_ssv_material)
        ui.shownBox.connect("activated(int)", self._on_shown)
        ui.mapBox.connect("currentIndexChanged(int)", self._on_map)
        ui.acceptButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.accept))
        ui.csvButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.save_table))
        for slider in (ui.thresholdSlider, ui.opacitySlider):
            slider.suffix, slider.decimals = " %", 0
        ui.csvEdit.filters = ctk.ctkPathLineEdit.Files | ctk.ctkPathLineEdit.Writable  # a file that is not there yet
        ui.csvEdit.connect("currentPathChanged(QString)", self._on_path)
        ui.csvEdit.connect("validInputChanged(bool)", lambda _valid: self._on_path(ui.csvEdit.currentPath))
        ui.discardButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.discard_kept))
        self._form, self._hybrid_form = MonteCarloForm(ui, self.panel), HybridForm(ui, self.panel)

    # what it is made from -----------------------------------------------------------------------------------------

    def missing(self, case: Case) -> list[str]:
        """The TIA map and an engine; what the map lacks is said by the steps above."""
        told, ticked = [], case.parameters.dose.engines.strip()
        if case.node(at.TIA) is None:
            told.append(_("There is no map of time-integrated activity yet: run step Kinetics."))
        elif ticked:  # names are compared with the registry when it matters: it takes a while to load
            ticked = ",".join(self.engines(case))
        if not ticked:
            told.append(_("Tick an engine."))
        if monte_carlo.ENGINE in ticked:
            told += monte_carlo.missing(case, _voi_names(case))
        if hybrid.ENGINE in ticked:
            told += hybrid.missing(case)
        return told

    def needs_review(self, case: Case) -> list[str]:
        """What nobody has looked at upstream goes on with its mark; and a dose that the guard would not let pass."""
        keys = [key for key in self.upstream if key in self.others and key != "kinetics"]
        above = [text for key in keys for text in self.others[key].needs_review(case)]
        return above + [hybrid.verdict(node) for node in case.nodes(at.DOSE) if hybrid.to_review(node)]

    @staticmethod
    def engines(case: Case) -> list[str]:
        """The ticked engines in the order of the registry."""
        from RPTDosimetryLib.dose.engine import engine_names

        chosen = [name.strip() for name in case.parameters.dose.engines.split(",")]
        return [name for name in engine_names() if name in chosen]

    def settings(self, case: Case) -> Any:
        """What changes a dose; which engines are ticked does not.

        What changes the dose of hybrid alone is noted on that (hybrid_choices.outdated): the others hold on a computer
        that has not its model.
        """
        chosen = case.parameters.dose
        own = [chosen.integrate, chosen.msvUnscaled, chosen.ssvMaterial, chosen.ssvDensity]
        return [*own, monte_carlo.told(case)]

    def state(self, case: Case) -> State:
        """Ready again when an engine is ticked that has no dose yet."""
        state = super().state(case)
        there = {at.text(node, "Engine") for node in case.nodes(at.DOSE)}
        done = state in (State.DONE, State.NEEDS_REVIEW)
        if done and any(hybrid.outdated(case, node) for node in case.nodes(at.DOSE)):
            return State.OUT_OF_DATE
        return State.READY if done and not self.missing(case) and set(self.engines(case)) - there else state

    def request(self, case: Case) -> Request:
        """Every ticked engine, one after the other, in one background job."""
        from RPTDosimetryLib.bridge.patient import density_settings_of
        from RPTDosimetryLib.bridge.quantified import calibration_of
        from RPTDosimetryLib.bridge.registered import registered_of
        from RPTDosimetryLib.bridge.volumes_of_interest import vois_of_case
        from RPTDosimetryLib.dose.engine import DoseSettings
        from RPTDosimetryLib.evaluation.several_doses import DoseOrder
        from RPTDosimetryLib.tia.kinetics import series_of_registered

        registered = registered_of(case)
        chosen, checkpoint = case.parameters.dose, self.checkpoint(case)
        if checkpoint is not None:
            checkpoints.clean_up(checkpoint)
        settings = DoseSettings(
            integrate=chosen.integrate,
            msv_unscaled=chosen.msvUnscaled,
            ssv_material=chosen.ssvMaterial,
            ssv_density_g_per_cm3=chosen.ssvDensity,
        )
        engines = self.engines(case)
        if monte_carlo.ENGINE in engines:
            settings = replace(settings, monte_carlo=monte_carlo.settings_of(case, checkpoint))
        if hybrid.ENGINE in engines:
            settings = replace(settings, hybrid=hybrid.settings_of(case))
        order = DoseOrder(
            tuple(engines),
            settings,
            density_settings_of(case),
            tia_settings=tia_settings_of(case),
            recovery=calibration_of(case).recovery_curve(),
        )
        series = series_of_registered(registered)
        given = (registered, series, vois_of_case(case), tia_of_case(case), order)
        return Request("several_doses", given, keeps=checkpoint is not None)

    def take(self, case: Case, result: Any) -> list[Any]:
        """Volumes and tables into the scene; doses of other engines go where they no longer hold."""
        made_now, now = {one.dose.engine for one in result}, self.inputs_fingerprint(case)
        for node in case.nodes(at.DOSE):
            engine = at.text(node, "Engine")
            if engine not in made_now and (case.made_from(node) != now or hybrid.outdated(case, node)):
                remove_dose(case, engine)
        remove_isodoses(case)
        nodes = put_doses(case, result)
        case.parameters.dose.shown = result[0].dose.engine
        case.parameters.dose.shownMap = dose_maps.DOSE
        self._drawn = None
        if self.panel is not None:
            views.show_layout(views.OVERLAY)
            self.show(case, fit=True)
            jump_to_hottest(self.shown(case))
            self.panel.say("\n".join(dict.fromkeys(note for one in result for note in one.dose.warnings)))
        return nodes

    def _prepared(self, case: Case) -> tuple[Request, str]:
        """What hybrid is made by goes along: the user may choose another model while it runs."""
        request, made_from = super()._prepared(case)
        made_by = hybrid.choice(case) if hybrid.ENGINE in self.engines(case) else ""
        return request, f"{made_from} {made_by}"

    def _taken(self, case: Case, result: Any, made_from: str) -> list[Any]:
        """What is done is not kept twice."""
        made_from, made_by = made_from.split(" ", 1)
        nodes = super()._taken(case, result, made_from)
        for node in nodes:
            if at.role(node) == at.DOSE and at.text(node, "Engine") == hybrid.ENGINE:
                hybrid.note_choice(node, made_by)
        if any(one.dose.engine == monte_carlo.ENGINE for one in result):
            checkpoints.forget(checkpoints.path_of(case, made_from))
        return nodes

    # on its way ---------------------------------------------------------------------------------------------------

    def checkpoint(self, case: Case) -> Path | None:
        """Where a Monte Carlo run of the input and settings as they are now keeps what is done; None where it cannot.

        A dose rate is a run for each time point, which one file does not hold.
        """
        if monte_carlo.ENGINE not in self.engines(case) or case.parameters.dose.integrate != "activity":
            return None
        return checkpoints.path_of(case, self.inputs_fingerprint(case))

    def kept(self, case: Case) -> str:
        """What a stopped Monte Carlo run left for the input and settings as they are now."""
        path = self.checkpoint(case)
        return "" if path is None else kept_told(case, checkpoints.found(path))

    def discard_kept(self) -> None:
        """Remove what a stopped run left."""
        path = self.checkpoint(self.panel.case)
        if path is not None:
            checkpoints.forget(path)
        self.panel.say(_("The next Monte Carlo run starts anew."))

    def take_interim(self, case: Case, file: Path) -> None:
        """The dose so far over the CT, marked as what it is."""
        from RPTDosimetryLib.interim_dose import read_interim

        found, chosen = read_interim(file), case.parameters.dose
        if found is None:
            return
        remove_isodoses(case)  # of an older dose; they come back with it
        for older in case.nodes(at.DOSE):
            hide_projection(older)
        opacity, threshold = chosen.opacityPercent / 100, chosen.thresholdPercent / 100
        interim.show_interim(case, monte_carlo.ENGINE, found, opacity, threshold)

    def ended(self, case: Case) -> None:
        """The dose on its way goes; an older one that it covered is shown again."""
        if interim.remove_interim(case):
            self._drawn = ()

    # what the user does -------------------------------------------------------------------------------------------

    @staticmethod
    def shown(case: Case) -> Any:
        """The dose volume that is shown: of the chosen engine, else the last made; None without one."""
        nodes = case.nodes(at.DOSE)
        wanted = [node for node in nodes if at.text(node, "Engine") == case.parameters.dose.shown]
        return wanted[-1] if wanted else (nodes[-1] if nodes else None)

    def show(self, case: Case, fit: bool = False) -> None:
        """The shown dose over the CT with legend, threshold, isodoses, projection and histograms, as the settings say.

        Raises ConfigurationError for isodose levels that are no numbers.
        """
        dose, chosen = self.shown(case), case.parameters.dose
        if dose is None:
            return
        maximum_gy, shown = float(slicer.util.arrayFromVolume(dose).max()), self.shown_map(case, dose)
        ct = next((point.ct for point in case.time_points() if point.ct is not None), None)
        opacity = chosen.opacityPercent / 100
        views.show_overlay(ct or shown.node, shown.node if ct is not None else None, opacity, fit)
        display = dose.GetDisplayNode()
        display.SetThreshold(chosen.thresholdPercent / 100 * maximum_gy, maximum_gy)
        display.SetApplyThreshold(True)
        for other in case.nodes(at.DOSE):
            if other is not dose:
                hide_projection(other)
        views.show_volumes(case.node(at.VOIS), filled=False, surfaces=not chosen.projection)
        views.hide_legends()
        views.show_legend(shown.node, shown.legend)
        first = at.text(dose, "Engine")
        others = [at.text(node, "Engine") for node in case.nodes(at.DOSE) if node is not dose]
        chart = chart_of_histograms(case, [first, *others])
        if chart is not None:
            views.show_chart(chart)
        if chosen.projection:
            show_projection(dose)
        else:
            hide_projection(dose)
        if chosen.isodoses:
            show_isodoses(case, dose, levels_gy(chosen.isodoseLevels, chosen.isodoseUnit, maximum_gy))
        else:
            remove_isodoses(case)

    @staticmethod
    def shown_map(case: Case, dose: Any) -> Shown:
        """What of the dose is asked for; the dose itself where its engine gives no such map."""
        offered = maps_shown_of(case, dose)
        return next((each for each in offered if each.key == case.parameters.dose.shownMap), offered[0])

    def accept(self) -> None:
        """The reviewer takes the dose that is shown in spite of what the guard says. Raises ConfigurationError."""
        hybrid.accept(self.panel.case, self.shown(self.panel.case))

    def save_table(self) -> None:
        """The organ table of every engine as .csv. Raises ConfigurationError without a path."""
        path = self.ui.csvEdit.currentPath
        if not path:
            raise ConfigurationError(_("Choose the file for the table first."))
        write_csv(self.panel.case, Path(path))
        self.panel.say(_("Written: {path}").format(path=path))

    # showing ------------------------------------------------------------------------------------------------------

    def refresh(self, case: Case) -> None:
        """Engines, what is missing, the shown dose and its table; the views where their settings have changed."""
        ui, missing = self.ui, self.missing(case)
        self._showing = True
        try:
            show_engines(ui.engines)
            why_not = hybrid.unavailable(case)
            tick_engines(ui.engines, self.engines(case), {hybrid.ENGINE: why_not})
            self._show_shown(case)
            if ui.csvEdit.currentPath != case.parameters.dose.tableFile:
                ui.csvEdit.currentPath = case.parameters.dose.tableFile
        finally:
            self._showing = False
        unused = "" if "ssv" in self.engines(case) else _("Only the engine ssv uses it: tick it first.")
        for widget, told in ((ui.ssvMaterialBox, _SSV_MATERIAL), (ui.ssvDensityBox, _SSV_DENSITY)):
            widget.enabled, widget.toolTip = not unused, unused or told
        nuclide = case.parameters.administration.nuclide
        ui.nuclideLabel.text = _("Nuclide: {name}").format(name=nuclide or _("not known: choose it in step Study"))
        busy = _("A step is running: wait for it, or cancel it.") if self.panel.runner.busy else ""
        reason = busy or "\n".join(missing)
        ui.runButton.enabled = not reason
        ui.runButton.toolTip = reason or _("Compute the dose by every ticked engine; it can be cancelled")
        self._show_monte_carlo(case, bool(busy))
        self._hybrid_form.refresh(case, hybrid.ENGINE in self.engines(case), why_not)
        ui.missingLabel.text = "\n".join(missing)
        ui.missingLabel.setVisible(bool(missing))
        dose = self.shown(case)
        show_organs(ui.organTable, case, dose)
        self._hybrid_form.show_verdict(case, dose)
        for widget in (ui.displayBox, ui.organTable, ui.methodLabel, ui.csvEdit, ui.csvButton):
            widget.setVisible(dose is not None)
        ui.methodLabel.text = "" if dose is None else "\n".join([at.text(dose, "Method"), *at.lines(dose, "Warnings")])
        ui.csvButton.enabled = bool(case.parameters.dose.tableFile)
        ui.csvButton.toolTip = (
            _("Write the table of all engines") if ui.csvButton.enabled else _("Choose a file first.")
        )
        self._show_display(case, dose)

    def _show_monte_carlo(self, case: Case, busy: bool) -> None:
        """Its settings where it is ticked, and what a stopped run left."""
        ticked = monte_carlo.ENGINE in self.engines(case)
        self._form.refresh(case, ticked, _voi_names(case) if ticked else [])
        kept = self.kept(case) if ticked and not busy and case.node(at.TIA) is not None else ""
        self._form.show_kept(kept, busy)
        self.ui.runButton.text = _("Resume") if kept else _("Compute &dose")

    def _show_display(self, case: Case, dose: Any) -> None:
        """Follow the settings of the display; a level that is no number is said, not raised."""
        chosen = case.parameters.dose
        names = (
            "shown",
            "shownMap",
            "thresholdPercent",
            "opacityPercent",
            "isodoses",
            "isodoseLevels",
            "isodoseUnit",
            "projection",
        )
        wanted = None if dose is None else (dose.GetID(), *(getattr(chosen, name) for name in names))
        if wanted == self._drawn:
            return
        first, self._drawn = self._drawn is None, wanted
        if dose is None or (first and not self._on_screen(dose)):
            return
        try:
            self.show(case)
        except ConfigurationError as error:
            self.panel.say_error(str(error))

    @staticmethod
    def _on_screen(dose: Any) -> bool:
        """Whether a slice view shows the dose already (a loaded scene is shown as it was saved)."""
        nodes = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        return any(dose.GetID() in (node.GetForegroundVolumeID(), node.GetBackgroundVolumeID()) for node in nodes)

    def _show_shown(self, case: Case) -> None:
        box, names = self.ui.shownBox, [at.text(node, "Engine") for node in case.nodes(at.DOSE)]
        if [box.itemText(n) for n in range(box.count)] != names:
            box.clear()
            box.addItems(names)
        dose = self.shown(case)
        box.setCurrentIndex(-1 if dose is None else names.index(at.text(dose, "Engine")))
        self._show_maps(case, dose)

    def _show_maps(self, case: Case, dose: Any) -> None:
        """What can be shown of the dose: engines give different maps."""
        box, offered = self.ui.mapBox, [] if dose is None else maps_shown_of(case, dose)
        told = [(each.label, each.key) for each in offered]
        if [(box.itemText(n), box.itemData(n)) for n in range(box.count)] != told:
            box.clear()
            for label, key in told:
                box.addItem(label, key)
        box.setCurrentIndex(-1 if dose is None else offered.index(self.shown_map(case, dose)))
        box.enabled = len(offered) > 1
        few = _("Only doses of monte_carlo (statistical error) and of hybrid (its correction) have further maps.")
        box.toolTip = _("The dose, or another map of it") if box.enabled else few

    # slots --------------------------------------------------------------------------------------------------------

    def _on_engine(self, row: int, column: int) -> None:
        if self._showing or column != 0:
            return
        table = self.ui.engines
        items = [table.item(n, 0) for n in range(table.rowCount)]
        ticked = [item.text() for item in items if item.checkState() == qt.Qt.Checked]
        self.panel.parameters.dose.engines = ", ".join(ticked)

    def _on_ssv_material(self, _index: int) -> None:
        """Bound already; its own density is the usual one."""
        from RPTDosimetryLib.physics.materials import material

        chosen = self.panel.parameters.dose
        chosen.ssvDensity = material(chosen.ssvMaterial).density_g_per_cm3

    def _on_shown(self, index: int) -> None:
        if not self._showing and index >= 0:
            self.panel.parameters.dose.shown = self.ui.shownBox.itemText(index)

    def _on_map(self, index: int) -> None:
        if not self._showing and index >= 0:
            self.panel.parameters.dose.shownMap = self.ui.mapBox.itemData(index)

    def _on_path(self, path: str) -> None:
        if not self._showing:
            self.panel.parameters.dose.tableFile = path


def _voi_names(case: Case) -> list[str]:
    return [part.name for part in known_of(case).drawn]
