"""Biologically effective dose and photons in air, against worked examples and published tables."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from RPTDosimetryLib.physics.air_kerma import air_energy_transfer_cm2_per_g, photon_field_constant
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.radiobiology.lea_catcheside import lea_catcheside_factor
from RPTDosimetryLib.radiobiology.linear_quadratic import bed_gy
from RPTDosimetryLib.tia.curve_shapes import SumOfExponentials
from RPTDosimetryLib.units import BQ_PER_GBQ, S_PER_H
from RPTDosimetryLib.validation.row import ValidationRow, compared

#: Printed to five figures.
BED_BAR_PERCENT: Final = 0.002
#: What free electrons and tables of another group may differ by between 20 keV and 1 MeV.
AIR_BAR_PERCENT: Final = 1.5
_EXAMPLE = "another program's kidney: D = 2.741417 Gy, T_eff = 49.224 h, α/β 2.6 Gy, T_rep 2.8 h → BED 2.8970 Gy"
_NIST = "μ_en/ρ of dry air, Hubbell and Seltzer, NISTIR 5632"
_NRC = "2.2 R·cm²/(mCi·h), US NRC Regulatory Guide 8.39; 1 R = 8.76 mGy of air kerma"


def effect_rows(shared: Path) -> list[ValidationRow]:
    """BED of one kidney, from the curve itself; needs nothing of the shared folder."""
    curve = SumOfExponentials(np.array([1.0]), np.array([np.log(2) / (49.224 * S_PER_H)]))
    ours = float(bed_gy(2.741417, lea_catcheside_factor(curve, 2.8 * S_PER_H), 2.6))
    return [compared(("kidney", "BED", "Gy"), ours, 2.8970, BED_BAR_PERCENT, _EXAMPLE)]


def air_rows(shared: Path) -> list[ValidationRow]:
    """Energy transfer in air at Lu-177's energies, and the air kerma of I-131 at 1 m; needs nothing of the folder."""
    rows = [
        compared(
            ("air", f"energy transfer at {kev} keV", "cm²/g"),
            float(air_energy_transfer_cm2_per_g(np.array([float(kev)]))[0]),
            published,
            AIR_BAR_PERCENT,
            _NIST,
        )
        for kev, published in ((60, 0.03041), (100, 0.02325), (200, 0.02672), (400, 0.02949))
    ]
    to_ugy_per_gbq_h = BQ_PER_GBQ * S_PER_H * 1e6
    ours = photon_field_constant(nuclide("I-131")).air_kerma_gy_m2_per_bq_s * to_ugy_per_gbq_h
    published = 2.2 * 8.76e-3 * 1e-4 / 3.7e7 * BQ_PER_GBQ * 1e6
    place = ("I-131 at 1 m", "air kerma rate per activity", "µGy·m²/(GBq·h)")
    return [*rows, compared(place, ours, published, AIR_BAR_PERCENT, _NRC)]
