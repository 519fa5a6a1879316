"""Electron stopping powers and ranges in water against NIST's ESTAR."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.physics.stopping_powers import collision_stopping_power, csda_range_g_per_cm2
from RPTDosimetryLib.validation.row import ValidationRow, compared

ESTAR: Final = "NIST ESTAR (ICRU report 37), liquid water"
BAR_PERCENT: Final = 0.3
#: keV: MeV cm²/g, as published with four digits.
COLLISION: Final = {10.0: 22.56, 50.0: 6.603, 100.0: 4.115, 200.0: 2.793, 500.0: 2.034, 1000.0: 1.849, 2000.0: 1.824}
#: keV: g/cm².
RANGE: Final = {50.0: 4.320e-3, 100.0: 1.431e-2, 500.0: 0.1766, 1000.0: 0.4367, 2000.0: 0.9785}


def stopping_power_rows(_shared: Path) -> list[ValidationRow]:
    """Collision stopping power and CSDA range from 10 keV to 2 MeV."""
    water = material("water")

    def at(quantity: Callable[[Any, Any], Any], kev: float) -> float:
        return float(quantity(water, np.array([kev]))[0])

    rows = [
        compared(
            ("electrons in water", f"collision stopping power at {kev:g} keV", "MeV cm2/g"),
            at(collision_stopping_power, kev) / 1e3,
            published,
            BAR_PERCENT,
            ESTAR,
        )
        for kev, published in COLLISION.items()
    ]
    for kev, published in RANGE.items():
        place = ("electrons in water", f"range at {kev:g} keV", "g/cm2")
        rows.append(compared(place, at(csda_range_g_per_cm2, kev), published, BAR_PERCENT, ESTAR))
    return rows
