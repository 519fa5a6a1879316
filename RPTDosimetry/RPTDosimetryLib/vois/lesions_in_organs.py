"""Whether an organ's volume, activity and dose hold those of its lesions: one explicit choice, stated by each organ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np

from RPTDosimetryLib.errors import ConfigurationError, VoiError
from RPTDosimetryLib.grid import require_same_grid
from RPTDosimetryLib.records import Voi

LesionChoice = Literal["included", "excluded"]
LESION_CHOICES: Final[tuple[LesionChoice, ...]] = ("included", "excluded")


def with_lesions(vois: Sequence[Voi], choice: LesionChoice) -> tuple[Voi, ...]:
    """Every organ that shares voxels with lesions gets Voi.lesions = choice and says which lesions and how many mL.

    "included": the organ's mask stays, and its lesions count in it and for themselves. "excluded": the organ loses the
    shared voxels. Lesions are never changed; what of a lesion lies outside the organ stays outside it under both.
    Lesions and regions say nothing. Comes before resolve_overlaps, which then concerns organs among themselves and
    lesions among themselves. Raises ConfigurationError: unknown choice; GridMismatchError; VoiError: an organ of
    lesions alone.
    """
    if choice not in LESION_CHOICES:
        raise ConfigurationError(f"Lesions in organs {choice!r}: choose one of {', '.join(LESION_CHOICES)}.")
    lesions = [voi for voi in vois if voi.kind == "lesion"]
    for lesion in lesions:
        require_same_grid(vois[0].grid, lesion.grid, f"{lesion.name} against {vois[0].name}")
    return tuple(_with_its_lesions(voi, lesions, choice) if voi.kind == "organ" else voi for voi in vois)


def _with_its_lesions(organ: Voi, lesions: Sequence[Voi], choice: LesionChoice) -> Voi:
    volume_ml = organ.grid.voxel_volume_ml
    mask, said = organ.mask, []
    for lesion in lesions:
        shared = int(np.count_nonzero(organ.mask & lesion.mask))
        if shared:
            whole = int(np.count_nonzero(lesion.mask))
            part = "" if shared == whole else f" of {whole * volume_ml:.3g}"
            said.append(f"{lesion.name} ({shared * volume_ml:.3g}{part} mL)")
            mask = mask & ~lesion.mask
    if not said:
        return organ
    if choice == "included":
        text = f"{organ.name} includes its lesions: {', '.join(said)}."
        return replace(organ, lesions=choice, warnings=(*organ.warnings, text))
    lost_ml = (np.count_nonzero(organ.mask) - np.count_nonzero(mask)) * volume_ml
    text = f"{organ.name} excludes its lesions: {', '.join(said)}; it loses {lost_ml:.3g} mL."
    if not mask.any():
        raise VoiError(f"Nothing is left of {organ.name} without its lesions: {', '.join(said)}. Include them.")
    return replace(organ, mask=mask, lesions=choice, warnings=(*organ.warnings, text))
