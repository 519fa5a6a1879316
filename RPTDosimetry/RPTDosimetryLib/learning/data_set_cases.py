"""Patients of a data set as cases of a cohort: SSV, MSV and networks against their Monte Carlo dose."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.dose.engine import DoseSettings, DoseTask
from RPTDosimetryLib.dose.hybrid_settings import HybridSettings
from RPTDosimetryLib.dose.voxel_s import multiple_voxel_s
from RPTDosimetryLib.errors import DosimetryError, EvaluationError
from RPTDosimetryLib.evaluation.cohort import CohortCase
from RPTDosimetryLib.learning.hybrid_engine import hybrid
from RPTDosimetryLib.learning.patient_set import PatientArrays, read_patient
from RPTDosimetryLib.learning.training_cases import patient_folders
from RPTDosimetryLib.records import Image, PatientMap, TiaMap, Voi

#: Where Monte Carlo's own error of a volume's mean is larger than this, the volume cannot tell methods apart [1].
LARGEST_ERROR_OF_A_MEAN: Final = 0.01
#: Voxels on either side of a surface that count as interface.
INTERFACE_VOXELS: Final = 2


@dataclass(frozen=True)
class DataSetChoice:
    """Which patients of a data set, and which models beside SSV and MSV (names or folders).

    unguarded: of each model also the dose that its guard would withhold (named "… unguarded"). unscaled: also MSV-8 in
    the papers' plain form.
    """

    folder: Path
    split: str = "test"
    models: tuple[str, ...] = ("default",)
    unguarded: bool = False
    unscaled: bool = True
    device: str = "cpu"

    def patients(self) -> list[Path]:
        """Their folders. Raises LearningError where there is none."""
        return patient_folders(self.folder, [self.split])


def cases_of_data_set(choice: DataSetChoice, folders: Sequence[Path] | None = None) -> Iterator[CohortCase]:
    """Each patient when its turn comes. mask: tissue. Raises StudyError, LearningError, DoseError with the patient."""
    for folder in choice.patients() if folders is None else folders:
        try:
            case = case_of_patient(read_patient(folder), choice)
        except DosimetryError as error:
            raise type(error)(f"{folder.name}: {error}") from error
        yield case
        del case  # not kept while the next one is read


def case_of_patient(patient: PatientArrays, choice: DataSetChoice) -> CohortCase:
    """Reference: Monte Carlo, with its standard error. Computing times are this machine's for all but stored doses.

    Raises EvaluationError where the patient has no tissue.
    """
    tissue = patient.medium8 > 0
    if not tissue.any():
        raise EvaluationError("there is no tissue in this patient: nothing can be compared. Build it anew.")
    stored = {"ssv": patient.ssv_gy, "msv8": patient.msv8_gy, "msv20": patient.msv20_gy}
    doses, said = dict(stored), list[str]()
    seconds = {name: float(patient.record.get("seconds", {}).get(name, 0.0)) for name in stored}
    if choice.unscaled:
        doses["msv8_unscaled"] = multiple_voxel_s(_task(patient, DoseSettings(msv_unscaled=True))).dose_gy
    for model in choice.models:
        name, found = Path(model).name, None
        for when, label in (("msv", name), ("use", f"{name} unguarded"))[: 1 + choice.unguarded]:
            if found is None or found.parameters["fell_back"]:  # otherwise the guard has withheld nothing
                settings = HybridSettings(model, choice.device, when, attribution=False)  # type: ignore[arg-type]
                start = time.perf_counter()
                found = hybrid(_task(patient, DoseSettings(engine="hybrid", hybrid=settings)))
                taken_s = time.perf_counter() - start
            seconds[label], doses[label] = taken_s, found.dose_gy
            said += [f"{label}: {text}" for text in found.warnings if "Hybrid" in text]
    volumes, left_out = _volumes(patient, tissue)
    return CohortCase(
        patient=patient.name,
        reference=_gy(patient, patient.mc_gy),
        evaluated={name: _gy(patient, np.where(tissue, dose, np.float32(0.0))) for name, dose in doses.items()},
        vois=volumes,
        density=Image(patient.density_g_per_cm3, patient.grid, "g/cm3"),
        seconds={name: value for name, value in seconds.items() if value > 0.0},
        mask=tissue,
        reference_se=_gy(patient, patient.mc_se_gy),
        warnings=(*left_out, *said),
    )


def interface_of(mask: NDArray[np.bool_], tissue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tissue within INTERFACE_VOXELS of the surface of a mask, on both sides (26 neighbours a step)."""
    from scipy.ndimage import binary_dilation, binary_erosion

    cube = np.ones((3, 3, 3), dtype=bool)
    outer = binary_dilation(mask, cube, INTERFACE_VOXELS)
    inner = binary_erosion(mask, cube, INTERFACE_VOXELS, border_value=1)
    return np.asarray(outer & ~inner & tissue)


def _volumes(patient: PatientArrays, tissue: NDArray[np.bool_]) -> tuple[list[Voi], list[str]]:
    """Tissue of each volume whose Monte Carlo mean is known well enough, the interfaces, and what was left out."""
    errors = patient.record.get("voi_relative_error", {})
    found, left_out = [], []
    for name, mask in patient.vois.items():
        error = errors.get(name)
        if error is not None and error > LARGEST_ERROR_OF_A_MEAN:
            left_out.append(f"{name} is left out: Monte Carlo knows its mean to {100.0 * error:.1f} % only.")
        elif (mask & tissue).any():
            found.append(Voi(name, mask & tissue, patient.grid, patient.kinds[name]))  # type: ignore[arg-type]
    for organ in ("lungs", "bones"):
        if organ in patient.vois:
            surface = interface_of(patient.vois[organ], tissue)
            found.append(Voi(f"interface of {organ}", surface, patient.grid, "region"))
    return found, left_out


def _task(patient: PatientArrays, settings: DoseSettings) -> DoseTask:
    density = Image(patient.density_g_per_cm3, patient.grid, "g/cm3")
    body = PatientMap(density, patient.medium8, "msv8", f"data set, {patient.name}")
    tia = TiaMap(Image(patient.tia_bq_s, patient.grid, "Bq·s"), "data set", 0.0)
    nuclide = str(patient.record.get("settings", {}).get("nuclide", "Lu-177"))
    return DoseTask(tia, body, nuclide, settings)


def _gy(patient: PatientArrays, dose: NDArray[np.float32]) -> Image:
    return Image(dose, patient.grid, "Gy")
