"""Particles, and those that wait for their turn within one history."""

from __future__ import annotations

from typing import Final, NamedTuple

from RPTDosimetryLib.errors import TransportError
from RPTDosimetryLib.transport.compiled import inlined

ELECTRON_KIND: Final = 1
PHOTON_KIND: Final = 2
#: Secondaries share the energy of their parent above cuts of 1 keV or more, so no history fills it. The last row holds
#: none of them: its first column counts the particles that found no room.
STACK_SIZE: Final = 4096
#: Kind, energy [keV], then the particle.
STACK_COLUMNS: Final = 10


class Particle(NamedTuple):
    """Place [cm], direction, statistical weight, and the part of the score it belongs to."""

    x: float
    y: float
    z: float
    u: float
    v: float
    w: float
    weight: float
    part: int


@inlined()
def push(stack, count, kind, energy, particle):  # type: ignore[no-untyped-def]
    """Add a particle; returns the new count. One that finds no room is lost, and counted in the last row."""
    last = stack.shape[0] - 1
    if count >= last:
        stack[last, 0] += 1.0
        return count
    stack[count, 0], stack[count, 1] = kind, energy
    stack[count, 2], stack[count, 3], stack[count, 4] = particle.x, particle.y, particle.z
    stack[count, 5], stack[count, 6], stack[count, 7] = particle.u, particle.v, particle.w
    stack[count, 8], stack[count, 9] = particle.weight, particle.part
    return count + 1


@inlined()
def top(stack, count):  # type: ignore[no-untyped-def]
    """The last particle of the stack, which then has one less: its kind, its energy [keV], itself."""
    row = stack[count - 1]
    particle = Particle(row[2], row[3], row[4], row[5], row[6], row[7], row[8], int(row[9]))
    return int(row[0]), row[1], particle


def no_particle_lost(lost: float) -> None:
    """Raises TransportError where particles found no room on the stack: their energy is missing."""
    if lost > 0:
        raise TransportError(
            f"{lost:g} secondary particles found no room on the stack of their history, so the result would lack their "
            "energy: raise the electron cut, or take fewer bremsstrahlung copies."
        )
