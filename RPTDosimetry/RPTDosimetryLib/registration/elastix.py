"""The same searches by elastix (Klein et al., IEEE Trans Med Imaging 29:196, 2010), through the extra itk-elastix."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk

from RPTDosimetryLib.errors import CancelledError, RegistrationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Cancelled, Image, never
from RPTDosimetryLib.registration.pair import Pair
from RPTDosimetryLib.registration.point_map import PointMap, sampled_deformation
from RPTDosimetryLib.registration.search import near_body
from RPTDosimetryLib.registration.settings import RegistrationSettings

#: elastix' own name of each kind of transform.
KINDS = {"rigid": "EulerTransform", "affine": "AffineTransform", "bspline": "BSplineTransform"}
#: Weight of the bending energy against mutual information in the B-spline's metric.
BENDING_WEIGHT = 50.0


def search_rigid(pair: Pair, settings: RegistrationSettings, cancelled: Cancelled = never) -> PointMap:
    """Turn and shift of greatest mutual information, from the start nearest to the other body's centre."""
    x, y, z = pair.starts_mm[-1]
    start = np.eye(4)
    start[:3, 3] = x, y, z
    found = _search(pair, PointMap(start), settings, "rigid")
    if cancelled():
        raise CancelledError("Registration was stopped.")
    return found


def search_affine(pair: Pair, start: PointMap, settings: RegistrationSettings) -> PointMap:
    """The affine map of greatest mutual information near ``start``."""
    return _search(pair, start, settings, "affine")


def search_bspline(pair: Pair, start: PointMap, settings: RegistrationSettings) -> PointMap:
    """A B-spline displacement before the matrix of ``start``, mutual information held smooth by bending energy."""
    return _search(pair, start, settings, "bspline")


def _search(pair: Pair, start: PointMap, settings: RegistrationSettings, kind: str) -> PointMap:
    """elastix moves a copy of the moving image whose grid the start has already moved, so that T = M · T_elastix."""
    itk = _itk()
    grid, turned = pair.moving.grid, _turned(pair.moving.grid, np.linalg.inv(start.matrix))
    fixed = _itk_image(itk, pair.fixed)
    moving = _itk_image(itk, Image(pair.moving.voxels, grid if turned is None else turned, pair.moving.unit))
    mask = itk.image_from_array(near_body(pair).astype(np.uint8))
    mask.CopyInformation(fixed)
    parameters = itk.ParameterObject.New()
    parameters.AddParameterMap(_parameters(parameters, settings, kind))
    try:
        _, result = itk.elastix_registration_method(
            fixed, moving, fixed_mask=mask, parameter_object=parameters, log_to_console=False, number_of_threads=1
        )
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise RegistrationError(f"elastix found no alignment ({reason})") from error
    found = _transform(result.GetParameterMap(0), kind)
    if kind == "bspline":
        return PointMap(start.matrix, sampled_deformation(found, pair.fixed.grid))
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(found.GetMatrix(), (3, 3))
    matrix[:3, 3] = found.TransformPoint((0.0, 0.0, 0.0))
    return PointMap(start.matrix @ matrix)


def _itk() -> Any:
    try:
        import itk

        itk.ParameterObject  # noqa: B018  (itk itself is there without elastix in it)
    except (ImportError, AttributeError) as error:
        raise RegistrationError(
            'engine = "elastix" needs itk-elastix, which is not installed: pip install '
            '"slicer-rpt-dosimetry[elastix]", or set engine = "simpleitk".'
        ) from error
    return itk


def _parameters(parameters: Any, settings: RegistrationSettings, kind: str) -> Any:
    """elastix' default map of the kind, with our bins, seed, steps and knots; every sample by coordinates."""
    chosen = parameters.GetDefaultParameterMap(kind, 3 if kind != "bspline" else 2)
    changes = {
        "AutomaticTransformInitialization": ["false"],
        "NumberOfHistogramBins": [str(settings.histogram_bins)],
        "MaximumNumberOfIterations": [str(4 * settings.iterations)],
        "NumberOfSpatialSamples": ["4000"],
        "ImageSampler": ["RandomCoordinate"],
        "RandomSeed": [str(settings.seed)],
        "ErodeMask": ["false"],
        "WriteResultImage": ["false"],
        "FinalBSplineInterpolationOrder": ["1"],
    }
    if kind == "bspline":
        del chosen["GridSpacingSchedule"]
        changes |= {
            "FinalGridSpacingInPhysicalUnits": [str(settings.bspline_spacing_mm)],
            "GridSpacingSchedule": ["1.0", "1.0"],
            "Registration": ["MultiMetricMultiResolutionRegistration"],
            "Metric": ["AdvancedMattesMutualInformation", "TransformBendingEnergyPenalty"],
            "Metric0Weight": ["1.0"],
            "Metric1Weight": [str(BENDING_WEIGHT)],
        }
    for name, values in changes.items():
        chosen[name] = values
    return chosen


def _transform(found: Any, kind: str) -> sitk.Transform:
    """elastix' answer as SimpleITK's transform."""
    numbers = [float(v) for v in found["TransformParameters"]]
    if found["Transform"][0] != KINDS[kind]:
        raise RegistrationError(f"elastix answered with {found['Transform'][0]}, not {KINDS[kind]}.")
    if kind == "bspline":
        spline = sitk.BSplineTransform(3, 3)
        size, origin, spacing, direction = (
            [float(v) for v in found[name]] for name in ("GridSize", "GridOrigin", "GridSpacing", "GridDirection")
        )
        # elastix writes the direction column by column, ITK's fixed parameters row by row.
        spline.SetFixedParameters([*size, *origin, *spacing, *np.reshape(direction, (3, 3)).T.ravel().tolist()])
        spline.SetParameters(numbers)
        return spline
    transform = sitk.Euler3DTransform() if kind == "rigid" else sitk.AffineTransform(3)
    transform.SetCenter([float(v) for v in found["CenterOfRotationPoint"]])
    if kind == "rigid":
        transform.SetComputeZYX(found["ComputeZYX"][0] == "true")
    transform.SetParameters(numbers)
    return transform


def _turned(grid: Grid, fixed_from_moving: np.ndarray) -> Grid | None:
    """The grid moved by a matrix; ITK takes any direction matrix, so also a stretched one."""
    origin = (fixed_from_moving @ [*grid.origin_mm, 1.0])[:3]
    direction = fixed_from_moving[:3, :3] @ np.reshape(grid.direction, (3, 3))
    return Grid(grid.shape_zyx, grid.spacing_mm, (origin[0], origin[1], origin[2]), tuple(direction.ravel()))


def _itk_image(itk: Any, image: Image) -> Any:
    made = itk.image_from_array(np.ascontiguousarray(image.voxels, dtype=np.float32))
    made.SetSpacing([float(v) for v in image.grid.spacing_mm])
    made.SetOrigin([float(v) for v in image.grid.origin_mm])
    made.SetDirection(itk.matrix_from_array(np.reshape(image.grid.direction, (3, 3)).astype(float)))
    return made
