"""What batches of a voxel run add up to. Energies are whole numbers of a quantum, so sums are exact: the result is the
same to the last bit whatever thread, process or machine did which batch, and in whatever order they are merged.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import TransportError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.transport.compiled import compiled
from RPTDosimetryLib.transport.particle_moves import BREMSSTRAHLUNG, ELECTRON, PHOTON

#: A voxel's energy in one batch stays below this many quanta; squares are kept in two halves of 40 bits.
LARGEST_BITS: Final = 40
_HALF = np.int64(20)
_LOW_HALF = np.int64((1 << 20) - 1)
_LOW_40 = np.int64((1 << 40) - 1)
FORMAT: Final = 1


@dataclass
class RegionSums:
    """Quanta of a region in all batches, and their squares: electron part, photon part, and both together."""

    electron: int = 0
    photon: int = 0
    photon_squared: int = 0
    total_squared: int = 0

    def add(self, other: RegionSums) -> None:
        """Take in the batches of another."""
        self.electron += other.electron
        self.photon += other.photon
        self.photon_squared += other.photon_squared
        self.total_squared += other.total_squared


@dataclass
class VoxelTally:
    """Sums over the batches that are done. cells: voxels, then one for what left the grid.

    key: what all batches must have in common (case, settings, tables), as a hash. squared: Σ (electron + photon)² in
    quanta² as high·2⁴⁰ + low. booked: quanta of electron and photon histories, by weight. heading_for: the number of
    batches at which the run looks at its error next, so that one that was stopped looks at it there as well.
    """

    key: str
    quantum_kev: float
    electron: NDArray[np.int64]
    photon: NDArray[np.int64]
    squared_high: NDArray[np.int64]
    squared_low: NDArray[np.int64]
    regions: dict[str, RegionSums]
    batches: set[int] = field(default_factory=set)
    booked: list[int] = field(default_factory=lambda: [0, 0])
    heading_for: int = 0

    @property
    def squared(self) -> NDArray[np.float64]:
        """Σ of the squares of the batches [quanta²]."""
        return self.squared_high.astype(np.float64) * 2.0**LARGEST_BITS + self.squared_low

    def add_batch(
        self, number: int, score: NDArray[np.float64], scale: tuple[float, float], booked_kev: tuple[float, float],
        regions: Mapping[str, NDArray[np.int64]],
    ) -> None:  # fmt: skip
        """Take in one batch: score (part, cell) [keV], which is emptied; scale: of electron and photon histories to
        the decays of the batch. Raises TransportError for a batch that is there already.
        """
        if number in self.batches:
            raise TransportError(f"Batch {number} of this run was counted already: shares must not overlap.")
        per_kev = (scale[0] / self.quantum_kev, scale[1] / self.quantum_kev)
        for name, cells in regions.items():
            electron, photon = _region_quanta(score, per_kev, cells)
            self.regions[name].add(RegionSums(electron, photon, photon**2, (electron + photon) ** 2))
        largest = _add_quanta(score, per_kev, self.electron, self.photon, self.squared_high, self.squared_low)
        if largest >= 1 << LARGEST_BITS:
            raise TransportError(
                f"Batch {number} left more energy in one voxel than the tally can hold ({largest} quanta): give "
                "smaller batches (batch_decays)."
            )
        self.batches.add(number)
        for part in (0, 1):
            self.booked[part] += round(booked_kev[part] * per_kev[part])

    def merge(self, other: VoxelTally) -> None:
        """Take in the batches of another share of the same run. Raises TransportError for one of another run."""
        if self.key != other.key:
            raise TransportError("These shares are of different runs (case, nuclide, settings, seed or version).")
        both = self.batches & other.batches
        if both:
            raise TransportError(f"Shares overlap: batch {min(both)} and {len(both) - 1} more are in both.")
        for name in ("electron", "photon", "squared_high", "squared_low"):
            getattr(self, name)[:] += getattr(other, name)
        for name, sums in other.regions.items():
            self.regions[name].add(sums)
        self.batches |= other.batches
        self.heading_for = max(self.heading_for, other.heading_for)
        self.booked = [mine + theirs for mine, theirs in zip(self.booked, other.booked, strict=True)]

    def save(self, path: Path) -> None:
        """Write to a file, whole or not at all. Raises ReportError where the disk refuses."""
        text = json.dumps(
            {
                "format": FORMAT,
                "key": self.key,
                "quantum_kev": self.quantum_kev,
                "batches": sorted(self.batches),
                "booked": self.booked,
                "heading_for": self.heading_for,
                "regions": {name: vars(sums) for name, sums in self.regions.items()},
            }
        )
        with whole_file(path) as temporary, temporary.open("wb") as handle:
            np.savez(
                handle, text=text, electron=self.electron, photon=self.photon, squared_high=self.squared_high,
                squared_low=self.squared_low,
            )  # fmt: skip

    @staticmethod
    def load(path: Path) -> VoxelTally:
        """Read what save wrote. Raises TransportError for any other file."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                told = json.loads(str(stored["text"]))
                arrays = {name: stored[name] for name in ("electron", "photon", "squared_high", "squared_low")}
            if told["format"] != FORMAT:
                raise ValueError(f"format {told['format']}")
            regions = {name: RegionSums(**sums) for name, sums in told["regions"].items()}
            return VoxelTally(
                told["key"], told["quantum_kev"], **arrays, regions=regions, batches=set(told["batches"]),
                booked=told["booked"], heading_for=told["heading_for"],
            )  # fmt: skip
        except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise TransportError(
                f"{path} is not a checkpoint of a Monte Carlo run ({error}): remove it or name another file."
            ) from error


