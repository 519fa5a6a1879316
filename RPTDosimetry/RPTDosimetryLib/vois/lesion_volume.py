"""Lesions too small for their activity to be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from RPTDosimetryLib.records import Voi

#: Mansouri et al. 2024 (doi 10.1007/s00259-024-06618-9) report doses of lesions above 2 mL only.
SMALL_LESION_ML: Final = 2.0


def small_lesion_note(voi: Voi) -> str | None:
    """What to say of a lesion below 2 mL; None for larger ones and for other kinds."""
    if voi.kind != "lesion" or voi.volume_ml >= SMALL_LESION_ML:
        return None
    return (
        f"{voi.name} holds {voi.volume_ml:.2g} mL, below {SMALL_LESION_ML:g} mL: partial volume lowers its measured "
        "activity, and its dose is not reliable without a recovery correction."
    )


def with_small_lesion_notes(vois: Sequence[Voi]) -> tuple[Voi, ...]:
    """The VOIs with that note among the warnings of those it concerns."""
    notes = [small_lesion_note(voi) for voi in vois]
    return tuple(
        replace(voi, warnings=(*voi.warnings, note)) if note else voi for voi, note in zip(vois, notes, strict=True)
    )
