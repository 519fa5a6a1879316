"""Which CT, which contours and which segments belong to which SPECT."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from RPTDosimetryLib.errors import ConfigurationError, StudyError
from RPTDosimetryLib.study.dicom_values import seconds_between
from RPTDosimetryLib.study.scan import CtScan, Scan, SegmentSet, StructureSet


def attach_cts(
    scans: tuple[Scan, ...], cts: tuple[CtScan, ...], chosen: Mapping[int, str]
) -> tuple[tuple[Scan, ...], tuple[str, ...]]:
    """Each SPECT with its CT, and notes. chosen: index of a scan → the CT name that the user gives.

    A CT lies on a SPECT when they share the frame of reference; among several: the same study, then the nearest in
    time, then the larger volume. Raises StudyError when a SPECT and a CT of one study have different frames of
    reference and nothing else pairs them.
    """
    users: dict[str, list[str]] = defaultdict(list)
    result: list[Scan] = []
    for index, scan in enumerate(scans):
        ct, note = _ct_for(scan, cts, chosen.get(index))
        if ct is None:
            result.append(scan)
            continue
        users[ct.source.name].append(scan.source.name)
        warnings = (*scan.warnings, *([note] if note else []), *ct.warnings)
        result.append(replace(scan, ct=ct.image, warnings=warnings))
    notes = []
    for ct in cts:
        used_by = users.get(ct.source.name, [])
        if len(used_by) > 1:
            notes.append(
                f"one CT ({ct.source.name}) serves {len(used_by)} time points, which share its frame of reference"
            )
        if not used_by:
            _require_frame_not_mixed(ct, scans, result)
            notes.append(f"CT {ct.source.name} shares its frame of reference with no SPECT and is not used")
    return tuple(result), tuple(notes)


def attach_structures(
    scans: tuple[Scan, ...], sets: tuple[StructureSet | SegmentSet, ...], cts: tuple[CtScan, ...]
) -> tuple[tuple[Scan, ...], tuple[str, ...]]:
    """Each SPECT with what was drawn on it (referenced series), on its CT, or in its frame of reference.

    What lies in a frame of reference of no SPECT here is not used, and noted. Raises StudyError for a SEG that refers
    to an image of the study and lies in another frame of reference than that image.
    """
    result = list(scans)
    notes: list[str] = []
    for structures in sets:
        if isinstance(structures, SegmentSet):
            _require_frame_of_its_image(structures, scans, cts)
        index = _scan_of(structures, scans, cts)
        if index is None:
            what = "segments" if isinstance(structures, SegmentSet) else "contours"
            notes.append(f"{what} of {structures.source.name} belong to no SPECT of this study and are not used")
            continue
        scan = result[index]
        if isinstance(structures, SegmentSet):
            scan = replace(scan, segments=(*scan.segments, *structures.segments))
        else:
            scan = replace(scan, structures=(*scan.structures, *structures.contours))
        result[index] = replace(scan, warnings=(*scan.warnings, *structures.warnings))
    return tuple(result), tuple(notes)


def _ct_for(scan: Scan, cts: tuple[CtScan, ...], chosen: str | None) -> tuple[CtScan | None, str]:
    if chosen is not None:
        called = [ct for ct in cts if ct.source.is_called(chosen)]
        if len(called) != 1:
            known = ", ".join(ct.source.name for ct in cts) or "none"
            raise ConfigurationError(
                f'ct = "{chosen}" of {scan.source.name} fits {len(called)} CT series; found: {known}.'
            )
        return called[0], f"CT {called[0].source.name} is paired because the configuration says so"
    frame = scan.source.frame_of_reference_uid
    sharing = [ct for ct in cts if frame is not None and ct.source.frame_of_reference_uid == frame]
    if not sharing:
        return None, ""
    best = min(sharing, key=lambda ct: _distance(scan, ct))
    note = f"CT {best.source.name} is used; {len(sharing) - 1} more CT series share its frame of reference"
    return best, note if len(sharing) > 1 else ""


def _distance(scan: Scan, ct: CtScan) -> tuple[bool, float, float, str]:
    apart_s = float("inf")
    if scan.acquired is not None and ct.acquired is not None:
        # CT reconstructions of one visit may differ by minutes and are still equally near
        apart_s = abs(seconds_between(scan.acquired, ct.acquired)) // 3600
    volume = ct.image.voxels.size * ct.image.grid.voxel_volume_ml
    return ct.source.study_uid != scan.source.study_uid, apart_s, -volume, ct.source.series_uid


def _require_frame_not_mixed(ct: CtScan, scans: tuple[Scan, ...], paired: list[Scan]) -> None:
    for before, after in zip(scans, paired, strict=True):
        if after.ct is None and ct.source.study_uid and ct.source.study_uid == before.source.study_uid:
            raise StudyError(
                f"Mixed frames of reference: CT {ct.source.name} and SPECT {before.source.name} are of one study but "
                "in different coordinates. If they are aligned all the same, name the CT as ct of that time point in "
                "the configuration; otherwise leave it out with ignore."
            )


def _require_frame_of_its_image(segments: SegmentSet, scans: tuple[Scan, ...], cts: tuple[CtScan, ...]) -> None:
    """A SEG has one frame of reference, that of the images it was made on (DICOM PS3.3 C.8.20.2)."""
    for source in (*(scan.source for scan in scans), *(ct.source for ct in cts)):
        frame = source.frame_of_reference_uid
        if source.series_uid not in segments.referenced_series_uids or frame is None:
            continue
        if frame not in segments.frames_of_reference:
            raise StudyError(
                f"Segments of {segments.source.name} refer to {source.name} but lie in another frame of "
                "reference: they may be displaced. Export them again from that image, or leave them out with ignore."
            )


def _scan_of(structures: StructureSet | SegmentSet, scans: tuple[Scan, ...], cts: tuple[CtScan, ...]) -> int | None:
    series = structures.referenced_series_uids
    for index, scan in enumerate(scans):
        if scan.source.series_uid in series:
            return index
    frames: set[str | None] = set(structures.frames_of_reference)
    frames |= {ct.source.frame_of_reference_uid for ct in cts if ct.source.series_uid in series} - {None}
    sharing = [i for i, scan in enumerate(scans) if scan.source.frame_of_reference_uid in frames]
    drawn_on = [ct for ct in cts if ct.source.series_uid in series and ct.acquired is not None]
    if len(sharing) > 1 and drawn_on:
        return min(sharing, key=lambda i: _distance(scans[i], drawn_on[0])[:2])
    return sharing[0] if sharing else None
