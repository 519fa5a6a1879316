"""Patients for training, on the device as a whole: patches are cut from them there, without copies from the host."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from RPTDosimetryLib.errors import LearningError
from RPTDosimetryLib.learning.guard import features_of
from RPTDosimetryLib.learning.maps import body_box, cropped
from RPTDosimetryLib.learning.physics_maps import with_physics
from RPTDosimetryLib.physics.media import SCHEMES
from RPTDosimetryLib.records import Progress, silent

if TYPE_CHECKING:
    from RPTDosimetryLib.learning.patient_set import PatientArrays


#: Threads that unpack files of patients.
READERS: Final = 8


@dataclass(frozen=True)
class TrainingCase:
    """One patient as torch tensors (channel, z, y, x), cropped to the body; vois in the order of voi_names.

    highest_gy: the highest MSV dose. features: what the guard looks at (guard.py).
    """

    name: str
    maps: Mapping[str, Any]
    voi_names: tuple[str, ...]
    highest_gy: float
    spacing_mm: tuple[float, float, float]
    features: Mapping[str, float]


def training_case(patient: PatientArrays, device: Any, nuclide: str = "Lu-177") -> TrainingCase:
    """A patient's maps on the device. Raises LearningError: an array is missing, not finite or of another shape."""
    import torch

    def on_device(values: Any) -> Any:
        return torch.as_tensor(np.ascontiguousarray(values, dtype=np.float32), device=device)[None]

    _require_sound(patient)
    maps = {
        "hu": on_device(patient.hu),
        "density": on_device(patient.density_g_per_cm3),
        "medium": on_device(patient.medium8),
        "tissue": on_device(patient.medium8 > 0),
        "tia": on_device(patient.tia_bq_s),
        "msv8": on_device(patient.msv8_gy),
        "photon_msv": on_device(patient.photon_msv_gy),
        "mc": on_device(patient.mc_gy),
        "mc_se": on_device(patient.mc_se_gy),
    }
    x, y, z = (round(float(mm), 5) for mm in patient.grid.spacing_mm)
    maps = with_physics(maps, nuclide, (x, y, z), SCHEMES["msv8"].media)
    masks = [np.asarray(mask, dtype=np.uint8) for mask in patient.vois.values()]
    shape = (0, *patient.tia_bq_s.shape)
    maps["vois"] = torch.as_tensor(np.stack(masks) if masks else np.zeros(shape, np.uint8), device=device)
    maps = {name: values.contiguous() for name, values in cropped(maps, body_box(maps["tissue"])).items()}
    features = features_of(patient.density_g_per_cm3, patient.medium8 > 0, patient.tia_bq_s, (x, y, z))
    return TrainingCase(patient.name, maps, tuple(patient.vois), float(patient.msv8_gy.max()), (x, y, z), features)


def _require_sound(patient: PatientArrays) -> None:
    shape = patient.tia_bq_s.shape
    for key in ("hu", "density_g_per_cm3", "tia_bq_s", "msv8_gy", "photon_msv_gy", "mc_gy", "mc_se_gy", "medium8"):
        values = getattr(patient, key)
        if values is None or values.shape != shape:
            found = "missing" if values is None else f"of shape {values.shape}, not {shape}"
            raise LearningError(f"Patient {patient.name}: {key} is {found}. Compute the data set again.")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise LearningError(f"Patient {patient.name}: {key} holds NaN or infinite values. Compute it again.")
    if not float(patient.msv8_gy.max()) > 0.0:
        raise LearningError(f"Patient {patient.name}: the MSV dose is zero everywhere.")


def patient_folders(folder: Path, splits: Sequence[str], most: int = 0) -> list[Path]:
    """Folders of patients of the splits, by name. Raises LearningError where there is none."""
    found = sorted(path.parent for path in folder.glob("*/patient.json"))
    if not found:
        raise LearningError(f"{folder} holds no patients: folders with patient.json and arrays.npz.")
    planned = _planned_splits(folder)
    wanted = []
    for path in found:
        record = json.loads((path / "patient.json").read_text(encoding="utf-8"))
        if record.get("split", planned.get(path.name)) in splits:
            wanted.append(path)
    if not wanted:
        raise LearningError(
            f"{folder} holds {len(found)} patients, but none of the split {', '.join(splits)}. A split stands "
            'in patient.json ("split"), or in cohort.json of the data set.'
        )
    return wanted[:most] if most else wanted


def _planned_splits(folder: Path) -> dict[str, str]:
    """The splits of a data set that was built from a plan, by name of the patient."""
    path = folder / "cohort.json"
    if not path.is_file():
        return {}
    try:
        members = json.loads(path.read_text(encoding="utf-8"))["patients"]
        return {member["name"]: member["split"] for member in members}
    except (ValueError, KeyError, TypeError) as error:
        raise LearningError(f"{path} is not the list of a data set's patients ({error}).") from error


def same_person(name: str) -> str:
    """What the cycles of one patient have in common: the name up to "_cycle…"."""
    return name.split("_cycle", maxsplit=1)[0]


def fold_of(names: Sequence[str], folds: int, seed: int) -> dict[str, int]:
    """The fold of each patient: dealt out in an order that depends on the seed alone; cycles stay together."""
    people = sorted({same_person(name) for name in names})
    if len(people) < folds:
        raise LearningError(f"{len(people)} patients cannot be dealt into {folds} folds: set patients.folds lower.")
    people.sort(key=lambda person: hashlib.sha256(f"{seed}/{person}".encode()).hexdigest())
    number = {person: position % folds for position, person in enumerate(people)}
    return {name: number[same_person(name)] for name in names}


def read_cases(folders: Sequence[Path], device: Any, progress: Progress = silent) -> list[TrainingCase]:
    """All patients on the device; files are unpacked by several threads at once."""
    from concurrent.futures import ThreadPoolExecutor

    from RPTDosimetryLib.learning.patient_set import read_patient

    cases = []
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, READERS)) as pool:
        for done, patient in enumerate(pool.map(read_patient, folders)):
            progress(done / len(folders), f"Reading {patient.name}")
            cases.append(training_case(patient, device))
    return cases
