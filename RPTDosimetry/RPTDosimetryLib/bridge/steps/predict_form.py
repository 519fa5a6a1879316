"""The widgets of step Predict: what it predicts from, its methods, its organ table, the arithmetic of an activity."""

from __future__ import annotations

from typing import Any

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import prediction_order as order
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.prediction_beside import Beside
from RPTDosimetryLib.bridge.prediction_charts import colour_of_organ
from RPTDosimetryLib.bridge.prediction_nodes import answer_of, by_others, in_order, organs_of
from RPTDosimetryLib.bridge.prediction_parameters import OrgansOfPet, PetFrom
from RPTDosimetryLib.bridge.steps.volume_table import swatch
from RPTDosimetryLib.errors import PredictionError

#: Selectors and what they choose; path edits and the setting that holds their path.
_NODES = {"petSelector": order.PET, "ctSelector": order.CT, "organsSelector": order.ORGANS}
_PATHS = {"folderEdit": "folder", "labelsEdit": "labels", "modelEdit": "model"}
_FRAMES = {True: "border: 2px solid #d9534f; padding: 4px;", False: "border: 2px solid #5b9bd5; padding: 4px;"}


class PredictForm:
    """Widgets of Predict.ui; most boxes are bound to the settings."""

    def __init__(self, ui: Any, panel: Any) -> None:
        self.ui, self.panel, self._showing = ui, panel, False
        for name, what in _NODES.items():
            selector = getattr(ui, name)
            selector.setMRMLScene(slicer.mrmlScene)
            selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node, what=what: self._on_node(what, node))
        for name, setting in _PATHS.items():
            edit = getattr(ui, name)
            edit.filters = ctk.ctkPathLineEdit.Dirs if setting == "folder" else ctk.ctkPathLineEdit.Files
            edit.connect("currentPathChanged(QString)", lambda path, setting=setting: self._on_path(setting, path))
            edit.connect(
                "validInputChanged(bool)",
                lambda _valid, edit=edit, setting=setting: self._on_path(setting, edit.currentPath),
            )
        ui.modelEdit.filters = ctk.ctkPathLineEdit.Files | ctk.ctkPathLineEdit.Dirs
        ui.methods.connect("cellChanged(int,int)", self._on_method)
        ui.organBox.connect("activated(int)", self._on_organ)

    # sources and methods ------------------------------------------------------------------------------------------

    def refresh(self, case: Case) -> None:
        """Which sources can be used, the methods; every box as the settings have it."""
        ui, told = self.ui, case.parameters.predict
        self._showing = True
        try:
            for name, what in _NODES.items():
                selector, node = getattr(ui, name), order.chosen(case, what)
                if selector.currentNode() is not node:
                    selector.setCurrentNode(node)
            for name, setting in _PATHS.items():
                edit = getattr(ui, name)
                if edit.currentPath != getattr(told, setting):
                    edit.currentPath = getattr(told, setting)
            self._show_methods(case)
        finally:
            self._showing = False
        volumes, scene = told.source is PetFrom.volumes, told.organs is OrgansOfPet.scene
        self._show_row(("folderLabel", "folderEdit"), not volumes)
        self._show_row(("petLabel", "petSelector", "petUnitBox", "ctLabel", "ctSelector"), volumes)
        bq_per_ml = volumes and order.unit_of_pet(case) == "Bq/mL"
        self._show_row(("refersLabel", "refersBox"), bq_per_ml)
        self._show_row(("segmentationLabel", "organsSelector"), scene)
        self._show_row(("labelsLabel", "labelsEdit"), not scene)
        stated = order.stated_unit(order.chosen(case, order.PET))
        says = _("The volume says so itself: {unit}").format(unit=stated)
        _enable(ui.petUnitBox, says if stated else "", _("What its voxels are, where the volume does not say so"))
        there = order.therapy_ct_node(case) is not None or told.align
        none = _("There is no CT of a therapy in the scene: add time points in step Study.")
        lies = _("The organs then lie on the CT of the therapy's SPECT/CT, as those of step Segmentation do")
        _enable(ui.alignBox, "" if there else none, lies)

    def _show_row(self, names: tuple[str, ...], shown: bool) -> None:
        for name in names:
            getattr(self.ui, name).setVisible(shown)

    def _show_methods(self, case: Case) -> None:
        """Every method of the library; one that cannot be used is greyed and says why."""
        from RPTDosimetryLib.prediction.methods import method_choices

        table, choices = self.ui.methods, method_choices(order.model_of(case))
        if table.rowCount != len(choices):
            table.setColumnCount(2)
            table.setHorizontalHeaderLabels([_("method"), _("how")])
            table.setRowCount(len(choices))
            table.verticalHeader().setVisible(False)
            table.horizontalHeader().setStretchLastSection(True)
            table.verticalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)  # texts wrap
        for row, choice in enumerate(choices):
            ticked = choice.name == case.parameters.predict.method
            usable = not choice.lacks or ticked
            for column, text in enumerate((choice.name, choice.lacks or choice.text)):
                item = qt.QTableWidgetItem(text)
                flags = qt.Qt.ItemIsEnabled if usable else qt.Qt.NoItemFlags
                item.setFlags(flags | qt.Qt.ItemIsUserCheckable if column == 0 else flags)
                item.setToolTip(choice.lacks or choice.text)
                if column == 0:
                    item.setCheckState(qt.Qt.Checked if ticked else qt.Qt.Unchecked)
                there = table.item(row, column)
                if there is None or _told(there, column) != _told(item, column):
                    table.setItem(row, column, item)

    # results ------------------------------------------------------------------------------------------------------

    def show_results(self, case: Case, beside: Beside) -> None:
        """The verdict, the organs, what stands beside them, and the arithmetic."""
        ui, answer = self.ui, answer_of(case)
        ui.resultWidget.setVisible(bool(answer))
        if not answer:
            return
        warnings = answer["warnings"]
        known = _("No organ is unlike the patients that the predictor knows.")
        ui.verdictLabel.text = "\n".join(
            [f"{answer['mark']}: {answer['agent']}, {answer['activity_gbq']:g} GBq.", *(warnings or [known])]
        )
        ui.verdictLabel.setStyleSheet(_FRAMES[bool(warnings)])
        self._show_table(answer, beside)
        ui.besideLabel.text = beside.why_not or _beside_text(answer, beside)
        failed = [_("{name}: {why}").format(name=name, why=why) for name, why in answer["failed"].items()]
        ui.howLabel.text = "\n".join(
            [answer["how"], _spread_text(answer), _pet_text(answer), *failed, *answer["notes"]]
        )
        after = "" if beside.means else beside.why_not
        ui.plotBox.toolTip = "\n".join(
            text for text in (_("Which dose-volume histograms the plot shows"), after) if text
        )
        self._show_wanted(case, answer)

    def _show_table(self, answer: dict[str, Any], beside: Beside) -> None:
        table, others = self.ui.organTable, list(answer["others"])
        by_name = {organ.name: organ for organ in organs_of(answer)}
        organs = [by_name[name] for name in in_order(by_name)]
        gbq = answer["activity_gbq"]
        heads = [_("organ"), _("Gy/GBq"), _("95 %"), _("{gbq:g} GBq [Gy]").format(gbq=gbq), _("95 % [Gy]")]
        heads += [_("{name} [Gy/GBq]").format(name=name) for name in others]
        if beside.means:
            heads += [_("after therapy [Gy/GBq]"), _("difference [%]")]
        table.setColumnCount(len(heads))
        table.setHorizontalHeaderLabels(heads)
        table.setRowCount(len(organs))
        for row, organ in enumerate(organs):
            cells = [organ.name, *_figures(organ, 1.0), *_figures(organ, gbq)]
            cells += [_in_brackets(other) for other in by_others(answer, organ.name).values()]
            tip = "; ".join(organ.unlike)
            if beside.means:
                cells += _difference(organ, beside.means.get(organ.name))
                tip = "\n".join(text for text in (tip, _inside_text(organ, beside.means.get(organ.name))) if text)
            for column, text in enumerate(cells):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(tip)
                if column == 0:
                    item.setIcon(swatch(colour_of_organ(organ.name)))
                table.setItem(row, column, item)
        table.resizeColumnsToContents()

    def _show_wanted(self, case: Case, answer: dict[str, Any]) -> None:
        from RPTDosimetryLib.prediction.methods import activity_for

        ui, told, organs = self.ui, case.parameters.predict, organs_of(answer)
        names = in_order(organ.name for organ in organs if not organ.withheld)
        if [ui.organBox.itemText(n) for n in range(ui.organBox.count)] != names:
            ui.organBox.clear()
            ui.organBox.addItems(names)
        ui.organBox.setCurrentIndex(names.index(told.wantedOrgan) if told.wantedOrgan in names else -1)
        if not told.wantedGy > 0:
            ui.wantedText.text = _("Give a mean dose to see which activity would give it, if the prediction held.")
            return
        try:
            ui.wantedText.text = activity_for(organs, told.wantedOrgan, told.wantedGy).text
        except PredictionError as error:
            ui.wantedText.text = str(error)

    # slots --------------------------------------------------------------------------------------------------------

    def _on_node(self, what: str, node: Any) -> None:
        if not self._showing:
            order.choose(self.panel.case, what, node)
            self.panel.refresh_soon()

    def _on_path(self, setting: str, path: str) -> None:
        if not self._showing and getattr(self.panel.parameters.predict, setting) != path:
            setattr(self.panel.parameters.predict, setting, path)

    def _on_method(self, row: int, column: int) -> None:
        """One is ticked: the one that was ticked last."""
        if self._showing or column != 0:
            return
        item = self.ui.methods.item(row, 0)
        if item.checkState() == qt.Qt.Checked:
            self.panel.parameters.predict.method = item.text()
        self.panel.refresh_soon()

    def _on_organ(self, index: int) -> None:
        if not self._showing and index >= 0:
            self.panel.parameters.predict.wantedOrgan = self.ui.organBox.itemText(index)


