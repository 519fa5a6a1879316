"""Counts that a busy detector loses: the paralyzable model."""

from __future__ import annotations

import math

from scipy.special import lambertw

from RPTDosimetryLib.errors import CalibrationError


def dead_time_factor(observed_cps: float, dead_time_s: float) -> float:
    """n/m = e^(nτ) ≥ 1, where n is the true and m = n·e^(−nτ) the observed count rate [1/s].

    n = −W₀(−mτ)/τ, the branch below the maximum n = 1/τ (the other one, a detector that is nearly blind, is never
    taken). Observed rate and τ must be of the same events: one detector head, and either the photopeak window or the
    whole spectrum; the two give factors that differ several times (Uribe et al. 2018, doi 10.1186/s40658-017-0202-7).
    Raises CalibrationError for negative values and for an observed rate above the model's maximum 1/(e·τ).
    Lambert W: Corless et al., Adv Comput Math 5:329 (1996).
    """
    if not (math.isfinite(observed_cps) and math.isfinite(dead_time_s) and observed_cps >= 0 and dead_time_s >= 0):
        raise CalibrationError(
            f"A dead time of {dead_time_s:g} s at {observed_cps:g} counts/s has no meaning: both must be 0 or more."
        )
    busy = observed_cps * dead_time_s
    if busy > math.exp(-1.0):
        raise CalibrationError(
            f"{observed_cps:g} counts/s cannot be observed with a paralyzable dead time of {dead_time_s:g} s, which "
            f"lets at most {math.exp(-1.0) / dead_time_s:.6g} counts/s through. Check observed_cps (of one detector "
            "head, in the window that the dead time was measured in) and dead_time_s."
        )
    return math.exp(-float(lambertw(-busy).real))
