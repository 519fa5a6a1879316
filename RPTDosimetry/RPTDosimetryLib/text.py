"""Rows of words and figures as aligned lines, for terminals and logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal


def aligned(rows: Sequence[Sequence[str]], figures: Literal["right", "left"] = "right") -> str:
    """Columns of text, the first to the left and the others to the side named; no spaces at the ends of lines."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *others = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        if figures == "right":
            others = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([first, *others]).rstrip())
    return "\n".join(lines)
