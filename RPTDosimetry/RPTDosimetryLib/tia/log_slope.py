"""Effective decay constants from a straight line through ln A."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def log_slope(activity_bq: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """λ = −Σ(t − t̄)·ln A / Σ(t − t̄)² [1/s] of each column (scan, curve), unbounded; NaN where an activity is zero."""
    positive = np.all(activity_bq > 0, axis=0)
    logs = np.log(np.where(positive, activity_bq, 1.0))
    centred = time_s - time_s.mean()
    slope = -(centred @ logs) / float(centred @ centred)
    return np.where(positive, slope, np.nan)
