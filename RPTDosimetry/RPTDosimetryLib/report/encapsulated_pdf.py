"""A PDF inside a DICOM object, so that an archive files it with the patient's images (PS3.3 A.45.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from RPTDosimetryLib.report.dicom_object import Exported, set_dates, start_object
from RPTDosimetryLib.virtual_patient.dicom_identity import save

ENCAPSULATED_PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"


def write_encapsulated_pdf(pdf: Path, path: Path, exported: Exported, title: str) -> None:
    """The bytes of ``pdf`` as they are (one of padding where their number is odd). Raises ReportError."""
    ds = Dataset()
    ds.update(exported.identity.attributes)
    del ds.FrameOfReferenceUID, ds.PositionReferenceIndicator
    start_object(ds, ENCAPSULATED_PDF, "DOC", 3)
    ds.SeriesInstanceUID, ds.SOPInstanceUID = exported.uid("PDF", "series"), exported.uid("PDF", "instance")
    ds.SeriesDescription, ds.ConversionType, ds.BurnedInAnnotation = title, "WSD", "YES"
    if ds.get("PatientIdentityRemoved") == "YES":
        ds.BurnedInAnnotation = "NO"
    ds.ContentDate = ds.ContentTime = ds.AcquisitionDateTime = ""
    set_dates(ds, exported.created, ("InstanceCreation", "Series", "Content"))
    content = pdf.read_bytes()
    ds.DocumentTitle, ds.MIMETypeOfEncapsulatedDocument = title, "application/pdf"
    ds.ConceptNameCodeSequence = []
    ds.EncapsulatedDocumentLength = len(content)
    ds.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    save(ds, path)
