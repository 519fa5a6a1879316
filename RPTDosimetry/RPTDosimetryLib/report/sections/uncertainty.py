"""The uncertainty budget of each volume, with the share of each cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from RPTDosimetryLib.report.document import Block, Heading, Paragraph, Table, with_error
from RPTDosimetryLib.report.run_record import RunRecord

NONE = "Not computed in this run: no uncertainty budget is given (EANM 2018, doi 10.1007/s00259-018-4136-7)."


def budgets_of(record: RunRecord) -> Sequence[Mapping[str, Any]]:
    """The budgets that the run made, a volume each; none where it made none."""
    told: Sequence[Mapping[str, Any]] = (record.step("assessment") or {}).get("uncertainty") or ()
    return told


def combined_se_gy(record: RunRecord) -> dict[str, float]:
    """Combined standard uncertainty of the mean dose [Gy] by VOI; empty where the run has no budget."""
    return {budget["name"]: budget["mean_u_gy"] for budget in budgets_of(record)}


def uncertainty_blocks(record: RunRecord) -> list[Block]:
    """Each volume's combined uncertainty, the share of each cause in its variance, and what is not in it."""
    budgets = budgets_of(record)
    if not budgets:
        return [Heading("Uncertainty"), Paragraph(NONE)]
    head = Paragraph(
        "Chain of the EANM guidance (Gear 2018, doi 10.1007/s00259-018-4136-7): relative standard uncertainty (1 σ) of "
        "each cause, and in brackets its share of the variance.",
        small=True,
    )
    as_imaged = _table(budgets, ("mean_gy", "mean_u_gy", "shares"), "Means as imaged")
    recovered = [budget for budget in budgets if budget["mean_recovered_gy"] is not None]
    keys = ("mean_recovered_gy", "mean_recovered_u_gy", "recovered_shares")
    also = [_table(recovered, keys, "Means corrected for partial volume")] if recovered else []
    return [Heading("Uncertainty"), head, as_imaged, *also, *_not_included(budgets), *_how(budgets)]


def _table(budgets: Sequence[Mapping[str, Any]], keys: tuple[str, str, str], caption: str) -> Table:
    mean, u, shares = keys
    causes = tuple(dict.fromkeys(share["cause"] for budget in budgets for share in budget[shares]))
    columns = ("VOI", "mean [Gy]", "u [%]", *(f"{cause} [%]" for cause in causes))
    rows = tuple(
        (
            budget["name"],
            with_error(budget[mean], budget[u]),
            f"{100 * budget[u] / budget[mean]:.1f}" if budget[mean] else "–",
            *(_share(budget[shares], cause) for cause in causes),
        )
        for budget in budgets
    )
    return Table(columns, rows, caption)


def _share(shares: Sequence[Mapping[str, Any]], cause: str) -> str:
    found = next((share for share in shares if share["cause"] == cause), None)
    return "–" if found is None else f"{100 * found['relative_u']:.1f} ({found['percent_of_variance']:.0f})"


def _not_included(budgets: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Causes without an input, and the volumes whose budget lacks them: all of them where none is named."""
    where: dict[str, list[str]] = {}
    for budget in budgets:
        for text in budget["not_included"]:
            where.setdefault(text, []).append(budget["name"])
    rows = tuple((text, "all" if len(names) == len(budgets) else ", ".join(names)) for text, names in where.items())
    return [Table(("not in the sum, which is too small by it", "volumes"), rows, "", (40, 25), (0, 1))] if rows else []


def _how(budgets: Sequence[Mapping[str, Any]]) -> list[Block]:
    rows = tuple((budget["name"], share["cause"], share["how"]) for budget in budgets for share in budget["shares"])
    return [Table(("VOI", "cause", "how"), rows, "How each share came about", (15, 17, 40), (0, 1, 2))]
