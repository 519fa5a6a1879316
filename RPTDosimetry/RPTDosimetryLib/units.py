"""Conversions at the border: files and people use MBq, hours, mL, keV; inside, everything is SI (mm for geometry)."""

from __future__ import annotations

from typing import Final

BQ_PER_MBQ: Final = 1e6
BQ_PER_GBQ: Final = 1e9
S_PER_H: Final = 3600.0
S_PER_DAY: Final = 86400.0
ML_PER_MM3: Final = 1e-3
CM_PER_MM: Final = 0.1
KG_PER_G: Final = 1e-3
#: Exact: the elementary charge that defines the electronvolt since 2019 (SI brochure, 9th edition).
J_PER_KEV: Final = 1.602176634e-16
#: 1 Gy/(Bq·s) in the unit of voxel-S tables.
MGY_PER_MBQ_S_PER_GY_PER_BQ_S: Final = 1e9


def mass_kg(density_g_per_cm3: float, volume_ml: float) -> float:
    """m = ρ·V [kg] from g/cm³ and mL."""
    return density_g_per_cm3 * volume_ml * KG_PER_G
