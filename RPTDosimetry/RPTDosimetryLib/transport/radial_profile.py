"""The radial energy distribution of a point kernel at another density, as a smooth function of radius."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from RPTDosimetryLib.errors import TransportError


@dataclass(frozen=True)
class RadialProfile:
    """Energy within a sphere around the decay, E(<r) [keV per decay], monotone cubic between the shell edges.

    Each shell keeps its energy exactly; inside a shell the interpolant carries the trend of its neighbours.
    edges_mm: (n+1); within_kev: (batches, n+1), independent batches of the simulation.
    """

    edges_mm: NDArray[np.float64]
    within_kev: NDArray[np.float64]

    @property
    def farthest_mm(self) -> float:
        """Radius up to which energy was scored."""
        return float(self.edges_mm[-1])

    @property
    def total_kev(self) -> float:
        """Energy within the farthest radius, mean of the batches."""
        return float(self.within_kev[:, -1].mean())

    def shell_kev(self, edges_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Energy between consecutive radii: (batches, len(edges_mm) − 1) [keV per decay]."""
        radii = np.clip(edges_mm, 0.0, self.farthest_mm)
        within = PchipInterpolator(self.edges_mm, self.within_kev, axis=1)(radii)
        return np.diff(within, axis=1)

    def density_kev_per_mm3(self, radii_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """e(r) = dE(<r)/dr / 4πr² [keV/mm³ per decay], mean of the batches, 0 beyond the farthest radius; r > 0."""
        slope = PchipInterpolator(self.edges_mm, self.within_kev.mean(axis=0)).derivative()
        inside = radii_mm <= self.farthest_mm
        g = np.where(inside, slope(np.minimum(radii_mm, self.farthest_mm)), 0.0)
        return np.maximum(g, 0.0) / (4.0 * np.pi * radii_mm**2)

    def radius_holding_mm(self, fraction: float) -> float:
        """Smallest shell edge within which ``fraction`` of the scored energy lies."""
        within = self.within_kev.mean(axis=0)
        return float(self.edges_mm[int(np.searchsorted(within, fraction * within[-1]))])


def radial_profile(
    edges_mm: NDArray[np.float64], shell_kev: NDArray[np.float64], reference_density: float, density: float
) -> RadialProfile:
    """Profile at ``density`` of shells scored at ``reference_density``: radii scale by ρ_ref/ρ (equal mass per area).

    edges_mm: (n+1) from 0; shell_kev: (batches, n). Raises TransportError for shells that do not start at 0 or grow.
    """
    edges = np.asarray(edges_mm, dtype=np.float64)
    if edges[0] != 0.0 or np.any(np.diff(edges) <= 0.0) or shell_kev.shape[1] != edges.size - 1:
        raise TransportError("The shells of a point kernel must start at radius 0 and grow. Rebuild the point kernel.")
    within = np.concatenate([np.zeros((shell_kev.shape[0], 1)), np.cumsum(shell_kev, axis=1)], axis=1)
    return RadialProfile(edges * (reference_density / density), within)
