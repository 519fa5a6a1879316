"""Where the decays of one patient happen: uptake and clearance drawn, spread over tissues, seen through a SPECT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.learning.cohort_body import BONES, BREAST_GLAND, CORE, FLUID, PaintedBody
from RPTDosimetryLib.learning.cohort_ct import block_mean
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.virtual_patient.appearance import smooth_noise
from RPTDosimetryLib.virtual_patient.kinetics import (
    LESION_HALF_LIFE_H,
    NUCLIDE,
    REFERENCE_UPTAKE,
    UptakeParameters,
)
from RPTDosimetryLib.virtual_patient.tissues import LOOKS, Tissue

FWHM_PER_SIGMA: Final = 2.0 * np.sqrt(2.0 * np.log(2.0))
CYCLE_BQ: Final = 7.4e9
#: 1 σ of the logarithm of uptake and of effective half-life; kidneys get 0.4 to 0.9 Gy/GBq (2.5 % to 97.5 %).
UPTAKE_SPREAD: Final[Mapping[str, float]] = {
    "kidney_left": 0.20, "kidney_right": 0.20, "liver": 0.35, "spleen": 0.40, "bone_marrow": 0.35, "bladder": 0.5,
    "remainder": 0.25,
}  # fmt: skip
HALF_LIFE_SPREAD: Final = 0.12
#: Uptake of the kidneys against kinetics.py, so that cohorts centre on 0.6 Gy/GBq.
KIDNEY_FACTOR: Final = 1.9
#: Median fraction of A0 per mL of lesion: 3.4 Gy/GBq at 77 h (kinetics.py); the factor drawn has 1 σ of 0.6 in its log.
LESION_FRACTION_PER_ML: Final = 3.2e-4
#: Tumours take no more of A0 than this all together, and organs lose as large a share of theirs (tumour sink effect,
#: Beauregard et al., Cancer Imaging 12 (2012) 297).
MOST_IN_LESIONS: Final = 0.45
#: Masses over which remainder and marrow of the reference adult are spread [mL]; ICRP 89: active marrow 1170 g, here
#: with the inactive marrow and trabeculae of the same spongiosa.
REMAINDER_ML: Final = 70_000.0
MARROW_ML: Final = 2_600.0
MEDULLA: Final = 0.6
CORE_UPTAKE: Final = 0.12
#: Below this share of the highest voxel there is no activity worth a history.
FAINTEST: Final = 1e-7


@dataclass(frozen=True)
class SpectDraw:
    """How the map is seen. sharp: not at all, the true activity. counts: effective ones of the whole map, which make
    the noise; postfilter_fwhm_mm is the part of the resolution applied after it.
    """

    sharp: bool
    fwhm_mm: float
    postfilter_fwhm_mm: float
    counts: float


@dataclass(frozen=True)
class ActivityDraw:
    """administered_activity_bq over all cycles; uptake by region of REFERENCE_UPTAKE; heterogeneity: 1 σ of the log."""

    administered_activity_bq: float
    uptake: Mapping[str, UptakeParameters]
    lesion_half_life_h: float
    heterogeneity: float
    heterogeneity_grain_mm: float
    lung_weight: float
    spect: SpectDraw


def draw_activity(rng: np.random.Generator) -> ActivityDraw:
    """Uptake, clearance and imaging of one patient, with one to eight cycles of 7.4 GBq."""
    uptake = {}
    for name, reference in REFERENCE_UPTAKE.items():
        amount = float(np.exp(rng.normal(0.0, UPTAKE_SPREAD[name]))) * (KIDNEY_FACTOR if "kidney" in name else 1.0)
        half_life_h = min(reference.half_life_h * float(np.exp(rng.normal(0.0, HALF_LIFE_SPREAD))), 120.0)
        uptake[name] = UptakeParameters(
            reference.fraction * amount, half_life_h, reference.uptake_half_time_h,
            reference.fast_fraction * amount, reference.fast_half_life_h,
        )  # fmt: skip
    fwhm_mm = float(rng.uniform(8, 14))
    return ActivityDraw(
        administered_activity_bq=CYCLE_BQ * int(rng.integers(1, 9)),
        uptake=uptake,
        lesion_half_life_h=float(np.clip(LESION_HALF_LIFE_H * np.exp(rng.normal(0.0, 0.2)), 40, 130)),
        heterogeneity=float(rng.uniform(0.08, 0.30)),
        heterogeneity_grain_mm=float(rng.uniform(7, 16)),
        lung_weight=float(rng.uniform(0.5, 1.3)),
        spect=SpectDraw(
            bool(rng.random() < 0.2),
            fwhm_mm,
            float(rng.uniform(0.4, 0.8)) * fwhm_mm,
            10.0 ** float(rng.uniform(5.7, 7.0)),
        ),
    )


def tia_of(painted: PaintedBody, draw: ActivityDraw, rng: np.random.Generator) -> NDArray[np.float32]:
    """Ã per voxel [Bq·s] float32 (z, y, x) as a quantitative SPECT series gives it; none outside the body.

    Raises KineticsError when more decays came out than the administered activity has.
    """
    labels = painted.labels
    table = _concentrations(painted, draw)
    field = np.exp(np.float32(draw.heterogeneity) * smooth_noise(painted.grid, draw.heterogeneity_grain_mm, rng))
    tia = block_mean(table[labels]) * field * np.float32(painted.grid.voxel_volume_ml)
    tia = seen_by_spect(tia.astype(np.float64), painted.grid, draw.spect, rng)
    body = block_mean((labels != Tissue.OUTSIDE).astype(np.float32)) > 0.5
    tia = np.where(body, tia, 0.0)
    tia[tia < FAINTEST * tia.max()] = 0.0
    most = draw.administered_activity_bq * nuclide(NUCLIDE).half_life_s / np.log(2.0)
    if tia.sum(dtype=np.float64) > most:
        raise KineticsError(f"A virtual patient got {tia.sum():.3g} decays of at most {most:.3g}: lower its uptake.")
    return tia.astype(np.float32)


def seen_by_spect(
    tia: NDArray[np.float64], grid: Grid, spect: SpectDraw, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Blurred, Poisson noise of the effective counts, post-filtered, so that the noise has the filter's grain."""
    if spect.sharp:
        return tia
    before_mm = float(np.sqrt(spect.fwhm_mm**2 - spect.postfilter_fwhm_mm**2))
    per_decay = spect.counts / tia.sum()
    noisy = rng.poisson(_blurred(tia, grid, before_mm) * per_decay) / per_decay
    return _blurred(noisy, grid, spect.postfilter_fwhm_mm)


