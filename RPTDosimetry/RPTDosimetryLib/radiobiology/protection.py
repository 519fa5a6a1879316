"""Protection of others: activity that is left, its dose rate at 1 m, and what an administration gives to staff."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import ConfigurationError, RadiobiologyError
from RPTDosimetryLib.physics.air_kerma import PhotonFieldConstant, photon_field_constant
from RPTDosimetryLib.physics.nuclides import Nuclide
from RPTDosimetryLib.records import KineticFit, TimeActivityCurve
from RPTDosimetryLib.units import BQ_PER_GBQ, BQ_PER_MBQ, S_PER_H

#: Read by pydantic when a configuration file is checked: a mistyped key is an error.
_STRICT = {"extra": "forbid"}
#: Hours at which activity and dose rate are told.
HOURS: Final = (0.0, 1.0, 2.0, 4.0, 6.0, 12.0, 24.0, 48.0, 72.0, 96.0, 120.0, 168.0, 240.0, 336.0)
_USV = 1e6
_SEARCHED_H = 3000.0

_RIVEIRA: Final = "Riveira-Martin 2023, doi 10.1186/s40658-023-00592-1: physicians, median of maxima"
_MEAN: Final = "Riveira-Martin 2023, doi 10.1186/s40658-023-00592-1: mean, active dosemeters"
_NURSES: Final = "Riveira-Martin 2023, doi 10.1186/s40658-023-00592-1: nurses, median of maxima"
_EURATOM: Final = "Directive 2013/59/Euratom, article 9"


@dataclass(frozen=True)
class StaffFactor:
    """Dose of a person per administered activity [µSv/GBq] and its yearly limit [mSv]. Raises ConfigurationError."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    who: str
    part: str
    usv_per_gbq: float
    annual_limit_msv: float
    source: str
    limit_source: str = _EURATOM

    def __post_init__(self) -> None:
        if not (0 < self.usv_per_gbq < math.inf and 0 < self.annual_limit_msv < math.inf):
            raise ConfigurationError(f"protection.staff, {self.part}: usv_per_gbq and annual_limit_msv are positive.")
        if not self.source.strip():
            raise ConfigurationError(f"protection.staff, {self.part}: a factor needs its source.")


STAFF: Final = (
    StaffFactor("physician", "non-dominant hand", 41.5, 500.0, _RIVEIRA),
    StaffFactor("physician", "dominant hand", 45.2, 500.0, _RIVEIRA),
    StaffFactor("physician", "eye lens", 2.02, 20.0, _RIVEIRA),
    StaffFactor("nurse", "non-dominant hand", 15.4, 500.0, _NURSES),
    StaffFactor("nurse", "dominant hand", 13.9, 500.0, _NURSES),
    StaffFactor("physician and nurse", "whole body", 0.65, 20.0, _MEAN),
)


@dataclass(frozen=True)
class ProtectionSettings:
    """staff: factors of one administration, for [177Lu]Lu-DOTATATE. release_usv_per_h: dose rate at 1 m up to which a
    patient may leave, by the rule named in release_source; None where none is set. Raises ConfigurationError.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    release_usv_per_h: float | None = None
    release_source: str = ""
    staff_nuclide: str = "Lu-177"
    staff: tuple[StaffFactor, ...] = STAFF

    def __post_init__(self) -> None:
        if self.release_usv_per_h is not None:
            if not 0 < self.release_usv_per_h < math.inf:
                raise ConfigurationError("protection.release_usv_per_h: a positive dose rate is needed.")
            if not self.release_source.strip():
                raise ConfigurationError("protection.release_source: say which rule sets release_usv_per_h.")


@dataclass(frozen=True)
class ResidualPoint:
    """Activity left in the patient and H*(10) rate at 1 m; upper: A0·e^(−λt), nothing excreted."""

    time_h: float
    activity_mbq: float
    upper_activity_mbq: float
    dose_rate_usv_per_h: float
    upper_dose_rate_usv_per_h: float


@dataclass(frozen=True)
class StaffExposure:
    """One administration of this activity; sessions: how many a year fit into the limit, whole ones."""

    who: str
    part: str
    dose_usv: float
    annual_limit_msv: float
    sessions_a_year: int
    arithmetic: str
    source: str
    limit_source: str


@dataclass(frozen=True)
class Protection:
    """The page on radiation protection. release_time_h: from when the dose rate stays at or below the limit that was
    set, by the measured activity; release_upper_time_h: the same if nothing were excreted. None: not told.
    """

    nuclide: str
    administered_gbq: float
    ambient_usv_m2_per_gbq_h: float
    air_kerma_ugy_m2_per_gbq_h: float
    constant_source: str
    activity_from: str
    points: tuple[ResidualPoint, ...]
    staff: tuple[StaffExposure, ...] = ()
    release_usv_per_h: float | None = None
    release_source: str = ""
    release_time_h: float | None = None
    release_upper_time_h: float | None = None
    release_arithmetic: str = "no release limit is set"
    notes: tuple[str, ...] = field(default_factory=tuple)

    def answer(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class Patient:
    """What the page rests on: nuclide, its λ, A0, and the whole body's curve with its fit, where one was measured."""

    nuclide: Nuclide
    lambda_phys_per_s: float
    administered_activity_bq: float
    body: tuple[TimeActivityCurve, KineticFit] | None = None


