"""Step 5, Kinetics: curves of the volumes of interest with fits and bands, a model for each, and the voxel TIA map."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import qt
from slicer.i18n import tr as _

from RPTDosimetryLib.background import Request
from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import views
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.kinetics_nodes import chart_of_voi, figures_of_case, megabecquerel_hours, put_kinetics
from RPTDosimetryLib.bridge.registered import used_numbers
from RPTDosimetryLib.bridge.steps.step import Step
from RPTDosimetryLib.bridge.words import in_panel_words
from RPTDosimetryLib.errors import KineticsError

_AUTO, _MADSEN = "auto", "madsen"
_MODEL, _TIA, _TAIL, _DELTA, _FEW = 1, 2, 3, 4, 5
_FIELDS = ("mapModel", "weighting", "tail", "start", "tailHalfLifeH", "populationHalfLifeH", "scanTimeH", "bootstrap")


class KineticsStep(Step):
    """Fits the curve of every volume and integrates every voxel over time."""

    key: ClassVar[str] = "kinetics"
    title: ClassVar[str] = _("Kinetics")
    ui_file: ClassVar[str] = "Kinetics.ui"
    upstream: ClassVar[tuple[str, ...]] = ("study", "calibration", "registration", "segmentation")
    _showing = False

    def setup(self) -> None:
        """Fill the box of models from the library's registry; connect buttons and table."""
        from RPTDosimetryLib.tia.registry import model_names

        ui = self.ui
        self._models = (_AUTO, *model_names())
        ui.mapModelBox.addItems(list(self._models))
        ui.mapModelBox.connect("activated(int)", self._on_map_model)
        ui.runButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.run))
        ui.mapButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.show_map))
        ui.table.connect("itemSelectionChanged()", self._on_row)
        ui.table.setColumnCount(6)
        ui.table.setHorizontalHeaderLabels(
            [_("volume"), _("model"), _("Ã [MBq·h]"), _("tail"), _("next ΔAICc"), _("fewer scans")]
        )

    # what it is made from -----------------------------------------------------------------------------------------

    def missing(self, case: Case) -> list[str]:
        """Registered activity, volumes of interest and the nuclide."""
        told = []
        if case.node(at.SEEN) is None:
            told.append(_("The time points are not registered yet: run step Registration."))
        if not _voi_names(case):
            told.append(_("No volume of interest is drawn yet: do so in step Segmentation."))
        if not case.parameters.administration.nuclide:
            told.append(_("Choose the nuclide in step Study."))
        chosen = self.models(case)
        models = {case.parameters.kinetics.mapModel, *(chosen.get(name, _AUTO) for name in _voi_names(case))}
        if len(used_numbers(case)) == 1 and _AUTO in models:
            told.append(_("There is one time point: choose haenscheid or madsen for the map and for each volume."))
        if _MADSEN in models and not case.parameters.kinetics.populationHalfLifeH:
            told.append(_("The model madsen needs Population half-life, under More: give it, or choose another model."))
        return told

    def needs_review(self, case: Case) -> list[str]:
        """What nobody has looked at upstream goes on with its mark."""
        return [text for key in self.upstream if key in self.others for text in self.others[key].needs_review(case)]

    def settings(self, case: Case) -> Any:
        """Everything of the pack; models of volumes that are gone do not count."""
        return [*(getattr(case.parameters.kinetics, name) for name in _FIELDS), self.models(case)]

    @staticmethod
    def models(case: Case) -> dict[str, str]:
        """Model by name of the VOI, where it is not automatic."""
        chosen, names = json.loads(case.parameters.kinetics.voiModels or "{}"), set(_voi_names(case))
        return {name: model for name, model in sorted(chosen.items()) if name in names}

    def choice(self, case: Case) -> Any:
        """The library's KineticsChoice of the settings. Raises ConfigurationError for values that cannot be."""
        from RPTDosimetryLib.tia.kinetics import KineticsChoice

        return KineticsChoice(tia_settings_of(case), self.models(case))

    def request(self, case: Case) -> Request:
        """Curves, fits and map of the registered activity."""
        from RPTDosimetryLib.bridge.registered import registered_of
        from RPTDosimetryLib.bridge.volumes_of_interest import vois_of_case
        from RPTDosimetryLib.tia.kinetics import series_of_registered

        series = series_of_registered(registered_of(case))
        return Request("kinetics", (series, vois_of_case(case), self.choice(case)))

    def take(self, case: Case, result: Any) -> list[Any]:
        """Map and tables into the scene; the first curve is shown."""
        nodes = put_kinetics(case, result)
        chart_of_voi(case, result.vois[0].name)
        if self.panel is not None:
            views.show_layout(views.OVERLAY)
            self.show_map()
            self.show_curve(result.vois[0].name)
        return nodes

    # what the user does -------------------------------------------------------------------------------------------

    def choose_model(self, case: Case, name: str, model: str) -> None:
        """A model for one VOI; "auto" lets AICc (or the default for its kind) choose."""
        chosen = json.loads(case.parameters.kinetics.voiModels or "{}")
        chosen.pop(name, None)
        if model != _AUTO:
            chosen[name] = model
        case.parameters.kinetics.voiModels = json.dumps(chosen, sort_keys=True)

    def show_map(self) -> None:
        """The TIA map over the CT, with its legend. Raises KineticsError without one."""
        case = self.panel.case
        tia = case.node(at.TIA)
        if tia is None:
            raise KineticsError(_("There is no map yet: press Fit and integrate."))
        ct = next((point.ct for point in case.time_points() if point.ct is not None), None)
        views.show_over_ct(tia, ct, _("Time-integrated activity [Bq·s]"))
        views.show_volumes(case.node(at.VOIS), filled=False)

    def show_curve(self, name: str) -> None:
        """The chart of one VOI in the plot view."""
        chart = chart_of_voi(self.panel.case, name)
        if chart is not None:
            views.show_chart(chart)

    # showing ------------------------------------------------------------------------------------------------------

    def refresh(self, case: Case) -> None:
        """Settings, table, details of the chosen volume; what is missing."""
        ui, missing = self.ui, self.missing(case)
        self._showing = True
        try:
            ui.mapModelBox.setCurrentIndex(max(0, ui.mapModelBox.findText(case.parameters.kinetics.mapModel)))
            self._show_table(case)
        finally:
            self._showing = False
        busy = _("A step is running: wait for it, or cancel it.") if self.panel.runner.busy else ""
        reason = busy or "\n".join(missing)
        ui.runButton.enabled = not reason
        ui.runButton.toolTip = reason or _("Fit the curve of every volume and integrate every voxel over time")
        has_map = case.node(at.TIA) is not None
        ui.mapButton.enabled = has_map
        ui.mapButton.toolTip = (
            _("The map of time-integrated activity over the CT") if has_map else _("There is no map yet.")
        )
        ui.missingLabel.text = "\n".join(missing)
        ui.missingLabel.setVisible(bool(missing))
        self._show_details(case)

    def _show_table(self, case: Case) -> None:
        table, names, models = self.ui.table, _voi_names(case), self.models(case)
        figures = {told["name"]: told for told in figures_of_case(case)}
        table.setRowCount(len(names))
        for row, name in enumerate(names):
            item = table.item(row, 0)
            if item is None or item.text() != name or table.cellWidget(row, _MODEL) is None:
                self._cell(row, 0, name)
                table.setCellWidget(row, _MODEL, self._model_box(name))
            table.cellWidget(row, _MODEL).setCurrentIndex(self._models.index(models.get(name, _AUTO)))
            for column, (text, tip) in _cells(figures.get(name)).items():
                self._cell(row, column, text, tip)
        table.resizeColumnsToContents()

    def _cell(self, row: int, column: int, text: str, tip: str = "") -> None:
        item = qt.QTableWidgetItem(text)
        item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
        item.setToolTip(tip)
        self.ui.table.setItem(row, column, item)

    def _model_box(self, name: str) -> Any:
        box = qt.QComboBox()
        box.addItems(list(self._models))
        box.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(9)
        box.toolTip = _("Model of {name}; auto: the lowest AICc, or the default for its kind").format(name=name)
        box.connect("activated(int)", lambda index: self._on_model(name, index))
        return box

    def _show_details(self, case: Case) -> None:
        names, row = _voi_names(case), self.ui.table.currentRow()
        figures = {told["name"]: told for told in figures_of_case(case)}
        chosen = figures.get(names[row]) if 0 <= row < len(names) else next(iter(figures.values()), None)
        tia = case.node(at.TIA)
        lines = [] if chosen is None else details_of(chosen)
        if tia is not None:
            share = 100 * (at.number(tia, "ExtrapolatedFraction") or 0.0)
            lines.append(
                _("Map: {model}, {share:.1f} % of Ã after the last scan.").format(
                    model=at.text(tia, "Model"), share=share
                )
            )
            lines += at.lines(tia, "Warnings")
        self.ui.detailsLabel.text = in_panel_words("\n".join(lines))
        self.ui.detailsLabel.setVisible(bool(lines))

    # slots --------------------------------------------------------------------------------------------------------

    def _on_map_model(self, index: int) -> None:
        if not self._showing:
            self.panel.parameters.kinetics.mapModel = self._models[index]

    def _on_model(self, name: str, index: int) -> None:
        if not self._showing:
            self.choose_model(self.panel.case, name, self._models[index])

    def _on_row(self) -> None:
        names, row = _voi_names(self.panel.case), self.ui.table.currentRow()
        if not self._showing and 0 <= row < len(names):
            self.show_curve(names[row])
            self._show_details(self.panel.case)


