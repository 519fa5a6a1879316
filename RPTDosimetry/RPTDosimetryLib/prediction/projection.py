"""Organ-dose-guided projection: the PET rescaled in each organ so that its mean is that organ's predicted dose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.prediction.organ_regressor import OrganRegressor
from RPTDosimetryLib.prediction.pet_case import OrganDose, PetCase, PredictedDose
from RPTDosimetryLib.prediction.psma_kinetics import SCAN_TIME_MIN

#: PETs outside these times after injection are marked: uptake is then another than the regressor has learnt from.
SCAN_TIMES_MIN: Final = (45.0, 90.0)


def rescaled_pet(case: PetCase, mean_gy_per_gbq: Mapping[str, float]) -> NDArray[np.float32]:
    """D_i = SUV_i·D̄_organ/SUV̄_organ [Gy/GBq], means mass-weighted; 0 in air and where no organ has a dose."""
    dose = np.zeros(case.pet.grid.shape_zyx, dtype=np.float32)
    tissue = case.tissue
    for organ, wanted in mean_gy_per_gbq.items():
        mean = case.mass_mean(case.pet.voxels, organ)
        if not mean > 0:
            raise PredictionError(f"{organ} shows no uptake: its dose has no shape to take from the PET.")
        inside = case.organs[organ] & tissue
        dose[inside] = case.pet.voxels[inside] * np.float32(wanted / mean)
    return dose


def predict_by_projection(case: PetCase, regressor: OrganRegressor) -> PredictedDose:
    """Mean doses of the organs by the regressor, spread inside them as the PET is (Xue et al. 2024)."""
    organs = regressor.predict(case)
    found = projected(case, organs, "projection", f"organ doses by ridge regression, {trained_text(regressor)}")
    low, high = SCAN_TIMES_MIN
    if low <= case.scan_time_min <= high:
        return found
    at = f"the PET began {case.scan_time_min:.0f} min after injection"
    late = f"{at}; the regressor knows uptake at {SCAN_TIME_MIN:.0f} min"
    return replace(found, warnings=(f"{late}, so that its doses may be off beyond their intervals", *found.warnings))


def optimal_projection(case: PetCase, true_gy_per_gbq: NDArray[np.floating]) -> NDArray[np.float32]:
    """The theoretical optimum: the PET rescaled to the true mean dose of each organ. Only where the truth is known."""
    return rescaled_pet(case, {organ: case.mass_mean(true_gy_per_gbq, organ) for organ in case.organs})


def projected(case: PetCase, organs: tuple[OrganDose, ...], method: str, text: str) -> PredictedDose:
    """The map of given organ doses, with what is unlike or withheld said.

    The spread of a voxel is that of its organ's mean alone: how the dose is spread inside an organ is not in it.
    """
    known = {o.name: o.mean_gy_per_gbq for o in organs if o.mean_gy_per_gbq is not None}
    warnings = tuple(
        f"{o.name}: {'withheld' if o.withheld else 'marked'}, unlike the patients known ({'; '.join(o.unlike)})"
        for o in organs
        if o.unlike
    )
    dose = rescaled_pet(case, known)
    spread = np.zeros_like(dose)
    for organ in organs:
        if organ.mean_gy_per_gbq and organ.low_gy_per_gbq is not None and organ.high_gy_per_gbq is not None:
            relative = (organ.high_gy_per_gbq - organ.low_gy_per_gbq) / (2.0 * 1.96 * organ.mean_gy_per_gbq)
            inside = case.organs[organ.name]
            spread[inside] = np.float32(relative) * dose[inside]
    return PredictedDose(
        method=method,
        map_gy_per_gbq=case.pet.with_voxels(dose, "Gy/GBq"),
        organs=organs,
        text=f"PET rescaled per organ to its predicted mean dose: {text}.",
        warnings=warnings,
        spread=case.pet.with_voxels(spread, "Gy/GBq"),
    )


def trained_text(regressor: OrganRegressor) -> str:
    """For whom a regressor holds, in a few words."""
    on = regressor.trained_on
    kinds = ", ".join(str(kind) for kind in on.get("kinds", []))
    return f"learnt from {on.get('patients')} virtual patients ({kinds}), {regressor.tracer} to {regressor.agent}"
