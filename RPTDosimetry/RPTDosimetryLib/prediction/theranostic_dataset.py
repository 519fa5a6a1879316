"""Theranostic virtual patients on disk, from which predictors learn: one folder each, whole or not there.

patient-0001/arrays.npz: pet_suv (float32, SUV by body weight), hu (int16), dose_gy (float32, Gy for the
reference activity of patient.json, 1 GBq), labels (uint8); all (z, y, x) on one grid of 4.8 mm.
patient-0001/patient.json: weight_kg, spacing_mm, labels {name: number}, person, kind, split, tracer, agent, what was
drawn, and how the dose came about.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CancelledError, PredictionError
from RPTDosimetryLib.files import whole_folder
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.prediction.cohort_anatomy import COHORT_KINDS, cohort_anatomy
from RPTDosimetryLib.prediction.psma_kinetics import AGENT, SCAN_TIME_MIN, TRACER
from RPTDosimetryLib.prediction.theranostic_anatomy import TheranosticAnatomy, torso_anatomy
from RPTDosimetryLib.prediction.theranostic_patient import (
    KineticVariety,
    PetAppearance,
    TheranosticPatient,
    theranostic_patient,
)
from RPTDosimetryLib.records import Cancelled, Progress, never, silent

#: Raised when the same seed no longer gives the same patient: old folders are then not mixed with new ones.
RECIPE: Final = 1
Split = Literal["train", "test"]
#: Anatomies by kind, from a seed.
ANATOMIES: Final[dict[str, Callable[[int], TheranosticAnatomy]]] = {
    "torso": torso_anatomy,
    **{kind: partial(cohort_anatomy, kind) for kind in COHORT_KINDS},
}
#: The kinds that predictors learn from; the other ones of ANATOMIES test how they meet the unknown.
TRAINING_KINDS: Final = ("torso", "male", "obese", "slim")


@dataclass(frozen=True)
class TheranosticDataset:
    """Patients of these kinds in turn, with seeds from first_seed on; the last test_share are for judging.

    processes: patients made at the same time, one core each.
    """

    patients: int = 48
    kinds: tuple[str, ...] = TRAINING_KINDS
    first_seed: int = 1
    test_share: float = 0.25
    processes: int = 1
    variety: KineticVariety = field(default_factory=KineticVariety)
    pet: PetAppearance = field(default_factory=PetAppearance)

    def __post_init__(self) -> None:
        if not 1 <= self.patients <= 100_000 or self.processes < 1 or self.first_seed < 0:
            raise PredictionError("A data set needs 1 to 100,000 patients, a seed of at least 0 and 1 process or more.")
        if not 0.0 <= self.test_share < 1.0:
            raise PredictionError(f"A test share of {self.test_share:g}: give 0 up to, not including, 1.")
        for kind in self.kinds:
            if kind not in ANATOMIES:
                raise PredictionError(f"No anatomy {kind!r} for virtual patients. Choose of: {', '.join(ANATOMIES)}.")

    def entries(self) -> list[tuple[str, str, int, Split]]:
        """(folder, kind, seed, split) of every patient."""
        train = self.patients - round(self.patients * self.test_share)
        return [
            (
                f"patient-{n + 1:04d}",
                self.kinds[n % len(self.kinds)],
                self.first_seed + n,
                "train" if n < train else "test",
            )
            for n in range(self.patients)
        ]


@dataclass(frozen=True)
class StoredPatient:
    """One patient read back: arrays (z, y, x) on a grid; dose [Gy] for reference_activity_bq."""

    name: str
    pet_suv: NDArray[np.float32]
    hu: NDArray[np.int16]
    dose_gy: NDArray[np.float32]
    labels: NDArray[np.uint8]
    names: Mapping[str, int]
    grid: Grid
    weight_kg: float
    reference_activity_bq: float
    described: Mapping[str, Any]

    def mask(self, organ: str) -> NDArray[np.bool_]:
        """Voxels of an organ by name; "kidneys" is both."""
        wanted = [
            number for name, number in self.names.items() if name == organ or name.startswith(organ.rstrip("s") + "_")
        ]
        return np.isin(self.labels, wanted)


def write_theranostic_dataset(
    wanted: TheranosticDataset, root: Path, progress: Progress = silent, cancelled: Cancelled = never
) -> dict[str, Any]:
    """Make what is not there yet, each patient whole or not at all; returns how many were made and how many stood.

    A run that was stopped goes on where it was. Raises PredictionError for a folder made with other settings,
    CancelledError, ReportError when the disk refuses.
    """
    entries = wanted.entries()
    missing = [entry for entry in entries if not _stands(root / entry[0], entry, wanted)]
    for done, name in enumerate(_made(wanted, missing, root, cancelled), start=1):
        progress(done / len(missing), f"{name} ({done} of {len(missing)})")
    return {"root": root, "patients": len(entries), "made": len(missing), "stood": len(entries) - len(missing)}


def write_patient(patient: TheranosticPatient, folder: Path, described: Mapping[str, Any]) -> None:
    """arrays.npz and patient.json in a folder, whole or not at all."""
    anatomy = patient.anatomy
    content = {
        "recipe": RECIPE,
        "weight_kg": anatomy.weight_kg,
        "spacing_mm": list(anatomy.grid.spacing_mm),
        "origin_mm": list(anatomy.grid.origin_mm),
        "labels": dict(anatomy.names),
        "person": folder.name,
        "kind": anatomy.kind,
        "source": anatomy.source,
        "tracer": TRACER,
        "pet_time_min": SCAN_TIME_MIN,
        "agent": AGENT,
        "reference_activity_bq": patient.reference_activity_bq,
        "dose_engine": patient.dose.engine,
        "dose_method": patient.dose.method,
        "drawn": patient.drawn,
        **described,
    }
    with whole_folder(folder) as temporary:
        np.savez_compressed(
            temporary / "arrays.npz",
            pet_suv=patient.pet_suv,
            hu=np.round(anatomy.hu.voxels).astype(np.int16),
            dose_gy=patient.dose.image.voxels,
            labels=anatomy.labels,
        )
        (temporary / "patient.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def read_patient(folder: Path) -> StoredPatient:
    """One patient. Raises PredictionError for missing or damaged files, or arrays of different shapes."""
    try:
        described = json.loads((folder / "patient.json").read_text(encoding="utf-8"))
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            suv, hu, dose, labels = (arrays[key] for key in ("pet_suv", "hu", "dose_gy", "labels"))
        grid = Grid(suv.shape, tuple(described["spacing_mm"]), tuple(described.get("origin_mm", (0.0, 0.0, 0.0))))
        weight, activity = float(described["weight_kg"]), float(described["reference_activity_bq"])
        names = {str(name): int(number) for name, number in described["labels"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PredictionError(
            f"{folder}: arrays.npz or patient.json is missing or damaged ({error}). Make it anew."
        ) from error
    if len({suv.shape, hu.shape, dose.shape, labels.shape}) != 1:
        raise PredictionError(f"{folder}: PET, CT, dose and labels have different shapes. Make it anew.")
    return StoredPatient(folder.name, suv, hu, dose, labels, names, grid, weight, activity, described)


def read_patients(root: Path, split: Split | None = None) -> list[StoredPatient]:
    """All patients below a folder, or those of one split, by name. Raises PredictionError where there is none."""
    found = [read_patient(path.parent) for path in sorted(root.glob("*/patient.json"))]
    chosen = [patient for patient in found if split is None or patient.described.get("split", "train") == split]
    if not chosen:
        raise PredictionError(
            f"{root} holds no theranostic patients{f' for {split}' if split else ''}: make some first."
        )
    return chosen


def _made(
    wanted: TheranosticDataset, missing: list[tuple[str, str, int, Split]], root: Path, cancelled: Cancelled
) -> Any:
    """Names of patients as they are finished."""
    if wanted.processes == 1 or len(missing) < 2:
        for entry in missing:
            _stop_if(cancelled)
            yield _make_one(entry, wanted, root)
        return
    # spawn: a fork would carry over the threads of FFTs and BLAS in an unknown state.
    with ProcessPoolExecutor(min(wanted.processes, len(missing)), mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_make_one, entry, wanted, root) for entry in missing]
        try:
            for future in as_completed(running):
                yield future.result()
                _stop_if(cancelled)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _make_one(entry: tuple[str, str, int, Split], wanted: TheranosticDataset, root: Path) -> str:
    name, kind, seed, split = entry
    patient = theranostic_patient(ANATOMIES[kind](seed), seed, wanted.variety, wanted.pet)
    write_patient(patient, root / name, {"seed": seed, "split": split})
    return name


def _stands(folder: Path, entry: tuple[str, str, int, Split], wanted: TheranosticDataset) -> bool:
    """True when that very patient is there. Raises PredictionError when another one is."""
    if not (folder / "patient.json").exists() or not (folder / "arrays.npz").exists():
        return False
    try:
        there = json.loads((folder / "patient.json").read_text(encoding="utf-8"))
    except ValueError:
        return False
    _, kind, seed, split = entry
    asked = {"recipe": RECIPE, "kind": kind, "seed": seed, "split": split}
    asked_drawn = {"variety": asdict(wanted.variety), "pet": asdict(wanted.pet)}
    drawn = there.get("drawn", {})
    if any(there.get(key) != value for key, value in asked.items()) or any(
        drawn.get(key) != value for key, value in asked_drawn.items()
    ):
        raise PredictionError(f"{folder} holds a patient made with other settings. Choose a new folder or remove it.")
    return True


def _stop_if(cancelled: Cancelled) -> None:
    if cancelled():
        raise CancelledError("Making virtual patients was stopped; those finished are kept.")
