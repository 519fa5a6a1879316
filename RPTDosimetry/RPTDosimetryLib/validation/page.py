"""The validation page of the documentation: every compared figure, one table a topic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from RPTDosimetryLib import __version__
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.report.provenance import DISCLAIMER
from RPTDosimetryLib.validation.cases import Compared
from RPTDosimetryLib.validation.row import ValidationRow

COLUMNS: Final = ("case", "quantity", "unit", "this program", "reference", "difference", "bar", "verdict", "source")
#: What no row of the page speaks for.
NOT_COMPARED: Final = (
    "Absorbed dose in a patient or in a phantom as measured: all dose references here are computed.",
    "Activity of a phantom of known content: calibration factors and recovery coefficients are a department's own.",
    "Registration, beds and volumes of interest: they are tested on a virtual patient whose truth is known, by the "
    "test suite, not on patients.",
    "Tb-161: kernels exist, an independent reference for them is not at hand.",
    "Y-90 beyond the first neighbour, bremsstrahlung and straggling: shown without a bar; two joint standard errors "
    "are 9 to 10 % there.",
    "Lungs, cortical bone, marrow and the rest of the body under engine msv8: shown without a bar.",
    "Parameters of biological effect (α/β, repair half-times) and planning limits: literature, not measured here.",
)


def write_page(topics: Sequence[Compared], path: Path) -> None:
    """Write the page, whole or not at all. Raises ReportError."""
    with whole_file(path) as temporary:
        temporary.write_text(validation_page(topics), encoding="utf-8", newline="\n")


def validation_page(topics: Sequence[Compared]) -> str:
    """Markdown. Nothing in it depends on the day or the machine: an unchanged program gives an unchanged page."""
    rows = [row for topic in topics for row in topic.rows]
    judged = [row for row in rows if row.bar_percent is not None]
    passed = sum(row.passed for row in judged)
    lines = [
        "# Validation",
        "",
        f"SlicerRPTDosimetry {__version__}. {DISCLAIMER}",
        "",
        "Every figure below is computed by this program and set beside one from an independent program or a "
        "publication. The page is written by `rptdosimetry validate --write docs/validation.md`; do not edit it.",
        "",
        f"**{passed} of {len(judged)} figures with a bar pass; {len(rows) - len(judged)} are shown without a bar.**",
        "",
        *_table(("topic", "figures", "with a bar", "pass"), [_summary(topic) for topic in topics]),
        "",
        "The difference is this program's figure over the reference, minus one, unless the quantity says otherwise. A "
        "bar is the largest difference allowed; “+” adds two joint standard errors where both figures are Monte "
        "Carlo's.",
        "",
    ]
    for topic in topics:
        lines += _section(topic)
    return "\n".join([*lines, "## What is not compared", "", *(f"- {text}" for text in NOT_COMPARED), ""])


def _section(topic: Compared) -> list[str]:
    sources = list(dict.fromkeys(row.source for row in topic.rows))
    table = _table(COLUMNS, [_cells(row, sources.index(row.source) + 1) for row in topic.rows])
    numbered = [f"{number}. {source}" for number, source in enumerate(sources, start=1)]
    return [f"## {_title(topic.case.name)}", "", topic.case.about, "", *table, "", "Sources:", "", *numbered, ""]


def _title(name: str) -> str:
    return name[0].upper() + name[1:]


def _summary(topic: Compared) -> tuple[str, ...]:
    judged = [row for row in topic.rows if row.bar_percent is not None]
    counts = len(topic.rows), len(judged), sum(row.passed for row in judged)
    return (topic.case.name, *(str(count) for count in counts))


def _cells(row: ValidationRow, source: int) -> tuple[str, ...]:
    beyond = f" + {row.allowance_percent:.2f}" if row.allowance_percent else ""
    bar = "–" if row.bar_percent is None else f"{row.bar_percent:g}{beyond} %"
    verdict = "–" if row.bar_percent is None else ("pass" if row.passed else "**FAIL**")
    figures = f"{row.ours:.6g}", f"{row.reference:.6g}", f"{_rounded(row.difference_percent)} %"
    return (row.case, row.quantity, row.unit, *figures, bar, verdict, f"{source}")


def _rounded(percent: float) -> str:
    """Signed, to 0.01; smaller ones to one digit that counts, so that a tiny difference is not shown as none."""
    if abs(percent) >= 0.01:
        return f"{percent:+.2f}"
    return "0.00" if abs(percent) < 5e-6 else f"{percent:+.1g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
