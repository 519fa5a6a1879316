"""Uncertainty of Ã from the standard errors of the scans, where no least-squares fit is made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.records import TimeActivityCurve


def propagated_se_bq_s(
    curve: TimeActivityCurve, tia_bq_s: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> float | None:
    """σ(Ã) = √Σ(∂Ã/∂A_i·σ_i)² [Bq·s], derivatives by central differences; None without standard errors.

    tia_bq_s: (scan, curve) activities -> (curve,) Ã. Exact for models that are linear in A.
    """
    sigma = curve.standard_error_bq
    if sigma is None:
        return None
    n = curve.time_s.size
    step = 1e-4 * float(curve.activity_bq.max())
    high = curve.activity_bq[:, None] + np.diag(np.full(n, step))
    low = np.maximum(curve.activity_bq[:, None] - np.diag(np.full(n, step)), 0.0)
    tia = tia_bq_s(np.concatenate([high, low], axis=1))
    slope = (tia[:n] - tia[n:]) / np.diag(high - low)
    return float(np.sqrt(np.sum((slope * sigma) ** 2)))
