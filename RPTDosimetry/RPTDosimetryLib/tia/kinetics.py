"""All that step "kinetics" makes of a series: curves, fits, bands and few-scan results of each VOI, and the voxel map.

Everything in plain arrays and numbers: a KineticFit holds a function and does not travel between processes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CancelledError, KineticsError
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import (
    ActivitySeries,
    Cancelled,
    KineticFit,
    Progress,
    RegisteredStudy,
    TiaMap,
    TimeActivityCurve,
    Voi,
    never,
    part_of,
    silent,
)
from RPTDosimetryLib.tia.bootstrap import BootstrapSettings, bootstrap_band
from RPTDosimetryLib.tia.integrate import integrate
from RPTDosimetryLib.tia.selection import akaike_weights
from RPTDosimetryLib.tia.settings import TiaSettings, VoiKind
from RPTDosimetryLib.tia.side_by_side import side_by_side
from RPTDosimetryLib.tia.voi_curves import fit_vois, voi_curves

#: Points of a drawn curve, from the administration to this many times the last scan.
DRAWN_POINTS: Final = 241
DRAWN_TO: Final = 1.5
#: Drawn curves of a band at the most: each is fitted on its own, some 10 ms each.
BAND_REPLICATES: Final = 100


@dataclass(frozen=True)
class VoiKinetics:
    """Curve and fit of one VOI. aicc: per model (Δ, weight); few_scans: as SideBySide.answer() tells it.

    fitted_bq, low_bq, high_bq [Bq] at drawn_s of the Kinetics; low and high None where no band is known (band says
    why).
    """

    name: str
    kind: str
    time_s: NDArray[np.float64]
    activity_bq: NDArray[np.float64]
    fitted_bq: NDArray[np.float64]
    model: str
    tia_bq_s: float
    tia_se_bq_s: float | None
    tia_interval_bq_s: tuple[float, float] | None
    extrapolated_fraction: float
    parameters: Mapping[str, float]
    aicc: Mapping[str, tuple[float, float]]
    few_scans: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    low_bq: NDArray[np.float64] | None = None
    high_bq: NDArray[np.float64] | None = None
    band: str = ""

    def figures(self) -> dict[str, Any]:
        """All but the arrays, JSON-ready."""
        arrays = ("time_s", "activity_bq", "fitted_bq", "low_bq", "high_bq")
        return {name: value for name, value in asdict(self).items() if name not in arrays}


@dataclass(frozen=True)
class Kinetics:
    """VOIs in the order given, the times at which their curves are drawn [s], and the voxel map."""

    vois: tuple[VoiKinetics, ...]
    drawn_s: NDArray[np.float64]
    tia: TiaMap


@dataclass(frozen=True)
class KineticsChoice:
    """TiaSettings, and models of single VOIs by name in place of what the settings say for their kind."""

    settings: TiaSettings = field(default_factory=TiaSettings)
    models: Mapping[str, str] = field(default_factory=dict)

    def of(self, voi: Voi) -> TiaSettings:
        """The settings of one VOI."""
        model = self.models.get(voi.name)
        if model is None:
            return self.settings
        if voi.kind == "organ":
            return replace(self.settings, organ_model=model)
        if voi.kind == "lesion":
            return replace(self.settings, lesion_model=model)
        return replace(self.settings, region_model=model)


def series_of_registered(registered: RegisteredStudy) -> ActivitySeries:
    """The registered activity with its times and its decay, by the header's half-life where there is one.

    Raises PhysicsDataError for a nuclide that is not known.
    """
    given = registered.study.administration
    known = nuclide(given.nuclide or "")
    times_s = np.array([point.time_s for point in registered.study.time_points], dtype=np.float64)
    return ActivitySeries(
        registered.activity, times_s, known.name, math.log(2) / (given.half_life_s or known.half_life_s)
    )


def kinetics(
    series: ActivitySeries,
    vois: Sequence[Voi],
    choice: KineticsChoice | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> Kinetics:
    """The curve of every VOI fitted (fit_vois) and the map (integrate). Raises what these raise, CancelledError."""
    choice = choice or KineticsChoice()
    curves = voi_curves(series, vois)
    drawn_s = np.linspace(0.0, DRAWN_TO * float(np.max(series.time_s)), DRAWN_POINTS)
    found = []
    for number, voi in enumerate(vois):
        if cancelled():
            raise CancelledError("The fit of the curves was cancelled; nothing was kept.")
        progress(0.5 * number / len(vois), f"Fitting {voi.name}")
        settings = choice.of(voi)
        fit = fit_vois(series, [voi], settings)[voi.name]
        found.append(_of_voi(voi, curves[voi.name], fit, settings, drawn_s))
    tia = integrate(series, vois, choice.settings, part_of(progress, 0.5, 1.0), cancelled)
    return Kinetics(tuple(found), drawn_s, tia)


def _of_voi(
    voi: Voi, curve: TimeActivityCurve, fit: KineticFit, settings: TiaSettings, drawn_s: NDArray[np.float64]
) -> VoiKinetics:
    low, high, band = _band(curve, fit, settings, drawn_s)
    return VoiKinetics(
        name=voi.name,
        kind=voi.kind,
        time_s=np.asarray(curve.time_s, dtype=np.float64),
        activity_bq=np.asarray(curve.activity_bq, dtype=np.float64),
        fitted_bq=np.asarray(fit.activity_bq_at(drawn_s), dtype=np.float64),
        model=fit.model,
        tia_bq_s=fit.tia_bq_s,
        tia_se_bq_s=fit.bootstrap_se_bq_s if fit.bootstrap_se_bq_s is not None else fit.tia_se_bq_s,
        tia_interval_bq_s=fit.tia_interval_bq_s,
        extrapolated_fraction=fit.extrapolated_fraction,
        parameters=dict(fit.parameters),
        aicc=akaike_weights([fit, *fit.alternatives]),
        few_scans=_few_scans(curve, fit, settings, voi.kind),
        warnings=fit.warnings,
        low_bq=low,
        high_bq=high,
        band=band,
    )


def _band(
    curve: TimeActivityCurve, fit: KineticFit, settings: TiaSettings, drawn_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None, str]:
    if not settings.bootstrap:
        return None, None, "no band: no bootstrap asked for"
    if fit.tia_bq_s == 0:
        return None, None, "no band: no activity"
    replicates = min(settings.bootstrap, BAND_REPLICATES)
    how = BootstrapSettings(replicates=replicates, seed=settings.bootstrap_seed)
    try:
        low, high = bootstrap_band(curve, fit.model, drawn_s, settings, how)
    except KineticsError as error:
        return None, None, str(error)
    return low, high, f"central 95 % of {replicates} drawn curves"


def _few_scans(curve: TimeActivityCurve, fit: KineticFit, settings: TiaSettings, kind: VoiKind) -> dict[str, Any]:
    if fit.tia_bq_s <= 0 or curve.time_s.size < 2:
        return {}
    return side_by_side(curve, fit, settings, kind).answer()
