"""The choices of registration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Method = Literal["rigid", "affine", "bspline", "none"]
Through = Literal["spect", "ct"]
Engine = Literal["simpleitk", "elastix"]


@dataclass(frozen=True)
class RegistrationSettings:
    """How time points are aligned, and what counts as a failure.

    method: "rigid", "affine" and "bspline" (each starts from the one before), or "none": already aligned. through:
    which images are compared, the SPECT or the CTs of the two time points. engine: who searches. transforms: folder
    with transform_N.tfm (or .h5, .nrrd) for time point N, taken in place of a search. reference: number of the time
    point that stays, from 1; None chooses the first with a CT (its contours and density then need no moving), otherwise
    the first.

    sampling: share of body voxels looked at (1 = all); seed makes it repeatable. bspline_spacing_mm: distance of the
    knots of a B-spline, which cannot bend within less than about twice that.

    A result fails when it moves the body by more than maximum_shift_mm (mean) or maximum_turn_deg (patients are laid
    down again within centimetres and degrees), changes volume somewhere in the body by more than the factor
    maximum_volume_factor, or when the images then agree less than minimum_mutual_information [nats],
    minimum_correlation (of CTs: minimum_ct_correlation) or minimum_detail_correlation (see quality.py). cut_warning:
    share of activity outside the reference grid from which a warning is given.
    """

    method: Method = "rigid"
    through: Through = "spect"
    engine: Engine = "simpleitk"
    transforms: Path | None = None
    reference: int | None = None
    histogram_bins: int = 48
    sampling: float = 0.3
    iterations: int = 80
    seed: int = 1
    bspline_spacing_mm: float = 90.0
    maximum_shift_mm: float = 120.0
    maximum_turn_deg: float = 25.0
    maximum_volume_factor: float = 2.0
    minimum_mutual_information: float = 0.10
    minimum_correlation: float = 0.40
    minimum_detail_correlation: float = 0.50
    minimum_ct_correlation: float = 0.75
    cut_warning: float = 0.01
