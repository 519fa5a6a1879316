"""The volumes of interest: what they are, who drew them, who has looked at them."""

from __future__ import annotations

from typing import Any

from RPTDosimetryLib.report.document import Block, Heading, Notice, Paragraph, Table
from RPTDosimetryLib.report.run_record import RunRecord


def volume_blocks(record: RunRecord) -> list[Block]:
    """One line a volume; an unreviewed contour is a notice, not a gap."""
    vois = record.step("vois")
    volumes_ml = {row["name"]: float(row["volume_ml"]) for row in record.rows("organ_doses.csv")}
    rows = tuple(
        (
            voi["name"],
            voi["kind"],
            f"{volumes_ml[voi['name']]:.4g}" if voi["name"] in volumes_ml else "–",
            _code(voi["code"]),
            voi["source"] or "–",
            voi["lesions"] or "–",
            review_text(voi),
        )
        for voi in vois
    )
    columns = ("VOI", "kind", "volume [mL]", "code", "drawn by", "lesions inside", "reviewed by")
    blocks: list[Block] = [Heading("Volumes of interest")]
    if unreviewed_notice(record):
        blocks.append(
            Notice(f"{unreviewed_notice(record)}. Nobody has accepted these contours; all figures depend on them.")
        )
    choices = (record.told["settings"].get("vois") or {}) if isinstance(record.told["settings"], dict) else {}
    rule = choices.get("overlaps")
    note = (
        [Paragraph(f"Overlaps: {rule}; lesions inside organs: {choices['lesions_in_organs']}.", small=True)]
        if rule
        else []
    )
    return [*blocks, Table(columns, rows, "", (13, 7, 7, 16, 14, 8, 15), (0, 1, 3, 4, 5, 6)), *note]


def unreviewed_notice(record: RunRecord) -> str:
    """The sentence on every page while a contour is unreviewed; empty when all are reviewed."""
    names = [voi["name"] for voi in record.step("vois") if voi["review"] is None]
    return f"CONTOURS NOT REVIEWED: {', '.join(names)}" if names else ""


def review_text(voi: Any) -> str:
    """Who accepted the contour and when."""
    review = voi["review"]
    if review is None:
        return "NOT REVIEWED"
    comment = f" ({review['comment']})" if review["comment"] else ""
    return f"{review['reviewer']}, {review['time']}{comment}"


def _code(code: Any) -> str:
    if code is None:
        return "–"
    side = f", {code['laterality']}" if code["laterality"] else ""
    return f"{code['meaning']}{side} ({code['value']}, {code['scheme']})"
