"""Three orthogonal planes of an image in radiological orientation, with their place in millimetres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Grid, Vector3, grid_of, sitk_image

#: name, labels of the left, right, top and bottom edge of the picture: the viewer stands at the patient's feet or
#: faces the patient, so that the patient's right is on the left.
PLANES: dict[str, tuple[str, str, str, str]] = {
    "axial": ("R", "L", "A", "P"),
    "coronal": ("R", "L", "S", "I"),
    "sagittal": ("A", "P", "S", "I"),
}


@dataclass(frozen=True)
class Plane:
    """Pixels (row, column) as shown, first row at the top; extent_mm is (left, right, bottom, top) for imshow."""

    pixels: NDArray[Any]
    extent_mm: tuple[float, float, float, float]


@dataclass(frozen=True)
class Standing:
    """Voxels turned so that their axes run to the left, posterior and superior (nearest right angles)."""

    voxels: NDArray[Any]
    grid: Grid

    @property
    def edges_mm(self) -> NDArray[np.float64]:
        """(3, 2) lowest and highest edge along x, y, z [mm]."""
        low = np.subtract(self.grid.origin_mm, np.divide(self.grid.spacing_mm, 2))
        return np.stack([low, low + np.multiply(self.grid.shape_zyx[::-1], self.grid.spacing_mm)], axis=1)

    def plane(self, name: str, at_mm: Vector3) -> Plane:
        """The slice through a point; blank (NaN) where the point is outside."""
        return self._shown(name, lambda axis: self._slice(axis, at_mm))

    def projection(self, name: str) -> Plane:
        """Maximum intensity projection along the plane's normal."""
        return self._shown(name, lambda axis: self.voxels.max(axis=axis))

    def _slice(self, axis: int, at_mm: Vector3) -> NDArray[Any]:
        a = 2 - axis
        index = round((at_mm[a] - self.grid.origin_mm[a]) / self.grid.spacing_mm[a])
        if 0 <= index < self.voxels.shape[axis]:
            return np.take(self.voxels, index, axis=axis)
        return np.full(np.delete(self.voxels.shape, axis), np.nan, dtype=np.float32)

    def _shown(self, name: str, reduced: Callable[[int], NDArray[Any]]) -> Plane:
        (x0, x1), (y0, y1), (z0, z1) = self.edges_mm
        if name == "axial":
            return Plane(reduced(0), (x0, x1, y1, y0))
        if name == "coronal":
            return Plane(reduced(1)[::-1], (x0, x1, z0, z1))
        return Plane(reduced(2)[::-1], (y0, y1, z0, z1))


def standing(voxels: NDArray[Any], grid: Grid) -> Standing:
    """Turn any grid to LPS by flips and axis swaps; an oblique remainder is left as it is (shown along its axes)."""
    image = sitk.DICOMOrient(sitk_image(voxels, grid), "LPS")
    return Standing(sitk.GetArrayFromImage(image), grid_of(image))
