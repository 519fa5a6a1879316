"""A sum of exponentials as a kinetic model: one curve with its uncertainty, or many columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from RPTDosimetryLib.records import KineticFit, TimeActivityCurve
from RPTDosimetryLib.tia.checks import require_points
from RPTDosimetryLib.tia.columns import ActivityColumns, IntegratedColumns, noted
from RPTDosimetryLib.tia.exponential_family import CLEARANCE_LIMIT, UPTAKE_LIMIT, ExponentialFamily
from RPTDosimetryLib.tia.exponential_fit import ExponentialFit, fit_exponentials
from RPTDosimetryLib.tia.fit_warnings import share_warnings
from RPTDosimetryLib.tia.lines_with_tail import from_zero_with_physical_tail
from RPTDosimetryLib.tia.settings import FitSettings
from RPTDosimetryLib.tia.weights import variance_weights
from RPTDosimetryLib.units import S_PER_H


@dataclass(frozen=True)
class ExponentialModel:
    """A(t) of an ExponentialFamily, Ã = Σ a_i/λ_i. parameter_names: amplitudes a_i that are told, then rates λ_i."""

    name: str
    family: ExponentialFamily
    amplitude_names: tuple[str, ...]
    rate_names: tuple[str, ...]

    @property
    def n_parameters(self) -> int:
        """Rates and free amplitudes."""
        return self.family.n_parameters

    @property
    def min_points(self) -> int:
        """As many scans as parameters."""
        return self.n_parameters

    def fit(self, curve: TimeActivityCurve, settings: FitSettings) -> KineticFit:
        """Weighted least squares, see exponential_fit. Raises KineticsError."""
        require_points(curve.time_s.size, self.min_points, self.name)
        best = fit_exponentials(curve, self.family, settings.weighting)
        tia_bq_s = best.shape.integral_from()
        return KineticFit(
            model=self.name,
            tia_bq_s=tia_bq_s,
            parameters=self._told(best.shape.amplitude_bq, best.shape.rate_per_s),
            extrapolated_fraction=best.shape.integral_from(float(curve.time_s[-1])) / tia_bq_s,
            activity_bq_at=best.shape,
            tia_se_bq_s=best.tia_se_bq_s(),
            parameter_se=self._told(best.amplitude_se_bq(), best.rate_se_per_s()),
            aicc=aicc(best.weighted_rss_bq2, curve, self.n_parameters + 1) if best.settled else None,
            warnings=self._warnings(best, curve) + share_warnings(best.shape, curve),
        )

    def integrate_columns(self, columns: ActivityColumns, settings: FitSettings) -> IntegratedColumns:
        """The same fits for many curves, see exponential_columns.

        Where a clearance phase is as fast as it may be, its value before the first scan is extrapolated without any
        support: such a curve is integrated by straight lines from A(0) = 0 and a physical tail, and counted.
        Raises KineticsError.
        """
        from RPTDosimetryLib.tia import exponential_descent as compiled
        from RPTDosimetryLib.tia.exponential_columns import fit_columns

        activity_bq, time_s = columns.activity_bq, columns.time_s
        require_points(time_s.size, self.min_points, self.name)
        if columns.scan_weights is not None:
            weights = columns.scan_weights[:, None]
        elif settings.weighting == "none":
            weights = np.ones((time_s.size, 1))
        else:
            weights = variance_weights(activity_bq, settings.weighting)
        tia, tail, flags = fit_columns(self.family, activity_bq, time_s, weights, columns.lambda_phys_per_s)
        unsupported = flags & compiled.AT_HIGH_CLEARANCE > 0
        if unsupported.any():
            lines = from_zero_with_physical_tail(activity_bq[:, unsupported], time_s, columns.lambda_phys_per_s)
            tia[unsupported], tail[unsupported] = lines
        at_low = (flags & compiled.AT_LOW > 0) & ~unsupported
        notes = {
            "would clear more slowly than λ_phys: λ_eff held at λ_phys": noted(at_low, tia),
            "fall faster before the second scan than can be extrapolated to t = 0: integrated by straight lines from "
            "A(0) = 0 and a physical tail": noted(unsupported, tia),
            "did not settle in the fit: the best point found was used": noted(flags & compiled.NOT_SETTLED > 0, tia),
        }
        return IntegratedColumns(tia, tail, notes)

    def _told(self, amplitude: np.ndarray | None, rate: np.ndarray | None) -> Mapping[str, float]:
        if amplitude is None or rate is None:
            return {}
        pairs = list(zip(self.amplitude_names, amplitude, strict=False))
        pairs += list(zip(self.rate_names, rate, strict=True))
        return {name: float(value) for name, value in pairs}

    def _warnings(self, best: ExponentialFit, curve: TimeActivityCurve) -> tuple[str, ...]:
        said = []
        if not best.settled:
            said.append(
                f"{self.name}: the fit did not converge; the best point found is given, without an uncertainty, and it "
                "takes no part in a choice by AICc."
            )
        if best.at_low:
            said.append(
                f"{self.name}: the scans would clear no faster than physical decay; λ_eff is held at its lower bound "
                f"λ_phys = {curve.lambda_phys_per_s * S_PER_H:.6g} 1/h."
            )
        if best.at_high and self.family.uptake:
            said.append(
                f"{self.name}: the uptake is over before the first scan can see it; its rate is held at "
                f"{UPTAKE_LIMIT:g} divided by the time of the first scan."
            )
        elif best.at_high:
            said.append(
                f"{self.name}: the fastest phase is held at its upper bound, {CLEARANCE_LIMIT:g} divided by the time "
                "of the first scan: the curve before that scan is not supported by the data."
            )
        empty = int(np.count_nonzero(best.shape.amplitude_bq == 0))
        if empty:
            said.append(
                f"{self.name}: {empty} of its {self.family.n_rates} phases hold no activity; a simpler model "
                "fits alike."
            )
        if best.covariance is None and best.settled:
            said.append(
                f"{self.name}: as many parameters as scans; without standard errors of the activities there is no "
                "uncertainty."
            )
        return tuple(said)


def aicc(weighted_rss_bq2: float, curve: TimeActivityCurve, k: int) -> float | None:
    """n·ln(RSS/n) + 2k + 2k(k+1)/(n − k − 1), k with the variance; None for n < k + 2.

    RSS in units of the highest activity, not below rounding. Burnham and Anderson, Model Selection (2002), eq. 2.4.
    """
    n = curve.time_s.size
    if n < k + 2:
        return None
    rss = max(weighted_rss_bq2 / float(curve.activity_bq.max()) ** 2, n * 1e-24)
    return float(n * np.log(rss / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1))
