"""Radial point kernels: the energy that one decay at a point deposits in shells of an endless uniform medium."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib import __version__
from RPTDosimetryLib.errors import CancelledError, TransportError
from RPTDosimetryLib.physics.materials import Material
from RPTDosimetryLib.physics.nuclides import Nuclide, nuclide
from RPTDosimetryLib.records import Cancelled, Progress, never, silent
from RPTDosimetryLib.transport.emission import Emission, electron_emission, photon_emission
from RPTDosimetryLib.transport.multiple_scattering import scattering_table
from RPTDosimetryLib.transport.particle_moves import BREMSSTRAHLUNG, ELECTRON, N_PARTS, PHOTON, SHELLS, Scene
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, PHOTON_KIND, no_particle_lost
from RPTDosimetryLib.transport.point_histories import room_for_histories, run_point_source
from RPTDosimetryLib.transport.transport_physics import TransportPhysics
from RPTDosimetryLib.transport.transport_tables import electron_tables, photon_tables

#: Raise it whenever the simulation would give other numbers: shipped and cached kernels of another version are unused.
PHYSICS_VERSION: Final = 3
#: Shell edges in mass per area: 0, then a geometric series [g/cm²] from 1 µm to 80 cm of water.
FIRST_EDGE_G_PER_CM2: Final = 1e-4
EDGE_RATIO: Final = 1.03
N_SHELLS: Final = 461


@dataclass(frozen=True)
class PointKernelSettings:
    """How much is simulated. Histories are emitted particles, split evenly over independent batches."""

    electron_histories: int = 2_000_000
    photon_histories: int = 1_000_000
    batches: int = 20
    seed: int = 1
    physics: TransportPhysics = field(default_factory=TransportPhysics)

    def __post_init__(self) -> None:
        if self.batches < 2 or min(self.electron_histories, self.photon_histories) < self.batches:
            raise TransportError(
                f"A point kernel needs at least 2 batches and one history in each: got {self.batches} batches, "
                f"{self.electron_histories} electron and {self.photon_histories} photon histories."
            )


@dataclass(frozen=True)
class PointKernel:
    """Energy per decay [keV] in shells around a decay, in an endless medium at its reference density.

    radius_mm: (n+1) shell edges from 0. electron_kev, photon_kev: (batches, n), what started as β, conversion and Auger
    electrons (with their bremsstrahlung) and what started as γ and X rays; bremsstrahlung_kev: (batches, n), the part
    of electron_kev that bremsstrahlung photons carried. *_escaped_kev: beyond the last edge. Batches are independent:
    var(mean)/batches gives the error of anything linear in the kernel.
    """

    nuclide: str
    material: str
    reference_density_g_per_cm3: float
    radius_mm: NDArray[np.float64]
    electron_kev: NDArray[np.float64]
    photon_kev: NDArray[np.float64]
    bremsstrahlung_kev: NDArray[np.float64]
    electron_emitted_kev: float
    photon_emitted_kev: float
    electron_escaped_kev: float
    photon_escaped_kev: float
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def balance(self) -> float:
        """(deposited + escaped)/emitted − 1."""
        booked = self.electron_kev.sum(axis=1).mean() + self.photon_kev.sum(axis=1).mean()
        booked += self.electron_escaped_kev + self.photon_escaped_kev
        return float(booked / (self.electron_emitted_kev + self.photon_emitted_kev) - 1)


def shell_edges_mm(density_g_per_cm3: float) -> NDArray[np.float64]:
    """Shell edges at a density: the same mass per area everywhere."""
    edges = FIRST_EDGE_G_PER_CM2 * EDGE_RATIO ** np.arange(N_SHELLS)
    return np.concatenate([[0.0], edges]) / density_g_per_cm3 * 10.0


def uniform_scene(density_g_per_cm3: float) -> Scene:
    """An endless uniform medium with the standard shells."""
    first = FIRST_EDGE_G_PER_CM2 / float(np.float32(density_g_per_cm3))
    return Scene(
        kind=SHELLS,
        density=np.full(1, density_g_per_cm3, dtype=np.float32),
        medium=np.zeros(1, dtype=np.uint8),
        largest_attenuation=np.zeros(1),
        n_cells=N_SHELLS,
        nx=1,
        ny=1,
        nz=1,
        dx=1.0,
        dy=1.0,
        dz=1.0,
        first_radius2=first**2,
        last_radius2=(first * EDGE_RATIO ** (N_SHELLS - 1)) ** 2,
        shells_per_log2=float(0.5 / np.log(EDGE_RATIO)),
    )


def simulate_point_kernel(
    source: str | Nuclide,
    material: Material,
    settings: PointKernelSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> PointKernel:
    """Monte Carlo of a point source in an endless medium (docs/physics/transport.md).

    The result depends on nuclide, material and settings, not on the number of threads. Raises CancelledError.
    """
    chosen = settings or PointKernelSettings()
    decaying = nuclide(source) if isinstance(source, str) else source
    run = _Run(material, chosen, f"{decaying.name} in {material.name}", progress, cancelled)
    electrons = run.batches(ELECTRON_KIND, ELECTRON, electron_emission(decaying), chosen.electron_histories, (0.0, 0.6))
    photons = run.batches(PHOTON_KIND, PHOTON, photon_emission(decaying), chosen.photon_histories, (0.6, 0.4))
    from_electrons = electrons.score[:, ELECTRON] + electrons.score[:, BREMSSTRAHLUNG]
    from_photons = photons.score.sum(axis=1)
    return PointKernel(
        nuclide=decaying.name,
        material=material.name,
        reference_density_g_per_cm3=material.density_g_per_cm3,
        radius_mm=shell_edges_mm(material.density_g_per_cm3),
        electron_kev=from_electrons[:, :-1],
        photon_kev=from_photons[:, :-1],
        bremsstrahlung_kev=electrons.score[:, BREMSSTRAHLUNG, :-1],
        electron_emitted_kev=electrons.emitted_kev,
        photon_emitted_kev=photons.emitted_kev,
        electron_escaped_kev=float(from_electrons[:, -1].mean()),
        photon_escaped_kev=float(from_photons[:, -1].mean()),
        provenance={
            "settings": asdict(chosen),
            "physics_version": PHYSICS_VERSION,
            "library_version": __version__,
            "decay_data": decaying.evaluation,
            "material_source": material.source,
        },
    )


@dataclass(frozen=True)
class _Batches:
    """score: (batches, parts, shells + 1) and emitted energy, both keV per decay."""

    score: NDArray[np.float64]
    emitted_kev: float


class _Run:
    """Tables and threads of one kernel."""

    def __init__(
        self, material: Material, settings: PointKernelSettings, label: str, progress: Progress, cancelled: Cancelled
    ) -> None:
        self._settings, self._label, self._progress, self._cancelled = settings, label, progress, cancelled
        self._electrons = electron_tables([material], settings.physics)
        self._photons = photon_tables([material], settings.physics)
        self._scene = uniform_scene(material.density_g_per_cm3)
        self._angles = scattering_table()

    def batches(self, kind: int, part: int, emission: Emission, histories: int, share: tuple[float, float]) -> _Batches:
        """All batches of one kind of source; share: where its progress starts and how much it is of the whole."""
        count = self._settings.batches
        score = np.zeros((count, N_PARTS, N_SHELLS + 1))
        if emission.particles == 0:
            return _Batches(score, 0.0)
        each = histories // count
        emitted = np.zeros(count)

        def batch(index: int) -> None:
            room = room_for_histories()
            seed = (self._settings.seed * 2 + kind) * 1_000_003 + index
            for first in range(0, each, CHUNK):
                if self._cancelled():
                    return
                emitted[index] += run_point_source(
                    kind, part, emission, (first, min(first + CHUNK, each), each), self._electrons, self._photons,
                    self._angles, self._scene, seed, score[index], *room,
                )  # fmt: skip
            no_particle_lost(room[0][-1, 0])

        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            for done, _ in enumerate(pool.map(batch, range(count)), start=1):
                self._progress(share[0] + share[1] * done / count, f"Point kernel {self._label}")
        if self._cancelled():
            raise CancelledError(f"The point kernel {self._label} was stopped; nothing was kept.")
        per_decay = emission.particles / each
        return _Batches(score * per_decay, float(emitted.mean()) * per_decay)


CHUNK: Final = 20_000
