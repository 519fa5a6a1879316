"""Values of an image along a straight line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import EvaluationError
from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.records import Image

#: Points are this share of the smallest voxel side apart: linear interpolation holds no more than its voxels.
_STEP = 0.25
#: A line shorter than this is two clicks on one place [mm].
SHORTEST_MM = 0.1


def line_profile(image: Image, start_mm: Vector3, end_mm: Vector3) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances from ``start_mm`` [mm] and values there, linear between voxel centres; NaN outside of these.

    Points are LPS [mm]. Raises EvaluationError for two points on one place or not finite.
    """
    from scipy.ndimage import map_coordinates

    start, end = (np.asarray(point, dtype=np.float64) for point in (start_mm, end_mm))
    length_mm = float(np.linalg.norm(end - start))
    if not np.isfinite(length_mm) or length_mm < SHORTEST_MM:
        raise EvaluationError("The two points of the profile lie on one place: put them apart.")
    count = 1 + int(np.ceil(length_mm / (_STEP * min(image.grid.spacing_mm))))
    along = np.linspace(0.0, 1.0, count)
    points = np.ones((4, count))
    points[:3] = start[:, None] + (end - start)[:, None] * along
    kji = (np.linalg.inv(image.grid.lps_from_ijk) @ points)[2::-1]
    kji = np.where(np.abs(kji - np.round(kji)) < 1e-9, np.round(kji), kji)  # on the outermost centres is inside
    values = map_coordinates(np.asarray(image.voxels, np.float64), kji, order=1, mode="constant", cval=np.nan)
    return along * length_mm, values
