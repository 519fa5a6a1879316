"""Monte Carlo in voxels: dose from a time-integrated activity map with density and medium voxel by voxel.

The same electron and photon transport as the point kernels; only the scene differs. A run is a row of independent
batches, each with its own seed; any processes may do any of them, and their tallies add up exactly (voxel_tally.py).

    run = VoxelMonteCarlo("Lu-177", case, settings)
    mine, theirs = run.share(range(0, 50)), run.share(range(50, 100))      # on one machine or on two
    mine.merge(theirs)
    dose = run.dose(mine)
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CancelledError, TransportError
from RPTDosimetryLib.physics.nuclides import Nuclide, nuclide
from RPTDosimetryLib.records import Cancelled, Progress, never, silent
from RPTDosimetryLib.transport.emission import Emission, above, electron_emission, photon_emission
from RPTDosimetryLib.transport.multiple_scattering import scattering_table
from RPTDosimetryLib.transport.point_kernel import PHYSICS_VERSION
from RPTDosimetryLib.transport.transport_tables import electron_tables, photon_tables
from RPTDosimetryLib.transport.voxel_batch import BatchPlan, BatchWorker, Beam, CoreWorker
from RPTDosimetryLib.transport.voxel_case import VoxelCase, folded_score, voxel_scene, voxel_source
from RPTDosimetryLib.transport.voxel_crew import AddBatch, Crew, cores
from RPTDosimetryLib.transport.voxel_dose import Scale, VoxelDose, dose_of, error_reached
from RPTDosimetryLib.transport.voxel_histories import Source, Tables
from RPTDosimetryLib.transport.voxel_settings import FEWEST_BATCHES, VoxelRunSettings
from RPTDosimetryLib.transport.voxel_tally import VoxelTally, empty_tally
from RPTDosimetryLib.transport.voxel_watch import Keeping, Watch

#: Seconds between two looks at a run that is under way.
LOOK_S: Final = 0.1
#: How far a round may go beyond what the error so far asks for, and how much it may grow at once.
ROUND_MARGIN, ROUND_GROWTH = 1.02, 2.0


def simulate_voxels(
    source: str | Nuclide,
    case: VoxelCase,
    settings: VoxelRunSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
    *,
    regions: Mapping[str, NDArray[np.bool_]] | None = None,
    keeping: Keeping | None = None,
) -> VoxelDose:
    """Monte Carlo dose of a whole Ã map, with the mean dose of regions (masks) and their errors.

    Outside the grid is vacuum. Electrons below the cut are deposited in closed form. With a target the run stops at the
    first of a row of batch numbers at which the error is reached, which depends on the seed only. Raises TransportError
    (impossible case or settings, another run's checkpoint), CancelledError (within a second; the checkpoint holds what
    is done).
    """
    run = VoxelMonteCarlo(source, case, settings or VoxelRunSettings(), regions or {})
    return run.to_the_end(keeping or Keeping(), progress, cancelled)


class VoxelMonteCarlo:
    """Tables, sources and batches of one case."""

    def __init__(
        self,
        source: str | Nuclide,
        case: VoxelCase,
        settings: VoxelRunSettings,
        regions: Mapping[str, NDArray[np.bool_]] | None = None,
    ) -> None:
        self._decaying = nuclide(source) if isinstance(source, str) else source
        self._case, self._settings = case, settings
        matter = case.mass_kg > 0
        self._regions = {name: _cells(name, mask, matter) for name, mask in (regions or {}).items()}
        for name in settings.target.regions if settings.target else ():
            if name not in self._regions:
                raise TransportError(f"The error of {name!r} cannot be aimed at: there is no such region.")
        emitted, at_once_kev = above(electron_emission(self._decaying), settings.physics.electron_cut_kev)
        photons = photon_emission(self._decaying)
        each = settings.decays_per_batch
        self._plan = BatchPlan(
            _beam(emitted, voxel_source(case, settings.flattening), each, 1.0),
            _beam(photons, voxel_source(case), each, settings.photon_share),
            _tables(case, settings),
            settings.seed,
        )
        self._scale = Scale(at_once_kev, self._decaying.mean_electron_kev + self._decaying.mean_photon_kev, each)
        self._key = self._hash_of_everything()

    def empty(self) -> VoxelTally:
        """A tally without batches."""
        batch_kev = self._scale.emitted_kev * self._scale.batch_decays
        return empty_tally(self._key, math.prod(self._case.scored_shape) + 1, batch_kev, list(self._regions))

    def share(self, batches: Iterable[int], progress: Progress = silent, cancelled: Cancelled = never) -> VoxelTally:
        """A tally of these batches. Raises CancelledError."""
        tally = self.empty()
        wanted = list(batches)
        self._add(tally, wanted, lambda: progress(len(tally.batches) / max(len(wanted), 1), "Monte Carlo"), cancelled)
        return tally

    def dose(self, tally: VoxelTally) -> VoxelDose:
        """Dose of the batches so far. Raises TransportError for the tally of another run."""
        self._require_own(tally)
        return dose_of(self._case, tally, self._scale, self._regions)

    def to_the_end(self, keeping: Keeping, progress: Progress, cancelled: Cancelled) -> VoxelDose:
        """All batches, or as many as the target takes."""
        tally = self._begun(keeping)
        watch = Watch(tally, self.dose, self._settings, keeping, progress)
        try:
            for count in self._rounds(tally):
                self._add(tally, range(count), watch.look, cancelled)
        except CancelledError as stopped:
            raise CancelledError(f"{stopped} {keeping.told()}") from stopped
        finally:
            watch.keep()
        progress(1.0, "Monte Carlo done")
        return self.dose(tally)

    def _begun(self, keeping: Keeping) -> VoxelTally:
        """The checkpoint where there is one. A place that cannot be written is found out now, not after the work."""
        path = keeping.checkpoint
        tally = VoxelTally.load(path) if path is not None and path.exists() else self.empty()
        self._require_own(tally)
        if path is not None:
            tally.save(path)
        return tally

    def _require_own(self, tally: VoxelTally) -> None:
        if tally.key != self._key:
            raise TransportError(
                "This checkpoint belongs to another case, nuclide, seed or setting of the Monte Carlo (or to another "
                "version of it): give the input it was made with, or name another file."
            )

    def _rounds(self, tally: VoxelTally) -> Iterable[int]:
        """Numbers of batches at which the error is looked at: from the errors there alone, so always the same."""
        most, target = self._settings.batches, self._settings.target
        count = most if target is None else min(FEWEST_BATCHES, most)
        tally.heading_for = min(max(count, tally.heading_for), most)
        yield tally.heading_for
        while target is not None and tally.heading_for < most:
            error, count = error_reached(self.dose(tally), target), tally.heading_for
            if error <= target.relative_error:
                return
            needed = count * (error / target.relative_error) ** 2 * ROUND_MARGIN
            tally.heading_for = int(min(max(math.ceil(min(needed, ROUND_GROWTH * count)), count + 1), most))
            yield tally.heading_for

    def _add(self, tally: VoxelTally, batches: Iterable[int], look: Callable[[], None], cancelled: Cancelled) -> None:
        """Do the batches that the tally lacks, on all cores or the device, looking at them meanwhile."""
        missing = [batch for batch in batches if batch not in tally.batches]
        crew = Crew(self._workers(len(missing)), missing, self._adding_to(tally))
        crew.start()
        try:
            while crew.busy():
                if cancelled():
                    raise KeyboardInterrupt
                with crew.lock:
                    look()
                time.sleep(LOOK_S)
        except KeyboardInterrupt as stopped:
            raise CancelledError(
                f"The Monte Carlo run was stopped after {len(tally.batches)} whole batches of "
                f"{self._scale.batch_decays:g} decays."
            ) from stopped
        finally:
            crew.stop()
        crew.finish()

    def _adding_to(self, tally: VoxelTally) -> AddBatch:
        """How a finished batch gets into the tally."""

        def add(batch: int, worker: BatchWorker, booked_kev: tuple[float, float]) -> None:
            score = worker.score if self._case.fold == 1 else folded_score(worker.score, self._case)
            tally.add_batch(batch, score, self._plan.scale, booked_kev, self._regions)

        return add

    def _workers(self, batches: int) -> list[BatchWorker]:
        if self._settings.device == "cuda":
            from RPTDosimetryLib.transport.cuda_batch import DeviceWorker

            return [DeviceWorker(self._plan)]
        return [CoreWorker(self._plan) for _ in range(max(min(cores(), batches), 1))]

    def _hash_of_everything(self) -> str:
        settings = self._settings
        entering = (settings.photon_share, settings.flattening, settings.decays_per_batch, settings.seed)
        text = repr((self._decaying, settings.physics, entering, PHYSICS_VERSION, sorted(self._regions)))
        digest = hashlib.sha256(text.encode())
        digest.update(self._case.digest().encode())
        for name in sorted(self._regions):
            digest.update(self._regions[name].tobytes())
        return digest.hexdigest()


def _beam(emission: Emission, source: Source, decays: float, share: float) -> Beam:
    """Histories for the decays of a batch; a share of them where each stands for more."""
    histories = max(round(decays * emission.particles * share), 1) if emission.particles > 0 else 0
    return Beam(emission, source, histories, decays * emission.particles / max(histories, 1))


def _tables(case: VoxelCase, settings: VoxelRunSettings) -> Tables:
    photons = photon_tables(case.materials, settings.physics)
    electrons = electron_tables(case.materials, settings.physics)
    return Tables(electrons, photons, scattering_table(), voxel_scene(case, photons))


def _cells(name: str, mask: NDArray[np.bool_], matter: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Flat indices of a region's voxels that hold matter."""
    if mask.shape != matter.shape:
        raise TransportError(f"The region {name!r} has {mask.shape} voxels, the dose map {matter.shape}.")
    cells = np.flatnonzero(mask & matter)
    if cells.size == 0:
        raise TransportError(f"The region {name!r} has no voxel with matter: it has no mean dose.")
    return cells.astype(np.int64)
