"""Dose-volume histograms whose bins follow the dose in the volume, and the figures read from the voxels themselves.

Voxels may be weighted by the share of them that lies in the volume (partial_volume.py). Then the cumulative volume is
a smooth monotonic curve through what lies below each dose instead of a staircase of whole voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import EvaluationError

#: Bins from 0 to the maximum of the volume: a point every 0.1 % of its maximum, whatever the dose.
BINS = 1000
#: Weighted doses closer than this share of the maximum are one dose: ten times what float32 tells apart at its best.
_SAME_DOSE = 1e-6
#: A smaller share of the volume is rounding.
_NO_SHARE = 1e-12

Weights = NDArray[np.floating] | None


@dataclass(frozen=True)
class Dvh:
    """Dose-volume histogram of one volume.

    dose_gy: (n+1) bin edges from 0 to the maximum; cumulative: (n+1) fraction of the volume with at least that dose
    (1 at 0 Gy); differential_per_gy: (n) fraction of the volume per Gy in each bin, ∫ = 1. volume_ml: all voxels, or
    their weighted sum.
    """

    name: str
    volume_ml: float
    dose_gy: NDArray[np.float64]
    cumulative: NDArray[np.float64]
    differential_per_gy: NDArray[np.float64]

    @property
    def cumulative_ml(self) -> NDArray[np.float64]:
        """Volume with at least dose_gy [mL]."""
        return self.cumulative * self.volume_ml

    def at_least(self, dose_gy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fraction of the volume with at least these doses, linear between the edges; 0 above the maximum."""
        return np.interp(dose_gy, self.dose_gy, self.cumulative, right=0.0)


def dvh(
    dose_gy: NDArray[np.floating], voxel_volume_ml: float, name: str = "", bins: int = BINS, weights: Weights = None
) -> Dvh:
    """Histogram of the doses of a volume's voxels (any shape, all voxels of equal volume).

    Without weights, cumulative is exact at every edge (voxels sorted, none binned). weights: share of each voxel in the
    volume, 0 to 1. Raises EvaluationError: no voxel, NaN or negative doses, weights that are negative or all 0.
    """
    doses, shares = _checked(dose_gy, name, weights)
    highest = float(doses[-1])
    edges = np.linspace(0.0, highest if highest > 0.0 else 1.0, bins + 1)
    if shares is None:
        volume = float(doses.size)
        cumulative = (doses.size - np.searchsorted(doses, edges, side="left")) / doses.size
    else:
        volume = float(shares.sum())
        cumulative = _weighted_at_least(doses, shares, edges)
    # the highest dose lies at the last edge, in the last bin
    between = -np.diff(np.r_[cumulative[:-1], 0.0])
    return Dvh(
        name=name,
        volume_ml=volume * voxel_volume_ml,
        dose_gy=edges,
        cumulative=cumulative,
        differential_per_gy=between / np.diff(edges),
    )


def dose_at_volume_gy(dose_gy: NDArray[np.floating], percent: float, weights: Weights = None, name: str = "") -> float:
    """D_x [Gy]: the dose that the hottest x % of the volume exceed, i.e. the (100 − x)th percentile of the voxels.

    Linear between neighbouring voxels. ICRU 83: D2 near-maximum, D50 median, D98 near-minimum.
    """
    if not 0.0 <= percent <= 100.0:
        raise EvaluationError(f"D{percent:g} does not exist: choose a share of the volume from 0 to 100 %.")
    doses, shares = _checked(dose_gy, name, weights)
    if shares is None:
        return float(np.percentile(doses, 100.0 - percent))
    from scipy.interpolate import PchipInterpolator

    levels, below = _curve(doses, shares)
    if levels.size == 1:
        return float(levels[0])
    return float(PchipInterpolator(below, levels)(1.0 - percent / 100.0))


def volume_at_dose(dose_gy: NDArray[np.floating], at_least_gy: float, weights: Weights = None) -> float:
    """V_x: fraction of the volume (0 to 1) that receives at least x Gy."""
    doses, shares = _checked(dose_gy, "", weights)
    if shares is None:
        return float(doses.size - np.searchsorted(doses, at_least_gy, side="left")) / doses.size
    return float(_weighted_at_least(doses, shares, np.array([at_least_gy]))[0])


