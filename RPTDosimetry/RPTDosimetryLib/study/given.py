"""What the user says about a study where its files do not: the [study] part of the configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.study.activity_units import read_unit

DECAY_REFERENCES = ("NONE", "START", "ADMIN")
#: Read by pydantic when a configuration file is checked: a mistyped key is an error.
_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class TimePointGiven:
    """One time point's values. They win over the header; each is repeated in the time point's warnings.

    match: the number of the time point in order of acquisition, from 1, as ``inspect`` lists them; or one of its names:
    file, folder (whole or any part, relative to the study), series description, series UID.
    time_h: acquisition start after administration. acquired: its date and time (ISO 8601). duration_s: acquisition
    time. unit: "Bq/mL", "kBq/mL", "MBq/mL" or "counts" of the values as stored.
    decay_correction: what the values as stored are corrected to: NONE (mean over the acquisition), START, ADMIN.
    ct: a name (as for match) of the CT series that lies on this SPECT, where the frames of reference do not say so.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    match: int | str
    time_h: float | None = None
    acquired: str | datetime | None = None
    duration_s: float | None = None
    unit: str | None = None
    decay_correction: str | None = None
    ct: str | None = None

    def __post_init__(self) -> None:
        where = f"time point {self.match}"
        if isinstance(self.match, int) and self.match < 1:
            raise ConfigurationError(f"match = {self.match}: time points are numbered from 1.")
        if self.time_h is not None and not (math.isfinite(self.time_h) and self.time_h >= 0):
            raise ConfigurationError(
                f"time_h = {self.time_h} of {where}: give hours after the administration, 0 or more."
            )
        _check_positive(self.duration_s, f"duration_s of {where}")
        given_datetime(self.acquired, f"acquired of {where}")
        _check_unit(self.unit, where)
        _check_decay(self.decay_correction, where)


@dataclass(frozen=True)
class StudyGiven:
    """The study's values. They win over the headers; each is repeated in the study's warnings.

    administration_time: ISO 8601, with or without a UTC offset. half_life_s: where a header's is wrong. unit,
    decay_correction: for every time point that has no value of its own in time_points. ignore: names (as
    TimePointGiven.match) of files, folders or series to leave out.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    nuclide: str | None = None
    administered_activity_mbq: float | None = None
    administration_time: str | datetime | None = None
    half_life_s: float | None = None
    unit: str | None = None
    decay_correction: str | None = None
    time_points: tuple[TimePointGiven, ...] = ()
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_positive(self.administered_activity_mbq, "administered_activity_mbq")
        _check_positive(self.half_life_s, "half_life_s")
        given_datetime(self.administration_time, "administration_time")
        _check_unit(self.unit, "the study")
        _check_decay(self.decay_correction, "the study")
        matches = [given.match for given in self.time_points]
        twice = {str(match) for match in matches if matches.count(match) > 1}
        if twice:
            raise ConfigurationError(
                f"Time point {', '.join(sorted(twice))} is configured twice: join the two entries."
            )


def given_datetime(value: str | datetime | None, name: str) -> datetime | None:
    """Date and time from ISO 8601 text or a TOML date-time. Raises ConfigurationError."""
    if value is None or isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{name} = {value!r} is not a date and time: write it like 2024-05-13T09:22:00 (or with +02:00 at its end)."
        ) from error


def _check_positive(value: float | None, name: str) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ConfigurationError(f"{name} = {value}: a positive number is needed.")


def _check_unit(unit: str | None, where: str) -> None:
    if unit is not None and read_unit(unit) is None:
        raise ConfigurationError(f'unit = "{unit}" of {where}: choose "Bq/mL", "kBq/mL", "MBq/mL" or "counts".')


def _check_decay(decay_correction: str | None, where: str) -> None:
    if decay_correction is not None and decay_correction not in DECAY_REFERENCES:
        raise ConfigurationError(
            f'decay_correction = "{decay_correction}" of {where}: choose one of {", ".join(DECAY_REFERENCES)}.'
        )
