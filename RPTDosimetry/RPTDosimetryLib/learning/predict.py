"""A network applied to a whole patient: at once where memory allows, otherwise in windows that are blended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Final

from RPTDosimetryLib.learning.maps import Maps, padded
from RPTDosimetryLib.learning.network_registry import NetworkKind
from RPTDosimetryLib.records import Cancelled, never

#: Axial slices that a 2-D network takes at once; voxels that a 3-D one takes at once; overlap of windows (a side).
SLICES, LARGEST_WINDOW, OVERLAP = 16, 1_000_000, 24
#: Smallest window a side before an out-of-memory error is handed on.
SMALLEST_SIDE: Final = 64


def predicted(
    kind: NetworkKind, module: Any, maps: Maps, largest: int = LARGEST_WINDOW, cancelled: Cancelled = never
) -> tuple[Any, Any, tuple[str, ...]]:
    """(dose, its electron correction or None, what had to be said), (z, y, x) [Gy] each.

    Out of memory halves the windows, and says so.
    """
    import torch

    said: tuple[str, ...] = ()
    needed = {name: maps[name] for name in kind.needs}
    while True:
        try:
            with torch.inference_mode():
                answer = _slices(kind, module, needed) if kind.dims == 2 else _windows(kind, module, needed, largest)
            return answer[0], answer[1], said
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not _is_memory(error) or largest < SMALLEST_SIDE**3:
                raise
            largest //= 2
            said = (f"Memory was short: the network was applied in windows of at most {largest} voxels.",)


def _is_memory(error: Exception) -> bool:
    return "out of memory" in str(error).lower() or "can't allocate memory" in str(error).lower()


def _slices(kind: NetworkKind, module: Any, maps: Mapping[str, Any]) -> tuple[Any, Any]:
    """Slice by slice; a slice larger than the network's only size is cut around its middle, where it is MSV outside."""
    import torch

    nz, ny, nx = maps["tissue"].shape[-3:]
    _, height, width = kind.rounded_up((1, ny, nx))
    dose = (maps["msv8"][0] if "msv8" in maps else torch.zeros_like(maps["tissue"][0])).clone()
    rows, columns = shown_planes((ny, nx), (height, width))
    for start in range(0, nz, SLICES):
        planes = slice(start, min(start + SLICES, nz))
        part = {name: v[:, planes, rows, columns].transpose(0, 1)[:, :, None] for name, v in maps.items()}
        answer = kind.dose(module, padded(part, (1, height, width)))
        inner = answer[:, 0, 0, : rows.stop - rows.start, : columns.stop - columns.start]
        dose[planes, rows, columns] = inner
    return dose, None


def shown_planes(here_yx: tuple[int, int], size_yx: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns around the middle of a slice that a network of that size sees."""
    (ny, nx), (height, width) = here_yx, size_yx
    top, left = max(0, (ny - height) // 2), max(0, (nx - width) // 2)
    return slice(top, min(ny, top + height)), slice(left, min(nx, left + width))


def _windows(kind: NetworkKind, module: Any, maps: Mapping[str, Any], largest: int) -> tuple[Any, Any]:
    import torch

    shape = tuple(maps["tissue"].shape[-3:])
    dose = torch.zeros(shape, device=maps["tissue"].device)
    electron = None if kind.dose_and_electrons is None else torch.zeros_like(dose)
    total = torch.zeros_like(dose)
    for box in window_boxes(shape, largest):
        size = tuple(s.stop - s.start for s in box)
        part = {name: values[(..., *box)][None] for name, values in maps.items()}
        part = padded(part, kind.rounded_up((size[0], size[1], size[2])))
        inner = tuple(slice(n) for n in size)
        weight = blend(box, shape, dose.device)
        if electron is None or kind.dose_and_electrons is None:
            found = kind.dose(module, part)
        else:
            found, electrons = kind.dose_and_electrons(module, part)
            electron[box] += weight * electrons[0, 0][inner]
        dose[box] += weight * found[0, 0][inner]
        total[box] += weight
    return dose / total, None if electron is None else electron / total


def window_boxes(shape: tuple[int, ...], largest: int) -> Iterator[tuple[slice, slice, slice]]:
    """Overlapping boxes of at most about ``largest`` voxels that cover the shape; one box where it fits."""
    sides = list(shape)
    while sides[0] * sides[1] * sides[2] > largest and max(sides) > SMALLEST_SIDE:
        longest = sides.index(max(sides))
        sides[longest] = max(SMALLEST_SIDE, (sides[longest] + 1) // 2 + OVERLAP // 2)
    starts = []
    for n, side in zip(shape, sides, strict=True):
        step = max(side - OVERLAP, 1)
        count = 1 if side >= n else -(-(n - side) // step) + 1
        starts.append([round(i * (n - side) / max(count - 1, 1)) for i in range(count)])
    for z, y, x in product(*starts):
        yield slice(z, z + sides[0]), slice(y, y + sides[1]), slice(x, x + sides[2])


def blend(box: tuple[slice, ...], shape: tuple[int, ...], device: Any) -> Any:
    """Weights of a window: 1 inside, falling linearly towards faces that other windows overlap, never 0."""
    import torch

    ramps = []
    for part, n in zip(box, shape, strict=True):
        size = part.stop - part.start
        place = torch.arange(size, device=device, dtype=torch.float32)
        ramp = torch.ones(size, device=device)
        if part.start > 0:
            ramp = torch.minimum(ramp, (place + 1.0) / OVERLAP)
        if part.stop < n:
            ramp = torch.minimum(ramp, (size - place) / OVERLAP)
        ramps.append(ramp)
    return ramps[0][:, None, None] * ramps[1][None, :, None] * ramps[2][None, None, :]
