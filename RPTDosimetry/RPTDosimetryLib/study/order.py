"""The order of time points, and which of them a user's entry means."""

from __future__ import annotations

from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.study.dicom_values import seconds_between
from RPTDosimetryLib.study.given import StudyGiven, TimePointGiven
from RPTDosimetryLib.study.scan import Scan


def in_order(scans: tuple[Scan, ...]) -> tuple[Scan, ...]:
    """By time since administration or acquisition where every scan has it, else by file name."""
    if all(scan.time_s is not None for scan in scans):
        return tuple(sorted(scans, key=lambda scan: scan.time_s or 0.0))
    first = scans[0].acquired
    if first is not None and all(scan.acquired is not None for scan in scans):
        return tuple(sorted(scans, key=lambda scan: seconds_between(first, scan.acquired or first)))
    return tuple(sorted(scans, key=lambda scan: scan.source.name))


def matched(scans: tuple[Scan, ...], given: StudyGiven) -> dict[int, TimePointGiven]:
    """Index of each scan → what the user says about it. Raises ConfigurationError when a match fits none or several."""
    result: dict[int, TimePointGiven] = {}
    for entry in given.time_points:
        if isinstance(entry.match, int):
            hits = [entry.match - 1] if entry.match <= len(scans) else []
        else:
            hits = [index for index, scan in enumerate(scans) if scan.source.is_called(entry.match)]
        known = ", ".join(f"{n} {scan.source.name}" for n, scan in enumerate(scans, start=1))
        if len(hits) != 1:
            raise ConfigurationError(f"Time point {entry.match} fits {len(hits)} of the time points found: {known}.")
        if hits[0] in result:
            raise ConfigurationError(f"Two entries mean the same time point {scans[hits[0]].source.name}: join them.")
        result[hits[0]] = entry
    return result
