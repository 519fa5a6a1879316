"""Is this patient like those that a network was trained on? Features with their range in training, and a verdict.

A feature inside the central 95 % of training widened by a tenth of its range is inside; beyond the whole range of
training widened by a quarter it is outside; between them it is at the edge. Anatomy decides whether a network is used;
activity only warns, as the default network is linear in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Vector3

Verdict = Literal["inside", "edge", "outside"]
ORDER: Final[tuple[Verdict, ...]] = ("inside", "edge", "outside")
#: What is looked at, with its unit; True where it is anatomy.
FEATURES: Final[Mapping[str, tuple[str, bool]]] = {
    "voxel_mm": ("mean voxel side [mm]", True),
    "body_litres": ("volume of tissue [L]", True),
    "lung_share": ("share of tissue below 0.6 g/cm3", True),
    "fat_share": ("share of tissue from 0.9 to 0.98 g/cm3", True),
    "bone_share": ("share of tissue above 1.2 g/cm3", True),
    "soft_median_g_per_cm3": ("median density of soft tissue [g/cm3]", True),
    "highest_density_g_per_cm3": ("density of the densest 0.01 % of tissue [g/cm3]", True),
    "density_histogram_distance": ("distance of the density histogram from the mean of training", True),
    "air_activity_share": ("share of the decays in air", False),
    "lung_activity_share": ("share of the decays in tissue below 0.6 g/cm3", False),
    "hottest_percent_share": ("share of the decays in the hottest 1 % of tissue", False),
    "activity_variation": ("standard deviation of the activity over tissue, over its mean", False),
}
HISTOGRAM_EDGES: Final = (
    0.0,
    0.1,
    0.2,
    0.3,
    0.45,
    0.6,
    0.8,
    0.93,
    0.97,
    1.0,
    1.03,
    1.06,
    1.1,
    1.2,
    1.4,
    1.7,
    2.2,
    30.0,
)
#: A feature that hardly varies in training counts as varying by this share of itself.
NARROWEST: Final = 0.05
#: Thinner than that is lung; the ends of fat; bone.
LUNG, FAT, BONE = 0.6, (0.9, 0.98), 1.2


@dataclass(frozen=True)
class GuardAnswer:
    """The verdict on a patient and, for each feature that is not inside, why. fit_anatomy: may the network be used?"""

    verdict: Verdict
    reasons: tuple[str, ...]
    fit_anatomy: bool
    features: Mapping[str, float]


def features_of(
    density: NDArray[Any], tissue: NDArray[np.bool_], tia: NDArray[Any], spacing_mm: Vector3
) -> dict[str, float]:
    """All features but the histogram's distance, and the histogram's shares as histogram_0 …; arrays (z, y, x)."""
    rho = density[tissue].astype(np.float64)
    here = tia[tissue].astype(np.float64)
    total = float(tia.sum(dtype=np.float64))
    hot = np.sort(here)[-max(1, here.size // 100) :]
    soft = rho[(rho >= FAT[0]) & (rho <= BONE)]
    answer = {
        "voxel_mm": float(np.mean(spacing_mm)),
        "body_litres": rho.size * float(np.prod(spacing_mm)) * 1e-6,
        "lung_share": float(np.mean(rho < LUNG)),
        "fat_share": float(np.mean((rho >= FAT[0]) & (rho < FAT[1]))),
        "bone_share": float(np.mean(rho > BONE)),
        "soft_median_g_per_cm3": float(np.median(soft)) if soft.size else 0.0,
        "highest_density_g_per_cm3": float(np.quantile(rho, 0.9999)),
        "air_activity_share": 1.0 - float(here.sum()) / total,
        "lung_activity_share": float(here[rho < LUNG].sum()) / total,
        "hottest_percent_share": float(hot.sum()) / total,
        "activity_variation": float(here.std() / here.mean()) if here.any() else 0.0,
    }
    shares = np.histogram(rho, HISTOGRAM_EDGES)[0] / rho.size
    return {**answer, **{f"histogram_{bin_}": float(share) for bin_, share in enumerate(shares)}}


def guard_table(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """What a model card holds: for each feature its lowest, 2.5 %, 97.5 % and highest value in training."""
    bins = [key for key in rows[0] if key.startswith("histogram_")]
    mean = [float(np.mean([row[key] for row in rows])) for key in bins]
    full = [{**row, "density_histogram_distance": _distance(row, mean)} for row in rows]
    ranges = {}
    for name in FEATURES:
        values = np.array([row[name] for row in full])
        low, high = np.quantile(values, [0.025, 0.975])
        ranges[name] = [float(values.min()), float(low), float(high), float(values.max())]
    return {"patients": len(rows), "ranges": ranges, "mean_histogram": mean}


def joined_tables(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a network that went on from another's training: what either has seen, histograms by patients."""
    widest = (min, min, max, max)
    ranges = {
        name: [wider(pair) for wider, pair in zip(widest, zip(first["ranges"][name], row, strict=True), strict=True)]
        for name, row in second["ranges"].items()
    }
    counts = [first["patients"], second["patients"]]
    pairs = zip(first["mean_histogram"], second["mean_histogram"], strict=True)
    return {
        "patients": sum(counts), "ranges": ranges,
        "mean_histogram": [float(np.average(pair, weights=counts)) for pair in pairs],
    }  # fmt: skip


def guarded(features: Mapping[str, float], table: Mapping[str, Any]) -> GuardAnswer:
    """The verdict on features_of a patient against the table of a model card."""
    full = {**features, "density_histogram_distance": _distance(features, table["mean_histogram"])}
    verdicts: dict[str, Verdict] = {name: _verdict(full[name], table["ranges"][name]) for name in FEATURES}
    reasons = []
    for name, verdict in verdicts.items():
        if verdict != "inside":
            low, _, _, high = table["ranges"][name]
            where = "outside" if verdict == "outside" else "at the edge of"
            reasons.append(f"{FEATURES[name][0]} is {full[name]:.3g}, {where} training ({low:.3g} to {high:.3g})")
    fit = all(verdicts[name] != "outside" for name, (_, anatomy) in FEATURES.items() if anatomy)
    worst = max(verdicts.values(), key=ORDER.index)
    return GuardAnswer(worst, tuple(reasons), fit, {name: full[name] for name in FEATURES})


def _verdict(value: float, table: Sequence[float]) -> Verdict:
    lowest, low, high, highest = table
    width = max(highest - lowest, NARROWEST * abs(highest), 1e-3)
    if low - 0.1 * width <= value <= high + 0.1 * width:
        return "inside"
    return "edge" if lowest - 0.25 * width <= value <= highest + 0.25 * width else "outside"


def _distance(features: Mapping[str, float], mean: Sequence[float]) -> float:
    """Half the sum of absolute differences of shares: 0 alike, 1 nothing in common."""
    return 0.5 * sum(abs(features[f"histogram_{bin_}"] - share) for bin_, share in enumerate(mean))
