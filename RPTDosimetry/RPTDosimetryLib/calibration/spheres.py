"""Spheres of a phantom in an image: their share of each voxel, their place, their mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CalibrationError
from RPTDosimetryLib.grid import Grid, Vector3
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.units import ML_PER_MM3

#: Blur carries activity out of a sphere: this much around one found is left out of the search for the next.
_AROUND_MM = 8.0
#: Samples a voxel and axis for the share of a sphere: 0.02 % in the volume of 10 mm in 4.8 mm voxels.
_SAMPLES = 8
#: Excess over the surroundings as a fraction of what fills the sphere: less is noise, more is another sphere's.
_SEEN = (0.05, 2.0)


def sphere_volume_ml(diameter_mm: float) -> float:
    """π d³/6 [mL]."""
    return math.pi * diameter_mm**3 / 6.0 * ML_PER_MM3


def sphere_diameter_mm(volume_ml: float) -> float:
    """(6V/π)^⅓ [mm]."""
    return (6.0 * volume_ml / ML_PER_MM3 / math.pi) ** (1.0 / 3.0)


def require_inside(grid: Grid, centre_mm: Vector3, diameter_mm: float) -> None:
    """Raise CalibrationError unless the whole sphere lies in the image."""
    ijk = (np.linalg.inv(grid.lps_from_ijk) @ [*centre_mm, 1.0])[:3]
    radius = diameter_mm / 2.0 / np.asarray(grid.spacing_mm)
    if (ijk - radius < -0.5).any() or (ijk + radius > np.asarray(grid.shape_zyx[::-1]) - 0.5).any():
        x, y, z = centre_mm
        raise CalibrationError(
            f"The sphere of {diameter_mm:g} mm at ({x:.1f}, {y:.1f}, {z:.1f}) mm (LPS) is not wholly inside the image "
            f"({grid}). Check centre_mm, or take a scan that holds it."
        )


def sphere_mean(image: Image, centre_mm: Vector3, diameter_mm: float) -> float:
    """Mean over a sphere whose outer voxels count by their share in it [unit of the image]. Raises CalibrationError."""
    require_inside(image.grid, centre_mm, diameter_mm)
    block, share = _share(image.grid, centre_mm, diameter_mm / 2.0)
    return float((image.voxels[block] * share).sum(dtype=np.float64) / share.sum(dtype=np.float64))


def find_spheres(image: Image, diameters_mm: Sequence[float], filled: float, around: float) -> tuple[Vector3, ...]:
    """Centres of hot spheres of one concentration, in the order of the diameters [mm, LPS].

    filled, around: concentration in the spheres and in their surroundings, in the unit of the image. The largest sphere
    is where a ball of its size has the greatest mean; it is left out, with 8 mm around it, and so on to the smallest;
    each centre is then the centroid of the excess over the surroundings. Raises CalibrationError, naming the sphere,
    when the ball found holds less than 5 % of the filling or more than twice of it.
    """
    excess = np.asarray(image.voxels, dtype=np.float64) - around
    left = excess.copy()
    centres: list[Vector3] = [(0.0, 0.0, 0.0)] * len(diameters_mm)
    for found, index in enumerate(np.argsort(diameters_mm)[::-1]):
        diameter_mm = diameters_mm[index]
        centre = _fullest_ball(left, image.grid, diameter_mm / 2.0)
        for _ in range(3):
            centre = _centroid(left, image.grid, centre, diameter_mm / 2.0)
        block, share = _share(image.grid, centre, diameter_mm / 2.0)
        mean = float((excess[block] * share).sum() / share.sum()) if share.size and share.sum() > 0 else 0.0
        if not _SEEN[0] * (filled - around) < mean < _SEEN[1] * (filled - around):
            raise CalibrationError(
                f"Only {found} of {len(diameters_mm)} spheres were found: the fullest place left for the sphere of "
                f"{diameter_mm:g} mm shows {mean / (filled - around):.0%} of its filling. Check activity and sizes, or "
                "give centre_mm of every sphere."
            )
        centres[index] = centre
        around_block, around_share = _share(image.grid, centre, diameter_mm / 2.0 + _AROUND_MM)
        left[around_block][around_share > 0] = 0.0
    return tuple(centres)


def _fullest_ball(voxels: NDArray[np.float64], grid: Grid, radius_mm: float) -> Vector3:
    from scipy.signal import fftconvolve

    half = [math.ceil(radius_mm / s) for s in grid.spacing_mm]
    size = [2 * h + 1 for h in half]
    x0, y0, z0 = (-h * s for h, s in zip(half, grid.spacing_mm, strict=True))
    box = Grid((size[2], size[1], size[0]), grid.spacing_mm, (x0, y0, z0))
    _, ball = _share(box, (0.0, 0.0, 0.0), radius_mm)
    means = fftconvolve(voxels, ball / ball.sum(), mode="same")
    k, j, i = np.unravel_index(int(np.argmax(means)), means.shape)
    x, y, z = (grid.lps_from_ijk @ [i, j, k, 1.0])[:3]
    return float(x), float(y), float(z)


def _centroid(voxels: NDArray[np.float64], grid: Grid, centre_mm: Vector3, radius_mm: float) -> Vector3:
    block, share = _share(grid, centre_mm, radius_mm + _AROUND_MM)
    weight = np.clip(voxels[block], 0.0, None) * share
    if weight.sum() <= 0:
        return centre_mm
    kji = [np.average(axis, weights=weight) for axis in np.indices(weight.shape)]
    start = [axis.start for axis in block]
    ijk = [kji[2] + start[2], kji[1] + start[1], kji[0] + start[0], 1.0]
    x, y, z = (grid.lps_from_ijk @ ijk)[:3]
    return float(x), float(y), float(z)


def _share(grid: Grid, centre_mm: Vector3, radius_mm: float) -> tuple[tuple[slice, slice, slice], NDArray[np.float64]]:
    """The block of voxels (z, y, x) that a sphere reaches, and its share of each of them (0 to 1)."""
    ijk = (np.linalg.inv(grid.lps_from_ijk) @ [*centre_mm, 1.0])[:3]
    reach = radius_mm / np.asarray(grid.spacing_mm) + 1.0
    low = np.clip(np.floor(ijk - reach), 0, np.asarray(grid.shape_zyx[::-1])).astype(int)
    high = np.clip(np.ceil(ijk + reach) + 1, 0, np.asarray(grid.shape_zyx[::-1])).astype(int)
    parts = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    # Axes are perpendicular, so distances add up in voxel coordinates whatever the direction.
    squares = [
        (((np.arange(a, b)[:, None] + parts - c) * s) ** 2).ravel()
        for a, b, c, s in zip(low, high, ijk, grid.spacing_mm, strict=True)
    ]
    inside = squares[2][:, None, None] + squares[1][None, :, None] + squares[0][None, None, :] <= radius_mm**2
    nk, nj, ni = (len(square) // _SAMPLES for square in squares[::-1])
    share = inside.reshape(nk, _SAMPLES, nj, _SAMPLES, ni, _SAMPLES).mean(axis=(1, 3, 5))
    return (slice(low[2], high[2]), slice(low[1], high[1]), slice(low[0], high[0])), share
