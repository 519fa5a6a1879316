"""A label map of any grid on the dose grid, each label with its volume."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.vois.contours import mask_of_same_volume
from RPTDosimetryLib.vois.share import share_on


def labels_on(labels: Image, onto: Grid) -> NDArray[np.int32]:
    """Label of each voxel of ``onto`` (0 = none).

    Each label takes the voxels it fills most, as many as its volume asks for (see mask_of_same_volume: a plain majority
    would lose several percent of small structures); a voxel asked for twice goes to the label that fills more of it. On
    the same grid the labels themselves. Raises VoiError for labels that are not whole numbers of 0 or more.
    """
    whole = np.rint(labels.voxels).astype(np.int32)
    if whole.min() < 0 or (labels.voxels.dtype.kind == "f" and not np.allclose(whole, labels.voxels, atol=1e-3)):
        raise VoiError("The label map holds negative or broken numbers: whole labels from 0 are needed.")
    if labels.grid.same_as(onto):
        return whole
    most = np.zeros(onto.shape_zyx, dtype=np.float32)
    result = np.zeros(onto.shape_zyx, dtype=np.int32)
    for number, box in enumerate(ndimage.find_objects(whole), start=1):
        if box is None:
            continue
        share = _share(whole, labels.grid, (number, box), onto)
        inside_ml = float(share.sum(dtype=np.float64)) * onto.voxel_volume_ml
        taken = mask_of_same_volume(share, onto.voxel_volume_ml, inside_ml) & (share > most)
        result[taken], most[taken] = number, share[taken]
    return result


def label_volumes_ml(labels: Image) -> Mapping[int, float]:
    """Volume of each label on its own grid [mL]."""
    numbers, counts = np.unique(np.rint(labels.voxels).astype(np.int64), return_counts=True)
    volume_ml = labels.grid.voxel_volume_ml
    return {int(n): float(c) * volume_ml for n, c in zip(numbers, counts, strict=True) if n != 0}


def _share(
    whole: NDArray[np.int32], grid: Grid, label: tuple[int, tuple[slice, ...]], onto: Grid
) -> NDArray[np.float32]:
    """Share of each voxel of ``onto`` that one label fills, from the label's bounding box only."""
    number, box = label
    corner = (grid.lps_from_ijk @ [box[2].start, box[1].start, box[0].start, 1.0])[:3]
    part = whole[box] == number
    return share_on(part, Grid(part.shape, grid.spacing_mm, (corner[0], corner[1], corner[2]), grid.direction), onto)
