"""The summary of a report as one HTML page: what a physician reads and prints, and what the panel previews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from RPTDosimetryLib.evaluation.organ_table import OrganDose
from RPTDosimetryLib.records import Administration
from RPTDosimetryLib.report.provenance import DISCLAIMER
from RPTDosimetryLib.units import BQ_PER_GBQ, BQ_PER_MBQ, S_PER_H

SUMMARY: Final = "summary.html"
_UNREVIEWED_STYLE: Final = "color:#b2182b; font-weight:bold; border:2px solid #b2182b; padding:4px"


@dataclass(frozen=True)
class TableOfText:
    """A table as it is read: column titles with units, and cells."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Summary:
    """What the page says. notice: empty when every contour is reviewed."""

    patient_id: str
    administration: Administration
    tables: tuple[TableOfText, ...] = ()
    methods: tuple[str, ...] = ()
    reviewer: str = ""
    comment: str = ""
    notice: str = ""
    warnings: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def organ_text(rows: Sequence[OrganDose], title: str) -> TableOfText:
    """The organ table with units: volume, mass, Ã, mean, D98, D2, per administered activity, who reviewed."""
    columns = (
        "VOI",
        "volume [mL]",
        "mass [g]",
        "Ã [MBq·h]",
        "mean [Gy]",
        "D98 [Gy]",
        "D2 [Gy]",
        "[Gy/GBq]",
        "reviewed by",
    )
    told = tuple(
        (
            row.name,
            *(_figure(row.volume_ml), _figure(row.mass_g), _figure(row.tia_bq_s / BQ_PER_MBQ / S_PER_H)),
            *(_with_u(row.mean_gy, row.mean_u_gy), _figure(row.d98_gy), _figure(row.d2_gy), _figure(row.gy_per_gbq)),
            row.reviewed_by or "NOT REVIEWED",
        )
        for row in rows
    )
    return TableOfText(title, columns, told)


def effect_text(rows: Sequence[Mapping[str, Any]], title: str) -> TableOfText:
    """Biological effect of this cycle and sums over all cycles (assessment_tables.effect_rows), with units."""
    columns = (
        "VOI",
        "dose [Gy]",
        "α/β [Gy]",
        "G",
        "BED [Gy]",
        "EQD2 [Gy]",
        "cycles",
        "all cycles [Gy]",
        "BED all [Gy]",
    )
    told = tuple(
        (
            row["name"],
            _or_dash(row["dose_gy"], row["dose_u_gy"]),
            _figure(row["alpha_beta_gy"]),
            _figure(row["lea_catcheside"]),
            _or_dash(row["bed_gy"], row["bed_u_gy"]),
            _figure(row["eqd2_gy"]),
            str(row["cycles"]),
            _or_dash(row["cumulative_gy"], row["cumulative_u_gy"]),
            _or_dash(row["cumulative_bed_gy"], row["cumulative_bed_u_gy"]),
        )
        for row in rows
    )
    return TableOfText(title, columns, told)


def limit_text(rows: Sequence[Mapping[str, Any]], title: str) -> TableOfText:
    """Planning limits (LimitRow.answer()) over all cycles: arithmetic, not advice."""
    columns = ("VOI", "limit [Gy]", "all cycles [Gy]", "left [Gy]", "reached by [GBq]", "source")
    told = tuple(
        (
            row["name"],
            f"{row['limit_gy']:g} {row['quantity']}",
            _or_dash(row["cumulative_gy"], row["cumulative_u_gy"]),
            _figure(row["remaining_gy"]),
            _figure(row["activity_gbq"]),
            row["source"],
        )
        for row in rows
    )
    return TableOfText(title, columns, told)


def assessment_text(
    engine: str, effects: Sequence[Mapping[str, Any]], limits: Sequence[Mapping[str, Any]]
) -> list[TableOfText]:
    """The tables of what the dose of an engine means; none where nothing was assessed."""
    tables = [effect_text(effects, f"Biological effect, {engine}")] if effects else []
    return [*tables, *([limit_text(limits, f"Planning limits, {engine}: arithmetic, not advice")] if limits else [])]


def summary_html(summary: Summary) -> str:
    """One page; everything that came from people or files is escaped."""
    given = summary.administration
    parts = ['<html><head><meta charset="utf-8"><title>RPT Dosimetry</title></head><body>']
    parts.append(f"<h2>Dosimetry report: {escape(summary.patient_id or 'patient without ID')}</h2>")
    parts.append(f"<p><i>{escape(DISCLAIMER)}</i></p>")
    if summary.notice:
        parts.append(f'<p style="{_UNREVIEWED_STYLE}">{escape(summary.notice)}</p>')
    activity_bq = given.administered_activity_bq
    activity = "not known" if activity_bq is None else f"{activity_bq / BQ_PER_GBQ:.4g} GBq"
    time = "not known" if given.time is None else given.time.isoformat(" ")
    parts.append(f"<p>{escape(given.nuclide or 'nuclide not known')}, {activity}, administered {escape(time)}</p>")
    parts.append(f"<p>Reviewer: {escape(summary.reviewer or '–')}<br>Comment: {escape(summary.comment or '–')}</p>")
    parts += [_table(table) for table in summary.tables]
    parts += _list("Method", summary.methods)
    parts += _list("Warnings", summary.warnings)
    parts += [f'<p><img src="{escape(name)}" alt="{escape(name)}" width="900"></p>' for name in summary.pictures]
    parts += _list("Files", summary.files)
    if summary.notice:
        parts.append(f'<p style="{_UNREVIEWED_STYLE}">{escape(summary.notice)}</p>')
    return "\n".join([*parts, "</body></html>", ""])


def _table(table: TableOfText) -> str:
    head = "".join(f'<th style="white-space:nowrap">{escape(text)}</th>' for text in table.columns)
    body = "\n".join(
        "<tr>" + "".join(_cell(text, number) for number, text in enumerate(row)) + "</tr>" for row in table.rows
    )
    frame = '<table border="1" cellspacing="0" cellpadding="3">'
    return f"<h3>{escape(table.title)}</h3>{frame}<tr>{head}</tr>\n{body}</table>"


def _cell(text: str, column: int) -> str:
    return f'<td style="white-space:nowrap"{"" if column == 0 else " align=right"}>{escape(text)}</td>'


def _list(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return [f"<h3>{title}</h3><ul>", *(f"<li>{escape(line)}</li>" for line in lines), "</ul>"]


def _with_u(value: float, u: float | None) -> str:
    """A mean with its combined standard uncertainty (1 σ), where one is known."""
    return _figure(value) if u is None else f"{value:.4g} ± {u:.2g}"


def _or_dash(value: float | None, u: float | None) -> str:
    return "–" if value is None else _with_u(value, u)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
