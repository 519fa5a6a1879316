"""How well two images agree, in figures that do not come from the optimiser itself."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.registration.point_map import PointMap

BINS: Final = 32
#: σ of the two Gaussians whose difference is the detail of an image, and how far inside the body it is compared.
DETAIL_MM: Final = (6.0, 18.0)
INSIDE_MM: Final = 24.0


def mutual_information(first: NDArray[np.floating], second: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """I(a; b) = Σ p_ab ln(p_ab / (p_a p_b)) [nats] from a joint histogram of 32 × 32 equally filled bins over the mask.

    Bins of equal filling make the figure independent of contrast; identical images give about ln 32 = 3.47.
    """
    joint, _, _ = np.histogram2d(_ranks(first[mask]), _ranks(second[mask]), bins=BINS, range=((0, BINS), (0, BINS)))
    joint /= joint.sum()
    outer = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / outer[filled])).sum())


def correlation(first: NDArray[np.floating], second: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """Pearson's r over the mask; 0 where one image is flat."""
    a, b = first[mask].astype(np.float64), second[mask].astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0


def detail_correlation(
    first: NDArray[np.floating], second: NDArray[np.floating], mask: NDArray[np.bool_], grid: Grid
) -> float:
    """Pearson's r of what remains of both images between 6 and 18 mm, 24 mm inside the mask.

    Organs, lesions and bones of one patient fall on each other; the bodies of two patients, or of one upside down, give
    high figures over the whole body by their outline alone, but not here.
    """
    inside = ndimage.distance_transform_edt(mask, sampling=grid.spacing_mm[::-1]) > INSIDE_MM
    if not inside.any():
        return 0.0
    fine, coarse = ([length / s for s in grid.spacing_mm[::-1]] for length in DETAIL_MM)
    details = [ndimage.gaussian_filter(v, fine) - ndimage.gaussian_filter(v, coarse) for v in (first, second)]
    return correlation(details[0], details[1], inside)


def body_points(mask: NDArray[np.bool_], grid: Grid, most: int = 20000) -> NDArray[np.float64]:
    """At most about ``most`` voxel centres of the mask (n, 3), LPS [mm]."""
    kji = np.argwhere(mask)
    kji = kji[:: max(1, len(kji) // most)]
    return np.asarray(kji[:, ::-1] @ grid.lps_from_ijk[:3, :3].T + grid.lps_from_ijk[:3, 3])


def mean_displacement_mm(moved: PointMap, mask: NDArray[np.bool_], grid: Grid) -> float:
    """Mean over the mask of |T(x) - x| [mm]."""
    points = body_points(mask, grid)
    return float(np.linalg.norm(moved.moving(points) - points, axis=1).mean())


def share_in_image(moved: PointMap, mask: NDArray[np.bool_], grid: Grid, image: Grid) -> float:
    """Share of the mask's points whose T(x) lies inside the box of ``image``."""
    back = np.linalg.inv(image.lps_from_ijk)
    ijk = moved.moving(body_points(mask, grid)) @ back[:3, :3].T + back[:3, 3]
    inside = (ijk >= -0.5) & (ijk <= np.asarray(image.shape_zyx[::-1]) - 0.5)
    return float(inside.all(axis=1).mean())


def rotation_deg(matrix: NDArray[np.float64]) -> float:
    """Angle [degrees] of the turn in a 4×4 matrix, without its stretch (polar decomposition)."""
    u, _, vt = np.linalg.svd(np.asarray(matrix)[:3, :3])
    cosine = (np.trace(u @ vt) - 1.0) / 2.0
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Each value's bin of equal filling, 0.5 … BINS - 0.5 (equal values share a bin)."""
    edges = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.asarray(np.searchsorted(edges, values, side="right") + 0.5, dtype=np.float64)
