"""Booking energy: the one line of the transport that is another on a GPU, where many threads add to one place.

The device's own is in cuda_histories.py, so that a run on cores never loads CUDA. Neither may be inlined by
numba (inline="always"): what it inlined for one target it takes for the other too, and a device would add without
atomics.
"""

from __future__ import annotations

from numba.extending import overload


def book(score, part, cell, energy):  # type: ignore[no-untyped-def]
    """Add an energy [keV] to a part and a cell of the score."""
    score[part, cell] += energy


@overload(book, target="cpu", jit_options={"forceinline": True, "_nrt": False})
def _book_alone(score, part, cell, energy):  # type: ignore[no-untyped-def]
    def implementation(score, part, cell, energy):  # type: ignore[no-untyped-def]
        score[part, cell] += energy

    return implementation
