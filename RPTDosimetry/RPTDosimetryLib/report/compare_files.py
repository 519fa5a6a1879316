"""By how much two result files of the same name differ: maps, tables and pictures."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom.datadict import dictionary_has_tag, dictionary_keyword

from RPTDosimetryLib.errors import DosimetryError
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.report.provenance import sha256_of
from RPTDosimetryLib.study.dicom_files import read_dicom
from RPTDosimetryLib.study.image_files import header_text, is_image_file, read_image
from RPTDosimetryLib.study.read_dose import is_dicom
from RPTDosimetryLib.study.rtdose import RTDOSE, read_rtdose


@dataclass(frozen=True)
class FileComparison:
    """One result file then and now. largest_difference in ``unit``; None where the files are alike or cannot be told.

    text: one line for a person, empty for identical files.
    """

    name: str
    identical: bool
    largest_difference: float | None = None
    unit: str = ""
    text: str = ""


def compare_file(name: str, sha256_then: str | None, then: Path, now: Path) -> FileComparison:
    """Compare by SHA-256 with what the record holds, and by content where the file of then is still there unchanged."""
    if sha256_then is None:
        return FileComparison(name, False, text="was not written then")
    if not now.is_file():
        return FileComparison(name, False, text="is not written now")
    if sha256_of(now) == sha256_then:
        return FileComparison(name, True)
    if not then.is_file() or sha256_of(then) != sha256_then:
        gone = "is no longer beside its record" if not then.is_file() else "was changed after the run"
        return FileComparison(name, False, text=f"differs; by how much is not known, the file of then {gone}")
    try:
        return _compared(name, then, now)
    except (DosimetryError, OSError, ValueError) as error:
        return FileComparison(name, False, text=f"differs; the two cannot be compared ({error})")


def _compared(name: str, then: Path, now: Path) -> FileComparison:
    if is_dicom(now):
        return _compared_dicom(name, then, now)
    if is_image_file(now):
        return _compared_maps(name, *(read_image(path, header_text(path, "unit"), "keep") for path in (then, now)))
    if now.suffix.lower() == ".csv":
        return _compared_tables(name, then, now)
    if now.suffix.lower() == ".png":
        return _compared_pictures(name, then, now)
    return FileComparison(name, False, text="differs")


def _compared_dicom(name: str, then: Path, now: Path) -> FileComparison:
    """The attributes that differ; of an RT Dose the largest difference too."""
    old, new = read_dicom(then), read_dicom(now)
    tags = sorted({tag for tag in (*old.keys(), *new.keys()) if old.get(tag) != new.get(tag)})
    words = ", ".join(dictionary_keyword(tag) if dictionary_has_tag(tag) else str(tag) for tag in tags)
    said = f"differs in {words}" if words else "differs in how it is encoded"
    if RTDOSE not in (old.SOPClassUID, new.SOPClassUID):
        return FileComparison(name, False, text=said)
    maps = _compared_maps(name, read_rtdose(then).image, read_rtdose(now).image)
    dose = "the dose is the same" if maps.largest_difference == 0 else f"the dose {maps.text}"
    return replace(maps, text=f"{said}; {dose}")


def _compared_maps(name: str, then: Image, now: Image) -> FileComparison:
    if not then.grid.same_as(now.grid):
        return FileComparison(name, False, text=f"lies on another grid: {then.grid} then, {now.grid} now")
    if not np.array_equal(np.isnan(then.voxels), np.isnan(now.voxels)):
        return FileComparison(name, False, text="has a value in other voxels than then")
    apart = np.nan_to_num(np.abs(now.voxels.astype(np.float64) - then.voxels.astype(np.float64)))
    largest, unit = float(apart.max()), "" if then.unit == "1" else then.unit
    if largest == 0:
        return FileComparison(name, False, 0.0, unit, "same values; the header or the compression differs")
    text = f"differs in {np.count_nonzero(apart)} of {apart.size} voxels, by at most {largest:.4g} {unit}".rstrip()
    return FileComparison(name, False, largest, unit, text)


def _compared_tables(name: str, then: Path, now: Path) -> FileComparison:
    """The cell that differs most, relative to its value then."""
    tables = [list(csv.reader(path.read_text(encoding="utf-8").splitlines())) for path in (then, now)]
    if [len(row) for row in tables[0]] != [len(row) for row in tables[1]]:
        return FileComparison(name, False, text=f"has {len(tables[0])} lines then, {len(tables[1])} now")
    worst, words = (-1.0, ""), ""
    for line, (old, new) in enumerate(zip(*tables, strict=True), start=1):
        for column, (a, b) in enumerate(zip(old, new, strict=True)):
            if a == b:
                continue
            place = f"line {line}, {tables[0][0][column] if column < len(tables[0][0]) else column + 1}"
            try:
                apart = abs(float(b) - float(a)) / max(abs(float(a)), 1e-300)
            except ValueError:
                words = words or f"{place}: {a!r} then, {b!r} now"
                continue
            worst = max(worst, (apart, f"most in {place}: {a} then, {b} now"))
    if words or worst[0] < 0:
        return FileComparison(name, False, text=f"differs; {words or 'only in how its lines end'}")
    return FileComparison(name, False, worst[0], "relative", f"differs, {worst[1]}")


def _compared_pictures(name: str, then: Path, now: Path) -> FileComparison:
    from matplotlib.image import imread

    pictures = [imread(path) for path in (then, now)]
    if pictures[0].shape != pictures[1].shape:
        return FileComparison(name, False, text="is a picture of another size")
    different = int(np.count_nonzero(np.any(pictures[0] != pictures[1], axis=-1)))
    return FileComparison(name, False, text=f"is a picture that differs in {different} pixels")
