"""What a prediction is made from, and what it is: one PET/CT with organs, and a dose map marked as predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.grid import require_same_grid
from RPTDosimetryLib.physics.hounsfield import density_from_hu
from RPTDosimetryLib.physics.media import SCHNEIDER_8
from RPTDosimetryLib.prediction.psma_kinetics import AGENT, SCAN_TIME_MIN, TRACER
from RPTDosimetryLib.prediction.theranostic_dataset import StoredPatient
from RPTDosimetryLib.records import Image

#: Organs that are predicted as one.
TOGETHER: Mapping[str, str] = {"kidney_left": "kidneys", "kidney_right": "kidneys"}
#: Without these nothing is predicted.
NEEDED_ORGANS: Final = ("kidneys", "liver")
#: Words that stand in the name, the description and every table of a predicted map.
MARK = "PREDICTION, not a measurement"


@dataclass(frozen=True)
class PetCase:
    """PET [SUV by body weight], CT [HU] and organs (masks that do not overlap) on one grid.

    scan_time_min: from injection to the scan. Organs have the names of theranostic_anatomy.LABELS, both kidneys as
    "kidneys".
    """

    name: str
    pet: Image
    ct: Image
    organs: Mapping[str, NDArray[np.bool_]]
    weight_kg: float
    scan_time_min: float = SCAN_TIME_MIN
    tracer: str = TRACER
    agent: str = AGENT

    def __post_init__(self) -> None:
        require_same_grid(self.pet.grid, self.ct.grid, "PET and CT")
        if self.pet.unit != "SUV":
            raise PredictionError(f"The PET is in {self.pet.unit!r}: predictions start from SUV by body weight.")
        if not np.isfinite(self.pet.voxels).all() or not float(self.pet.voxels.max()) > 0:
            raise PredictionError("The PET holds values that are not numbers, or no activity at all. Check the file.")
        if not 5.0 <= self.weight_kg <= 400.0:
            raise PredictionError(f"A body weight of {self.weight_kg:g} kg: give the patient's, 5 to 400 kg.")
        if not self.organs:
            raise PredictionError("No organ is given: predictions are by organ. Add a segmentation of the CT.")
        covered = np.zeros(self.pet.grid.shape_zyx, dtype=np.uint8)
        for name, mask in self.organs.items():
            if mask.shape != covered.shape:
                raise PredictionError(f"The mask of {name} has {mask.shape} voxels, the PET {covered.shape}.")
            covered += mask
        if covered.max() > 1:
            raise PredictionError("Organs overlap: each voxel can be predicted by one organ only. Correct the masks.")

    @cached_property
    def density_g_per_cm3(self) -> NDArray[np.float64]:
        """Of every voxel, by the CT."""
        return np.asarray(density_from_hu(self.ct.voxels), dtype=np.float64)

    @cached_property
    def tissue(self) -> NDArray[np.bool_]:
        """Voxels that are not air; only these have a dose."""
        return np.asarray(SCHNEIDER_8.media_from_hu(self.ct.voxels) > 0)

    def mass_mean(self, voxels: NDArray[np.floating], organ: str) -> float:
        """Σ m_i·x_i/Σ m_i over the organ's tissue. Raises PredictionError where it has none."""
        inside = self.organs[organ] & self.tissue
        if not inside.any():
            raise PredictionError(f"{organ} holds no voxel of tissue on the PET's grid. Check its mask.")
        return float(np.average(np.asarray(voxels, dtype=np.float64)[inside], weights=self.density_g_per_cm3[inside]))


@dataclass(frozen=True)
class OrganDose:
    """Predicted mean dose of an organ [Gy/GBq], mass-weighted, with its 95 % interval.

    unlike: why this organ is unlike those the predictor knows; withheld: then no figure is given (mean is None).
    """

    name: str
    mean_gy_per_gbq: float | None
    low_gy_per_gbq: float | None
    high_gy_per_gbq: float | None
    unlike: tuple[str, ...] = ()

    @property
    def withheld(self) -> bool:
        """True where the organ is too unlike what is known for any figure."""
        return self.mean_gy_per_gbq is None


@dataclass(frozen=True)
class PredictedDose:
    """A predicted dose map [Gy/GBq] and organ doses; text says how, warnings what limits it.

    spread: standard uncertainty of voxels [Gy/GBq], where the method has one.
    """

    method: str
    map_gy_per_gbq: Image
    organs: tuple[OrganDose, ...]
    text: str
    warnings: tuple[str, ...] = ()
    spread: Image | None = None


def case_of(stored: StoredPatient) -> PetCase:
    """A theranostic virtual patient as a case to predict; its dose is left behind."""
    masks: dict[str, NDArray[np.bool_]] = {}
    for name, label in stored.names.items():
        mask = stored.labels == label
        if mask.any():
            known = TOGETHER.get(name, name)
            masks[known] = masks[known] | mask if known in masks else mask
    hu = Image(stored.hu.astype(np.float32), stored.grid, "HU")
    return PetCase(stored.name, Image(stored.pet_suv, stored.grid, "SUV"), hu, masks, stored.weight_kg)
