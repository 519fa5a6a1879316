"""Choices of the Monte Carlo engine, in the words of its users."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from RPTDosimetryLib.errors import DoseError
from RPTDosimetryLib.transport.voxel_settings import ErrorTarget, VoxelRunSettings

#: 0.7–1 % in the voxels of kidneys and tumours at 4.8 mm, 0.1 % in their means; about half a minute on two cores.
DEFAULT_HISTORIES: Final = 1e8
#: Decays that a run with a target error may take before it gives up.
MOST_WITH_TARGET: Final = 1e10
MediaName = Literal["msv8", "msv20"]


@dataclass(frozen=True)
class MonteCarloSettings:
    """How much is simulated, and how.

    histories: decays simulated. target_se: instead, a relative standard error at which the run stops (0.01 is 1 %):
    that of the mean dose of every volume named in target_volumes or, without names, the root mean square over the
    voxels of at least 10 % of the highest dose; histories is then the most, 1e10 unless given. media: by which scheme
    of HU bins voxels get their composition. photon_share: photon histories relative to what the decays emit.
    flattening: the share of electron histories that is spread evenly over all active voxels, with weights, for cold
    ones. refine: density and composition on that many times finer voxels along each axis, from the CT. device: cpu or
    cuda. checkpoint: a file from which a stopped run goes on.
    """

    histories: float | None = None
    target_se: float | None = None
    target_volumes: tuple[str, ...] = ()
    media: MediaName = "msv8"
    photon_share: float = 0.25
    flattening: float = 0.25
    refine: int = 1
    seed: int = 1
    device: Literal["cpu", "cuda"] = "cpu"
    checkpoint: Path | None = None

    def __post_init__(self) -> None:
        if self.histories is not None and not 1e3 <= self.histories <= 1e13:
            raise DoseError(f"{self.histories:g} histories: give 1e3 to 1e13, such as 1e8.")
        if self.target_se is None and self.target_volumes:
            raise DoseError("target_volumes say whose error is aimed at: give target_se as well.")
        if self.media not in get_args(MediaName):
            raise DoseError(f"media = {self.media!r}: choose one of {', '.join(get_args(MediaName))}.")
        if not 1 <= self.refine <= 8:
            raise DoseError(f"refine = {self.refine}: give 1 (the dose grid) up to 8 voxels along each axis.")
        self.run_settings()

    def run_settings(self) -> VoxelRunSettings:
        """The same for the transport. Raises TransportError for values that it cannot take."""
        target = None if self.target_se is None else ErrorTarget(self.target_se, self.target_volumes)
        return VoxelRunSettings(
            decays=self.histories or (DEFAULT_HISTORIES if target is None else MOST_WITH_TARGET),
            target=target,
            photon_share=self.photon_share,
            flattening=self.flattening,
            seed=self.seed,
            device=self.device,
        )
