"""What a user chooses about the integration of activity over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from RPTDosimetryLib.errors import ConfigurationError

Weighting = Literal["none", "poisson", "relative", "standard_error"]
Tail = Literal["physical", "last_two_points", "voi_lambda"]
Start = Literal["zero", "constant"]
VoiKind = Literal["organ", "lesion", "region"]

#: Fewer replicates have no 2.5 % point.
FEWEST_REPLICATES = 100

_CHOICES = {
    "weighting": ("none", "poisson", "relative", "standard_error"),
    "tail": ("physical", "last_two_points", "voi_lambda"),
    "start": ("zero", "constant"),
}


def voi_kind(word: str) -> VoiKind:
    """The kind of VOI that a word names. Raises ConfigurationError."""
    kinds: tuple[VoiKind, ...] = get_args(VoiKind)
    for kind in kinds:
        if kind == word:
            return kind
    raise ConfigurationError(f"kind = {word!r}: choose one of {', '.join(kinds)}.")


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
    """How the map is integrated voxel by voxel (model), and how the curves of the VOIs are (voi_model).

    organ_model, lesion_model, region_model: in place of voi_model for VOIs of that kind. bootstrap: replicates of each
    VOI's curve for the uncertainty of its Ã, drawn with bootstrap_seed; 0 for none. Raises ConfigurationError.
    """

    model: str = "auto"
    voi_model: str = "auto"
    organ_model: str | None = None
    lesion_model: str | None = None
    region_model: str | None = None
    bootstrap: int = 0
    bootstrap_seed: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bootstrap and self.bootstrap < FEWEST_REPLICATES:
            raise ConfigurationError(
                f"bootstrap = {self.bootstrap}: 0 for none, or at least {FEWEST_REPLICATES} replicates, whose 2.5 and "
                "97.5 % points can be told."
            )

    def model_for(self, kind: VoiKind) -> str:
        """The model for VOIs of a kind: its own, or voi_model."""
        own = {"organ": self.organ_model, "lesion": self.lesion_model, "region": self.region_model}[kind]
        return self.voi_model if own is None else own
