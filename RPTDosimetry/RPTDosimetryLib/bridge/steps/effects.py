"""The part of step Report that weights doses: maps of BED and EQD2, sums over cycles, what is left to limits."""

from __future__ import annotations

from typing import Any, ClassVar

from slicer.i18n import tr as _

from RPTDosimetryLib.background import Request
from RPTDosimetryLib.bridge import assumptions, views
from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.effect_nodes import NAMES, effect_engines, effect_map, effects_told, put_effects
from RPTDosimetryLib.bridge.quantified import activity_check_of
from RPTDosimetryLib.bridge.report_order import order_of
from RPTDosimetryLib.bridge.steps.compare import anatomy, jump_to_hottest
from RPTDosimetryLib.bridge.steps.step import State, Step
from RPTDosimetryLib.errors import RadiobiologyError


class Effects(Step):
    """A step without a section of its own: its widgets are in Report.ui, its results are nodes of role EFFECT."""

    key: ClassVar[str] = "effects"
    title: ClassVar[str] = _("Biological effect")
    upstream: ClassVar[tuple[str, ...]] = ("segmentation", "kinetics", "dose")

    def missing(self, case: Case) -> list[str]:
        """Doses, and assumptions that can be."""
        told = [] if case.nodes(at.DOSE) else [_("There is no dose to weight: run step Dose.")]
        return [*told, *activity_check_of(case).refused, *assumptions.problems(case)]

    def settings(self, case: Case) -> Any:
        """The assumptions, and the doses that are weighted."""
        return [assumptions.told(case), case.content(case.nodes(at.DOSE))]

    def request(self, case: Case) -> Request:
        """What the report of the doses would compute."""
        order = order_of(case, self.others["kinetics"].choice(case), None)  # type: ignore[attr-defined]
        return Request("dose_effects", (order,))

    def take(self, case: Case, result: Any) -> list[Any]:
        """Maps and tables into the scene; the chosen map is shown."""
        nodes = put_effects(case, result)
        if self.panel is not None:
            said = [text for one in result for text in (*one.warnings, *_notes(one.rows))]
            if any(one.maps for one in result):
                self.show(case)
            else:
                said.insert(0, _("There is no map: no volume has an α/β and a repair half-time with a source."))
            self.panel.say("\n".join(dict.fromkeys(said)))
        return nodes

    def show(self, case: Case) -> None:
        """The chosen map over the CT with its legend. Raises RadiobiologyError where there is none."""
        kind = case.parameters.assumptions.shown.name
        volume = effect_map(case, shown_engine(case), kind)
        if volume is None:
            raise RadiobiologyError(self.not_there(case))
        views.show_over_ct(volume, anatomy(case), NAMES[kind][1])
        views.show_volumes(case.node(at.VOIS), filled=False)
        jump_to_hottest(volume)

    def not_there(self, case: Case) -> str:
        """Why the chosen map cannot be shown; empty where it can."""
        engine, kind = shown_engine(case), case.parameters.assumptions.shown.name
        if not engine:
            return _("There are no maps yet: press Make BED maps.")
        if effect_map(case, engine, kind) is not None:
            return ""
        if kind.startswith("cumulative") and not assumptions.rows_of(case, assumptions.PREVIOUS):
            return _("No earlier cycle is given, under Assumptions: there is no map of all cycles.")
        if kind.startswith("cumulative"):
            return _("Not every earlier cycle has a map on the present anatomy: there is no map of all cycles.")
        return _("No volume has an α/β and a repair half-time with a source: there is no such map.")

    def out_of_date(self, case: Case) -> bool:
        """Whether maps in the scene are of other doses or assumptions than those of now."""
        return self.state(case) is State.OUT_OF_DATE


def shown_engine(case: Case) -> str:
    """The engine whose effect is shown: the chosen one where it is there, else the first; empty without any."""
    known = effect_engines(case)
    chosen = str(case.parameters.assumptions.shownEngine)
    return chosen if chosen in known else next(iter(known), "")


def current_effects(case: Case, effects: Effects) -> dict[str, dict[str, Any]]:
    """What the scene holds by engine; empty where it is out of date."""
    engines = effect_engines(case)
    if not engines or effects.out_of_date(case):
        return {}
    return {engine: effects_told(case, engine) for engine in engines}


def _notes(rows: Any) -> list[str]:
    return [str(row["note"]) for row in rows if row["note"]]
