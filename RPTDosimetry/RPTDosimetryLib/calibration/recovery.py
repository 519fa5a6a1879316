"""How much of a small volume's activity a SPECT shows, and the correction of its mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CalibrationError
from RPTDosimetryLib.records import Voi

#: Two parameters leave one degree of freedom with three spheres: fewer give a curve but no uncertainty.
FEWEST_VOLUMES = 3
#: Noise and edge enhancement lift a large sphere slightly above 1; more than this contradicts factor or filling.
HIGHEST_RECOVERY = 1.1


@dataclass(frozen=True)
class RecoveryCurve:
    """RC(V) = 1/(1 + (V50/V)^β), fitted to measured spheres (Gear et al. 2018, the EANM guidance on uncertainty).

    v50_ml: volume that shows half of its activity; beta: steepness. smallest_ml, largest_ml: the volumes measured;
    covariance of (ln V50, ln β) from the residuals of the fit. V → ∞ gives 1, V → 0 gives 0.
    doi 10.1007/s00259-018-4136-7.
    """

    v50_ml: float
    beta: float
    smallest_ml: float
    largest_ml: float
    covariance: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.0), (0.0, 0.0))
    source: str = ""

    def __post_init__(self) -> None:
        for name, value in (("v50_ml", self.v50_ml), ("beta", self.beta), ("smallest_ml", self.smallest_ml)):
            if not (math.isfinite(value) and value > 0):
                raise CalibrationError(f"A recovery curve with {name} = {value:g} has no meaning: it must be positive.")

    def coefficient(self, volume_ml: float) -> float:
        """RC (0 to 1) at a volume [mL]. Raises CalibrationError for a volume that is not positive."""
        if not (math.isfinite(volume_ml) and volume_ml > 0):
            raise CalibrationError(f"A volume of {volume_ml:g} mL has no recovery coefficient: draw it again.")
        return 1.0 / (1.0 + (self.v50_ml / volume_ml) ** self.beta)

    def standard_error(self, volume_ml: float) -> float:
        """1 σ of RC(V) from the covariance of the fit; grows where the curve is extrapolated."""
        rc = self.coefficient(volume_ml)
        gradient = rc * (1.0 - rc) * np.array([-self.beta, -self.beta * math.log(self.v50_ml / volume_ml)])
        variance = float(gradient @ np.asarray(self.covariance) @ gradient)
        return math.sqrt(max(variance, 0.0))

    def was_measured_at(self, volume_ml: float) -> bool:
        """True between the smallest and the largest sphere measured."""
        return self.smallest_ml <= volume_ml <= self.largest_ml


def fit_recovery(
    volumes_ml: NDArray[np.float64] | list[float], coefficients: NDArray[np.float64] | list[float], source: str = ""
) -> RecoveryCurve:
    """Least squares of RC(V) through measured spheres, unweighted, in (ln V50, ln β) so that both stay positive.

    Raises CalibrationError: fewer than three different volumes, a coefficient that is not positive or above 1.1, or
    coefficients that do not rise with volume.
    """
    volume, rc = np.asarray(volumes_ml, dtype=np.float64), np.asarray(coefficients, dtype=np.float64)
    _require_measured(volume, rc)
    logs = np.log(volume)

    def model(log_volume: NDArray[np.float64], log_v50: float, log_beta: float) -> NDArray[np.float64]:
        return np.asarray(1.0 / (1.0 + np.exp(np.exp(log_beta) * (log_v50 - log_volume))))

    from scipy.optimize import curve_fit

    start = (float(np.interp(0.5, np.sort(rc), logs[np.argsort(rc)])), 0.0)
    bounds = ([logs.min() - 10.0, np.log(0.05)], [logs.max() + 10.0, np.log(20.0)])
    try:
        found, covariance = curve_fit(model, logs, rc, p0=start, bounds=bounds)
    except RuntimeError as error:
        raise CalibrationError(
            f"No recovery curve could be fitted to {len(rc)} spheres ({error}). Check their volumes and activities."
        ) from error
    (a, b), (_, c) = np.where(np.isfinite(covariance), covariance, 0.0)
    return RecoveryCurve(
        v50_ml=float(np.exp(found[0])),
        beta=float(np.exp(found[1])),
        smallest_ml=float(volume.min()),
        largest_ml=float(volume.max()),
        covariance=((float(a), float(b)), (float(b), float(c))),
        source=source or f"{len(rc)} spheres of {volume.min():.3g} to {volume.max():.3g} mL",
    )


@dataclass(frozen=True)
class RecoveredMean:
    """The mean of a volume as the image shows it and as the recovery curve corrects it; both are always shown."""

    name: str
    volume_ml: float
    uncorrected: float
    coefficient: float
    coefficient_se: float
    corrected: float
    note: str


def recovered_mean(voi: Voi, mean: float, curve: RecoveryCurve) -> RecoveredMean:
    """corrected = mean/RC(V), in the unit of ``mean`` (Bq/mL, Bq·s or Gy: whatever is proportional to activity).

    For VOI means only, never for voxels: RC says how much of a whole volume's activity the image shows inside its true
    outline, not where the rest went. It holds for an outline drawn on anatomy, a round volume of even activity, and
    surroundings without activity; the note says when the volume lies outside those measured.
    """
    volume_ml = voi.volume_ml
    rc = curve.coefficient(volume_ml)
    note = ""
    if not curve.was_measured_at(volume_ml):
        side = "below the smallest" if volume_ml < curve.smallest_ml else "above the largest"
        limit_ml = curve.smallest_ml if volume_ml < curve.smallest_ml else curve.largest_ml
        note = f"{voi.name}: {volume_ml:.3g} mL is {side} sphere measured ({limit_ml:.3g} mL); RC is extrapolated"
    return RecoveredMean(voi.name, volume_ml, mean, rc, curve.standard_error(volume_ml), mean / rc, note)


def _require_measured(volume_ml: NDArray[np.float64], rc: NDArray[np.float64]) -> None:
    if volume_ml.shape != rc.shape or volume_ml.ndim != 1:
        raise CalibrationError(
            f"A recovery curve needs one coefficient for each volume: got {volume_ml.size} volumes and {rc.size} "
            "coefficients."
        )
    if not (np.isfinite(volume_ml).all() and (volume_ml > 0).all()):
        raise CalibrationError("A recovery curve needs sphere volumes above 0 mL.")
    if len(np.unique(volume_ml)) < FEWEST_VOLUMES:
        raise CalibrationError(
            f"A recovery curve needs at least {FEWEST_VOLUMES} different volumes: got {len(np.unique(volume_ml))}. "
            "Measure more spheres, or leave the curve out."
        )
    if not np.isfinite(rc).all() or (rc <= 0).any() or (rc > HIGHEST_RECOVERY).any():
        wrong = ", ".join(f"{r:.3g} at {v:.3g} mL" for v, r in zip(volume_ml, rc, strict=True) if not 0 < r <= 1.1)
        raise CalibrationError(
            f"Recovery coefficients lie between 0 and {HIGHEST_RECOVERY:g}: got {wrong}. Check the calibration factor, "
            "the activity in the sphere, its volume and its place."
        )
    if np.polyfit(np.log(volume_ml), rc, 1)[0] <= 1e-9:  # rounding of a flat line
        raise CalibrationError(
            "The recovery coefficients do not rise with volume, as blur makes them: check which sphere is which."
        )
