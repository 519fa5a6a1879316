"""How well methods predict held-out patients: one table for all, with the published figures beside it.

Each method is a function from a PetCase to a map [Gy/GBq]; others plug in by name. The truth of virtual patients is
their dose map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.evaluation.image_metrics import correlation, ssim_map
from RPTDosimetryLib.prediction.organ_regressor import OrganRegressor
from RPTDosimetryLib.prediction.pbpk import predict_by_population
from RPTDosimetryLib.prediction.pet_case import PetCase, case_of
from RPTDosimetryLib.prediction.projection import optimal_projection, predict_by_projection
from RPTDosimetryLib.prediction.theranostic_dataset import StoredPatient
from RPTDosimetryLib.records import Progress, silent

Method = Callable[[PetCase], NDArray[np.floating]]
WHOLE: Final = "whole body"
#: The method that is told the truth's mean doses, as a bound of all projections.
OPTIMUM: Final = "projection optimum"
#: Points at which two cumulative DVHs are compared, from 0 to the higher maximum.
DVH_POINTS: Final = 200
#: Voxels below this share of the true maximum have no relative error.
RELATIVE_FLOOR: Final = 0.01
#: Xue et al. 2024 (doi 10.1007/s00259-024-06737-3), patients of [177Lu]Lu-PSMA: by (method, organ, figure).
PUBLISHED: Final[Mapping[tuple[str, str, str], str]] = {
    ("gan", WHOLE, "nrmse_percent"): "1.7 ± 0.4",
    ("gan", WHOLE, "ssim"): "0.94 ± 0.03",
    ("gan", "kidneys", "nrmse_percent"): "0.8",
    ("gan", "kidneys", "mape_percent"): "10.8",
    ("projection", "kidneys", "mape_percent"): "17.6",
    ("gan", "kidneys", "dvh_r2"): "0.92",
    ("gan", "liver", "dvh_r2"): "0.74",
    ("gan", "spleen", "dvh_r2"): "0.50",
}
FIGURES: Final = ("nrmse_percent", "ssim", "mape_percent", "organ_error_percent", "slope", "r", "dvh_r2")


@dataclass(frozen=True)
class Judged:
    """One method, patient and region, predicted P against true T over the region's voxels.

    nrmse_percent = 100·√⟨(P − T)²⟩/max T of the map; ssim over windows of 7³ (whole body only); mape_percent =
    100·⟨|P − T|/T⟩ where T ≥ 1 % of the region's maximum; organ_error_percent = 100·|P̄ − T̄|/T̄; slope of P = slope·T;
    r Pearson's; dvh_r2 = 1 − Σ(p − t)²/Σ(t − t̄)² of cumulative DVHs. None where a figure does not exist.
    """

    method: str
    patient: str
    region: str
    nrmse_percent: float
    ssim: float | None
    mape_percent: float
    organ_error_percent: float
    slope: float
    r: float | None
    dvh_r2: float


@dataclass(frozen=True)
class TableRow:
    """Mean and standard deviation over patients of every figure, by method and region; published beside it."""

    method: str
    region: str
    patients: int
    mean: Mapping[str, float]
    spread: Mapping[str, float]
    published: Mapping[str, str]


def standard_methods(regressor: OrganRegressor) -> dict[str, Method]:
    """Projection and population kinetics by name; add others, such as a network's, under their own."""
    return {
        "projection": lambda case: predict_by_projection(case, regressor).map_gy_per_gbq.voxels,
        "pbpk": lambda case: predict_by_population(case).map_gy_per_gbq.voxels,
    }


def judge(
    patients: Sequence[StoredPatient], methods: Mapping[str, Method], progress: Progress = silent, optimum: bool = True
) -> list[Judged]:
    """Every method on every patient and region. Raises PredictionError for a map of another shape or not finite."""
    found = []
    for done, patient in enumerate(patients, start=1):
        case = case_of(patient)
        truth = patient.dose_gy.astype(np.float64) * (1e9 / patient.reference_activity_bq)
        maps = {name: method(case) for name, method in methods.items()}
        if optimum:
            maps[OPTIMUM] = optimal_projection(case, truth)
        for name, predicted in maps.items():
            if predicted.shape != truth.shape or not np.isfinite(predicted).all():
                raise PredictionError(f"{name} gave a map of {predicted.shape} or with values that are not numbers.")
            found += _regions(name, case, truth, predicted.astype(np.float64))
        progress(done / len(patients), f"Judging {patient.name}")
    return found


