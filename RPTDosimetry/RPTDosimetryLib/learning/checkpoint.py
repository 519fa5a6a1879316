"""Where a training stands, in one file: weights, optimiser, random numbers and history, so that it goes on exactly."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.errors import LearningError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.learning.training_settings import TrainSettings

#: Settings that may change when a training goes on: none of them decides what is computed in a step.
MAY_CHANGE: Final = {
    "fit": ("max_minutes", "checkpoint_minutes", "parallel", "device", "steps"),
    "patients": ("folder", "only_folds"),
}


def fixed_part(settings: TrainSettings) -> str:
    """The settings that must be the same when a training goes on, as text."""
    record = settings.as_record()
    record.pop("card")
    for section, keys in MAY_CHANGE.items():
        for key in keys:
            record[section].pop(key)
    return json.dumps(record, sort_keys=True, default=str)


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write it whole or not at all."""
    import torch

    with whole_file(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path, settings: TrainSettings, names: list[str]) -> dict[str, Any]:
    """The state of a training that was interrupted; loading executes no code (weights_only).

    Raises LearningError for a damaged file, other settings or other patients.
    """
    import torch

    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise LearningError(f"{path} is damaged and cannot go on ({error}). Delete it to train anew.") from error
    if state.get("settings") != fixed_part(settings):
        raise LearningError(f"{path} belongs to a training with other settings. Take another folder, or delete it.")
    if state.get("patients") != names:
        raise LearningError(f"{path} belongs to a training on other patients. Take another folder, or delete it.")
    return state
