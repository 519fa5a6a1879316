"""What follows from the dose: radiobiology and limits as arithmetic, radiation protection, comparison."""

from __future__ import annotations

from RPTDosimetryLib.report.document import Block, Heading, Paragraph, Table, figure_text
from RPTDosimetryLib.report.run_record import RunRecord
from RPTDosimetryLib.report.sections.stated import stated_blocks


def radiobiology_blocks(record: RunRecord) -> list[Block]:
    """BED and what is left to each limit: arithmetic, not advice."""
    blocks: list[Block] = [Heading("Radiobiology and limits")]
    told, limits = record.step("radiobiology"), record.step("limits")
    if not told and not limits:
        return [*blocks, Paragraph("Not computed in this run: no BED, no comparison with tolerance limits.")]
    blocks.append(Paragraph("Arithmetic from the doses above, not advice.", small=True))
    return [*blocks, *(stated_blocks(told) if told else []), *(stated_blocks(limits, "Limits") if limits else [])]


def protection_blocks(record: RunRecord) -> list[Block]:
    """The radiation protection page."""
    told = record.step("protection")
    none = Paragraph("Not computed in this run.")
    return [Heading("Radiation protection"), *(stated_blocks(told) if told else [none])]


def comparison_blocks(record: RunRecord) -> list[Block]:
    """Where a second dose was held against this one."""
    told = (record.told.get("report") or {}).get("comparison")
    if not told:
        return [Heading("Comparison"), Paragraph("No other dose was compared with this one.")]
    keys = ("reference_mean_gy", "evaluated_mean_gy", "error_gy", "error_percent")
    columns = ("VOI", "reference [Gy]", "evaluated [Gy]", "difference [Gy]", "difference [%]")
    rows = tuple((row["name"], *(figure_text(row[key]) for key in keys)) for row in told["figures"]["volumes"])
    return [Heading("Comparison"), Table(columns, rows, f"{told['doses'][1]} against {told['doses'][0]}")]
