"""The sample case from the first step to the last by the panel's own buttons: for the self test and the pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer

from RPTDosimetryLib.background import SAMPLE_SEED
from RPTDosimetryLib.bridge.dose_nodes import organ_doses_of_case
from RPTDosimetryLib.bridge.runner import JobError
from RPTDosimetryLib.bridge.steps.step import State

if TYPE_CHECKING:
    from RPTDosimetryLib.bridge.case import Case
    from RPTDosimetryLib.bridge.panel import Panel

REVIEWER = "Self test"


def click_through(panel: Panel, report_folder: Path, engines: tuple[str, ...] = ("local", "msv8")) -> Iterator[str]:
    """Do what a user does with the sample case; yields the key of each step when it is done, its results in the views.

    The scene has to be empty. Raises JobError with what the panel says where a step is not done.
    """
    yield _run(panel, "study", "sampleButton")
    yield _run(panel, "calibration", "runButton")
    yield _run(panel, "registration", "runButton")
    _press(panel, "registration", "acceptAllButton")
    yield _run(panel, "segmentation", "runButton")
    _widget(panel, "segmentation", "reviewerEdit").text = REVIEWER
    _press(panel, "segmentation", "acceptAllButton")
    yield _run(panel, "kinetics", "runButton")
    panel.open_step("dose")
    _tick(_widget(panel, "dose", "engines"), engines)
    yield _run(panel, "dose", "runButton")
    yield _run(panel, "compare", "compareButton")
    panel.open_step("report")
    _press(panel, "report", "effectsButton")
    panel.runner.wait()
    _widget(panel, "report", "reviewerEdit").text = REVIEWER
    _widget(panel, "report", "folderEdit").currentPath = str(report_folder)
    yield _run(panel, "report", "exportButton")


def errors_against_truth(case: Case) -> dict[str, dict[str, float]]:
    """Computed/true − 1 of the mean dose of each volume of the sample case, by engine.

    True: Monte Carlo in the exact activity, density and outlines of the virtual patient, made anew (about 30 s).
    """
    from RPTDosimetryLib.demo import organ_errors, true_organ_doses
    from RPTDosimetryLib.virtual_patient.demo_study import write_demo_study

    with tempfile.TemporaryDirectory() as folder:
        true = true_organ_doses(write_demo_study(Path(folder), SAMPLE_SEED))
    return {
        engine: {row.name: row.error_fraction for row in organ_errors(rows, true)}
        for engine, rows in organ_doses_of_case(case).items()
    }


def _run(panel: Panel, key: str, button: str) -> str:
    _press(panel, key, button)
    panel.runner.wait()
    slicer.app.processEvents()
    step = panel.steps[key]
    if step.state(panel.case) not in (State.DONE, State.NEEDS_REVIEW):
        raise JobError(f"Step {step.title} is not done: {panel.said or step.missing(panel.case)}")
    return key


def _press(panel: Panel, key: str, button: str) -> None:
    """Unfold the step, let the window catch up, press."""
    panel.open_step(key)
    slicer.app.processEvents()
    _widget(panel, key, button).click()
    slicer.app.processEvents()


def _widget(panel: Panel, key: str, name: str) -> Any:
    return getattr(panel.steps[key].ui, name)


def _tick(table: Any, engines: tuple[str, ...]) -> None:
    for row in range(table.rowCount):
        item = table.item(row, 0)
        item.setCheckState(qt.Qt.Checked if item.text() in engines else qt.Qt.Unchecked)