def _blurred(tia: NDArray[np.float64], grid: Grid, fwhm_mm: float) -> NDArray[np.float64]:
    sigma = [fwhm_mm / FWHM_PER_SIGMA / s for s in grid.spacing_mm[::-1]]
    return np.asarray(ndimage.gaussian_filter(tia, sigma, mode="constant", truncate=5.0))


def _concentrations(painted: PaintedBody, draw: ActivityDraw) -> NDArray[np.float32]:
    """Ã per mL [Bq·s/mL] of each label; organs cut by the field of view keep the concentration of the whole."""
    a0, uptake = draw.administered_activity_bq, draw.uptake
    volume_ml = np.bincount(painted.labels.ravel(), minlength=256) * painted.grid.refined(2).voxel_volume_ml
    fraction = {
        number: LESION_FRACTION_PER_ML * lesion.uptake * lesion.volume_ml for number, lesion in painted.lesions.items()
    }
    lesions = min(MOST_IN_LESIONS / max(sum(fraction.values()), MOST_IN_LESIONS), 1.0)
    sink = 1.0 - min(sum(fraction.values()) * lesions, MOST_IN_LESIONS)
    table = np.zeros(256, dtype=np.float64)
    remainder = a0 * sink * uptake["remainder"].kinetics().tia_coefficient_s / REMAINDER_ML
    for tissue, look in LOOKS.items():
        table[tissue] = remainder * look.remainder
    table[[BREAST_GLAND, FLUID]] = remainder, 0.4 * remainder
    table[Tissue.LUNG] *= draw.lung_weight
    marrow = a0 * sink * uptake["bone_marrow"].kinetics().tia_coefficient_s / MARROW_ML
    table[list(BONES[1:])] = marrow
    for name, weights in _organs(volume_ml).items():
        spread_ml = sum(weight * volume for weight, volume in weights.values())
        if spread_ml > 0:
            for label, (weight, _) in weights.items():
                table[label] = a0 * sink * uptake[name].kinetics().tia_coefficient_s * weight / spread_ml
    for number, lesion in painted.lesions.items():
        curve = UptakeParameters(fraction[number] * lesions, draw.lesion_half_life_h, 1.0).kinetics()
        here = a0 * curve.tia_coefficient_s / lesion.volume_ml
        core = volume_ml[CORE + number] / lesion.volume_ml
        table[Tissue.LESION + number] = here / (1.0 - core * (1.0 - CORE_UPTAKE))
        table[CORE + number] = CORE_UPTAKE * table[Tissue.LESION + number]
    return table.astype(np.float32)


#: Smallest volumes over which an organ's uptake is spread [mL]: what a field of view cuts off holds its share too.
WHOLE_ML: Final[Mapping[str, float]] = {
    "liver": 1200.0,
    "spleen": 110.0,
    "kidney_left": 120.0,
    "kidney_right": 120.0,
    "bladder": 130.0,
}


def _organs(volume_ml: NDArray[np.floating]) -> dict[str, dict[int, tuple[float, float]]]:
    """Labels of each organ with (relative uptake per mL, volume)."""
    labels: dict[str, dict[int, float]] = {
        "liver": {Tissue.LIVER: 1.0},
        "spleen": {Tissue.SPLEEN: 1.0},
        "kidney_left": {Tissue.KIDNEY_LEFT_CORTEX: 1.0, Tissue.KIDNEY_LEFT_MEDULLA: MEDULLA},
        "kidney_right": {Tissue.KIDNEY_RIGHT_CORTEX: 1.0, Tissue.KIDNEY_RIGHT_MEDULLA: MEDULLA},
        "bladder": {Tissue.BLADDER: 1.0},
    }
    found = {}
    for name, weights in labels.items():
        inside = sum(float(volume_ml[label]) for label in weights)
        missing = max(WHOLE_ML[name] / inside, 1.0) if inside > 0 else 1.0
        found[name] = {int(label): (weight, float(volume_ml[label]) * missing) for label, weight in weights.items()}
    return found
