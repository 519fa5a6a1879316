"""Many histories of an isotropic point source in an endless uniform medium."""

from __future__ import annotations

import numpy as np

from RPTDosimetryLib.transport.compiled import compiled
from RPTDosimetryLib.transport.electron_transport import transport_electron
from RPTDosimetryLib.transport.emission import emitted_energy, stratified
from RPTDosimetryLib.transport.particle_moves import PART, PARTICLE_COLUMNS, WEIGHT, isotropic
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, STACK_COLUMNS, STACK_SIZE, pop, push
from RPTDosimetryLib.transport.photon_transport import transport_photon
from RPTDosimetryLib.transport.random_numbers import start_history


@compiled()
def finish_stack(stack, count, particle, electrons, photons, angles, scene, score, rng):  # type: ignore[no-untyped-def]
    """Transport whatever waits on the stack, and what that sets free; particle is room for one."""
    while count > 0:
        kind, energy, count = pop(stack, count, particle)
        if kind == ELECTRON_KIND:
            count = transport_electron(energy, particle, electrons, angles, scene, score, stack, count, rng)
        else:
            count = transport_photon(energy, particle, photons, electrons, scene, score, stack, count, rng)


@compiled()
def run_point_source(kind, part, emission, chunk, electrons, photons, angles, scene, seed, score):  # type: ignore[no-untyped-def]
    """Add one chunk of histories to the score (part, shell) [keV]; returns the energy emitted [keV].

    chunk: (first history, one after the last, histories of the whole batch); emission is stratified over the batch.
    """
    rng = np.zeros(1, np.uint64)
    stack = np.zeros((STACK_SIZE, STACK_COLUMNS))
    particle = np.zeros(PARTICLE_COLUMNS)
    emitted = 0.0
    for history in range(chunk[0], chunk[1]):
        start_history(rng, seed, history)
        energy = emitted_energy(stratified(history, chunk[2], rng), emission)
        emitted += energy
        particle[:6] = 0.0
        u, v, w = isotropic(rng)
        particle[WEIGHT], particle[PART] = 1.0, part
        count = push(stack, 0, kind, energy, particle, u, v, w)
        finish_stack(stack, count, particle, electrons, photons, angles, scene, score, rng)
    return emitted
