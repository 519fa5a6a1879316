"""Madsen et al. 2018 (Med Phys 45:2318): one scan at T and a population's λ_eff, Ã = A(T)·e^(λ_eff T)/λ_eff.

∂ln Ã/∂λ = T − 1/λ: the scan nearest to 1/λ_eff is the one whose Ã depends least on the λ assumed, and is taken unless
another is asked for. The population's half-life must be given: it belongs to a tissue and a compound, not to a nuclide.
"""

from __future__ import annotations

import numpy as np

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.tia.columns import ActivityColumns
from RPTDosimetryLib.tia.settings import FitSettings
from RPTDosimetryLib.tia.single_scan import asked_scan
from RPTDosimetryLib.tia.single_time_point import Assumption, SingleTimePoint
from RPTDosimetryLib.units import S_PER_H


def _assume(columns: ActivityColumns, settings: FitSettings) -> Assumption:
    if settings.population_half_life_h is None:
        raise KineticsError(
            "The model madsen needs the effective half-life of a population: give population_half_life_h for this "
            "tissue and compound, with its source."
        )
    half_life_s = settings.population_half_life_h * S_PER_H
    lam = float(np.log(2)) / half_life_s
    se = lam * (settings.population_half_life_se_h or 0.0) * S_PER_H / half_life_s
    scan = asked_scan(columns.time_s, settings.scan_time_h, 1.0 / lam)
    said = (
        f"madsen: single time point at {columns.time_s[scan] / S_PER_H:.4g} h with an assumed effective half-life of "
        f"{settings.population_half_life_h:g} h.",
    )
    return Assumption(scan, lam, se, said)


MODEL = SingleTimePoint("madsen", _assume)
