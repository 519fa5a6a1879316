"""LPS of the library and RAS of Slicer: the one place where they meet.

ras = diag(−1, −1, 1, 1) · lps, both in mm; voxel indices (i, j, k) are the same in both, arrays are (z, y, x) in both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray

from RPTDosimetryLib.errors import GridMismatchError
from RPTDosimetryLib.grid import Grid

Matrix = NDArray[np.float64]
RAS_FROM_LPS: Matrix = np.diag([-1.0, -1.0, 1.0, 1.0])
LPS_FROM_RAS: Matrix = RAS_FROM_LPS  # its own inverse


def vtk_matrix(matrix: Matrix) -> Any:
    """A 4×4 array as vtkMatrix4x4."""
    made = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            made.SetElement(row, column, float(matrix[row, column]))
    return made


def array_of(matrix: Any) -> Matrix:
    """A vtkMatrix4x4 as a 4×4 array."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def ras_from_ijk(grid: Grid) -> Matrix:
    """4×4 matrix from voxel indices to RAS [mm]."""
    return RAS_FROM_LPS @ grid.lps_from_ijk


def grid_from(shape_zyx: tuple[int, int, int], ras_from_voxels: Matrix) -> Grid:
    """The Grid of an array with this IJK-to-RAS matrix. Raises GridMismatchError for axes not perpendicular."""
    lps_from_ijk = LPS_FROM_RAS @ ras_from_voxels
    spacing_mm = np.linalg.norm(lps_from_ijk[:3, :3], axis=0)
    if not (np.isfinite(lps_from_ijk).all() and (spacing_mm > 0).all()):
        raise GridMismatchError("The volume has an axis of no length: check its spacing in the module Volumes.")
    direction = lps_from_ijk[:3, :3] / spacing_mm
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-4):
        raise GridMismatchError(
            "The axes of the volume are not perpendicular (a tilted gantry, or a sheared transform that was hardened): "
            "resample it to a rectangular grid first."
        )
    x, y, z = lps_from_ijk[:3, 3]
    return Grid(shape_zyx, tuple(spacing_mm), (x, y, z), tuple(direction.ravel()))


def grid_of_volume(node: Any) -> Grid:
    """The Grid of a volume node in its own space (a transform above it is not applied)."""
    if node.GetImageData() is None:
        raise GridMismatchError(f"The volume {node.GetName()} holds no voxels.")
    ni, nj, nk = node.GetImageData().GetDimensions()
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return grid_from((nk, nj, ni), array_of(matrix))


def set_grid(node: Any, grid: Grid) -> None:
    """Give a volume node the geometry of a Grid."""
    node.SetIJKToRASMatrix(vtk_matrix(ras_from_ijk(grid)))


def lps_point(ras_mm: Any) -> NDArray[np.float64]:
    """A point (or rows of points) of Slicer in LPS [mm]."""
    return np.asarray(ras_mm, dtype=np.float64) * (-1.0, -1.0, 1.0)


def ras_point(lps_mm: Any) -> NDArray[np.float64]:
    """A point (or rows of points) of the library in RAS [mm]."""
    return np.asarray(lps_mm, dtype=np.float64) * (-1.0, -1.0, 1.0)


def ras_transform(lps_to_lps: Matrix) -> Matrix:
    """A 4×4 map between LPS spaces as the same map between RAS spaces (and back)."""
    return RAS_FROM_LPS @ np.asarray(lps_to_lps, dtype=np.float64) @ LPS_FROM_RAS
