"""Who was treated, with what, and how the images were taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from RPTDosimetryLib.report.acquisition import KEYWORDS
from RPTDosimetryLib.report.document import NOT_GIVEN, Block, Heading, KeyValues, Notice, Paragraph, Table, figure_text
from RPTDosimetryLib.report.run_record import RunRecord
from RPTDosimetryLib.units import BQ_PER_GBQ, S_PER_H

MISSING: Final = "missing in the images"
_PATIENT: Final = {
    "PatientName": "Name",
    "PatientID": "Patient ID",
    "IssuerOfPatientID": "ID issued by",
    "PatientBirthDate": "Born",
    "PatientSex": "Sex",
    "PatientAge": "Age",
    "PatientWeight": "Weight [kg]",
    "PatientSize": "Height [m]",
    "StudyDate": "Study date",
    "StudyID": "Study ID",
    "AccessionNumber": "Accession number",
    "StudyDescription": "Study",
    "ReferringPhysicianName": "Referred by",
    "StudyInstanceUID": "Study UID",
    "DeidentificationMethod": "De-identified",
}
#: Said also when the images are silent; the others only where there is something to say.
_ALWAYS: Final = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientWeight",
    "PatientSize",
    "StudyDate",
)


def patient_blocks(record: RunRecord) -> list[Block]:
    """Patient and study, administration, images. A tag that the images lack is said to be missing, not left out."""
    attributes = record.told["patient"]["attributes"]
    rows = [
        (title, dicom_text(keyword, attributes.get(keyword, "")) or MISSING)
        for keyword, title in _PATIENT.items()
        if attributes.get(keyword) or keyword in _ALWAYS
    ]
    blocks: list[Block] = [Heading("Patient and administration"), KeyValues((*rows, *_administration(record)))]
    if record.other_version:
        blocks.append(Notice(record.other_version))
    return blocks


def image_blocks(record: RunRecord) -> list[Block]:
    """The time points, and camera, windows, reconstruction and corrections as the headers state them."""
    points = record.step("time_points")
    rows = tuple(
        (
            str(number),
            _hours(point["time_s"]),
            point.get("acquired") or NOT_GIVEN,
            "–" if point.get("duration_s") is None else f"{point['duration_s'] / 60:.4g}",
            point["grid"],
            point["decay_correction"],
        )
        for number, point in enumerate(points, start=1)
    )
    columns = ("no.", "after administration [h]", "acquired", "duration [min]", "grid", "decay correction")
    table = Table(columns, rows, "Time points", (3, 11, 12, 7, 18, 20), (0, 1, 2, 3, 4, 5))
    return [Heading("Images"), table, *_acquisition([point.get("acquisition") or {} for point in points])]


def _acquisition(told: list[Mapping[str, str]]) -> list[Block]:
    """One column where all time points agree, one each where they do not."""
    if not any(told):
        return [Paragraph("Camera, energy windows, reconstruction and corrections: not given (no DICOM images).")]
    known = [keyword for keyword in KEYWORDS if any(keyword in point for point in told)]
    silent = ", ".join(title for keyword, title in KEYWORDS.items() if keyword not in known)
    note = Paragraph(f"Not stated by the images: {silent}.", small=True)
    if all(point == told[0] for point in told):
        return [KeyValues(tuple((KEYWORDS[k], told[0][k]) for k in known)), note]
    columns = ("as the images state it", *(f"time point {number}" for number in range(1, len(told) + 1)))
    rows = tuple((KEYWORDS[k], *(point.get(k, "–") for point in told)) for k in known)
    return [Table(columns, rows, words=tuple(range(len(columns)))), note]


def _administration(record: RunRecord) -> list[tuple[str, str]]:
    given: Mapping[str, Any] = record.step("administration")
    activity_bq, half_life_s = given["administered_activity_bq"], given["half_life_s"]
    return [
        ("Nuclide", given["nuclide"] or NOT_GIVEN),
        ("Administered activity", NOT_GIVEN if activity_bq is None else f"{activity_bq / BQ_PER_GBQ:.4g} GBq"),
        ("Administered", given["time"] or NOT_GIVEN),
        (
            "Physical half-life",
            "evaluated decay data of the program"
            if half_life_s is None
            else f"{half_life_s / S_PER_H:.6g} h (header of the images)",
        ),
    ]


def patient_line(record: RunRecord) -> str:
    """Name and ID for the head of a page; what is missing is said."""
    attributes = record.told["patient"]["attributes"]
    name = dicom_text("PatientName", attributes.get("PatientName", "")) or "name missing"
    return f"{name}, ID {attributes.get('PatientID') or 'missing'}"


def dicom_text(keyword: str, value: str) -> str:
    """A value as people write it: names with a comma, dates with dashes."""
    if keyword in ("PatientName", "ReferringPhysicianName"):
        groups = [", ".join(part for part in group.split("^") if part) for group in value.split("=")]
        return " / ".join(group for group in groups if group)
    if keyword.endswith("Date") and len(value) == 8 and value.isdigit():
        return f"{value[:4]}-{value[4:6]}-{value[6:]}"
    return value.replace("\\", "; ")


def _hours(seconds: float | None) -> str:
    return NOT_GIVEN if seconds is None else figure_text(seconds / S_PER_H)
