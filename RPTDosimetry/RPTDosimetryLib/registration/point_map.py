"""Where a point of the reference lies in a time point's own space, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.grid import Grid, grid_of, resample
from RPTDosimetryLib.records import Alignment, Deformation

#: The inverse is good when it comes back to the point within this.
INVERSE_TOLERANCE_MM: Final = 0.01
INVERSE_STEPS: Final = 60


@dataclass(frozen=True)
class PointMap:
    """T(x) = M·(x + u(x)), LPS [mm]: from the reference into the time point's space. deformation None means u = 0."""

    matrix: NDArray[np.float64]
    deformation: Deformation | None = None

    @staticmethod
    def of(alignment: Alignment) -> PointMap:
        """The map of an alignment."""
        return PointMap(np.asarray(alignment.moving_from_fixed, dtype=np.float64), alignment.deformation)

    @property
    def still(self) -> bool:
        """True when every point stays where it is (to 1e-9)."""
        return self.deformation is None and bool(np.allclose(self.matrix, np.eye(4), atol=1e-9))

    @property
    def rigid(self) -> bool:
        """True for a turn and a shift: distances are kept."""
        linear = self.matrix[:3, :3]
        return self.deformation is None and bool(np.allclose(linear.T @ linear, np.eye(3), atol=1e-6))

    def moving(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """T of points (n, 3)."""
        shifted = np.asarray(points_mm, dtype=np.float64)
        if self.deformation is not None:
            shifted = shifted + displacement_at(self.deformation, shifted)
        return np.asarray(shifted @ self.matrix[:3, :3].T + self.matrix[:3, 3])

    def fixed(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """T⁻¹ of points (n, 3), by x ← M⁻¹y - u(x), which converges where u changes by less than 1 mm a mm.

        Raises RegistrationError where it does not come within 0.01 mm: the deformation folds there.
        """
        back = np.linalg.inv(self.matrix)
        start = np.asarray(points_mm, dtype=np.float64) @ back[:3, :3].T + back[:3, 3]
        if self.deformation is None or not len(start):
            return np.asarray(start)
        found = start - displacement_at(self.deformation, start)
        for _ in range(INVERSE_STEPS):
            step = start - displacement_at(self.deformation, found) - found
            if np.abs(step).max() < INVERSE_TOLERANCE_MM:
                return np.asarray(found + step)
            found = found + step
        raise RegistrationError(
            "the deformation cannot be inverted: it changes too steeply. Use a wider registration.bspline_spacing_mm."
        )

    def transform(self) -> sitk.Transform:
        """T as SimpleITK wants it for resampling."""
        affine = sitk.AffineTransform(3)
        affine.SetMatrix(self.matrix[:3, :3].ravel().tolist())
        affine.SetTranslation(self.matrix[:3, 3].tolist())
        if self.deformation is None:
            return affine
        field = sitk.DisplacementFieldTransform(sitk.Cast(_vectors(self.deformation), sitk.sitkVectorFloat64))
        return sitk.CompositeTransform([affine, field])

    def jacobian_on(self, grid: Grid) -> NDArray[np.float32]:
        """det ∂T/∂x at the voxels of a grid (z, y, x): volume in the time point's space per volume of the reference."""
        constant = np.float32(np.linalg.det(self.matrix[:3, :3]))
        if self.deformation is None:
            return np.full(grid.shape_zyx, constant, dtype=np.float32)
        return constant * resample(_jacobian(self.deformation), self.deformation.grid, grid, fill=1.0)


def displacement_at(deformation: Deformation, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """u (n, 3) [mm] at points (n, 3), linear between voxels, 0 outside the grid."""
    inverse = np.linalg.inv(deformation.grid.lps_from_ijk)
    kji = (points_mm @ inverse[:3, :3].T + inverse[:3, 3])[:, ::-1].T
    parts = [
        ndimage.map_coordinates(deformation.displacement_mm[..., axis], kji, order=1, mode="constant", output=float)
        for axis in range(3)
    ]
    return np.stack(parts, axis=1)


def sampled_deformation(displacement: sitk.Transform, over: Grid, fade_mm: float = 60.0) -> Deformation:
    """x → displacement(x) - x at the voxels of ``over``, carried on around it and fading to 0 within fade_mm.

    Without the margin u would break off at the edge of the field of view, where the body still goes on.
    """
    shape = [int(n) for n in over.shape_zyx[::-1]]
    field = sitk.TransformToDisplacementField(
        displacement, sitk.sitkVectorFloat64, shape, over.origin_mm, over.spacing_mm, over.direction
    )
    inner = sitk.GetArrayFromImage(field).astype(np.float32)
    margin = [int(np.ceil(fade_mm / s)) + 1 for s in over.spacing_mm[::-1]]
    padded = np.pad(inner, [*((m, m) for m in margin), (0, 0)], mode="edge")
    for axis, m in enumerate(margin):
        n = padded.shape[axis]
        inside = np.clip(np.minimum(np.arange(n), n - 1 - np.arange(n)) / m, 0.0, 1.0)
        fade = (0.5 - 0.5 * np.cos(np.pi * inside)).astype(np.float32)
        padded *= fade.reshape([-1 if d == axis else 1 for d in range(4)])
    x, y, z = (over.lps_from_ijk @ [-margin[2], -margin[1], -margin[0], 1.0])[:3]
    nk, nj, ni, _ = padded.shape
    return Deformation(padded, Grid((nk, nj, ni), over.spacing_mm, (x, y, z), over.direction))


def deformation_from_field(field: sitk.Image) -> Deformation:
    """A displacement-field image [mm] as it is. Raises RegistrationError for other than three values a voxel."""
    if field.GetDimension() != 3 or field.GetNumberOfComponentsPerPixel() != 3:
        raise RegistrationError("a displacement field needs three dimensions and three values [mm] a voxel.")
    return Deformation(sitk.GetArrayFromImage(field).astype(np.float32), grid_of(field))


def _vectors(deformation: Deformation) -> sitk.Image:
    image = sitk.GetImageFromArray(deformation.displacement_mm, isVector=True)
    image.SetSpacing(deformation.grid.spacing_mm)
    image.SetOrigin(deformation.grid.origin_mm)
    image.SetDirection(deformation.grid.direction)
    return image


def _jacobian(deformation: Deformation) -> NDArray[np.float32]:
    """det(1 + ∂u/∂x) by central differences on the deformation's own grid."""
    slopes: list[NDArray[np.float32]] = [np.gradient(deformation.displacement_mm, axis=axis) for axis in range(3)]
    by_kji = np.stack(slopes, axis=-1)  # (z, y, x, component, kji)
    ijk_from_lps = np.linalg.inv(deformation.grid.lps_from_ijk[:3, :3]).astype(np.float32)
    by_lps = by_kji[..., ::-1] @ ijk_from_lps
    return np.asarray(np.linalg.det(by_lps + np.eye(3, dtype=np.float32)), dtype=np.float32)