def homogeneity_index(d2_gy: float, d50_gy: float, d98_gy: float) -> float | None:
    """(D2 − D98)/D50, 0 for a uniform dose; ICRU report 83 (2010). None where D50 is 0."""
    return (d2_gy - d98_gy) / d50_gy if d50_gy > 0.0 else None


def dvh_r2(reference: Dvh, evaluated: Dvh) -> float | None:
    """R² = 1 − Σ(V_e − V_r)²/Σ(V_r − mean V_r)² of the cumulative curves at 1001 doses from 0 to the higher maximum.

    The reference's curve is what is explained, so R² is 1 for equal curves, and below 0 for ones further from it than
    its own mean. None where the reference's curve does not vary.
    """
    highest = max(float(curve.dose_gy[-1]) for curve in (reference, evaluated))
    doses = np.linspace(0.0, highest, BINS + 1)
    ours, theirs = evaluated.at_least(doses), reference.at_least(doses)
    spread = float(np.sum((theirs - theirs.mean()) ** 2))
    return 1.0 - float(np.sum((ours - theirs) ** 2)) / spread if spread > 0.0 else None


def _checked(
    dose_gy: NDArray[np.floating], name: str, weights: Weights
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """The voxels' doses in rising order, and their weights in the same."""
    doses = np.asarray(dose_gy, dtype=np.float64).ravel()
    volume = f"The volume {name}" if name else "The volume"
    shares = None
    if weights is None:
        doses = np.sort(doses)
    else:
        shares = np.asarray(weights, dtype=np.float64).ravel()
        if shares.size != doses.size or not np.isfinite(shares).all() or (shares < 0.0).any():
            raise EvaluationError(f"{volume} needs one share from 0 to 1 for each of its {doses.size} doses.")
        counted = shares > 0.0
        doses, shares = doses[counted], shares[counted]
        order = np.argsort(doses, kind="stable")
        doses, shares = doses[order], shares[order]
    if doses.size == 0:
        raise EvaluationError(f"{volume} holds no voxel, so it has no dose. Check its mask and its grid.")
    if not np.isfinite(doses[[0, -1]]).all() or doses[0] < 0.0:
        raise EvaluationError(f"{volume} holds doses that are negative or not numbers. Check the dose map.")
    return doses, shares


def _curve(doses: NDArray[np.float64], shares: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rising doses and the fraction of the volume below each: half-way between neighbouring doses, all of the lower.

    Equal doses are joined first. The first and last point are the lowest (0) and highest dose (1).
    """
    tolerance = _SAME_DOSE * float(doses[-1])
    cell = np.floor(doses / tolerance + 0.5) if tolerance > 0.0 else np.zeros(doses.size)
    starts = np.flatnonzero(np.r_[True, np.diff(cell) > 0])
    weight = np.add.reduceat(shares, starts)
    level = np.add.reduceat(doses * shares, starts) / weight
    below = np.cumsum(weight)[:-1] / weight.sum()
    levels, fraction = np.r_[level[0], 0.5 * (level[1:] + level[:-1]), level[-1]], np.r_[0.0, below, 1.0]
    rising = np.r_[True, (np.diff(levels) > 0.0) & (np.diff(fraction) > _NO_SHARE)]
    levels, fraction = levels[rising], fraction[rising]
    fraction[-1] = 1.0 if fraction.size > 1 else 0.0
    return levels, fraction


def _weighted_at_least(
    doses: NDArray[np.float64], shares: NDArray[np.float64], at_least_gy: NDArray[np.float64]
) -> NDArray[np.float64]:
    from scipy.interpolate import PchipInterpolator

    levels, below = _curve(doses, shares)
    if levels.size == 1:
        return (at_least_gy <= levels[0]).astype(np.float64)
    inside = np.clip(at_least_gy, levels[0], levels[-1])
    found = 1.0 - PchipInterpolator(levels, below)(inside)
    found[at_least_gy > levels[-1]] = 0.0
    return np.asarray(np.clip(found, 0.0, 1.0))
