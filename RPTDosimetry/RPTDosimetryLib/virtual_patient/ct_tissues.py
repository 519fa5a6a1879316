"""What thresholds find on a real CT: body, lungs and bones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.grid import IDENTITY, Grid, resample_mean, sitk_image
from RPTDosimetryLib.records import Image

#: Air to tissue half-way; lung against soft tissue; spongiosa above most contrast-filled vessels.
BODY_HU: Final = -300.0
LUNG_HU: Final = -500.0
BONE_HU: Final = 190.0
#: Contrast medium in vessels, kidneys or bowel does not reach it; every bone does somewhere.
COMPACT_HU: Final = 600.0
CLOSING_MM: Final = 8.0
#: Bowel gas is emptier than lung.
GAS_HU: Final = -930.0
#: Smaller air pockets inside the body are bowel gas [mL].
SMALLEST_LUNG_ML: Final = 150.0
WORKING_SPACING_MM: Final = 2.5


@dataclass(frozen=True)
class CtTissues:
    """Masks (z, y, x) on the working grid of a CT, and its HU there."""

    hu: Image
    body: NDArray[np.bool_]
    lungs: NDArray[np.bool_]
    bones: NDArray[np.bool_]


def along_lps(image: Image) -> Image:
    """The same voxels with axes along L, P and S: flipped or permuted, not interpolated. Raises StudyError (tilt)."""
    oriented = sitk.DICOMOrient(sitk_image(image.voxels, image.grid), "LPS")
    if not np.allclose(oriented.GetDirection(), IDENTITY, atol=1e-3):
        raise StudyError("The CT is tilted against the body axes: the demo needs one whose slices are axial.")
    size, spacing, origin = oriented.GetSize(), oriented.GetSpacing(), oriented.GetOrigin()
    return Image(sitk.GetArrayFromImage(oriented), Grid(size[::-1], spacing, origin), image.unit)


def find_tissues(ct: Image) -> CtTissues:
    """Body, lungs and bones of a CT along LPS, on voxels of about 2.5 mm. Raises StudyError when there is no body."""
    hu = _coarse(ct)
    spacing = hu.grid.spacing_mm[::-1]
    solid = ndimage.gaussian_filter(hu.voxels, [2.0 / s for s in spacing]) > BODY_HU
    reach = max(1, round(4.0 / spacing[2]))
    opened = ndimage.binary_opening(solid, np.ones((1, 2 * reach + 1, 2 * reach + 1), dtype=bool))
    pieces, count = ndimage.label(opened)
    if count == 0:
        raise StudyError("The CT shows no body: no tissue above -300 HU. Check that the values are HU.")
    largest = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    body = np.stack([ndimage.binary_fill_holes(plane) for plane in largest])
    lungs = _lungs(hu, body)
    return CtTissues(hu, body, lungs, _bones(hu, body) & ~lungs)


def _lungs(hu: Image, body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pieces of air in the body that are large, reach the CT's upper end and are not as empty as bowel gas."""
    air, count = ndimage.label(body & (hu.voxels < LUNG_HU))
    numbers = np.arange(1, count + 1)
    volumes_ml = np.bincount(air.ravel(), minlength=count + 1)[1:] * hu.grid.voxel_volume_ml
    reaches_top = np.isin(numbers, air[-2:])
    typical_hu = np.asarray(ndimage.median(hu.voxels, air, numbers)) if count else np.zeros(0)
    lung = numbers[(volumes_ml > SMALLEST_LUNG_ML) & reaches_top & (typical_hu > GAS_HU)]
    return ndimage.binary_closing(np.isin(air, lung), iterations=2) & body


def _bones(hu: Image, body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pieces above BONE_HU that hold compact bone somewhere, closed over their marrow."""
    spacing = hu.grid.spacing_mm[::-1]
    bright = body & (ndimage.gaussian_filter(hu.voxels, [0.8 / s for s in spacing]) > BONE_HU)
    pieces, count = ndimage.label(bright)
    if count == 0:
        return bright
    hardest = ndimage.maximum(hu.voxels, pieces, np.arange(count + 1))
    bone = bright & (np.asarray(hardest)[pieces] > COMPACT_HU)
    reach = max(1, round(CLOSING_MM / spacing[2]))
    disc = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach
    bone = ndimage.binary_closing(bone, disc[None]) & body
    return np.stack([ndimage.binary_fill_holes(plane) for plane in bone])


def _coarse(ct: Image) -> Image:
    factors = [max(1, round(WORKING_SPACING_MM / s)) for s in ct.grid.spacing_mm]
    hu = np.maximum(ct.voxels, -1000.0).astype(np.float32)
    if max(factors) == 1:
        return Image(hu, ct.grid, "HU")
    counts = [n // f for n, f in zip(ct.grid.shape_zyx[::-1], factors, strict=True)]
    spacing = [s * f for s, f in zip(ct.grid.spacing_mm, factors, strict=True)]
    origin = [o + (f - 1) / 2 * s for o, f, s in zip(ct.grid.origin_mm, factors, ct.grid.spacing_mm, strict=True)]
    onto = Grid(
        (counts[2], counts[1], counts[0]),
        (spacing[0], spacing[1], spacing[2]),
        (origin[0], origin[1], origin[2]),
    )
    return Image(resample_mean(hu, ct.grid, onto), onto, "HU")
