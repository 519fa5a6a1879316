"""How a voxel Monte Carlo run is carried out: how much, when to stop, where, and which transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from RPTDosimetryLib.errors import TransportError
from RPTDosimetryLib.transport.transport_physics import TransportPhysics

#: Fewer batches than this say too little of an error: its own error is 1/√(2(n − 1)), 16 % here.
FEWEST_BATCHES: Final = 20
#: Decays of a batch: not more than this on a processor, so that a run has enough of them and reports often.
LARGEST_BATCH: Final = {"cpu": 250_000.0, "cuda": 10_000_000.0}
#: A batch's number enters its seed; beyond this the seeds of electrons and photons could meet.
MOST_BATCHES: Final = 1_000_000

Device = Literal["cpu", "cuda"]
VOXEL_PHYSICS: Final = TransportPhysics(
    steps_per_e_fold=10.0, secondary_range_cut_g_per_cm2=0.01, bremsstrahlung_copies=1
)


@dataclass(frozen=True)
class ErrorTarget:
    """When a run may stop: a relative standard error, of the mean dose of every region named, or of voxels.

    Without regions it is the root mean square over voxels of at least ``floor`` times the highest dose.
    """

    relative_error: float
    regions: tuple[str, ...] = ()
    floor: float = 0.1

    def __post_init__(self) -> None:
        if not 1e-5 <= self.relative_error < 1.0 or not 0.0 < self.floor < 1.0:
            raise TransportError(
                "An error to reach must lie between 0.001 % and 100 %, and the share of the highest dose from which "
                f"voxels count between 0 and 1: got {100 * self.relative_error:g} % and {self.floor:g}."
            )


@dataclass(frozen=True)
class VoxelRunSettings:
    """decays: how many are simulated, or at most with a target. photon_share: photon histories per electron history,
    relative to what a decay emits. flattening: share of the electron histories that is spread evenly over the active
    voxels, with weights (voxel_source); photons always follow the activity.

    batch_decays: decays of a batch; None chooses. The result depends on all of these and the seed, and on neither the
    number of threads nor how the batches were shared out.
    """

    decays: float = 1e7
    target: ErrorTarget | None = None
    photon_share: float = 0.25
    flattening: float = 0.0
    batch_decays: float | None = None
    seed: int = 1
    device: Device = "cpu"
    physics: TransportPhysics = field(default=VOXEL_PHYSICS)

    def __post_init__(self) -> None:
        if not 1e3 <= self.decays <= 1e13 or not 0 < self.photon_share <= 4 or not 0 <= self.flattening <= 0.9:
            raise TransportError(
                "A voxel run needs 1e3 to 1e13 decays, a photon share above 0 up to 4 and a flattening from 0 to 0.9: "
                f"got {self.decays:g}, {self.photon_share:g} and {self.flattening:g}."
            )
        if not 0 <= self.seed < 2**31:
            raise TransportError(f"The seed {self.seed} is outside 0 to 2147483647.")
        if self.device not in LARGEST_BATCH:
            raise TransportError(f"The device {self.device!r} is neither cpu nor cuda.")
        if self.batch_decays is not None and not 50 <= self.batch_decays <= self.decays / 2:
            raise TransportError(
                f"A batch of {self.batch_decays:g} decays: choose 50 up to half of all decays ({self.decays / 2:g})."
            )
        if self.batches > MOST_BATCHES:
            raise TransportError(
                f"{self.decays:g} decays in batches of {self.decays_per_batch:g} are more than {MOST_BATCHES} batches: "
                "give larger batches."
            )

    @property
    def decays_per_batch(self) -> float:
        """Decays of one batch."""
        if self.batch_decays is not None:
            return float(self.batch_decays)
        return min(LARGEST_BATCH[self.device], max(self.decays / (2 * FEWEST_BATCHES), 50.0))

    @property
    def batches(self) -> int:
        """Batches of the whole run, or at most with a target."""
        return max(round(self.decays / self.decays_per_batch), 2)
