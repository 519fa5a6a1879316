"""From drawn volumes to settled ones, in one order: lesions in organs, overlaps, notes on small lesions, reviews."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from RPTDosimetryLib.records import Voi
from RPTDosimetryLib.vois.lesion_volume import with_small_lesion_notes
from RPTDosimetryLib.vois.lesions_in_organs import LesionChoice, with_lesions
from RPTDosimetryLib.vois.overlap import OverlapRule, resolve_overlaps
from RPTDosimetryLib.vois.review import with_reviews


@dataclass(frozen=True)
class VoiRules:
    """lesions_in_organs and overlaps: see those modules. reviews: the file of reviews, None for none."""

    lesions_in_organs: LesionChoice = "included"
    overlaps: OverlapRule = "count_in_both"
    reviews: Path | None = None


def settled(vois: Sequence[Voi], rules: VoiRules) -> tuple[Voi, ...]:
    """The VOIs, in their order, as every later step takes them. Raises DosimetryError children of the steps.

    Lesions in organs come first, so that the overlap rule concerns organs among themselves and lesions among
    themselves. A review is of the mask that results: another rule makes another mask, which is not yet reviewed.
    """
    after = with_lesions(vois, rules.lesions_in_organs)
    after = with_small_lesion_notes(resolve_overlaps(after, rules.overlaps))
    return after if rules.reviews is None else with_reviews(after, rules.reviews)
