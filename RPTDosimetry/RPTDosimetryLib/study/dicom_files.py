"""Finding the DICOM files below a folder and sorting them into series, by content and not by name."""

from __future__ import annotations

import struct
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.study.scan import SourceFiles

NM = "1.2.840.10008.5.1.4.1.1.20"
PT = "1.2.840.10008.5.1.4.1.1.128"
CT = "1.2.840.10008.5.1.4.1.1.2"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_SEG = "1.2.840.10008.5.1.4.1.1.66.7"
SEGMENTATIONS = (SEG, LABEL_MAP_SEG)
DICOMDIR = "1.2.840.10008.1.3.10"
_PREAMBLE_BYTES = 128
PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
#: What pydicom raises for bytes that are not DICOM.
UNREADABLE = (
    InvalidDicomError,
    BytesLengthException,
    EOFError,
    AttributeError,
    ValueError,
    TypeError,
    KeyError,
    OSError,
    NotImplementedError,
    struct.error,
)
_UNDECODABLE = (BytesLengthException, ValueError, TypeError, NotImplementedError, EOFError, OSError, struct.error)
_UNDEFINED_LENGTH = 0xFFFFFFFF
_ENDINGS = (".dcm", ".dicom", ".ima")


@dataclass(frozen=True)
class DicomFile:
    """A file's path and its header (no pixels)."""

    path: Path
    header: Any

    @property
    def kind(self) -> str:
        """SOP class UID."""
        return str(self.header.SOPClassUID)


@dataclass(frozen=True)
class DicomFolder:
    """The series below a folder, and notes on what was left aside."""

    series: tuple[tuple[DicomFile, ...], ...]
    notes: tuple[str, ...] = ()


def read_headers(root: Path, paths: Iterable[Path]) -> DicomFolder:
    """Headers of all DICOM files among ``paths``, grouped: NM, RTSTRUCT and SEG one file each, others by series UID.

    Files that neither carry the DICM mark nor a DICOM ending are left aside with a note. Raises StudyError for a file
    that says it is DICOM and cannot be read, and for the same object found twice.
    """
    groups: dict[str, list[DicomFile]] = defaultdict(list)
    seen: dict[str, Path] = {}
    strangers: list[str] = []
    for path in paths:
        if not _says_dicom(path):
            strangers.append(str(path.relative_to(root)))
            continue
        file = DicomFile(path, read_dicom(path, pixels=False))
        with decoding([file]):
            group, instance = _group_of(file)
        if instance in seen:
            raise StudyError(
                f"{path} and {seen[instance]} are the same DICOM object (duplicated slices): remove one of the two."
            )
        if group is not None:
            seen[instance] = path
            groups[group].append(file)
    notes = [f"{len(strangers)} files that are not DICOM left aside: {_some(strangers)}."] if strangers else []
    return DicomFolder(tuple(tuple(group) for group in groups.values()), tuple(notes))


