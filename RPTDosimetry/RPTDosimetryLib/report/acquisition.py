"""How the images were taken, as far as their headers say: what a reader of a report asks for first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import TimePoint
from RPTDosimetryLib.study.dicom_files import read_dicom
from RPTDosimetryLib.study.read_dose import is_dicom

#: Keywords, in the order in which they are told; those of sequences are looked for one level down.
KEYWORDS: Final[Mapping[str, str]] = {
    "InstitutionName": "institution",
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "model",
    "DeviceSerialNumber": "serial number",
    "SoftwareVersions": "software",
    "Modality": "modality",
    "CollimatorType": "collimator type",
    "CollimatorGridName": "collimator",
    "EnergyWindowName": "energy window",
    "EnergyWindowLowerLimit": "energy window from [keV]",
    "EnergyWindowUpperLimit": "energy window to [keV]",
    "NumberOfDetectors": "detectors",
    "NumberOfFramesInRotation": "views",
    "ActualFrameDuration": "time a view [ms]",
    "ReconstructionMethod": "reconstruction",
    "ReconstructionAlgorithm": "reconstruction algorithm",
    "CorrectedImage": "corrections",
    "AttenuationCorrectionMethod": "attenuation correction",
    "ScatterCorrectionMethod": "scatter correction",
    "DecayCorrection": "decay correction of the header",
    "ConvolutionKernel": "filter",
    "Radiopharmaceutical": "radiopharmaceutical",
}


def acquisition_of(point: TimePoint) -> dict[str, str]:
    """Keyword -> value as text, of the first DICOM file of a time point; empty for images that are not DICOM."""
    for path in point.files:
        if is_dicom(path):
            try:
                header = read_dicom(path, pixels=False)
            except StudyError:  # gone since it was read: the warnings of the run say so
                return {}
            return {keyword: text for keyword in KEYWORDS if (text := _text(header, keyword))}
    return {}


def _text(header: Any, keyword: str) -> str:
    value = header.get(keyword)
    if value is None:
        inner = (element.value for element in header if element.VR == "SQ")
        value = next((item[keyword].value for items in inner for item in _with_parts(items) if keyword in item), None)
    if value is None:
        return ""
    parts = [_plain(part) for part in value] if _is_many(value) else [_plain(value)]
    return ", ".join(part for part in parts if part)


def _plain(value: Any) -> str:
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def _with_parts(items: Any) -> list[Any]:
    """Items of a sequence and of the sequences in them."""
    found = []
    for item in items:
        found.append(item)
        found += [part for element in item if element.VR == "SQ" for part in element.value]
    return found


def _is_many(value: Any) -> bool:
    return not isinstance(value, (str, bytes)) and hasattr(value, "__iter__")
