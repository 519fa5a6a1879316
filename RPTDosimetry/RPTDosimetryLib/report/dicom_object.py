"""What all written DICOM objects share: equipment, dates, UIDs that derive from the content, text that fits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from RPTDosimetryLib import __version__
from RPTDosimetryLib.report.dicom_identity import DicomIdentity
from RPTDosimetryLib.study.dicom_values import time_zone
from RPTDosimetryLib.virtual_patient.dicom_identity import clock

#: Most characters of a label or description (LO, PS3.5 table 6.2-1), and of a text (ST).
LO, ST = 64, 1024
MAKER, MODEL = "SlicerRPTDosimetry", "RPTDosimetry"
#: Stands where a date is required (type 1) and must not be told (PS3.15 E.1: a dummy value).
NO_DATE: Final = datetime(1900, 1, 1)


@dataclass(frozen=True)
class Exported:
    """What the objects of one run share: whose, when computed (None: not told), and what their UIDs derive from."""

    identity: DicomIdentity
    created: datetime | None
    content: str

    def uid(self, *words: str) -> str:
        """A UID that depends on the run and the words alone: the same results give the same files."""
        study = str(self.identity.attributes.StudyInstanceUID)
        return str(generate_uid(entropy_srcs=[study, self.content, *words]))


def start_object(ds: Dataset, sop_class: str, modality: str, series_number: int) -> None:
    """Class, series number and equipment of an object whose patient and study are there."""
    ds.SOPClassUID, ds.Modality = sop_class, modality
    ds.SeriesNumber, ds.InstanceNumber = series_number, 1
    ds.Manufacturer, ds.ManufacturerModelName, ds.SoftwareVersions = MAKER, MODEL, __version__


def set_dates(ds: Dataset, created: datetime | None, names: Sequence[str]) -> None:
    """Date and time of each name, in the time zone that the object states; none of them without a date."""
    if created is None:
        return
    zone = time_zone(ds, Path("written DICOM"))
    moment = created if zone is None or created.tzinfo is None else created.astimezone(zone)
    for name in names:
        setattr(ds, f"{name}Date", f"{moment:%Y%m%d}")
        setattr(ds, f"{name}Time", clock(moment))


def set_uids(ds: Dataset, pixels: bytes) -> None:
    """Series and instance UID from everything else in the file: the same dose of the same study has the same UIDs."""
    digest = hashlib.sha256(pixels)
    digest.update(ds.to_json(suppress_invalid_tags=True).encode())
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=[digest.hexdigest(), "series"])
    ds.SOPInstanceUID = generate_uid(entropy_srcs=[digest.hexdigest(), "instance"])


def restate(ds: Any, exported: Exported) -> None:
    """Patient, study and dates as told here, in an object that a library has built and dated with the clock."""
    for element in exported.identity.attributes:
        ds[element.tag] = element
    for name in ("InstanceCreationDate", "InstanceCreationTime"):
        ds.pop(name, None)
    for item in ds.get("ContributingEquipmentSequence", []):
        item.pop("ContributionDateTime", None)
    set_dates(ds, exported.created or NO_DATE, ("Content", "Series"))
    set_dates(ds, exported.created, ("InstanceCreation",))


def fitted(text: str, most: int = LO) -> str:
    """Text of at most so many characters, an ellipsis where it is cut; backslashes, which part values, are slashes."""
    plain = " ".join(text.replace("\\", "/").split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"
