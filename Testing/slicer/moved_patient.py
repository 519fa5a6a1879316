"""A body that lies a little elsewhere at each time point: what registration has to find."""

import numpy as np

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image

GRID = Grid((24, 26, 32), (5.0, 5.0, 5.0), (-80.0, -60.0, 400.0))
SHIFT_MM = 10.0  # two voxels


def patient(x_mm, scale=1.0):
    """A body with three hot balls, moved along x."""
    k, j, i = np.meshgrid(*(np.arange(n) * 5.0 for n in GRID.shape_zyx), indexing="ij")
    i = i - x_mm
    body = 1e4 * ((((i - 78) / 52) ** 2 + ((j - 62) / 38) ** 2 + ((k - 58) / 60) ** 2) < 1)
    for x, y, z, r, hot in ((55, 50, 40, 12, 9e4), (100, 72, 70, 15, 6e4), (75, 66, 95, 10, 8e4)):
        body = body + hot * np.exp(-((((i - x) ** 2) + (j - y) ** 2 + (k - z) ** 2) / r**2))
    return Image((scale * body).astype(np.float32), GRID, "Bq/mL")
