"""The record from which a run can be repeated: inputs, settings, tables and outputs by SHA-256, versions, steps."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from RPTDosimetryLib import __version__

DISCLAIMER = "Research software, not a medical device: not for clinical decisions without independent verification."
#: Of provenance.json: a change that a reader must know counts it up.
RECORD_FORMAT = 2
PACKAGES = ("numpy", "scipy", "numba", "SimpleITK", "pydicom", "highdicom", "matplotlib", "pydantic", "reportlab")
LIBRARY = Path(__file__).parents[1]


def now() -> datetime:
    """The present second, with its time zone."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Origin:
    """The folder that a run read, and when it was asked for: the date that its files state."""

    study: Path | None = None
    written: datetime = field(default_factory=now)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_of_files(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """SHA-256 of each file under the name it has below ``root``, in the order of names."""
    return {path.relative_to(root).as_posix(): sha256_of(path) for path in sorted(paths)}


def versions() -> dict[str, str]:
    """Versions of the program, Python and the packages whose arithmetic enters a result, and the machine's kind.

    source: SHA-256 over all modules of the library, so that an edited one is noticed under the same version.
    """
    found = {
        "SlicerRPTDosimetry": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
    }
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # a part of the program that this run did not need
            found[package] = "not installed"
    return found | {"source": _source_sha256()}


def tables_sha256() -> dict[str, str]:
    """SHA-256 of every table and kernel that the library ships, by its name inside the library."""
    return dict(_tables_sha256())


def files_named_by(settings: Any) -> dict[str, str]:
    """SHA-256 of every existing file that a setting names, or that lies in a folder that it names."""
    named = {file for path in _paths(settings) for file in (path.rglob("*") if path.is_dir() else (path,))}
    return {str(path): sha256_of(path) for path in sorted(named) if path.is_file()}


def provenance_record(
    inputs: Mapping[str, str],
    settings: Any,
    steps: Mapping[str, Any],
    outputs: Mapping[str, str],
    warnings: Iterable[str],
    origin: Origin | None = None,
) -> dict[str, Any]:
    """One JSON-ready record. ``steps`` holds what each step states of itself; nothing in it is repeated elsewhere."""
    origin = origin or Origin()
    chosen = as_json(settings)
    return {
        "record_format": RECORD_FORMAT,
        "disclaimer": DISCLAIMER,
        "written": origin.written.isoformat(timespec="seconds"),
        "study": None if origin.study is None else str(origin.study),
        "versions": versions(),
        "tables_sha256": tables_sha256(),
        "inputs_sha256": dict(inputs),
        "settings": chosen,
        "settings_sha256": settings_sha256(chosen),
        "settings_files_sha256": files_named_by(settings),
        "steps": as_json(steps),
        "warnings": list(warnings),
        "outputs_sha256": dict(outputs),
    }


def settings_sha256(settings: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of each section, so that a record edited by hand is noticed and the section is named."""
    return {name: hashlib.sha256(json_text(section).encode()).hexdigest() for name, section in settings.items()}


@cache
def _tables_sha256() -> tuple[tuple[str, str], ...]:
    files = (path for path in LIBRARY.glob("*/data/**/*") if path.is_file() and path.suffix != ".py")
    return tuple(sha256_of_files((path for path in files if "__pycache__" not in path.parts), LIBRARY).items())


@cache
def _source_sha256() -> str:
    hashes = sha256_of_files(LIBRARY.rglob("*.py"), LIBRARY)
    return hashlib.sha256(json_text(hashes).encode()).hexdigest()


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for part in dataclasses.fields(value):
            yield from _paths(getattr(value, part.name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _paths(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _paths(item)


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
