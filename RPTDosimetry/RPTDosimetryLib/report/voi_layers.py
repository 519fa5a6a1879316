"""All masks of a run in one file, whole although they overlap: a voxel is of volume n where a layer holds n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from RPTDosimetryLib.errors import ReportError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.grid import grid_of
from RPTDosimetryLib.records import Code, Review, Voi
from RPTDosimetryLib.vois.review import mask_sha256

LAYERS: Final = "voi_layers.nrrd"


def write_layers(vois: Sequence[Voi], path: Path) -> None:
    """A vector image of as few layers as the overlaps need; volumes are numbered from 1. Raises ReportError."""
    layers: list[NDArray[Any]] = []
    kind = np.uint8 if len(vois) < 256 else np.uint16
    for number, voi in enumerate(vois, start=1):
        free = next((layer for layer in layers if not layer[voi.mask].any()), None)
        if free is None:
            free = np.zeros(voi.grid.shape_zyx, dtype=kind)
            layers.append(free)
        free[voi.mask] = number
    image = sitk.GetImageFromArray(np.stack(layers, axis=-1), isVector=True)
    grid = vois[0].grid
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction)
    with whole_file(path) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=True)


def read_layers(path: Path, told: Sequence[Mapping[str, Any]]) -> tuple[Voi, ...]:
    """The volumes that a record lists, with their masks. Raises ReportError for a mask that is not the recorded one."""
    image = sitk.ReadImage(str(path))
    layers, grid = sitk.GetArrayFromImage(image), grid_of(image)
    if layers.ndim == 3:
        layers = layers[..., None]
    found = []
    for row in told:
        voi = _voi(row, (layers == row["label"]).any(axis=-1), grid)
        if mask_sha256(voi) != row["mask_sha256"]:
            raise ReportError(f"{path}: the mask of {voi.name} is not the one that the record was made with.")
        found.append(voi)
    return tuple(found)


def _voi(row: Mapping[str, Any], mask: NDArray[np.bool_], grid: Any) -> Voi:
    from datetime import datetime

    code, review = row["code"], row["review"]
    return Voi(
        name=row["name"],
        mask=mask,
        grid=grid,
        kind=row["kind"],
        source=row["source"],
        code=None if code is None else Code(code["value"], code["scheme"], code["meaning"], code["laterality"]),
        lesions=row["lesions"],
        review=None
        if review is None
        else Review(review["reviewer"], datetime.fromisoformat(review["time"]), review["comment"]),
    )
