"""Step 9, Predict: before therapy, from one PET, the dose to come; a prediction that no other step needs."""

from __future__ import annotations

from typing import Any, ClassVar

import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.background import Request
from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import prediction_nodes as nodes
from RPTDosimetryLib.bridge import prediction_order as order
from RPTDosimetryLib.bridge import views
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.geometry import ras_point
from RPTDosimetryLib.bridge.prediction_beside import beside_of, therapy_dose
from RPTDosimetryLib.bridge.prediction_charts import put_chart
from RPTDosimetryLib.bridge.prediction_parameters import BesidePrediction
from RPTDosimetryLib.bridge.steps.predict_form import PredictForm
from RPTDosimetryLib.bridge.steps.step import State, Step
from RPTDosimetryLib.errors import PredictionError

_OPACITY = 0.7
#: Stands above the scale of every predicted map.
_MARK = _("PREDICTION")


class PredictStep(Step):
    """Its results are PET, predicted dose, uncertainty and figures; nothing upstream, nothing downstream."""

    key: ClassVar[str] = "predict"
    title: ClassVar[str] = _("Predict (before therapy)")
    ui_file: ClassVar[str] = "Predict.ui"
    _form: Any = None
    _charted: Any = None  # what the chart was last made from
    _rescaled: Any = None  # the dose after therapy on the colours of the prediction: its node's ID, its own scale

    def setup(self) -> None:
        """Connect what can be used."""
        ui = self.ui
        self._form = PredictForm(ui, self.panel)
        ui.runButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.run))
        ui.showButton.connect("clicked(bool)", lambda _checked: self.panel.guard(self.show_side_by_side))
        ui.besideBox.connect("activated(int)", lambda _n: self.panel.guard(self.show_side_by_side))
        ui.plotBox.connect("activated(int)", lambda _n: self.panel.guard(self.show_plot))

    # what it lacks and runs ---------------------------------------------------------------------------------------

    def missing(self, case: Case) -> list[str]:
        """What is not chosen or said, and why the method cannot be used."""
        if not order.begun(case):  # most people never do: nothing of the library is loaded for them
            return [_("Choose the PET/CT before therapy, where there is one.")]
        from RPTDosimetryLib.prediction.methods import method_choices

        told = case.parameters.predict
        lacks = [c.lacks for c in method_choices(order.model_of(case)) if c.name == told.method and c.lacks]
        return [*order.missing(case), *lacks]

    def needs_review(self, case: Case) -> list[str]:
        """Contours of step Segmentation that nobody has accepted, where they are predicted with."""
        return order.unreviewed_organs(case)

    def settings(self, case: Case) -> Any:
        """PET, organs, all that is said of them, method and activity."""
        return order.settings(case)

    def state(self, case: Case) -> State:
        """Optional until somebody begins it."""
        if not self.results(case) and not order.begun(case):
            return State.OPTIONAL
        return super().state(case)

    def request(self, case: Case) -> Request:
        """The whole prediction in the background."""
        return Request("predict_study", (order.order_of(case),))

    def take(self, case: Case, result: Any) -> list[Any]:
        """Put the prediction into the scene and show it."""
        made = nodes.put_prediction(case, result, case.parameters.predict.plannedGbq)
        self._charted = None
        self._show(case)
        if self.panel is not None:
            answer = nodes.answer_of(case)
            self.panel.say("\n".join([f"{answer['mark']}. {answer['how']}", *answer["warnings"], *answer["notes"]]))
        return made

    def pause(self) -> None:
        """The dose after therapy has its own colours again."""
        if self._rescaled is None:
            return
        identifier, low, high, seen_from = self._rescaled
        node = slicer.mrmlScene.GetNodeByID(identifier)
        if node is not None:
            node.GetDisplayNode().SetWindowLevelMinMax(low, high)
            node.GetDisplayNode().SetLowerThreshold(seen_from)
        self._rescaled = None

    def forget(self) -> None:
        """Chart and colours go with the scene."""
        self._charted = self._rescaled = None

    # what the user does -------------------------------------------------------------------------------------------

    def show_side_by_side(self) -> None:
        """PET, predicted dose and what is chosen beside it, with the histograms."""
        self._show(self.panel.case)

    def show_plot(self) -> None:
        """The chosen histograms in the plot view."""
        case = self.panel.case
        chart = put_chart(case, beside_of(case))
        if chart is None:
            raise PredictionError(_("There is no prediction yet: press Predict."))
        views.show_chart(chart)

    def _show(self, case: Case) -> None:
        """The layout without the panel's widgets: scripts see it too."""
        pet, dose, ct = (nodes.part(case, kind) for kind in (nodes.PET, nodes.DOSE, nodes.CT))
        if pet is None or dose is None:
            raise PredictionError(_("There is no prediction yet: press Predict."))
        third, below = self._third(case, ct)
        views.show_layout(views.COMPARE)
        for view, volume, under in zip(views.compared_views(), (pet, dose, third), (ct, ct, below), strict=False):
            views.show_in(view, under or volume, volume if under is not None else None, _OPACITY)
        views.show_in("Green", ct or dose, dose if ct is not None else None, _OPACITY)
        views.fit_slices()
        views.link_slices(True)
        self._jump(case)
        views.show_volumes(order.chosen(case, order.ORGANS), filled=False)
        views.hide_legends()
        views.show_legend(pet, _("PET\n[SUV]"))
        views.show_legend(dose, _MARK + _("\nabsorbed dose [Gy]"))
        if third is not None:
            predicted = at.role(third) == at.PREDICTION
            title = _MARK + _("\nstandard uncertainty [Gy]") if predicted else _("After therapy\nabsorbed dose [Gy]")
            views.show_legend(third, title)
        chart = put_chart(case, beside_of(case))
        if chart is not None:
            views.show_chart(chart)

    def _third(self, case: Case, ct: Any) -> tuple[Any, Any]:
        """What the third view shows and the CT below it: the uncertainty, or the dose after therapy on its own CT."""
        self.pause()
        after = therapy_dose(case)
        if case.parameters.predict.beside is BesidePrediction.therapy and after is not None:
            display = after.GetDisplayNode()
            scale = (display.GetWindowLevelMin(), display.GetWindowLevelMax(), display.GetLowerThreshold())
            self._rescaled = (after.GetID(), *scale)
            _on_one_scale(after, nodes.part(case, nodes.DOSE), beside_of(case).activity_gbq)
            return after, order.therapy_ct_node(case)
        return nodes.part(case, nodes.UNCERTAINTY), ct

    @staticmethod
    def _jump(case: Case) -> None:
        """Every slice view through the middle of the kidneys."""
        x, y, z = ras_point(nodes.answer_of(case)["kidneys_at_lps_mm"])
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            node.JumpSliceByOffsetting(float(x), float(y), float(z))

    # showing ------------------------------------------------------------------------------------------------------

    def refresh(self, case: Case) -> None:
        """Sources, what is missing, figures; the chart where what it is made from has changed."""
        ui, told = self.ui, self.missing(case)
        ui.missingLabel.text = "\n".join(told)
        ui.missingLabel.setVisible(bool(told) and order.begun(case))
        busy = _("A step is running: wait for it, or cancel it.") if self.panel.runner.busy else ""
        reason = busy or "\n".join(told)
        ui.runButton.enabled = not reason
        ui.runButton.toolTip = reason or _("Predict the dose of the planned activity; it can be cancelled")
        self._form.refresh(case)
        beside = beside_of(case)
        self._form.show_results(case, beside)
        self._follow_chart(case, beside.key)

    def _follow_chart(self, case: Case, key: str) -> None:
        """The chart in the plot view follows the boxes, and the dose after therapy."""
        answer = nodes.part(case, nodes.ANSWER)
        told = case.parameters.predict
        wanted = None if answer is None else (answer.GetID(), told.plot.name, told.wantedOrgan, key)
        if wanted != self._charted:
            self._charted = wanted
            put_chart(case, beside_of(case))


def _on_one_scale(after: Any, predicted: Any, given_gbq: float) -> None:
    """One colour for one dose per activity; scales in Gy differ where other than the planned activity was given."""
    planned_gbq = at.number(predicted, "ActivityGbq") or 0.0
    theirs, ours = predicted.GetDisplayNode(), after.GetDisplayNode()
    if given_gbq > 0 and planned_gbq > 0:
        ours.SetAutoWindowLevel(False)
        ours.SetWindowLevelMinMax(0.0, theirs.GetWindowLevelMax() * given_gbq / planned_gbq)
        ours.SetLowerThreshold(theirs.GetLowerThreshold() * given_gbq / planned_gbq)
