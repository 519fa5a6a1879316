"""A cohort's summary as rows, and as the two tables that papers print: voxel figures, and organ errors, by method."""

from __future__ import annotations

from typing import Any

from RPTDosimetryLib.evaluation.cohort_answer import CASE_FIGURES, VOLUME_FIGURES, CohortAnswer, spread_dict
from RPTDosimetryLib.text import aligned

#: Rows of the table of voxel figures: figure, what people call it, factor, format. As Mansouri et al. 2024, then Kim.
_PRINTED = (
    ("rae_percent", "RAE [%]", 1.0, ".2f"),
    ("rms_beyond_noise_percent", "RMS beyond noise [%]", 1.0, ".2f"),
    ("re_percent", "RE [%]", 1.0, "+.2f"),
    ("mape_percent", "MAPE [%]", 1.0, ".2f"),
    ("mae_gy", "MAE [Gy]", 1.0, ".4g"),
    ("rmse_gy", "RMSE [Gy]", 1.0, ".4g"),
    ("me_gy", "ME [Gy]", 1.0, "+.3g"),
    ("ssim", "SSIM [%]", 100.0, ".2f"),
    ("psnr_db", "PSNR [dB]", 1.0, ".2f"),
    ("gamma_all_percent", "gamma, all voxels [%]", 1.0, ".2f"),
    ("gamma_cutoff_percent", "gamma, from cut-off [%]", 1.0, ".2f"),
    ("gamma_lesions_all_percent", "gamma, lesions, all [%]", 1.0, ".2f"),
    ("gamma_lesions_cutoff_percent", "gamma, lesions, cut-off [%]", 1.0, ".2f"),
    ("correlation", "voxel correlation", 1.0, ".4f"),
    ("low_dose_correlation", "the same, low dose", 1.0, ".4f"),
    ("slope_origin", "slope through origin", 1.0, ".4f"),
    ("slope_orthogonal", "slope, orthogonal", 1.0, ".4f"),
    ("seconds", "time [s]", 1.0, ".3g"),
)


def summary(cohort: CohortAnswer) -> list[dict[str, Any]]:
    """One row a method and figure: mean, SD, n, lowest, highest over patients, and over cases."""
    return [
        {"method": method, "figure": figure, **spread_dict(cohort.of_cases(method, figure))}
        for method in cohort.methods
        for figure in CASE_FIGURES
    ]


def organ_summary(cohort: CohortAnswer) -> list[dict[str, Any]]:
    """One row a group of volumes, method and figure, over patients and over volumes."""
    return [
        {"group": group, "method": method, "figure": figure, **spread_dict(cohort.of_volumes(method, group, figure))}
        for group in cohort.groups
        for method in cohort.methods
        for figure in VOLUME_FIGURES
    ]


def flat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a summary with both spreads in columns of their own."""
    told = []
    for row in rows:
        fixed = {key: value for key, value in row.items() if not isinstance(value, dict)}
        for over, name in (("over_patients", "patients"), ("each", "each")):
            fixed |= {f"{figure}_{name}": value for figure, value in row[over].items()}
        told.append(fixed)
    return told


def voxel_table(cohort: CohortAnswer) -> list[list[str]]:
    """Head and rows of text: mean ± SD over patients, a column a method; figures that nobody has are left out."""
    methods = cohort.methods
    rows = [["voxels, mean ± SD over patients", *methods]]
    for figure, title, factor, style in _PRINTED:
        told = [spread_dict(cohort.of_cases(method, figure))["over_patients"] for method in methods]
        if any(one["n"] for one in told):
            rows.append([title, *(_mean_sd(one, factor, style) for one in told)])
    return rows


def organ_table(cohort: CohortAnswer, figure: str = "absolute_error_percent", style: str = ".2f") -> list[list[str]]:
    """Head and rows of text: a figure of each group, mean ± SD over its volumes (lesions one by one), with their n."""
    methods = cohort.methods
    title = {"absolute_error_percent": "absolute error of the mean dose [%]", "error_percent": "error [%]",
             "rms_beyond_noise_percent": "RMS error of voxels beyond the reference's noise [%]"}  # fmt: skip
    rows = [[title.get(figure, figure), "n", *methods]]
    for group in cohort.groups:
        told = [spread_dict(cohort.of_volumes(method, group, figure))["each"] for method in methods]
        rows.append([group, str(max(one["n"] for one in told)), *(_mean_sd(one, 1.0, style) for one in told)])
    return rows


def cohort_tables(cohort: CohortAnswer) -> str:
    """Both papers' tables as text: voxel figures, absolute and signed organ errors, tests that could be made."""
    parts = [aligned(voxel_table(cohort))]
    if cohort.groups:
        parts += [aligned(organ_table(cohort)), aligned(organ_table(cohort, "error_percent", "+.2f"))]
        if any(row.rms_beyond_noise_percent is not None for row in cohort.volumes):
            parts.append(aligned(organ_table(cohort, "rms_beyond_noise_percent")))
    tested = [test for test in cohort.tests() if test.wilcoxon_p is not None or test.t_p is not None]
    if tested:
        head = ["paired over patients", "second − first", "n", "Wilcoxon p", "paired t p"]
        rows = [
            [f"{t.figure}: {t.second} − {t.first}", _number(t.mean_difference, "+.3g"), str(t.n),
             _number(t.wilcoxon_p, ".3g"), _number(t.t_p, ".3g")]
            for t in tested
        ]  # fmt: skip
        parts.append(aligned([head, *rows]))
    else:
        notes = dict.fromkeys(test.note for test in cohort.tests() if test.note)
        parts += [f"No test: {note}." for note in notes]
    return "\n\n".join(parts)


def _mean_sd(told: dict[str, Any], factor: float, style: str) -> str:
    if told["mean"] is None:
        return "–"
    mean = format(told["mean"] * factor, style)
    return mean if told["sd"] is None else f"{mean} ± {format(told['sd'] * factor, style.lstrip('+'))}"


def _number(value: float | None, style: str) -> str:
    return "–" if value is None else format(value, style)
