"""Lesions as what is above a threshold: a share of the maximum, an absolute one, or one adapted to the background."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.vois.lesion_search import Search

#: Schaefer et al. 2008 take the mean inside the isocontour of 70 % of the maximum as the lesion's activity.
CORE_SHARE: Final = 0.7
#: Background is taken in a shell this far from the contour [mm]: beyond the tail of the blurred edge, near the lesion.
SHELL_MM: Final = (10.0, 20.0)
MOST_ITERATIONS: Final = 30


def above_share(search: Search, percent: float) -> tuple[NDArray[np.bool_], float]:
    """(region, threshold [Bq/mL]) at or above percent % of the maximum."""
    threshold = percent / 100.0 * search.peak_bq_per_ml
    return search.component(threshold), threshold


def above_fixed(search: Search, threshold_bq_per_ml: float) -> NDArray[np.bool_]:
    """Region at or above an absolute threshold. Raises VoiError when it is above the maximum."""
    if threshold_bq_per_ml > search.peak_bq_per_ml:
        raise VoiError(
            f"{search.name}: the threshold {threshold_bq_per_ml:.4g} Bq/mL is above the maximum there, "
            f"{search.peak_bq_per_ml:.4g} Bq/mL. Lower it, or move the seed or box."
        )
    return search.component(threshold_bq_per_ml)


def above_adapted(
    search: Search, core_share: float, background_share: float
) -> tuple[NDArray[np.bool_], float, float, tuple[str, ...]]:
    """(region, threshold, background [Bq/mL], warnings): T = a·mean₇₀ + b·background.

    mean₇₀: mean inside the 70 % isocontour. background: median of the shell around the region, so that a hot neighbour
    does not count; region and background are found in turn until the region stays. Linear form: Schaefer et al. 2008,
    doi 10.1007/s00259-008-0875-1, whose a and b belong to one scanner. Raises VoiError: no contrast, a threshold above
    the maximum, no voxel for the background.
    """
    core = search.component(CORE_SHARE * search.peak_bq_per_ml)
    mean_70 = float(search.activity_bq_per_ml[core].mean())
    region, seen, said = core, dict[float, int](), tuple[str, ...]()
    threshold = background = 0.0
    for number in range(MOST_ITERATIONS):
        background = _background(search, region)
        if mean_70 <= background:
            raise VoiError(
                f"{search.name} does not stand out from its surroundings (mean of its 70 % isocontour {mean_70:.4g}, "
                f"background {background:.4g} Bq/mL). Use another method, or move the seed or box."
            )
        threshold = core_share * mean_70 + background_share * background
        if threshold in seen:
            if seen[threshold] < number - 1:
                said = (
                    f"{search.name}: the adaptive threshold goes back and forth between regions; the one at "
                    f"{threshold:.4g} Bq/mL is kept.",
                )
            break
        seen[threshold] = number
        region = above_fixed(search, threshold)
    else:
        raise VoiError(
            f"{search.name}: the adaptive threshold did not settle in {MOST_ITERATIONS} rounds. Use another method, or "
            "a box around the lesion."
        )
    return region, threshold, background, said


def _background(search: Search, region: NDArray[np.bool_]) -> float:
    distance_mm = ndimage.distance_transform_edt(~region, sampling=search.grid.spacing_mm[::-1])
    shell = (distance_mm > SHELL_MM[0]) & (distance_mm <= SHELL_MM[1])
    if not shell.any():
        raise VoiError(
            f"{search.name}: no voxel lies {SHELL_MM[0]:g} to {SHELL_MM[1]:g} mm around the region for its background. "
            "Use another method."
        )
    return float(np.median(search.activity_bq_per_ml[shell]))
