"""Uncertainty of Ã by repeating the fit on curves that could have been measured instead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import ConfigurationError, KineticsError
from RPTDosimetryLib.records import TimeActivityCurve
from RPTDosimetryLib.tia.checks import checked_curve
from RPTDosimetryLib.tia.columns import ActivityColumns
from RPTDosimetryLib.tia.registry import kinetic_model
from RPTDosimetryLib.tia.settings import FEWEST_REPLICATES, FitSettings
from RPTDosimetryLib.tia.weights import curve_weights


@dataclass(frozen=True)
class BootstrapSettings:
    """parametric: Gaussian noise around the fit, σ_i as given with the curve, else s/√w_i with s² = Σ w r²/(n − p).
    residual: residuals r_i√w_i, scaled by √(n/(n − p)), drawn with replacement around the fit. Raises
    ConfigurationError for too few replicates.
    """

    kind: Literal["parametric", "residual"] = "parametric"
    replicates: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        if self.replicates < FEWEST_REPLICATES:
            raise ConfigurationError(
                f"{self.replicates} bootstrap replicates: at least {FEWEST_REPLICATES} are needed for an interval."
            )


@dataclass(frozen=True)
class Bootstrap:
    """tia_bq_s: Ã of every replicate; standard error is its standard deviation, the interval its central 95 %."""

    tia_bq_s: NDArray[np.float64]
    kind: str
    seed: int

    @property
    def tia_se_bq_s(self) -> float:
        """Standard deviation of the replicates [Bq·s]."""
        return float(self.tia_bq_s.std(ddof=1))

    @property
    def interval_bq_s(self) -> tuple[float, float]:
        """2.5 and 97.5 % points [Bq·s]."""
        low, high = np.quantile(self.tia_bq_s, [0.025, 0.975])
        return float(low), float(high)


def bootstrap(
    curve: TimeActivityCurve,
    model: str,
    settings: FitSettings | None = None,
    how: BootstrapSettings | None = None,
) -> Bootstrap:
    """Ã of ``how.replicates`` curves drawn around the fit of ``model``; negative activities are drawn as zero.

    Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 9. Raises KineticsError where nothing says how
    large the noise is: as many parameters as scans (or no least-squares fit) and no standard errors.
    """
    settings, how = settings or FitSettings(), how or BootstrapSettings()
    ordered, drawn = drawn_curves(curve, model, settings, how)
    weights = curve_weights(ordered, settings.weighting)
    columns = ActivityColumns(drawn, ordered.time_s, ordered.nuclide, ordered.lambda_phys_per_s, scan_weights=weights)
    return Bootstrap(kinetic_model(model).integrate_columns(columns, settings).tia_bq_s, how.kind, how.seed)


def bootstrap_band(
    curve: TimeActivityCurve,
    model: str,
    time_s: NDArray[np.float64],
    settings: FitSettings | None = None,
    how: BootstrapSettings | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """2.5 and 97.5 % points [Bq] of the fits to the same drawn curves, at each time of ``time_s``.

    A replicate that cannot be fitted is left out. Raises KineticsError as bootstrap, or where fewer than half can.
    """
    settings, how = settings or FitSettings(), how or BootstrapSettings()
    ordered, drawn = drawn_curves(curve, model, settings, how)
    kinetic, found = kinetic_model(model), []
    for column in drawn.T:
        try:
            found.append(kinetic.fit(replace(ordered, activity_bq=column), settings).activity_bq_at(time_s))
        except KineticsError:
            continue
    if 2 * len(found) < how.replicates:
        raise KineticsError(f"No band of {model}: only {len(found)} of {how.replicates} drawn curves can be fitted.")
    low, high = np.quantile(np.stack(found), [0.025, 0.975], axis=0)
    return low, high


def drawn_curves(
    curve: TimeActivityCurve, model: str, settings: FitSettings, how: BootstrapSettings
) -> tuple[TimeActivityCurve, NDArray[np.float64]]:
    """The curve in order of time and activities (scan, replicate) [Bq] drawn around its fit. Raises as bootstrap."""
    ordered, _ = checked_curve(curve)
    kinetic = kinetic_model(model)
    fit = kinetic.fit(ordered, settings)
    weights = curve_weights(ordered, settings.weighting)
    n, p = ordered.time_s.size, kinetic.n_parameters
    known = ordered.standard_error_bq
    if p is None or n <= p:
        if known is None or how.kind == "residual":
            raise KineticsError(
                f"No {how.kind} bootstrap of {model} with {n} time points: the curve passes through the scans and "
                "leaves no residuals. Give standard errors and ask for the parametric one, or choose a smaller model."
            )
        centre, spare = ordered.activity_bq, np.inf
    else:
        centre, spare = fit.activity_bq_at(ordered.time_s), float(n - p)
    scaled = (ordered.activity_bq - centre) * np.sqrt(weights)
    rng = np.random.default_rng(how.seed)
    if how.kind == "residual":
        noise = rng.choice(scaled * np.sqrt(n / spare), size=(n, how.replicates)) / np.sqrt(weights)[:, None]
    else:
        sigma = known if known is not None else np.sqrt(float(scaled @ scaled) / spare / weights)
        noise = rng.standard_normal((n, how.replicates)) * sigma[:, None]
    return ordered, np.maximum(centre[:, None] + noise, 0.0)
