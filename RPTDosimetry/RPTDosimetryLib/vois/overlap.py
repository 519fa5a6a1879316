"""Voxels that two volumes claim: counted in both, or given to one of them by a stated rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import ConfigurationError, VoiError
from RPTDosimetryLib.grid import require_same_grid
from RPTDosimetryLib.records import Voi

OverlapRule = Literal["count_in_both", "lesion_first", "smaller_first", "order"]
OVERLAP_RULES: Final[tuple[OverlapRule, ...]] = ("count_in_both", "lesion_first", "smaller_first", "order")
#: Neighbours share a few edge voxels; where they count in both it is said from this share of the smaller one.
SAID_OVERLAP: Final = 0.02


def resolve_overlaps(vois: Sequence[Voi], rule: OverlapRule) -> tuple[Voi, ...]:
    """The VOIs in their order; each whose mask changes says by how many mL and to whom.

    count_in_both: masks stay, overlaps are said. lesion_first: a lesion wins against an organ, of two of one kind the
    smaller one. smaller_first: the smaller one wins, whatever it is; of two alike the earlier. order: the earlier wins.
    After any rule but the first, no voxel is in two organs or lesions, and their union is what it was; except that an
    organ that includes its lesions (Voi.lesions "included", see lesions_in_organs) shares their voxels. Regions (whole
    body) are left alone. Raises ConfigurationError: unknown rule; GridMismatchError; VoiError: nothing is left of one.
    """
    if rule not in OVERLAP_RULES:
        raise ConfigurationError(f"Overlap rule {rule!r}: choose one of {', '.join(OVERLAP_RULES)}.")
    for voi in vois[1:]:
        require_same_grid(vois[0].grid, voi.grid, f"{voi.name} against {vois[0].name}")
    if rule == "count_in_both":
        return _said_where_in_both(vois)
    settled = {n: voi for n, voi in enumerate(vois) if voi.kind == "region"}
    owners: dict[str, NDArray[np.int32]] = {}
    for n in _by_precedence(vois, rule):
        settled[n] = _without_taken(vois, n, owners, rule)
        layer = owners.setdefault(_layer(vois[n]), np.full(vois[n].mask.shape, -1, dtype=np.int32))
        layer[settled[n].mask] = n
    return tuple(settled[n] for n in range(len(vois)))


def _by_precedence(vois: Sequence[Voi], rule: OverlapRule) -> list[int]:
    """Organs and lesions, the one that wins first; Python's sort keeps the order of those alike."""
    numbers = [n for n, voi in enumerate(vois) if voi.kind != "region"]
    if rule == "order":
        return numbers
    size = {n: int(np.count_nonzero(vois[n].mask)) for n in numbers}
    if rule == "smaller_first":
        return sorted(numbers, key=lambda n: size[n])
    return sorted(numbers, key=lambda n: (vois[n].kind != "lesion", size[n]))


def _layer(voi: Voi) -> str:
    """Lesions, organs that hold lesions, other organs: only the first two may share voxels."""
    if voi.kind == "lesion":
        return "lesion"
    return "organ with lesions" if voi.lesions == "included" else "organ"


def _without_taken(vois: Sequence[Voi], number: int, owners: dict[str, NDArray[np.int32]], rule: OverlapRule) -> Voi:
    """One VOI without the voxels of those that come before it."""
    voi = vois[number]
    may_share = {"lesion": "organ with lesions", "organ with lesions": "lesion"}.get(_layer(voi))
    mask, lost = voi.mask, []
    for layer, owner in owners.items():
        if layer == may_share:
            continue
        taken = owner[mask]
        taken_by = np.bincount(taken[taken >= 0], minlength=1)
        lost += [
            f"{taken_by[m] * voi.grid.voxel_volume_ml:.3g} mL to {vois[m].name}"
            for m in map(int, np.flatnonzero(taken_by))
        ]
        mask = mask & (owner < 0)
    if not lost:
        return voi
    text = f"{voi.name} gives up {', '.join(lost)} (overlap rule {rule})."
    if not mask.any():
        raise VoiError(f"Nothing is left of {voi.name}: it {text.removeprefix(voi.name + ' ')} Exclude one of them.")
    return replace(voi, mask=mask, warnings=(*voi.warnings, text))


def _said_where_in_both(vois: Sequence[Voi]) -> tuple[Voi, ...]:
    """Masks as they are, with the overlaps of organs and lesions that no choice of lesions in organs explains."""
    concerned = [voi for voi in vois if voi.kind != "region"]
    if len(concerned) < 2:
        return tuple(vois)
    layers = np.zeros(vois[0].mask.shape, dtype=np.uint16)
    for voi in concerned:
        layers += voi.mask
    shared = np.flatnonzero(layers.ravel() > 1)
    inside = [voi.mask.ravel()[shared] for voi in vois]
    size = [int(np.count_nonzero(voi.mask)) for voi in vois]
    said = []
    for n, voi in enumerate(vois):
        partners = []
        for m, other in enumerate(vois):
            if m == n or "region" in (voi.kind, other.kind) or {_layer(voi), _layer(other)} == _EXPLAINED:
                continue
            both = int(np.count_nonzero(inside[n] & inside[m]))
            if both > SAID_OVERLAP * min(size[n], size[m]):
                partners.append(f"{other.name} ({both * voi.grid.voxel_volume_ml:.3g} mL)")
        text = (f"{voi.name} overlaps {', '.join(partners)}: those voxels count in both.",) if partners else ()
        said.append(replace(voi, warnings=voi.warnings + text))
    return tuple(said)


_EXPLAINED: Final = {"lesion", "organ with lesions"}
