"""Figures that say how far an evaluated dose map is from a reference, voxel by voxel.

Differences are evaluated − reference. All figures are over a stated set of voxels; the data range of PSNR and SSIM and
the norm of NRMSE are the maximum of the whole reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import EvaluationError
from RPTDosimetryLib.evaluation.comparable import checked_mask, require_comparable
from RPTDosimetryLib.records import Image

#: Relative errors are over voxels with at least this share of the reference's maximum [%].
RELATIVE_FLOOR_PERCENT = 1.0
#: The low-dose range of the second correlation [% of the reference's maximum]: from the floor up to here.
LOW_DOSE_BELOW_PERCENT = 10.0
#: Side of the window of SSIM in voxels, scikit-image's default (Wang et al. 2004, uniform window).
SSIM_WINDOW = 7


@dataclass(frozen=True)
class VoxelMetrics:
    """E = evaluated − reference, R = reference, over the voxels that count.

    me = mean E, mae = mean |E|, mse = mean E², rmse = √mse; nrmse = rmse/max R of the map; psnr_db = 20 log₁₀(max R /
    rmse), infinite for identical voxels; ssim: mean structural similarity of the voxels whose window lies in the image.
    Over relative_voxels (R ≥ 1 % of max R of the map): re = mean E/R, rae = mean |E|/R. Over mape_voxels (R ≥ 1 % of
    the highest R among the voxels that count, so that an organ far below the map's maximum has one): mape = mean |E|/R.
    correlation: Pearson's, of all voxels and of those of low dose. Slopes against the identity line: slope_origin = Σ R
    (R + E)/Σ R², least squares through the origin; slope_orthogonal and its intercept: orthogonal regression (total
    least squares, both maps with equal error). None: no such voxel, or no variation to correlate.
    """

    voxels: int
    me_gy: float
    mae_gy: float
    mse_gy2: float
    rmse_gy: float
    nrmse: float
    psnr_db: float
    ssim: float | None
    relative_voxels: int
    re_percent: float | None
    rae_percent: float | None
    correlation: float | None
    low_dose_voxels: int
    low_dose_correlation: float | None
    mape_voxels: int = 0
    mape_percent: float | None = None
    slope_origin: float | None = None
    slope_orthogonal: float | None = None
    intercept_orthogonal_gy: float | None = None


class VoxelComparison:
    """Two maps [Gy] on one grid, from which the figures of any set of voxels are read."""

    def __init__(self, reference: Image, evaluated: Image) -> None:
        """Raises GridMismatchError, and EvaluationError for a reference without dose or values that are not numbers."""
        require_comparable(reference, evaluated)
        self._reference = reference
        self._reference_gy = np.asarray(reference.voxels, dtype=np.float64)
        self._evaluated_gy = np.asarray(evaluated.voxels, dtype=np.float64)
        self.range_gy = float(self._reference_gy.max())
        self._ssim = ssim_map(self._reference_gy, self._evaluated_gy, self.range_gy)

    def metrics(self, mask: NDArray[np.bool_] | None = None) -> VoxelMetrics:
        """Figures of the mask's voxels, or of all; EvaluationError for an empty mask."""
        inside = checked_mask(self._reference, mask)
        reference, evaluated = self._reference_gy[inside], self._evaluated_gy[inside]
        error = evaluated - reference
        mse = float(np.mean(error**2))
        rmse = float(np.sqrt(mse))
        percent = 100.0 * reference / self.range_gy
        counted = percent >= RELATIVE_FLOOR_PERCENT
        low = counted & (percent < LOW_DOSE_BELOW_PERCENT)
        relative = 100.0 * error[counted] / reference[counted]
        in_organ = (reference > 0.0) & (reference >= RELATIVE_FLOOR_PERCENT / 100.0 * reference.max())
        of_organ = 100.0 * np.abs(error[in_organ]) / reference[in_organ]
        slope, intercept_gy = orthogonal_line(reference, evaluated)
        return VoxelMetrics(
            voxels=reference.size,
            me_gy=float(np.mean(error)),
            mae_gy=float(np.mean(np.abs(error))),
            mse_gy2=mse,
            rmse_gy=rmse,
            nrmse=rmse / self.range_gy,
            psnr_db=float(20 * np.log10(self.range_gy / rmse)) if rmse > 0 else float("inf"),
            ssim=self._mean_ssim(inside),
            relative_voxels=relative.size,
            re_percent=float(np.mean(relative)) if relative.size else None,
            rae_percent=float(np.mean(np.abs(relative))) if relative.size else None,
            correlation=correlation(reference, evaluated),
            low_dose_voxels=int(np.count_nonzero(low)),
            low_dose_correlation=correlation(reference[low], evaluated[low]),
            mape_voxels=of_organ.size,
            mape_percent=float(np.mean(of_organ)) if of_organ.size else None,
            slope_origin=slope_through_origin(reference, evaluated),
            slope_orthogonal=slope,
            intercept_orthogonal_gy=intercept_gy,
        )

    def _mean_ssim(self, inside: NDArray[np.bool_]) -> float | None:
        if self._ssim is None:
            return None
        edge = SSIM_WINDOW // 2
        inner = (slice(edge, -edge),) * 3
        values = self._ssim[inner][inside[inner]]
        return float(values.mean()) if values.size else None


def rms_beyond_noise_percent(
    reference: Image, evaluated: Image, reference_se: Image, mask: NDArray[np.bool_]
) -> float | None:
    """100·√max(0, mean((E² − SE²)/D²)) over the mask's voxels with D ≥ 1 % of max R; None where there is none.

    With an unbiased reference of variance SE², mean E² is the squared error of the evaluated map D plus SE²: what is
    left is that of the map alone. It is relative to D, as a noisy R below the bar would let noise back in. SE [Gy] of
    each voxel is itself an estimate, so single voxels tell nothing.
    """
    truth = np.asarray(reference.voxels, dtype=np.float64)
    dose = np.asarray(evaluated.voxels, dtype=np.float64)
    counted = mask & (dose > 0.0) & (dose >= RELATIVE_FLOOR_PERCENT / 100.0 * truth.max())
    if not counted.any():
        return None
    noise = np.asarray(reference_se.voxels, dtype=np.float64)[counted]
    excess = float(np.mean(((dose[counted] - truth[counted]) ** 2 - noise**2) / dose[counted] ** 2))
    return 100.0 * float(np.sqrt(max(excess, 0.0)))


def ssim_map(
    reference_gy: NDArray[np.float64], evaluated_gy: NDArray[np.float64], range_gy: float
) -> NDArray[np.float64] | None:
    """Structural similarity around every voxel (7³ uniform window, K1 0.01, K2 0.03); None where no window fits."""
    from skimage.metrics import structural_similarity

    if min(reference_gy.shape) < SSIM_WINDOW:
        return None
    _, local = structural_similarity(
        reference_gy, evaluated_gy, win_size=SSIM_WINDOW, data_range=range_gy, gaussian_weights=False, full=True
    )
    return np.asarray(local, dtype=np.float64)


def correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Pearson's r; None for fewer than two voxels, or where one of the two does not vary."""
    if first.shape != second.shape:
        raise EvaluationError("Two sets of different size cannot be correlated.")
    if first.size < 2:
        return None
    a, b = first - first.mean(), second - second.mean()
    spread = float(np.sqrt((a @ a) * (b @ b)))
    # of a constant, rounding leaves a residue of some 1e-16 of its values
    tiny = 1e-12 * first.size * float(np.abs(first).max() * np.abs(second).max())
    return float(np.clip((a @ b) / spread, -1.0, 1.0)) if spread > tiny else None


def slope_through_origin(reference: NDArray[np.float64], evaluated: NDArray[np.float64]) -> float | None:
    """Σ R·V/Σ R²: the least-squares line V = slope·R; None where the reference is 0 everywhere."""
    squares = float(reference @ reference)
    return float(reference @ evaluated) / squares if squares > 0.0 else None


def orthogonal_line(
    reference: NDArray[np.float64], evaluated: NDArray[np.float64]
) -> tuple[float | None, float | None]:
    """Slope and intercept [Gy] of the line from which points lie least apart at right angles (Deming, equal errors).

    slope = (s_VV − s_RR + √((s_VV − s_RR)² + 4 s_RV²))/(2 s_RV). None where the two do not vary together.
    """
    if correlation(reference, evaluated) is None:
        return None, None
    a, b = reference - reference.mean(), evaluated - evaluated.mean()
    s_rr, s_vv, s_rv = float(a @ a), float(b @ b), float(a @ b)
    if abs(s_rv) <= 1e-12 * max(s_rr, s_vv):
        return None, None
    slope = (s_vv - s_rr + float(np.hypot(s_vv - s_rr, 2.0 * s_rv))) / (2.0 * s_rv)
    return slope, float(evaluated.mean() - slope * reference.mean())
