"""A dose on its way as a file: written whole by the process that computes, read by whoever looks on."""

from __future__ import annotations

import contextlib
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image

#: Voxels from this share of the highest dose count in the error that is told.
FLOOR: Final = 0.1


@dataclass(frozen=True)
class InterimDose:
    """A dose so far [Gy]; relative_error: of voxels above 10 % of its maximum, 1 σ, RMS."""

    dose: Image
    relative_error: float


class InterimFiles:
    """interim_0001.npz and so on in a folder; each new one takes the place of those before the last."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0

    def write(self, dose: Image, error: Image) -> str:
        """Write dose and what is known of its error; returns the file's name. Raises ReportError."""
        self._count += 1
        name = f"interim_{self._count:04d}.npz"
        told = {"grid": asdict(dose.grid), "relative_error": error_of_voxels(dose, error)}
        with whole_file(self._folder / name) as temporary, temporary.open("wb") as handle:
            np.savez(handle, text=json.dumps(told), dose=dose.voxels)
        with contextlib.suppress(OSError):  # somebody reads it just now: it goes with the folder
            (self._folder / f"interim_{self._count - 2:04d}.npz").unlink(missing_ok=True)
        return name


def read_interim(path: Path) -> InterimDose | None:
    """What InterimFiles wrote; None where a newer one has taken its place."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            told, voxels = json.loads(str(stored["text"])), stored["dose"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    grid = Grid(**{name: tuple(value) for name, value in told["grid"].items()})
    return InterimDose(Image(voxels, grid, "Gy"), float(told["relative_error"]))


def error_of_voxels(dose: Image, error: Image) -> float:
    """Root mean square relative error of the voxels above FLOOR of the highest dose; infinite without dose."""
    counted = dose.voxels > FLOOR * dose.voxels.max()
    if not counted.any():
        return float("inf")
    ratio = error.voxels[counted].astype(np.float64) / dose.voxels[counted]
    return float(np.sqrt(np.mean(ratio**2)))
