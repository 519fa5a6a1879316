"""A study as NRRD images and the study.json that describes them; read_study reads it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.files import whole_folder
from RPTDosimetryLib.records import Image, Study, TimePoint
from RPTDosimetryLib.study.complete import is_at_scan_time
from RPTDosimetryLib.study.image_files import write_image
from RPTDosimetryLib.study.study_json import STUDY_JSON
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H


def write_study(study: Study, folder: Path) -> tuple[str, ...]:
    """Write spect_N.nrrd, ct_N.nrrd, labels_N.nrrd and study.json, all or none; notes on what they cannot hold.

    Values are written as the study has them: activity at scan time, so the decay correction is NONE (mean over the
    acquisition) or START. Contours and segments stay behind, and that is noted. Raises StudyError where a decay
    correction is not undone, ReportError when the disk refuses.
    """
    for number, point in enumerate(study.time_points, start=1):
        if not is_at_scan_time(point):
            raise StudyError(
                f"Time point {number} cannot be written: its decay correction is {point.decay_correction}. Complete "
                "the study first."
            )
    with whole_folder(folder) as temporary:
        names: dict[int, str] = {}
        points = [_written(point, number, temporary, names) for number, point in enumerate(study.time_points, start=1)]
        text = json.dumps(_described(study, points), indent=1, ensure_ascii=False)
        (temporary / STUDY_JSON).write_text(text + "\n", encoding="utf-8")
    return tuple(
        f"Time point {number}: {len(point.structures) + len(point.segments)} contours and segments stay in the "
        "original files; an image folder holds none."
        for number, point in enumerate(study.time_points, start=1)
        if point.structures or point.segments
    )


def _written(point: TimePoint, number: int, folder: Path, names: dict[int, str]) -> dict[str, Any]:
    """The images of one time point, and its entry. names: CTs written already, by identity."""
    told: dict[str, Any] = {"spect": _image(point.spect, folder, f"spect_{number}.nrrd", point.calibration)}
    if point.time_s is not None:
        told["time_h"] = point.time_s / S_PER_H
    if point.acquired is not None:
        told["acquired"] = point.acquired.isoformat()
    told["unit"] = point.spect.unit
    told["decay_correction"] = "NONE" if point.decay_correction.startswith("NONE") else "START"
    if point.duration_s is not None:
        told["duration_s"] = point.duration_s
    if point.ct is not None:
        if id(point.ct) not in names:
            names[id(point.ct)] = _image(point.ct, folder, f"ct_{number}.nrrd")
        told["ct"] = names[id(point.ct)]
    if point.labels is not None:
        told["labels"] = _image(point.labels, folder, f"labels_{number}.nrrd")
    if point.calibration:
        told["calibration"] = point.calibration
    return told


def _image(image: Image, folder: Path, name: str, method: str = "") -> str:
    write_image(image, folder / name, method)
    return name


def _described(study: Study, points: list[dict[str, Any]]) -> dict[str, Any]:
    administration = study.administration
    activity_bq, time = administration.administered_activity_bq, administration.time
    told = {
        "patient_id": study.patient_id,
        "nuclide": administration.nuclide,
        "administered_activity_mbq": None if activity_bq is None else activity_bq / BQ_PER_MBQ,
        "administration_time": None if time is None else time.isoformat(),
        "half_life_s": administration.half_life_s,
        "time_points": points,
        "label_names": {str(label): name for label, name in study.label_names.items()},
    }
    return {key: value for key, value in told.items() if value is not None}
