"""Radiopharmaceutical and patient position as code sequences and attributes."""

from __future__ import annotations

import math

from pydicom.dataset import Dataset

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import Administration
from RPTDosimetryLib.study.dicom_values import seconds_between
from RPTDosimetryLib.virtual_patient.dicom_identity import Visit, code_item, decimal

#: SNOMED CT codes of DICOM PS3.16 CID 18 (nuclides), CID 19 and CID 21 (patient position).
_NUCLIDE_CODES = {
    "Lu-177": ("447553000", "^177^Lutetium"),
    "Y-90": ("14691008", "^90^Yttrium"),
    "I-131": ("1368003", "^131^Iodine"),
}
_RECUMBENT = ("102538003", "SCT", "recumbent")
_SUPINE = ("40199007", "SCT", "supine")
_HEAD_FIRST = ("102540008", "SCT", "headfirst")


def radiopharmaceutical_item(administration: Administration, start_datetime: bool) -> Dataset:
    """An item of RadiopharmaceuticalInformationSequence, without the activity (its unit depends on the modality)."""
    item = Dataset()
    code = _NUCLIDE_CODES.get(administration.nuclide or "")
    item.RadionuclideCodeSequence = [] if code is None else [code_item(code[0], "SCT", code[1])]
    if administration.nuclide is not None:
        item.Radiopharmaceutical = administration.nuclide
    if administration.half_life_s is not None:
        item.RadionuclideHalfLife = decimal(administration.half_life_s)
    if administration.time is not None:
        item.RadiopharmaceuticalStartTime = f"{administration.time:%H%M%S.%f}"
        if start_datetime:
            item.RadiopharmaceuticalStartDateTime = (
                f"{administration.time:%Y%m%d%H%M%S.%f}" + administration.time.strftime("%z")[:5]
            )
    return item


def admin_factor(administration: Administration, visit: Visit) -> float:
    """e^(λ t): what correction to the administration multiplied activity with. Raises StudyError without a time."""
    if administration.time is None:
        raise StudyError("Values corrected to the administration need its time: give Administration.time.")
    half_life_s = administration.half_life_s or nuclide(str(administration.nuclide)).half_life_s
    return math.exp(math.log(2.0) / half_life_s * seconds_between(administration.time, visit.acquired))


def set_supine_head_first(ds: Dataset) -> None:
    """The NM/PET Patient Orientation module."""
    recumbent = code_item(*_RECUMBENT)
    recumbent.PatientOrientationModifierCodeSequence = [code_item(*_SUPINE)]
    ds.PatientOrientationCodeSequence = [recumbent]
    ds.PatientGantryRelationshipCodeSequence = [code_item(*_HEAD_FIRST)]
