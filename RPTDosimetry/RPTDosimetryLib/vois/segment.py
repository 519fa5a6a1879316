"""A segment of a SEG as a volume of interest: its mask on another grid, of the same volume."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

import numpy as np

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Segment, Voi
from RPTDosimetryLib.vois.contours import mask_of_same_volume
from RPTDosimetryLib.vois.names import code_of
from RPTDosimetryLib.vois.share import share_on

#: Share of a segment outside the image, and change of its volume, from which it is said.
SAID_FROM: Final = 0.005
CHANGED_VOLUME: Final = 0.05


def voi_from_segment(segment: Segment, grid: Grid, source: str, kind: Literal["organ", "lesion", "region"]) -> Voi:
    """The voxels of ``grid`` that the segment fills most, as many as its volume asks for.

    Raises VoiError when the segment lies outside the grid or is smaller than half a voxel of it.
    """
    own_ml = float(np.count_nonzero(segment.mask)) * segment.grid.voxel_volume_ml
    if own_ml == 0:
        raise VoiError(f"{source}: segment {segment.name} is empty. Draw it again, or exclude it.")
    share = share_on(segment.mask, segment.grid, grid)
    inside_ml = float(share.sum(dtype=np.float64)) * grid.voxel_volume_ml
    outside = max(0.0, 1.0 - inside_ml / own_ml)
    if outside > 0.999:
        raise VoiError(
            f"{source}: segment {segment.name} lies outside the dose grid. Check its frame of reference, or exclude it."
        )
    mask = mask_of_same_volume(share, grid.voxel_volume_ml, inside_ml)
    if not mask.any():
        raise VoiError(
            f"{source}: segment {segment.name} holds {own_ml:.2g} mL, less than half a voxel of the dose grid "
            f"({grid.voxel_volume_ml:.2g} mL): its mask is empty. Exclude it, or use a finer grid."
        )
    voi = Voi(segment.name, mask, grid, kind, source, code=segment.code or code_of(segment.name))
    return _said(voi, own_ml, outside)


def _said(voi: Voi, own_ml: float, outside: float) -> Voi:
    if outside > SAID_FROM:
        text = f"{voi.name}: {100 * outside:.1f} % of its volume lies outside the image and is left out."
        return replace(voi, warnings=(*voi.warnings, text))
    change = voi.volume_ml / own_ml - 1.0
    if abs(change) > CHANGED_VOLUME:
        text = f"{voi.name}: the dose grid changes its volume by {100 * change:+.0f} % ({own_ml:.3g} mL as drawn)."
        return replace(voi, warnings=(*voi.warnings, text))
    return voi
