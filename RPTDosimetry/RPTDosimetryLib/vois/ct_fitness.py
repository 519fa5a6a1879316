"""Is an image a CT in HU that an organ network can be trusted with? Asked before it runs, not after."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image

#: Where the air around a patient and where muscle and organs read on any CT scanner in HU, with and without contrast.
AIR_HU: Final = (-1100.0, -920.0)
ORGANS_HU: Final = (0.0, 100.0)
BODY_HU: Final = (-200.0, 300.0)
LEAST_AIR: Final = 0.01
LEAST_ORGANS: Final = 0.15
LEAST_BODY: Final = 0.03
#: Half-way between air and water.
_MIDDLE_HU: Final = -500.0
#: An axis further from head-feet than this is a gantry tilt that no body has.
MOST_TILT_DEG: Final = 30.0
LEAST_EXTENT_MM: Final = 60.0
THICK_SLICE_MM: Final = 5.0
_LUNG_HU: Final = (-950.0, -600.0)
_LEAST_LUNG_ML: Final = 300.0


def require_fit_for_organs(ct: Image) -> tuple[str, ...]:
    """Warnings for an image that will do; VoiError for one that is no CT in HU, lies askew, or shows too little.

    Shape: axes at right angles, one of them within 30° of head-feet, at least 60 mm each way. Values: at least 1 % of
    the voxels are air, the lowest tenth of it between -1100 and -920 HU; at least 3 % lie between -200 and 300 HU, 15 %
    of those between 0 and 100 HU, as muscle and organs do. A CT stored without its rescale intercept (air at 0), with
    it twice, off by 100 HU or in units of 1000 HU fails here.
    """
    _require_sane_axes(ct.grid)
    _require_hu(ct.voxels)
    warnings = []
    if max(ct.grid.spacing_mm) > THICK_SLICE_MM:
        warnings.append(
            f"CT voxels of {max(ct.grid.spacing_mm):.3g} mm are coarser than organ networks are trained with: small "
            "organs come out rough."
        )
    if _lungs_at_the_feet(ct):
        warnings.append("The CT shows lungs at its end towards the feet: check that head and feet are not exchanged.")
    return tuple(warnings)


def _require_sane_axes(grid: Grid) -> None:
    axes = np.reshape(grid.direction, (3, 3))
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
        raise VoiError("The CT's direction cosines are not at right angles: resample it to a straight stack first.")
    tilt_deg = float(np.degrees(np.arccos(min(1.0, np.abs(axes[2]).max()))))
    if tilt_deg > MOST_TILT_DEG:
        raise VoiError(
            f"No axis of the CT runs from head to feet (the nearest is {tilt_deg:.0f}° off): check its orientation "
            "before organs are segmented."
        )
    extent_mm = np.multiply(grid.shape_zyx[::-1], grid.spacing_mm)
    if extent_mm.min() < LEAST_EXTENT_MM:
        told = " × ".join(f"{mm:.0f}" for mm in extent_mm)
        raise VoiError(
            f"The CT covers only {told} mm: organs need at least {LEAST_EXTENT_MM:.0f} mm each way. Give the whole CT."
        )


def _require_hu(values: NDArray[np.floating]) -> None:
    flat = values.ravel()[:: max(1, values.size // 2_000_000)].astype(np.float64)
    told = f"values from {flat.min():.4g} to {flat.max():.4g}"
    air = flat[flat < _MIDDLE_HU]
    if len(air) < LEAST_AIR * len(flat):
        water_at_1024 = np.count_nonzero(flat > -_MIDDLE_HU) > LEAST_BODY * len(flat)
        hint = ": they look shifted by 1024, stored without the rescale intercept" if water_at_1024 else ""
        raise VoiError(
            f"The image holds no air near -1000 HU ({told}{hint}). It is not a CT in HU: check its rescaling."
        )
    air_hu = float(np.percentile(air, 10))
    if not AIR_HU[0] <= air_hu <= AIR_HU[1]:
        raise VoiError(
            f"Air reads {air_hu:.0f} HU in this CT, not -1000 ({told}): check its rescale intercept and slope."
        )
    body = flat[(flat > BODY_HU[0]) & (flat < BODY_HU[1])]
    organs = np.count_nonzero((body > ORGANS_HU[0]) & (body < ORGANS_HU[1]))
    if len(body) < LEAST_BODY * len(flat) or organs < LEAST_ORGANS * len(body):
        raise VoiError(
            f"The image holds hardly anything between 0 and 100 HU, where muscle and organs read ({told}): check that "
            "it is a patient's CT, and its rescale intercept and slope."
        )


def _lungs_at_the_feet(ct: Image) -> bool:
    """Lung-like voxels between left-most and right-most tissue of each row lie mostly in the lowest third."""
    axes = np.reshape(ct.grid.direction, (3, 3))
    axis = int(np.argmax(np.abs(axes[2])))  # file axis that runs head-feet
    stack = np.moveaxis(ct.voxels, 2 - axis, 0)
    stack = stack if axes[2, axis] > 0 else stack[::-1]  # now from feet to head
    lung_ml = np.array([_lung_voxels(plane) for plane in stack]) * ct.grid.voxel_volume_ml
    total = float(lung_ml.sum())
    if total < _LEAST_LUNG_ML:
        return False
    third = max(1, len(lung_ml) // 3)
    return float(lung_ml[:third].sum()) > 0.6 * total and float(lung_ml[-third:].sum()) < 0.1 * total


def _lung_voxels(plane: NDArray[np.floating]) -> int:
    tissue = plane > -300.0
    inside = np.logical_or.accumulate(tissue, axis=1) & np.logical_or.accumulate(tissue[:, ::-1], axis=1)[:, ::-1]
    inside &= np.logical_or.accumulate(tissue, axis=0) & np.logical_or.accumulate(tissue[::-1], axis=0)[::-1]
    return int(np.count_nonzero(inside & (plane > _LUNG_HU[0]) & (plane < _LUNG_HU[1])))
