"""Many histories of an isotropic point source in an endless uniform medium."""

from __future__ import annotations

import numba
import numpy as np

from RPTDosimetryLib.transport.electron_transport import transport_electron
from RPTDosimetryLib.transport.emission import emitted_energy, stratified
from RPTDosimetryLib.transport.particle_moves import isotropic
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, STACK_SIZE
from RPTDosimetryLib.transport.photon_transport import transport_photon
from RPTDosimetryLib.transport.random_numbers import start_history


@numba.njit(cache=True, nogil=True)
def finish_stack(stack, count, electrons, photons, angles, scene, score, place, direction, rng):  # type: ignore[no-untyped-def]
    """Transport whatever waits on the stack, and what that sets free."""
    while count > 0:
        count -= 1
        row = stack[count]
        kind, energy, part = int(row[0]), row[1], int(row[8])
        for axis in range(3):
            place[axis] = row[2 + axis]
            direction[axis] = row[5 + axis]
        if kind == ELECTRON_KIND:
            count = transport_electron(
                energy, place, direction, part, electrons, angles, scene, score, stack, count, rng
            )
        else:
            count = transport_photon(
                energy, place, direction, part, photons, electrons, scene, score, stack, count, rng
            )


@numba.njit(cache=True, nogil=True)
def run_point_source(kind, part, emission, chunk, electrons, photons, angles, scene, seed, score):  # type: ignore[no-untyped-def]
    """Add one chunk of histories to the score (part, shell) [keV]; returns the energy emitted [keV].

    chunk: (first history, one after the last, histories of the whole batch); emission is stratified over the batch.
    """
    rng = np.zeros(1, np.uint64)
    stack = np.zeros((STACK_SIZE, 9))
    place, direction = np.zeros(3), np.zeros(3)
    emitted = 0.0
    for history in range(chunk[0], chunk[1]):
        start_history(rng, seed, history)
        energy = emitted_energy(stratified(history, chunk[2], rng), emission, rng)
        emitted += energy
        place[:] = 0.0
        isotropic(direction, rng)
        row = stack[0]
        row[0], row[1], row[8] = kind, energy, part
        row[2:5] = place
        row[5:8] = direction
        finish_stack(stack, 1, electrons, photons, angles, scene, score, place, direction, rng)
    return emitted
