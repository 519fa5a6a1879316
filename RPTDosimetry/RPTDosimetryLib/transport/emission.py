"""What one decay emits, ready for sampling: a spectrum by quantiles and lines by cumulative yield."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.physics.nuclides import Nuclide
from RPTDosimetryLib.transport.compiled import inlined
from RPTDosimetryLib.transport.random_numbers import uniform

#: Equal steps of the cumulative yield of lines, each with the first line that it may mean.
LINE_STEPS: Final = 256


class Emission(NamedTuple):
    """particles: number per decay; spectrum_share: fraction of them from the spectrum, the rest are lines.

    quantiles_kev (m + 1): energies at equal steps of probability. line_cumulative rises to 1; line_start: for equal
    steps of it the first line that may be meant.
    """

    particles: float
    spectrum_share: float
    quantiles_kev: NDArray[np.float64]
    line_kev: NDArray[np.float64]
    line_cumulative: NDArray[np.float64]
    line_start: NDArray[np.int64]


def _emission(spectrum_yield: float, quantiles: NDArray[np.float64], lines: Sequence[tuple[float, float]]) -> Emission:
    energy = np.array([line[0] for line in lines], dtype=float)
    number = np.array([line[1] for line in lines], dtype=float)
    particles = spectrum_yield + float(number.sum())
    cumulative = np.cumsum(number) / number.sum() if number.sum() > 0 else np.ones_like(number)
    share = spectrum_yield / particles if particles > 0 else 0.0
    start = np.searchsorted(cumulative, np.arange(LINE_STEPS) / LINE_STEPS)
    return Emission(particles, share, quantiles, energy, cumulative, start)


def electron_emission(nuclide: Nuclide) -> Emission:
    """β spectrum with conversion and Auger electrons."""
    spectrum = nuclide.beta_spectrum
    return _emission(spectrum.total_yield, spectrum.quantiles_kev, nuclide.electron_lines)


def photon_emission(nuclide: Nuclide) -> Emission:
    """γ and X rays."""
    return line_emission(nuclide.photon_lines)


def line_emission(lines: Sequence[tuple[float, float]]) -> Emission:
    """Particles of given energies [keV] and numbers per decay."""
    return _emission(0.0, np.zeros(2), lines)


def above(emission: Emission, cut_kev: float) -> tuple[Emission, float]:
    """The emission without lines up to a cut, and the energy per decay of those [keV]."""
    share = np.diff(emission.line_cumulative, prepend=0.0) * emission.particles * (1.0 - emission.spectrum_share)
    low = emission.line_kev <= cut_kev
    lines = tuple(zip(emission.line_kev[~low], share[~low], strict=True))
    kept = _emission(emission.particles * emission.spectrum_share, emission.quantiles_kev, lines)
    return kept, float(np.sum(share[low] * emission.line_kev[low]))


@inlined()
def emitted_energy(stratum, emission):  # type: ignore[no-untyped-def]
    """Energy [keV] of a particle; stratum in [0, 1) chooses where in the spectrum or which line."""
    if stratum < emission.spectrum_share:
        place = stratum / emission.spectrum_share * (emission.quantiles_kev.size - 1)
        low = int(place)
        below = emission.quantiles_kev[low]
        return below + (place - low) * (emission.quantiles_kev[low + 1] - below)
    wanted = (stratum - emission.spectrum_share) / (1.0 - emission.spectrum_share)
    row = emission.line_start[int(wanted * LINE_STEPS)]
    while row < emission.line_kev.size - 1 and emission.line_cumulative[row] < wanted:
        row += 1
    return emission.line_kev[row]


@inlined()
def stratified(history, histories, rng):  # type: ignore[no-untyped-def]
    """A number in [0, 1) within the history's own equal share."""
    return (history + uniform(rng)) / histories
