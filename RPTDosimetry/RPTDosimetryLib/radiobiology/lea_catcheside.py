"""The Lea–Catcheside factor G: how much of the damage is left for a second hit while sublethal damage is repaired.

G = (2/D²)·∫_0^∞ Ḋ(t)·y(t) dt with y(t) = ∫_0^t Ḋ(w)·e^(−μ(t − w)) dw, μ = ln 2/T_rep; Ḋ only by its shape, so a
curve of activity stands for it where the volume irradiates itself. All forms here are closed.
Lea and Catcheside, J Genet 1942;44:216; Dale, Br J Radiol 1985;58:515.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from RPTDosimetryLib.errors import RadiobiologyError
from RPTDosimetryLib.tia.curve_shapes import LinesWithTail, SumOfExponentials


def lea_catcheside_factor(curve: Callable[..., Any], repair_half_life_s: float) -> float:
    """G (0 to 1) of a fitted curve A(t), t from 0 to infinity: 1 when all dose comes at once, 0 when it comes forever.

    Raises RadiobiologyError: a repair half-life that is not positive, a curve without activity, an unknown shape.
    """
    if not 0 < repair_half_life_s < math.inf:
        raise RadiobiologyError(f"A repair half-life of {repair_half_life_s} s: a positive number is needed.")
    repair_per_s = math.log(2) / repair_half_life_s
    if isinstance(curve, SumOfExponentials):
        pairs, total = _of_exponentials(curve, repair_per_s), curve.integral_from()
    elif isinstance(curve, LinesWithTail):
        pairs, total = _of_lines(curve, repair_per_s), curve.integral_from()
    else:
        raise RadiobiologyError("No Lea–Catcheside factor: the fitted curve is no sum of exponentials and no lines.")
    if not total > 0:
        raise RadiobiologyError("No Lea–Catcheside factor: the curve holds no activity.")
    return min(2.0 * pairs / total**2, 1.0)


def mono_exponential_factor(effective_half_life_s: float, repair_half_life_s: float) -> float:
    """G = T_rep/(T_rep + T_eff) of A(t) ∝ e^(−λt). Raises RadiobiologyError."""
    if not (0 < effective_half_life_s < math.inf and 0 < repair_half_life_s < math.inf):
        raise RadiobiologyError("Effective half-life and repair half-life must be positive.")
    return repair_half_life_s / (repair_half_life_s + effective_half_life_s)


def _of_exponentials(curve: SumOfExponentials, repair_per_s: float) -> float:
    """∫ A·y dt = Σ_ij a_i·a_j/((λ_i + λ_j)·(λ_i + μ))."""
    a, rate = curve.amplitude_bq, curve.rate_per_s
    return float(a @ (1.0 / (np.add.outer(rate, rate) * (rate + repair_per_s)[:, None])) @ a)


def _of_lines(curve: LinesWithTail, repair_per_s: float) -> float:
    """∫ A·y dt segment by segment: with A = α + βs, y = p(s) + (y_0 − p(0))·e^(−μs), p = βs/μ + α/μ − β/μ²."""
    mu, left, total = repair_per_s, 0.0, 0.0
    times, heights = curve.knot_time_s, curve.knot_activity_bq
    for step_s, alpha, end in zip(np.diff(times), heights[:-1], heights[1:], strict=True):
        beta, gone = (end - alpha) / step_s, math.exp(-mu * step_s)
        offset = alpha / mu - beta / mu**2
        smooth = alpha * offset * step_s + (alpha / mu + offset) * beta * step_s**2 / 2 + beta**2 * step_s**3 / (3 * mu)
        faded = alpha * (1 - gone) / mu + beta * ((1 - gone) / mu**2 - step_s * gone / mu)
        total += smooth + (left - offset) * faded
        left = beta * step_s / mu + offset + (left - offset) * gone
    tail, rate = curve.tail_activity_bq, curve.tail_lambda_per_s
    return float(total + tail * left / (rate + mu) + tail**2 / (2 * rate * (rate + mu)))