def protection_of(patient: Patient, settings: ProtectionSettings | None = None) -> Protection:
    """The record of one administration. Raises RadiobiologyError without an administered activity."""
    settings = settings or ProtectionSettings()
    a0_bq = patient.administered_activity_bq
    if not 0 < a0_bq < math.inf:
        raise RadiobiologyError(f"An administered activity of {a0_bq} Bq: give what was administered.")
    constant = photon_field_constant(patient.nuclide)
    told = ambient_usv_per_gbq_h(constant)
    left, said = _residual(patient)
    times_s = np.array(HOURS) * S_PER_H
    release = _release(settings, left, told)
    slowest, _ = _release(settings, lambda time_s: a0_bq * np.exp(-patient.lambda_phys_per_s * time_s), told)
    return Protection(
        nuclide=patient.nuclide.name,
        administered_gbq=a0_bq / BQ_PER_GBQ,
        ambient_usv_m2_per_gbq_h=told,
        air_kerma_ugy_m2_per_gbq_h=constant.air_kerma_gy_m2_per_bq_s * BQ_PER_GBQ * S_PER_H * _USV,
        constant_source=(
            f"Σ y·h*(10)/4π over {constant.nuclide} photon lines from {constant.cut_kev:g} keV "
            f"({constant.evaluation}), ICRP 74 (1996)"
        ),
        activity_from=said,
        points=tuple(_points(left(times_s), a0_bq * np.exp(-patient.lambda_phys_per_s * times_s), told)),
        staff=_staff(settings, patient.nuclide.name, a0_bq / BQ_PER_GBQ),
        release_usv_per_h=settings.release_usv_per_h,
        release_source=settings.release_source,
        release_time_h=release[0],
        release_upper_time_h=slowest,
        release_arithmetic=release[1],
        notes=_notes(settings, patient),
    )


def ambient_usv_per_gbq_h(constant: PhotonFieldConstant) -> float:
    """Γ_H*(10) in µSv·m²/(GBq·h)."""
    return constant.ambient_sv_m2_per_bq_s * BQ_PER_GBQ * S_PER_H * _USV


def _residual(patient: Patient) -> tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], str]:
    """A(t) [Bq] never above A0·e^(−λt), and where it comes from."""
    a0_bq, rate = patient.administered_activity_bq, patient.lambda_phys_per_s

    def upper(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(a0_bq * np.exp(-rate * time_s))

    if patient.body is None or not patient.body[1].tia_bq_s > 0:
        return upper, "A0·e^(−λt): no curve of the whole body was measured, nothing is taken as excreted"
    curve, fit = patient.body
    first_s = float(np.min(curve.time_s))

    def measured(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        most = upper(time_s)
        return np.where(time_s < first_s, most, np.minimum(fit.activity_bq_at(time_s), most))

    return measured, (
        f"whole-body curve in the field of view ({fit.model}) from the first scan at {first_s / S_PER_H:.3g} h on, "
        "A0·e^(−λt) before it"
    )


def _points(left_bq: NDArray[np.float64], upper_bq: NDArray[np.float64], told: float) -> list[ResidualPoint]:
    rows = []
    for hours, left, upper in zip(HOURS, left_bq.tolist(), upper_bq.tolist(), strict=True):
        rates = told * left / BQ_PER_GBQ, told * upper / BQ_PER_GBQ
        rows.append(ResidualPoint(hours, left / BQ_PER_MBQ, upper / BQ_PER_MBQ, *rates))
    return rows


def _release(settings: ProtectionSettings, left: Callable[..., Any], told: float) -> tuple[float | None, str]:
    """(hours from which the rate stays at or below the limit, how it was found)."""
    limit = settings.release_usv_per_h
    if limit is None:
        return None, "no release limit is set"
    activity_gbq = limit / told
    text = f"{limit:g} µSv/h / {told:.4g} µSv·m²/(GBq·h) = {activity_gbq:.4g} GBq at 1 m"
    hours = np.linspace(0.0, _SEARCHED_H, 60001)
    above = np.flatnonzero(left(hours * S_PER_H) > activity_gbq * BQ_PER_GBQ)
    if above.size == hours.size or (above.size and above[-1] == hours.size - 1):
        return None, f"{text}, not reached within {_SEARCHED_H:g} h"
    reached = 0.0 if above.size == 0 else float(hours[above[-1] + 1])
    return reached, f"{text}, from {reached:.3g} h on"


def _staff(settings: ProtectionSettings, nuclide: str, activity_gbq: float) -> tuple[StaffExposure, ...]:
    if nuclide != settings.staff_nuclide:
        return ()
    return tuple(_exposure(factor, activity_gbq) for factor in settings.staff)


def _exposure(factor: StaffFactor, activity_gbq: float) -> StaffExposure:
    usv = factor.usv_per_gbq * activity_gbq
    sessions = math.floor(factor.annual_limit_msv * 1e3 / usv)
    return StaffExposure(
        factor.who,
        factor.part,
        usv,
        factor.annual_limit_msv,
        sessions,
        f"{factor.usv_per_gbq:g} µSv/GBq · {activity_gbq:.4g} GBq = {usv:.4g} µSv; "
        f"{factor.annual_limit_msv:g} mSv / {usv:.4g} µSv = {sessions}",
        factor.source,
        factor.limit_source,
    )


def _notes(settings: ProtectionSettings, patient: Patient) -> tuple[str, ...]:
    notes = [
        "Dose rates are upper estimates: a point in air, nothing attenuated in the patient (bremsstrahlung left out); "
        "within 1 m a patient is no point.",
        "The measured activity is that of the field of view: what lies outside it, such as legs and head, is missing "
        "from it; upper values take nothing as excreted.",
        "Sessions a year count these administrations alone, with the shielding and the skill of the source.",
    ]
    if patient.nuclide.name != settings.staff_nuclide:
        notes.append(f"No staff exposure: the factors are for {settings.staff_nuclide}, not {patient.nuclide.name}.")
    return tuple(notes)
