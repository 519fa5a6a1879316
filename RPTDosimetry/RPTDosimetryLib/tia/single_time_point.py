"""Methods with one scan: an assumed decay constant turns A(T) into Ã = A(T)·e^(λT)/λ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.records import KineticFit, TimeActivityCurve
from RPTDosimetryLib.tia.checks import require_points
from RPTDosimetryLib.tia.columns import ActivityColumns, IntegratedColumns
from RPTDosimetryLib.tia.curve_shapes import SumOfExponentials
from RPTDosimetryLib.tia.fit_warnings import share_warnings
from RPTDosimetryLib.tia.settings import FitSettings
from RPTDosimetryLib.units import S_PER_H


@dataclass(frozen=True)
class Assumption:
    """The scan used, the decay constant assumed with its standard error (0 where none is known), and what to say."""

    scan: int
    lambda_eff_per_s: float
    lambda_se_per_s: float
    warnings: tuple[str, ...]


#: From scan times, nuclide and settings to what a method assumes.
Assume = Callable[[ActivityColumns, FitSettings], Assumption]


@dataclass(frozen=True)
class SingleTimePoint:
    """A(t) = A(T)·e^(−λ(t − T)), Ã = A(T)·e^(λT)/λ, with the λ that ``assume`` gives.

    σ²(Ã) = (Ã/A·σ_A)² + (Ã·(T − 1/λ)·σ_λ)², the first term only with standard errors of the activities.
    """

    name: str
    assume: Assume
    min_points: int = 1
    n_parameters: int | None = None

    def fit(self, curve: TimeActivityCurve, settings: FitSettings) -> KineticFit:
        """One curve. Raises KineticsError: no decay constant given, one below λ_phys, zero activity in the scan."""
        columns = ActivityColumns(curve.activity_bq[:, None], curve.time_s, curve.nuclide, curve.lambda_phys_per_s)
        found = self._assumed(columns, settings)
        lam, scan_s, activity_bq = found.lambda_eff_per_s, curve.time_s[found.scan], curve.activity_bq[found.scan]
        if not activity_bq > 0:
            raise KineticsError(f"{self.name}: the activity at {scan_s / S_PER_H:.4g} h is zero; choose another scan.")
        amplitude = float(activity_bq * np.exp(lam * scan_s))
        shape = SumOfExponentials(np.array([amplitude]), np.array([lam]))
        tia_bq_s = shape.integral_from()
        by_lambda = tia_bq_s * (scan_s - 1.0 / lam) * found.lambda_se_per_s
        by_activity = 0.0
        if curve.standard_error_bq is not None:
            by_activity = tia_bq_s / activity_bq * float(curve.standard_error_bq[found.scan])
        known = by_activity > 0 or found.lambda_se_per_s > 0
        return KineticFit(
            model=self.name,
            tia_bq_s=tia_bq_s,
            parameters={"a_bq": amplitude, "lambda_eff_per_s": lam, "scan_time_s": float(scan_s)},
            extrapolated_fraction=shape.integral_from(float(curve.time_s[-1])) / tia_bq_s,
            activity_bq_at=shape,
            tia_se_bq_s=float(np.hypot(by_activity, by_lambda)) if known else None,
            warnings=found.warnings + share_warnings(shape, curve),
        )

    def integrate_columns(self, columns: ActivityColumns, settings: FitSettings) -> IntegratedColumns:
        """Many curves. Raises KineticsError."""
        found = self._assumed(columns, settings)
        lam = found.lambda_eff_per_s
        tia = columns.activity_bq[found.scan] * float(np.exp(lam * columns.time_s[found.scan]) / lam)
        return IntegratedColumns(tia, tia * float(np.exp(-lam * columns.time_s[-1])))

    def _assumed(self, columns: ActivityColumns, settings: FitSettings) -> Assumption:
        require_points(columns.time_s.size, self.min_points, self.name)
        found = self.assume(columns, settings)
        if found.lambda_eff_per_s < columns.lambda_phys_per_s * (1 - 1e-6):
            assumed, physical = (np.log(2) / x / S_PER_H for x in (found.lambda_eff_per_s, columns.lambda_phys_per_s))
            raise KineticsError(
                f"{self.name}: the effective half-life assumed ({assumed:.4g} h) is longer than the physical one of "
                f"{columns.nuclide} ({physical:.4g} h): use an earlier scan or a shorter half-life."
            )
        return found
