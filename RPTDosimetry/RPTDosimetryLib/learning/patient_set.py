"""One patient of a data set on disk: arrays.npz and patient.json in its own folder, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.grid import Grid

FORMAT: Final = "rptdosimetry patient 1"
ARRAYS, RECORD = "arrays.npz", "patient.json"
#: Arrays (z, y, x) of a patient and how they are kept.
KEPT: Final[Mapping[str, str]] = {
    "hu": "int16", "density_g_per_cm3": "float32", "tia_bq_s": "float32", "medium8": "uint8", "ssv_gy": "float32",
    "msv8_gy": "float32", "msv20_gy": "float32", "photon_msv_gy": "float32", "mc_gy": "float32", "mc_se_gy": "float32",
}  # fmt: skip


@dataclass(frozen=True)
class PatientArrays:
    """What a network learns from, all (z, y, x) on one grid; doses [Gy] are 0 in air.

    photon_msv_gy: Ã ⊗ S_photon,m, the photon part of msv8_gy. medium8: media of msv8, 0 is air. mc_se_gy: 1 σ of
    mc_gy. vois: masks by name; kinds: organ, lesion or region by the same name. record: patient.json.
    """

    name: str
    grid: Grid
    hu: NDArray[np.int16]
    density_g_per_cm3: NDArray[np.float32]
    tia_bq_s: NDArray[np.float32]
    medium8: NDArray[np.uint8]
    ssv_gy: NDArray[np.float32]
    msv8_gy: NDArray[np.float32]
    msv20_gy: NDArray[np.float32]
    photon_msv_gy: NDArray[np.float32]
    mc_gy: NDArray[np.float32]
    mc_se_gy: NDArray[np.float32]
    vois: Mapping[str, NDArray[np.bool_]]
    kinds: Mapping[str, str]
    record: Mapping[str, Any]


def write_patient(patient: PatientArrays, folder: Path) -> None:
    """The folder appears with both files or not at all. Raises StudyError when it exists or the disk refuses."""
    if folder.exists():
        raise StudyError(f"{folder} exists already: a patient is never overwritten. Remove it or choose another place.")
    names = list(patient.vois)
    arrays: dict[str, NDArray[Any]] = {name: getattr(patient, name).astype(kind) for name, kind in KEPT.items()}
    arrays["vois"] = np.packbits(np.stack([patient.vois[name] for name in names]).reshape(len(names), -1), axis=1)
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
        np.savez_compressed(temporary / ARRAYS, **arrays)  # type: ignore[arg-type]
        record = {
            "format": FORMAT,
            "name": patient.name,
            "shape_zyx": list(patient.grid.shape_zyx),
            "spacing_mm": list(patient.grid.spacing_mm),
            "origin_mm": list(patient.grid.origin_mm),
            "vois": [{"name": name, "kind": patient.kinds[name]} for name in names],
            "arrays_sha256": _sha256(temporary / ARRAYS),
            **patient.record,
        }
        (temporary / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
        temporary.chmod(0o755)
        os.replace(temporary, folder)
    except OSError as error:
        raise StudyError(
            f"{folder} could not be written ({error}). Free some space or choose another place."
        ) from error
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def read_record(folder: Path) -> dict[str, Any]:
    """patient.json. Raises StudyError where there is none or it is of another format."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(f"{folder} is no patient of a data set ({error}).") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise StudyError(f"{folder / RECORD} is not in the format {FORMAT!r}: write the data set anew.")
    return record


def read_patient(folder: Path, check: bool = False) -> PatientArrays:
    """A patient of a data set; check compares the SHA-256 of the arrays.

    Raises StudyError: no such patient, damaged or missing arrays, shapes that do not fit.
    """
    record = read_record(folder)
    grid = Grid(tuple(record["shape_zyx"]), tuple(record["spacing_mm"]), tuple(record["origin_mm"]))
    path = folder / ARRAYS
    try:
        if check and _sha256(path) != record["arrays_sha256"]:
            raise StudyError(f"{path} is not the file that its record names: remove the folder and build it anew.")
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in KEPT}
            bits = stored["vois"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise StudyError(f"{path} cannot be read ({error}): remove the folder and build it anew.") from error
    wrong = [name for name, array in arrays.items() if array.shape != grid.shape_zyx]
    if wrong:
        raise StudyError(f"{path}: {', '.join(wrong)} have another shape than {grid.shape_zyx}. Build it anew.")
    masks = np.unpackbits(bits, axis=1, count=int(np.prod(grid.shape_zyx))).astype(bool)
    vois = {voi["name"]: mask.reshape(grid.shape_zyx) for voi, mask in zip(record["vois"], masks, strict=True)}
    kinds = {voi["name"]: voi["kind"] for voi in record["vois"]}
    return PatientArrays(name=record["name"], grid=grid, vois=vois, kinds=kinds, record=record, **arrays)


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
