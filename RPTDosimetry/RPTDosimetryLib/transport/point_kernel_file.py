"""A point kernel as one compressed file, with a checksum that betrays damage."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from RPTDosimetryLib.errors import PhysicsDataError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.transport.point_kernel import PointKernel

_ARRAYS: Final = ("radius_mm", "electron_kev", "photon_kev", "bremsstrahlung_kev")


def write_point_kernel(kernel: PointKernel, content_hash: str, path: Path) -> None:
    """Whole or not at all; energies in single precision. Raises ReportError when the disk refuses."""
    arrays = {name: np.asarray(getattr(kernel, name), dtype=_dtype(name)) for name in _ARRAYS}
    plain = {f.name: getattr(kernel, f.name) for f in fields(PointKernel) if f.name not in _ARRAYS}
    plain["provenance"] = dict(kernel.provenance)
    described = json.dumps(plain, sort_keys=True)
    checksum = _checksum(described, arrays)
    stored: dict[str, Any] = {"described": described, "content_hash": content_hash, "checksum": checksum, **arrays}
    with whole_file(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **stored)


def read_point_kernel(path: Path, content_hash: str | None = None) -> PointKernel:
    """Raises PhysicsDataError if the file is damaged or holds a kernel of another content hash."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            described, checksum, found = (str(stored[name]) for name in ("described", "checksum", "content_hash"))
            arrays = {name: stored[name] for name in _ARRAYS}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError) as error:
        raise PhysicsDataError(f"The point kernel {path} cannot be read ({error}).") from error
    except Exception as error:  # zlib.error and the like: whatever a damaged archive can raise
        raise PhysicsDataError(f"The point kernel {path} is damaged ({error}).") from error
    if checksum != _checksum(described, arrays):
        raise PhysicsDataError(f"The point kernel {path} is damaged: its checksum does not fit.")
    if content_hash is not None and found != content_hash:
        raise PhysicsDataError(f"The point kernel {path} was made from other data or settings.")
    double: dict[str, Any] = {name: array.astype(np.float64) for name, array in arrays.items()}
    return PointKernel(**json.loads(described), **double)


def _dtype(name: str) -> type[np.floating[Any]]:
    return np.float64 if name == "radius_mm" else np.float32


def _checksum(described: str, arrays: dict[str, Any]) -> str:
    digest = hashlib.sha256(described.encode())
    for name in _ARRAYS:
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
