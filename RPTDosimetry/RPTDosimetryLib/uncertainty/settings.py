"""What is known of the uncertainty of the measurements: the [uncertainty] part of the configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from RPTDosimetryLib.errors import ConfigurationError

#: Read by pydantic when a configuration file is checked: a mistyped key is an error.
_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class UncertaintySettings:
    """Resolutions [mm] and relative standard uncertainties (1 σ, as fractions); None: not known, and said so.

    organ_fwhm_mm: of the images on which organs are outlined (of a CT about 1 mm); lesion_fwhm_mm: on which lesions
    are. spect_fwhm_mm: of the reconstructed SPECT. calibration: of the factor (else the camera's). density: of the mass
    at a given volume. engine: of the dose engine itself. s_exponent: c in S ∝ m^(−c). Raises ConfigurationError.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    organ_fwhm_mm: float | None = None
    lesion_fwhm_mm: float | None = None
    spect_fwhm_mm: float | None = None
    calibration: float | None = None
    density: float | None = None
    engine: float | None = None
    s_exponent: float = 1.0

    def __post_init__(self) -> None:
        for known in fields(self):
            value = getattr(self, known.name)
            if value is not None and not 0 <= value < math.inf:
                raise ConfigurationError(f"uncertainty.{known.name} = {value}: a number of 0 or more is needed.")
        for name in ("calibration", "density", "engine"):
            value = getattr(self, name)
            if value is not None and value >= 1:
                raise ConfigurationError(f"uncertainty.{name} = {value}: a fraction is needed, 0.05 for 5 %.")

    def outline_fwhm_mm(self, kind: str) -> float | None:
        """Resolution of the images that a volume of this kind is outlined on."""
        return self.lesion_fwhm_mm if kind == "lesion" else self.organ_fwhm_mm
