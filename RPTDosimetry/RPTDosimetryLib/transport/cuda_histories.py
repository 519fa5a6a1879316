"""Histories of activity in voxels, one a thread on a GPU: the same functions, tables and random numbers as on a core.

Numba compiles the functions of the transport for the device too; what is another there is how energy is booked (with
atomic additions), how a history finds its voxel (bisection), and the order in which threads take histories.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
from numba import config, cuda
from numba.extending import overload

from RPTDosimetryLib.transport.compiled import compiled, inlined
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, STACK_COLUMNS
from RPTDosimetryLib.transport.scoring import book
from RPTDosimetryLib.transport.voxel_histories import (
    batch_shift,
    electron_history,
    energy_of,
    history_begun,
    photon_history,
)

#: Threads of a warp do everything together, so they get histories of about the same energy: this many histories apart,
#: a Fibonacci number, energies differ by 1/(√5·987) of the spectrum, because they follow the golden section.
WARP: Final = 32
ALIKE: Final = 987
#: With 128 registers a thread a multiprocessor of 65536 holds 512 threads; without the limit they use up to 166.
MOST_REGISTERS: Final = 128
#: Sums of a batch: energy booked [keV], particles that found no room on the stack.
BOOKED, LOST = 0, 1
N_SUMS: Final = 2


@overload(book, target="cuda")
def _book_among_many(score, part, cell, energy):  # type: ignore[no-untyped-def]
    def implementation(score, part, cell, energy):  # type: ignore[no-untyped-def]
        cuda.atomic.add(score, (part, cell), energy)

    return implementation


@overload(min, target="cuda", strict=False)
def _least(*values):  # type: ignore[no-untyped-def]
    """Numba's own min and max take any number of values, which its CUDA target cannot compile (0.68)."""
    return {2: _least_of_two, 3: _least_of_three, 6: _least_of_six}.get(len(values))


@overload(max, target="cuda", strict=False)
def _largest(*values):  # type: ignore[no-untyped-def]
    return _larger if len(values) == 2 else None


def _least_of_two(a, b):  # type: ignore[no-untyped-def]
    return b if b < a else a


def _least_of_three(a, b, c):  # type: ignore[no-untyped-def]
    least = min(a, b)
    return min(least, c)


def _least_of_six(a, b, c, d, e, f):  # type: ignore[no-untyped-def]
    least, other = min(a, b, c), min(d, e, f)
    return min(least, other)


def _larger(a, b):  # type: ignore[no-untyped-def]
    return b if b > a else a


@inlined()
def taken_in_turn(place, count):  # type: ignore[no-untyped-def]
    """Which of ``count`` histories has a place in the row of threads: each exactly one."""
    block = place // (WARP * ALIKE) * (WARP * ALIKE)
    if block + WARP * ALIKE > count:
        return place
    inside = place - block
    return block + inside // WARP + inside % WARP * ALIKE


@compiled()
def row_reaching(wanted, cumulative):  # type: ignore[no-untyped-def]
    """First row whose cumulative share is not below the wanted one; the last where none is."""
    low, high = 0, cumulative.size - 1
    while low < high:
        middle = (low + high) // 2
        if cumulative[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def device_function(kind: int, room: int) -> Callable[..., None]:
    """What each thread does for histories of one kind of particle, with room for so many waiting particles.

    f(emission, histories, source, tables, score, sums): adds to score (part, voxel) [keV] and sums (BOOKED, LOST).
    """
    followed = electron_history if kind == ELECTRON_KIND else photon_history
    rows = room + 1  # the last one counts

    def histories_of_a_thread(emission, histories, source, tables, score, sums):  # type: ignore[no-untyped-def]
        stack = cuda.local.array((rows, STACK_COLUMNS), np.float64)
        rng = cuda.local.array(1, np.uint64)
        stack[room, 0] = 0.0
        shift = batch_shift(histories.seed, rng)
        booked = 0.0
        count = histories.end - histories.first
        for place in range(cuda.grid(1), count, cuda.gridsize(1)):
            history = histories.first + taken_in_turn(place, count)
            at = row_reaching(history_begun(history, histories, rng), source.cumulative)
            energy = energy_of(history, shift, emission)
            booked += followed(energy, source.voxel[at], source.weight[at], tables, score, stack, rng)
        if booked > 0.0:
            cuda.atomic.add(sums, BOOKED, booked)
        if stack[room, 0] > 0.0:
            cuda.atomic.add(sums, LOST, stack[room, 0])

    return histories_of_a_thread


@cache
def kernel(kind: int, room: int) -> Any:
    """device_function, to be compiled for the device that is there at its first launch."""
    options = {} if config.ENABLE_CUDASIM else {"max_registers": MOST_REGISTERS}
    return cuda.jit(**options)(device_function(kind, room))
