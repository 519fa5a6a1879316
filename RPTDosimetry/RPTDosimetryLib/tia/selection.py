"""Which model a curve is integrated with: the one asked for, the best by AICc, or a stated default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.records import KineticFit, TimeActivityCurve
from RPTDosimetryLib.tia.checks import checked_curve
from RPTDosimetryLib.tia.registry import kinetic_model
from RPTDosimetryLib.tia.settings import FitSettings, VoiKind
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H

#: What AICc chooses among: models fitted by least squares to the same scans.
BY_AICC: Final = (
    "monoexponential",
    "monoexponential_uptake",
    "biexponential",
    "biexponential_uptake",
    "triexponential",
)
#: Shown beside them where a choice is made; they are not least-squares fits and have no AICc.
ALONGSIDE: Final = ("two_point", "trapezoid", "kim", "mansouri")
AT_LEAST_TO_CHOOSE: Final = 2
#: A default that misses a scan by more than this describes another curve: several times the few per cent by which
#: a VOI's activity scatters between scans (EANM 2018, doi 10.1007/s00259-018-4136-7).
MISSED: Final = 0.2


def fit_curve(
    curve: TimeActivityCurve,
    model: str = "auto",
    settings: FitSettings | None = None,
    kind: VoiKind = "organ",
) -> KineticFit:
    """One curve integrated from t = 0 to infinity; kind matters for "auto" alone.

    "auto" takes the lowest AICc when at least two models can have one (n ≥ k + 2 scans, the variance counted in k), and
    else the default for the kind of VOI, and says so; the other fits are in ``alternatives``.
    Raises KineticsError: see checked_curve; unknown model; too few scans; nothing that can be integrated.
    """
    settings = settings or FitSettings()
    ordered, said = checked_curve(curve)
    fit = _chosen(ordered, settings, kind) if model == "auto" else kinetic_model(model).fit(ordered, settings)
    return replace(fit, warnings=said + fit.warnings)


def akaike_weights(fits: Sequence[KineticFit]) -> dict[str, tuple[float, float]]:
    """Model -> (Δ = AICc − lowest, w = e^(−Δ/2)/Σ e^(−Δ/2)) of the fits that have an AICc.

    Burnham and Anderson, Model Selection (2002), section 2.9.
    """
    known = {fit.model: fit.aicc for fit in fits if fit.aicc is not None}
    delta = {model: value - min(known.values()) for model, value in known.items()}
    whole = sum(np.exp(-0.5 * d) for d in delta.values())
    return {model: (d, float(np.exp(-0.5 * d) / whole)) for model, d in delta.items()}


def default_model(n_scans: int, kind: VoiKind) -> str:
    """Organs and lesions: two_point (2 scans), monoexponential (3), monoexponential_uptake (4 and more).

    Regions such as the whole body or the bladder, which follow no one exponential: trapezoid.
    Raises KineticsError for one scan.
    """
    if n_scans < 2:
        raise KineticsError(
            "One time point does not say how activity changes: ask for haenscheid, or for madsen with "
            "population_half_life_h, by name, or add scans."
        )
    if kind == "region":
        return "trapezoid"
    return {2: "two_point", 3: "monoexponential"}.get(n_scans, "monoexponential_uptake")


def _chosen(curve: TimeActivityCurve, settings: FitSettings, kind: VoiKind) -> KineticFit:
    default_model(curve.time_s.size, kind)  # raises for one scan
    fits, skipped = _all_fits(curve, settings)
    ranked = sorted((f for f in fits.values() if f.aicc is not None), key=lambda f: f.aicc or 0.0)
    if len(ranked) >= AT_LEAST_TO_CHOOSE:
        best = ranked[0]
        because = f"Model {best.model}: lowest AICc of {', '.join(f.model for f in ranked)}."
    else:
        best, because = _default_fit(fits, curve, settings, kind)
    others = tuple(fit for name, fit in fits.items() if name != best.model)
    return replace(
        best, alternatives=others, warnings=(because, *_disagreement(best, others), *skipped, *best.warnings)
    )


def _all_fits(curve: TimeActivityCurve, settings: FitSettings) -> tuple[dict[str, KineticFit], tuple[str, ...]]:
    """Every model of the two lists that has enough scans, and why one of them could not be used all the same."""
    fits, skipped = {}, []
    for name in BY_AICC + ALONGSIDE:
        model = kinetic_model(name)
        if curve.time_s.size < model.min_points:
            continue
        try:
            fits[name] = model.fit(curve, settings)
        except KineticsError as error:
            skipped.append(f"Not among the models compared: {error}")
    return fits, tuple(skipped)


def _default_fit(
    fits: dict[str, KineticFit], curve: TimeActivityCurve, settings: FitSettings, kind: VoiKind
) -> tuple[KineticFit, str]:
    n = curve.time_s.size
    default = default_model(n, kind)
    because = (
        f"Model {default}: the default for a VOI of kind {kind} with {n} time points, too few to choose by AICc "
        "(it needs n ≥ k + 2, the variance counted in k)."
    )
    if default not in fits:
        return kinetic_model(default).fit(curve, settings), because  # raises with the reason
    fit = fits[default]
    if default == "monoexponential_uptake" and _uptake_unseen(fit, curve):
        because = (
            f"Model monoexponential: with {n} time points, too few to choose by AICc, the default for a VOI of kind "
            f"{kind} is monoexponential_uptake, but the uptake is over before the first scan can see it."
        )
        fit = fits["monoexponential"]
        missed = _largest_miss(fit, curve)
        if "mansouri" in fits and missed > MISSED:
            because = (
                f"Model mansouri: with {n} time points, too few to choose by AICc, and no uptake seen, one exponential "
                f"misses a scan by {missed:.0%}; trapezoids first and one exponential after follow the scans."
            )
            fit = fits["mansouri"]
    return fit, because


def _largest_miss(fit: KineticFit, curve: TimeActivityCurve) -> float:
    """Largest |fitted/measured − 1| over the scans."""
    measured = np.where(curve.activity_bq > 0, curve.activity_bq, np.nan)
    return float(np.nanmax(np.abs(fit.activity_bq_at(curve.time_s) / measured - 1)))


def _uptake_unseen(fit: KineticFit, curve: TimeActivityCurve) -> bool:
    from RPTDosimetryLib.tia.exponential_family import UPTAKE_LIMIT

    return fit.parameters["mu_per_s"] * float(curve.time_s[0]) >= UPTAKE_LIMIT * (1 - 1e-6)


def _disagreement(best: KineticFit, others: Sequence[KineticFit]) -> tuple[str, ...]:
    if not others:
        return ()
    low = min(others, key=lambda f: f.tia_bq_s)
    high = max(others, key=lambda f: f.tia_bq_s)
    unit = BQ_PER_MBQ * S_PER_H
    return (
        f"Ã is {best.tia_bq_s / unit:.4g} MBq·h; the other models give {low.tia_bq_s / unit:.4g} ({low.model}) to "
        f"{high.tia_bq_s / unit:.4g} ({high.model}).",
    )
