"""What is assumed of tissues: α/β, repair half-time, volume effect and limits, each with its source; all editable."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.records import Voi
from RPTDosimetryLib.vois.names import canonical_name

#: Read by pydantic when a configuration file is checked: a mistyped key is an error.
_STRICT = {"extra": "forbid"}
#: The name under which all lesions are looked up.
TUMOUR: Final = "tumour"
#: And that of whatever part of the marrow was drawn ("vertebral_marrow", "red marrow").
MARROW: Final = "bone marrow"


@dataclass(frozen=True)
class Tissue:
    """α/β [Gy] and half-time of sublethal repair [h] of an organ (any known spelling, without side), or of "tumour".

    geud_a: exponent of the generalised EUD, with its own source; None for no gEUD. Raises ConfigurationError.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    organ: str
    alpha_beta_gy: float
    repair_half_life_h: float
    source: str
    geud_a: float | None = None
    geud_source: str = ""

    def __post_init__(self) -> None:
        for name in ("alpha_beta_gy", "repair_half_life_h"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigurationError(f"{name} of {self.organ}: a positive number is needed.")
        if not self.source.strip():
            raise ConfigurationError(
                f"α/β and repair half-time of {self.organ} need a source: say where they are from."
            )
        if self.geud_a is not None and (self.geud_a == 0 or not self.geud_source.strip()):
            raise ConfigurationError(f"geud_a of {self.organ}: a number other than 0 is needed, and its geud_source.")


@dataclass(frozen=True)
class Limit:
    """A planning limit of an organ over all cycles [Gy], as absorbed dose or as BED. note: what it rests on.

    Raises ConfigurationError.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    organ: str
    quantity: Literal["absorbed dose", "BED"]
    limit_gy: float
    source: str
    note: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.limit_gy < math.inf:
            raise ConfigurationError(f"The limit of {self.organ} is {self.limit_gy} Gy: a positive number is needed.")
        if not self.source.strip():
            raise ConfigurationError(f"The limit of {self.organ} needs a source: say where it is from.")


_CREMONESI = "Cremonesi 2014, doi 10.3389/fonc.2014.00210 (Y-90 in liver)"
_BURMAN = "1/n of Burman 1991, doi 10.1016/0360-3016(91)90172-Z (external beam)"
_EMAMI = "Emami 1991, doi 10.1016/0360-3016(91)90171-Y"
_EXTERNAL = "external beam, 2 Gy a fraction"

TISSUES: Final = (
    Tissue("kidney", 2.6, 2.8, "Barone 2005, J Nucl Med 46 Suppl 1:99S (Y-90 DOTATOC)", 1.43, _BURMAN),
    Tissue("liver", 2.5, 2.5, _CREMONESI, 3.13, _BURMAN),
    Tissue(TUMOUR, 10.0, 1.5, _CREMONESI),
)
LIMITS: Final = (
    Limit("kidney", "absorbed dose", 23.0, _EMAMI, f"5 % in 5 years, {_EXTERNAL}"),
    Limit("kidney", "absorbed dose", 28.0, _EMAMI, f"50 % in 5 years, {_EXTERNAL}"),
    Limit("kidney", "BED", 40.0, "Bodei 2008, doi 10.1007/s00259-008-0778-1", "patients without risk factors"),
    Limit("bone marrow", "absorbed dose", 2.0, "Benua 1962, Am J Roentgenol 87:171", "found for blood after I-131"),
    Limit("liver", "absorbed dose", 30.0, _EMAMI, f"whole organ, 5 % in 5 years, {_EXTERNAL}"),
    Limit("lung", "absorbed dose", 17.5, _EMAMI, f"whole organ, 5 % in 5 years, {_EXTERNAL}"),
)


@dataclass(frozen=True)
class RadiobiologySettings:
    """dose: what is weighted and held against limits, the mean as imaged or the one corrected by recovery.

    tissues: an organ that is not among them gets no BED. Raises ConfigurationError for an organ that is there twice.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    dose: Literal["as_imaged", "recovered"] = "as_imaged"
    tissues: tuple[Tissue, ...] = TISSUES
    limits: tuple[Limit, ...] = LIMITS

    def __post_init__(self) -> None:
        names = [_organ(tissue.organ) for tissue in self.tissues]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigurationError(f"radiobiology.tissues: {', '.join(twice)} stands there twice; keep one.")
        if self.dose not in ("as_imaged", "recovered"):
            raise ConfigurationError(f"radiobiology.dose = {self.dose!r}: choose as_imaged or recovered.")


def organ_of(name: str, kind: str = "organ") -> str:
    """What a volume is looked up by: "tumour" for lesions, else its canonical name without side."""
    return TUMOUR if kind == "lesion" else _organ(name)


def tissue_of(voi: Voi, tissues: Sequence[Tissue]) -> Tissue | None:
    """The entry of a volume, None where there is none."""
    wanted = organ_of(voi.name, voi.kind)
    return next((tissue for tissue in tissues if _organ(tissue.organ) == wanted), None)


def limits_of(voi: Voi, limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """The limits of a volume; each of a pair is held against the whole limit."""
    wanted = organ_of(voi.name, voi.kind)
    return tuple(limit for limit in limits if _organ(limit.organ) == wanted)


def _organ(name: str) -> str:
    if name.strip().lower() in ("tumour", "tumor", "lesion"):
        return TUMOUR
    if "marrow" in re.split(r"[^a-z]+", name.lower()):
        return MARROW
    return canonical_name(name).removeprefix("left ").removeprefix("right ").strip().lower()
