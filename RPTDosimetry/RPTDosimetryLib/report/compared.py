"""A comparison of two doses in the report of a run: the line of figures, the table that fits a page, the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from RPTDosimetryLib.records import Image, Voi

if TYPE_CHECKING:  # what compares needs packages that the list of exports does not
    from RPTDosimetryLib.evaluation.agreement import OrganAgreement
    from RPTDosimetryLib.evaluation.full_comparison import ComparisonSettings

#: What of a volume's figures goes on a page of A4: key, title with unit, format. The rest is in compared_organs.csv.
COLUMNS: Final = (
    ("name", "VOI", ""),
    ("reference_mean_gy", "reference [Gy]", ".4g"),
    ("evaluated_mean_gy", "evaluated [Gy]", ".4g"),
    ("error_percent", "difference [%]", "+.2f"),
    ("d98_error_percent", "D98 [%]", "+.2f"),
    ("d2_error_percent", "D2 [%]", "+.2f"),
    ("mape_percent", "MAPE [%]", ".2f"),
    ("correlation", "r", ".4f"),
    ("dvh_r2", "DVH R²", ".4f"),
    ("pass_rate_percent", "gamma [%]", ".1f"),
)
#: Their shares of the page's width.
WIDTHS: Final = (15.0, 11.0, 11.0, 11.0, 8.0, 8.0, 8.0, 8.0, 8.0, 9.0)
ERRORS, ORGANS, HISTOGRAMS = "compared_errors.png", "compared_organs.png", "compared_dvh.png"
VOXELS, VIOLINS = "compared_voxels.png", "compared_violins.png"
#: File, what it shows, share of the page's height.
FIGURES: Final = (
    (ORGANS, "Error of each volume's mean dose, and differences against means with limits of agreement.", 0.42),
    (HISTOGRAMS, "Dose-volume histograms, reference solid, evaluated dashed.", 0.4),
    (VIOLINS, "Relative errors of voxels in the whole map and in each volume.", 0.3),
    (VOXELS, "Voxel against voxel: how often each pair of doses occurs.", 0.34),
    (ERRORS, "Relative error in three planes through the highest reference dose; the patient's right is left.", 0.5),
)


@dataclass(frozen=True)
class ComparedDoses:
    """Both dose maps [Gy] as they were compared, and how."""

    reference: Image
    evaluated: Image
    settings: ComparisonSettings


def compared_rows(told: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Text of the table in COLUMNS, a row a volume; a dash where a figure does not exist."""
    passed = {row["name"]: row["pass_rate_percent"] for row in (told.get("gamma") or {}).get("volumes", ())}
    rows = []
    for row in told["figures"]["volumes"]:
        values = {**row.get("metrics", {}), **row, "pass_rate_percent": passed.get(row["name"])}
        cells = ((values.get(key), style) for key, _title, style in COLUMNS)
        rows.append(tuple("–" if value is None else format(value, style) for value, style in cells))
    return tuple(rows)


def compared_title(told: Mapping[str, Any]) -> str:
    """Which dose was held against which."""
    return f"{told['doses'][1]} against {told['doses'][0]}"


def compared_text(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Gamma and voxel figures as sentences with their conventions."""
    said = []
    gamma, metrics = told.get("gamma") or {}, told["figures"].get("metrics") or {}
    if gamma:
        how = gamma["settings"]
        kind = "local" if how["local"] else "global"
        rate = gamma["pass_rate_percent"]
        result = "no voxel judged" if rate is None else f"{rate:.2f} % of {gamma['judged']} voxels pass"
        cut = f"from {how['cutoff_percent']:g} % of the reference's maximum"
        said.append(f"Gamma {how['dose_percent']:g} % {kind}, {how['dta_mm']:g} mm, {cut}: {result}.")
    shown = (
        ("mean error", "me_gy", "+.4g", " Gy"),
        ("mean absolute error", "mae_gy", ".4g", " Gy"),
        ("RMSE", "rmse_gy", ".4g", " Gy"),
        ("mean relative error", "re_percent", "+.3g", " %"),
        ("SSIM", "ssim", ".4f", ""),
        ("correlation", "correlation", ".4f", ""),
        ("slope through the origin", "slope_origin", ".4f", ""),
    )
    there = [row for row in shown if metrics.get(row[1]) is not None]
    known = [f"{name} {metrics[key]:{style}}{unit}" for name, key, style, unit in there]
    if known:
        said.append(f"{told['figures'].get('counted', 'all voxels').capitalize()}: {', '.join(known)}.")
    weighting, partial = told["figures"].get("mean_weighting"), told["figures"].get("conventions", {})
    if weighting:
        said.append(f"Differences are evaluated − reference, means are weighted by {weighting}.")
    if partial.get("partial_volume"):
        said.append(f"Partial voxels at the edge of volumes: {partial['partial_volume']}.")
    return tuple(said)


def save_compared(compared: ComparedDoses, vois: Sequence[Voi], told: Mapping[str, Any], folder: Path) -> None:
    """FIGURES into a folder; those of volumes only where they lie on the reference's grid. Raises EvaluationError."""
    from RPTDosimetryLib.evaluation.full_comparison import aligned_doses, relative_error_map
    from RPTDosimetryLib.evaluation.violin import error_violins
    from RPTDosimetryLib.evaluation.voxel_spread import voxel_spread
    from RPTDosimetryLib.report.compare_density import save_density
    from RPTDosimetryLib.report.compare_figures import save_dvh_overlay, save_organ_agreement, save_relative_error
    from RPTDosimetryLib.report.violins import save_error_violins

    rows = told["figures"]["volumes"]
    on_grid = [voi for voi in vois if voi.grid.same_as(compared.reference.grid)]
    pair = (compared.reference, compared.evaluated)
    aligned = aligned_doses(pair, on_grid, compared.settings)
    doses = (aligned.reference, aligned.evaluated, aligned.inside)
    shown = [voi for voi in on_grid if voi.name in {row["name"] for row in rows}]
    save_relative_error(doses, shown, folder / ERRORS)
    save_density({"evaluated against reference": voxel_spread(*doses)}, folder / VOXELS, "Voxel by voxel")
    save_error_violins(error_violins(relative_error_map(*doses), shown), folder / VIOLINS)
    if shown:
        save_organ_agreement(_agreements(rows), told["figures"]["mean_weighting"], folder / ORGANS)
        save_dvh_overlay(doses, shown, folder / HISTOGRAMS, compared.settings.partial_volume)


def _agreements(rows: Sequence[Mapping[str, Any]]) -> list[OrganAgreement]:
    """The rows of an answer as records again; a scene of an older version lacks some figures."""
    from RPTDosimetryLib.evaluation.agreement import OrganAgreement
    from RPTDosimetryLib.evaluation.image_metrics import VoxelMetrics

    names, metric_names = ({field.name for field in fields(kind)} for kind in (OrganAgreement, VoxelMetrics))
    return [
        OrganAgreement(
            **{key: value for key, value in row.items() if key in names - {"metrics"}},
            metrics=VoxelMetrics(**{key: value for key, value in row["metrics"].items() if key in metric_names}),
        )
        for row in rows
    ]
