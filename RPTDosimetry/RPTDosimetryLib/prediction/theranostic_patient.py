"""One theranostic virtual patient: a PET of the tracer and the dose map of the therapy agent, of the same kinetics."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.dose.engine import DoseSettings, DoseTask
from RPTDosimetryLib.dose.voxel_s import multiple_voxel_s
from RPTDosimetryLib.physics.hounsfield import SCHNEIDER_2000, density_from_hu
from RPTDosimetryLib.physics.media import SCHNEIDER_8
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.prediction.compartments import Rates, tissue_integral_suv_min, tissue_suv
from RPTDosimetryLib.prediction.psma_kinetics import (
    AGENT_NUCLIDE,
    PLASMA,
    SCAN_TIME_MIN,
    agent_rates,
    organ_kinetics,
    tracer_rates,
)
from RPTDosimetryLib.prediction.theranostic_anatomy import CURVE_OF, TheranosticAnatomy
from RPTDosimetryLib.records import DoseMap, Image, PatientMap, TiaMap
from RPTDosimetryLib.virtual_patient.appearance import smooth_noise

FWHM_PER_SIGMA: Final = 2.3548200450309493
#: A voxel's parameter is drawn from a normal distribution cut off here: below it is no tissue, above it an outlier.
LOWEST_FACTOR, HIGHEST_FACTOR = 0.2, 3.0


@dataclass(frozen=True)
class KineticVariety:
    """How the kinetics vary inside an organ, and how far the agent follows the tracer.

    voxel: relative 1 σ of K1 and k3 of a voxel, grain_mm the grain of that field; rates: of k2 and k4. gradient:
    relative change of K1 from one end of an organ to the other. sub_tissue: K1 of the second sub-tissue is lower by
    that share. agent_sub_tissue: the agent's K1 of the second sub-tissue is higher (or lower, by the patient) by that
    much again, 0 keeps both agents proportional. agent_voxel: relative 1 σ of the agent's K1 that the tracer lacks.
    """

    voxel: float = 0.15
    grain_mm: float = 7.0
    rates: float = 0.05
    gradient: float = 0.25
    sub_tissue: float = 0.25
    agent_sub_tissue: float = 0.20
    agent_voxel: float = 0.12


@dataclass(frozen=True)
class PetAppearance:
    """Resolution (FWHM [mm]) and noise (relative 1 σ at SUV 1, falling with √SUV) of the PET on the common grid."""

    fwhm_mm: float = 6.0
    noise: float = 0.08


@dataclass(frozen=True)
class TheranosticPatient:
    """PET [SUV], TIA [Bq·s per voxel] and dose [Gy], both for reference_activity_bq of the agent, on one grid."""

    anatomy: TheranosticAnatomy
    pet_suv: NDArray[np.float32]
    tia: Image
    dose: DoseMap
    reference_activity_bq: float
    drawn: dict[str, Any]


def theranostic_patient(
    anatomy: TheranosticAnatomy,
    seed: int,
    variety: KineticVariety | None = None,
    pet: PetAppearance | None = None,
    reference_activity_bq: float = 1e9,
) -> TheranosticPatient:
    """Draw the kinetics of every voxel, look at the tracer at 60 min and integrate the agent; dose by msv8.

    TIA = A0/(1000·m)·60·V·∫SUV·e^(−λt)dt [Bq·s], m body weight [kg], V voxel volume [mL], the integral in min.
    """
    chosen, appearance = variety or KineticVariety(), pet or PetAppearance()
    organ_rng, voxel_rng, pet_rng = np.random.default_rng([seed, 2]).spawn(3)
    drawn = _draw_organs(anatomy, organ_rng)
    tracer, agent = _voxel_rates(anatomy, drawn, chosen, voxel_rng)
    inside = anatomy.labels > 0
    suv = np.zeros(anatomy.grid.shape_zyx, dtype=np.float32)
    suv[inside] = tissue_suv(SCAN_TIME_MIN, PLASMA, tracer)
    decay_per_min = nuclide(AGENT_NUCLIDE).lambda_phys_per_s * 60.0
    per_suv_min = reference_activity_bq / (1000.0 * anatomy.weight_kg) * 60.0 * anatomy.grid.voxel_volume_ml
    tia_bq_s = np.zeros_like(suv)
    tia_bq_s[inside] = per_suv_min * tissue_integral_suv_min(decay_per_min, PLASMA, agent)
    tia = Image(tia_bq_s, anatomy.grid, "Bq·s")
    dose = _dose_by_msv8(TiaMap(tia, "compartments", 0.0), _patient_map(anatomy))
    described = {"organs": drawn, "variety": asdict(chosen), "pet": asdict(appearance), "seed": seed}
    return TheranosticPatient(
        anatomy, pet_of(suv, anatomy, appearance, pet_rng), tia, dose, reference_activity_bq, described
    )


def pet_of(
    suv: NDArray[np.float32], anatomy: TheranosticAnatomy, appearance: PetAppearance, rng: np.random.Generator
) -> NDArray[np.float32]:
    """What a scanner shows of a distribution: blurred, with smooth noise whose σ grows with √SUV; never negative."""
    sigma = [appearance.fwhm_mm / FWHM_PER_SIGMA / mm for mm in anatomy.grid.spacing_mm[::-1]]
    seen = ndimage.gaussian_filter(suv, sigma)
    noise = smooth_noise(anatomy.grid, 0.6 * appearance.fwhm_mm, rng)
    return np.clip(seen + appearance.noise * np.sqrt(np.maximum(seen, 0.0)) * noise, 0.0, None).astype(np.float32)


def _patient_map(anatomy: TheranosticAnatomy) -> PatientMap:
    """As registration.patient_map does where CT and dose have one grid, without loading what moves images."""
    density = density_from_hu(anatomy.hu.voxels).astype(np.float32)
    medium = SCHNEIDER_8.media_from_hu(anatomy.hu.voxels)
    source = f"CT through HU curve {SCHNEIDER_2000.name}"
    return PatientMap(Image(density, anatomy.grid, "g/cm3"), medium, SCHNEIDER_8.name, source)


def _dose_by_msv8(tia: TiaMap, patient: PatientMap) -> DoseMap:
    """As compute_dose, which looks through all engines and so loads SimpleITK; machines for training may lack it."""
    result = multiple_voxel_s(DoseTask(tia, patient, AGENT_NUCLIDE, DoseSettings("msv8")))
    dose_gy = np.where(patient.medium > 0, result.dose_gy, np.float32(0.0)).astype(np.float32)
    return DoseMap(
        tia.image.with_voxels(dose_gy, "Gy"), "msv8", result.method, AGENT_NUCLIDE, warnings=tuple(result.warnings)
    )


def _draw_organs(anatomy: TheranosticAnatomy, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Factors of one patient, by curve: uptake of both agents, dose per uptake, speed of leaving, sense of the agent.

    Kidneys share one draw. Normal distributions, cut off at 0.2 and 3.
    """
    curves = sorted(
        {CURVE_OF.get(name, name) for name, label in anatomy.names.items() if (anatomy.labels == label).any()}
    )
    drawn = {}
    for curve in curves:
        known = organ_kinetics(curve)
        uptake, ratio, speed = rng.normal(1.0, [known.suv_spread, known.ratio_spread, 0.12])
        direction = rng.normal(size=3)
        drawn[curve] = {
            "uptake": float(np.clip(uptake, LOWEST_FACTOR, HIGHEST_FACTOR)),
            "agent_per_tracer": float(np.clip(ratio, LOWEST_FACTOR, HIGHEST_FACTOR)),
            "k4": float(np.clip(speed, LOWEST_FACTOR, HIGHEST_FACTOR)),
            "sense": float(rng.choice([-1.0, 1.0])),
            **{
                f"gradient_{axis}": float(v)
                for axis, v in zip("xyz", direction / np.linalg.norm(direction), strict=True)
            },
        }
    return drawn