def table(judged: Sequence[Judged]) -> list[TableRow]:
    """One row for each method and region, in the order in which they come."""
    groups: dict[tuple[str, str], list[Judged]] = {}
    for one in judged:
        groups.setdefault((one.region, one.method), []).append(one)
    rows = []
    for (region, method), ones in groups.items():
        values = {f: [v for one in ones if (v := getattr(one, f)) is not None] for f in FIGURES}
        mean = {f: float(np.mean(v)) for f, v in values.items() if v}
        spread = {f: float(np.std(v, ddof=1)) if len(v) > 1 else 0.0 for f, v in values.items() if v}
        published = {f: text for (m, r, f), text in PUBLISHED.items() if (m, r) == (method, region)}
        rows.append(TableRow(method, region, len(ones), mean, spread, published))
    return rows


def table_markdown(rows: Sequence[TableRow]) -> str:
    """The table as Markdown, published figures in brackets."""
    head = ("region", "method", "n", "NRMSE %", "SSIM", "MAPE %", "organ error %", "slope", "r", "DVH R²")
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in sorted(rows, key=lambda row: row.region != WHOLE):
        cells = [row.region, row.method, str(row.patients), *(_cell(row, figure) for figure in FIGURES)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def dvh_r2(truth: NDArray[np.floating], predicted: NDArray[np.floating]) -> float:
    """Coefficient of determination of the predicted cumulative DVH, at 200 doses from 0 to the higher maximum."""
    doses = np.linspace(0.0, max(float(truth.max()), float(predicted.max())), DVH_POINTS)
    true, other = (1.0 - np.searchsorted(np.sort(v), doses, side="left") / v.size for v in (truth, predicted))
    return float(1.0 - np.sum((other - true) ** 2) / np.sum((true - true.mean()) ** 2))


def _regions(method: str, case: PetCase, truth: NDArray[Any], predicted: NDArray[Any]) -> list[Judged]:
    body = np.any(list(case.organs.values()), axis=0) & case.tissue
    top = float(truth.max())
    local = ssim_map(truth, predicted, top)
    regions = {WHOLE: body, **{name: mask & case.tissue for name, mask in case.organs.items()}}
    return [
        _judged(
            method, case.name, name, (truth[mask], predicted[mask]), top, _ssim(local, mask) if name == WHOLE else None
        )
        for name, mask in regions.items()
        if mask.any()
    ]


def _judged(
    method: str, patient: str, region: str, maps: tuple[NDArray[Any], NDArray[Any]], top: float, ssim: float | None
) -> Judged:
    truth, predicted = maps
    counted = truth >= RELATIVE_FLOOR * truth.max()
    return Judged(
        method=method,
        patient=patient,
        region=region,
        nrmse_percent=100.0 * float(np.sqrt(np.mean((predicted - truth) ** 2))) / top,
        ssim=ssim,
        mape_percent=100.0 * float(np.mean(np.abs(predicted - truth)[counted] / truth[counted])),
        organ_error_percent=100.0 * abs(float(predicted.mean() / truth.mean()) - 1.0),
        slope=float(predicted @ truth / (truth @ truth)),
        r=correlation(truth, predicted),
        dvh_r2=dvh_r2(truth, predicted),
    )


def _ssim(local: NDArray[np.float64] | None, mask: NDArray[np.bool_]) -> float | None:
    return None if local is None else float(local[mask].mean())


def _cell(row: TableRow, figure: str) -> str:
    if figure not in row.mean:
        return "–"
    digits = 1 if figure.endswith("percent") else 2
    text = f"{row.mean[figure]:.{digits}f} ± {row.spread[figure]:.{digits}f}"
    return f"{text} [{row.published[figure]}]" if figure in row.published else text
