"""Names, numbers, dates, free text and UIDs taken out of what is passed on (PS3.15 annex E, basic profile).

What is taken out is said in every file (De-identification Method). Times since administration stay: they are the
dosimetry. UIDs are replaced by ones that derive from a secret key: the same in all files of one export, and nobody
without the key can go back.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import PurePath
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from RPTDosimetryLib.report.dicom_identity import REQUIRED, DicomIdentity
from RPTDosimetryLib.report.run_record import RunRecord
from RPTDosimetryLib.virtual_patient.dicom_identity import code_item

REMOVED, DATE_REMOVED = "[removed]", "[date removed]"
#: (0012,0063), a value a statement; (0012,0064) names the profile.
METHOD: Final = (
    "Basic Profile: names, IDs, dates, text removed; UIDs remapped",
    "SlicerRPTDosimetry, on writing; time since administration kept",
)
_PROFILE: Final = ("113100", "DCM", "Basic Application Confidentiality Profile")
_DATES: Final = re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")
_PATHS: Final = re.compile(r"(?<![\w/.])(?:/|[A-Za-z]:[\\/])[^\s'\",;()]+[/\\][^\s'\",;()]*")
_UIDS: Final = re.compile(r"\b[12]\.\d+(?:\.\d+){4,}\b")
#: Attributes of the identity whose values are looked for in every text of the record.
_TELLING: Final = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
    *("StudyDescription", "PatientBirthDate", "StudyDate"),
)


def deidentified_identity(identity: DicomIdentity, key: str) -> DicomIdentity:
    """Dummy name and ID that derive from the key, no other attribute of the person, new UIDs, and what was done."""
    attributes = Dataset()
    attributes.SpecificCharacterSet = "ISO_IR 192"
    for keyword in REQUIRED:
        setattr(attributes, keyword, "")
    subject = sha256(f"{key} {identity.attributes.get('PatientID', '')}".encode()).hexdigest()[:10].upper()
    attributes.PatientName, attributes.PatientID = f"Subject^{subject}", f"SUBJECT-{subject}"
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        setattr(attributes, keyword, new_uid(str(identity.attributes.get(keyword)), key))
    attributes.PatientIdentityRemoved, attributes.DeidentificationMethod = "YES", list(METHOD)
    attributes.DeidentificationMethodCodeSequence = [code_item(*_PROFILE)]
    attributes.LongitudinalTemporalInformationModified = "REMOVED"
    images = tuple((sop_class, new_uid(instance, key)) for sop_class, instance in identity.images)
    series = new_uid(identity.series_instance_uid, key) if identity.series_instance_uid else ""
    return replace(identity, attributes=attributes, images=images, series_instance_uid=series, warnings=())


def new_uid(uid: str, key: str) -> str:
    """The UID that stands for another one under a key."""
    return str(generate_uid(entropy_srcs=[key, uid]))


def deidentified_record(record: RunRecord, identity: DicomIdentity, key: str) -> RunRecord:
    """The record without who, where and when: for a report of it, and to be passed on itself.

    identity: as deidentified_identity gives it. Names of people are removed where the record has a place for them;
    they, what tells of patient and study, file names, dates and UIDs are also removed wherever they stand in a text.
    """
    told = copy.deepcopy(dict(record.told))
    secrets = tuple(sorted(set(_secrets(record.told)), key=len, reverse=True))
    inputs = {f"input {n}": digest for n, digest in enumerate(told.pop("inputs_sha256").values(), start=1)}
    named = {f"file {n}": d for n, d in enumerate(told.pop("settings_files_sha256", {}).values(), start=1)}
    _forget_people(told)
    kept: dict[str, Any] = {
        name: told.pop(name) for name in ("outputs_sha256", "tables_sha256", "versions") if name in told
    }
    cleaned: dict[str, Any] = _clean(told, secrets, key)
    cleaned |= {**kept, "inputs_sha256": inputs, "settings_files_sha256": named}
    cleaned |= {"patient": identity.record(), "deidentified": list(METHOD)}
    tia = cleaned["steps"]["tia"]
    for by_name in ("curves", "with_fewer_scans"):  # their keys are names of volumes, free text as their values are
        tia[by_name] = {_clean(name, secrets, key): item for name, item in tia[by_name].items()}
    return replace(record, told=cleaned)


def _secrets(told: Mapping[str, Any]) -> Iterator[str]:
    """Values that tell who it was: of three letters and more, since shorter ones stand in any word."""
    attributes = told["patient"]["attributes"]
    values = [str(attributes.get(keyword, "")) for keyword in _TELLING]
    values += [
        part
        for keyword in ("PatientName", "ReferringPhysicianName")
        for part in re.split(r"[\^= ]", attributes.get(keyword, ""))
    ]
    report = told.get("report") or {}
    values += [
        str(report.get("reviewer") or ""),
        *(v["review"]["reviewer"] for v in told["steps"]["vois"] if v["review"]),
    ]
    paths = [str(told.get("study") or ""), *told["inputs_sha256"], *told.get("settings_files_sha256", {})]
    for cycle in ((told.get("settings") or {}).get("cycles") or {}).get("previous") or ():
        values.append(str(cycle.get("patient_id") or ""))
        paths += [str(cycle.get(place) or "") for place in ("results", "dose", "transform")]
    values += [*paths, *(PurePath(path).name for path in paths)]
    return (value for value in values if len(value.strip()) > 2)


def _forget_people(told: dict[str, Any]) -> None:
    """Where the record has a place for a person or a moment, it is emptied."""
    told["study"], told["written"] = None, DATE_REMOVED
    steps = told["steps"]
    steps["administration"]["time"] = None
    for point in steps["time_points"]:
        point["acquired"] = None
        for keyword in ("InstitutionName", "DeviceSerialNumber"):
            point.get("acquisition", {}).pop(keyword, None)
    for voi in steps["vois"]:
        if voi["review"]:
            voi["review"] = {"reviewer": REMOVED, "time": DATE_REMOVED, "comment": ""}
    told["report"] = {**(told.get("report") or {}), "reviewer": "", "comment": ""}


def _clean(value: Any, secrets: tuple[str, ...], key: str) -> Any:
    if isinstance(value, dict):
        return {name: _clean(item, secrets, key) for name, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, secrets, key) for item in value]
    if not isinstance(value, str):
        return value
    for secret in secrets:
        value = re.sub(re.escape(secret), REMOVED, value, flags=re.IGNORECASE)
    value = _DATES.sub(DATE_REMOVED, _PATHS.sub(REMOVED, value))
    return _UIDS.sub(lambda found: new_uid(found[0], key), value)
