"""What the doses of a report mean, before it is written: maps of BED and EQD2, sums over cycles, tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from RPTDosimetryLib.records import Image, Progress, silent
from RPTDosimetryLib.report.assessment_tables import MAPS, assessment_answer, effect_rows
from RPTDosimetryLib.report.exports import outcomes_of

if TYPE_CHECKING:
    from RPTDosimetryLib.report.exports import ReportOrder
    from RPTDosimetryLib.report.outcome import Outcome


@dataclass(frozen=True)
class DoseEffects:
    """Of the dose of one engine. maps: those of MAPS that exist [Gy], NaN where nothing is known.

    rows: this cycle and all cycles, a row a volume (effect_rows). told: the whole assessment (assessment_answer).
    """

    engine: str
    maps: Mapping[str, Image]
    rows: tuple[Mapping[str, Any], ...]
    told: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


def dose_effects(order: ReportOrder, progress: Progress = silent) -> tuple[DoseEffects, ...]:
    """What the report of this order will hold, one for each dose map. Raises what write_report raises."""
    progress(0.0, "Curves, organ doses, biological effect")
    found = tuple(_of(outcome) for outcome in outcomes_of(order))
    progress(1.0, "Biological effect computed")
    return found


def _of(outcome: Outcome) -> DoseEffects:
    maps = {kind: getattr(outcome, kind) for kind in MAPS if getattr(outcome, kind) is not None}
    told = assessment_answer(outcome)
    return DoseEffects(outcome.dose.engine, maps, tuple(effect_rows(outcome)), told, outcome.assessed_warnings)
