"""One batch of a voxel run on one core: its electrons, then its photons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.records import Cancelled
from RPTDosimetryLib.transport.emission import Emission
from RPTDosimetryLib.transport.particle_moves import N_PARTS
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, PHOTON_KIND, no_particle_lost
from RPTDosimetryLib.transport.point_histories import room_for_histories
from RPTDosimetryLib.transport.voxel_histories import Histories, Source, Tables, run_electrons, run_photons

#: Histories between two looks at whether to stop: some 20 ms.
CHUNK: Final = 20_000


@dataclass(frozen=True)
class Beam:
    """One kind of particle: what a decay emits, where from, how many histories a batch has, and the number of emitted
    particles that each history stands for.
    """

    emission: Emission
    source: Source
    histories: int
    scale: float


@dataclass(frozen=True)
class BatchPlan:
    """What every batch of a run simulates."""

    electrons: Beam
    photons: Beam
    tables: Tables
    seed: int

    def seed_of(self, batch: int, kind: int) -> int:
        """Seed of one kind of particle in one batch."""
        return (self.seed * 2 + kind) * 1_000_003 + batch

    @property
    def scale(self) -> tuple[float, float]:
        """Scales of electrons and photons."""
        return self.electrons.scale, self.photons.scale


class BatchWorker(Protocol):
    """Does one batch after the other. score: (part, cell) [keV], zero before a batch, its energies after it."""

    score: NDArray[np.float64]

    def run(self, batch: int, stopped: Cancelled) -> tuple[float, float] | None:
        """Simulate a batch; the energy booked by electron and photon histories [keV], None if it was stopped."""


class CoreWorker:
    """The worker of one core."""

    def __init__(self, plan: BatchPlan) -> None:
        self._plan = plan
        self.score = np.zeros((N_PARTS, plan.tables.scene.n_cells + 1))
        self._room = room_for_histories()

    def run(self, batch: int, stopped: Cancelled) -> tuple[float, float] | None:
        """See BatchWorker."""
        booked = [0.0, 0.0]
        plan = self._plan
        for kind, beam, simulate in (
            (ELECTRON_KIND, plan.electrons, run_electrons),
            (PHOTON_KIND, plan.photons, run_photons),
        ):
            for first in range(0, beam.histories, CHUNK):
                if stopped():
                    self.score[:] = 0.0
                    return None
                end = min(first + CHUNK, beam.histories)
                chunk = Histories(plan.seed_of(batch, kind), first, end, beam.histories)
                booked[kind - 1] += simulate(beam.emission, chunk, beam.source, plan.tables, self.score, *self._room)
        no_particle_lost(self._room[0][-1, 0])
        return booked[0], booked[1]
