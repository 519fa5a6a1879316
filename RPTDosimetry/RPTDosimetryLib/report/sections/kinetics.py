"""Activity over time in each volume, the models that were tried, and the share of Ã that nobody has measured."""

from __future__ import annotations

from math import log
from typing import Any

from RPTDosimetryLib.report.document import Block, Figure, Heading, Paragraph, Table, figure_text, with_error
from RPTDosimetryLib.report.run_record import RunRecord
from RPTDosimetryLib.report.sections.stated import words
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H

_MBQ_H = BQ_PER_MBQ * S_PER_H


def kinetics_blocks(record: RunRecord) -> list[Block]:
    """Picture, measured activities, chosen and other models, and what fewer scans would have given."""
    step = record.step("tia")
    curves: dict[str, Any] = step["curves"]
    head = Paragraph(
        f"Voxel map: model {step['model']}, {100 * step['extrapolated_fraction']:.0f} % of Ã beyond the last scan. "
        "Ã is the time-integrated activity, beyond is its share after the last scan; ± is 1 σ of the fit; T½ eff is "
        "ln 2/λ_eff of the fit's last phase."
    )
    figure = Figure(record.file("curves.png"), "Measured activity and fitted curves; grey: beyond the last scan.", 0.9)
    return [
        Heading("Kinetics"),
        head,
        figure,
        _activities(curves),
        _models(curves),
        *_alternatives(curves),
        *_fewer(record),
    ]


def _activities(curves: dict[str, Any]) -> Table:
    times_s = next(iter(curves.values()))["time_s"] if curves else []
    columns = ("activity [MBq] at", *(f"{time_s / S_PER_H:.4g} h" for time_s in times_s))
    rows = tuple((name, *(f"{a / BQ_PER_MBQ:.4g}" for a in curve["activity_bq"])) for name, curve in curves.items())
    return Table(columns, rows, "Activity in each volume at the time of each scan")


def _models(curves: dict[str, Any]) -> Table:
    columns = ("VOI", "model", "Ã [MBq·h]", "95 % of bootstrap", "beyond [%]", "T½ eff [h]", "parameters of the fit")
    rows = tuple((name, *_fit(curve)) for name, curve in curves.items())
    return Table(columns, rows, "Models chosen", (14, 19, 13, 10, 8, 8, 28), (0, 1, 6))


def _fit(curve: dict[str, Any]) -> tuple[str, ...]:
    error = curve["bootstrap_se_bq_s"] or curve["tia_se_bq_s"]
    interval = curve["tia_interval_bq_s"]
    slowest = curve["parameters"].get("lambda_eff_per_s")
    return (
        curve["model"],
        with_error(curve["tia_bq_s"] / _MBQ_H, None if error is None else error / _MBQ_H),
        "–" if interval is None else f"{interval[0] / _MBQ_H:.4g} to {interval[1] / _MBQ_H:.4g}",
        f"{100 * curve['extrapolated_fraction']:.0f}",
        "–" if not slowest else figure_text(log(2) / slowest / S_PER_H, 3),
        "; ".join(f"{words(key)} {value:.4g}" for key, value in curve["parameters"].items() if value is not None)
        or "–",
    )


def _alternatives(curves: dict[str, Any]) -> list[Block]:
    """Every other model that was fitted to a curve: Ã, what it extrapolates, and AICc (lower fits better)."""
    rows = tuple(
        (
            name,
            other["model"],
            figure_text(other["tia_bq_s"] / _MBQ_H),
            f"{100 * (other['tia_bq_s'] / curve['tia_bq_s'] - 1):+.1f}",
            f"{100 * other['extrapolated_fraction']:.0f}",
            figure_text(other["aicc"]),
            figure_text(curve["aicc"]),
        )
        for name, curve in curves.items()
        for other in curve.get("alternatives") or []
    )
    columns = ("VOI", "other model", "Ã [MBq·h]", "against chosen [%]", "extrapolated [%]", "AICc", "AICc of chosen")
    if not rows:
        return [
            Paragraph(
                "Other models: none were fitted (the model was given, or no other fits so few scans).", small=True
            )
        ]
    return [Table(columns, rows, "All models that were fitted", None, (0, 1))]


def _fewer(record: RunRecord) -> list[Block]:
    rows = tuple(
        (
            row["name"],
            row["method"],
            row["scan_time_h"],
            figure_text(float(row["tia_mbq_h"])),
            f"{float(row['difference_percent']):+.1f}",
        )
        for row in record.rows("tia_with_fewer_scans.csv")
    )
    columns = ("VOI", "method", "scans at [h]", "Ã [MBq·h]", "difference [%]")
    return [Table(columns, rows, "What fewer scans would have given", None, (0, 1, 2))] if rows else []
