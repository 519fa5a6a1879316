"""Population kinetics of [68Ga]Ga-PSMA-11 and [177Lu]Lu-PSMA-617: rates that give published uptake and dose per organ.

What is published per organ is the SUV an hour after injection, the absorbed dose per activity and the effective
half-life; K1 and k4 of both agents follow from these by the closed forms of compartments.py, k2 and k3 are choices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.prediction.compartments import (
    PlasmaInput,
    Rates,
    k4_for_half_life,
    tissue_integral_suv_min,
    tissue_suv,
)
from RPTDosimetryLib.units import S_PER_H

TRACER: Final = "[68Ga]Ga-PSMA-11"
TRACER_NUCLIDE: Final = "Ga-68"
AGENT: Final = "[177Lu]Lu-PSMA-617"
AGENT_NUCLIDE: Final = "Lu-177"
#: The usual time of a [68Ga]Ga-PSMA-11 scan after injection [min] (EANM/SNMMI guideline 2023, doi
#: 10.1007/s00259-022-06089-w).
SCAN_TIME_MIN: Final = 60.0
#: Published doses per activity are those of patients of ordinary weight [kg].
REFERENCE_WEIGHT_KG: Final = 70.0
J_PER_KEV: Final = 1.602176634e-16
#: Plasma is 3,000 mL of a man of 73 kg and 5,300 mL of blood (ICRP 89, 2002): SUV of plasma at once, 73,000/3,000.
_PLASMA_SUV: Final = 73.0e3 / 3.0e3
#: Half-lives of 0.16 and 10.8 h: distribution and elimination of [177Lu]Lu-PSMA-617 in blood (Mol Imaging Radionucl
#: Ther 2017;26:62, doi 10.4274/mirt.08760). The term between them and the shares are choices that give a blood pool of
#: SUV 1.5 to 2 an hour after injection and about 0.015 Gy/GBq in blood. The tracer is given the same curve.
PLASMA: Final = PlasmaInput(
    ((0.80 * _PLASMA_SUV, 9.6), (0.17 * _PLASMA_SUV, 72.0), (0.03 * _PLASMA_SUV, 648.0)), 3.0 / 5.3
)


@dataclass(frozen=True)
class OrganKinetics:
    """One organ in published numbers, mean and relative spread (1 σ) among patients, and choices for the rest.

    suv: [68Ga]Ga-PSMA-11 at 60 min; gy_per_gbq: self dose of [177Lu]Lu-PSMA-617; half_life_h: effective, Lu-177;
    ratio_spread: how much more dose per uptake varies than uptake itself. k2, k3 [1/min]; density [g/cm³]. own_way: how
    much more than in other organs the agent's voxels go their own way (chosen for the published correlations of PET and
    dose in an organ: kidneys 0.77, liver 0.50, spleen 0.58, Xue et al. 2024).
    """

    suv: float
    suv_spread: float
    gy_per_gbq: float
    ratio_spread: float
    half_life_h: float
    k2_per_min: float = 0.30
    k3_per_min: float = 0.15
    blood_fraction: float = 0.05
    density_g_per_cm3: float = 1.05
    own_way: float = 1.0


#: SUV: means of about 0.6 of the SUVmax 66 ± 25 (kidneys), 8.2 ± 2.5 (liver), 10.9 ± 3.9 (spleen), 17.6 ± 8.9
#: (duodenum; the bowel as a whole less) of 55 patients (Clin Nucl Med 2017;42, "Practical interpretation hurdles in
#: 68Ga-PSMA PET/CT"). Gy/GBq: kidneys 4.04 Gy per cycle of 7.4 GBq, pooled over 17 studies (Ells et al. 2024, J Nucl
#: Med 65:1264, whose abstract prints it as Gy/GBq, ten times any single study); liver 0.10, spleen 0.06, bone lesions
#: 5.3, others 3.9 (Violet et al. 2019, J Nucl Med 60:517); marrow 0.030 (doi 10.4274/mirt.08760). Effective half-lives:
#: kidneys 35.5, liver 22.9, spleen 16.8, marrow 32.0, lungs 15.1 h, 20 patients (AAPM 2026, "Normal-organ effective
#: half-lives for 177Lu-PSMA"). Every other number, k2 and k3 (spans of dynamic PSMA PET, EJNMMI Res 2023, doi
#: 10.1186/s13550-023-01066-2) and all ratio spreads are choices of ordinary size.
POPULATION: Final[Mapping[str, OrganKinetics]] = {
    "rest_of_body": OrganKinetics(0.5, 0.20, 0.012, 0.15, 20.0, 0.40, 0.01, 0.03),
    "lungs": OrganKinetics(0.5, 0.20, 0.012, 0.15, 15.1, 0.40, 0.01, 0.10, 0.30),
    "heart": OrganKinetics(1.5, 0.20, 0.020, 0.10, 15.0, 0.40, 0.01, 0.50),
    "liver": OrganKinetics(5.0, 0.25, 0.10, 0.20, 22.9, 0.35, 0.08, 0.10, own_way=2.5),
    "spleen": OrganKinetics(6.5, 0.36, 0.06, 0.25, 16.8, 0.30, 0.10, 0.10, own_way=2.5),
    "kidney": OrganKinetics(40.0, 0.35, 0.55, 0.20, 35.5, 0.30, 0.25, 0.10),
    "pancreas": OrganKinetics(2.5, 0.25, 0.04, 0.20, 22.0, 0.35, 0.05, 0.05),
    "bowel": OrganKinetics(5.0, 0.40, 0.08, 0.25, 25.0, 0.35, 0.10, 0.04),
    "bladder": OrganKinetics(20.0, 0.50, 0.20, 0.40, 12.0, 0.30, 0.30, 0.00),
    "bone": OrganKinetics(0.6, 0.20, 0.020, 0.15, 32.0, 0.40, 0.02, 0.03, 1.4),
    "marrow": OrganKinetics(0.9, 0.20, 0.030, 0.15, 32.0, 0.40, 0.03, 0.06, 1.1),
    "lesion_bone": OrganKinetics(18.0, 0.50, 5.3, 0.30, 55.0, 0.25, 0.15, 0.06, 1.2),
    "lesion_soft": OrganKinetics(15.0, 0.50, 3.9, 0.30, 50.0, 0.25, 0.15, 0.06),
}


@cache
def lu_177() -> tuple[float, float]:
    """(λ [1/min], energy that stays near [J per decay]: electrons of all kinds) of Lu-177."""
    lutetium = nuclide(AGENT_NUCLIDE)
    return lutetium.lambda_phys_per_s * 60.0, lutetium.mean_electron_kev * J_PER_KEV


def gy_per_suv_min(weight_kg: float, density_g_per_cm3: float, administered_activity_bq: float = 1e9) -> float:
    """Self dose of an integral of SUV [Gy/(SUV·min)]: A0/m·60·E/ρ, electrons absorbed where they arise."""
    joule = lu_177()[1]
    return administered_activity_bq / weight_kg * 60.0 * joule / density_g_per_cm3


@cache
def tracer_rates(organ: str) -> Rates:
    """Population mean of [68Ga]Ga-PSMA-11: K1 such that the SUV at 60 min is the published one."""
    known = organ_kinetics(organ)
    unit = _unit_rates(known)
    bare = replace(unit, blood_fraction=0.0)
    blood = known.blood_fraction * float(PLASMA.plasma_suv(SCAN_TIME_MIN)) * PLASMA.blood_per_plasma
    wanted = known.suv - blood
    return _scaled(
        unit, wanted / ((1.0 - known.blood_fraction) * float(tissue_suv(SCAN_TIME_MIN, PLASMA, bare))), organ
    )


@cache
def agent_rates(organ: str) -> Rates:
    """Population mean of [177Lu]Lu-PSMA-617: K1 such that the self dose per activity is the published one."""
    known = organ_kinetics(organ)
    unit, decay = _unit_rates(known), lu_177()[0]
    bare = replace(unit, blood_fraction=0.0)
    blood = known.blood_fraction * PLASMA.blood_per_plasma * PLASMA.integral_suv_min(decay)
    wanted = known.gy_per_gbq / gy_per_suv_min(REFERENCE_WEIGHT_KG, known.density_g_per_cm3) - blood
    k1 = wanted / ((1.0 - known.blood_fraction) * float(tissue_integral_suv_min(decay, PLASMA, bare)))
    return _scaled(unit, k1, organ)


def organ_kinetics(organ: str) -> OrganKinetics:
    """The published numbers of an organ. Raises PredictionError for one without."""
    if organ not in POPULATION:
        raise PredictionError(f"No population kinetics for {organ!r}. Known: {', '.join(POPULATION)}.")
    return POPULATION[organ]


def _unit_rates(known: OrganKinetics) -> Rates:
    """Rates with K1 = 1 whose slow part leaves with the biological half-life."""
    decay_per_h = lu_177()[0] * S_PER_H / 60.0
    biological_h = 0.6931471805599453 / (0.6931471805599453 / known.half_life_h - decay_per_h)
    k4 = k4_for_half_life(biological_h * 60.0, known.k2_per_min, known.k3_per_min)
    return Rates(1.0, known.k2_per_min, known.k3_per_min, k4, known.blood_fraction)


def _scaled(unit: Rates, k1: float, organ: str) -> Rates:
    if not k1 > 0:
        raise PredictionError(
            f"{organ}: its blood alone holds more than the organ is published to. Lower the fraction."
        )
    return replace(unit, k1_ml_per_ml_min=k1)
