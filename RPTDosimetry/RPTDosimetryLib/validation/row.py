"""One compared figure, and the table of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from RPTDosimetryLib.text import aligned


@dataclass(frozen=True)
class ValidationRow:
    """Ours against a reference, both in ``unit``; difference_percent = 100·(ours/reference − 1).

    bar_percent: the largest difference allowed beyond allowance_percent (two joint standard errors where the bar is
    meant beyond them, else 0); None where the figure is shown without a bar, and then passed is True.
    """

    case: str
    quantity: str
    unit: str
    ours: float
    reference: float
    difference_percent: float
    bar_percent: float | None
    allowance_percent: float
    passed: bool
    source: str


def compared(
    place: tuple[str, str, str],
    ours: float,
    reference: float,
    bar_percent: float | None,
    source: str,
    allowance_percent: float = 0.0,
) -> ValidationRow:
    """A row; place: (case, quantity, unit)."""
    difference = 100.0 * (ours / reference - 1.0)
    passed = bar_percent is None or abs(difference) <= bar_percent + allowance_percent
    return ValidationRow(*place, ours, reference, difference, bar_percent, allowance_percent, passed, source)


def validation_text(rows: Sequence[ValidationRow]) -> str:
    """The table for a terminal, with the verdict as last line."""
    lines = [("case", "quantity", "ours", "reference", "unit", "difference", "bar", "")]
    for row in rows:
        beyond = f" + {row.allowance_percent:.2f}" if row.allowance_percent else ""
        bar = "–" if row.bar_percent is None else f"{row.bar_percent:g}{beyond} %"
        verdict = "–" if row.bar_percent is None else ("pass" if row.passed else "FAIL")
        figures = (f"{row.ours:.6g}", f"{row.reference:.6g}", row.unit, f"{row.difference_percent:+.3f} %")
        lines.append((row.case, row.quantity, *figures, bar, verdict))
    judged = [row for row in rows if row.bar_percent is not None]
    failed = sum(not row.passed for row in judged)
    sources = sorted({row.source for row in rows})
    verdict = f"{len(judged) - failed} of {len(judged)} figures with a bar pass; {len(rows) - len(judged)} have none."
    return "\n".join([aligned(lines, "left"), "", "References:", *(f"  {source}" for source in sources), "", verdict])
