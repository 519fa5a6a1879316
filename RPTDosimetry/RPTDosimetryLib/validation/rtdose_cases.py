"""A dose map written as RT Dose and read by another program."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset

from RPTDosimetryLib.records import DoseMap
from RPTDosimetryLib.report.dicom_identity import DicomIdentity
from RPTDosimetryLib.report.rtdose import Bits, RtDoseOptions, write_rtdose
from RPTDosimetryLib.study.image_files import read_image
from RPTDosimetryLib.validation.row import ValidationRow

#: "Scaling without loss beyond 0.01 % of the maximum."
BAR_PERCENT: Final = 0.01
SOURCE: Final = "the map itself (data/am/dose_gy.nrrd); stored values read by SimpleITK (GDCM), scaled as DICOM says"


def rtdose_rows(shared: Path) -> list[ValidationRow]:
    """The voxel that changes most, as a share of the highest dose, with 16 and with 32 bits."""
    dose = DoseMap(read_image(shared / "data" / "am" / "dose_gy.nrrd", "Gy"), "", "", "Lu-177")
    return [_row(dose, 16), _row(dose, 32)]


def _row(dose: DoseMap, bits: Bits) -> ValidationRow:
    written = dose.image.voxels.astype(np.float64)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dose.dcm"
        write_rtdose(dose, path, DicomIdentity(_nobody()), RtDoseOptions(bits=bits))
        scaling = float(pydicom.dcmread(path, stop_before_pixels=True).DoseGridScaling)
        read = sitk.GetArrayFromImage(sitk.ReadImage(str(path))) * scaling
    worst = np.unravel_index(np.argmax(np.abs(read - written)), written.shape)
    difference = 100.0 * float(read[worst] - written[worst]) / float(written.max())
    place = (
        f"RT Dose of the AM torso, {bits} bits",
        "voxel that changes most; difference in % of the highest dose",
        "Gy",
    )
    values = float(read[worst]), float(written[worst])
    return ValidationRow(*place, *values, difference, BAR_PERCENT, 0.0, abs(difference) <= BAR_PERCENT, SOURCE)


def _nobody() -> Any:
    attributes = Dataset()
    attributes.StudyInstanceUID, attributes.FrameOfReferenceUID = "2.25.1", "2.25.2"
    return attributes
