"""The effective decay constant of a VOI: mean of the normal distribution fitted to the λ of its voxels.

Mansouri et al. 2024 (doi 10.1007/s00259-024-06618-9). A voxel's λ is the slope of ln A over the scans from 24 h on; it
is not bounded, for a bound would pile up voxels at λ_phys and shift the mean. What the paper leaves open: voxels beyond
OUTLIER robust standard deviations of the median are left out of the fit, and so are voxels with a zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.records import ActivitySeries, Voi
from RPTDosimetryLib.tia.log_slope import log_slope
from RPTDosimetryLib.tia.models.mansouri import KNOT_S
from RPTDosimetryLib.tia.single_scan import nearest_scan
from RPTDosimetryLib.units import S_PER_H

OUTLIER: Final = 5.0
#: With fewer voxels the slope of the VOI's total activity is used instead.
FEWEST_VOXELS: Final = 10
#: Standard deviation of a normal distribution over its median absolute deviation, 1/Φ⁻¹(3/4).
SIGMA_PER_MAD: Final = 1.482602218505602


@dataclass(frozen=True)
class VoiLambda:
    """λ_eff of a VOI [1/s] with the standard deviation over its voxels (None where its total activity gave it)."""

    name: str
    lambda_eff_per_s: float
    deviation_per_s: float | None
    n_voxels: int
    warnings: tuple[str, ...] = ()

    @property
    def half_life_h(self) -> float:
        """ln 2/λ_eff [h]."""
        return float(np.log(2)) / self.lambda_eff_per_s / S_PER_H


def tail_scans(time_s: NDArray[np.float64]) -> slice:
    """The scans a tail's λ is taken from: from the one nearest to 24 h on, and never fewer than the last two."""
    return slice(min(nearest_scan(time_s, KNOT_S), time_s.size - 2), None)


def normal_fit(values: NDArray[np.float64]) -> tuple[float, float, int]:
    """(mean, standard deviation, number of values left out): maximum likelihood after outliers are left out."""
    middle = np.median(values)
    spread = SIGMA_PER_MAD * float(np.median(np.abs(values - middle)))
    kept = values[np.abs(values - middle) <= OUTLIER * spread] if spread > 0 else values
    return float(kept.mean()), float(kept.std()), int(values.size - kept.size)


def voi_lambda(name: str, mask: NDArray[np.bool_], series: ActivitySeries, by_voxel: bool = True) -> VoiLambda:
    """λ_eff of the voxels in a mask, from their distribution or (by_voxel False, or too few) from their sum.

    Never below λ_phys; where it is held there, or comes from the sum for want of voxels, a warning says so.
    """
    scans = tail_scans(series.time_s)
    time_s = series.time_s[scans]
    inside = np.stack([np.asarray(a.voxels[mask], dtype=np.float64) for a in series.activities[scans]])
    slopes = log_slope(inside, time_s)
    slopes = slopes[np.isfinite(slopes)]
    said, mean, deviation, used = [], float("nan"), None, int(slopes.size)
    if by_voxel and slopes.size >= FEWEST_VOXELS:
        mean, deviation, left_out = normal_fit(slopes)
        used -= left_out
    else:
        if by_voxel:
            said.append(
                f"{name}: only {slopes.size} voxels have an effective half-life; that of the whole VOI is used."
            )
        mean = float(log_slope(inside.sum(axis=1, keepdims=True), time_s)[0])
    if np.isnan(mean):
        said.append(f"{name}: the scans show no effective half-life; the tail's λ_eff is held at λ_phys.")
        mean = series.lambda_phys_per_s
    elif mean < series.lambda_phys_per_s:
        said.append(
            f"{name}: the scans would clear more slowly than λ_phys (mean λ {mean * S_PER_H:.4g} 1/h); the tail's "
            "λ_eff is held at λ_phys."
        )
        mean = series.lambda_phys_per_s
    return VoiLambda(name, mean, deviation, used, tuple(said))


def in_order_of_precedence(vois: Sequence[Voi]) -> list[Voi]:
    """VOIs so that a later one takes the voxels it shares: region, organ, lesion; of one kind, the smaller one."""
    rank = {"region": 0, "organ": 1, "lesion": 2}
    return sorted(vois, key=lambda voi: (rank[voi.kind], -voi.volume_ml))


def lambda_by_voxel(series: ActivitySeries, vois: Sequence[Voi]) -> tuple[NDArray[np.float64], list[VoiLambda]]:
    """λ_eff [1/s] of every voxel (z, y, x) from the VOI it belongs to, and those of the VOIs.

    Voxels of no VOI take the slope of their summed activity: they are no tissue whose λ could be distributed normally.
    """
    found: list[VoiLambda] = []
    shape = series.activities[0].grid.shape_zyx
    lambdas = np.zeros(shape)
    outside = np.ones(shape, dtype=bool)
    for voi in in_order_of_precedence(vois):
        found.append(voi_lambda(voi.name, voi.mask, series))
        lambdas[voi.mask] = found[-1].lambda_eff_per_s
        outside &= ~voi.mask
    if outside.any():
        found.append(voi_lambda("remainder", outside, series, by_voxel=False))
        lambdas[outside] = found[-1].lambda_eff_per_s
    return lambdas, found
