"""Planning limits: what is left of them, and the activity that would use it up. Arithmetic, never advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from RPTDosimetryLib.radiobiology.cycles import CumulativeDose
from RPTDosimetryLib.radiobiology.linear_quadratic import dose_for_bed_gy
from RPTDosimetryLib.radiobiology.organ_effects import OrganEffect
from RPTDosimetryLib.radiobiology.tissues import MARROW, Limit, limits_of, organ_of
from RPTDosimetryLib.records import Voi
from RPTDosimetryLib.units import BQ_PER_GBQ

IMAGE_BASED: Final = "image-based, not blood-based"


@dataclass(frozen=True)
class LimitRow:
    """One volume against one limit [Gy], over all cycles that were given.

    cumulative_u_gy: 1 σ, see CumulativeDose. remaining_gy: limit − cumulative, negative above it. gy_per_gbq: of this
    cycle, as absorbed dose. activity_gbq: what would reach the limit at that dose per activity (and G, for BED), 0
    above the limit, None where it cannot be told.
    """

    name: str
    quantity: str
    limit_gy: float
    previous_gy: float | None
    this_cycle_gy: float | None
    cumulative_gy: float | None
    cumulative_u_gy: float | None
    remaining_gy: float | None
    gy_per_gbq: float | None
    activity_gbq: float | None
    arithmetic: str
    source: str
    note: str = ""

    def answer(self) -> dict[str, Any]:
        """JSON-ready."""
        return dict(vars(self))


def limit_rows(
    vois: Sequence[Voi],
    effects: Sequence[OrganEffect],
    totals: Sequence[CumulativeDose],
    limits: Sequence[Limit],
    administered_activity_bq: float | None,
) -> tuple[LimitRow, ...]:
    """A row for each volume and each of its limits, in the order of the volumes."""
    rows = []
    for voi, effect, total in zip(vois, effects, totals, strict=True):
        per_gbq = None
        if administered_activity_bq:
            per_gbq = effect.dose_gy / (administered_activity_bq / BQ_PER_GBQ)
        rows += [_row(effect, total, limit, per_gbq) for limit in limits_of(voi, limits)]
    return tuple(rows)


def _row(effect: OrganEffect, total: CumulativeDose, limit: Limit, gy_per_gbq: float | None) -> LimitRow:
    by_bed = limit.quantity == "BED"
    this = effect.bed_gy if by_bed else effect.dose_gy
    cumulative = total.bed_gy if by_bed else total.dose_gy
    remaining = None if cumulative is None else limit.limit_gy - cumulative
    activity, text = _activity(effect, remaining, gy_per_gbq, by_bed)
    marrow = IMAGE_BASED if organ_of(limit.organ) == MARROW else ""
    return LimitRow(
        name=effect.name,
        quantity=limit.quantity,
        limit_gy=limit.limit_gy,
        previous_gy=total.previous_bed_gy if by_bed else total.previous_gy,
        this_cycle_gy=this,
        cumulative_gy=cumulative,
        cumulative_u_gy=total.bed_u_gy if by_bed else total.dose_u_gy,
        remaining_gy=remaining,
        gy_per_gbq=gy_per_gbq,
        activity_gbq=activity,
        arithmetic=text,
        source=limit.source,
        note="; ".join(said for said in (marrow, limit.note, total.note) if said),
    )


def _activity(
    effect: OrganEffect, remaining_gy: float | None, gy_per_gbq: float | None, by_bed: bool
) -> tuple[float | None, str]:
    """(activity [GBq] that would reach the limit, how it was found)."""
    if remaining_gy is None:
        return None, "no BED of every cycle is known"
    if remaining_gy <= 0:
        return 0.0, f"{-remaining_gy:.3g} Gy above the limit" if remaining_gy < 0 else "the limit is reached"
    if not gy_per_gbq:
        why = "no administered activity is known" if gy_per_gbq is None else "no dose in this cycle"
        return None, f"{remaining_gy:.3g} Gy left; {why}, so no dose per activity"
    if not by_bed:
        activity = remaining_gy / gy_per_gbq
        return activity, f"{remaining_gy:.3g} Gy left / {gy_per_gbq:.3g} Gy/GBq = {activity:.3g} GBq"
    g, alpha_beta = effect.lea_catcheside or 0.0, effect.alpha_beta_gy or 1.0
    dose = dose_for_bed_gy(remaining_gy, g, alpha_beta)
    activity = dose / gy_per_gbq
    return activity, (
        f"{remaining_gy:.3g} Gy of BED left = D + {g:.3g}·D²/{alpha_beta:g} Gy at D = {dose:.3g} Gy; "
        f"{dose:.3g} Gy / {gy_per_gbq:.3g} Gy/GBq = {activity:.3g} GBq"
    )
