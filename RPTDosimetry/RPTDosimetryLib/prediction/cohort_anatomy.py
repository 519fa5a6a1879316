"""The cohort's virtual bodies as theranostic anatomies: the men among its kinds, lesions by site, slices of 128×128."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.learning.cohort import CohortPatient, draw_patient
from RPTDosimetryLib.physics.hounsfield import AIR_HU
from RPTDosimetryLib.prediction.theranostic_anatomy import (
    COMMON_COLUMNS,
    LABELS,
    PAINTED_MM,
    SUB_TISSUE_GRAIN_MM,
    TRUNK_SHARE,
    TheranosticAnatomy,
)
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.virtual_patient.appearance import smooth_noise

#: Kinds of the cohort that a therapy of prostate cancer meets; the last two are unlike what predictors learn from.
COHORT_KINDS: Final = ("male", "obese", "slim", "kyphoscoliosis", "sclerotic")
#: Arms, where they lie beside the trunk: 2 × 5 % of the body's mass (Winter 2009, table 4.1).
ARMS_SHARE: Final = 0.10
#: In this order, so that a later one has the voxels that two share.
_ORGANS: Final = (
    ("gut", "bowel"), ("bones", "bone"), ("marrow", "marrow"), ("lungs", "lungs"), ("heart", "heart"),
    ("liver", "liver"), ("spleen", "spleen"), ("pancreas", "pancreas"), ("bladder", "bladder"),
    ("kidney_left", "kidney_left"), ("kidney_right", "kidney_right"),
)  # fmt: skip


def cohort_anatomy(kind: str, seed: int) -> TheranosticAnatomy:
    """The body of a kind and a seed of the cohort, its own uptake left aside. Raises StudyError for no such kind."""
    drawn = draw_patient(kind, seed)
    grid, place, part = _in_field(drawn.grid)
    hu = np.full(grid.shape_zyx, AIR_HU, dtype=np.float32)
    hu[place] = drawn.hu[part]
    labels = np.zeros(grid.shape_zyx, dtype=np.uint8)
    labels[place] = _labels(drawn)[part]
    second = smooth_noise(grid, SUB_TISSUE_GRAIN_MM, np.random.default_rng([seed, 3])) > 0
    mass_kg = (
        float(drawn.density_g_per_cm3[drawn.vois["whole_body"]].sum(dtype=np.float64)) * grid.voxel_volume_ml / 1e3
    )
    length_mm = grid.shape_zyx[0] * grid.spacing_mm[2]
    share = TRUNK_SHARE * length_mm / PAINTED_MM + (ARMS_SHARE if drawn.drawn["body"].get("arms_down") else 0.0)
    return TheranosticAnatomy(Image(hu, grid, "HU"), labels, second, mass_kg / share, kind, drawn.source)


def _labels(drawn: CohortPatient) -> NDArray[np.uint8]:
    labels = drawn.vois["whole_body"].astype(np.uint8)  # LABELS["rest_of_body"] is 1
    for voi, organ in _ORGANS:
        if voi in drawn.vois:
            labels[drawn.vois[voi]] = LABELS[organ]
    for name, kind in drawn.kinds.items():
        if kind == "lesion":
            labels[drawn.vois[name]] = LABELS["lesion_bone" if "bone" in name else "lesion_soft"]
    return labels


def _in_field(grid: Grid) -> tuple[Grid, tuple[slice, slice, slice], tuple[slice, slice, slice]]:
    """Slices of 128×128 voxels about the same middle, where the given grid lies in them, and what of it does.

    Arms beside a broad trunk may lie outside the field of view, as they do in a scanner's.
    """
    (place_j, part_j), (place_i, part_i) = (_overlap(n) for n in grid.shape_zyx[1:])
    x, y, z = grid.origin_mm
    sx, sy, _ = grid.spacing_mm
    origin = (x + (part_i.start - place_i.start) * sx, y + (part_j.start - place_j.start) * sy, z)
    wide = Grid((grid.shape_zyx[0], COMMON_COLUMNS, COMMON_COLUMNS), grid.spacing_mm, origin, grid.direction)
    return wide, (slice(None), place_j, place_i), (slice(None), part_j, part_i)


def _overlap(count: int) -> tuple[slice, slice]:
    """Where ``count`` voxels lie in 128 about the same middle, and which of them do."""
    length = min(count, COMMON_COLUMNS)
    place, part = (COMMON_COLUMNS - length) // 2, (count - length) // 2
    return slice(place, place + length), slice(part, part + length)
