"""What was drawn on one time point, carried over to the reference by that time point's alignment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Alignment, Contours, Image


def contours_on_reference(contours: Contours, alignment: Alignment) -> Contours:
    """The same polygons in the reference's space: x_fixed = T⁻¹ x_moving, LPS [mm]."""
    if _stays(alignment):
        return contours
    back = np.linalg.inv(alignment.moving_from_fixed)
    return replace(contours, polygons_mm=tuple(p @ back[:3, :3].T + back[:3, 3] for p in contours.polygons_mm))


def labels_on_reference(labels: Image, alignment: Alignment) -> Image:
    """The same labels, voxel by voxel, on a grid moved into the reference's space; nothing is interpolated."""
    if _stays(alignment):
        return labels
    back = np.linalg.inv(alignment.moving_from_fixed)
    grid = labels.grid
    origin = (back @ [*grid.origin_mm, 1.0])[:3]
    direction = back[:3, :3] @ np.reshape(grid.direction, (3, 3))
    moved = Grid(grid.shape_zyx, grid.spacing_mm, (origin[0], origin[1], origin[2]), tuple(direction.ravel()))
    return Image(labels.voxels, moved, labels.unit)


def _stays(alignment: Alignment) -> bool:
    return bool(np.allclose(alignment.moving_from_fixed, np.eye(4), atol=1e-9))
