"""Many histories of activity in voxels."""

from __future__ import annotations

import numpy as np

from RPTDosimetryLib.transport.compiled import compiled
from RPTDosimetryLib.transport.emission import emitted_energy
from RPTDosimetryLib.transport.particle_moves import PART, PARTICLE_COLUMNS, WEIGHT, isotropic
from RPTDosimetryLib.transport.particle_stack import STACK_COLUMNS, STACK_SIZE, push
from RPTDosimetryLib.transport.point_histories import finish_stack
from RPTDosimetryLib.transport.random_numbers import start_history, uniform

#: Multiples of the golden section fill the unit interval evenly at any count, whatever the order of the voxels.
GOLDEN_SECTION = 0.6180339887498949


@compiled()
def run_voxel_source(kind, part, emission, chunk, source, electrons, photons, angles, scene, seed, score):  # type: ignore[no-untyped-def]
    """Add one chunk of histories to the score (part, voxel) [keV]; returns the energy emitted [keV].

    chunk: (first history, one after the last, histories of the batch). source: (flat voxel indices, cumulative share of
    the decays). Voxels are stratified in their order, energies by the golden section with a shift of the batch.
    """
    rng = np.zeros(1, np.uint64)
    stack = np.zeros((STACK_SIZE, STACK_COLUMNS))
    particle = np.zeros(PARTICLE_COLUMNS)
    voxels, cumulative = source
    start_history(rng, seed, -1)
    shift = uniform(rng)
    at = np.searchsorted(cumulative, chunk[0] / chunk[2])
    emitted = 0.0
    for history in range(chunk[0], chunk[1]):
        start_history(rng, seed, history)
        wanted = (history + uniform(rng)) / chunk[2]
        while at < voxels.size - 1 and cumulative[at] < wanted:
            at += 1
        energy = emitted_energy((shift + GOLDEN_SECTION * history) % 1.0, emission)
        emitted += energy
        cell = voxels[at]
        particle[0] = (cell % scene.nx + uniform(rng)) * scene.dx
        particle[1] = (cell // scene.nx % scene.ny + uniform(rng)) * scene.dy
        particle[2] = (cell // (scene.nx * scene.ny) + uniform(rng)) * scene.dz
        u, v, w = isotropic(rng)
        particle[WEIGHT], particle[PART] = 1.0, part
        count = push(stack, 0, kind, energy, particle, u, v, w)
        finish_stack(stack, count, particle, electrons, photons, angles, scene, score, rng)
    return emitted
