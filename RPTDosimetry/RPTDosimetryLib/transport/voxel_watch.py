"""What happens while a voxel run is under way: progress with the error so far, interim doses, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from RPTDosimetryLib.records import Progress
from RPTDosimetryLib.transport.voxel_dose import VoxelDose, error_reached
from RPTDosimetryLib.transport.voxel_settings import ErrorTarget, VoxelRunSettings
from RPTDosimetryLib.transport.voxel_tally import VoxelTally

#: Seconds between two estimates of the error on the way.
ESTIMATE_S: Final = 2.0
#: Batches from which an error is worth telling.
FEWEST_TO_SHOW: Final = 5
#: Whose error is told where none is aimed at.
VOXELS: Final = ErrorTarget(0.01)


@dataclass(frozen=True)
class Keeping:
    """What is kept on the way. checkpoint: a file from which the run goes on when it exists, written every
    ``checkpoint_s`` seconds and when the run ends or is stopped. interim: called with the dose so far every
    ``interim_s`` seconds.
    """

    checkpoint: Path | None = None
    interim: Callable[[VoxelDose], None] | None = None
    checkpoint_s: float = 60.0
    interim_s: float = 10.0

    def told(self) -> str:
        """What a stopped run leaves."""
        if self.checkpoint is None:
            return "Nothing was written."
        return f"They are kept in {self.checkpoint}: the same command goes on from there."


class Watch:
    """One that looks at a tally from time to time; dose_of: its dose."""

    def __init__(
        self,
        tally: VoxelTally,
        dose_of: Callable[[VoxelTally], VoxelDose],
        settings: VoxelRunSettings,
        keeping: Keeping,
        progress: Progress,
    ) -> None:
        self._tally, self._dose_of, self._settings = tally, dose_of, settings
        self._keeping, self._progress = keeping, progress
        self._started, self._had = time.monotonic(), len(tally.batches)
        self._next = dict.fromkeys(("estimate", "interim", "checkpoint"), self._started)
        self._error = math.inf

    def look(self) -> None:
        """Called often, while nobody adds to the tally."""
        if len(self._tally.batches) >= FEWEST_TO_SHOW and self._due("estimate", ESTIMATE_S):
            dose = self._dose_of(self._tally)
            self._error = error_reached(dose, self._settings.target or VOXELS)
            if self._keeping.interim is not None and self._due("interim", self._keeping.interim_s):
                self._keeping.interim(dose)
        if self._due("checkpoint", self._keeping.checkpoint_s):
            self.keep()
        self._progress(*self._state())

    def keep(self) -> None:
        """Write the checkpoint, where one is wanted."""
        if self._keeping.checkpoint is not None and self._tally.batches:
            self._tally.save(self._keeping.checkpoint)

    def _due(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._next[what]:
            return False
        self._next[what] = now + every_s
        return True

    def _state(self) -> tuple[float, str]:
        done, settings = len(self._tally.batches), self._settings
        fraction, goal = done / settings.batches, ""
        if settings.target is not None:
            goal = f", aim {100 * settings.target.relative_error:g} %"
            if math.isfinite(self._error) and self._error > 0:
                fraction = max(fraction, min((settings.target.relative_error / self._error) ** 2, 0.99))
        text = f"Monte Carlo: {done * settings.decays_per_batch:.3g} decays"
        if math.isfinite(self._error):
            text += f", error {100 * self._error:.2g} %{goal}"
        spent, new = time.monotonic() - self._started, done - self._had
        if new > 0 and 0 < fraction < 1:
            text += f", about {max(spent * (1 - fraction) / fraction * done / new, 1):.0f} s left"
        return fraction, text
