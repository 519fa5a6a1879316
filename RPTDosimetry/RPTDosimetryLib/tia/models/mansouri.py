"""Mansouri et al. 2024 (doi 10.1007/s00259-024-06618-9): trapezoids up to 24 h, mono-exponential after.

The paper leaves three things open; they are decided here. (1) The first trapezoid starts from A(0) = 0, as in Kim et
al. 2022. (2) "24 h" is the scan nearest to 24 h, t_k. (3) The exponential after it is a·e^(−λ(t − t_k)) with the λ of
the VOI and a by least squares through the scans from t_k on, so
Ã = Σ ½(A_i + A_{i+1})Δt_i (0 to t_k) + a/λ, a = Σ w_i A_i e_i/Σ w_i e_i², e_i = e^(−λ(t_i − t_k)).
λ of a VOI: mean of the normal distribution fitted to the λ of its voxels (tia/voi_lambda). Of a single curve, or where
no VOI gives one: the slope of ln A from t_k on, never below λ_phys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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
from RPTDosimetryLib.tia.single_scan import nearest_scan
from RPTDosimetryLib.tia.tail_lambda import HELD, given_tail_lambda
from RPTDosimetryLib.tia.weights import curve_weights, variance_weights
from RPTDosimetryLib.units import S_PER_H

KNOT_S: Final = 24 * S_PER_H
#: The scan taken for "24 h" is named in a warning when it is further than this from it.
KNOT_TOLERANCE_S: Final = 6 * S_PER_H


def knot_index(time_s: NDArray[np.float64]) -> int:
    """The scan where trapezoids end. Raises KineticsError unless two scans are left for the exponential."""
    k = nearest_scan(time_s, KNOT_S)
    if time_s.size - k < 2:
        raise KineticsError(
            f"The model mansouri needs at least 2 scans from about 24 h on; the scan nearest to 24 h, at "
            f"{time_s[k] / S_PER_H:.4g} h, is the last one. Add a later scan or choose kim."
        )
    return k


def knot_warnings(time_s: NDArray[np.float64]) -> tuple[str, ...]:
    """Says so when no scan is near 24 h."""
    k = knot_index(time_s)
    if abs(time_s[k] - KNOT_S) <= KNOT_TOLERANCE_S:
        return ()
    return (f"mansouri: no scan near 24 h; the trapezoids end at {time_s[k] / S_PER_H:.4g} h instead.",)


@dataclass(frozen=True)
class Mansouri:
    """See the module."""

    name: str = "mansouri"
    min_points: int = 2
    n_parameters: int | None = None

    def fit(self, curve: TimeActivityCurve, settings: FitSettings) -> KineticFit:
        """One curve. Raises KineticsError: too few scans from 24 h on, or zero activity among them."""
        require_points(curve.time_s.size, self.min_points, self.name)
        k = knot_index(curve.time_s)
        if settings.tail_half_life_h is None and not np.all(curve.activity_bq[k:] > 0):
            raise KineticsError(
                "The model mansouri cannot take an effective half-life from scans with zero activity: leave them out, "
                "or choose kim."
            )
        columns = ActivityColumns(
            curve.activity_bq[:, None],
            curve.time_s,
            curve.nuclide,
            curve.lambda_phys_per_s,
            scan_weights=curve_weights(curve, settings.weighting),
        )
        tail_lambda, held = _tail_lambda(columns, settings)
        amplitude = _amplitude(columns, settings, tail_lambda)
        shape = LinesWithTail(*knots(curve, k + 1), float(amplitude[0]), float(tail_lambda[0]))
        tia_bq_s = shape.integral_from()
        said = (f"{self.name}: the scans from 24 h on {HELD}.",) if held[0] else ()

        def again(activity_bq: NDArray[np.float64]) -> NDArray[np.float64]:
            many = ActivityColumns(
                activity_bq, columns.time_s, columns.nuclide, columns.lambda_phys_per_s, None, columns.scan_weights
            )
            return self.integrate_columns(many, settings).tia_bq_s

        return KineticFit(
            model=self.name,
            tia_bq_s=tia_bq_s,
            parameters={"a_bq": float(amplitude[0]), "lambda_eff_per_s": float(tail_lambda[0])},
            extrapolated_fraction=shape.integral_from(float(curve.time_s[-1])) / tia_bq_s,
            activity_bq_at=shape,
            tia_se_bq_s=propagated_se_bq_s(curve, again),
            warnings=knot_warnings(curve.time_s) + said + share_warnings(shape, curve),
        )

    def integrate_columns(self, columns: ActivityColumns, settings: FitSettings) -> IntegratedColumns:
        """Many curves, each with the λ of its VOI where there is one. Raises KineticsError."""
        require_points(columns.time_s.size, self.min_points, self.name)
        k = knot_index(columns.time_s)
        tail_lambda, held = _tail_lambda(columns, settings)
        area = _amplitude(columns, settings, tail_lambda) / tail_lambda
        tia = trapezoids(columns.activity_bq[: k + 1], columns.time_s[: k + 1]) + area
        tail = area * np.exp(-tail_lambda * (columns.time_s[-1] - columns.time_s[k]))
        return IntegratedColumns(tia, tail, {f"have scans from 24 h on that {HELD}": noted(held & (tia > 0), tia)})


def _tail_lambda(columns: ActivityColumns, settings: FitSettings) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    given = given_tail_lambda(columns, settings)
    if given is not None:
        return given, np.zeros(given.shape, dtype=bool)
    k = knot_index(columns.time_s)
    slope = log_slope(columns.activity_bq[k:], columns.time_s[k:])
    held = ~(slope >= columns.lambda_phys_per_s)
    return np.where(held, columns.lambda_phys_per_s, slope), held


def _amplitude(
    columns: ActivityColumns, settings: FitSettings, tail_lambda: NDArray[np.float64]
) -> NDArray[np.float64]:
    k = knot_index(columns.time_s)
    after = columns.activity_bq[k:]
    if columns.scan_weights is not None:
        weights = columns.scan_weights[k:, None]
    else:
        weights = variance_weights(columns.activity_bq, settings.weighting)[k:]
    numerator = np.zeros(after.shape[1])
    denominator = np.zeros(after.shape[1])
    for i, t in enumerate(columns.time_s[k:] - columns.time_s[k]):
        decay = np.exp(-tail_lambda * t)
        numerator += weights[i] * after[i] * decay
        denominator += weights[i] * decay**2
    return numerator / denominator


MODEL = Mansouri()
