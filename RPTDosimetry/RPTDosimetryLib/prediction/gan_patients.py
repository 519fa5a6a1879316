"""Patients a DoseGAN learns from: one folder each, with arrays.npz and patient.json; and their division into folds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.physics.media import media_scheme
from RPTDosimetryLib.prediction.pet_case import TOGETHER

#: Uptake is SUV · REFERENCE_WEIGHT_KG / weight: concentration per administered activity, which the dose per GBq follows
#: and SUV does not (a heavier patient has a higher SUV for the same dose).
REFERENCE_WEIGHT_KG: Final = 70.0
#: Below this CT number a voxel is air: no dose (the first edge of the eight media).
AIR_BELOW_HU: Final = float(media_scheme("msv8").tissue[0].hu_range[0])  # type: ignore[index]


@dataclass(frozen=True)
class GanPatient:
    """One patient on one grid, arrays (z, y, x): uptake [SUV at 70 kg], HU, dose [Gy/GBq], organ labels.

    person: whose study it is (cycles of one person are never split); kind: what sort of anatomy; sha256 of arrays.npz;
    tracer of the PET and agent of the therapy.
    """

    name: str
    person: str
    kind: str
    uptake: NDArray[np.float32]
    hu: NDArray[np.float32]
    dose_gy_per_gbq: NDArray[np.float32]
    labels: NDArray[np.uint8]
    label_names: Mapping[int, str] = field(default_factory=dict)
    spacing_mm: tuple[float, float, float] = (4.8, 4.8, 4.8)
    sha256: str = ""
    tracer: str = ""
    agent: str = ""

    def __post_init__(self) -> None:
        shapes = {a.shape for a in (self.uptake, self.hu, self.dose_gy_per_gbq, self.labels)}
        if len(shapes) != 1 or self.uptake.ndim != 3:
            raise PredictionError(f"Patient {self.name}: PET, CT, dose and labels are on different grids: {shapes}.")
        for what in ("uptake", "hu", "dose_gy_per_gbq"):
            if not np.isfinite(getattr(self, what)).all():
                raise PredictionError(f"Patient {self.name}: {what} holds values that are not numbers. Make it anew.")
        if self.dose_gy_per_gbq.min() < 0 or not (self.dose_gy_per_gbq.any() and self.uptake.any()):
            raise PredictionError(f"Patient {self.name}: the dose is negative somewhere, or PET or dose is empty.")

    @cached_property
    def organs(self) -> dict[str, NDArray[np.int64]]:
        """Flat indices of each labelled organ's voxels in tissue, both kidneys as one."""
        found: dict[str, NDArray[np.int64]] = {}
        for label in np.unique(self.labels[self.labels > 0]):
            own = self.label_names.get(int(label), f"label {label}")
            name, voxels = TOGETHER.get(own, own), np.flatnonzero((self.labels == label) & self.body)
            if voxels.size:
                found[name] = np.concatenate([found[name], voxels]) if name in found else voxels
        return found

    @cached_property
    def body(self) -> NDArray[np.bool_]:
        """Voxels that are not air."""
        return np.asarray(self.hu >= AIR_BELOW_HU)


def uptake_from_suv(suv: NDArray[np.floating[Any]], weight_kg: float) -> NDArray[np.float32]:
    """SUV (body weight) → uptake [SUV at 70 kg], negative values as 0. Raises PredictionError for no real weight."""
    if not 5.0 <= weight_kg <= 400.0:
        raise PredictionError(f"A body weight of {weight_kg:g} kg: give the patient's, 5 to 400 kg.")
    return np.clip(suv, 0.0, None).astype(np.float32) * np.float32(REFERENCE_WEIGHT_KG / weight_kg)


