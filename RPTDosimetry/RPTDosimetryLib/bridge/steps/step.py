"""What every step of the panel is: a title, a .ui file, what it lacks, what it runs, and how its results stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from RPTDosimetryLib.background import Request, perform
from RPTDosimetryLib.bridge.case import Case, fingerprint
from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.records import Progress, silent

if TYPE_CHECKING:
    from RPTDosimetryLib.bridge.panel import Panel


class State(Enum):
    """How a step stands."""

    TODO = "to do"  # something is missing
    OPTIONAL = "optional"  # nothing of it is begun, and no other step needs it
    READY = "ready"
    DONE = "done"
    OUT_OF_DATE = "out of date"  # settings or what it was made from have changed since
    NEEDS_REVIEW = "needs review"


@dataclass(frozen=True)
class Watched:
    """An event of a node, and the slot that hears of it."""

    node: Any
    event: int
    slot: Callable[..., None]


class Step:
    """Base of all steps. Override the first four and, where a verb is run, the next three.

    Nothing here is remembered between calls but widgets: what a step knows is in the scene and in the parameters.
    """

    key: ClassVar[str] = ""
    title: ClassVar[str] = ""
    ui_file: ClassVar[str] = ""  # in Resources/UI
    upstream: ClassVar[tuple[str, ...]] = ()  # keys of the steps whose results this one uses

    def __init__(self, panel: Panel | None = None) -> None:
        self.panel: Any = panel
        self.others: Mapping[str, Step] = {}
        self.widget: Any = None
        self.ui: Any = None  # the widgets of the .ui file by name

    def setup(self) -> None:
        """Connect the widgets of self.ui. Called once, after the .ui file was loaded."""

    def refresh(self, case: Case) -> None:
        """Show what the scene holds; enable what can be done, with tooltips that say what is missing.

        Called while the step is unfolded, and when it is unfolded.
        """

    def watched(self, case: Case) -> list[Watched]:
        """What is edited elsewhere in Slicer and changes this step; the panel observes it while the module is open."""
        return []

    def pause(self) -> None:
        """The user leaves the module, or folds the step: end what would go on in the views (an effect of an editor)."""

    def ended(self, case: Case) -> None:
        """Its job is over, however that was, or could not be started: remove what was laid out for it and what came on
        the way. Its answer, if any, comes next.
        """

    def resume(self) -> None:
        """The user is back."""

    def forget(self) -> None:
        """The scene is closed: hold none of its nodes."""

    def missing(self, case: Case) -> list[str]:
        """Sentences that say what the step still lacks; empty when it can run (or has nothing to run)."""
        return []

    def needs_review(self, case: Case) -> list[str]:
        """Sentences that say what a person has to look at; shown as a mark until it was done."""
        return []

    def settings(self, case: Case) -> Any:
        """JSON-able values that change the result; part of its fingerprint."""
        return None

    def request(self, case: Case) -> Request:
        """The verb of background.VERBS that this step runs, and what it is given."""
        raise NotImplementedError

    def take(self, case: Case, result: Any) -> list[Any]:
        """Put the verb's answer into the scene; return the nodes made. Older results are the step's to remove."""
        raise NotImplementedError

    def take_interim(self, case: Case, file: Path) -> None:
        """Show a result on its way (interim_dose.py); it is none yet, and goes when the job ends."""

    def kept(self, case: Case) -> str:
        """A sentence that says what a stopped job left to go on from; empty where nothing is."""
        return ""

    def outputs_fingerprint(self, case: Case) -> str:
        """Changes whenever steps downstream must run again. A step whose results are edited adds their content."""
        return self.inputs_fingerprint(case)

    # given --------------------------------------------------------------------------------------------------------

    def inputs_fingerprint(self, case: Case) -> str:
        """Digest of the settings and of all that the results are made from."""
        return case.once(("inputs", self.key), lambda: self._inputs_fingerprint(case))

    def _inputs_fingerprint(self, case: Case) -> str:
        steps = [self.others[key] for key in self.upstream if key in self.others]
        above = [case.once(("outputs", step.key), partial(step.outputs_fingerprint, case)) for step in steps]
        return fingerprint([self.key, self.settings(case), above])

    def results(self, case: Case) -> list[Any]:
        """The nodes that this step made."""
        return case.results_of(self.key)

    def state(self, case: Case) -> State:
        """How the step stands; a result is never hidden because something is missing by now: it is out of date."""
        results = self.results(case)
        if not results:
            return State.TODO if self.missing(case) else State.READY
        now = self.inputs_fingerprint(case)
        if any(case.made_from(node) != now for node in results):
            return State.OUT_OF_DATE
        return State.NEEDS_REVIEW if self.needs_review(case) else State.DONE

    def stale_upstream(self, case: Case) -> list[str]:
        """Sentences that name the steps above whose results are out of date: what comes of them would look current."""
        steps = [self.others[key] for key in self.upstream if key in self.others]
        told = "Step {title} is out of date: run it again first."
        return [told.format(title=step.title) for step in steps if step.state(case) is State.OUT_OF_DATE]

    def run(self) -> None:
        """Run the step's verb in the background and take its answer (the panel's way)."""
        case = self.panel.case
        request, made_from = self._prepared(case)
        self.panel.start(self, request, lambda result: self._taken(self.panel.case, result, made_from))

    def run_now(self, case: Case, progress: Progress = silent) -> list[Any]:
        """Run the step's verb here and wait for it (a script's way). Returns the nodes made."""
        request, made_from = self._prepared(case)
        return self._taken(case, perform(request, progress), made_from)

    def _prepared(self, case: Case) -> tuple[Request, str]:
        with case.reading():
            lacking = self.missing(case) or self.stale_upstream(case)
            if lacking:
                raise ConfigurationError(" ".join(lacking))
            return self.request(case), self.inputs_fingerprint(case)

    def _taken(self, case: Case, result: Any, made_from: str) -> list[Any]:
        nodes = self.take(case, result)
        for node in nodes:
            case.mark(node, self.key, made_from)
        return nodes