def tia_settings_of(case: Case) -> Any:
    """The library's TiaSettings of the panel. Raises ConfigurationError for values that cannot be."""
    from RPTDosimetryLib.tia.settings import TiaSettings

    chosen = case.parameters.kinetics
    return TiaSettings(
        model=chosen.mapModel,
        weighting=chosen.weighting,
        tail=chosen.tail,
        start=chosen.start,
        tail_half_life_h=chosen.tailHalfLifeH or None,
        population_half_life_h=chosen.populationHalfLifeH or None,
        scan_time_h=chosen.scanTimeH or None,
        bootstrap=chosen.bootstrap,
    )


def details_of(figures: dict[str, Any]) -> list[str]:
    """What is known of the fit of one VOI, in lines."""
    lines = [_("{name}: {model}, {band}.").format(**figures)]
    compared = sorted(figures["aicc"].items(), key=lambda pair: pair[1][0])
    if len(compared) > 1:
        told = ", ".join(f"{model} {delta:.2f} ({100 * weight:.0f} %)" for model, (delta, weight) in compared)
        lines.append(_("ΔAICc (weight): {told}").format(told=told))
    few = figures["few_scans"]
    for each in few.get("few_scans", ()):
        hours = ", ".join(f"{hour:.4g}" for hour in each["scan_time_h"])
        text = _("{method} with {hours} h: {tia:.4g} MBq·h, {difference:+.1f} %")
        lines.append(
            text.format(
                method=each["method"],
                hours=hours,
                tia=megabecquerel_hours(each["tia_bq_s"]),
                difference=each["difference_percent"],
            )
        )
    lines += [f"{method}: {reason}" for method, reason in few.get("not_possible", {}).items()]
    return [*lines, *figures["warnings"]]


