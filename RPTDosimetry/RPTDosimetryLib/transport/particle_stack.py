"""Particles that wait for their turn within one history."""

from __future__ import annotations

from typing import Final

from RPTDosimetryLib.transport.compiled import compiled
from RPTDosimetryLib.transport.particle_moves import PARTICLE_COLUMNS

ELECTRON_KIND: Final = 1
PHOTON_KIND: Final = 2
#: Secondaries share the energy of their parent above cuts of 1 keV or more, so no history fills it.
STACK_SIZE: Final = 4096
#: Kind, energy [keV], then the particle.
STACK_COLUMNS: Final = 2 + PARTICLE_COLUMNS


@compiled()
def push(stack, count, kind, energy, particle, u, v, w):  # type: ignore[no-untyped-def]
    """Add a particle where another is, with its weight and part and a direction of its own; returns the new count."""
    stack[count, 0], stack[count, 1] = kind, energy
    for column in range(PARTICLE_COLUMNS):
        stack[count, 2 + column] = particle[column]
    stack[count, 5], stack[count, 6], stack[count, 7] = u, v, w
    return count + 1


@compiled()
def pop(stack, count, particle):  # type: ignore[no-untyped-def]
    """Take the last particle; returns its kind, its energy [keV] and the new count."""
    count -= 1
    for column in range(PARTICLE_COLUMNS):
        particle[column] = stack[count, 2 + column]
    return int(stack[count, 0]), stack[count, 1], count
