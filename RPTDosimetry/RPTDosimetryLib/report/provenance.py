"""The record from which a run can be repeated: inputs by SHA-256, settings, versions, seed, outputs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from RPTDosimetryLib import __version__

DISCLAIMER = "Research software, not a medical device: not for clinical decisions without independent verification."
PACKAGES = ("numpy", "scipy", "numba", "SimpleITK", "pydicom", "matplotlib", "pydantic")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_of_files(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """SHA-256 of each file under the name it has below ``root``, in the order of names."""
    return {path.relative_to(root).as_posix(): sha256_of(path) for path in sorted(paths)}


def versions() -> dict[str, str]:
    """Versions of the program, Python and the packages whose arithmetic enters a result."""
    found = {"SlicerRPTDosimetry": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        found[package] = metadata.version(package)
    return found


def provenance_record(
    inputs: Mapping[str, str],
    settings: Any,
    steps: Mapping[str, Any],
    outputs: Mapping[str, str],
    warnings: Iterable[str],
) -> dict[str, Any]:
    """One JSON-ready record. ``steps`` holds what each step states of itself; nothing in it is repeated elsewhere."""
    return {
        "disclaimer": DISCLAIMER,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "inputs_sha256": dict(inputs),
        "settings": as_json(settings),
        "steps": as_json(steps),
        "warnings": list(warnings),
        "outputs_sha256": dict(outputs),
    }


def as_json(value: Any) -> Any:
    """Records, arrays, paths and times as what JSON can hold; a non-finite number becomes null.

    Fields whose metadata say in_record=False (voxels too many to print) are left out.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        told = [f for f in dataclasses.fields(value) if f.metadata.get("in_record", True)]
        return {f.name: as_json(getattr(value, f.name)) for f in told}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return as_json(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)


def json_text(value: Any) -> str:
    """Indented JSON of any record."""
    return json.dumps(as_json(value), indent=1, ensure_ascii=False, allow_nan=False)
