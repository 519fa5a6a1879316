"""The body as a SPECT shows it: the outline used where no CT tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image

#: σ of the Gaussian that quietens the image before the threshold.
SMOOTHING_MM: Final = 8.0
#: Radius of the closing that bridges cold parts (lungs, fat) before holes are filled.
CLOSING_MM: Final = 20.0
#: Depth below the first outline where the background of tissue is read.
SHELL_MM: Final = (15.0, 35.0)
#: Range of the logarithm (base 10) of the smoothed image below which it is flat: 0.2 %.
FLAT: Final = 1e-3


def body_outline(images: Sequence[Image]) -> NDArray[np.bool_]:
    """Mask (z, y, x) of the body from the activity of all time points on one grid.

    1. Each image is divided by its own total (late scans count as much as early ones), summed and smoothed by 8 mm.
    2. Otsu's threshold on the logarithm of that sum [1e-4 to 1 of its 99.9th percentile] parts tissue from emptiness,
    but lies outside the skin. 3. So the skin is put where the sum falls to half of the median it has 15 to 35 mm
    below the first outline. 4. Largest component, closed by 20 mm, holes filled slice by slice.
    Raises RegistrationError when there is no activity, or the same everywhere. Otsu, IEEE Trans SMC 9:62 (1979).
    """
    grid = images[0].grid
    total = np.zeros(grid.shape_zyx, dtype=np.float32)
    for image in images:
        amount = float(image.voxels.sum(dtype=np.float64))
        if amount <= 0:
            raise RegistrationError("A SPECT without any activity shows no body. Check the images of each time point.")
        total += image.voxels / np.float32(amount)
    smooth = ndimage.gaussian_filter(total, _in_voxels(grid, SMOOTHING_MM))
    scale = np.log10(np.clip(smooth / np.percentile(smooth, 99.9), 1e-4, 1.0))
    if np.ptp(scale) < FLAT:
        raise RegistrationError(
            "The SPECT shows the same activity everywhere: no body stands out in it. Check the images."
        )
    outer = _one_filled_piece(scale > _otsu(scale), grid)
    depth_mm = ndimage.distance_transform_edt(outer, sampling=grid.spacing_mm[::-1])
    shell = (depth_mm > SHELL_MM[0]) & (depth_mm < SHELL_MM[1])
    if not shell.any():
        return outer
    return _one_filled_piece(outer & (smooth > 0.5 * np.median(smooth[shell])), grid)


def _otsu(values: NDArray[np.floating]) -> float:
    """The threshold that parts the histogram into two classes of least variance."""
    counts, edges = np.histogram(values, bins=128)
    centres = 0.5 * (edges[1:] + edges[:-1])
    below = np.cumsum(counts)
    above = below[-1] - below
    moment = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (moment / below - (moment[-1] - moment) / above) ** 2
    return float(edges[int(np.nanargmax(between[:-1])) + 1])


def _one_filled_piece(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    pieces, count = ndimage.label(mask)
    if count > 1:
        mask = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    reach = [int(np.ceil(CLOSING_MM / s)) for s in grid.spacing_mm[::-1]]
    padded = np.pad(mask, [(0, 0), (reach[1],) * 2, (reach[2],) * 2])
    away = ndimage.distance_transform_edt(~padded, sampling=grid.spacing_mm[::-1]) > CLOSING_MM
    closed = ndimage.distance_transform_edt(~away, sampling=grid.spacing_mm[::-1]) > CLOSING_MM
    _, nj, ni = grid.shape_zyx
    closed = closed[:, reach[1] : reach[1] + nj, reach[2] : reach[2] + ni] | mask
    return np.stack([ndimage.binary_fill_holes(plane) for plane in closed])


def _in_voxels(grid: Grid, length_mm: float) -> list[float]:
    return [length_mm / s for s in grid.spacing_mm[::-1]]
