"""Who and where of a DICOM object that is derived from a study: patient, study and frame of reference of its images."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import generate_uid

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Study, TimePoint
from RPTDosimetryLib.report.provenance import sha256_of
from RPTDosimetryLib.study.dicom_files import CT, NM, PT, read_dicom, read_headers, require_one_patient
from RPTDosimetryLib.study.read_dose import is_dicom
from RPTDosimetryLib.study.walk import files_below

#: Type 2 of the Patient, General Study and Frame of Reference modules: present, empty where the images are silent.
REQUIRED: Final = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
    "PositionReferenceIndicator",
)
#: Copied where the images have them.
OPTIONAL: Final = (
    *("IssuerOfPatientID", "PatientAge", "PatientSize", "PatientWeight", "PatientIdentityRemoved"),
    *("DeidentificationMethod", "StudyDescription", "TimezoneOffsetFromUTC"),
)
#: Most characters (PS3.5 table 6.2-1); PN counts each component group.
_MOST: Final = {"PN": 64, "LO": 64, "SH": 16}


@dataclass(frozen=True)
class DicomIdentity:
    """attributes: a dataset of patient, study and frame of reference, in UTF-8.

    images: (SOP class, instance) of every file of the series that they are taken from; series_instance_uid and modality
    are that series'. missing: keywords that the images leave empty. warnings: what the images lack and what was
    generated in its place.
    """

    attributes: Any
    images: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    series_instance_uid: str = ""
    modality: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Attributes of the patient and the study that the images do not state."""
        return tuple(keyword for keyword in REQUIRED if not str(self.attributes.get(keyword, "")))

    def record(self) -> dict[str, Any]:
        """JSON-ready; identity_of_record reads it."""
        return {
            "attributes": {e.keyword: _text(self.attributes, e.keyword) for e in self.attributes if e.VR != "SQ"},
            "missing": self.missing,
            "modality": self.modality,
            "series_instance_uid": self.series_instance_uid,
            "images": self.images,
        }


def identity_of_record(told: Mapping[str, Any]) -> DicomIdentity:
    """The identity that a run's record holds under "patient"."""
    attributes = Dataset()
    with warnings.catch_warnings():  # as the images had them
        warnings.simplefilter("ignore")
        for keyword, text in told["attributes"].items():
            setattr(attributes, keyword, text)
    images = tuple((str(sop_class), str(instance)) for sop_class, instance in told["images"])
    return DicomIdentity(attributes, images, (), str(told["series_instance_uid"]), str(told["modality"]))


def identity_of_study(study: Study, reference: TimePoint) -> DicomIdentity:
    """That of the reference time point, on whose grid results lie.

    Without DICOM files the patient's ID is all there is; study and frame of reference then get UIDs made from the
    content of the files, so that all results of one study belong together.
    """
    files = [path for path in reference.files if is_dicom(path)]
    if files:
        return _identity([read_dicom(path, pixels=False) for path in files])
    header = Dataset()
    header.PatientID = study.patient_id
    return _identity([header], [sha256_of(path) for path in reference.files if path.is_file()])


def identity_like(path: Path) -> DicomIdentity:
    """That of a DICOM file, or of the images of a folder.

    Raises StudyError: no DICOM there, several patients, or images in several frames of reference.
    """
    if path.is_file():
        return _identity([read_dicom(path, pixels=False)])
    root, paths = files_below(path)
    files = [file for series in read_headers(root, paths).series for file in series]
    if not files:
        raise StudyError(f"{path} holds no DICOM file: give a file or folder of the patient's images.")
    require_one_patient(files)
    images = [file for file in files if file.kind in (NM, PT, CT)] or files
    frames = {str(file.header.get("FrameOfReferenceUID", "")): file.path for file in images}
    if len(frames) > 1:
        some = ", ".join(str(file) for file in frames.values())
        raise StudyError(
            f"{path} holds images in {len(frames)} frames of reference (such as {some}): give the file or folder on "
            "which the dose lies."
        )
    return _identity([file.header for file in images])


def _identity(headers: Sequence[Any], content: Iterable[str] = ()) -> DicomIdentity:
    header = headers[0]
    said: list[str] = []
    attributes = Dataset()
    attributes.SpecificCharacterSet = "ISO_IR 192"
    with warnings.catch_warnings():  # values that DICOM does not allow are copied as the images have them
        warnings.simplefilter("ignore")
        for keyword in (*REQUIRED, *(k for k in OPTIONAL if _text(header, k))):
            setattr(attributes, keyword, _fitted(header, keyword, said))
    sources = [str(header.get("PatientID", "")), str(header.get("SOPInstanceUID", "")), *content]
    for keyword, what in (("StudyInstanceUID", "study"), ("FrameOfReferenceUID", "frame of reference")):
        known = _text(header, keyword)
        setattr(attributes, keyword, known or generate_uid(entropy_srcs=[*sources, what]))
        if not known:
            said.append(f"The images name no {what} (DICOM UID): written DICOM files get one of their own.")
    series = [
        h for h in headers if "SOPInstanceUID" in h and h.get("SeriesInstanceUID") == header.get("SeriesInstanceUID")
    ]
    images = tuple((str(h.SOPClassUID), str(h.SOPInstanceUID)) for h in series)
    one = series[0] if series else Dataset()
    return DicomIdentity(
        attributes,
        images,
        tuple(said),
        _text(one, "SeriesInstanceUID"),
        str(one.get("Modality", "OT") if series else ""),
    )


def _fitted(header: Any, keyword: str, said: list[str]) -> str:
    """The value cut to what DICOM allows: 64 characters of a name's component group, or of an ID; and the cut told."""
    told = _text(header, keyword)
    most = _MOST.get(dictionary_VR(keyword))
    if most is None:
        return told
    between = "=" if dictionary_VR(keyword) == "PN" else "\\"
    cut = between.join(part[:most] for part in told.split(between))
    if cut != told:
        said.append(
            f"{keyword} has more than the {most} characters that DICOM allows: written files hold the first {most}."
        )
    return cut


def _text(header: Any, keyword: str) -> str:
    """The value as DICOM writes it, several values with a backslash between them."""
    value = header.get(keyword)
    if isinstance(value, (list, MultiValue)):
        return "\\".join(str(part) for part in value)
    return "" if value is None else str(value)
