"""Who and when of written DICOM files: patient, visit, reproducible UIDs, and the attributes every file shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import DSfloat

from RPTDosimetryLib import __version__
from RPTDosimetryLib.files import whole_file


@dataclass(frozen=True)
class PatientInfo:
    """The patient as files name them. UIDs derive from patient_id and seed: the same input gives the same files."""

    patient_id: str = "VIRTUAL-01"
    name: str = "Virtual^Patient"
    sex: str = "O"
    birth_date: str = ""
    weight_kg: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class Visit:
    """One SPECT/CT appointment: its files share the study and the frame of reference.

    number counts visits from 1; acquired is the acquisition start, with or without a time zone;
    frame: a name that visits share when they share the frame of reference, empty for one of their own.
    """

    number: int
    acquired: datetime
    duration_s: float = 1500.0
    frame: str = ""

    def study_uid(self, patient: PatientInfo) -> str:
        """Study Instance UID."""
        return uid(patient, "study", self.number)

    def frame_of_reference_uid(self, patient: PatientInfo) -> str:
        """Frame of Reference UID."""
        return uid(patient, "frame of reference", self.frame or self.number)


def uid(patient: PatientInfo, *words: object) -> str:
    """A UID under pydicom's root that depends on nothing but the patient, the seed and the words."""
    return str(generate_uid(entropy_srcs=[patient.patient_id, str(patient.seed), *(str(word) for word in words)]))


def base_dataset(patient: PatientInfo, visit: Visit, sop_class: str, modality: str, series: tuple[int, str]) -> Dataset:
    """Patient, study, series, equipment and time attributes of one file; series: number and description."""
    number, description = series
    ds = Dataset()
    ds.SOPClassUID = sop_class
    ds.PatientName, ds.PatientID = patient.name, patient.patient_id
    ds.PatientBirthDate, ds.PatientSex = patient.birth_date, patient.sex
    if patient.weight_kg is not None:
        ds.PatientWeight = decimal(patient.weight_kg)
    ds.StudyInstanceUID = visit.study_uid(patient)
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = str(visit.number), "", ""
    ds.SeriesInstanceUID = uid(patient, "series", visit.number, modality, number, description)
    ds.BodyPartExamined = "ABDOMEN"
    ds.SeriesNumber, ds.SeriesDescription, ds.Modality = number, description, modality
    ds.Manufacturer, ds.ManufacturerModelName = "SlicerRPTDosimetry", "virtual patient"
    ds.SoftwareVersions = __version__
    for name in ("Study", "Series", "Content"):
        setattr(ds, f"{name}Date", f"{visit.acquired:%Y%m%d}")
        setattr(ds, f"{name}Time", clock(visit.acquired))
    offset = visit.acquired.strftime("%z")
    if offset:
        ds.TimezoneOffsetFromUTC = offset[:5]
    return ds


def set_acquired(ds: Dataset, moment: datetime) -> None:
    """Acquisition date and time."""
    ds.AcquisitionDate, ds.AcquisitionTime = f"{moment:%Y%m%d}", clock(moment)


def clock(moment: datetime) -> str:
    """A TM value, to the microsecond."""
    return f"{moment:%H%M%S.%f}"


def decimal(value: float) -> DSfloat:
    """A DS value (16 characters hold 10 or more significant digits)."""
    return DSfloat(float(value), auto_format=True)


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """One item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def save(ds: Dataset, path: Path) -> None:
    """Write one file, whole or not at all."""
    with whole_file(path) as temporary:
        save_plain(ds, temporary)


def save_plain(ds: Any, path: Path) -> None:
    """Write one file where the folder as a whole is already protected."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.save_as(path, enforce_file_format=True)