def _enable(widget: Any, reason: str, otherwise: str) -> None:
    widget.enabled = not reason
    widget.toolTip = reason or otherwise


def _told(item: Any, column: int) -> tuple[Any, ...]:
    return item.text(), item.flags(), item.checkState() if column == 0 else None


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _figures(organ: Any, factor: float) -> list[str]:
    """Mean and interval; a dose that is withheld is said, not left empty."""
    if organ.withheld:
        return [_("withheld"), "–"]
    mean, low, high = (factor * v for v in (organ.mean_gy_per_gbq, organ.low_gy_per_gbq, organ.high_gy_per_gbq))
    return [_number(mean), f"{low:.3g} – {high:.3g}"]


def _in_brackets(organ: Any) -> str:
    mean, interval = _figures(organ, 1.0)
    return mean if organ.withheld else f"{mean} ({interval})"


def _difference(organ: Any, after: float | None) -> list[str]:
    """After therapy [Gy/GBq], and predicted minus that in % of it."""
    if after is None or organ.withheld or not after > 0:
        return [_number(after), "–"]
    return [_number(after), f"{100.0 * (organ.mean_gy_per_gbq / after - 1.0):+.1f}"]


def _inside_text(organ: Any, after: float | None) -> str:
    if after is None or organ.withheld:
        return ""
    if organ.low_gy_per_gbq <= after <= organ.high_gy_per_gbq:
        return _("The dose after therapy lies inside the predicted 95 % interval.")
    return _("The dose after therapy lies outside the predicted 95 % interval.")


