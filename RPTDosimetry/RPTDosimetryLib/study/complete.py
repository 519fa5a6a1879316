"""What a study lacks, under the names that inspect shows."""

from __future__ import annotations

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Study, TimePoint

NUCLIDE = "nuclide"
ADMINISTERED_ACTIVITY = "administered activity"
ADMINISTRATION_TIME = "administration time"
ACQUISITION_TIME = "acquisition time"
UNIT = "unit"
DECAY_CORRECTION = "decay correction"
DURATION = "acquisition duration"

#: The key of the configuration that supplies each.
KEYS = {
    NUCLIDE: "study.nuclide",
    ADMINISTERED_ACTIVITY: "study.administered_activity_mbq",
    ADMINISTRATION_TIME: "study.administration_time",
    ACQUISITION_TIME: "study.time_points.time_h (or acquired)",
    UNIT: "study.unit (or study.time_points.unit)",
    DECAY_CORRECTION: "study.decay_correction (or study.time_points.decay_correction)",
    DURATION: "study.time_points.duration_s",
}


def missing_of_time_point(
    time_known: bool, unit: str | None, decay_reference: str | None, duration_s: float | None
) -> tuple[str, ...]:
    """Names of what is missing; the duration is needed to calibrate counts only."""
    missing = []
    if not time_known:
        missing.append(ACQUISITION_TIME)
    if unit is None:
        missing.append(UNIT)
    if decay_reference is None:
        missing.append(DECAY_CORRECTION)
    if unit == "counts" and duration_s is None:
        missing.append(DURATION)
    return tuple(missing)


def is_at_scan_time(time_point: TimePoint) -> bool:
    """True when the decay reference is known and any correction has been undone."""
    return DECAY_CORRECTION not in time_point.missing and "not undone" not in time_point.decay_correction


def require_complete(study: Study) -> None:
    """Raise StudyError that names everything missing and the configuration key for each."""
    lacking = [f"{name} ({KEYS.get(name, name)})" for name in study.missing]
    for number, time_point in enumerate(study.time_points, start=1):
        lacking += [f"{name} of time point {number} ({KEYS.get(name, name)})" for name in time_point.missing]
    if lacking:
        raise StudyError(
            f"The files of the study do not tell: {'; '.join(lacking)}. Add these keys to the configuration file; "
            "nothing is assumed."
        )
