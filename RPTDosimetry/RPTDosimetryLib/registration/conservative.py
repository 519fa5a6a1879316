"""Moving an activity image onto the reference grid without losing or making activity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.grid import Grid, resample, resample_mean, sitk_image
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.registration.point_map import PointMap


@dataclass(frozen=True)
class MovedActivity:
    """image: Bq/mL on the reference grid. seen: where the time point's field of view reaches.

    rescaled_by: factor that restored the total; cut_fraction: share of activity that falls outside the reference grid.
    """

    image: Image
    seen: NDArray[np.bool_]
    rescaled_by: float
    cut_fraction: float


def move_activity(image: Image, moved: PointMap, onto: Grid) -> MovedActivity:
    """Resample concentration c [Bq/mL] onto the reference, c(T(x))·det ∂T/∂x, and restore the total activity.

    The determinant keeps the activity of every piece of tissue, not its concentration, where the map changes volume
    (affine, deformation); it is 1 for a rigid move. Cubic B-spline interpolation (linear would blur a lesion at
    half-voxel shifts and not in the reference), negative overshoot set to 0, voxels of ``onto`` that are larger than
    the image's are sampled several times and averaged. Then one factor makes Σ c·V equal to the activity of the part of
    the image that lies inside ``onto``: total before = total after + cut. Without a move the image is averaged exactly.
    Raises RegistrationError when nothing of the image lies inside ``onto``.
    """
    total_bq = float(image.voxels.sum(dtype=np.float64)) * image.grid.voxel_volume_ml
    inside_bq = _activity_inside(image, moved, onto)
    if total_bq > 0 and inside_bq <= 0:
        raise RegistrationError(
            "none of its activity lies inside the reference grid. Check the alignment or the image headers."
        )
    seen = field_of_view_on(image.grid, moved, onto)
    if moved.still and image.grid.same_as(onto):
        return MovedActivity(image, seen, 1.0, 0.0)
    values = resample_mean(image.voxels, image.grid, onto) if moved.still else _interpolated(image, moved, onto)
    if not (moved.still or moved.rigid):
        values = values * np.clip(moved.jacobian_on(onto), 0.0, None)
    found_bq = float(values.sum(dtype=np.float64)) * onto.voxel_volume_ml
    factor = inside_bq / found_bq if found_bq > 0 else 1.0
    cut = 1.0 - inside_bq / total_bq if total_bq > 0 else 0.0
    return MovedActivity(Image(values * np.float32(factor), onto, image.unit), seen, factor, max(0.0, cut))


def _interpolated(image: Image, moved: PointMap, onto: Grid) -> NDArray[np.float32]:
    counts = [max(1, round(o / s)) for o, s in zip(onto.spacing_mm, image.grid.spacing_mm, strict=True)]
    spacing = np.asarray(onto.spacing_mm) / counts
    first = [(1 / n - 1) / 2 for n in counts]
    origin = (onto.lps_from_ijk @ [*first, 1.0])[:3]
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(n * c) for n, c in zip(onto.shape_zyx[::-1], counts, strict=True)])
    resampler.SetOutputSpacing(spacing.tolist())
    resampler.SetOutputOrigin(origin.tolist())
    resampler.SetOutputDirection(onto.direction)
    resampler.SetTransform(moved.transform())
    resampler.SetInterpolator(sitk.sitkBSpline)
    resampler.SetOutputPixelType(sitk.sitkFloat32)
    moving = sitk_image(image.voxels.astype(np.float32, copy=False), image.grid)
    fine = sitk.GetArrayFromImage(resampler.Execute(moving))
    nk, nj, ni = onto.shape_zyx
    ci, cj, ck = counts
    mean = fine.reshape(nk, ck, nj, cj, ni, ci).mean(axis=(1, 3, 5)) if max(counts) > 1 else fine
    return np.clip(mean, 0.0, None).astype(np.float32)


def _activity_inside(image: Image, moved: PointMap, onto: Grid) -> float:
    """Activity [Bq] of the voxels whose part inside ``onto`` counts (linear in the voxel that the edge cuts)."""
    onto_from_image = np.linalg.inv(onto.lps_from_ijk) @ np.linalg.inv(moved.matrix) @ image.grid.lps_from_ijk
    share = _share_inside(onto_from_image, image.grid, onto)
    if moved.deformation is not None:
        _correct_share(share, image, moved, onto)
    return float((image.voxels * share).sum(dtype=np.float64)) * image.grid.voxel_volume_ml


def _correct_share(share: NDArray[np.float32], image: Image, moved: PointMap, onto: Grid) -> None:
    """The share of voxels that the deformation may carry over the edge, from the exact place of their centres.

    These are the voxels whose share changes when the box is narrowed or widened by the largest displacement.
    """
    deformation = moved.deformation
    assert deformation is not None
    reach_mm = float(np.abs(deformation.displacement_mm).max()) + max(image.grid.spacing_mm)
    onto_from_image = np.linalg.inv(onto.lps_from_ijk) @ np.linalg.inv(moved.matrix) @ image.grid.lps_from_ijk
    narrow = _share_inside(onto_from_image, image.grid, onto, -reach_mm)
    wide = _share_inside(onto_from_image, image.grid, onto, reach_mm)
    near = (narrow < 1.0) & (wide > 0.0) & (image.voxels != 0)
    at = _index_in(onto, moved, _points_mm(image.grid, np.argwhere(near)))
    # How far apart neighbouring voxels land: the extent of a voxel in the box, as bent as it is there.
    steps = [_index_in(onto, moved, _points_mm(image.grid, np.argwhere(near) + step)) - at for step in np.eye(3)]
    width = np.sqrt(np.sum(np.square(steps), axis=0))
    low = np.clip((at + 0.5) / width + 0.5, 0.0, 1.0)
    high = np.clip((np.asarray(onto.shape_zyx[::-1]) - 0.5 - at) / width + 0.5, 0.0, 1.0)
    share[near] = np.prod(low * high, axis=1)


def _points_mm(grid: Grid, kji: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float64]:
    return np.asarray(kji[:, ::-1] @ grid.lps_from_ijk[:3, :3].T + grid.lps_from_ijk[:3, 3])


def _index_in(box: Grid, moved: PointMap, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """(i, j, k) in the box of where the reference has points of the time point."""
    back = np.linalg.inv(box.lps_from_ijk)
    return np.asarray(moved.fixed(points_mm) @ back[:3, :3].T + back[:3, 3])


def field_of_view_on(grid: Grid, moved: PointMap, onto: Grid) -> NDArray[np.bool_]:
    """True for the voxels of ``onto`` that the time point's field of view (``grid``) reaches when it is moved."""
    if moved.deformation is not None:
        everywhere = np.ones(grid.shape_zyx, dtype=np.float32)
        return resample(everywhere, grid, onto, "nearest", 0.0, moved.transform()) > 0.5
    image_from_onto = np.linalg.inv(grid.lps_from_ijk) @ moved.matrix @ onto.lps_from_ijk
    return _share_inside(image_from_onto, onto, grid) > 0.5


def _share_inside(
    box_from_voxel: NDArray[np.float64], voxels: Grid, box: Grid, wider_mm: float = 0.0
) -> NDArray[np.float32]:
    """For each voxel the share of it inside a box: product over the box's axes of the clipped distance to its walls."""
    nk, nj, ni = voxels.shape_zyx
    i, j, k = (np.arange(n, dtype=np.float32) for n in (ni, nj, nk))
    share = np.ones(voxels.shape_zyx, dtype=np.float32)
    for axis, count in enumerate(box.shape_zyx[::-1]):
        row = box_from_voxel[axis].astype(np.float32)
        width = float(np.linalg.norm(box_from_voxel[axis, :3]))  # the voxel's extent along this axis, in box voxels
        at = row[0] * i[None, None, :] + row[1] * j[None, :, None] + row[2] * k[:, None, None] + row[3]
        wider = wider_mm / box.spacing_mm[axis]
        low = np.clip((at + 0.5 + wider) / width + 0.5, 0.0, 1.0)
        share *= low * np.clip((count - 0.5 - at + wider) / width + 0.5, 0.0, 1.0)
    return share
