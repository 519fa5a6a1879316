"""What follows from the dose: radiobiology and limits as arithmetic, radiation protection, comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from RPTDosimetryLib.report.compared import COLUMNS, FIGURES, WIDTHS, compared_rows, compared_text, compared_title
from RPTDosimetryLib.report.document import (
    Block,
    Figure,
    Heading,
    Items,
    KeyValues,
    Notice,
    Paragraph,
    Table,
    figure_text,
    with_error,
)
from RPTDosimetryLib.report.run_record import RunRecord


def radiobiology_blocks(record: RunRecord) -> list[Block]:
    """BED, EQD2, gEUD, all cycles, and what is left to each limit: arithmetic, not advice."""
    told = record.step("assessment") or {}
    blocks: list[Block] = [Heading("Radiobiology and limits")]
    if not told.get("radiobiology") and not told.get("limits"):
        return [*blocks, Paragraph("Not computed in this run: no BED, no comparison with planning limits.")]
    blocks.append(Paragraph("Arithmetic from the doses above and published values; not advice.", small=True))
    return [*blocks, *_effects(told), *_cycles(told), *_limits(told)]


def _effects(told: Mapping[str, Any]) -> list[Block]:
    rows = tuple(
        (
            row["name"],
            with_error(row["dose_gy"], row["dose_u_gy"]),
            figure_text(row["alpha_beta_gy"]),
            figure_text(row["repair_half_life_h"]),
            figure_text(row["lea_catcheside"], 3),
            with_error(row["bed_gy"], row["bed_u_gy"]),
            figure_text(row["eqd2_gy"]),
            figure_text(row["geud_gy"]),
            row["note"] or row["source"] or "–",
        )
        for row in told["radiobiology"]
    )
    columns = (
        *("VOI", "dose [Gy]", "α/β [Gy]", "repair T½ [h]", "G", "BED [Gy]", "EQD2 [Gy]", "gEUD [Gy]"),
        "α/β and repair from",
    )
    note = Paragraph(
        "BED = D·(1 + G·D/(α/β)), G the Lea-Catcheside factor of the organ's own curve; EQD2 = BED/(1 + 2/(α/β)).",
        small=True,
    )
    return [Table(columns, rows, "Biological effect", (13, 12, 6, 7, 7, 12, 8, 8, 21), (0, 8)), note]


def _cycles(told: Mapping[str, Any]) -> list[Block]:
    if all(row["cycles"] == 1 for row in told["cumulative"]):
        return [Paragraph("Earlier cycles: none were given, so that all sums are of this cycle alone.", small=True)]
    rows = tuple(
        (
            row["name"],
            str(row["cycles"]),
            figure_text(row["previous_gy"]),
            with_error(row["dose_gy"], row["dose_u_gy"]),
            figure_text(row["previous_bed_gy"]),
            figure_text(row["bed_gy"]),
            row["note"] or "–",
        )
        for row in told["cumulative"]
    )
    columns = ("VOI", "cycles", "earlier [Gy]", "all cycles [Gy]", "BED earlier [Gy]", "BED all [Gy]", "note")
    return [Table(columns, rows, "All cycles", (13, 6, 9, 12, 9, 9, 20), (0, 6))]


def _limits(told: Mapping[str, Any]) -> list[Block]:
    rows = tuple(
        (
            row["name"],
            f"{row['limit_gy']:g} {row['quantity']}",
            figure_text(row["cumulative_gy"], 3),
            figure_text(row["remaining_gy"], 3),
            figure_text(row["activity_gbq"], 3),
            row["arithmetic"] or "–",
            "; ".join(text for text in (row["source"], row["note"]) if text),
        )
        for row in told["limits"]
    )
    columns = ("VOI", "limit [Gy]", "all cycles [Gy]", "left [Gy]", "reached by [GBq]", "arithmetic", "limit from")
    above = [f"{row['name']} ({row['limit_gy']:g} Gy {row['quantity']})" for row in told["limits"] if _above(row)]
    if not rows:
        return [Paragraph("Limits: none is set for any of these volumes.")]
    notice: list[Block] = [Notice(f"Above a planning limit: {', '.join(above)}.")] if above else []
    return [Table(columns, rows, "Planning limits", (12, 10, 7, 7, 8, 24, 26), (0, 1, 5, 6)), *notice]


def _above(row: Mapping[str, Any]) -> bool:
    return row["remaining_gy"] is not None and row["remaining_gy"] < 0


def protection_blocks(record: RunRecord) -> list[Block]:
    """What is left in the patient, the dose rate at 1 m, and what the administration gives to staff."""
    told = (record.step("assessment") or {}).get("protection")
    if not told:
        return [
            Heading("Radiation protection"),
            Paragraph("Not computed in this run (no administered activity known)."),
        ]
    facts = KeyValues((
        ("Administered", f"{told['administered_gbq']:.4g} GBq {told['nuclide']}"),
        ("Ambient dose equivalent rate constant", f"{told['ambient_usv_m2_per_gbq_h']:.4g} µSv·m²/(GBq·h)"),
        ("Air kerma rate constant", f"{told['air_kerma_ugy_m2_per_gbq_h']:.4g} µGy·m²/(GBq·h)"),
        ("Constants from", told["constant_source"]),
        ("Activity from", told["activity_from"]),
        ("Release", f"{told['release_arithmetic']}{_source(told['release_source'])}"),
    ))  # fmt: skip
    points = tuple(
        (
            f"{point['time_h']:g}",
            *(
                figure_text(point[key], 3)
                for key in ("activity_mbq", "dose_rate_usv_per_h", "upper_dose_rate_usv_per_h")
            ),
        )
        for point in told["points"]
    )
    columns = ("after administration [h]", "activity left [MBq]", "at 1 m [µSv/h]", "at 1 m, decay alone [µSv/h]")
    organs = Paragraph("Doses of the organs at risk against their limits: see Radiobiology and limits.", small=True)
    return [
        Heading("Radiation protection"),
        facts,
        Table(columns, points, "Residual activity and dose rate"),
        *_staff(told),
        Items(tuple(told["notes"])),
        organs,
    ]


def _source(text: str) -> str:
    return f" ({text})" if text else ""


def _staff(told: Mapping[str, Any]) -> list[Block]:
    rows = tuple(
        (
            row["who"],
            row["part"],
            figure_text(row["dose_usv"]),
            f"{row['annual_limit_msv']:g}",
            str(row["sessions_a_year"]),
            row["arithmetic"],
            f"{row['source']}; limit: {row['limit_source']}",
        )
        for row in told["staff"]
    )
    columns = ("who", "part", "dose [µSv]", "limit a year [mSv]", "sessions a year", "arithmetic", "factor from")
    if not rows:
        return [Paragraph("Staff: no factors for this nuclide.")]
    return [Table(columns, rows, "Staff, this administration", (10, 12, 7, 8, 8, 24, 27), (0, 1, 5, 6))]


def comparison_blocks(record: RunRecord) -> list[Block]:
    """Where a second dose was held against this one."""
    told = (record.told.get("report") or {}).get("comparison")
    if not told:
        return [Heading("Comparison"), Paragraph("No other dose was compared with this one.")]
    rows = compared_rows(told)
    columns = tuple(title for _key, title, _style in COLUMNS)
    table: list[Block] = [Table(columns, rows, compared_title(told), WIDTHS)] if rows else []
    said: list[Block] = [Paragraph(text, small=True) for text in compared_text(told)]
    pictures = [Figure(record.file(name), text, share) for name, text, share in FIGURES if record.has(name)]
    return [Heading("Comparison"), *table, *said, *pictures]
