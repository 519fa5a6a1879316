"""What a comparison of a cohort found: rows of cases and volumes, and their summary as plain numbers for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from RPTDosimetryLib.evaluation.agreement import bland_altman
from RPTDosimetryLib.evaluation.cohort_statistics import (
    FEWEST_PAIRS,
    PairedTest,
    Spread,
    paired_test,
    patient_means,
    spread_of,
)
from RPTDosimetryLib.evaluation.compare_answer import conventions
from RPTDosimetryLib.evaluation.voxel_spread import VoxelSpread


@dataclass(frozen=True)
class CaseRow:
    """One method of one case against its reference; figures as VoxelMetrics. gamma: pass rates [%], γ ≤ 1.

    gamma_all: of all voxels that count, as Mansouri et al. 2024; gamma_cutoff: of those from the cut-off on; lesions:
    of the voxels in any lesion. rms_beyond_noise: the relative error that the reference's standard error does not
    explain, where that is given. None where nothing was judged.
    """

    patient: str
    cycle: str
    method: str
    voxels: int
    me_gy: float
    mae_gy: float
    mse_gy2: float
    rmse_gy: float
    psnr_db: float
    ssim: float | None
    relative_voxels: int
    re_percent: float | None
    rae_percent: float | None
    mape_percent: float | None
    correlation: float | None
    low_dose_correlation: float | None
    slope_origin: float | None
    slope_orthogonal: float | None
    gamma_all_percent: float | None
    gamma_all_judged: int
    gamma_cutoff_percent: float | None
    gamma_cutoff_judged: int
    gamma_lesions_all_percent: float | None
    gamma_lesions_cutoff_percent: float | None
    dta_mm: float
    seconds: float | None
    rms_beyond_noise_percent: float | None = None


@dataclass(frozen=True)
class VolumeRow:
    """One volume of one case and method; error of the mean as OrganAgreement, voxel figures within the volume."""

    patient: str
    cycle: str
    method: str
    group: str
    name: str
    kind: str
    volume_ml: float
    reference_mean_gy: float
    evaluated_mean_gy: float
    error_gy: float
    error_percent: float | None
    absolute_error_gy: float
    absolute_error_percent: float | None
    d98_error_percent: float | None
    d50_error_percent: float | None
    d2_error_percent: float | None
    reference_homogeneity_index: float | None
    evaluated_homogeneity_index: float | None
    dvh_r2: float | None
    mae_gy: float
    rmse_gy: float
    re_percent: float | None
    rae_percent: float | None
    mape_percent: float | None
    correlation: float | None
    slope_origin: float | None
    slope_orthogonal: float | None
    gamma_all_percent: float | None
    gamma_cutoff_percent: float | None
    rms_beyond_noise_percent: float | None = None

    @property
    def percent_of_both(self) -> float | None:
        """Difference in percent of the mean of both, as Bland–Altman plots have it."""
        both = 0.5 * (self.reference_mean_gy + self.evaluated_mean_gy)
        return 100.0 * self.error_gy / both if both > 0 else None


#: Figures of a case that are averaged, and those that are tested between methods.
CASE_FIGURES = (
    *("rae_percent", "re_percent", "mae_gy", "rmse_gy", "mse_gy2", "me_gy", "ssim", "psnr_db", "gamma_all_percent"),
    *("gamma_cutoff_percent", "gamma_lesions_all_percent", "gamma_lesions_cutoff_percent", "mape_percent"),
    *("correlation", "low_dose_correlation", "slope_origin", "slope_orthogonal", "seconds"),
    "rms_beyond_noise_percent",
)
TESTED = ("rae_percent", "mae_gy", "rmse_gy", "ssim", "psnr_db", "gamma_all_percent", "gamma_cutoff_percent")
#: Figures of a group of volumes that are averaged.
VOLUME_FIGURES = (
    *("error_percent", "absolute_error_percent", "error_gy", "absolute_error_gy", "rae_percent", "mape_percent"),
    *("correlation", "slope_origin", "dvh_r2", "gamma_all_percent", "gamma_cutoff_percent"),
    "rms_beyond_noise_percent",
)


@dataclass(frozen=True)
class CohortAnswer:
    """Every row in the order of the cases; pooled: the voxels of all cases, by method; settings as compared."""

    cases: tuple[CaseRow, ...]
    volumes: tuple[VolumeRow, ...]
    pooled: Mapping[str, VoxelSpread]
    settings: Any
    warnings: tuple[str, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        """Names in the order of their first appearance."""
        return tuple(dict.fromkeys(row.method for row in self.cases))

    @property
    def groups(self) -> tuple[str, ...]:
        """Organs and lesions in the order of their first appearance."""
        return tuple(dict.fromkeys(row.group for row in self.volumes))

    @property
    def patients(self) -> tuple[str, ...]:
        """Names in the order of their first appearance."""
        return tuple(dict.fromkeys(row.patient for row in self.cases))

    def of_cases(self, method: str, figure: str) -> list[tuple[str, float | None]]:
        """(patient, value) of a figure for each case that has the method."""
        return [(row.patient, getattr(row, figure)) for row in self.cases if row.method == method]

    def of_volumes(self, method: str, group: str, figure: str) -> list[tuple[str, float | None]]:
        """(patient, value) of a figure for each volume of a group."""
        wanted = (row for row in self.volumes if (row.method, row.group) == (method, group))
        return [(row.patient, getattr(row, figure)) for row in wanted]

    def tests(self) -> list[PairedTest]:
        """Every two methods, over patients: TESTED of the whole map, and absolute organ errors [%]."""
        found = []
        for pair in combinations(self.methods, 2):
            for figure in TESTED:
                first, second = (patient_means(self.of_cases(method, figure)) for method in pair)
                found.append(paired_test(figure, pair, first, second))
            for group in self.groups:
                figure = "absolute_error_percent"
                first, second = (patient_means(self.of_volumes(method, group, figure)) for method in pair)
                found.append(paired_test(f"{figure} of {group}", pair, first, second))
        return found

    def answer(self) -> dict[str, Any]:
        """Summary first, then every row; JSON-ready (infinite PSNR of identical maps becomes null)."""
        from RPTDosimetryLib.evaluation.cohort_tables import organ_summary, summary

        return {
            "unit": "Gy",
            "sign": "evaluated - reference",
            "cases": len({(row.patient, row.cycle) for row in self.cases}),
            "patients": len(self.patients),
            "methods": list(self.methods),
            "settings": asdict(self.settings),
            "conventions": cohort_conventions(),
            "summary": summary(self),
            "organs": organ_summary(self),
            "bland_altman": list(self._bland_altman()),
            "pooled_voxels": [self._pooled(method) for method in self.methods],
            "tests": [asdict(test) for test in self.tests()],
            "case_rows": [_finite(asdict(row)) for row in self.cases],
            "volume_rows": [asdict(row) for row in self.volumes],
            "warnings": list(dict.fromkeys(self.warnings)),
        }

    def _bland_altman(self) -> Iterator[dict[str, Any]]:
        """Limits of agreement of each method, over all volumes and over each group."""
        for method in self.methods:
            for group in (None, *self.groups):
                rows = [row for row in self.volumes if row.method == method and group in (None, row.group)]
                percents = [row.percent_of_both for row in rows]
                gray = bland_altman([row.error_gy for row in rows], "Gy")
                percent = bland_altman([p for p in percents if p is not None], "% of the mean of both")
                yield {
                    "method": method,
                    "group": group or "all volumes",
                    "volumes": len(rows),
                    "gy": None if gray is None else asdict(gray),
                    "percent": None if percent is None else asdict(percent),
                }

    def _pooled(self, method: str) -> dict[str, Any]:
        """Figures over the voxels of all cases together: a large patient counts more than a small one."""
        rows = [row for row in self.cases if row.method == method]
        voxels = np.array([row.voxels for row in rows], dtype=np.float64)
        relative = np.array([row.relative_voxels for row in rows], dtype=np.float64)
        spread = self.pooled[method]
        told = {name: _weighted(rows, name, voxels) for name in ("me_gy", "mae_gy", "mse_gy2")}
        mse = told["mse_gy2"]
        told["rmse_gy"] = None if mse is None else float(np.sqrt(mse))
        told |= {name: _weighted(rows, name, relative) for name in ("re_percent", "rae_percent")}
        for name in ("gamma_all", "gamma_cutoff"):
            judged = np.array([getattr(row, f"{name}_judged") for row in rows], dtype=np.float64)
            told[f"{name}_percent"] = _weighted(rows, f"{name}_percent", judged)
        told |= {"correlation": spread.correlation, "slope_origin": spread.slope_origin}
        return {"method": method, "voxels": spread.voxels, "relative_voxels": int(relative.sum()), **told}


def cohort_conventions() -> dict[str, str]:
    """What each figure is over and relative to."""
    told = conventions(1.0)
    return {
        **told,
        "data_range": "the maximum of each case's reference (PSNR, SSIM; gamma's dose difference and cut-off)",
        "mean and SD": "over patients: cases of one patient are averaged first; over cases: each case counts; SD with "
        "n - 1",
        "gamma_all_percent": "all voxels that count, without cut-off, as Mansouri et al. 2024",
        "gamma_cutoff_percent": "reference voxels from the cut-off on",
        "rms_beyond_noise_percent": "root of mean (E^2 - SE^2)/D^2 over voxels whose evaluated dose D is "
        "at least 1 % of the reference's maximum: the relative error without the reference's own noise SE",
        "organ error": "of the mean dose, weighted by mass where a density is given; lesions one by one",
        "pooled_voxels": "voxels of all cases together",
        "tests": f"paired over patients, two-sided, not corrected for several tests; from {FEWEST_PAIRS} patients on",
        "bland_altman": "mean difference and mean +- 1.96 SD over volumes, each taken as independent",
    }


def spread_dict(values: Sequence[tuple[str, float | None]]) -> dict[str, Any]:
    """Over patients, and over cases or volumes one by one."""
    of_patients: Spread = spread_of(list(patient_means(values).values()))
    return {"over_patients": asdict(of_patients), "each": asdict(spread_of([value for _, value in values]))}


def _weighted(rows: Sequence[CaseRow], name: str, weights: np.ndarray) -> float | None:
    known = [(getattr(row, name), w) for row, w in zip(rows, weights, strict=True) if getattr(row, name) is not None]
    total = sum(w for _, w in known)
    return float(sum(value * w for value, w in known) / total) if total > 0 else None


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}
