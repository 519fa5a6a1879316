"""The sums over rays and over pairs of blocks on a CUDA device: the functions of the cores, compiled for it too.

Only loaded where numba can use the device: its CUDA target takes a second.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Final

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from RPTDosimetryLib.learning.electron_paths import Rays, Within, trace_voxel
from RPTDosimetryLib.learning.far_photons import given_by_block
from RPTDosimetryLib.transport import cuda_histories  # noqa: F401  the device's own way of booking, and min of three
from RPTDosimetryLib.transport.cuda_batch import on_device
from RPTDosimetryLib.transport.scoring import book

#: Threads of a block.
BLOCK: Final = 128


def trace_on_gpu(tia: Any, density: Any, rays: Rays, within: Within) -> Any:
    """See trace_on_cores."""
    import torch

    score = torch.zeros((1, tia.numel()), dtype=torch.float64, device=tia.device)
    with _on(tia.device):
        launch_rays(tia.contiguous(), density.contiguous(), on_device(rays), on_device(within), score)
    return score.reshape(tia.shape)


def pairs_on_gpu(
    activity: Any, matter: Any, inside: Any, block_mm: NDArray[np.float64], table: NDArray[np.float64]
) -> NDArray[np.float64]:
    """See pairs_on_cores."""
    import torch

    score = torch.zeros((1, activity.numel()), dtype=torch.float64, device=activity.device)
    with _on(activity.device):
        activity, matter, inside = (values.contiguous() for values in (activity, matter, inside))
        launch_pairs(activity, matter, inside, on_device(block_mm), on_device(table), score)
    return np.asarray(score.reshape(activity.shape).cpu().numpy())


def launch_rays(tia: Any, density: Any, rays: Any, within: Any, score: Any, threads: int = BLOCK) -> None:
    """Adds to score (1, voxel): a source voxel a thread. Arrays of the device, of torch or of numba."""
    _jit(rays_of_a_voxel)[-(-score.shape[1] // threads), threads](tia, density, rays, within, score)


def launch_pairs(
    activity: Any, matter: Any, inside: Any, block_mm: Any, table: Any, score: Any, threads: int = BLOCK
) -> None:
    """Adds to score (1, block): the threads of a block share the sources of one target."""
    _jit(pairs_of_a_target)[score.shape[1], threads](activity, matter, inside, block_mm, table, score)


@cache
def _jit(function: Any) -> Any:
    return cuda.jit(function)


def rays_of_a_voxel(tia, density, rays, within, score):  # type: ignore[no-untyped-def]
    """What a thread does: all rays of one source voxel."""
    place = cuda.grid(1)
    if place < tia.size:
        _, ny, nx = tia.shape
        trace_voxel((place // (ny * nx), place // nx % ny, place % nx), tia, density, rays, within, score, 0)


def pairs_of_a_target(activity, matter, inside, block_mm, table, score):  # type: ignore[no-untyped-def]
    """What a thread does: its share of the sources of its block's target."""
    _, ny, nx = activity.shape
    place = cuda.blockIdx.x
    target = (place // (ny * nx), place // nx % ny, place % nx)
    if inside[target]:
        given = 0.0
        for other in range(cuda.threadIdx.x, activity.size, cuda.blockDim.x):
            source = (other // (ny * nx), other // nx % ny, other % nx)
            given += given_by_block(source, target, activity, matter, block_mm, table)
        book(score, 0, place, given)


def _on(device: Any) -> AbstractContextManager[Any]:
    return nullcontext() if device.index is None else cuda.gpus[device.index]
