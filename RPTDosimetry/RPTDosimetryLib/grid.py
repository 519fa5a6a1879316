"""The grid an array lives on, and moving an image from one grid to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import GridMismatchError
from RPTDosimetryLib.units import ML_PER_MM3

if TYPE_CHECKING:
    import SimpleITK as sitk

Vector3 = tuple[float, float, float]
IDENTITY: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Grid:
    """Voxel centres in patient space (LPS, mm).

    shape_zyx counts voxels as the array does; spacing_mm and origin_mm are (x, y, z) as files give them; direction is
    the row-major 3×3 matrix whose columns are the unit vectors of the i, j, k axes.
    lps = origin + direction · (spacing ∘ (i, j, k)).
    """

    shape_zyx: tuple[int, int, int]
    spacing_mm: Vector3
    origin_mm: Vector3 = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = IDENTITY

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape_zyx", tuple(int(n) for n in self.shape_zyx))
        for name in ("spacing_mm", "origin_mm", "direction"):
            object.__setattr__(self, name, tuple(float(v) for v in getattr(self, name)))
        if min(self.shape_zyx) < 1 or not all(s > 0 and np.isfinite(s) for s in self.spacing_mm):
            raise GridMismatchError(
                f"A grid needs at least one voxel a side and positive spacing: got {self.shape_zyx} voxels (z, y, x) "
                f"of {self.spacing_mm} mm (x, y, z). Check the image header."
            )

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel [mL]."""
        return float(np.prod(self.spacing_mm)) * ML_PER_MM3

    def refined(self, factor: int) -> Grid:
        """The same box with factor³ voxels in each of this grid's voxels."""
        spacing = np.asarray(self.spacing_mm) / factor
        axes = np.reshape(self.direction, (3, 3)) * spacing
        origin = np.asarray(self.origin_mm) - axes.sum(axis=1) * (factor - 1) / 2
        nz, ny, nx = (n * factor for n in self.shape_zyx)
        return Grid((nz, ny, nx), tuple(spacing), tuple(origin), self.direction)

    @property
    def lps_from_ijk(self) -> NDArray[np.float64]:
        """4×4 matrix from voxel indices (i, j, k) to LPS [mm]."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(self.direction, (3, 3)) * np.asarray(self.spacing_mm)
        matrix[:3, 3] = self.origin_mm
        return matrix

    @property
    def centre_mm(self) -> Vector3:
        """LPS of the grid's middle [mm]."""
        middle = [(n - 1) / 2 for n in self.shape_zyx[::-1]]
        x, y, z = (self.lps_from_ijk @ [*middle, 1.0])[:3]
        return float(x), float(y), float(z)

    def same_as(self, other: Grid, tolerance_mm: float = 1e-3) -> bool:
        """True when both grids have the same voxels: every corner agrees within tolerance_mm."""
        if self.shape_zyx != other.shape_zyx:
            return False
        nk, nj, ni = self.shape_zyx
        corners = np.array([[i, j, k, 1.0] for i in (0, ni - 1) for j in (0, nj - 1) for k in (0, nk - 1)])
        apart = (corners @ self.lps_from_ijk.T - corners @ other.lps_from_ijk.T)[:, :3]
        spacing_apart = np.abs(np.subtract(self.spacing_mm, other.spacing_mm)).max()
        return bool(np.abs(apart).max() <= tolerance_mm and spacing_apart <= tolerance_mm)

    def aligned_with(self, other: Grid) -> bool:
        """True when the axes of both grids point the same way (spacing, origin and shape may differ)."""
        return bool(np.allclose(self.direction, other.direction, atol=1e-4))

    def __str__(self) -> str:
        nk, nj, ni = self.shape_zyx
        sx, sy, sz = self.spacing_mm
        return f"{ni}×{nj}×{nk} voxels of {sx:.4g}×{sy:.4g}×{sz:.4g} mm"


def require_same_grid(first: Grid, second: Grid, what: str) -> None:
    """Raise GridMismatchError, naming what was compared, unless both grids have the same voxels."""
    if not first.same_as(second):
        raise GridMismatchError(
            f"{what}: the grids differ ({first}, origin {first.origin_mm} against {second}, origin "
            f"{second.origin_mm}). Resample one onto the other first."
        )