def _beside_text(answer: dict[str, Any], beside: Beside) -> str:
    told = _(
        "After therapy: dose by {engine} of {gbq:.4g} GBq given. Difference: predicted minus after therapy, in % of it."
    )
    text = told.format(engine=beside.engine, gbq=beside.activity_gbq)
    if answer["aligned"] is None:
        text += " " + _("The PET/CT was not aligned with it: organs are compared, voxels lie elsewhere.")
    return text


def _spread_text(answer: dict[str, Any]) -> str:
    """What the map of the uncertainty holds: less than the whole."""
    if answer["method"] == "gan":
        return _(
            "Uncertainty map: where its networks disagree, a lower bound; intervals of organs are by patients left out."
        )
    return _("Uncertainty map: that of each organ's mean alone; how a dose spreads inside an organ is not in it.")


def _pet_text(answer: dict[str, Any]) -> str:
    told = _("PET: {tracer}, {minutes:.0f} min after injection, {weight:.1f} kg; SUV {how}.")
    text = told.format(
        tracer=answer["tracer"], minutes=answer["scan_time_min"], weight=answer["weight_kg"], how=answer["suv"]
    )
    if answer["aligned"] is not None:
        text += " " + _("Aligned with the CT of the therapy: moved by {mm:.1f} mm.").format(mm=answer["aligned"])
    return text
