"""Trapezoids between scans and an exponential after the last one, for one curve or for many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.records import TimeActivityCurve

Columns = NDArray[np.float64]


def trapezoids(activity_bq: Columns, time_s: NDArray[np.float64], start: str = "zero") -> Columns:
    """∫_0^{t_n} A dt [Bq·s] of each column: A(0) = 0 and a rise to A_1 ("zero") or A(0) = A_1 ("constant"), then
    Σ ½(A_i + A_{i+1})Δt.
    """
    first = activity_bq[0] * time_s[0] * (0.5 if start == "zero" else 1.0)
    if time_s.size == 1:
        return first
    return first + np.asarray(np.trapezoid(activity_bq, time_s, axis=0))


def from_zero_with_physical_tail(
    activity_bq: Columns, time_s: NDArray[np.float64], lambda_phys_per_s: float
) -> tuple[Columns, Columns]:
    """(Ã, tail) [Bq·s] of each column: trapezoids from A(0) = 0, tail A_n/λ_phys (Kim et al. 2022)."""
    tail = activity_bq[-1] / lambda_phys_per_s
    return trapezoids(activity_bq, time_s) + tail, tail


def knots(curve: TimeActivityCurve, until: int, start: str = "zero") -> tuple[Columns, Columns]:
    """Times and activities of the straight lines from t = 0 to scan number ``until`` (counted from 1)."""
    height = 0.0 if start == "zero" else float(curve.activity_bq[0])
    return (
        np.concatenate([[0.0], curve.time_s[:until]]),
        np.concatenate([[height], curve.activity_bq[:until]]),
    )