def read_gan_patient(folder: Path) -> GanPatient:
    """One patient's folder. Raises PredictionError: files or entries missing, grids apart, values not numbers."""
    described = _json(folder / "patient.json")
    try:
        content = (folder / "arrays.npz").read_bytes()
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            suv, hu, dose, labels = (arrays[key] for key in ("pet_suv", "hu", "dose_gy", "labels"))
        weight_kg, gbq = float(described["weight_kg"]), float(described["reference_activity_bq"]) * 1e-9
        spacing = tuple(float(v) for v in described["spacing_mm"])
        names = {int(number): str(name) for name, number in described.get("labels", {}).items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PredictionError(
            f"{folder}: arrays.npz or patient.json lacks something or is damaged: {error}."
        ) from error
    return GanPatient(
        name=folder.name,
        person=str(described.get("person", folder.name)),
        kind=str(described.get("kind", "")),
        uptake=uptake_from_suv(suv, weight_kg),
        hu=hu.astype(np.float32),
        dose_gy_per_gbq=(dose / gbq).astype(np.float32),
        labels=labels.astype(np.uint8),
        label_names=names,
        spacing_mm=spacing,  # type: ignore[arg-type]
        sha256=hashlib.sha256(content).hexdigest(),
        tracer=str(described.get("tracer", "")),
        agent=str(described.get("agent", "")),
    )


def read_gan_patients(root: Path, split: str | None = "train") -> list[GanPatient]:
    """Every patient below ``root`` in the order of names; those whose "split" is another are left out.

    Raises PredictionError: none there, or not all of one voxel size, tracer and agent.
    """
    folders = sorted(path.parent for path in root.glob("*/arrays.npz"))
    chosen = [f for f in folders if split is None or _json(f / "patient.json").get("split", "train") == split]
    if not chosen:
        raise PredictionError(
            f"{root} holds no patient for {split or 'use'}: folders with arrays.npz and patient.json."
        )
    patients = [read_gan_patient(folder) for folder in chosen]
    for patient in patients:
        if not np.allclose(patient.spacing_mm, patients[0].spacing_mm, rtol=0.01):
            raise PredictionError(
                f"Patient {patient.name} has voxels of {patient.spacing_mm} mm and {patients[0].name} of "
                f"{patients[0].spacing_mm} mm: bring all to one voxel size."
            )
        if (patient.tracer, patient.agent) != (patients[0].tracer, patients[0].agent):
            raise PredictionError(
                f"Patient {patient.name} is of {patient.tracer} and {patient.agent}, {patients[0].name} of "
                f"{patients[0].tracer} and {patients[0].agent}: a model learns one pair."
            )
    return patients


def known_organs(patients: Sequence[GanPatient]) -> tuple[str, ...]:
    """Names of all labelled organs, in the order in which a network numbers them from 1."""
    return tuple(sorted({name for patient in patients for name in patient.organs}))


def organ_numbers(
    voxels: Mapping[str, NDArray[np.int64]], organs: Sequence[str], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """(z, y, x): each voxel's number in ``organs``, from 1; 0 where there is no outline or one of another name.

    voxels: flat indices of each outlined organ.
    """
    numbers = np.zeros(shape, dtype=np.float32)
    for name, where in voxels.items():
        known = TOGETHER.get(name, name)
        if known in organs:
            numbers.reshape(-1)[where] = list(organs).index(known) + 1
    return numbers


def patient_folds(patients: Sequence[GanPatient], folds: int, seed: int) -> list[list[int]]:
    """Indices of the patients held out in each fold: persons are shuffled and dealt out kind by kind, never split."""
    persons: dict[str, list[int]] = {}
    for index, patient in enumerate(patients):
        persons.setdefault(patient.person, []).append(index)
    if len(persons) < folds:
        raise PredictionError(f"{folds} folds need as many persons: there are {len(persons)}. Set fewer folds.")
    rng = np.random.default_rng([seed, folds])
    names = sorted(persons)
    shuffled = [names[i] for i in rng.permutation(len(names))]
    ordered = sorted(shuffled, key=lambda name: patients[persons[name][0]].kind)
    return [sorted(i for name in ordered[fold::folds] for i in persons[name]) for fold in range(folds)]


def _json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PredictionError(f"{path} cannot be read: {error}.") from error
    if not isinstance(read, dict):
        raise PredictionError(f"{path} is not a JSON object.")
    return read
