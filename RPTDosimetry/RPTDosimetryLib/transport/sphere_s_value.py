"""Self-dose S value of a sphere with uniform activity, from a point kernel of its medium."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from RPTDosimetryLib.errors import TransportError
from RPTDosimetryLib.transport.radial_profile import radial_profile
from RPTDosimetryLib.units import J_PER_KEV, KG_PER_G

if TYPE_CHECKING:
    from RPTDosimetryLib.transport.point_kernel import PointKernel

STEPS = 4000


def sphere_s_value_gy_per_bq_s(point_kernel: PointKernel, mass_g: float, density_g_per_cm3: float) -> float:
    """S = Σ E(r)·P(r)/m [Gy/(Bq·s)], P(r) = 1 − 3r/4R + r³/16R³ the chance that a point of the sphere, moved by r,
    stays in it (r < 2R); the sphere lies in the same medium without end, so radiation may scatter back.

    Raises TransportError for a mass or density that is not positive. Formula: Berger, MIRD pamphlet 7 (1971).
    """
    if not (mass_g > 0 and density_g_per_cm3 > 0):
        raise TransportError(f"A sphere of {mass_g} g and {density_g_per_cm3} g/cm3 does not exist.")
    radius_mm = 10.0 * (3.0 * mass_g / density_g_per_cm3 / (4.0 * math.pi)) ** (1 / 3)
    edges_mm = 2.0 * radius_mm * np.linspace(0.0, 1.0, STEPS + 1) ** 2
    x = 0.5 * (edges_mm[1:] + edges_mm[:-1]) / radius_mm
    stays = 1.0 - 0.75 * x + x**3 / 16.0
    kev = 0.0
    for shells in (point_kernel.electron_kev, point_kernel.photon_kev):
        profile = radial_profile(
            point_kernel.radius_mm, shells, point_kernel.reference_density_g_per_cm3, density_g_per_cm3
        )
        kev += float(profile.shell_kev(edges_mm).mean(axis=0) @ stays)
    return kev * J_PER_KEV / (mass_g * KG_PER_G)
