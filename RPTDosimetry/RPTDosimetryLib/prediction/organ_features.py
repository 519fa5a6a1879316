"""What a predictor is told of an organ's PET: uptake, its spread, the organ's size, and how the body's sinks stand."""

from __future__ import annotations

from typing import Final

import numpy as np

from RPTDosimetryLib.prediction.pet_case import PetCase
from RPTDosimetryLib.prediction.psma_kinetics import REFERENCE_WEIGHT_KG

#: Logarithms, so that a linear predictor of the logarithm of dose is a product of powers. uptake: SUV·70 kg/weight,
#: which is concentration per administered activity, as dose per activity is.
FEATURES: Final = ("ln_uptake", "ln_high", "variation", "ln_volume", "ln_kidneys", "ln_liver")
#: Below this nothing is told apart from noise [SUV at 70 kg].
LEAST_UPTAKE: Final = 0.01


def organ_features(case: PetCase, organ: str) -> dict[str, float]:
    """ln mean uptake, ln (90th percentile/mean), standard deviation/mean, ln volume [mL], ln uptake of the sinks.

    Raises PredictionError for an organ without tissue, or a PET without kidneys or liver.
    """
    inside = case.organs[organ] & case.tissue
    mean = case.mass_mean(case.pet.voxels, organ)
    suv = case.pet.voxels[inside].astype(np.float64)
    safe = max(mean, LEAST_UPTAKE)
    return {
        "ln_uptake": _ln_uptake(mean, case.weight_kg),
        "ln_high": float(np.log(max(np.percentile(suv, 90.0), LEAST_UPTAKE) / safe)),
        "variation": float(suv.std() / safe),
        "ln_volume": float(np.log(inside.sum() * case.pet.grid.voxel_volume_ml)),
        "ln_kidneys": _ln_uptake(case.mass_mean(case.pet.voxels, "kidneys"), case.weight_kg),
        "ln_liver": _ln_uptake(case.mass_mean(case.pet.voxels, "liver"), case.weight_kg),
    }


def _ln_uptake(suv: float, weight_kg: float) -> float:
    return float(np.log(max(suv * REFERENCE_WEIGHT_KG / weight_kg, LEAST_UPTAKE)))
