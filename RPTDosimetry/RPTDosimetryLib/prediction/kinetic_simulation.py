"""The published simulation of what a PET can tell of a dose: voxels of one organ, two sub-tissues, no image in between.

Xue et al. 2024 (doi 10.1007/s00259-024-06737-3): PET uptake against dose, the dose being the voxel's own
time-integrated activity times one S value. Three cases: the agent's kinetics proportional to the tracer's (r ≈ 0.99),
proportional in each of two sub-tissues with another factor (two clusters, r ≈ 0.96 each), and with a variety of their
own (r ≈ 0.40). Their means and spreads are not at hand: those below are this project's, chosen to show the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.evaluation.image_metrics import correlation
from RPTDosimetryLib.prediction.compartments import Rates, tissue_integral_suv_min, tissue_suv
from RPTDosimetryLib.prediction.psma_kinetics import (
    PLASMA,
    REFERENCE_WEIGHT_KG,
    SCAN_TIME_MIN,
    agent_rates,
    lu_177,
    tracer_rates,
)
from RPTDosimetryLib.prediction.theranostic_anatomy import COMMON_SPACING_MM

Case = Literal["proportional", "two_clusters", "own_variety"]
CASES: Final[tuple[Case, ...]] = ("proportional", "two_clusters", "own_variety")
#: What the paper reports for each case (the second of each cluster).
PUBLISHED_R: Final[dict[Case, float]] = {"proportional": 0.99, "two_clusters": 0.96, "own_variety": 0.40}
#: Relative 1 σ of the agent's rates that the tracer does not share.
OWN_SPREAD: Final[dict[Case, float]] = {"proportional": 0.0, "two_clusters": 0.02, "own_variety": 0.25}
#: S of a voxel for its own activity. Published as 2.2e-4 mGy/(MBq·s); for voxels of 4.8 mm the electrons of Lu-177 give
#: 0.19 mGy/(MBq·s) = 1.9e-4 Gy/(MBq·s), so it is read as Gy. r does not depend on it.
S_GY_PER_MBQ_S: Final = 2.2e-4


@dataclass(frozen=True)
class SimulatedVoxels:
    """PET [SUV] and dose [Gy/GBq] of voxels; second: which belong to the second sub-tissue. r: of all, then of each."""

    case: Case
    suv: NDArray[np.float64]
    dose_gy: NDArray[np.float64]
    second: NDArray[np.bool_]
    r: float
    r_each: tuple[float, float]


def simulate_voxels(case: Case, voxels: int = 4000, seed: int = 1, organ: str = "kidney") -> SimulatedVoxels:
    """Draw the rates of voxels of an organ, half of them of each sub-tissue, and look at tracer and agent.

    K1, k2, k3, k4 of the tracer: normal, 1 σ of 15, 5, 15 and 2.5 %, a gradient of K1 of ±20 %; the second sub-tissue
    takes up 40 % less. The agent: these times its own factor (proportional); in the second sub-tissue 1.9 times that
    (two_clusters); or with rates that vary on their own by OWN_SPREAD (own_variety).
    """
    if case not in CASES:
        raise PredictionError(f"No simulation {case!r}: choose one of {', '.join(CASES)}.")
    rng = np.random.default_rng([seed, CASES.index(case)])
    second = np.arange(voxels) >= voxels // 2
    shared = _normal(rng, (0.15, 0.05, 0.15, 0.025), voxels)
    shared[0] *= (1.0 + 0.2 * rng.uniform(-1.0, 1.0, voxels)) * np.where(second, 0.6, 1.0)
    own = _normal(rng, (OWN_SPREAD[case],) * 4, voxels)
    if case == "own_variety":
        shared[0] = np.where(second, shared[0] / 0.6, shared[0])
    factor = np.where(second, 1.9 if case == "two_clusters" else 1.0, 1.0)
    suv = tissue_suv(SCAN_TIME_MIN, PLASMA, _times(tracer_rates(organ), shared))
    agent = _times(agent_rates(organ), shared * own * np.array([factor, *np.ones((3, voxels))]))
    integral = tissue_integral_suv_min(lu_177()[0], PLASMA, agent)
    mbq_s = 1e3 / (1000.0 * REFERENCE_WEIGHT_KG) * 60.0 * (COMMON_SPACING_MM / 10.0) ** 3 * integral
    dose_gy = S_GY_PER_MBQ_S * mbq_s
    each = [_r(suv[part], dose_gy[part]) for part in (~second, second)]
    return SimulatedVoxels(case, suv, dose_gy, second, _r(suv, dose_gy), (each[0], each[1]))


def _normal(rng: np.random.Generator, spread: tuple[float, ...], voxels: int) -> NDArray[np.float64]:
    return np.clip(rng.normal(1.0, np.asarray(spread)[:, None], (len(spread), voxels)), 0.1, None)


def _times(rates: Rates, factor: NDArray[np.float64]) -> Rates:
    return Rates(
        rates.k1_ml_per_ml_min * factor[0],
        rates.k2_per_min * factor[1],
        rates.k3_per_min * factor[2],
        rates.k4_per_min * factor[3],
        rates.blood_fraction,
    )


def _r(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    found = correlation(first, second)
    if found is None:
        raise PredictionError("The simulated voxels do not vary: draw more of them.")
    return found
