"""Checkpoints of Monte Carlo runs that were stopped: files below Slicer's cache, a folder for each case."""

from __future__ import annotations

import contextlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import slicer

from RPTDosimetryLib import __version__
from RPTDosimetryLib.bridge.case import Case

#: As many are kept in all, the newest: one takes 32 bytes a voxel of the dose, 67 MB for 128 × 128 × 128.
KEPT = 3
_known: dict[Path, tuple[int, int]] = {}  # when a file was written, and how much it holds


@dataclass(frozen=True)
class Checkpoint:
    """What a stopped run left: whole batches of a run."""

    path: Path
    batches: int


def folder() -> Path:
    """Where all of them are."""
    return Path(str(slicer.app.cachePath)) / "RPTDosimetry" / "monte_carlo"


def path_of(case: Case, made_from: str) -> Path:
    """The file of a case for one fingerprint of input and settings; another version of the program makes its own."""
    return folder() / case.identity / f"{made_from}_{__version__}.npz"


def found(path: Path) -> Checkpoint | None:
    """What a file holds; None where there is none, or nothing in it."""
    import numpy as np

    try:
        written = path.stat().st_mtime_ns
        if _known.get(path, (0, 0))[0] != written:
            with np.load(path, allow_pickle=False) as stored:
                _known[path] = (written, len(json.loads(str(stored["text"]))["batches"]))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    batches = _known[path][1]
    return Checkpoint(path, batches) if batches else None


def forget(path: Path) -> None:
    """Remove one, and what a process that was ended left half written beside it."""
    _known.pop(path, None)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    _sweep(path.parent)


def clean_up(coming: Path) -> None:
    """Keep the newest and the one that is about to be written (if it can be read); folders that are empty go."""
    if found(coming) is None:
        forget(coming)
    _sweep(coming.parent)
    files = [path for path in folder().glob("*/*.npz") if not path.name.startswith(".")]
    files = sorted((path for path in files if path != coming), key=_age)
    for path in files[KEPT - 1 :]:
        forget(path)


def _age(path: Path) -> float:
    with contextlib.suppress(OSError):
        return -path.stat().st_mtime
    return 0.0


def _sweep(of_case: Path) -> None:
    with contextlib.suppress(OSError):
        for half in of_case.glob(".writing-*"):
            half.unlink(missing_ok=True)
        of_case.rmdir()  # only where it is empty