def _cells(figures: dict[str, Any] | None) -> dict[int, tuple[str, str]]:
    """Text and tooltip of the columns that a run fills."""
    if figures is None:
        return dict.fromkeys((_TIA, _TAIL, _DELTA, _FEW), ("", ""))
    tia = f"{megabecquerel_hours(figures['tia_bq_s']):.4g}"
    error = figures["tia_se_bq_s"]
    if error is not None:
        tia += f" ± {megabecquerel_hours(error):.2g}"
    interval = figures["tia_interval_bq_s"]
    told = _uncertainty_told(figures)
    if interval is not None:
        low, high = (megabecquerel_hours(value) for value in interval)
        told = _("central 95 % of the bootstrap: {low:.4g} to {high:.4g} MBq·h").format(low=low, high=high)
    others = sorted((delta, model) for model, (delta, _weight) in figures["aicc"].items() if model != figures["model"])
    largest = figures["few_scans"].get("largest_difference_percent")
    return {
        _TIA: (tia, f"{figures['model']}: {told}"),
        _TAIL: (f"{100 * figures['extrapolated_fraction']:.1f} %", _("share of Ã after the last scan")),
        _DELTA: (f"{others[0][1]} {others[0][0]:+.1f}" if others else "–", _("next best model and its ΔAICc")),
        _FEW: ("–" if largest is None else f"{largest:+.1f} %", _("largest difference of Ã by fewer scans")),
    }


def _uncertainty_told(figures: dict[str, Any]) -> str:
    """Where the ± of an integral is from, and what part of it that is; or why there is none."""
    error, tia = figures["tia_se_bq_s"], figures["tia_bq_s"]
    if error is None:
        return _("no ±: the model leaves no residuals to tell it by; a bootstrap may")
    share = f" = {100 * error / tia:.2g} %" if tia > 0 else ""
    return _("± 1 σ{share} from the residuals of the fit").format(share=share)


def _voi_names(case: Case) -> list[str]:
    node = case.node(at.VOIS)
    if node is None:
        return []
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())]
