"""Everything a run computed, as the report room receives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from RPTDosimetryLib.calibration.activity_table import CalibratedTotal
from RPTDosimetryLib.evaluation.organ_table import OrganDose
from RPTDosimetryLib.radiobiology.cycles import CumulativeDose
from RPTDosimetryLib.radiobiology.limits import LimitRow
from RPTDosimetryLib.radiobiology.organ_effects import OrganEffect
from RPTDosimetryLib.radiobiology.protection import Protection
from RPTDosimetryLib.records import (
    DoseMap,
    Image,
    KineticFit,
    PatientMap,
    RegisteredStudy,
    TiaMap,
    TimeActivityCurve,
    Voi,
)
from RPTDosimetryLib.tia.side_by_side import SideBySide
from RPTDosimetryLib.uncertainty.budget import DoseBudget


@dataclass(frozen=True)
class Outcome:
    """One study from images to organ doses.

    curves: VOI name → measured curve and its fit. totals: activity before and after calibration, a time point each.
    compared: VOI name → what fewer scans would have given. settings: what was chosen, a camera's values written out.
    What report/assessment.py adds, in the order of vois: radiobiology, cumulative (over the cycles given) and
    uncertainty; limits; protection (None without an administered activity); bed, eqd2, cumulative_dose and
    cumulative_bed (maps [Gy], None where there is none); and assessed_warnings.
    """

    registered: RegisteredStudy
    patient: PatientMap
    vois: tuple[Voi, ...]
    curves: Mapping[str, tuple[TimeActivityCurve, KineticFit]]
    tia: TiaMap
    dose: DoseMap
    organ_doses: tuple[OrganDose, ...]
    checks: tuple[str, ...] = ()
    totals: tuple[CalibratedTotal, ...] = ()
    compared: Mapping[str, SideBySide] = field(default_factory=dict)
    settings: Any = None
    radiobiology: tuple[OrganEffect, ...] = ()
    cumulative: tuple[CumulativeDose, ...] = ()
    limits: tuple[LimitRow, ...] = ()
    uncertainty: tuple[DoseBudget, ...] = ()
    protection: Protection | None = None
    bed: Image | None = None
    eqd2: Image | None = None
    cumulative_dose: Image | None = None
    cumulative_bed: Image | None = None
    assessed_warnings: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Every warning of every step once: the whole study first, then volume by volume."""
        study = self.registered.study
        said = [*study.warnings]
        for point in study.time_points:
            said += point.warnings
        said += [*self.checks, *self.registered.warnings]
        for alignment in self.registered.alignments:
            said += alignment.warnings
        said += self.patient.warnings
        said += [*self.tia.warnings, *self.dose.warnings]
        for voi in self.vois:
            said += voi.warnings
        for row in self.organ_doses:
            said += row.warnings
        said += [f"{name}: {text}" for name, (_, fit) in self.curves.items() for text in fit.warnings]
        return tuple(dict.fromkeys([*said, *self.assessed_warnings]))
