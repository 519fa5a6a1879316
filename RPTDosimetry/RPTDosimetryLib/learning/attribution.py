"""Which input drove the correction, for networks that do not tell it themselves: input × gradient, a map an input.

    A_c(x) = (I_c(x) − air_c) · ∂ΣΔ/∂I_c(x)  [Gy],    Δ = dose − MSV, summed over all voxels, MSV as given

I_c: the maps that the network reads (CT numbers, activity, MSV), measured from air without activity (maps.OUTSIDE). A_c
stands where the input is, not where the dose changes; a voxel of +1 Gy raised the correction, summed over the body,
by 1 Gy. Of a network that is linear in its inputs without a constant the maps add up to ΣΔ; of others to what is left
when its constants are taken out. Shrikumar et al. 2017 (arXiv 1605.01713); Ancona et al. 2018 (arXiv 1711.06104).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from RPTDosimetryLib.learning.maps import OUTSIDE, Maps, padded
from RPTDosimetryLib.learning.network_registry import NetworkKind
from RPTDosimetryLib.learning.predict import SLICES, blend, shown_planes, window_boxes

#: Voxels of a window: a gradient keeps every layer's answer, so that far fewer fit than in prediction.
WINDOW: Final = 64**3
#: What a network only uses to cut its answer.
NOT_INPUTS: Final = ("tissue",)


def input_times_gradient(kind: NetworkKind, module: Any, maps: Maps) -> dict[str, Any]:
    """A_c (z, y, x) [Gy] by the name of the input, of one network; its windows are those of prediction, but smaller."""
    needed = {name: maps[name] for name in kind.needs}
    return _of_slices(kind, module, needed) if kind.dims == 2 else _of_windows(kind, module, needed)


def _of_slices(kind: NetworkKind, module: Any, maps: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    answer, device = _nothing(maps), maps["tissue"].device
    depth, ny, nx = maps["tissue"].shape[-3:]
    _, height, width = kind.rounded_up((1, ny, nx))
    rows, columns = shown_planes((ny, nx), (height, width))
    for start in range(0, depth, SLICES):
        box = (slice(start, min(start + SLICES, depth)), rows, columns)
        part = {name: values[(..., *box)].transpose(0, 1)[:, :, None] for name, values in maps.items()}
        size = (1, rows.stop - rows.start, columns.stop - columns.start)
        found = _gradients(kind, module, padded(part, (1, height, width)), torch.ones(size, device=device))
        for name, values in found.items():
            answer[name][box] += _inner(values, size)[:, 0, 0]
    return answer


def _of_windows(kind: NetworkKind, module: Any, maps: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    answer, shape = _nothing(maps), tuple(maps["tissue"].shape[-3:])
    boxes = list(window_boxes(shape, WINDOW))
    total = torch.zeros(shape, device=maps["tissue"].device)
    for box in boxes:
        total[box] += blend(box, shape, total.device)
    for box in boxes:
        size = tuple(s.stop - s.start for s in box)
        part = padded(
            {name: values[(..., *box)][None] for name, values in maps.items()},
            kind.rounded_up((size[0], size[1], size[2])),
        )
        weight = blend(box, shape, total.device) / total[box]
        found = _gradients(kind, module, part, weight)
        for name, values in found.items():
            answer[name][box] += _inner(values, size)[0, 0]
    return answer


def _nothing(maps: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    return {name: torch.zeros_like(maps["tissue"][0]) for name in maps if name not in NOT_INPUTS}


def _inner(values: Any, size_zyx: tuple[int, ...]) -> Any:
    """Without what was padded behind the last voxels."""
    return values[(..., *(slice(n) for n in size_zyx))]


def _gradients(kind: NetworkKind, module: Any, part: Mapping[str, Any], weight: Any) -> dict[str, Any]:
    """(I − air) · ∂Σ weight·Δ/∂I of every input of one window, its first axis the batch; weight (z, y, x)."""
    import torch

    inputs = {
        name: values if name in NOT_INPUTS else values.detach().clone().requires_grad_()
        for name, values in part.items()
    }
    names = [name for name in inputs if name not in NOT_INPUTS]
    with torch.enable_grad():
        delta = kind.dose(module, inputs)
        base = inputs.get("msv8")
        total = (_inner(delta if base is None else delta - base, weight.shape) * weight).sum()
        slopes = torch.autograd.grad(total, [inputs[name] for name in names], allow_unused=True)
    return {
        name: torch.zeros_like(part[name]) if slope is None else (part[name] - OUTSIDE.get(name, 0.0)) * slope
        for name, slope in zip(names, slopes, strict=True)
    }
