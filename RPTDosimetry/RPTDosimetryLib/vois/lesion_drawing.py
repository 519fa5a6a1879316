"""The lesions of a run's settings, drawn on its registered SPECT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from RPTDosimetryLib.errors import CancelledError, ConfigurationError
from RPTDosimetryLib.records import Cancelled, Progress, RegisteredStudy, Voi, never, silent
from RPTDosimetryLib.vois.lesion_tools import LesionTool, draw_lesion


def drawn_lesions(
    registered: RegisteredStudy,
    tools: Sequence[LesionTool],
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> tuple[Voi, ...]:
    """One VOI a tool, drawn on the registered activity [Bq/mL] of its time point (or of the reference).

    Seeds and boxes are LPS of the reference. Raises ConfigurationError for a time point that does not exist, VoiError.
    """
    vois = []
    for done, tool in enumerate(tools):
        if cancelled():
            raise CancelledError("Drawing lesions was stopped.")
        progress(done / len(tools), f"Drawing {tool.name}")
        count = len(registered.activity)
        number = registered.reference_index + 1 if tool.time_point is None else tool.time_point
        if number > count:
            raise ConfigurationError(f"{tool.name}: time_point = {number}: the study has {count} time points.")
        voi = draw_lesion(registered.activity[number - 1], tool).voi
        vois.append(replace(voi, source=f"{voi.source}, on time point {number}"))
    return tuple(vois)
