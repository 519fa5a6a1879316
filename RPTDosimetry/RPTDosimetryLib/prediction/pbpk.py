"""The rival: each organ's dose from its PET uptake with the kinetics of the population, nothing learnt.

The measured SUV fixes the organ's K1 of the tracer; the agent's K1 is that times the population's ratio of both, its
other rates are the population's, and the integral to infinity is the closed form of compartments.py.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from RPTDosimetryLib.prediction.compartments import tissue_integral_suv_min, tissue_suv
from RPTDosimetryLib.prediction.organ_regressor import require_known
from RPTDosimetryLib.prediction.pet_case import OrganDose, PetCase, PredictedDose
from RPTDosimetryLib.prediction.projection import projected
from RPTDosimetryLib.prediction.psma_kinetics import (
    AGENT,
    PLASMA,
    TRACER,
    agent_rates,
    gy_per_suv_min,
    lu_177,
    organ_kinetics,
    tracer_rates,
)

#: The curve of an organ that is predicted as one.
CURVE_OF: Final = {"kidneys": "kidney"}
#: 1 σ of an effective half-life among patients, relative: that of the virtual patients' k4.
HALF_LIFE_SPREAD: Final = 0.12


def predict_by_population(case: PetCase) -> PredictedDose:
    """Organ doses by population kinetics, spread inside the organs as the PET is.

    Raises PredictionError: another tracer or agent, an organ without population kinetics.
    """
    require_known(case, TRACER, AGENT)
    organs = tuple(_organ(case, name) for name in case.organs)
    return projected(case, organs, "pbpk", f"organ doses by population kinetics of {TRACER} and {AGENT}")


def population_dose_gy_per_gbq(organ: str, suv: float, scan_time_min: float, weight_kg: float, density: float) -> float:
    """Self dose of an organ of mean uptake ``suv`` [Gy/GBq]; uptake below that of its blood counts as blood alone."""
    curve = CURVE_OF.get(organ, organ)
    tracer, agent = tracer_rates(curve), agent_rates(curve)
    blood = float(tissue_suv(scan_time_min, PLASMA, replace(tracer, k1_ml_per_ml_min=0.0)))
    population = float(tissue_suv(scan_time_min, PLASMA, tracer))
    factor = max(suv - blood, 0.0) / (population - blood)
    own = replace(agent, k1_ml_per_ml_min=agent.k1_ml_per_ml_min * factor)
    return gy_per_suv_min(weight_kg, density) * float(tissue_integral_suv_min(lu_177()[0], PLASMA, own))


def _organ(case: PetCase, name: str) -> OrganDose:
    density = case.mass_mean(case.density_g_per_cm3, name)
    suv = case.mass_mean(case.pet.voxels, name)
    dose = population_dose_gy_per_gbq(name, suv, case.scan_time_min, case.weight_kg, density)
    spread = math.hypot(organ_kinetics(CURVE_OF.get(name, name)).ratio_spread, HALF_LIFE_SPREAD)
    return OrganDose(name, dose, dose * math.exp(-1.96 * spread), dose * math.exp(1.96 * spread))
