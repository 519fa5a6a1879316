"""The decay constant of a tail where settings or a VOI give it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.tia.columns import ActivityColumns
from RPTDosimetryLib.tia.settings import FitSettings
from RPTDosimetryLib.units import S_PER_H

HELD = "would clear more slowly than λ_phys: the tail's λ_eff is held at λ_phys"


def given_tail_lambda(columns: ActivityColumns, settings: FitSettings) -> NDArray[np.float64] | None:
    """λ_eff [1/s] of each column's tail: that of its VOI, else ln 2/tail_half_life_h, else None.

    Raises KineticsError when the half-life given is longer than the physical one.
    """
    if columns.voi_lambda_per_s is not None:
        return columns.voi_lambda_per_s
    if settings.tail_half_life_h is None:
        return None
    lambda_per_s = np.log(2) / (settings.tail_half_life_h * S_PER_H)
    if lambda_per_s < columns.lambda_phys_per_s * (1 - 1e-6):
        raise KineticsError(
            f"tail_half_life_h = {settings.tail_half_life_h:g} h is longer than the physical half-life of "
            f"{columns.nuclide} ({np.log(2) / columns.lambda_phys_per_s / S_PER_H:.4g} h): λ_eff ≥ λ_phys."
        )
    return np.full(columns.activity_bq.shape[1], lambda_per_s)
