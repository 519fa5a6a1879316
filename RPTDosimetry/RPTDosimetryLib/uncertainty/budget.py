"""The uncertainty of a volume's mean dose, share by share, after the EANM guidance.

Gear et al. 2018 (doi 10.1007/s00259-018-4136-7): D = Ã·S, Ã ∝ Q·C(V)/R(V), S ∝ m^(−c). Counts C, recovery R and S
follow the same volume, so their covariances do not vanish. Written out by independent causes, with v = ln V,
dln D = (φ/(2R) − dln R/dv − c)·dv + dln R|_fit + dln Q + dln Ã|_fit − dln ρ + dln D|_engine + dln D|_Monte Carlo,
which holds all of them; without recovery correction the terms of R's correction are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from RPTDosimetryLib.calibration.recovery import RecoveryCurve
from RPTDosimetryLib.evaluation.organ_table import OrganDose
from RPTDosimetryLib.records import KineticFit
from RPTDosimetryLib.uncertainty.blurred_sphere import radius_mm, seen_fraction, surface_factor
from RPTDosimetryLib.uncertainty.settings import UncertaintySettings


@dataclass(frozen=True)
class Share:
    """One cause: its relative standard uncertainty of the dose, and what it is of the variance [%]."""

    cause: str
    relative_u: float
    percent_of_variance: float
    how: str


@dataclass(frozen=True)
class DoseBudget:
    """The mean dose of a volume with its combined standard uncertainty (1 σ); recovered: of the mean over RC.

    volume_relative_u: u(V)/V. not_included: causes whose input is missing, so that the sum is too small by them.
    """

    name: str
    mean_gy: float
    mean_u_gy: float
    volume_relative_u: float
    shares: tuple[Share, ...]
    mean_recovered_gy: float | None = None
    mean_recovered_u_gy: float | None = None
    recovered_shares: tuple[Share, ...] = ()
    not_included: tuple[str, ...] = ()

    def answer(self) -> dict[str, Any]:
        """JSON-ready."""
        from dataclasses import asdict

        return asdict(self)


@dataclass(frozen=True)
class BudgetInputs:
    """A row of the organ table, its fit, the edge of a voxel of its mask [mm], the recovery curve where one is known.

    calibration_relative_u: of the camera, where the settings give none.
    """

    row: OrganDose
    fit: KineticFit
    voxel_mm: float
    recovery: RecoveryCurve | None = None
    calibration_relative_u: float | None = None


def volume_relative_u(volume_ml: float, voxel_mm: float, fwhm_mm: float | None) -> float:
    """u(V)/V = 3·u(d)/d, u²(d) = a²/6 + FWHM²/(4·ln 2), d of the sphere of equal volume.

    a²/6: two edges, each known to a voxel (a²/12); FWHM²/(4 ln 2): two edges, each blurred by σ² = FWHM²/(8 ln 2).
    Gear et al. 2018. fwhm None: the first term alone.
    """
    blur = 0.0 if fwhm_mm is None else fwhm_mm**2 / (4.0 * math.log(2.0))
    return 3.0 * math.sqrt(voxel_mm**2 / 6.0 + blur) / (2.0 * radius_mm(volume_ml))


def dose_budget(given: BudgetInputs, settings: UncertaintySettings) -> DoseBudget:
    """The budget of one volume: every cause that is known, and the names of those that are not."""
    row, missing = given.row, []
    fwhm = settings.outline_fwhm_mm(row.kind)
    if fwhm is None:
        key = "lesion_fwhm_mm" if row.kind == "lesion" else "organ_fwhm_mm"
        missing.append(f"blur of the outline ({key} is not given)")
    relative_v = volume_relative_u(row.volume_ml, given.voxel_mm, fwhm)
    common, lacking = _common(given, settings)
    missing += lacking
    if settings.spect_fwhm_mm is None:
        missing.append("growth of counts with the volume (spect_fwhm_mm is not given): the volume's share is too large")
    imaged = (_of_volume(row.volume_ml, relative_v, settings), *common)
    corrected: tuple[tuple[str, float, str], ...] = ()
    if row.mean_recovered_gy is not None and given.recovery is not None:
        corrected = (*_recovered(row.volume_ml, relative_v, given.recovery, settings), *common)
    else:
        missing.append("recovery (the mean is as imaged: what blur takes from it is an error, not an uncertainty)")
    return DoseBudget(
        name=row.name,
        mean_gy=row.mean_gy,
        mean_u_gy=row.mean_gy * _combined(imaged),
        volume_relative_u=relative_v,
        shares=_shares(imaged),
        mean_recovered_gy=row.mean_recovered_gy,
        mean_recovered_u_gy=(row.mean_recovered_gy or 0.0) * _combined(corrected) if corrected else None,
        recovered_shares=_shares(corrected),
        not_included=tuple(missing),
    )


def _of_volume(volume_ml: float, relative_v: float, settings: UncertaintySettings) -> tuple[str, float, str]:
    """|φ/(2R) − c|·u(V)/V of a mean as imaged."""
    if settings.spect_fwhm_mm is None:
        return "volume", settings.s_exponent * relative_v, f"{settings.s_exponent:g}·u(V)/V, u(V)/V = {relative_v:.3g}"
    blur = settings.spect_fwhm_mm
    counts = surface_factor(volume_ml, blur) / (2.0 * seen_fraction(volume_ml, blur))
    sensitivity = abs(counts - settings.s_exponent)
    text = f"|{counts:.3g} (counts) − {settings.s_exponent:g} (S)|·u(V)/V, u(V)/V = {relative_v:.3g}"
    return "volume", sensitivity * relative_v, text


def _recovered(
    volume_ml: float, relative_v: float, curve: RecoveryCurve, settings: UncertaintySettings
) -> tuple[tuple[str, float, str], ...]:
    """Volume and recovery of a mean over RC: dln R/dln V = β·(1 − R)."""
    rc = curve.coefficient(volume_ml)
    counts = 0.0
    if settings.spect_fwhm_mm is not None:
        counts = surface_factor(volume_ml, settings.spect_fwhm_mm) / (2.0 * rc)
    by_recovery, c = curve.beta * (1.0 - rc), settings.s_exponent
    text = f"|{counts:.3g} (counts) − {by_recovery:.3g} (RC) − {c:g} (S)|·u(V)/V, u(V)/V = {relative_v:.3g}"
    volume = ("volume", abs(counts - by_recovery - c) * relative_v, text)
    fitted = ("recovery curve", curve.standard_error(volume_ml) / rc, f"covariance of its fit at RC = {rc:.3g}")
    return volume, fitted


def _common(given: BudgetInputs, settings: UncertaintySettings) -> tuple[tuple[tuple[str, float, str], ...], list[str]]:
    """Causes that the mean as imaged and the recovered one share, and what is missing."""
    found, missing = [], []
    calibration = settings.calibration if settings.calibration is not None else given.calibration_relative_u
    se, how = given.fit.bootstrap_se_bq_s, "bootstrap of the curve"
    if se is None:
        se, how = given.fit.tia_se_bq_s, f"covariance of the fit ({given.fit.model})"
    tia = given.fit.tia_bq_s
    fit = se / tia if se is not None and tia > 0 else None
    mean = given.row.mean_gy
    statistics = given.row.mean_se_gy / mean if given.row.mean_se_gy is not None and mean > 0 else None
    for cause, value, text, why in (
        ("calibration factor", calibration, "of the camera or the settings", "no uncertainty of the factor is given"),
        ("time-activity curve", fit, how, f"{given.fit.model} leaves no residuals, and no standard errors are given"),
        ("density", settings.density, "of the settings", "uncertainty.density is not given"),
        ("dose engine", settings.engine, "of the settings", "uncertainty.engine is not given"),
    ):
        if value is None:
            missing.append(f"{cause} ({why})")
        else:
            found.append((cause, value, text))
    if statistics is not None:
        found.append(("Monte Carlo statistics", statistics, "of the simulated histories"))
    return tuple(found), missing


def _combined(causes: tuple[tuple[str, float, str], ...]) -> float:
    return math.sqrt(sum(value**2 for _, value, _ in causes))


def _shares(causes: tuple[tuple[str, float, str], ...]) -> tuple[Share, ...]:
    whole = sum(value**2 for _, value, _ in causes)
    return tuple(Share(cause, u, 100.0 * u**2 / whole if whole else 0.0, how) for cause, u, how in causes)
