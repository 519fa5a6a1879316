"""Time points from Slicer's DICOM database: whole patients, read by the library from links to the database's files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import slicer

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Study


@dataclass(frozen=True)
class Patient:
    """One patient of the database: its key there, and what to show."""

    key: str
    label: str


def why_not() -> str:
    """A sentence that says why the database cannot be used; empty when it can."""
    database = _database()
    if database is None or not database.isOpen:
        return "No DICOM database is open: open the module DICOM once, or add a folder instead."
    return "" if database.patients() else "The DICOM database is empty: import files in the module DICOM first."


def patients() -> list[Patient]:
    """The patients of the database, by name."""
    database = _database()
    if database is None or not database.isOpen:
        return []
    found = [Patient(str(key), str(database.displayedNameForPatient(key) or key)) for key in database.patients()]
    return sorted(found, key=lambda patient: patient.label.lower())


def gather(patient: Patient, folder: Path) -> Mapping[str, str]:
    """Link (or copy) all files of a patient into an empty folder; return where each name came from."""
    database = _database()
    origin: dict[str, str] = {}
    for study in database.studiesForPatient(patient.key):
        for series in database.seriesForStudy(study):
            for file in database.filesForSeries(series):
                name = f"{len(origin):06d}.dcm"
                _link(str(file), folder / name)
                origin[name] = str(file)
    if not origin:
        raise StudyError(f"The DICOM database holds no files of {patient.label}: import them again.")
    return origin


def with_origins(study: Study, origin: Mapping[str, str]) -> Study:
    """The study with its files named as the database names them."""
    points = tuple(
        replace(point, files=tuple(Path(origin.get(file.name, str(file))) for file in point.files))
        for point in study.time_points
    )
    return replace(study, time_points=points)


def _database() -> Any:
    return getattr(slicer, "dicomDatabase", None)


def _link(file: str, target: Path) -> None:
    for make in (os.symlink, os.link, shutil.copyfile):
        try:
            make(file, target)
        except OSError:
            continue
        return
    raise StudyError(f"{file} of the DICOM database cannot be read: check that the disk is there, or import it again.")
