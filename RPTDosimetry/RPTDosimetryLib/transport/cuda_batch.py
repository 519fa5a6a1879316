"""One batch of a voxel run on a CUDA device: the tables go there once, the score comes back once a batch."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import config
from numpy.typing import NDArray
from scipy.stats import poisson

from RPTDosimetryLib.errors import TransportError
from RPTDosimetryLib.records import Cancelled
from RPTDosimetryLib.transport.cuda_device import require_cuda
from RPTDosimetryLib.transport.particle_moves import N_PARTS
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, PHOTON_KIND, no_particle_lost
from RPTDosimetryLib.transport.transport_tables import BREMS, ENERGY, MOLLER
from RPTDosimetryLib.transport.voxel_histories import Histories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from RPTDosimetryLib.transport.voxel_batch import BatchPlan, Beam

#: Threads of a block, and blocks of a launch: several times what any device holds at once.
BLOCK: Final = 128
BLOCKS: Final = 2048
#: A launch cannot be stopped, so it should take about this long [s]; how many histories that is, the first ones tell.
LAUNCH_S: Final = 0.2
FIRST_LAUNCH: Final = 1 << 16
GROWTH: Final = 8.0
#: Rows of the stack of a thread: at least and at most; each costs 80 bytes of every thread that the device can hold.
FEWEST_ROWS, MOST_ROWS = 64, 1024
#: Probability that a history has more Møller electrons than there are rows for them; likewise for photons.
HARDLY_EVER: Final = 1e-12
COMPTON_ROWS: Final = 8


class DeviceWorker:
    """The worker of the current CUDA device. score, run: see BatchWorker.

    Raises TransportError where there is no device (of what is missing), where its memory is too small, and where a
    history has more secondaries than its thread has room for.
    """

    def __init__(self, plan: BatchPlan) -> None:
        self.device = require_cuda()
        from RPTDosimetryLib.transport.cuda_histories import N_SUMS, kernel

        self._plan = plan
        self._nothing = np.zeros(N_SUMS)
        # histories of one launch, which each batch hands on to the next
        self._at_once = {ELECTRON_KIND: FIRST_LAUNCH, PHOTON_KIND: FIRST_LAUNCH}
        rows = rows_needed(plan)
        self._kernels = {kind: kernel(kind, rows) for kind in self._at_once}
        with _device_trouble():
            self.score = _quick_to_copy((N_PARTS, plan.tables.scene.n_cells + 1))
            self._tables = on_device(plan.tables)
            self._beams = {
                kind: (on_device(beam.emission), on_device(beam.source), beam.histories)
                for kind, beam in ((ELECTRON_KIND, plan.electrons), (PHOTON_KIND, plan.photons))
            }
            self._score, self._sums = on_device(self.score), on_device(self._nothing)
            self._compile()

    def _compile(self) -> None:
        """Launch without histories. Raises TransportError where the CUDA target does not fit the other packages."""
        try:
            for kind in self._beams:
                self._launch(kind, Histories(0, 0, 0, 1))
        except (AttributeError, ImportError, TypeError) as error:
            raise TransportError(
                f"Numba cannot compile for the CUDA device ({' '.join(str(error).split())}): its CUDA target does not "
                "fit the installed numpy. numba-cuda 0.30.4 needs numpy below 2.5. Or choose device cpu."
            ) from error

    def run(self, batch: int, stopped: Cancelled) -> tuple[float, float] | None:
        """See BatchWorker."""
        from RPTDosimetryLib.transport.cuda_histories import BOOKED, LOST

        booked = {}
        with _device_trouble():
            self._score.copy_to_device(self.score)
            for kind in self._beams:
                self._sums.copy_to_device(self._nothing)
                if not self._follow(kind, self._plan.seed_of(batch, kind), stopped):
                    return None
                sums = self._sums.copy_to_host()
                no_particle_lost(sums[LOST])
                booked[kind] = float(sums[BOOKED])
            self._score.copy_to_host(self.score)
        return booked[ELECTRON_KIND], booked[PHOTON_KIND]

    def _follow(self, kind: int, seed: int, stopped: Cancelled) -> bool:
        """All histories of one kind, launch by launch; False where it was stopped."""
        histories = self._beams[kind][2]
        first = 0
        while first < histories:
            if stopped():
                return False
            end = min(first + self._at_once[kind], histories)
            started = time.perf_counter()
            self._launch(kind, Histories(seed, first, end, histories))
            taken_s = max(time.perf_counter() - started, 1e-6)
            if end < histories or taken_s > LAUNCH_S:
                self._at_once[kind] = launch_size(end - first, taken_s)
            first = end
        return True

    def _launch(self, kind: int, histories: Histories) -> None:
        """Simulate some histories of one kind, and wait for them."""
        from numba import cuda

        emission, source, _ = self._beams[kind]
        # plain functions of the simulator add without atomics, so a block has one thread there
        grid = (8, 1) if config.ENABLE_CUDASIM else (BLOCKS, BLOCK)
        self._kernels[kind][grid](emission, histories, source, self._tables, self._score, self._sums)
        cuda.synchronize()


def launch_size(histories: int, taken_s: float) -> int:
    """Histories of the next launch after one of so many, so that it takes LAUNCH_S."""
    wanted = histories * min(max(LAUNCH_S / taken_s, 1.0 / GROWTH), GROWTH)
    return max(int(wanted), 1024)


def rows_needed(plan: BatchPlan) -> int:
    """Rows for the particles of a history that wait, a power of 2.

    While a particle is followed, all that it sets free waits; what these set free is less. Møller electrons and
    bremsstrahlung photons of the most energetic electron are Poisson numbers, so a number that is hardly ever exceeded
    and a few rows for Compton electrons are enough. A history that needs more is counted, and the batch fails.
    """
    highest_kev = max(_highest_kev(plan.electrons), _highest_kev(plan.photons))
    tables = plan.tables.electrons
    node = min(int(np.searchsorted(tables.ladder[0, :, ENERGY], highest_kev)), tables.ladder.shape[1] - 1)
    expected = [float(tables.ladder[:, node, field].max()) for field in (MOLLER, BREMS)]
    moller, brems = (float(poisson.isf(HARDLY_EVER, number)) for number in expected)
    needed = moller + brems * tables.bremsstrahlung_copies + COMPTON_ROWS
    return int(min(max(2 ** math.ceil(math.log2(needed)), FEWEST_ROWS), MOST_ROWS))


def _highest_kev(beam: Beam) -> float:
    spectrum = beam.emission.quantiles_kev.max() if beam.emission.spectrum_share > 0 else 0.0
    return float(max(spectrum, beam.emission.line_kev.max(initial=0.0)))


def on_device(value: Any) -> Any:
    """The same record with its arrays on the device."""
    from numba import cuda

    if isinstance(value, np.ndarray):
        return cuda.to_device(np.ascontiguousarray(value))
    if isinstance(value, tuple):
        return type(value)(*(on_device(field) for field in value))
    return value


def _quick_to_copy(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Zeros in memory that the device reads and writes itself."""
    from numba import cuda

    array: NDArray[np.float64] = cuda.pinned_array(shape, dtype=np.float64)
    array[:] = 0.0
    return array


@contextmanager
def _device_trouble() -> Iterator[None]:
    """Errors of the driver or the compiler of the device become a TransportError."""
    try:
        yield
    except Exception as error:
        if ".cuda." not in f".{type(error).__module__}.":
            raise
        raise TransportError(
            f"The CUDA device failed ({' '.join(str(error).split())}): free its memory, use smaller voxel maps, or "
            "choose device cpu. A checkpoint keeps the batches that are done."
        ) from error
