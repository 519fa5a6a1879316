"""A DICOM RT Dose file: absorbed dose in Gy, and what the file says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.dicom_files import PIXEL_KEYWORDS, DicomFile, decoding, read_dicom
from RPTDosimetryLib.study.dicom_geometry import rt_dose_volume
from RPTDosimetryLib.study.dicom_pixels import Rescale, rescaled, stored_values
from RPTDosimetryLib.study.dicom_values import number, words

RTDOSE: Final = "1.2.840.10008.5.1.4.1.1.481.2"


@dataclass(frozen=True)
class RtDose:
    """A dose grid [Gy] and its labels as DICOM defines them (PS3.3 C.8.8.3).

    dose_type: PHYSICAL (absorbed dose), EFFECTIVE (corrected for biological effect), ERROR (a difference).
    summation_type: PLAN, MULTI_PLAN, RECORD, FRACTION, BEAM, …: over what the dose is summed.
    """

    image: Image
    dose_type: str
    summation_type: str
    comment: str = ""
    heterogeneity_correction: tuple[str, ...] = ()
    frame_of_reference_uid: str | None = None
    patient_id: str = ""


def read_rtdose(path: Path) -> RtDose:
    """Stored values times DoseGridScaling [Gy], planes in the order of their normal.

    Raises StudyError: another kind of DICOM file, units other than GY, no scaling, no dose grid, planes unevenly
    spaced, damaged or incomplete file.
    """
    dataset = read_dicom(path)
    with decoding([DicomFile(path, dataset)]):
        _require_gray(dataset, path)
        scaling = number(dataset, "DoseGridScaling", path)
        if scaling is None or scaling <= 0:
            raise StudyError(
                f"{path}: DoseGridScaling is {'missing' if scaling is None else f'{scaling:g}'}: stored values cannot "
                "be turned into Gy. Export the dose again."
            )
        grid, order = rt_dose_volume(dataset, path)
        stored = stored_values(dataset, path)
        if stored.shape != grid.shape_zyx:
            raise StudyError(f"{path} announces {grid.shape_zyx} voxels and holds {stored.shape}. Copy it again.")
        return RtDose(
            Image(rescaled(stored[order], Rescale(slope=scaling)), grid, "Gy"),
            dose_type=_one_word(dataset, "DoseType"),
            summation_type=_one_word(dataset, "DoseSummationType"),
            comment=str(dataset.get("DoseComment", "") or ""),
            heterogeneity_correction=tuple(words(dataset, "TissueHeterogeneityCorrection")),
            frame_of_reference_uid=str(dataset.get("FrameOfReferenceUID", "") or "") or None,
            patient_id=str(dataset.get("PatientID", "") or ""),
        )


def _require_gray(dataset: Any, path: Path) -> None:
    """The file is a dose grid in Gy, and says what kind of dose."""
    if str(dataset.SOPClassUID) != RTDOSE:
        raise StudyError(f"{path} is {dataset.SOPClassUID.name}, not RT Dose. Give a dose map.")
    if not any(keyword in dataset for keyword in PIXEL_KEYWORDS):
        raise StudyError(f"{path} holds no dose grid (histograms only, perhaps, or cut off). Export the dose grid.")
    units = _one_word(dataset, "DoseUnits")
    if units != "GY":
        raise StudyError(
            f"{path}: the dose is in {units or 'no stated unit'}, not in GY. Export it as absolute dose; a relative "
            "one cannot be turned into Gy."
        )
    if not _one_word(dataset, "DoseType"):
        raise StudyError(f"{path} does not say what kind of dose it holds (DoseType). Export the dose again.")


def _one_word(dataset: Any, keyword: str) -> str:
    return next(iter(words(dataset, keyword)), "").strip()