def empty_tally(key: str, cells: int, batch_kev: float, regions: Sequence[str]) -> VoxelTally:
    """No batches yet. cells: voxels and one; batch_kev: about what a batch emits in all, which no voxel exceeds."""
    quantum_kev = 2.0 ** (np.ceil(np.log2(8.0 * batch_kev)) - LARGEST_BITS)
    electron, photon, high, low = (np.zeros(cells, np.int64) for _ in range(4))
    sums = {name: RegionSums() for name in regions}
    return VoxelTally(key, float(quantum_kev), electron, photon, high, low, sums)


@compiled()
def _quanta(score, per_kev, cell):  # type: ignore[no-untyped-def]
    """Electron and photon part of a cell, in whole quanta."""
    electron = (score[ELECTRON, cell] + score[BREMSSTRAHLUNG, cell]) * per_kev[0]
    return np.int64(np.rint(electron)), np.int64(np.rint(score[PHOTON, cell] * per_kev[1]))


@compiled()
def _region_quanta(score, per_kev, cells):  # type: ignore[no-untyped-def]
    electron, photon = np.int64(0), np.int64(0)
    for cell in cells:
        one, other = _quanta(score, per_kev, cell)
        electron += one
        photon += other
    return electron, photon


@compiled()
def _add_quanta(score, per_kev, electron, photon, high, low):  # type: ignore[no-untyped-def]
    """Add every cell, empty the score; returns the largest energy of a cell, in quanta."""
    largest = np.int64(0)
    for cell in range(electron.size):
        one, other = _quanta(score, per_kev, cell)
        score[ELECTRON, cell] = score[PHOTON, cell] = score[BREMSSTRAHLUNG, cell] = 0.0
        both = one + other
        if both == 0:
            continue
        electron[cell] += one
        photon[cell] += other
        largest = max(largest, both)
        upper, lower = both >> _HALF, both & _LOW_HALF
        middle = lower * lower + ((2 * upper * lower) << _HALF)
        high[cell] += upper * upper + (middle >> (2 * _HALF))
        low[cell] += middle & _LOW_40
    return largest
