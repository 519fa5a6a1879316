"""The panel: steps from top to bottom, a place for messages, the running job; and what ties them to the scene."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ctk
import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from RPTDosimetryLib.background import Request
from RPTDosimetryLib.bridge import dependencies, views
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.runner import Hooks, Runner
from RPTDosimetryLib.bridge.runner import State as JobState
from RPTDosimetryLib.bridge.steps import make_steps
from RPTDosimetryLib.bridge.steps.step import State, Step, Watched
from RPTDosimetryLib.bridge.words import in_panel_words
from RPTDosimetryLib.errors import DosimetryError

#: Lines of a message that are shown; its tooltip holds all. More would push the steps off a small screen.
_LINES_SHOWN = 5
_MARKS = {
    State.TODO: "○",
    State.OPTIONAL: "○",
    State.READY: "●",
    State.DONE: "✓",
    State.OUT_OF_DATE: "↻",
    State.NEEDS_REVIEW: "!",
}


class Panel(VTKObservationMixin):
    """What RPTDosimetryWidget shows. Steps reach the case, the runner and the message area through it."""

    def __init__(self, logic: Any, resource_path: Callable[[str], str]) -> None:
        VTKObservationMixin.__init__(self)
        self.logic, self._resource_path = logic, resource_path
        self._gui_tag: Any = None
        self._observed: Any = None
        self._entered = False
        self._running: Step | None = None
        self._stopped: Step | None = None  # whose job ended last
        hooks = (self._show_job, self.say_error, self._take_interim, self._on_stopped)
        self.runner = Runner(Hooks(lambda: self.case.identity, *hooks))
        self._said = ""
        self._soon = qt.QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.connect("timeout()", self.refresh)
        self._watched: list[Watched] = []
        self.steps = make_steps(self)
        self._headers: dict[str, Any] = {}
        self.widget = self._built()
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_close)
        for event in (scene.EndCloseEvent, scene.EndImportEvent, scene.EndRestoreEvent):
            self.addObserver(scene, event, self._on_new_scene)
        self.addObserver(scene, scene.NodeAddedEvent, self._on_nodes)
        self.addObserver(scene, scene.NodeRemovedEvent, self._on_nodes)

    @property
    def case(self) -> Case:
        """The case of the scene as it is now."""
        return self.logic.case()

    @property
    def parameters(self) -> Any:
        """The typed parameter node."""
        return self.case.parameters

    # for steps ----------------------------------------------------------------------------------------------------

    def start(self, step: Step, request: Request, on_result: Callable[[Any], None]) -> None:
        """Run a verb in the background for a step; errors end in the message area."""
        try:
            self.runner.start(step.title, request, lambda result: self._take(on_result, result))
        except DosimetryError:
            step.ended(self.case)
            raise
        self._running = step
        self.say("")
        self.refresh()

    def _take(self, on_result: Callable[[Any], None], result: Any) -> None:
        self.guard(lambda: on_result(result))

    def _take_interim(self, file: Path) -> None:
        running = self._running
        if running is not None:
            self.guard(lambda: running.take_interim(self.case, file))

    def guard(self, action: Callable[[], Any]) -> bool:
        """Do something the user asked for; True when it went well.

        An error that the library raises on purpose is a sentence in the message area. Anything else is a defect: Slicer
        shows it with its traceback, the message area says so.
        """
        try:
            action()
        except DosimetryError as error:
            self.say_error(str(error))
            return False
        except Exception as error:
            self.say_error(_("Something went wrong that should not: {error}").format(error=error))
            with slicer.util.tryWithErrorDisplay(_("RPT Dosimetry failed.")):
                raise
        finally:
            self._show_install()
            self.refresh()
        return True

    def say(self, text: str) -> None:
        """A line in the message area; empty clears it."""
        self._say(text)

    def say_error(self, text: str, details: str = "") -> None:
        """An error in the message area and in Slicer's log; details (a traceback) as tooltip."""
        logging.warning(text + ("\n" + details if details else ""))
        self._say(text, error=True, details=details)
        self.refresh_soon()

    @property
    def said(self) -> str:
        """The message, whole; of a long one the message area shows the first lines."""
        return self._said

    def open_step(self, key: str) -> None:
        """Unfold one step, fold the others."""
        for other, header in self._headers.items():
            header.collapsed = other != key

    def refresh_soon(self) -> None:
        """Refresh once, when the events that are under way have been handled."""
        self._soon.start()

    def refresh(self) -> None:
        """Show the scene as it is now in every step, and how each stands."""
        if self._observed is None:
            return
        case = self.case
        with case.reading():
            for step in self.steps.values():
                if not self._headers[step.key].collapsed:
                    step.refresh(case)
            for number, step in enumerate(self.steps.values(), start=1):
                self._show_header(case, step, number)
            self._watch([each for step in self.steps.values() for each in step.watched(case)])

    def _show_header(self, case: Case, step: Step, number: int) -> None:
        state = step.state(case)
        running = self.runner.busy and step is self._running
        told = _("running") if running else _told(state)
        header = self._headers[step.key]
        _retitle(header, f"{number}. {step.title}   {'…' if running else _MARKS[state]} {told}", number)
        header.toolTip = in_panel_words("\n".join([*step.missing(case), *step.needs_review(case)])) or told

    def _on_folded(self, step: Step, collapsed: bool) -> None:
        if collapsed:
            step.pause()
        elif self._observed is not None:
            step.resume()
            with self.case.reading():
                step.refresh(self.case)

    def _watch(self, wanted: list[Watched]) -> None:
        """Observe these, and nothing else that steps asked for before."""
        for old in [each for each in self._watched if each not in wanted]:
            self.removeObserver(old.node, old.event, old.slot)
        for new in [each for each in wanted if each not in self._watched]:
            self.addObserver(new.node, new.event, new.slot)
        self._watched = wanted

    # life ---------------------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """The user opens the module: show the scene as it is by now, and follow it."""
        self._entered = True
        self.connect()
        for step in self.steps.values():
            if not self._headers[step.key].collapsed:
                step.resume()

    def leave(self) -> None:
        """The user opens another module: nothing of the panel goes on in the views. A running job does."""
        self._entered = False
        for step in self.steps.values():
            step.pause()
        views.end_placing(self.case.nodes())
        self._soon.stop()
        self.disconnect()

    def connect(self) -> None:
        """Bind the widgets to the parameter node of the scene."""
        self.disconnect()
        views.register_layouts()
        parameters = self.parameters
        self._observed = parameters
        self._show_install()
        self._gui_tag = parameters.connectGui(self._bound_widgets())
        self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._on_parameters)
        self.refresh()

    def disconnect(self) -> None:
        """Let go of the parameter node."""
        if self._observed is not None:
            self._observed.disconnectGui(self._gui_tag)
            self.removeObserver(self._observed.parameterNode, vtk.vtkCommand.ModifiedEvent, self._on_parameters)
            self._observed = None
        self._watch([])

    def close(self) -> None:
        """The module is going away: no job, no observer and no timer stays."""
        self._soon.stop()
        self.runner.cancel()
        self._let_go()
        self.disconnect()
        self.removeObservers()

    def _on_close(self, _caller: Any = None, _event: Any = None) -> None:
        self.runner.cancel()
        self._let_go()
        self.disconnect()
        self.logic.forgetCase()

    def _let_go(self) -> None:
        for step in self.steps.values():
            step.pause()
            step.forget()

    def _on_new_scene(self, _caller: Any = None, _event: Any = None) -> None:
        self.logic.forgetCase()
        self.say("")
        if self._entered:
            self.connect()

    def _on_nodes(self, _caller: Any = None, _event: Any = None) -> None:
        if self._observed is not None:
            self.refresh_soon()

    def _on_parameters(self, _caller: Any = None, _event: Any = None) -> None:
        self.refresh_soon()

    # widgets ------------------------------------------------------------------------------------------------------

    def _built(self) -> Any:
        widget = slicer.qMRMLWidget()
        column = qt.QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        widget.setLayout(column)
        self._build_message(column)
        self._build_install(column)
        self._build_job(column)
        for step in self.steps.values():
            header = ctk.ctkCollapsibleButton()
            header.objectName = f"{step.key}Header"
            inside = qt.QVBoxLayout()
            header.setLayout(inside)
            step.widget = slicer.util.loadUI(self._resource_path(f"UI/{step.ui_file}"))
            inside.addWidget(step.widget)
            step.ui = slicer.util.childWidgetVariables(step.widget)
            column.addWidget(header)
            self._headers[step.key] = header
            header.connect("contentsCollapsed(bool)", lambda collapsed, step=step: self._on_folded(step, collapsed))
            step.setup()
        column.addStretch(1)
        widget.setMRMLScene(slicer.mrmlScene)
        self.open_step(next(iter(self.steps)))
        return widget

    def _bound_widgets(self) -> Any:
        """Every named widget of every step, under names that cannot collide."""
        every = type("Widgets", (), {})()
        for key, step in self.steps.items():
            for name, widget in vars(step.ui).items():
                setattr(every, f"{key}_{name}", widget)
        return every

    def _build_message(self, column: Any) -> None:
        self.message = qt.QLabel()
        self.message.objectName = "message"
        self.message.wordWrap = True
        self.message.setTextInteractionFlags(qt.Qt.TextSelectableByMouse | qt.Qt.TextSelectableByKeyboard)
        self.message.setVisible(False)
        column.addWidget(self.message)

    def _build_install(self, column: Any) -> None:
        """A button for the packages that Slicer does not bring along; hidden when nothing is missing."""
        self.install_button = qt.QPushButton()
        self.install_button.objectName = "installButton"
        self.install_button.connect("clicked(bool)", lambda _checked: self.guard(dependencies.install))
        column.addWidget(self.install_button)

    def _show_install(self) -> None:
        requirements, megabytes = dependencies.missing_packages()
        self.install_button.setVisible(bool(requirements))
        if requirements:
            self.install_button.text = _("Install missing Python packages (about {mb} MB)").format(mb=megabytes)
            self.install_button.toolTip = _("Steps need them: {names}").format(names=", ".join(requirements))

    def _build_job(self, column: Any) -> None:
        self.job = qt.QWidget()
        row = qt.QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        self.job.setLayout(row)
        self._bar = qt.QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._job_text = qt.QLabel()
        self._job_text.wordWrap = True
        self.cancel_button = qt.QPushButton(_("Cancel"))
        self.cancel_button.objectName = "cancelButton"
        self.cancel_button.toolTip = _(
            "Stop the running step; nothing is changed, a Monte Carlo run keeps what is done"
        )
        self.cancel_button.connect("clicked(bool)", self._on_cancel)
        row.addWidget(self._bar, 1)
        row.addWidget(self._job_text, 2)
        row.addWidget(self.cancel_button)
        self.job.setVisible(False)
        column.addWidget(self.job)

    def _on_cancel(self, _checked: bool = False) -> None:
        self.runner.stop()

    def _on_stopped(self) -> None:
        kept = "" if self._stopped is None else self._stopped.kept(self.case)
        self.say(kept or _("Cancelled; nothing was changed."))
        self.refresh()

    def _show_job(self, state: JobState | None) -> None:
        self.job.setVisible(state is not None)
        if state is None:
            self._stopped, self._running = self._running, None
            if self._stopped is not None:
                self._stopped.ended(self.case)
            self.refresh_soon()
            return
        self._bar.setValue(round(1000 * state.fraction))
        own = "s left" in state.text  # the library's own estimate is the better one
        left = "" if state.left_s is None or own else _(", about {seconds:.0f} s left").format(seconds=state.left_s)
        elapsed = _("{seconds:.0f} s").format(seconds=state.elapsed_s)
        self._job_text.text = f"{state.text} ({elapsed}{left})"

    def _say(self, text: str, error: bool = False, details: str = "") -> None:
        self._said = in_panel_words(text)
        lines = self._said.split("\n")
        more = _("… and {n} more lines: rest the mouse here to read them.").format(n=len(lines) - _LINES_SHOWN + 1)
        fits = len(lines) <= _LINES_SHOWN
        self.message.text = self._said if fits else "\n".join([*lines[: _LINES_SHOWN - 1], more])
        self.message.toolTip = details or ("" if fits else self._said)
        self.message.setVisible(bool(text))
        # A frame in a colour that is readable on light and on dark themes; the words carry the meaning.
        colour = "#d9534f" if error else "#5b9bd5"
        self.message.setStyleSheet(f"border: 2px solid {colour}; padding: 4px;" if text else "")


def _told(state: State) -> str:
    return {
        State.TODO: _("to do"),
        State.OPTIONAL: _("optional"),
        State.READY: _("ready"),
        State.DONE: _("done"),
        State.OUT_OF_DATE: _("out of date"),
        State.NEEDS_REVIEW: _("needs review"),
    }[state]


def _retitle(header: Any, text: str, number: int) -> None:
    """The header's text; Alt and the number fold and unfold it (a new text takes the shortcut away)."""
    if header.text != text:
        header.text = text
        header.setShortcut(qt.QKeySequence(f"Alt+{number}"))
