"""Weights of the scans in a least-squares fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.records import TimeActivityCurve
from RPTDosimetryLib.tia.settings import Weighting

#: Poisson and relative weights treat activities below this share of the curve's highest as if they were it: a scan
#: with next to nothing in it would otherwise outweigh all others.
FLOOR = 0.01


def variance_weights(activity_bq: NDArray[np.float64], weighting: Weighting) -> NDArray[np.float64]:
    """w = 1/variance up to a factor, shape as activity_bq (scan first): 1, 1/A or 1/A² with A ≥ FLOOR·max(A).

    A is divided by its maximum first, so that w does not depend on the unit.
    """
    highest = activity_bq.max(axis=0, keepdims=True)
    relative = np.maximum(np.divide(activity_bq, np.where(highest > 0, highest, 1.0)), FLOOR)
    power = {"none": 0, "poisson": 1, "relative": 2}[weighting]
    return relative**-power if power else np.ones_like(relative)


def curve_weights(curve: TimeActivityCurve, weighting: Weighting) -> NDArray[np.float64]:
    """Weights of one curve; "standard_error" gives 1/σ² (relative to the mean). Raises KineticsError without σ."""
    if weighting != "standard_error":
        return variance_weights(curve.activity_bq, weighting)
    if curve.standard_error_bq is None:
        raise KineticsError(
            "Weighting by standard errors was asked for, but the curve has none: give them, or choose "
            "none, poisson or relative."
        )
    inverse = curve.standard_error_bq**-2.0
    weights: NDArray[np.float64] = inverse / inverse.mean()
    return weights
