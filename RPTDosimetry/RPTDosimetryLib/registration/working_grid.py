"""A coarser copy of an image, for work that gains nothing from fine voxels."""

from __future__ import annotations

from typing import Final

import numpy as np

from RPTDosimetryLib.grid import Grid, resample_mean
from RPTDosimetryLib.records import Image

#: SPECT resolution is 10 mm and more; voxels of about 4.8 mm hold all of it.
WORKING_SPACING_MM: Final = 4.8


def working_grid(grid: Grid, spacing_mm: float = WORKING_SPACING_MM) -> Grid:
    """The same box in voxels of about spacing_mm; the grid itself when it is no finer than three quarters of that."""
    factors = [max(1, round(spacing_mm / s)) for s in grid.spacing_mm]
    if max(factors) == 1:
        return grid
    counts = [int(np.ceil(n / f)) for n, f in zip(grid.shape_zyx[::-1], factors, strict=True)]
    spacing = [s * f for s, f in zip(grid.spacing_mm, factors, strict=True)]
    first = [(f - 1) / 2 for f in factors]
    origin = (grid.lps_from_ijk @ [*first, 1.0])[:3]
    return Grid(
        (counts[2], counts[1], counts[0]),
        (spacing[0], spacing[1], spacing[2]),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        grid.direction,
    )


def coarser(image: Image, spacing_mm: float = WORKING_SPACING_MM) -> Image:
    """The image as means over the voxels of its working grid."""
    onto = working_grid(image.grid, spacing_mm)
    if onto is image.grid:
        return image
    return Image(resample_mean(image.voxels, image.grid, onto), onto, image.unit)
