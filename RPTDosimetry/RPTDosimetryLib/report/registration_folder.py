"""A folder of registered time points that can be looked at, corrected, and read as a study again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.files import whole_folder, write_csv
from RPTDosimetryLib.records import Alignment, Progress, RegisteredStudy, TimePoint, silent
from RPTDosimetryLib.registration.transform_file import transform_name, write_transform
from RPTDosimetryLib.report.registration_figures import save_alignment_figure
from RPTDosimetryLib.study.image_files import write_image
from RPTDosimetryLib.study.study_json import STUDY_JSON
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H

QUALITY: Final = "quality.csv"
CT: Final = "ct.nrrd"
FIGURES: Final = (
    "mutual_information_before", "mutual_information_after", "correlation_before", "correlation_after",
    "detail_correlation", "displacement_mm", "rotation_deg", "cut_fraction", "rescaled_by",
)  # fmt: skip


def write_registration(registered: RegisteredStudy, out: Path, progress: Progress = silent) -> dict[str, Any]:
    """Write every time point on the reference grid, transforms, pictures, quality table and study.json; all or nothing.

    The images are spect_N.nrrd [Bq/mL, at scan time], ct.nrrd the reference's CT. The folder is a study for method
    "none". Returns the figures of each time point and the files. Raises ReportError.
    """
    with whole_folder(out) as folder:
        count = len(registered.activity)
        for number in range(1, count + 1):
            progress((number - 1) / count, f"Writing time point {number} of {count}")
            write_image(registered.activity[number - 1], folder / f"spect_{number}.nrrd", "registered")
            if number != registered.reference_index + 1:
                save_alignment_figure(registered, number, folder / f"registration_{number}.png")
        if registered.reference.ct is not None:
            write_image(registered.reference.ct, folder / CT)
        names = write_transforms(registered, folder)
        _write_table(registered, folder / QUALITY)
        (folder / STUDY_JSON).write_text(json.dumps(_study(registered), indent=1, ensure_ascii=False) + "\n", "utf-8")
    progress(1.0, "Registered time points written")
    return {
        "out": out,
        "reference": registered.reference_index + 1,
        "unit": "Bq/mL",
        "time_points": [_answer(registered, n, names.get(n)) for n in range(1, count + 1)],
        "warnings": [*registered.warnings, *(w for a in registered.alignments for w in a.warnings), *_left(registered)],
    }


def write_transforms(registered: RegisteredStudy, folder: Path) -> dict[int, str]:
    """Write transform_N of every time point but the reference; their names by number."""
    names = {
        number: transform_name(number, alignment)
        for number, alignment in enumerate(registered.alignments, start=1)
        if number != registered.reference_index + 1
    }
    for number, name in names.items():
        write_transform(registered.alignments[number - 1], folder / name)
    return names


def _answer(registered: RegisteredStudy, number: int, transform: str | None) -> dict[str, Any]:
    found = registered.alignments[number - 1]
    return {
        "number": number,
        "time_h": _hours(registered.study.time_points[number - 1]),
        "method": found.method,
        "through": found.through,
        "source": found.source,
        **{name: getattr(found, name) for name in FIGURES},
        "volume_change": found.volume_change,
        "total_mbq": _total_mbq(registered, number),
        "spect": f"spect_{number}.nrrd",
        "transform": transform,
        "picture": None if transform is None else f"registration_{number}.png",
    }


def _write_table(registered: RegisteredStudy, path: Path) -> None:
    head = ("time_point", "method", "through", *FIGURES, "volume_change_lowest", "volume_change_highest")
    rows = (
        (number, found.method, found.through, *_figures(found), *_rounded(found.volume_change))
        for number, found in enumerate(registered.alignments, start=1)
    )
    write_csv([head, *rows], path)


def _figures(found: Alignment) -> list[str]:
    return _rounded([getattr(found, name) for name in FIGURES])


def _rounded(values: Any) -> list[str]:
    return ["" if value is None else f"{value:.6g}" for value in values]


def _study(registered: RegisteredStudy) -> dict[str, Any]:
    """study.json of the folder; what the study does not know is left out and asked for when it is read."""
    given = registered.study.administration
    activity_bq = given.administered_activity_bq
    told = {
        "patient_id": registered.study.patient_id or None,
        "nuclide": given.nuclide,
        "administered_activity_mbq": None if activity_bq is None else activity_bq / BQ_PER_MBQ,
        "administration_time": None if given.time is None else given.time.isoformat(),
        "half_life_s": given.half_life_s,
        "time_points": [_time_point(registered, n) for n in range(1, len(registered.activity) + 1)],
    }
    return {key: value for key, value in told.items() if value is not None}


def _time_point(registered: RegisteredStudy, number: int) -> dict[str, Any]:
    point = registered.study.time_points[number - 1]
    told = {
        "spect": f"spect_{number}.nrrd",
        "time_h": _hours(point),
        "unit": "Bq/mL",
        "decay_correction": "NONE",
        "duration_s": point.duration_s,
        "ct": CT if number == registered.reference_index + 1 and point.ct is not None else None,
    }
    return {key: value for key, value in told.items() if value is not None}


def _hours(point: TimePoint) -> float | None:
    return None if point.time_s is None else point.time_s / S_PER_H


def _total_mbq(registered: RegisteredStudy, number: int) -> float:
    image = registered.activity[number - 1]
    return float(image.voxels.sum(dtype=float)) * image.grid.voxel_volume_ml / BQ_PER_MBQ


def _left(registered: RegisteredStudy) -> tuple[str, ...]:
    """What this folder does not hold."""
    points = registered.study.time_points
    drawn = sum(len(point.structures) + len(point.segments) + (point.labels is not None) for point in points)
    if not drawn:
        return ()
    return (
        f"{drawn} contours, segments or label maps of the study are not in the folder of registered images: to use "
        "them, run on the study itself with registration.transforms set to that folder.",
    )
