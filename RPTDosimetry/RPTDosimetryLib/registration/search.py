"""The search for an alignment by mutual information, with SimpleITK: rigid, affine, B-spline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import CancelledError, RegistrationError
from RPTDosimetryLib.grid import Grid, sitk_image
from RPTDosimetryLib.records import Cancelled, never
from RPTDosimetryLib.registration.pair import Pair
from RPTDosimetryLib.registration.point_map import PointMap, sampled_deformation
from RPTDosimetryLib.registration.settings import RegistrationSettings

#: Coarse to fine: shrink factors on the working grid, and σ of the smoothing [mm].
SHRINK: Final = (4, 2, 1)
SMOOTHING_MM: Final = (8.0, 4.0, 2.0)
#: A B-spline with knots 60 to 90 mm apart is found at 12 to 14 mm as well as at 4.8 mm, in a tenth of the time.
BSPLINE_SHRINK: Final = 3
BSPLINE_SMOOTHING_MM: Final = 6.0
#: Steps of the B-spline's search; more follow the noise.
BSPLINE_ITERATIONS: Final = 20
#: The metric looks at the body and this much around it.
MARGIN_MM: Final = 15.0


def search_rigid(pair: Pair, settings: RegistrationSettings, cancelled: Cancelled = never) -> PointMap:
    """The turn and shift of greatest mutual information over the body.

    Mattes' metric, coarse to fine, from the pair's starts (no shift; the centres of both bodies laid on each other);
    the better one at the coarsest level goes on. Mattes et al., IEEE Trans Med Imaging 22:120 (2003). Raises
    RegistrationError when the optimiser fails from every start, CancelledError.
    """
    found: list[tuple[float, sitk.Transform]] = []
    failure: RegistrationError | None = None
    for start in pair.starts_mm:
        transform = sitk.Euler3DTransform()
        transform.SetCenter(pair.fixed.grid.centre_mm)
        transform.SetTranslation(start)
        try:
            found.append((_optimise(pair, transform, settings, slice(0, 1)), transform))
        except RegistrationError as error:  # images that do not overlap from one start may from the other
            failure = error
        if cancelled():
            raise CancelledError("Registration was stopped.")
    if not found:
        raise failure or RegistrationError("there is nowhere to start the search")
    best = min(found, key=lambda pair: pair[0])[1]
    _optimise(pair, best, settings, slice(1, None))
    return PointMap(_matrix(best))


def search_affine(pair: Pair, start: PointMap, settings: RegistrationSettings) -> PointMap:
    """The affine map of greatest mutual information near ``start``."""
    transform = sitk.AffineTransform(3)
    transform.SetCenter(pair.fixed.grid.centre_mm)
    matrix = start.matrix
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    centre = np.asarray(pair.fixed.grid.centre_mm)
    transform.SetTranslation((matrix[:3, 3] + matrix[:3, :3] @ centre - centre).tolist())
    _optimise(pair, transform, settings, slice(1, None))
    return PointMap(_matrix(transform))


def search_bspline(pair: Pair, start: PointMap, settings: RegistrationSettings) -> PointMap:
    """A cubic B-spline displacement u before the matrix of ``start``: T(x) = M·(x + u(x)).

    Knots lie bspline_spacing_mm apart over the body's box; nothing but their distance and the number of steps holds the
    deformation smooth (LBFGS-B, at most 20 steps at a third of the working resolution).
    """
    box = body_box(pair.body, pair.fixed.grid)
    fixed = sitk_image(pair.fixed.voxels, pair.fixed.grid)[tuple(slice(*side) for side in box)]
    mesh = [
        max(2, round((high - low) * s / settings.bspline_spacing_mm))
        for (low, high), s in zip(box, pair.fixed.grid.spacing_mm, strict=True)
    ]
    spline = sitk.BSplineTransformInitializer(fixed, mesh, order=3)
    method = _method(pair, settings, sampled=False)
    method.SetMovingInitialTransform(start.transform())
    method.SetInitialTransform(spline, True)
    method.SetOptimizerAsLBFGSB(1e-6, BSPLINE_ITERATIONS, 5, 200, 1e5)
    method.SetShrinkFactorsPerLevel([BSPLINE_SHRINK])
    method.SetSmoothingSigmasPerLevel([BSPLINE_SMOOTHING_MM])
    _execute(method, fixed, sitk_image(pair.moving.voxels, pair.moving.grid))
    over = Grid(fixed.GetSize()[::-1], fixed.GetSpacing(), fixed.GetOrigin(), fixed.GetDirection())
    return PointMap(start.matrix, sampled_deformation(spline, over))


def near_body(pair: Pair) -> NDArray[np.bool_]:
    """The body and 15 mm around it, on the fixed grid."""
    distance = ndimage.distance_transform_edt(~pair.body, sampling=pair.fixed.grid.spacing_mm[::-1])
    return np.asarray(distance < MARGIN_MM)


def body_box(body: NDArray[np.bool_], grid: Grid, margin_mm: float = 20.0) -> list[tuple[int, int]]:
    """First and past-last voxel (i, j, k) of the body's box with a margin."""
    found = np.argwhere(body)[:, ::-1]
    margin = [int(np.ceil(margin_mm / s)) for s in grid.spacing_mm]
    low = np.maximum(found.min(axis=0) - margin, 0)
    high = np.minimum(found.max(axis=0) + 1 + margin, grid.shape_zyx[::-1])
    return [(int(a), int(b)) for a, b in zip(low, high, strict=True)]


def _optimise(pair: Pair, transform: sitk.Transform, settings: RegistrationSettings, levels: slice) -> float:
    """Negative mutual information after some of the resolution levels; ``transform`` is moved."""
    method = _method(pair, settings, sampled=bool(levels.start))
    method.SetOptimizerAsRegularStepGradientDescent(4.0, 0.01, settings.iterations, 0.5)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(SHRINK[levels])
    method.SetSmoothingSigmasPerLevel(SMOOTHING_MM[levels])
    method.SetInitialTransform(transform, True)
    images = (sitk_image(image.voxels, image.grid) for image in (pair.fixed, pair.moving))
    return _execute(method, *images)


def _method(pair: Pair, settings: RegistrationSettings, sampled: bool) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(settings.histogram_bins)
    if settings.sampling < 1.0 and sampled:
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(settings.sampling, settings.seed)
    method.SetMetricFixedMask(sitk_image(near_body(pair), pair.fixed.grid))
    method.SetInterpolator(sitk.sitkLinear)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    return method


def _execute(method: sitk.ImageRegistrationMethod, fixed: sitk.Image, moving: sitk.Image) -> float:
    try:
        with _one_thread():
            method.Execute(fixed, moving)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise RegistrationError(f"the search for an alignment broke off ({reason})") from error
    return float(method.GetMetricValue())


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


def _matrix(transform: sitk.Transform) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(transform.GetMatrix(), (3, 3))
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    return matrix
