"""A lesion's edge where activity changes most: watershed on the gradient's magnitude."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.vois.lesion_search import Search

#: What is surely lesion: above this share of the way from background to maximum.
CORE_SHARE: Final = 0.75


def inside_steepest_edge(search: Search) -> tuple[NDArray[np.bool_], float]:
    """(region, background [Bq/mL]) bounded by the ridge of |∇A|, central differences in mm.

    Flooded from two markers: the voxels around the maximum above background + 75 % of (maximum − background), and all
    that lies outside the box or beyond the reach; background is the median of the latter. A ball of radius R blurred
    by σ is steepest near R − σ²/R: at its edge when large, inside it when small against the resolution.
    Watershed: scikit-image (Beucher and Meyer 1993). Raises VoiError without anything outside, or without contrast.
    """
    from skimage.segmentation import watershed

    outside = ~search.inside
    if not outside.any():
        raise VoiError(
            f"{search.name}: the box holds the whole image, which leaves no background for the gradient. Draw it "
            "closer around the lesion."
        )
    activity = search.activity_bq_per_ml
    background = float(np.median(activity[outside & ndimage.binary_dilation(search.inside)]))
    if search.peak_bq_per_ml <= background:
        raise VoiError(
            f"{search.name} does not stand out from its surroundings (maximum {search.peak_bq_per_ml:.4g}, background "
            f"{background:.4g} Bq/mL). Use another method, or move the seed or box."
        )
    core = search.component(background + CORE_SHARE * (search.peak_bq_per_ml - background))
    by_axis = [
        np.gradient(activity, spacing_mm, axis=axis) if activity.shape[axis] > 1 else np.zeros_like(activity)
        for axis, spacing_mm in enumerate(search.grid.spacing_mm[::-1])
    ]
    steepness = np.sqrt(sum(slope**2 for slope in by_axis))
    basins = watershed(steepness, np.where(core, 2, outside.astype(np.int32)))
    return np.asarray(basins == 2) & search.inside, background
