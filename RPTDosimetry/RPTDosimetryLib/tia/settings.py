"""What a user chooses about the integration of activity over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from RPTDosimetryLib.errors import ConfigurationError

Weighting = Literal["none", "poisson", "relative", "standard_error"]
Tail = Literal["physical", "last_two_points", "voi_lambda"]
Start = Literal["zero", "constant"]
VoiKind = Literal["organ", "lesion", "region"]

_CHOICES = {
    "weighting": ("none", "poisson", "relative", "standard_error"),
    "tail": ("physical", "last_two_points", "voi_lambda"),
    "start": ("zero", "constant"),
}


@dataclass(frozen=True)
class FitSettings:
    """How one curve is fitted and integrated.

    weighting: variance of a scan's activity A taken as constant (none), ∝ A (poisson), ∝ A² (relative), or as given
    with the curve (standard_error). tail and start belong to the trapezoid: how activity goes on after the last scan,
    and whether it rises linearly from 0 before the first one ("zero") or is already there ("constant").
    tail_half_life_h: effective half-life of the tail where the VOI's own is asked for (tail "voi_lambda", mansouri).
    population_half_life_h: the effective half-life that Madsen's single-time-point method takes from a population;
    population_half_life_se_h its standard error. scan_time_h: the scan that a single-time-point method uses.
    Raises ConfigurationError for a choice that does not exist or a half-life that is not positive.
    """

    weighting: Weighting = "none"
    tail: Tail = "physical"
    start: Start = "zero"
    tail_half_life_h: float | None = None
    population_half_life_h: float | None = None
    population_half_life_se_h: float | None = None
    scan_time_h: float | None = None

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigurationError(f"{name} = {getattr(self, name)!r}: choose one of {', '.join(choices)}.")
        for name in ("tail_half_life_h", "population_half_life_h", "population_half_life_se_h", "scan_time_h"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"{name} = {value!r}: a positive number of hours is needed.")


@dataclass(frozen=True)
class TiaSettings(FitSettings):
    """How the map is integrated voxel by voxel (model), and how the curves of the VOIs are (voi_model)."""

    model: str = "auto"
    voi_model: str = "auto"
