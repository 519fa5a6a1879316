"""Dose-volume histograms whose bins follow the dose in the volume, and the figures read from the voxels themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import EvaluationError

#: Bins from 0 to the maximum of the volume: a point every 0.1 % of its maximum, whatever the dose.
BINS = 1000


@dataclass(frozen=True)
class Dvh:
    """Dose-volume histogram of one volume.

    dose_gy: (n+1) bin edges from 0 to the maximum; cumulative: (n+1) fraction of the volume with at least that dose
    (1 at 0 Gy); differential_per_gy: (n) fraction of the volume per Gy in each bin, ∫ = 1. volume_ml: all voxels.
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


def dvh(dose_gy: NDArray[np.floating], voxel_volume_ml: float, name: str = "", bins: int = BINS) -> Dvh:
    """Histogram of the doses of a volume's voxels (any shape, all voxels of equal volume).

    cumulative is exact at every edge (voxels sorted, none binned). Raises EvaluationError: no voxel, NaN or negative.
    """
    doses = _checked(dose_gy, name)
    highest = float(doses[-1])
    edges = np.linspace(0.0, highest if highest > 0.0 else 1.0, bins + 1)
    at_least = doses.size - np.searchsorted(doses, edges, side="left")
    counts, _ = np.histogram(doses, edges)
    return Dvh(
        name=name,
        volume_ml=doses.size * voxel_volume_ml,
        dose_gy=edges,
        cumulative=at_least / doses.size,
        differential_per_gy=counts / doses.size / np.diff(edges),
    )


def dose_at_volume_gy(dose_gy: NDArray[np.floating], percent: float) -> float:
    """D_x [Gy]: the dose that the hottest x % of the volume exceed, i.e. the (100 − x)th percentile of the voxels.

    Linear between neighbouring voxels. ICRU 83: D2 near-maximum, D50 median, D98 near-minimum.
    """
    if not 0.0 <= percent <= 100.0:
        raise EvaluationError(f"D{percent:g} does not exist: choose a share of the volume from 0 to 100 %.")
    return float(np.percentile(_checked(dose_gy, ""), 100.0 - percent))


def volume_at_dose(dose_gy: NDArray[np.floating], at_least_gy: float) -> float:
    """V_x: fraction of the volume (0 to 1) that receives at least x Gy."""
    doses = _checked(dose_gy, "")
    return float(doses.size - np.searchsorted(doses, at_least_gy, side="left")) / doses.size


def _checked(dose_gy: NDArray[np.floating], name: str) -> NDArray[np.float64]:
    """The voxels' doses in rising order."""
    doses = np.sort(np.asarray(dose_gy, dtype=np.float64).ravel())
    volume = f"The volume {name}" if name else "The volume"
    if doses.size == 0:
        raise EvaluationError(f"{volume} holds no voxel, so it has no dose. Check its mask and its grid.")
    if not np.isfinite(doses[[0, -1]]).all() or doses[0] < 0.0:
        raise EvaluationError(f"{volume} holds doses that are negative or not numbers. Check the dose map.")
    return doses
