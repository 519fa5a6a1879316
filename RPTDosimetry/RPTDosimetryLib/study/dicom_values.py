"""Single header values: numbers, dates and times, read strictly."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

from RPTDosimetryLib.errors import StudyError

# DICOM PS3.5 table 6.2-1; DA also allows the ACR-NEMA form YYYY.MM.DD, TM the form HH:MM:SS.
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.(\d{1,6}))?")
_DATETIME = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)([+-]\d{4})?")


def number(dataset: Any, keyword: str, path: Path) -> float | None:
    """A finite number, None when absent or empty. Raises StudyError when it is anything else."""
    value = _first(dataset, keyword)
    if value is None:
        return None
    try:
        result = float(value)
    except (TypeError, ValueError):
        result = math.nan
    if not math.isfinite(result):
        raise _bad(keyword, value, path)
    return result


def numbers(dataset: Any, keyword: str, count: int, path: Path) -> tuple[float, ...] | None:
    """``count`` finite numbers, None when absent. Raises StudyError when they are fewer, more or not numbers."""
    values = dataset.get(keyword)
    if values is None or (hasattr(values, "__len__") and len(values) == 0):
        return None
    try:
        result = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        result = ()
    if len(result) != count or not all(math.isfinite(value) for value in result):
        raise _bad(keyword, values, path)
    return result


def words(dataset: Any, keyword: str) -> list[str]:
    """The values of a code string attribute in capitals; an empty list when absent."""
    value = dataset.get(keyword)
    if value is None:
        return []
    return [str(v).upper() for v in ([value] if isinstance(value, str) else value)]


def date_of(dataset: Any, keyword: str, path: Path) -> date | None:
    """A DA attribute."""
    value = _first(dataset, keyword)
    if value is None:
        return None
    match = _DATE.fullmatch(str(value).strip())
    try:
        return date(*(int(part) for part in match.groups())) if match else _raise(_bad(keyword, value, path))
    except ValueError as error:
        raise _bad(keyword, value, path) from error


def time_of_day(dataset: Any, keyword: str, path: Path) -> time | None:
    """A TM attribute, without its date."""
    value = _first(dataset, keyword)
    return None if value is None else _parse_time(str(value).strip(), keyword, path)


def date_time(dataset: Any, keyword: str, path: Path, zone: tzinfo | None) -> datetime | None:
    """A DT attribute; its own UTC offset comes before the file's ``zone``."""
    value = _first(dataset, keyword)
    if value is None:
        return None
    match = _DATETIME.fullmatch(str(value).strip())
    if match is None:
        raise _bad(keyword, value, path)
    day, clock, offset = match.groups()
    try:
        moment = datetime.combine(datetime.strptime(day, "%Y%m%d").date(), _parse_time(clock, keyword, path))
    except ValueError as error:
        raise _bad(keyword, value, path) from error
    return moment.replace(tzinfo=_offset(offset) if offset else zone)


def time_zone(dataset: Any, path: Path) -> tzinfo | None:
    """TimezoneOffsetFromUTC (0008,0201), which holds for every date and time of the file; None when absent."""
    value = _first(dataset, "TimezoneOffsetFromUTC")
    if value is None:
        return None
    if not re.fullmatch(r"[+-]\d{4}", str(value).strip()):
        raise _bad("TimezoneOffsetFromUTC", value, path)
    return _offset(str(value).strip())


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Seconds from earlier to later; where only one of the two has a time zone, both are taken to be in it."""
    if (earlier.tzinfo is None) != (later.tzinfo is None):
        earlier, later = earlier.replace(tzinfo=None), later.replace(tzinfo=None)
    return (later - earlier).total_seconds()


def _parse_time(text: str, keyword: str, path: Path) -> time:
    match = _TIME.fullmatch(text)
    if match is None:
        raise _bad(keyword, text, path)
    hour, minute, second, fraction = match.groups()
    try:
        return time(int(hour), int(minute or 0), int(second or 0), int((fraction or "0").ljust(6, "0")))
    except ValueError as error:
        raise _bad(keyword, text, path) from error


def _offset(text: str) -> timezone:
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _first(dataset: Any, keyword: str) -> Any:
    value = dataset.get(keyword)
    if value is not None and not isinstance(value, str | bytes | int | float) and hasattr(value, "__len__"):
        value = value[0] if len(value) else None
    return None if value is None or str(value).strip() == "" else value


def _bad(keyword: str, value: Any, path: Path) -> StudyError:
    return StudyError(f"{path}: {keyword} = {value!r} is not a value DICOM allows there. Export the file again.")


def _raise(error: StudyError) -> Any:
    raise error
