"""What a curve or a series must be before any model looks at it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.records import TimeActivityCurve
from RPTDosimetryLib.units import S_PER_H

#: Two scans closer than this are one scan entered twice: no camera repeats a SPECT within a minute.
ALIKE_S = 60.0


def checked_curve(curve: TimeActivityCurve) -> tuple[TimeActivityCurve, tuple[str, ...]]:
    """The curve in order of time, as float64, with warnings about what had to be said.

    Raises KineticsError: lengths differ, no points, NaN, negative or only zero activity, times not after the
    administration, two scans at one time, a standard error that is not positive, λ_phys not positive.
    """
    time_s = np.atleast_1d(np.asarray(curve.time_s, dtype=np.float64))
    activity_bq = np.atleast_1d(np.asarray(curve.activity_bq, dtype=np.float64))
    if time_s.ndim != 1 or time_s.shape != activity_bq.shape or time_s.size == 0:
        raise KineticsError(
            f"A time-activity curve needs one activity for each time: got {time_s.size} times and "
            f"{activity_bq.size} activities."
        )
    order = check_times(time_s, curve.lambda_phys_per_s)
    _check_activity(time_s, activity_bq)
    error_bq = curve.standard_error_bq
    if error_bq is not None:
        error_bq = np.atleast_1d(np.asarray(error_bq, dtype=np.float64))
        if error_bq.shape != time_s.shape or not bool(np.all(np.isfinite(error_bq) & (error_bq > 0))):
            raise KineticsError("The standard errors of a curve must be positive, one for each scan.")
        error_bq = error_bq[order]
    ordered = replace(curve, time_s=time_s[order], activity_bq=activity_bq[order], standard_error_bq=error_bq)
    return ordered, _said(ordered, was_ordered=bool(np.all(np.diff(order) > 0)))


def _said(curve: TimeActivityCurve, was_ordered: bool) -> tuple[str, ...]:
    warnings = [] if was_ordered else ["The scans were not in order of time; they were sorted."]
    zero = np.flatnonzero(curve.activity_bq == 0)
    if zero.size:
        times = ", ".join(f"{t / S_PER_H:.4g}" for t in curve.time_s[zero])
        warnings.append(f"The activity is zero at {times} h.")
    return tuple(warnings)


def check_times(time_s: NDArray[np.float64], lambda_phys_per_s: float) -> NDArray[np.intp]:
    """The order that sorts the scan times. Raises KineticsError unless they are finite, positive and apart."""
    if not (np.isfinite(lambda_phys_per_s) and lambda_phys_per_s > 0):
        raise KineticsError(f"λ_phys = {lambda_phys_per_s!r} 1/s: a positive decay constant is needed.")
    for i, t in enumerate(time_s):
        if not np.isfinite(t) or t <= 0:
            raise KineticsError(
                f"Time point {i + 1} is at {t / S_PER_H:.4g} h: scans must lie after the administration (t > 0). "
                "Check its acquisition time and the time of administration."
            )
    order = np.argsort(time_s, kind="stable")
    for first, second in pairwise(order):
        if time_s[second] - time_s[first] < ALIKE_S:
            raise KineticsError(
                f"Time points {first + 1} and {second + 1} are at the same time ({time_s[first] / S_PER_H:.4g} h): "
                "leave one of them out, or correct its acquisition time."
            )
    return order


def _check_activity(time_s: NDArray[np.float64], activity_bq: NDArray[np.float64]) -> None:
    for i, (t, a) in enumerate(zip(time_s, activity_bq, strict=True)):
        if not np.isfinite(a) or a < 0:
            what = "negative" if a < 0 else "not a number"
            raise KineticsError(
                f"The activity of time point {i + 1} ({t / S_PER_H:.4g} h) is {what} ({a:.6g} Bq): correct the image "
                "or the curve, or leave this time point out."
            )
    if not np.any(activity_bq > 0):
        raise KineticsError("The activity is zero at every time point: there is nothing to integrate.")


def require_points(count: int, needed: int, model: str) -> None:
    """Raise KineticsError when a model has too few scans, naming what would do."""
    if count < needed:
        single = " With one scan, haenscheid or madsen can be asked for." if count == 1 else ""
        raise KineticsError(
            f"The model {model} needs {needed} time points; there {'is' if count == 1 else 'are'} {count}. Add scans "
            f"or choose a model with fewer parameters.{single}"
        )
