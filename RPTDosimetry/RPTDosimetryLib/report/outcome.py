"""Everything a run computed, as the report room receives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from RPTDosimetryLib.evaluation.organ_table import OrganDose
from RPTDosimetryLib.records import DoseMap, KineticFit, PatientMap, RegisteredStudy, TiaMap, TimeActivityCurve, Voi


@dataclass(frozen=True)
class Outcome:
    """One study from images to organ doses. curves: VOI name → measured curve and its fit."""

    registered: RegisteredStudy
    patient: PatientMap
    vois: tuple[Voi, ...]
    curves: Mapping[str, tuple[TimeActivityCurve, KineticFit]]
    tia: TiaMap
    dose: DoseMap
    organ_doses: tuple[OrganDose, ...]
    checks: tuple[str, ...] = ()

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
        return tuple(dict.fromkeys(said))
