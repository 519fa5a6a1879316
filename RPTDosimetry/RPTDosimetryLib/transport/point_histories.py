"""Many histories of an isotropic point source in an endless uniform medium."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.transport.angles import isotropic
from RPTDosimetryLib.transport.compiled import compiled
from RPTDosimetryLib.transport.electron_transport import transport_electron
from RPTDosimetryLib.transport.emission import emitted_energy, stratified
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, STACK_COLUMNS, STACK_SIZE, Particle, push, top
from RPTDosimetryLib.transport.photon_transport import transport_photon
from RPTDosimetryLib.transport.random_numbers import start_history, uniform


@compiled()
def finish_stack(stack, count, electrons, photons, angles, scene, score, rng):  # type: ignore[no-untyped-def]
    """Transport whatever waits on the stack, and what that sets free."""
    while count > 0:
        kind, energy, particle = top(stack, count)
        count -= 1
        if kind == ELECTRON_KIND:
            brems_left = -math.log(uniform(rng))
            count = transport_electron(energy, particle, brems_left, electrons, angles, scene, score, stack, count, rng)
        else:
            count = transport_photon(energy, particle, photons, electrons, scene, score, stack, count, rng)


def room_for_histories() -> tuple[NDArray[np.float64], NDArray[np.uint64]]:
    """Stack and random state of one thread: compiled code allocates nothing."""
    return np.zeros((STACK_SIZE, STACK_COLUMNS)), np.zeros(1, np.uint64)


@compiled()
def run_point_source(kind, part, emission, chunk, electrons, photons, angles, scene, seed, score, stack, rng):  # type: ignore[no-untyped-def]
    """Add one chunk of histories to the score (part, shell) [keV]; returns the energy emitted [keV].

    chunk: (first history, one after the last, histories of the whole batch); emission is stratified over the batch.
    stack, rng: room to work in (room_for_histories).
    """
    emitted = 0.0
    for history in range(chunk[0], chunk[1]):
        start_history(rng, seed, history)
        energy = emitted_energy(stratified(history, chunk[2], rng), emission)
        emitted += energy
        u, v, w = isotropic(rng)
        count = push(stack, 0, kind, energy, Particle(0.0, 0.0, 0.0, u, v, w, 1.0, part))
        finish_stack(stack, count, electrons, photons, angles, scene, score, rng)
    return emitted
