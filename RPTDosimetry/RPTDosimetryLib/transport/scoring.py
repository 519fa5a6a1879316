"""Booking energy: the one line of the transport that is another on a GPU, where many threads add to one place.

The device's own is in cuda_histories.py, so that a run on cores never loads CUDA.
"""

from __future__ import annotations

from numba.extending import overload


def book(score, part, cell, energy):  # type: ignore[no-untyped-def]
    """Add an energy [keV] to a part and a cell of the score."""
    score[part, cell] += energy


@overload(book, target="cpu", inline="always")
def _book_alone(score, part, cell, energy):  # type: ignore[no-untyped-def]
    def implementation(score, part, cell, energy):  # type: ignore[no-untyped-def]
        score[part, cell] += energy

    return implementation
