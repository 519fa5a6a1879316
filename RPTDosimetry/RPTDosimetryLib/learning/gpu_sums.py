"""Rays of electrons and ways between blocks on a CUDA device: the functions of the cores, compiled for it too.

Only loaded where numba can use the device: its CUDA target takes a second.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Final

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from RPTDosimetryLib.learning.electron_paths import Rays, Within, trace_voxel
from RPTDosimetryLib.learning.photon_transport import way_of_pair
from RPTDosimetryLib.transport import cuda_histories  # noqa: F401  the device's own way of booking, and min of three
from RPTDosimetryLib.transport.cuda_batch import on_device

#: Threads of a block.
BLOCK: Final = 128


def trace_on_gpu(tia: Any, density: Any, rays: Rays, within: Within) -> Any:
    """See trace_on_cores."""
    import torch

    score = torch.zeros((1, tia.numel()), dtype=torch.float64, device=tia.device)
    with _on(tia.device):
        launch_rays(tia.contiguous(), density.contiguous(), on_device(rays), on_device(within), score)
    return score.reshape(tia.shape)


def ways_on_gpu(
    index: Any, matter: Any, side_mm: NDArray[np.float64], near: NDArray[np.float64]
) -> tuple[Any, Any, Any]:
    """See Ways."""
    import torch

    n = index.shape[0]
    answer = torch.empty((3, n, n), dtype=torch.float32, device=matter.device)
    with _on(matter.device):
        launch_ways(index.contiguous(), matter.contiguous(), on_device(side_mm), on_device(near), answer)
    return answer[0], answer[1], answer[2]


def launch_rays(tia: Any, density: Any, rays: Any, within: Any, score: Any, threads: int = BLOCK) -> None:
    """Adds to score (1, voxel): a source voxel a thread. Arrays of the device, of torch or of numba."""
    _jit(rays_of_a_voxel)[-(-score.shape[1] // threads), threads](tia, density, rays, within, score)


def launch_ways(index: Any, matter: Any, side_mm: Any, near: Any, answer: Any, threads: int = BLOCK) -> None:
    """Fills answer (3, n, n): a pair of blocks a thread."""
    pairs = index.shape[0] * (index.shape[0] + 1) // 2
    _jit(way_of_a_pair)[-(-pairs // threads), threads](index, matter, side_mm, near, answer)


@cache
def _jit(function: Any) -> Any:
    return cuda.jit(function)


def rays_of_a_voxel(tia, density, rays, within, score):  # type: ignore[no-untyped-def]
    """What a thread does: all rays of one source voxel."""
    place = cuda.grid(1)
    if place < tia.size:
        _, ny, nx = tia.shape
        trace_voxel((place // (ny * nx), place // nx % ny, place % nx), tia, density, rays, within, score, 0)


def way_of_a_pair(index, matter, side_mm, near, answer):  # type: ignore[no-untyped-def]
    """What a thread does: one pair of blocks, counted row by row of the lower triangle."""
    place = cuda.grid(1)
    first = int((math.sqrt(8.0 * place + 1.0) - 1.0) * 0.5)
    while first * (first + 1) // 2 > place:
        first -= 1
    while (first + 1) * (first + 2) // 2 <= place:
        first += 1
    if first < index.shape[0]:
        way_of_pair(first, place - first * (first + 1) // 2, index, matter, side_mm, near, answer)


def _on(device: Any) -> AbstractContextManager[Any]:
    return nullcontext() if device.index is None else cuda.gpus[device.index]
