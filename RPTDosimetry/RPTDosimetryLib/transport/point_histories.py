"""Many histories of an isotropic point source in an endless uniform medium."""

from __future__ import annotations

import numpy as np

from RPTDosimetryLib.transport.compiled import compiled
from RPTDosimetryLib.transport.electron_transport import transport_electron
from RPTDosimetryLib.transport.emission import emitted_energy, stratified
from RPTDosimetryLib.transport.particle_moves import isotropic
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, STACK_COLUMNS, STACK_SIZE, push
from RPTDosimetryLib.transport.photon_transport import transport_photon
from RPTDosimetryLib.transport.random_numbers import start_history


@compiled()
def finish_stack(stack, count, place, electrons, photons, angles, scene, score, rng):  # type: ignore[no-untyped-def]
    """Transport whatever waits on the stack, and what that sets free; place is room for one particle."""
    while count > 0:
        count -= 1
        energy, part = stack[count, 1], int(stack[count, 2])
        for column in range(6):
            place[column] = stack[count, 3 + column]
        if stack[count, 0] == ELECTRON_KIND:
            count = transport_electron(energy, place, part, electrons, angles, scene, score, stack, count, rng)
        else:
            count = transport_photon(energy, place, part, photons, electrons, scene, score, stack, count, rng)


@compiled()
def run_point_source(kind, part, emission, chunk, electrons, photons, angles, scene, seed, score):  # type: ignore[no-untyped-def]
    """Add one chunk of histories to the score (part, shell) [keV]; returns the energy emitted [keV].

    chunk: (first history, one after the last, histories of the whole batch); emission is stratified over the batch.
    """
    rng = np.zeros(1, np.uint64)
    stack = np.zeros((STACK_SIZE, STACK_COLUMNS))
    place = np.zeros(6)
    emitted = 0.0
    for history in range(chunk[0], chunk[1]):
        start_history(rng, seed, history)
        energy = emitted_energy(stratified(history, chunk[2], rng), emission)
        emitted += energy
        place[:] = 0.0
        u, v, w = isotropic(rng)
        count = push(stack, 0, kind, energy, part, place, u, v, w)
        finish_stack(stack, count, place, electrons, photons, angles, scene, score, rng)
    return emitted
