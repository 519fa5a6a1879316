"""Rigid SPECT-SPECT alignment by mutual information."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import CancelledError, RegistrationError
from RPTDosimetryLib.grid import Vector3, sitk_image
from RPTDosimetryLib.records import Cancelled, Image, never
from RPTDosimetryLib.registration.working_grid import coarser, working_grid

Method = Literal["rigid", "none"]
#: Coarse to fine: shrink factors on the working grid, and σ of the smoothing [mm].
SHRINK: Final = (4, 2, 1)
SMOOTHING_MM: Final = (8.0, 4.0, 2.0)
#: The metric looks at the body and this much around it.
MARGIN_MM: Final = 15.0


@dataclass(frozen=True)
class RegistrationSettings:
    """Method "none" takes the images as already aligned. reference: number of the time point that stays, from 1.

    reference None chooses the first time point with a CT (its contours and density then need no moving), otherwise the
    first. sampling is the share of body voxels looked at (1 = all); seed makes it repeatable. A result beyond
    maximum_shift_mm (mean over the body) or maximum_turn_deg counts as failed, as patients are laid down again within
    centimetres and degrees; so does one below minimum_mutual_information [nats, see quality.py] or minimum_correlation.
    cut_warning: share of activity outside the reference grid from which a warning is given.
    """

    method: Method = "rigid"
    reference: int | None = None
    histogram_bins: int = 48
    sampling: float = 0.3
    iterations: int = 80
    seed: int = 1
    maximum_shift_mm: float = 120.0
    maximum_turn_deg: float = 25.0
    minimum_mutual_information: float = 0.10
    minimum_correlation: float = 0.40
    cut_warning: float = 0.01


def align_rigid(
    fixed: Image, moving: Image, body: NDArray[np.bool_], settings: RegistrationSettings, cancelled: Cancelled = never
) -> NDArray[np.float64]:
    """Find moving_from_fixed (4×4, LPS mm) of greatest mutual information over ``body``, a mask on the working grid.

    Mattes' metric on the square root of concentration (which keeps the faint body beside hot lesions), at about
    4.8 mm, coarse to fine, from two starts: no shift, and the centres of activity laid on each other; the better one at
    the coarsest level goes on. Mattes et al., IEEE Trans Med Imaging 22:120 (2003). Raises RegistrationError when the
    optimiser fails, CancelledError.
    """
    grid = working_grid(fixed.grid)
    near = ndimage.distance_transform_edt(~body, sampling=grid.spacing_mm[::-1])
    mask = sitk_image((near < MARGIN_MM).astype(np.uint8), grid)
    images = _working_image(fixed), _working_image(moving)
    starts: list[Vector3] = [(0.0, 0.0, 0.0)]
    between = _centre_of_activity(moving) - _centre_of_activity(fixed)
    if np.linalg.norm(between) > 10.0:
        starts.append((float(between[0]), float(between[1]), float(between[2])))
    found: list[tuple[float, sitk.Euler3DTransform]] = []
    for start in starts:
        transform = sitk.Euler3DTransform()
        transform.SetCenter(fixed.grid.centre_mm)
        transform.SetTranslation(start)
        found.append(_optimise(images, mask, transform, settings, slice(0, 1)))
        if cancelled():
            raise CancelledError("Registration was stopped.")
    coarse = min(found, key=lambda pair: pair[0])[1]
    return _matrix(_optimise(images, mask, coarse, settings, slice(1, None))[1])


def _optimise(
    images: tuple[sitk.Image, sitk.Image],
    mask: sitk.Image,
    start: sitk.Euler3DTransform,
    settings: RegistrationSettings,
    levels: slice,
) -> tuple[float, sitk.Euler3DTransform]:
    """Negative mutual information and the transform (``start``, moved) after some of the resolution levels."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(settings.histogram_bins)
    if settings.sampling < 1.0 and levels.start:
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(settings.sampling, settings.seed)
    method.SetMetricFixedMask(mask)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(4.0, 0.01, settings.iterations, 0.5)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(SHRINK[levels])
    method.SetSmoothingSigmasPerLevel(SMOOTHING_MM[levels])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(start, True)
    try:
        with _one_thread():
            method.Execute(*images)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise RegistrationError(f"the search for an alignment broke off ({reason})") from error
    return float(method.GetMetricValue()), start


@contextmanager
def _one_thread() -> Iterator[None]:
    """ITK adds up its metric in the order in which threads finish; with one thread the same seed gives the same bits.

    The method's own SetNumberOfThreads does not reach the metric, so the process-wide default is set and put back.
    """
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _matrix(transform: sitk.Euler3DTransform) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(transform.GetMatrix(), (3, 3))
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    return matrix


def _working_image(image: Image) -> sitk.Image:
    coarse = coarser(image)
    return sitk_image(_compressed(coarse), coarse.grid)


def _compressed(image: Image) -> NDArray[np.float32]:
    voxels = np.clip(image.voxels, 0.0, None)
    top = np.percentile(voxels[voxels > 0], 99.0) if (voxels > 0).any() else 1.0
    return np.sqrt(np.clip(voxels / top, 0.0, 1.5)).astype(np.float32)


def _centre_of_activity(image: Image) -> NDArray[np.float64]:
    """LPS [mm] of the mean position weighted by the square root of concentration."""
    weight = _compressed(coarser(image))
    kji = ndimage.center_of_mass(weight)
    return np.asarray((working_grid(image.grid).lps_from_ijk @ [*kji[::-1], 1.0])[:3])
