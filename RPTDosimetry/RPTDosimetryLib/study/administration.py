"""One administration from what several headers and the user say about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as clock_time

from RPTDosimetryLib.errors import PhysicsDataError, StudyError
from RPTDosimetryLib.physics.nuclides import nuclide as nuclide_data
from RPTDosimetryLib.records import Administration
from RPTDosimetryLib.study.dicom_values import seconds_between
from RPTDosimetryLib.study.given import StudyGiven, given_datetime
from RPTDosimetryLib.study.nuclide_names import canonical_nuclide
from RPTDosimetryLib.study.scan import FoundStudy, HeaderAdministration, Scan
from RPTDosimetryLib.units import BQ_PER_MBQ

_SAME_TIME_S = 60.0
_SAME_ACTIVITY = 1e-3
#: physics.md 4a: the header's half-life is used, and a larger difference from ours is said.
_SAME_HALF_LIFE = 1e-3


@dataclass(frozen=True)
class _Told:
    """One statement and who makes it."""

    who: str
    administration: HeaderAdministration


def settle_administration(found: FoundStudy, given: StudyGiven) -> tuple[Administration, tuple[str, ...]]:
    """The administration and notes on where each value comes from; what nobody tells stays None.

    Raises StudyError when headers contradict each other (two cycles in one folder) and the user does not decide, or
    when the nuclide is unknown.
    """
    told = [_Told(scan.source.name, scan.administration) for scan in found.scans]
    told.append(_Told("study.json", found.administration))
    notes: list[str] = []
    name = _nuclide(told, given, notes)
    if given.half_life_s is not None:
        half_life_s: float | None = given.half_life_s
        notes.append(f"half-life {given.half_life_s:g} s: given by the user")
    else:
        half_life_s = _one_value(told, "half_life_s", "half-lives", _SAME_HALF_LIFE)
    if name is not None:
        notes += _compare_half_life(name, half_life_s)
    if given.administered_activity_mbq is not None:
        activity_bq: float | None = given.administered_activity_mbq * BQ_PER_MBQ
        notes.append(f"administered activity {given.administered_activity_mbq:g} MBq: given by the user")
    else:
        activity_bq = _one_value(told, "activity_bq", "administered activities", _SAME_ACTIVITY)
    time = given_datetime(given.administration_time, "administration_time")
    if time is not None:
        notes.append(f"administration time {time.isoformat(sep=' ')}: given by the user")
    else:
        time = _time(told, found.scans, notes)
    return Administration(name, activity_bq, time, half_life_s), tuple(notes)


def half_life_s_of(administration: Administration) -> float | None:
    """The header's half-life, else ours for the nuclide, else None."""
    if administration.half_life_s is not None:
        return administration.half_life_s
    return None if administration.nuclide is None else float(nuclide_data(administration.nuclide).half_life_s)


def _nuclide(told: list[_Told], given: StudyGiven, notes: list[str]) -> str | None:
    named = {t.administration.nuclide: t.who for t in told if t.administration.nuclide is not None}
    if given.nuclide is not None:
        written, where = given.nuclide, "the configuration"
        notes.append(f"nuclide {written}: given by the user")
    elif len(named) > 1:
        listed = "; ".join(f"{name} ({who})" for name, who in sorted(named.items()))
        raise StudyError(f"The images show different nuclides: {listed}. Leave the others out with ignore.")
    elif named:
        written, where = next(iter(named.items()))
    else:
        return None
    name = canonical_nuclide(written) or written
    try:
        nuclide_data(name)
    except PhysicsDataError as error:
        raise StudyError(f"Nuclide {written} of {where} is unknown: {error}") from error
    return name


def _compare_half_life(name: str, header_s: float | None) -> list[str]:
    ours_s = float(nuclide_data(name).half_life_s)
    if header_s is None or abs(header_s / ours_s - 1) <= _SAME_HALF_LIFE:
        return []
    return [
        f"the stated half-life of {name}, {header_s:g} s, differs from the evaluated {ours_s:.6g} s by "
        f"{100 * (header_s / ours_s - 1):+.2f} %; the stated one is used"
    ]


def _one_value(told: list[_Told], name: str, what: str, tolerance: float) -> float | None:
    values = [(float(v), t.who) for t in told if (v := getattr(t.administration, name)) is not None]
    if not values:
        return None
    (low, low_who), (high, high_who) = min(values), max(values)
    if high > low * (1 + tolerance):
        raise StudyError(
            f"The headers tell different {what}: {low:.10g} ({low_who}) and {high:.10g} ({high_who}). If these are two "
            "cycles, give each a folder; if a header is wrong, state the true value in the configuration."
        )
    return values[0][0]


def _time(told: list[_Told], scans: tuple[Scan, ...], notes: list[str]) -> datetime | None:
    dated = [(time, t.who) for t in told if (time := t.administration.time) is not None]
    clocks = [(clock, t.who) for t in told if (clock := t.administration.time_of_day) is not None]
    if dated:
        time, who = dated[0]
        for other, other_who in dated[1:]:
            if abs(seconds_between(time, other)) > _SAME_TIME_S:
                raise _different_times(f"{time} ({who})", f"{other} ({other_who})")
    elif clocks and (placed := _last_before_first_scan(clocks[0][0], scans, notes)) is not None:
        time, who = placed, clocks[0][1]
    else:
        return None
    for clock, clock_who in clocks:
        offset_s = abs(seconds_between(time, datetime.combine(time.date(), clock, time.tzinfo)))
        if min(offset_s, 86400.0 - offset_s) > _SAME_TIME_S:
            raise _different_times(f"{time} ({who})", f"{clock} ({clock_who})")
    return time


def _last_before_first_scan(clock: clock_time, scans: tuple[Scan, ...], notes: list[str]) -> datetime | None:
    acquired = [scan.acquired for scan in scans if scan.acquired is not None]
    if not acquired:
        notes.append(f"the administration was at {clock}, but no date is known to go with it: give administration_time")
        return None
    first = min(acquired, key=lambda moment: seconds_between(acquired[0], moment))
    time = datetime.combine(first.date(), clock, first.tzinfo)
    if time > first:
        time -= timedelta(days=1)
    notes.append(
        f"the headers give the time of administration without its date: {time.isoformat(sep=' ')} is taken, the "
        f"last {clock} before the first scan; give administration_time if it was another day"
    )
    return time


def _different_times(one: str, other: str) -> StudyError:
    return StudyError(
        f"The headers tell different administration times: {one} and {other}. If these are two cycles, give each a "
        "folder; if a header is wrong, give administration_time in the configuration."
    )
