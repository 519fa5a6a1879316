"""What two absorbed-dose maps must have in common before they are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import EvaluationError
from RPTDosimetryLib.grid import coverage, require_same_grid, resample
from RPTDosimetryLib.records import Image


@dataclass(frozen=True)
class OnReference:
    """An evaluated dose on the reference's grid; covered: voxels that the evaluated map reaches; said: one sentence."""

    evaluated: Image
    covered: NDArray[np.bool_]
    said: str


def require_comparable(reference: Image, evaluated: Image) -> None:
    """Both on one grid, finite, and a reference with some dose; GridMismatchError or EvaluationError otherwise."""
    require_same_grid(reference.grid, evaluated.grid, "Reference and evaluated dose")
    for image, which in ((reference, "reference"), (evaluated, "evaluated")):
        if not np.isfinite(image.voxels).all():
            raise EvaluationError(f"The {which} dose holds values that are not numbers. Check the dose map.")
    if float(reference.voxels.max()) <= 0.0:
        raise EvaluationError(
            "The reference holds no dose above 0 Gy: nothing can be normalised to it. Check which map is the reference."
        )


def negative_said(reference: Image, evaluated: Image) -> tuple[str, ...]:
    """One sentence a map with voxels below 0 Gy, which no absorbed dose has; they are compared as they are."""
    said = []
    for image, which in ((reference, "reference"), (evaluated, "evaluated")):
        below = int(np.count_nonzero(image.voxels < 0))
        if below:
            said.append(
                f"The {which} dose holds {below} voxels below 0 Gy, down to {float(image.voxels.min()):.3g} Gy: no "
                "absorbed dose is negative. They are compared as they are."
            )
    return tuple(said)


def checked_mask(reference: Image, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """The voxels that count: those of the mask, or all; EvaluationError for an empty mask or one of another shape."""
    if mask is None:
        return np.ones(reference.grid.shape_zyx, dtype=bool)
    if mask.shape != reference.grid.shape_zyx:
        raise EvaluationError(
            f"The mask has {mask.shape} voxels (z, y, x), the dose {reference.grid.shape_zyx}: draw it on the dose's "
            "grid."
        )
    inside = mask.astype(bool)
    if not inside.any():
        raise EvaluationError("The mask is empty: no voxel to compare. Draw it again or leave it out.")
    return inside


def onto_reference(reference: Image, evaluated: Image) -> OnReference:
    """The evaluated dose at the reference's voxel centres, linear between its own; EvaluationError where they miss.

    A point value, so a coarser reference does not see the mean of finer voxels. Reference voxels not wholly inside the
    evaluated map are not covered: they must not be compared.
    """
    if reference.grid.same_as(evaluated.grid):
        return OnReference(evaluated, np.ones(reference.grid.shape_zyx, dtype=bool), "")
    covered = coverage(evaluated.grid, reference.grid) > 1.0 - 1e-4
    if not covered.any():
        raise EvaluationError(
            "The evaluated dose does not reach any voxel of the reference. Check that they belong together."
        )
    moved = resample(evaluated.voxels, evaluated.grid, reference.grid, "linear")
    outside = int(np.count_nonzero(~covered))
    said = (
        f"The evaluated dose ({evaluated.grid}) was resampled onto the reference's grid ({reference.grid}), linear "
        f"between its voxel centres; {outside} reference voxels that it does not reach were left out; "
        "around them it counts as 0 Gy (windows of SSIM, search of the gamma index)."
    )
    return OnReference(Image(moved, reference.grid, evaluated.unit), covered, said)
