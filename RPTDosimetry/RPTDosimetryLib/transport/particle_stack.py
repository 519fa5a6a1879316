"""Particles that wait for their turn within one history."""

from __future__ import annotations

from typing import Final

from RPTDosimetryLib.transport.compiled import compiled

ELECTRON_KIND: Final = 1
PHOTON_KIND: Final = 2
#: Secondaries share the energy of their parent above cuts of 1 keV or more, so no history fills it.
STACK_SIZE: Final = 3072
#: Kind, energy [keV], part of the score, x, y, z [cm], direction.
STACK_COLUMNS: Final = 9


@compiled()
def push(stack, count, kind, energy, part, place, u, v, w):  # type: ignore[no-untyped-def]
    """Add one particle at a place with a direction; returns the new count."""
    stack[count, 0], stack[count, 1], stack[count, 2] = kind, energy, part
    stack[count, 3], stack[count, 4], stack[count, 5] = place[0], place[1], place[2]
    stack[count, 6], stack[count, 7], stack[count, 8] = u, v, w
    return count + 1