def _voxel_rates(
    anatomy: TheranosticAnatomy, drawn: dict[str, dict[str, float]], variety: KineticVariety, rng: np.random.Generator
) -> tuple[Rates, Rates]:
    """Rates of tracer and agent in every voxel of the body, flat, in the order of the labels' mask."""
    inside = anatomy.labels > 0
    spreads = (variety.voxel, variety.rates, variety.voxel, variety.rates, variety.agent_voxel)
    fields = [_voxel_factors(anatomy, spread, variety.grain_mm, rng)[inside] for spread in spreads]
    tracer = np.zeros((5, int(inside.sum())), dtype=np.float32)
    agent = np.zeros_like(tracer)
    flat_labels, second = anatomy.labels[inside], anatomy.second[inside]
    xyz_mm = np.argwhere(inside)[:, ::-1] * np.asarray(anatomy.grid.spacing_mm)
    for name, label in anatomy.names.items():
        here = flat_labels == label
        if not here.any():
            continue
        curve = CURVE_OF.get(name, name)
        organ = drawn[curve]
        shape = 1.0 + variety.gradient * _along(xyz_mm[here], organ)
        shape *= np.where(second[here], 1.0 - variety.sub_tissue, 1.0)
        follows = np.where(second[here], 1.0 + organ["sense"] * variety.agent_sub_tissue, 1.0)
        follows *= np.clip(1.0 + organ_kinetics(curve).own_way * (fields[4][here] - 1.0), LOWEST_FACTOR, HIGHEST_FACTOR)
        uptake = organ["uptake"] * shape * fields[0][here]
        for rates, into, factor in (
            (tracer_rates(curve), tracer, uptake),
            (agent_rates(curve), agent, uptake * organ["agent_per_tracer"] * follows),
        ):
            into[0, here] = rates.k1_ml_per_ml_min * factor
            into[1, here] = rates.k2_per_min * fields[1][here]
            into[2, here] = rates.k3_per_min * fields[2][here]
            into[3, here] = rates.k4_per_min * organ["k4"] * fields[3][here]
            into[4, here] = rates.blood_fraction
    return Rates(*tracer), Rates(*agent)


def _voxel_factors(
    anatomy: TheranosticAnatomy, spread: float, grain_mm: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A smooth field of normally distributed factors of mean 1."""
    field = 1.0 + spread * smooth_noise(anatomy.grid, grain_mm, rng)
    return np.clip(field, LOWEST_FACTOR, HIGHEST_FACTOR).astype(np.float32)


def _along(xyz_mm: NDArray[np.float64], organ: dict[str, float]) -> NDArray[np.float64]:
    """Where each voxel lies along the organ's gradient: -½ at one end, ½ at the other; 0 in an organ of one voxel."""
    along = xyz_mm @ np.array([organ[f"gradient_{axis}"] for axis in "xyz"])
    length = float(np.ptp(along))
    return np.asarray((along - along.min()) / length - 0.5 if length > 0 else np.zeros_like(along))
