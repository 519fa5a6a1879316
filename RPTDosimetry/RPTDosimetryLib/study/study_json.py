"""study.json: a small description beside NIfTI, NRRD or MHD images, which carry no clinical header.

    {
      "patient_id": "P01",
      "nuclide": "Lu-177",
      "administered_activity_mbq": 7400,
      "administration_time": "2024-05-13T09:22:00",          (or time_h at every time point)
      "half_life_s": 574300,                                  (optional: the value the decay correction used)
      "time_points": [
        {"spect": "day0.nii.gz", "acquired": "2024-05-13T13:20:00", "unit": "Bq/mL", "decay_correction": "NONE",
         "duration_s": 1500, "ct": "ct0.nii.gz", "labels": "organs0.nii.gz"},
        {"spect": "day1.nii.gz", "time_h": 24.1, "unit": "Bq/mL", "decay_correction": "NONE"}
      ],
      "label_names": {"1": "liver", "2": "left kidney"}
    }

Only time_points and their spect are required; the rest may come from the configuration and is listed as missing until
then. Paths are relative to study.json. Unknown keys are errors.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from RPTDosimetryLib.errors import ImageFileError, StudyError
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.image_files import read_image
from RPTDosimetryLib.study.read_ct import without_padding
from RPTDosimetryLib.study.scan import FoundStudy, HeaderAdministration, Scan, SourceFiles
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H

STUDY_JSON = "study.json"
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TimePointJson(BaseModel):
    """One time point of study.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    spect: str
    time_h: _NotNegative | None = None
    acquired: datetime | None = None
    unit: str | None = None
    decay_correction: Literal["NONE", "START", "ADMIN"] | None = None
    duration_s: _Positive | None = None
    ct: str | None = None
    labels: str | None = None
    calibration: str = ""  # how the values became Bq/mL, as `rptdosimetry calibrate` writes it


class StudyJson(BaseModel):
    """The whole of study.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    time_points: Annotated[tuple[TimePointJson, ...], Field(min_length=1)]
    patient_id: str = ""
    nuclide: str | None = None
    administered_activity_mbq: _Positive | None = None
    administration_time: datetime | None = None
    half_life_s: _Positive | None = None
    label_names: dict[Annotated[int, Field(gt=0)], str] = {}


def read_study_json(path: Path) -> FoundStudy:
    """The images and values that study.json names. Raises StudyError: not JSON, unknown keys, missing or bad files."""
    try:
        told = StudyJson.model_validate_json(path.read_bytes())
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'the file'}: {problem['msg']}"
            for problem in error.errors(include_url=False)[:5]
        )
        raise StudyError(
            f"{path}: {problems}. Known keys: {', '.join(StudyJson.model_fields)}; of a time point: "
            f"{', '.join(TimePointJson.model_fields)}."
        ) from error
    except OSError as error:
        raise StudyError(f"{path} cannot be opened ({error.strerror}).") from error
    administered_mbq = told.administered_activity_mbq
    return FoundStudy(
        scans=tuple(_scan(point, path.parent, number) for number, point in enumerate(told.time_points, start=1)),
        patient_id=told.patient_id,
        administration=HeaderAdministration(
            time=told.administration_time,
            activity_bq=None if administered_mbq is None else administered_mbq * BQ_PER_MBQ,
            half_life_s=told.half_life_s,
            nuclide=told.nuclide,
        ),
        label_names=tuple(sorted(told.label_names.items())),
    )


def _scan(point: TimePointJson, folder: Path, number: int) -> Scan:
    where = f"time point {number} of {folder / STUDY_JSON}"
    spect = _image(folder / point.spect, "unknown", f"spect of {where}")
    ct = None if point.ct is None else _image(folder / point.ct, "HU", f"ct of {where}")
    labels = None if point.labels is None else _image(folder / point.labels, "1", f"labels of {where}")
    if labels is not None and not np.array_equal(labels.voxels, np.round(labels.voxels)):
        raise StudyError(f"labels of {where}: {point.labels} holds values that are not whole numbers: not a label map.")
    warnings: tuple[str, ...] = ()
    if ct is not None:
        voxels, padded = without_padding(ct.voxels.astype(np.float32))
        ct = ct.with_voxels(voxels)
        warnings = (f"{padded} CT voxels below -1024 HU are padding and count as air",) if padded else ()
    file = folder / point.spect
    names = {point.spect, file.name, file.name.split(".")[0]}
    return Scan(
        image=spect.with_voxels(spect.voxels.astype(np.float32)),
        source=SourceFiles(point.spect, (file,), frozenset(name.lower() for name in names)),
        unit=point.unit,
        decay_reference=point.decay_correction,
        acquired=point.acquired,
        time_s=None if point.time_h is None else point.time_h * S_PER_H,
        duration_s=point.duration_s,
        ct=ct,
        labels=None if labels is None else labels.with_voxels(labels.voxels.astype(np.int32)),
        calibration=point.calibration,
        warnings=warnings,
    )


def _image(path: Path, unit: str, what: str) -> Image:
    try:
        return read_image(path, unit)
    except ImageFileError as error:
        raise StudyError(f"{what}: {error}") from error
