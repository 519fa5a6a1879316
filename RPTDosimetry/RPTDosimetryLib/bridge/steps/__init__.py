"""The steps of the panel, from top to bottom. Adding one: its file here, its .ui in Resources/UI, its line in STEPS."""

from __future__ import annotations

from typing import Any

from RPTDosimetryLib.bridge.steps.calibration import CalibrationStep
from RPTDosimetryLib.bridge.steps.compare import CompareStep
from RPTDosimetryLib.bridge.steps.dose import DoseStep
from RPTDosimetryLib.bridge.steps.kinetics import KineticsStep
from RPTDosimetryLib.bridge.steps.predict import PredictStep
from RPTDosimetryLib.bridge.steps.registration import RegistrationStep
from RPTDosimetryLib.bridge.steps.report import ReportStep
from RPTDosimetryLib.bridge.steps.segmentation import SegmentationStep
from RPTDosimetryLib.bridge.steps.step import Step
from RPTDosimetryLib.bridge.steps.study import StudyStep

STEPS: tuple[type[Step], ...] = (
    StudyStep,
    CalibrationStep,
    RegistrationStep,
    SegmentationStep,
    KineticsStep,
    DoseStep,
    CompareStep,
    ReportStep,
    PredictStep,
)


def make_steps(panel: Any = None) -> dict[str, Step]:
    """One object a step, by key, each knowing the others; without a panel they serve scripts."""
    made = {kind.key: kind(panel) for kind in STEPS}
    for step in made.values():
        step.others = made
    return made
