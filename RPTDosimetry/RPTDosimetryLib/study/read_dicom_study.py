"""A folder of DICOM files, in any layout, as scans with their CTs, contours and segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.study.dicom_files import (
    CT,
    NM,
    PT,
    RTSTRUCT,
    SEG,
    SEGMENTATIONS,
    DicomFile,
    decoding,
    kinds_told,
    read_headers,
    require_one_patient,
    source_of,
)
from RPTDosimetryLib.study.dicom_seg import read_seg
from RPTDosimetryLib.study.dicom_spect import read_nm, read_pt, why_not_spect
from RPTDosimetryLib.study.image_files import is_image_file
from RPTDosimetryLib.study.join_cts import joined_cts
from RPTDosimetryLib.study.order import in_order
from RPTDosimetryLib.study.pairing import attach_cts, attach_structures
from RPTDosimetryLib.study.read_ct import is_localizer, read_ct_series
from RPTDosimetryLib.study.rtstruct import read_rtstruct
from RPTDosimetryLib.study.scan import FoundStudy, Scan

Series = tuple[DicomFile, ...]
T = TypeVar("T")


def read_dicom_study(
    root: Path,
    paths: list[Path],
    ignore: tuple[str, ...],
    choose_cts: Callable[[tuple[Scan, ...]], Mapping[int, str]],
) -> FoundStudy:
    """All SPECTs below root, in order of acquisition, with CT, contours and segments; the rest is noted and left aside.

    choose_cts: from the scans in order to the CT names the user gives (index → name). Raises StudyError when there is
    no SPECT, several patients, or a file that cannot be read.
    """
    folder = read_headers(root, paths)
    notes = list(folder.notes)
    used: dict[str, list[Series]] = {NM: [], PT: [], CT: [], RTSTRUCT: [], SEG: []}
    for series in folder.series:
        with decoding(series):
            reason = _why_left_out(series, root, ignore)
        if reason is None:
            used[SEG if series[0].kind in SEGMENTATIONS else series[0].kind].append(series)
        else:
            notes.append(f"left aside: {reason}")
    if not used[NM] and not used[PT]:
        raise StudyError(_no_spect(root, paths, folder.series))
    patient = require_one_patient(file for kind in used.values() for series in kind for file in series)
    scans = in_order(
        (
            *(_decoded(series, lambda files: read_nm(files[0], root)) for series in used[NM]),
            *(_decoded(series, lambda files: read_pt(files, root)) for series in used[PT]),
        )
    )
    cts = tuple(_decoded(series, lambda files: read_ct_series(files, root)) for series in used[CT])
    structures = tuple(_decoded(series, lambda files: read_rtstruct(files[0], root)) for series in used[RTSTRUCT])
    segments = tuple(_decoded(series, lambda files: read_seg(files[0], root)) for series in used[SEG])
    whole_cts, join_notes = joined_cts(cts)
    scans, ct_notes = attach_cts(scans, whole_cts, choose_cts(scans))
    scans, structure_notes = attach_structures(scans, (*structures, *segments), cts)
    return FoundStudy(
        scans=tuple(replace(scan, warnings=tuple(w for w in scan.warnings if w)) for scan in scans),
        patient_id=patient,
        warnings=(*notes, *join_notes, *ct_notes, *structure_notes),
    )


def _decoded(series: Series, read: Callable[[Series], T]) -> T:
    with decoding(series):
        return read(series)


def _why_left_out(series: Series, root: Path, ignore: tuple[str, ...]) -> str | None:
    if any(file_source.is_called(name) for name in ignore for file_source in [source_of(series[:1], root)]):
        return f"{_place(series, root)} (named in ignore)"
    kind = series[0].kind
    if kind in (NM, PT):
        reason = why_not_spect(series)
        return None if reason is None else f"{_place(series, root)} ({reason})"
    if kind == CT:
        return f"{_place(series, root)} (CT localizer)" if is_localizer(series) else None
    return None if kind in (RTSTRUCT, *SEGMENTATIONS) else f"{_place(series, root)} ({kinds_told(series)})"


def _place(series: Series, root: Path) -> str:
    first = series[0].path.relative_to(root).as_posix()
    return first if len(series) == 1 else f"{first} and {len(series) - 1} more"


def _no_spect(root: Path, paths: list[Path], series: tuple[Series, ...]) -> str:
    files = [file for group in series for file in group]
    if files:
        return (
            f"{root} holds no SPECT (NM RECON TOMO, or PT images); found {kinds_told(files)}. Add the reconstructed "
            "SPECT series; projections (TOMO) have to be reconstructed first."
        )
    images = [path.name for path in paths if is_image_file(path)]
    if images:
        return (
            f"{root} holds image files ({', '.join(images[:4])}) but no study.json that describes them: add one with "
            '{"time_points": [{"spect": FILE, "time_h": HOURS, "unit": "Bq/mL", "decay_correction": "NONE"}, …]}.'
        )
    return f"{root} holds {len(paths)} files and none is DICOM or a study.json. Check the path of the study."
