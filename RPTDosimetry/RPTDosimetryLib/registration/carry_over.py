"""What was drawn on one time point, carried over to the reference by that time point's alignment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Grid, resample
from RPTDosimetryLib.records import Alignment, Contours, Image, Segment
from RPTDosimetryLib.registration.point_map import PointMap


def contours_on_reference(contours: Contours, alignment: Alignment) -> Contours:
    """The same polygons in the reference's space: x_fixed = T⁻¹ x_moving, LPS [mm].

    A deformation bends their planes: where planar contours are needed, draw them in the time point's own space and
    carry the mask over. Raises RegistrationError where the deformation has no inverse.
    """
    moved = PointMap.of(alignment)
    if moved.still:
        return contours
    return replace(contours, polygons_mm=tuple(moved.fixed(polygon) for polygon in contours.polygons_mm))


def labels_on_reference(labels: Image, alignment: Alignment) -> Image:
    """The same labels in the reference's space, on a grid of their own voxel size (see image_on_reference)."""
    return image_on_reference(labels, alignment)


def mask_on_reference(mask: NDArray[np.bool_], grid: Grid, alignment: Alignment) -> tuple[NDArray[np.bool_], Grid]:
    """A mask on its own grid, in the reference's space, and the grid it has there (see image_on_reference)."""
    moved = image_on_reference(Image(mask.astype(np.uint8), grid, "1"), alignment)
    return moved.voxels > 0, moved.grid


def segment_on_reference(segment: Segment, alignment: Alignment) -> Segment:
    """A segment in the reference's space."""
    mask, grid = mask_on_reference(segment.mask, segment.grid, alignment)
    return replace(segment, mask=mask, grid=grid)


def image_on_reference(image: Image, alignment: Alignment, fill: float = 0.0, how: str = "nearest") -> Image:
    """The image in the reference's space, on a grid of its own voxel size.

    A rigid move turns the grid and touches no voxel. Otherwise (affine, deformation) the grid is turned by the rigid
    part, enlarged by what the rest moves, and each of its voxels x takes the value at T(x): nearest for labels and
    masks, "linear" for an image such as a CT; ``fill`` where the image does not reach. Values are not scaled by the
    change of volume. Raises RegistrationError where the deformation has no inverse.
    """
    moved = PointMap.of(alignment)
    if moved.still:
        return image
    if moved.rigid:
        return Image(image.voxels, _turned(image.grid, np.asarray(np.linalg.inv(moved.matrix))), image.unit)
    onto = _grid_around(image.grid, moved)
    values = resample(
        image.voxels, image.grid, onto, "linear" if how == "linear" else "nearest", fill, moved.transform()
    )
    return Image(values if how == "linear" else values.astype(image.voxels.dtype), onto, image.unit)


def _turned(grid: Grid, fixed_from_moving: NDArray[np.float64]) -> Grid:
    origin = (fixed_from_moving @ [*grid.origin_mm, 1.0])[:3]
    direction = fixed_from_moving[:3, :3] @ np.reshape(grid.direction, (3, 3))
    return Grid(grid.shape_zyx, grid.spacing_mm, (origin[0], origin[1], origin[2]), tuple(direction.ravel()))


def _grid_around(grid: Grid, moved: PointMap) -> Grid:
    """A box with right angles that holds T⁻¹ of every voxel on the grid's surface, in voxels of the same size."""
    u, _, vt = np.linalg.svd(np.linalg.inv(moved.matrix[:3, :3]))
    axes = u @ vt @ np.reshape(grid.direction, (3, 3))
    surface = moved.fixed(_surface_mm(grid))
    along = surface @ axes / np.asarray(grid.spacing_mm)  # in voxels along the turned axes
    low, high = np.floor(along.min(axis=0)) - 1, np.ceil(along.max(axis=0)) + 1
    ni, nj, nk = (int(n) for n in high - low + 1)
    origin = axes @ (low * np.asarray(grid.spacing_mm))
    return Grid((nk, nj, ni), grid.spacing_mm, (origin[0], origin[1], origin[2]), tuple(axes.ravel()))


def _surface_mm(grid: Grid) -> NDArray[np.float64]:
    """About 24 × 24 points on each face of the grid's box, LPS (n, 3)."""
    counts = np.asarray(grid.shape_zyx[::-1])
    sides = [np.linspace(-0.5, n - 0.5, 24) for n in counts]
    points = []
    for axis in range(3):
        for end in (-0.5, counts[axis] - 0.5):
            face = [np.array([end]) if a == axis else sides[a] for a in range(3)]
            points.append(np.stack(np.meshgrid(*face, indexing="ij"), axis=-1).reshape(-1, 3))
    ijk = np.concatenate(points)
    return np.asarray(ijk @ grid.lps_from_ijk[:3, :3].T + grid.lps_from_ijk[:3, 3])
