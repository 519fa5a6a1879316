"""Patients for training, on the device as a whole: patches are cut from them there, without copies from the host."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from RPTDosimetryLib.errors import LearningError
from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.learning.maps import body_box, cropped
from RPTDosimetryLib.learning.photon_bands import photon_bands, soft_kernels
from RPTDosimetryLib.records import Progress, silent


class PatientArrays(Protocol):
    """What a training needs of a patient; arrays (z, y, x) on one grid of spacing_mm (x, y, z)."""

    @property
    def name(self) -> str:
        """Folder and identity; cycles of one person share what stands before "_cycle"."""

    @property
    def split(self) -> str:
        """train, validation or test."""

    @property
    def spacing_mm(self) -> Vector3:
        """Voxel sides (x, y, z) [mm]."""

    @property
    def hu(self) -> Any:
        """CT numbers."""

    @property
    def density(self) -> Any:
        """[g/cm³]."""

    @property
    def tia_bq_s(self) -> Any:
        """Decays of each voxel [Bq·s]."""

    @property
    def msv8_gy(self) -> Any:
        """Dose by MSV-8 [Gy]."""

    @property
    def photon_msv_gy(self) -> Any:
        """Its photon part [Gy]."""

    @property
    def mc_gy(self) -> Any:
        """Monte Carlo dose [Gy]."""

    @property
    def mc_se_gy(self) -> Any:
        """Its standard error [Gy]."""

    @property
    def medium8(self) -> Any:
        """Index of the medium, 0 = air."""

    @property
    def vois(self) -> Mapping[str, Any]:
        """Masks by name."""


@dataclass(frozen=True)
class TrainingCase:
    """One patient as torch tensors (channel, z, y, x), cropped to the body; vois in the order of voi_names.

    highest_gy: the highest MSV dose.
    """

    name: str
    maps: Mapping[str, Any]
    voi_names: tuple[str, ...]
    highest_gy: float


def training_case(patient: PatientArrays, device: Any, nuclide: str = "Lu-177") -> TrainingCase:
    """A patient's maps on the device. Raises LearningError: an array is missing, not finite or of another shape."""
    import torch

    def on_device(values: Any) -> Any:
        return torch.as_tensor(np.ascontiguousarray(values, dtype=np.float32), device=device)[None]

    _require_sound(patient)
    maps = {
        "hu": on_device(patient.hu),
        "density": on_device(patient.density),
        "tissue": on_device(patient.medium8 > 0),
        "tia": on_device(patient.tia_bq_s),
        "msv8": on_device(patient.msv8_gy),
        "photon_msv": on_device(patient.photon_msv_gy),
        "mc": on_device(patient.mc_gy),
        "mc_se": on_device(patient.mc_se_gy),
    }
    spacing = tuple(round(float(mm), 5) for mm in patient.spacing_mm)
    maps["bands"] = photon_bands(maps["tia"][0], soft_kernels(nuclide, (spacing[0], spacing[1], spacing[2])))
    masks = [np.asarray(mask, dtype=np.uint8) for mask in patient.vois.values()]
    shape = (0, *patient.tia_bq_s.shape)
    maps["vois"] = torch.as_tensor(np.stack(masks) if masks else np.zeros(shape, np.uint8), device=device)
    maps = {name: values.contiguous() for name, values in cropped(maps, body_box(maps["tissue"])).items()}
    return TrainingCase(patient.name, maps, tuple(patient.vois), float(patient.msv8_gy.max()))


def _require_sound(patient: PatientArrays) -> None:
    shape = patient.tia_bq_s.shape
    for key in ("hu", "density", "tia_bq_s", "msv8_gy", "photon_msv_gy", "mc_gy", "mc_se_gy", "medium8"):
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
    import json

    found = sorted(path.parent for path in folder.glob("*/patient.json"))
    if not found:
        raise LearningError(
            f"{folder} holds no patients: one folder each with patient.json and arrays.npz is expected."
        )
    wanted = []
    for path in found:
        record = json.loads((path / "patient.json").read_text(encoding="utf-8"))
        if record.get("split") in splits:
            wanted.append(path)
    if not wanted:
        raise LearningError(f"{folder} holds {len(found)} patients, but none of the split {', '.join(splits)}.")
    return wanted[:most] if most else wanted


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
    """All patients on the device."""
    from RPTDosimetryLib.learning.patient_set import read_patient

    cases = []
    for done, folder in enumerate(folders):
        progress(done / len(folders), f"Reading {folder.name}")
        cases.append(training_case(read_patient(folder), device))
    return cases
