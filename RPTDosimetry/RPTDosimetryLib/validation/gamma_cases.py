"""Gamma indices that can be written down: a uniform shift in dose, and one on a slope."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from RPTDosimetryLib.evaluation.gamma import GammaSettings, gamma_index
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.validation.row import ValidationRow, compared

_GRID = Grid((9, 9, 41), (4.795, 4.795, 2.0))
_BAR_PERCENT = 0.5
#: Steps in distance are DTA/10 wide, and the nearest one to the true minimum is at most half a step off.
_SOURCE = "γ = (δ/ΔD)/√(1 + (g·DTA/ΔD)²), the distance from a point to a line (Low et al. 1998)"


def gamma_rows(_: Path) -> list[ValidationRow]:
    """1 %/4.795 mm of a 10 Gy reference, evaluated 1 % of 10 Gy higher, flat and on slopes g [Gy/mm]."""
    rows = []
    for slope in (0.0, 0.01, 0.02):
        along = 10.0 + slope * _GRID.spacing_mm[0] * (np.arange(_GRID.shape_zyx[2]) - 20.0)
        reference = np.broadcast_to(along, _GRID.shape_zyx).astype(np.float32)
        settings = GammaSettings(dose_percent=1.0, dta_mm=4.795, reference_dose_gy=10.0)
        found = gamma_index(Image(reference, _GRID, "Gy"), Image(reference + np.float32(0.1), _GRID, "Gy"), settings)
        ours = float(found.gamma_index.voxels[4, 4, 20])
        analytic = 1.0 / math.sqrt(1.0 + (slope * 4.795 / 0.1) ** 2)
        place = ("gamma index", f"+1 % on a slope of {slope:g} Gy/mm", "1")
        rows.append(compared(place, ours, analytic, _BAR_PERCENT, _SOURCE))
    return rows
