"""Organs by TotalSegmentator, the program of Wasserthal et al. 2023 (doi 10.1148/ryai.230024), where it is installed.

It is called as its users call it, in a process of its own: CT as NIfTI in, one label image with a name table out.
Written against version 2.18; arguments and output are those of every 2.x.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from RPTDosimetryLib.errors import CancelledError, ConfigurationError, ImageFileError, VoiError
from RPTDosimetryLib.records import Cancelled, Image, Progress, never, silent
from RPTDosimetryLib.study.image_files import read_image, write_image
from RPTDosimetryLib.vois.ct_fitness import require_fit_for_organs
from RPTDosimetryLib.vois.label_names import label_names_in
from RPTDosimetryLib.vois.watched_process import run_watched

COMMAND: Final = "TotalSegmentator"
MODULE: Final = "totalsegmentator.bin.TotalSegmentator"
NOT_INSTALLED: Final = (
    "TotalSegmentator is not installed. Install it with `pip install TotalSegmentator` (several gigabytes with "
    "PyTorch; the network's weights are downloaded at its first run), in 3D Slicer through the extension of that name, "
    'or take the organs from files (vois.organs = "files").'
)
#: NIfTI keeps origins as 32-bit numbers.
_SAME_PLACE_MM: Final = 0.01
_FIRST_VERSION: Final = 2
#: It loads PyTorch before it answers.
_VERSION_TIMEOUT_S: Final = 180.0
_PARTS: Final = re.compile(r"part (\d+) of (\d+)")
_PERCENT: Final = re.compile(r"(\d+)%\|")
_DEVICE: Final = re.compile(r"cpu|mps|gpu(:\d+)?")


@dataclass(frozen=True)
class TotalSegmentatorSettings:
    """roi_subset: names of its classes, such as kidney_left; empty takes all 117. fast: 3 mm instead of 1.5 mm voxels.

    device: gpu, gpu:N, cpu or mps; gpu takes the CPU where there is no graphics card.
    """

    roi_subset: tuple[str, ...] = ()
    fast: bool = False
    device: str = "gpu"

    def __post_init__(self) -> None:
        if not _DEVICE.fullmatch(self.device):
            raise ConfigurationError(f'vois.total_segmentator.device = "{self.device}": choose gpu, gpu:N, cpu or mps.')
        bad = [name for name in self.roi_subset if not re.fullmatch(r"\w+", name)]
        if bad:
            raise ConfigurationError(f'vois.total_segmentator.roi_subset: "{bad[0]}" is no class name of it.')


@dataclass(frozen=True)
class SegmentedCt:
    """Labels on the CT's own grid, what each is called, and how they were made."""

    labels: Image
    names: dict[int, str]
    method: str
    warnings: tuple[str, ...] = ()


def segment_ct(
    ct: Image,
    settings: TotalSegmentatorSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> SegmentedCt:
    """Organs of a CT [HU]. Only labels with a voxel are named; names are TotalSegmentator's own.

    Raises VoiError: not installed, an image that is no CT in HU (see ct_fitness.py), a run that fails (with its last
    words), output without names or on another grid; CancelledError after ending the program.
    """
    chosen = settings or TotalSegmentatorSettings()
    warnings = require_fit_for_organs(ct)
    program = find_program()
    if program is None:
        raise VoiError(NOT_INSTALLED)
    with tempfile.TemporaryDirectory(prefix="rptdosimetry-organs-") as folder:
        source, target = Path(folder) / "ct.nii.gz", Path(folder) / "organs.nii.gz"
        progress(0.0, "Writing the CT for TotalSegmentator")
        hu = np.clip(np.rint(ct.voxels), -1024, 32767).astype(np.int16)
        write_image(ct.with_voxels(hu), source)
        version = version_of(program)
        _run([*program, *arguments(source, target, chosen)], progress, cancelled)
        labels, names = _read(target, ct)
    progress(1.0, f"{len(names)} organs")
    method = f"TotalSegmentator {version}, task total, {'3 mm' if chosen.fast else '1.5 mm'}"
    return SegmentedCt(labels, names, method, warnings)


def find_program() -> list[str] | None:
    """How to start it: the command on the PATH, or the module of this Python; None where it is not installed."""
    command = shutil.which(COMMAND)
    if command is not None:
        return [command]
    if importlib.util.find_spec("totalsegmentator") is not None:
        return [sys.executable, "-m", MODULE]
    return None


def version_of(program: Sequence[str]) -> str:
    """What it says its version is. Raises VoiError for version 1, whose classes are others."""
    try:
        said = subprocess.run(
            [*program, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VoiError(f"TotalSegmentator could not be started ({error}). Install it again.") from error
    found = re.search(r"(\d+)\.\d+[\w.]*", said)
    if found is None:
        return "of a version not told"
    if int(found[1]) < _FIRST_VERSION:
        raise VoiError(
            f"TotalSegmentator {found[0]} is installed; version {_FIRST_VERSION} or later is needed. Update it."
        )
    return found[0]


def arguments(source: Path, target: Path, settings: TotalSegmentatorSettings) -> list[str]:
    """Its command line: task total, one label image; the list of classes stands last, as it takes all that follows."""
    told = ["-i", str(source), "-o", str(target), "--ml", "--task", "total", "--device", settings.device]
    if settings.fast:
        told.append("--fast")
    if settings.roi_subset:
        told += ["--roi_subset", *settings.roi_subset]
    return told


def _run(command: list[str], progress: Progress, cancelled: Cancelled) -> None:
    part, parts = 1, 1

    def show(line: str) -> None:
        nonlocal part, parts
        if found := _PARTS.search(line):
            part, parts = int(found[1]), max(1, int(found[2]))
        percent = _PERCENT.search(line)
        done = (part - 1 + (int(percent[1]) / 100 if percent else 0.0)) / parts
        text = f"TotalSegmentator, network {part} of {parts}" if percent else f"TotalSegmentator: {line[:80]}"
        progress(0.05 + 0.9 * min(1.0, done), text)

    try:
        code, said = run_watched(command, show, cancelled)
    except OSError as error:
        raise VoiError(f"TotalSegmentator could not be started ({error}). Install it again.") from error
    if code is None:
        raise CancelledError("TotalSegmentator was stopped.")
    if code != 0:
        last = said[-1] if said else "it said nothing"
        raise VoiError(f"TotalSegmentator failed with exit code {code}: {last}. Run it by hand on this CT to see more.")


def _read(path: Path, ct: Image) -> tuple[Image, dict[int, str]]:
    if not path.is_file():
        raise VoiError("TotalSegmentator ended without a label image: run it by hand on this CT to see why.")
    try:
        labels = read_image(path, "1")
    except ImageFileError as error:
        raise VoiError(f"TotalSegmentator wrote a label image that cannot be read: {error}") from error
    if not labels.grid.same_as(ct.grid, _SAME_PLACE_MM):
        raise VoiError(
            f"TotalSegmentator's labels lie on another grid ({labels.grid}) than the CT ({ct.grid}) and are not "
            "used. Check its version."
        )
    whole = np.rint(labels.voxels).astype(np.int32)
    present = [int(n) for n in np.unique(whole) if n != 0]
    names = label_names_in(path)
    unnamed = [n for n in present if n not in names]
    if unnamed:
        raise VoiError(
            f"TotalSegmentator's label image does not name its labels ({unnamed[:5]}): version 2 is needed. Update it."
        )
    if not present:
        raise VoiError("TotalSegmentator found no organ in this CT: check its orientation and what it covers.")
    return Image(whole, ct.grid, "1"), {n: names[n] for n in present}
