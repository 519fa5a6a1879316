"""From a PET/CT with organs to its prediction, in one verb: read, align, bring onto the common grid, predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.evaluation.dvh import Dvh, dvh
from RPTDosimetryLib.prediction.common_grid import Prepared, prepare
from RPTDosimetryLib.prediction.methods import predict_case
from RPTDosimetryLib.prediction.pet_case import OrganDose, PetCase, PredictedDose
from RPTDosimetryLib.prediction.pet_images import PetImages, study_of_images
from RPTDosimetryLib.prediction.pet_study import NOTHING_SAID, PetFacts, PetStudy, read_pet_study
from RPTDosimetryLib.prediction.psma_kinetics import AGENT
from RPTDosimetryLib.records import Image, Progress, Voi, silent


@dataclass(frozen=True)
class PredictionOrder:
    """What is predicted from what, and how.

    source: folder of the PET/CT (DICOM), or its images. organs: a file, or masks, on the therapy CT where one is given,
    otherwise on the PET's CT. others: methods whose organ doses are told beside. patient: whose PET it has to be, empty
    where that is not known.
    """

    source: Path | PetImages
    organs: Path | Sequence[Voi]
    method: str = "projection"
    model: Path | None = None
    tracer: str | None = None
    said: PetFacts = NOTHING_SAID
    agent: str = AGENT
    therapy_ct: Image | None = None
    though_unlike: bool = False
    others: tuple[str, ...] = ()
    patient: str = ""


@dataclass(frozen=True)
class StudyPrediction:
    """A prediction and what it was made from. others: organ doses by other methods; failed: why one gives none."""

    study: PetStudy
    prepared: Prepared
    predicted: PredictedDose
    others: Mapping[str, tuple[OrganDose, ...]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def case(self) -> PetCase:
        """PET, CT and organs on the common grid."""
        return self.prepared.case

    @property
    def notes(self) -> tuple[str, ...]:
        """What is said of the PET and the organs, then of the prediction."""
        return (*self.study.warnings, *self.prepared.notes, *self.predicted.warnings)

    def origin(self, source: Any) -> dict[str, Any]:
        """What the PET was and how it was read."""
        return {
            "pet_study": source, "suv": self.study.how, "injected_bq": self.study.injected_bq,
            "nuclide": self.study.nuclide, "alignment": self.prepared.alignment,
            "notes": (*self.study.warnings, *self.prepared.notes),
        }  # fmt: skip


def predict_study(order: PredictionOrder, progress: Progress = silent) -> StudyPrediction:
    """The prediction that is asked for. Raises StudyError, PredictionError, RegistrationError, VoiError, each saying
    what is missing or unlike; another method that fails is told in ``failed`` and stops nothing.
    """
    progress(0.0, "Reading PET and CT")
    if isinstance(order.source, Path):
        study = read_pet_study(order.source, order.tracer, order.said)
    else:
        study = study_of_images(order.source, order.tracer, order.said)
    if order.patient and study.patient_id and order.patient != study.patient_id:
        raise PredictionError(
            f"The PET is of patient {study.patient_id}, the therapy of {order.patient}: choose the PET of that patient."
        )
    progress(0.2, "Bringing PET, CT and organs onto the common grid")
    prepared = prepare(study, order.organs, order.therapy_ct, order.agent)
    progress(0.5, f"Predicting by {order.method}")
    predicted = predict_case(prepared.case, order.method, order.model, order.though_unlike)
    others, failed = {}, {}
    for name in (name for name in order.others if name != order.method):
        progress(0.8, f"Predicting by {name}")
        try:
            others[name] = predict_case(prepared.case, name, None, True).organs
        except PredictionError as error:
            failed[name] = str(error)
    progress(1.0, "Predicted")
    return StudyPrediction(study, prepared, predicted, others, failed)


def in_gy(per_gbq: Image, activity_gbq: float) -> Image:
    """D = (D/A0)·A0 [Gy] of a map in Gy/GBq. Raises PredictionError for an activity that is none."""
    if not (np.isfinite(activity_gbq) and activity_gbq > 0):
        raise PredictionError(f"An activity of {activity_gbq:g} GBq: give one above 0.")
    return per_gbq.with_voxels(per_gbq.voxels * np.float32(activity_gbq), "Gy")


def predicted_histograms(case: PetCase, predicted: PredictedDose) -> list[Dvh]:
    """Dose-volume histogram of every organ that is not withheld, its dose in Gy/GBq, over its tissue."""
    voxel_ml, voxels = case.pet.grid.voxel_volume_ml, predicted.map_gy_per_gbq.voxels
    masks = {o.name: case.organs[o.name] & case.tissue for o in predicted.organs if not o.withheld}
    return [dvh(voxels[mask], voxel_ml, name) for name, mask in masks.items() if mask.any()]
