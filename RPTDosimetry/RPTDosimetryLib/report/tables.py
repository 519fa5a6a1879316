"""The organ table: as CSV for a spreadsheet, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import chain
from pathlib import Path

from RPTDosimetryLib.evaluation.organ_table import OrganDose
from RPTDosimetryLib.files import write_csv
from RPTDosimetryLib.report.notice import noticed_rows
from RPTDosimetryLib.text import aligned
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H
from RPTDosimetryLib.vois.lesion_volume import SMALL_LESION_ML


def write_organ_table(rows: Sequence[OrganDose], method: str, path: Path) -> None:
    """One line a VOI: every figure of OrganDose with its unit in the column name, full precision, and the method."""
    names = [f.name for f in fields(OrganDose)]
    told = ([*(_cell(getattr(row, name)) for name in names), method] for row in rows)
    write_csv(noticed_rows(chain([[*names, "method"]], told)), path)


def write_rows(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Rows with the same keys as CSV, the keys as column names."""
    told = ([_cell(value) for value in row.values()] for row in rows)
    write_csv(noticed_rows(chain([list(rows[0])] if rows else [], told)), path)


def organ_table_text(rows: Iterable[OrganDose]) -> str:
    """The figures a physician reads first, aligned; ã is the time-integrated activity coefficient."""
    rows = list(rows)
    head = ["VOI", "volume", "mass", "Ã", "ã", "mean", "D98", "D50", "D2", "per activity"]
    unit = ["", "mL", "g", "MBq·h", "h", "Gy", "Gy", "Gy", "Gy", "Gy/GBq"]
    statistical = any(row.mean_se_gy is not None for row in rows)
    if statistical:
        head, unit = [*head, "± of mean"], [*unit, "Gy (1 σ)"]
    recovered = any(row.mean_recovered_gy is not None for row in rows)
    if recovered:
        head, unit = [*head, "RC", "mean/RC"], [*unit, "", "Gy"]
    budgeted = any(row.mean_u_gy is not None for row in rows)
    if budgeted:
        head, unit = [*head, "u of mean"], [*unit, "Gy (1 σ)"]
        if recovered:
            head, unit = [*head, "u of mean/RC"], [*unit, "Gy (1 σ)"]
    lines: list[Sequence[str]] = [head, unit]
    for row in rows:
        figures = [
            *(row.volume_ml, row.mass_g, row.tia_bq_s / BQ_PER_MBQ / S_PER_H, _hours(row.tia_coefficient_s)),
            *(row.mean_gy, row.d98_gy, row.d50_gy, row.d2_gy, row.gy_per_gbq),
        ]
        if statistical:
            figures.append(row.mean_se_gy)
        if recovered:
            figures += [row.recovery_coefficient, row.mean_recovered_gy]
        if budgeted:
            figures += [row.mean_u_gy, row.mean_recovered_u_gy] if recovered else [row.mean_u_gy]
        lines.append((_stated_name(row), *("–" if f is None else f"{f:.4g}" for f in figures)))
    return aligned(lines)


def _stated_name(row: OrganDose) -> str:
    """The name with what the figures beside it depend on."""
    if row.kind == "lesion" and row.volume_ml < SMALL_LESION_ML:
        return f"{row.name} (below {SMALL_LESION_ML:g} mL)"
    return row.name if row.lesions is None else f"{row.name} (lesions {row.lesions})"


def _hours(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / S_PER_H


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return " ".join(value)
    return repr(value) if isinstance(value, float) else value
