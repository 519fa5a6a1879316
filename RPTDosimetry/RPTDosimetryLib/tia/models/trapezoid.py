"""Straight lines between the scans and an exponential tail: Ã = ∫_0^{t_1} + Σ ½(A_i + A_{i+1})Δt_i + A_n/λ_tail.

Before the first scan: from A(0) = 0 (start "zero") or constant A_1 (start "constant"). λ_tail: λ_phys (tail
"physical"), the slope of the last two scans, never below λ_phys ("last_two_points"), or that of the VOI ("voi_lambda").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.records import KineticFit, TimeActivityCurve
from RPTDosimetryLib.tia.checks import require_points
from RPTDosimetryLib.tia.columns import ActivityColumns, IntegratedColumns, noted
from RPTDosimetryLib.tia.curve_shapes import LinesWithTail
from RPTDosimetryLib.tia.fit_warnings import share_warnings
from RPTDosimetryLib.tia.linear_error import propagated_se_bq_s
from RPTDosimetryLib.tia.lines_with_tail import knots, trapezoids
from RPTDosimetryLib.tia.log_slope import log_slope
from RPTDosimetryLib.tia.settings import FitSettings
from RPTDosimetryLib.tia.tail_lambda import HELD, given_tail_lambda


@dataclass(frozen=True)
class Trapezoid:
    """See the module."""

    name: str = "trapezoid"
    min_points: int = 2
    n_parameters: int | None = None

    def fit(self, curve: TimeActivityCurve, settings: FitSettings) -> KineticFit:
        """One curve. Raises KineticsError."""
        require_points(curve.time_s.size, self.min_points, self.name)
        columns = ActivityColumns(curve.activity_bq[:, None], curve.time_s, curve.nuclide, curve.lambda_phys_per_s)
        tail_lambda, held = self._tail_lambda(columns, settings)
        shape = LinesWithTail(
            *knots(curve, curve.time_s.size, settings.start), float(curve.activity_bq[-1]), float(tail_lambda[0])
        )
        tia_bq_s = shape.integral_from()
        said = (f"{self.name}: the last two scans {HELD}",) if held[0] else ()
        return KineticFit(
            model=self.name,
            tia_bq_s=tia_bq_s,
            parameters={"tail_lambda_eff_per_s": float(tail_lambda[0])},
            extrapolated_fraction=shape.integral_from(float(curve.time_s[-1])) / tia_bq_s,
            activity_bq_at=shape,
            tia_se_bq_s=propagated_se_bq_s(curve, lambda a: self._integrate(_like(columns, a), settings)[0]),
            warnings=said + share_warnings(shape, curve),
        )

    def integrate_columns(self, columns: ActivityColumns, settings: FitSettings) -> IntegratedColumns:
        """Many curves. Raises KineticsError."""
        require_points(columns.time_s.size, self.min_points, self.name)
        tia, tail, held = self._integrate(columns, settings)
        return IntegratedColumns(tia, tail, {f"have last two scans that {HELD}": noted(held, tia)})

    def _integrate(
        self, columns: ActivityColumns, settings: FitSettings
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        tail_lambda, held = self._tail_lambda(columns, settings)
        tail = columns.activity_bq[-1] / tail_lambda
        return trapezoids(columns.activity_bq, columns.time_s, settings.start) + tail, tail, held

    def _tail_lambda(
        self, columns: ActivityColumns, settings: FitSettings
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """λ_tail of each column, and where the last two scans would give less than λ_phys (or nothing)."""
        physical = np.full(columns.activity_bq.shape[1], columns.lambda_phys_per_s)
        if settings.tail == "physical":
            return physical, np.zeros(physical.shape, dtype=bool)
        if settings.tail == "last_two_points":
            slope = log_slope(columns.activity_bq[-2:], columns.time_s[-2:])
            held = ~(slope >= columns.lambda_phys_per_s) & (columns.activity_bq[-1] > 0)
            return np.where(slope >= columns.lambda_phys_per_s, slope, physical), held
        given = given_tail_lambda(columns, settings)
        if given is None:
            raise KineticsError(
                f"{self.name} with the tail voi_lambda needs the VOI's effective half-life: give tail_half_life_h, or "
                "integrate a map with VOIs."
            )
        return given, np.zeros(physical.shape, dtype=bool)


def _like(columns: ActivityColumns, activity_bq: NDArray[np.float64]) -> ActivityColumns:
    return ActivityColumns(activity_bq, columns.time_s, columns.nuclide, columns.lambda_phys_per_s)


MODEL = Trapezoid()
