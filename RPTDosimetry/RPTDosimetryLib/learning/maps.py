"""The maps of a patient that networks read, as torch tensors (channel, z, y, x) float32 by name.

hu [HU], density [g/cm³], tia [Bq·s per voxel], msv8 and photon_msv [Gy] (the dose by MSV-8 and its photon part alone),
medium (index into the scheme's media), tissue (1 where there is a dose, 0 in air), electrons [Gy] (electron_paths.py),
bands [Gy] (photon_bands.py), photons [Gy] (photon_transport.py); for training also mc and mc_se [Gy] and vois (one
channel a volume, 0 or 1, uint8).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from RPTDosimetryLib.learning.photon_bands import DIRECTIONAL, SCALAR

#: Tensors by name; torch is imported where they are made.
Maps = Mapping[str, Any]
#: What lies outside the image: air without activity.
OUTSIDE: Final[Mapping[str, float]] = {"hu": -1000.0, "density": 1.21e-3}


def cropped(maps: Maps, box: tuple[slice, slice, slice]) -> dict[str, Any]:
    """The part of all maps inside a box of (z, y, x)."""
    return {name: values[(..., *box)] for name, values in maps.items()}


def padded(maps: Maps, shape_zyx: tuple[int, int, int]) -> dict[str, Any]:
    """All maps at least as large as shape_zyx: air is put behind their last voxels."""
    import torch

    here = next(iter(maps.values())).shape[-3:]
    missing = [max(0, wanted - n) for wanted, n in zip(shape_zyx, here, strict=True)]
    if not any(missing):
        return dict(maps)
    behind = (0, missing[2], 0, missing[1], 0, missing[0])
    return {name: torch.nn.functional.pad(v, behind, value=OUTSIDE.get(name, 0.0)) for name, v in maps.items()}


def body_box(tissue: Any, margin: int = 2) -> tuple[slice, slice, slice]:
    """The smallest box (z, y, x) around all tissue with a margin of voxels of air where there is room."""
    import torch

    box = []
    for axis in range(3):
        others = [a for a in (-3, -2, -1) if a != axis - 3]
        inside = torch.nonzero(tissue.reshape(tissue.shape[-3:]).amax(dim=others) > 0).flatten()
        first, last = (int(inside[0]), int(inside[-1])) if len(inside) else (0, tissue.shape[axis - 3] - 1)
        box.append(slice(max(0, first - margin), last + 1 + margin))
    return box[0], box[1], box[2]


def turned(maps: Maps, flipped: tuple[bool, bool, bool], swap_yx: bool = False) -> dict[str, Any]:
    """All maps mirrored along z, y, x and, with swap_yx, with y and x exchanged: exact symmetries of the physics.

    The directional parts of the bands turn as vectors.
    """
    axes = [axis - 3 for axis in range(3) if flipped[axis]]
    answer = {}
    for name, given in maps.items():
        values = given.flip(axes) if axes else given
        if name == "bands":
            values = _vectors_turned(values, flipped, swap_yx)
        answer[name] = values.transpose(-1, -2) if swap_yx else values
    return answer


def _vectors_turned(bands: Any, flipped: tuple[bool, bool, bool], swap_yx: bool) -> Any:
    import torch

    order = (0, 2, 1) if swap_yx else (0, 1, 2)
    channels = list(range(SCALAR))
    signs = [1.0] * SCALAR
    for band in range(DIRECTIONAL):
        for component in order:
            channels.append(SCALAR + 3 * band + component)
            signs.append(-1.0 if flipped[component] else 1.0)
    sign = torch.tensor(signs, dtype=bands.dtype, device=bands.device).reshape(-1, 1, 1, 1)
    return bands[..., channels, :, :, :] * sign
