"""The list of reference cases; each lives in its own file and reads its own reference data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.records import Progress, silent
from RPTDosimetryLib.validation.decay_cases import decay_rows
from RPTDosimetryLib.validation.kernel_cases import kernel_rows, sphere_rows
from RPTDosimetryLib.validation.kinetics_cases import kinetics_rows
from RPTDosimetryLib.validation.row import ValidationRow
from RPTDosimetryLib.validation.scan_cases import scan_rows
from RPTDosimetryLib.validation.torso_case import torso_rows

CASES: tuple[tuple[str, Callable[[Path], list[ValidationRow]]], ...] = (
    ("decay data", decay_rows),
    ("activity of real scans", scan_rows),
    ("time-integrated activity", kinetics_rows),
    ("voxel S kernels", kernel_rows),
    ("sphere S values", sphere_rows),
    ("AM torso", torso_rows),
)


def validate(shared: Path, progress: Progress = silent) -> list[ValidationRow]:
    """Every reference case under ``shared`` (reference/*.json, data/). Raises ConfigurationError if it is not there."""
    if not (shared / "reference").is_dir():
        raise ConfigurationError(f"{shared} has no folder reference/: give that of the reference cases (--shared).")
    rows: list[ValidationRow] = []
    for done, (name, case) in enumerate(CASES):
        progress(done / len(CASES), f"Comparing {name}")
        rows += case(shared)
    progress(1.0, "All cases compared")
    return rows
