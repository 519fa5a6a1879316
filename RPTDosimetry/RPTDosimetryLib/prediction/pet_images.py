"""A PET and its CT as volumes that no header comes with: everything but the voxels is said by a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.prediction.pet_study import PetFacts, PetStudy, require_possible_time, suv_factor
from RPTDosimetryLib.prediction.tracers import HALF_LIFE_S, KNOWN_TRACERS, NUCLIDE_OF
from RPTDosimetryLib.records import Image

#: What Bq/mL are decay-corrected to: the start of the scan or the injection (DICOM's START and ADMIN).
REFERENCES: Final = ("START", "ADMIN")


@dataclass(frozen=True)
class PetImages:
    """PET [Bq/mL or SUV by body weight] and CT [HU] in one space.

    refers_to: START or ADMIN, what Bq/mL are decay-corrected to; None where nobody says, as for SUV.
    """

    pet: Image
    ct: Image
    refers_to: Literal["START", "ADMIN"] | None = None
    name: str = "The PET"


def study_of_images(images: PetImages, tracer: str | None, said: PetFacts) -> PetStudy:
    """The PET in SUV by what is said of it.

    Raises StudyError: unit, tracer, weight, minutes after injection, and for Bq/mL also injected activity and what the
    decay correction refers to, where one is missing or none that can be.
    """
    lacking = missing_facts(images.pet.unit, images.refers_to, tracer, said)
    if images.ct.unit != "HU":
        lacking.append(f"The CT is in {images.ct.unit}, not in HU: give the CT of the PET/CT.")
    if lacking:
        raise StudyError(f"{images.name}: {' '.join(lacking)}")
    assert tracer is not None
    assert said.weight_kg is not None
    assert said.minutes is not None
    elapsed_s, nuclide = said.minutes * 60.0, NUCLIDE_OF[tracer]
    require_possible_time(elapsed_s, images.name)
    voxels, how = np.asarray(images.pet.voxels, dtype=np.float32), "given as SUV by body weight"
    if images.pet.unit == "Bq/mL":
        assert said.injected_bq is not None
        since_s = elapsed_s if images.refers_to == "START" else 0.0
        voxels = voxels * suv_factor(said.weight_kg, said.injected_bq, HALF_LIFE_S[nuclide], since_s)
        to = "acquisition start (START)" if images.refers_to == "START" else "the injection (ADMIN)"
        how = f"Bq/mL corrected to {to}, {said.minutes:g} min after injection, as given by hand"
    return PetStudy(
        pet=images.pet.with_voxels(np.clip(voxels, 0.0, None).astype(np.float32), "SUV"),
        ct=images.ct,
        tracer=tracer,
        nuclide=nuclide,
        weight_kg=said.weight_kg,
        injected_bq=said.injected_bq,
        scan_time_min=said.minutes,
        patient_id="",
        how=how,
    )


def missing_facts(unit: str, refers_to: str | None, tracer: str | None, said: PetFacts) -> list[str]:
    """One sentence for each thing that is not said of a PET in this unit, or cannot be."""
    told = []
    if unit not in ("Bq/mL", "SUV"):
        told.append("The unit of the PET is not known: choose Bq/mL or SUV by body weight.")
    if tracer not in KNOWN_TRACERS:
        told.append("Which tracer the PET shows is not known: choose it.")
    if said.weight_kg is None or not said.weight_kg > 0:
        told.append("The body weight is not known: give it [kg].")
    if said.minutes is None or not said.minutes > 0:
        told.append("The time from injection to scan is not known: give it [min].")
    if unit == "Bq/mL":
        if said.injected_bq is None or not said.injected_bq > 0:
            told.append("The injected activity is not known: give it.")
        if refers_to not in REFERENCES:
            told.append("What the Bq/mL are decay-corrected to is not known: choose scan start or injection.")
    return told