def sitk_image(voxels: NDArray[Any], grid: Grid) -> sitk.Image:
    """The same voxels as a SimpleITK image."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(voxels.astype(np.uint8) if voxels.dtype == bool else voxels)
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction)
    return image


def grid_of(image: sitk.Image) -> Grid:
    """The grid of a 3-D SimpleITK image."""
    return Grid(image.GetSize()[::-1], image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def resample(
    voxels: NDArray[Any],
    grid: Grid,
    onto: Grid,
    how: Literal["linear", "nearest"] = "linear",
    fill: float = 0.0,
    moving_from_fixed: sitk.Transform | None = None,
) -> NDArray[np.float32]:
    """Values of an image at the voxel centres of another grid (point sampling; use resample_mean to coarsen).

    moving_from_fixed maps points of ``onto`` into the image (SimpleITK's convention). Outside the image: fill.
    """
    import SimpleITK as sitk

    interpolator = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor}[how]
    reference = sitk.Image([int(n) for n in onto.shape_zyx[::-1]], sitk.sitkUInt8)
    reference.SetSpacing(onto.spacing_mm)
    reference.SetOrigin(onto.origin_mm)
    reference.SetDirection(onto.direction)
    moved = sitk.Resample(
        sitk_image(voxels.astype(np.float32, copy=False), grid),
        reference,
        moving_from_fixed or sitk.Transform(3, sitk.sitkIdentity),
        interpolator,
        fill,
        sitk.sitkFloat32,
    )
    return sitk.GetArrayFromImage(moved)


def resample_mean(voxels: NDArray[Any], grid: Grid, onto: Grid, fill: float = 0.0) -> NDArray[np.float32]:
    """Mean of an image over each voxel of another grid, ``fill`` counting where the image does not reach.

    Conservative: Σ value·voxel volume is kept (fill 0, image inside ``onto``). Exact for aligned axes (each output
    voxel is the overlap-weighted mean, separable by axis); for rotated grids the output voxel is sampled at points no
    further apart than the image's spacing.
    """
    if not grid.aligned_with(onto):
        return _sampled_mean(voxels, grid, onto, fill)
    axes = np.reshape(grid.direction, (3, 3))
    shift = axes.T @ np.subtract(onto.origin_mm, grid.origin_mm)
    mean = np.asarray(voxels, dtype=np.float32)
    covered = np.ones((1, 1, 1), dtype=np.float32)
    for axis in range(3):  # array axis; file axis is 2 - axis
        a = 2 - axis
        weights = _overlap_weights(
            (grid.shape_zyx[axis], grid.spacing_mm[a]), (onto.shape_zyx[axis], onto.spacing_mm[a]), float(shift[a])
        )
        mean = np.moveaxis(_weighted(weights, np.moveaxis(mean, axis, 0)), 0, axis)
        covered = covered * weights.sum(axis=1).reshape([-1 if d == axis else 1 for d in range(3)])
    return np.ascontiguousarray(mean + (1.0 - covered) * fill, dtype=np.float32)


def coverage(grid: Grid, onto: Grid) -> NDArray[np.float32]:
    """Fraction of each voxel of ``onto`` that lies inside ``grid`` (0 to 1)."""
    return resample_mean(np.ones(grid.shape_zyx, dtype=np.float32), grid, onto)


def _overlap_weights(
    source: tuple[int, float], target: tuple[int, float], target_origin_mm: float
) -> NDArray[np.float32]:
    """(n_target, n_source) share of each target cell that each source cell covers; a row sums to 1 when covered."""
    (n_source, source_mm), (n_target, target_mm) = source, target
    source_low = (np.arange(n_source) - 0.5) * source_mm
    target_low = target_origin_mm + (np.arange(n_target)[:, None] - 0.5) * target_mm
    high = np.minimum(source_low + source_mm, target_low + target_mm)
    overlap = np.clip(high - np.maximum(source_low, target_low), 0.0, None)
    return (overlap / target_mm).astype(np.float32)


def _weighted(weights: NDArray[np.float32], planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Σ_s weights[t, s]·planes[s]: sparse, since few source cells touch a target cell.

    A dense product would run in BLAS, whose last bits depend on the number of threads.
    """
    from scipy.sparse import csr_array  # 0.3 s to load: the panel opens without it

    flat = np.ascontiguousarray(planes).reshape(planes.shape[0], -1)
    product = csr_array(weights) @ flat
    return np.asarray(product, dtype=np.float32).reshape(-1, *planes.shape[1:])


def _sampled_mean(voxels: NDArray[Any], grid: Grid, onto: Grid, fill: float) -> NDArray[np.float32]:
    counts = [max(1, int(np.ceil(o / min(grid.spacing_mm)))) for o in onto.spacing_mm]
    axes = np.reshape(onto.direction, (3, 3))
    total = np.zeros(onto.shape_zyx, dtype=np.float64)
    for sub in np.ndindex(*counts):
        offset = [((s + 0.5) / n - 0.5) * mm for s, n, mm in zip(sub, counts, onto.spacing_mm, strict=True)]
        origin = np.add(onto.origin_mm, axes @ offset)
        shifted = Grid(onto.shape_zyx, onto.spacing_mm, (origin[0], origin[1], origin[2]), onto.direction)
        total += resample(voxels, grid, shifted, "linear", fill)
    return (total / np.prod(counts)).astype(np.float32)
