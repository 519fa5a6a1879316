"""What the dose of a run means: uncertainty, radiobiology over the cycles, limits, protection of others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from RPTDosimetryLib.calibration.recovery import RecoveryCurve
from RPTDosimetryLib.evaluation.organ_table import OrganDose
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.radiobiology.cycles import (
    CyclesSettings,
    Present,
    PresentCycle,
    cumulative_bed_map,
    cumulative_doses,
    cumulative_map,
)
from RPTDosimetryLib.radiobiology.limits import limit_rows
from RPTDosimetryLib.radiobiology.organ_effects import dose_of, effect_maps, organ_effects
from RPTDosimetryLib.radiobiology.protection import Patient, Protection, ProtectionSettings, protection_of
from RPTDosimetryLib.radiobiology.read_cycles import read_cycles
from RPTDosimetryLib.radiobiology.tissues import RadiobiologySettings
from RPTDosimetryLib.records import RegisteredStudy
from RPTDosimetryLib.report.outcome import Outcome
from RPTDosimetryLib.uncertainty.budget import BudgetInputs, DoseBudget, dose_budget
from RPTDosimetryLib.uncertainty.settings import UncertaintySettings
from RPTDosimetryLib.vois.names import canonical_name

#: The canonical name of the volume whose curve is that of the whole patient.
BODY = "body"


@dataclass(frozen=True)
class Choices:
    """The settings that an assessment follows; recovery and calibration_relative_u as the calibration used them."""

    radiobiology: RadiobiologySettings = field(default_factory=RadiobiologySettings)
    cycles: CyclesSettings = field(default_factory=CyclesSettings)
    uncertainty: UncertaintySettings = field(default_factory=UncertaintySettings)
    protection: ProtectionSettings = field(default_factory=ProtectionSettings)
    recovery: RecoveryCurve | None = None
    calibration_relative_u: float | None = None


def choices_of(settings: Any) -> Choices:
    """The part of RunSettings that concerns the assessment; a camera's values must be written out in it."""
    calibration = settings.calibration
    return Choices(
        settings.radiobiology,
        settings.cycles,
        settings.uncertainty,
        settings.protection,
        calibration.recovery_curve(),
        calibration.factor_relative_se if calibration.factor_cps_per_bq is not None else None,
    )


def assessed(outcome: Outcome, choices: Choices | None = None) -> Outcome:
    """The outcome with uncertainty of every mean, biological effect, cumulative doses, limits and protection.

    Raises RadiobiologyError (earlier cycles that cannot be added; negative doses), GridMismatchError.
    """
    choices = choices or Choices()
    budgets = _budgets(outcome, choices)
    rows = tuple(_with_u(row, budget) for row, budget in zip(outcome.organ_doses, budgets, strict=True))
    fits = {name: fit for name, (_, fit) in outcome.curves.items()}
    effects = organ_effects(outcome.dose, outcome.vois, rows, fits, outcome.patient, choices.radiobiology)
    study, recovered = outcome.registered.study, choices.radiobiology.dose == "recovered"
    now = present_cycle(outcome.registered, outcome.dose.nuclide)
    present = Present(now, outcome.vois, effects, outcome.patient, recovered)
    earlier = read_cycles(choices.cycles, present)
    totals = cumulative_doses(present, earlier)
    bed, eqd2 = effect_maps(outcome.dose, outcome.vois, effects)
    a0_bq = study.administration.administered_activity_bq
    said = [text for cycle in earlier for text in cycle.warnings] + [total.note for total in totals if total.note]
    said += [text for row in rows if (text := dose_of(row, choices.radiobiology)[2])]
    return replace(
        outcome,
        organ_doses=rows,
        uncertainty=budgets,
        radiobiology=effects,
        bed=bed,
        eqd2=eqd2,
        cumulative=totals,
        cumulative_dose=cumulative_map(outcome.dose.image, earlier),
        cumulative_bed=cumulative_bed_map(outcome.dose.image, present, earlier),
        limits=limit_rows(outcome.vois, effects, totals, choices.radiobiology.limits, a0_bq),
        protection=_protection(outcome, choices.protection),
        assessed_warnings=tuple(dict.fromkeys(said)),
    )


def present_cycle(registered: RegisteredStudy, nuclide_name: str) -> PresentCycle:
    """What earlier cycles must fit."""
    frame = registered.reference.frame_of_reference_uid
    return PresentCycle(nuclide_name, registered.grid, registered.study.patient_id, frame)


def _budgets(outcome: Outcome, choices: Choices) -> tuple[DoseBudget, ...]:
    voxel_mm = float(np.prod(outcome.dose.image.grid.spacing_mm)) ** (1.0 / 3.0)
    return tuple(
        dose_budget(
            BudgetInputs(row, outcome.curves[row.name][1], voxel_mm, choices.recovery, choices.calibration_relative_u),
            choices.uncertainty,
        )
        for row in outcome.organ_doses
    )


def _with_u(row: OrganDose, budget: DoseBudget) -> OrganDose:
    return replace(
        row,
        mean_u_gy=budget.mean_u_gy,
        mean_recovered_u_gy=budget.mean_recovered_u_gy,
        u_not_included="; ".join(budget.not_included),
    )


def _protection(outcome: Outcome, settings: ProtectionSettings) -> Protection | None:
    given = outcome.registered.study.administration
    if not given.administered_activity_bq:
        return None
    known = nuclide(outcome.dose.nuclide)
    rate = known.lambda_phys_per_s if given.half_life_s is None else float(np.log(2)) / given.half_life_s
    body = next((outcome.curves[voi.name] for voi in outcome.vois if canonical_name(voi.name) == BODY), None)
    return protection_of(Patient(known, rate, given.administered_activity_bq, body), settings)