def read_dicom(path: Path, pixels: bool = True) -> Any:
    """One DICOM file, whole. Raises StudyError when it is cut off or not DICOM inside."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=not pixels)
            complete = bool(dataset.SOPClassUID and dataset.SOPInstanceUID) and not _ends_early(dataset)
        except UNREADABLE as error:
            raise StudyError(
                f"{path} cannot be read as DICOM ({_reason(error)}): copy it again, or remove it."
            ) from error
    if pixels and dataset.SOPClassUID in (NM, PT, CT):
        complete = complete and any(keyword in dataset for keyword in PIXEL_KEYWORDS)
    if not complete or any("end of file" in str(warning.message).lower() for warning in told):
        raise StudyError(f"{path} is cut off: it ends in the middle of its DICOM content. Copy it again.")
    return dataset


def _group_of(file: DicomFile) -> tuple[str | None, str]:
    """(name of the group, SOP instance UID); no group for a DICOMDIR."""
    header = file.header
    instance = str(header.SOPInstanceUID)
    if str(header.file_meta.get("MediaStorageSOPClassUID", "")) == DICOMDIR:
        return None, instance
    alone = file.kind in (NM, RTSTRUCT, *SEGMENTATIONS)
    return instance if alone else str(header.get("SeriesInstanceUID", "")), instance


@contextmanager
def decoding(files: Iterable[DicomFile]) -> Iterator[None]:
    """Pydicom decodes values when they are first used: what it cannot decode then is a StudyError naming the files."""
    try:
        yield
    except _UNDECODABLE as error:
        where = ", ".join(str(file.path) for file in list(files)[:1])
        raise StudyError(
            f"{where} (or a file of its series) holds a value that cannot be decoded ({_reason(error)}): copy or "
            "export it again."
        ) from error


def _ends_early(dataset: Any) -> bool:
    """True when the last element announces more bytes than the file has."""
    tags = list(dataset.keys())
    last = dataset.get_item(tags[-1]) if tags else None
    length, value = getattr(last, "length", None), getattr(last, "value", None)
    return isinstance(value, bytes) and length not in (None, _UNDEFINED_LENGTH) and len(value) < int(length or 0)


def source_of(files: tuple[DicomFile, ...], root: Path) -> SourceFiles:
    """Names, UIDs and the one frame of reference of a series. Raises StudyError when frames of reference are mixed."""
    header = files[0].header
    folders = {file.path.relative_to(root).parent for file in files}
    description = str(header.get("SeriesDescription", "")).strip()
    folder = str(folders.pop()) if len(folders) == 1 else ""
    name = files[0].path.relative_to(root).as_posix() if len(files) == 1 else folder.replace("\\", "/")
    frames = {str(file.header.get("FrameOfReferenceUID", "")) for file in files}
    series_uid = str(header.get("SeriesInstanceUID", ""))
    if len(frames) > 1:
        raise StudyError(
            f"Series {name or series_uid} ({description or 'no description'}) mixes {len(frames)} frames of reference: "
            "its slices do not belong together. Export the series again, or leave its files out with ignore."
        )
    names = {description, series_uid, name, root.name if name in ("", ".") else ""}
    names |= {part for file in files[:1] for part in file.path.relative_to(root).parts}
    names |= {file.path.stem for file in files if len(files) == 1}
    return SourceFiles(
        name=name if name not in ("", ".") else description or series_uid,
        files=tuple(file.path for file in files),
        names=frozenset(n.lower() for n in names if n),
        series_uid=series_uid,
        study_uid=str(header.get("StudyInstanceUID", "")),
        frame_of_reference_uid=frames.pop() or None,
    )


def require_one_patient(files: Iterable[DicomFile]) -> str:
    """The patient's ID (name where there is none). Raises StudyError when the files are of several patients."""
    where: dict[str, Path] = {}
    for file in files:
        with decoding([file]):
            patient = str(file.header.get("PatientID", "") or file.header.get("PatientName", "")).strip()
        where.setdefault(patient, file.path)
    if len(where) > 1:
        found = "; ".join(f"{patient or 'no ID'} ({path})" for patient, path in sorted(where.items()))
        raise StudyError(f"{len(where)} patients in one folder: {found}. Give each patient a folder of their own.")
    return next(iter(where), "")


def kinds_told(files: Iterable[DicomFile]) -> str:
    """Counts by kind for messages, like: 12 CT Image Storage, 1 RT Dose Storage."""
    counts = Counter(UID(file.kind).name for file in files)
    return ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items()))


def _says_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            marked = stream.read(_PREAMBLE_BYTES + 4)[_PREAMBLE_BYTES:] == b"DICM"
    except OSError as error:
        raise StudyError(f"{path} cannot be opened ({error.strerror}): check the permissions.") from error
    return marked or path.suffix.lower() in _ENDINGS


def _reason(error: Exception) -> str:
    if isinstance(error, InvalidDicomError):
        return "it does not begin as a DICOM file does"
    return str(error).splitlines()[0] if str(error) else "it ends too early"


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
