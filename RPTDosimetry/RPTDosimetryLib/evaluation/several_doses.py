"""One dose map an engine from the same activity, each with its organ doses and histograms: for side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from RPTDosimetryLib.calibration.recovery import RecoveryCurve
from RPTDosimetryLib.dose.dose_rate import dose_rates, integrate_dose_rate
from RPTDosimetryLib.dose.engine import DoseSettings, Interim, compute_dose, media_wanted
from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.evaluation.dvh import Dvh, dvh
from RPTDosimetryLib.evaluation.organ_table import OrganDose, organ_doses
from RPTDosimetryLib.records import (
    ActivitySeries,
    Cancelled,
    DoseMap,
    PatientMap,
    Progress,
    RegisteredStudy,
    TiaMap,
    Voi,
    never,
    part_of,
    silent,
)
from RPTDosimetryLib.registration.patient_map import DensitySettings, patient_map_of
from RPTDosimetryLib.tia.settings import TiaSettings


@dataclass(frozen=True)
class DoseOrder:
    """What is to be computed: engines in order, the settings that they share, how the patient is mapped.

    tia_settings: the kinetics of dose rates (integrate "dose_rate"). recovery: of organ means, where a curve is known.
    """

    engines: tuple[str, ...]
    settings: DoseSettings = field(default_factory=DoseSettings)
    density: DensitySettings = field(default_factory=DensitySettings)
    tia_settings: TiaSettings = field(default_factory=TiaSettings)
    recovery: RecoveryCurve | None = None


@dataclass(frozen=True)
class DoseOfEngine:
    """A dose map, its organ table and a cumulative histogram of the tissue voxels of each VOI."""

    dose: DoseMap
    rows: tuple[OrganDose, ...]
    histograms: tuple[Dvh, ...]


def several_doses(
    registered: RegisteredStudy,
    series: ActivitySeries,
    vois: Sequence[Voi],
    tia: TiaMap,
    order: DoseOrder,
    progress: Progress = silent,
    cancelled: Cancelled = never,
    interim: Interim | None = None,
) -> tuple[DoseOfEngine, ...]:
    """The dose of each engine, in the order asked for; the patient in the media of each.

    interim: shown the dose so far of an engine that gets better with time (not of dose rates).

    Raises ConfigurationError without an engine, and what patient_map_of, compute_dose (or dose_rates) and organ_doses
    raise.
    """
    if not order.engines:
        raise ConfigurationError("No dose engine is chosen: choose at least one.")
    found = []
    for number, engine in enumerate(order.engines):
        step = part_of(progress, number / len(order.engines), (number + 1) / len(order.engines))
        step(0.0, f"Media of the patient for {engine}")
        settings = replace(order.settings, engine=engine)
        patient = patient_map_of(registered, order.density, *media_wanted(settings))
        if settings.integrate == "activity":
            watched = part_of(step, 0.05, 0.9)
            dose = compute_dose(tia, patient, series.nuclide, settings, watched, cancelled, vois, interim)
        else:
            rates = dose_rates(series, patient, settings, part_of(step, 0.05, 0.8), cancelled)
            dose = integrate_dose_rate(rates, vois, order.tia_settings, part_of(step, 0.8, 0.9), cancelled)
        step(0.9, f"Organ doses of {engine}")
        given = registered.study.administration
        rows = organ_doses(dose, vois, patient, tia, given, order.recovery)
        found.append(DoseOfEngine(dose, tuple(rows), _histograms(dose, vois, patient)))
    progress(1.0, "Doses computed")
    return tuple(found)


def _histograms(dose: DoseMap, vois: Sequence[Voi], patient: PatientMap) -> tuple[Dvh, ...]:
    volume_ml = dose.image.grid.voxel_volume_ml
    tissue = patient.medium > 0
    return tuple(dvh(dose.image.voxels[voi.mask & tissue], volume_ml, voi.name) for voi in vois)
