"""Moving an activity image onto the reference grid without losing or making activity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.grid import Grid, resample_mean, sitk_image
from RPTDosimetryLib.records import Image


@dataclass(frozen=True)
class MovedActivity:
    """image: Bq/mL on the reference grid. seen: where the time point's field of view reaches.

    rescaled_by: factor that restored the total; cut_fraction: share of activity that falls outside the reference grid.
    """

    image: Image
    seen: NDArray[np.bool_]
    rescaled_by: float
    cut_fraction: float


def as_transform(moving_from_fixed: NDArray[np.float64]) -> sitk.AffineTransform:
    """A 4×4 LPS matrix as SimpleITK wants it."""
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(np.asarray(moving_from_fixed)[:3, :3].ravel().tolist())
    transform.SetTranslation(np.asarray(moving_from_fixed)[:3, 3].tolist())
    return transform


def move_activity(image: Image, moving_from_fixed: NDArray[np.float64], onto: Grid) -> MovedActivity:
    """Resample concentration [Bq/mL] onto the reference and restore the total activity.

    A rigid move keeps volumes, so concentration is carried over as it is: cubic B-spline interpolation (linear would
    blur a lesion at half-voxel shifts and not in the reference), negative overshoot set to 0, voxels of ``onto`` that
    are larger than the image's are sampled several times and averaged. Then one factor makes Σ c·V equal to the
    activity of the part of the image that lies inside ``onto``. Without a move the image is averaged exactly.
    Raises RegistrationError when nothing of the image lies inside ``onto``.
    """
    total_bq = float(image.voxels.sum(dtype=np.float64)) * image.grid.voxel_volume_ml
    inside_bq = _activity_inside(image, moving_from_fixed, onto)
    if total_bq > 0 and inside_bq <= 0:
        raise RegistrationError(
            "none of its activity lies inside the reference grid. Check the alignment or the image headers."
        )
    still = np.allclose(moving_from_fixed, np.eye(4), atol=1e-9)
    seen = _seen(image.grid, moving_from_fixed, onto)
    if still and image.grid.same_as(onto):
        return MovedActivity(image, seen, 1.0, 0.0)
    moved = resample_mean(image.voxels, image.grid, onto) if still else _interpolated(image, moving_from_fixed, onto)
    found_bq = float(moved.sum(dtype=np.float64)) * onto.voxel_volume_ml
    factor = inside_bq / found_bq if found_bq > 0 else 1.0
    cut = 1.0 - inside_bq / total_bq if total_bq > 0 else 0.0
    return MovedActivity(Image(moved * np.float32(factor), onto, image.unit), seen, factor, max(0.0, cut))


def _interpolated(image: Image, moving_from_fixed: NDArray[np.float64], onto: Grid) -> NDArray[np.float32]:
    counts = [max(1, round(o / s)) for o, s in zip(onto.spacing_mm, image.grid.spacing_mm, strict=True)]
    spacing = np.asarray(onto.spacing_mm) / counts
    first = [(1 / n - 1) / 2 for n in counts]
    origin = (onto.lps_from_ijk @ [*first, 1.0])[:3]
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(n * c) for n, c in zip(onto.shape_zyx[::-1], counts, strict=True)])
    resampler.SetOutputSpacing(spacing.tolist())
    resampler.SetOutputOrigin(origin.tolist())
    resampler.SetOutputDirection(onto.direction)
    resampler.SetTransform(as_transform(moving_from_fixed))
    resampler.SetInterpolator(sitk.sitkBSpline)
    resampler.SetOutputPixelType(sitk.sitkFloat32)
    moving = sitk_image(image.voxels.astype(np.float32, copy=False), image.grid)
    fine = sitk.GetArrayFromImage(resampler.Execute(moving))
    nk, nj, ni = onto.shape_zyx
    ci, cj, ck = counts
    mean = fine.reshape(nk, ck, nj, cj, ni, ci).mean(axis=(1, 3, 5)) if max(counts) > 1 else fine
    return np.clip(mean, 0.0, None).astype(np.float32)


def _activity_inside(image: Image, moving_from_fixed: NDArray[np.float64], onto: Grid) -> float:
    """Activity [Bq] of the voxels whose part inside ``onto`` counts (linear in the voxel that the edge cuts)."""
    onto_from_image = np.linalg.inv(onto.lps_from_ijk) @ np.linalg.inv(moving_from_fixed) @ image.grid.lps_from_ijk
    share = _share_inside(onto_from_image, image.grid, onto)
    return float((image.voxels * share).sum(dtype=np.float64)) * image.grid.voxel_volume_ml


def _seen(grid: Grid, moving_from_fixed: NDArray[np.float64], onto: Grid) -> NDArray[np.bool_]:
    image_from_onto = np.linalg.inv(grid.lps_from_ijk) @ moving_from_fixed @ onto.lps_from_ijk
    return _share_inside(image_from_onto, onto, grid) > 0.5


def _share_inside(box_from_voxel: NDArray[np.float64], voxels: Grid, box: Grid) -> NDArray[np.float32]:
    """For each voxel the share of it inside a box: product over the box's axes of the clipped distance to its walls."""
    nk, nj, ni = voxels.shape_zyx
    i, j, k = (np.arange(n, dtype=np.float32) for n in (ni, nj, nk))
    share = np.ones(voxels.shape_zyx, dtype=np.float32)
    for axis, count in enumerate(box.shape_zyx[::-1]):
        row = box_from_voxel[axis].astype(np.float32)
        width = float(np.linalg.norm(box_from_voxel[axis, :3]))  # the voxel's extent along this axis, in box voxels
        at = row[0] * i[None, None, :] + row[1] * j[None, :, None] + row[2] * k[:, None, None] + row[3]
        low = np.clip((at + 0.5) / width + 0.5, 0.0, 1.0)
        share *= low * np.clip((count - 0.5 - at) / width + 0.5, 0.0, 1.0)
    return share
