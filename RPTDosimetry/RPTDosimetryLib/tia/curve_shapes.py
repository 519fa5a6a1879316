"""Fitted curves A(t) that can be drawn and integrated exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SumOfExponentials:
    """A(t) = Σ a_i e^(−λ_i t) [Bq] for t ≥ 0."""

    amplitude_bq: NDArray[np.float64]
    rate_per_s: NDArray[np.float64]

    def __call__(self, time_s: NDArray[Any]) -> NDArray[np.float64]:
        """Activity [Bq] at times [s]."""
        t = np.asarray(time_s, dtype=np.float64)
        activity: NDArray[np.float64] = np.exp(-np.multiply.outer(t, self.rate_per_s)) @ self.amplitude_bq
        return activity

    def integral_from(self, time_s: float = 0.0) -> float:
        """∫_t^∞ A dt = Σ a_i e^(−λ_i t)/λ_i [Bq·s]."""
        return float(np.sum(self.amplitude_bq * np.exp(-self.rate_per_s * time_s) / self.rate_per_s))


@dataclass(frozen=True)
class LinesWithTail:
    """Straight lines between knots, then A(t) = A_tail·e^(−λ(t − t_last knot)) [Bq]; the first knot is at t = 0."""

    knot_time_s: NDArray[np.float64]
    knot_activity_bq: NDArray[np.float64]
    tail_activity_bq: float
    tail_lambda_per_s: float

    def __call__(self, time_s: NDArray[Any]) -> NDArray[np.float64]:
        """Activity [Bq] at times [s]."""
        t = np.asarray(time_s, dtype=np.float64)
        after = np.maximum(t - self.knot_time_s[-1], 0.0)
        tail = self.tail_activity_bq * np.exp(-self.tail_lambda_per_s * after)
        return np.where(after > 0, tail, np.interp(t, self.knot_time_s, self.knot_activity_bq))

    def integral_from(self, time_s: float = 0.0) -> float:
        """∫_t^∞ A dt [Bq·s]: trapezoids, exact for lines, and A_tail·e^(−λ·…)/λ."""
        last = float(self.knot_time_s[-1])
        after = max(time_s - last, 0.0)
        tail = self.tail_activity_bq * np.exp(-self.tail_lambda_per_s * after) / self.tail_lambda_per_s
        if time_s >= last:
            return float(tail)
        inner = self.knot_time_s > time_s
        times = np.concatenate([[time_s], self.knot_time_s[inner]])
        heights = np.concatenate([self(np.array([time_s])), self.knot_activity_bq[inner]])
        return float(np.trapezoid(heights, times) + tail)
