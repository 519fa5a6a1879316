"""The choices of calibration: the [calibration] part of the configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from RPTDosimetryLib.calibration.camera_library import DeadTimeRate, camera
from RPTDosimetryLib.calibration.recovery import RecoveryCurve, fit_recovery
from RPTDosimetryLib.errors import CalibrationError, ConfigurationError
from RPTDosimetryLib.study.nuclide_names import canonical_nuclide

#: Read by pydantic when a configuration file is checked: a mistyped key is an error.
_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class TimePointCalibration:
    """What holds for one time point alone.

    match: its number in order of acquisition, from 1, as ``inspect`` lists them (before beds are joined), or the name
    of its file or folder. observed_cps: mean count rate [1/s] of one detector head over the acquisition, of the events
    that dead_time_acts_on names; a reconstructed image does not tell it. dead_time_factor: true over observed counts
    (≥ 1), where it is known directly. factor_cps_per_bq: in place of the study's.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    match: int | str
    observed_cps: float | None = None
    dead_time_factor: float | None = None
    factor_cps_per_bq: float | None = None

    def __post_init__(self) -> None:
        where = f"calibration.time_points, match {self.match}"
        if isinstance(self.match, int) and self.match < 1:
            raise ConfigurationError(f"match = {self.match}: time points are numbered from 1.")
        _require_positive(self.observed_cps, f"observed_cps of {where}")
        _require_positive(self.factor_cps_per_bq, f"factor_cps_per_bq of {where}")
        if self.dead_time_factor is not None and not 1 <= self.dead_time_factor < math.inf:
            raise ConfigurationError(
                f"dead_time_factor = {self.dead_time_factor} of {where}: true over observed counts is 1 or more."
            )
        if self.observed_cps is not None and self.dead_time_factor is not None:
            raise ConfigurationError(f"{where}: give observed_cps or dead_time_factor, not both.")


@dataclass(frozen=True)
class CalibrationSettings:
    """How counts become Bq/mL.

    camera: a name in the library, whose factor, dead time and spheres count where none are given here.
    factor_cps_per_bq: counts per second of the whole reconstructed image per Bq; factor_source: where it comes from;
    factor_relative_se: its 1 σ as a fraction, where known.
    dead_time_s: paralyzable τ of one detector head; dead_time_acts_on: the rate that τ and observed_cps mean.
    decay_during_scan: "counts" brings counts from the mean over the acquisition to its start, "all" does so with images
    already in Bq/mL whose decay correction is NONE, "off" with neither. recovery: show VOI means also corrected, where
    a curve is known; recovery_volumes_ml, recovery_coefficients: the spheres it is fitted to.
    Raises ConfigurationError.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    camera: str | None = None
    factor_cps_per_bq: float | None = None
    factor_source: str = ""
    factor_relative_se: float | None = None
    dead_time_s: float | None = None
    dead_time_acts_on: DeadTimeRate | None = None
    decay_during_scan: Literal["counts", "all", "off"] = "counts"
    recovery: bool = True
    recovery_volumes_ml: tuple[float, ...] = ()
    recovery_coefficients: tuple[float, ...] = ()
    time_points: tuple[TimePointCalibration, ...] = ()

    def __post_init__(self) -> None:
        _require_positive(self.factor_cps_per_bq, "calibration.factor_cps_per_bq")
        if self.factor_relative_se is not None and not 0 <= self.factor_relative_se < 1:
            raise ConfigurationError(
                f"calibration.factor_relative_se = {self.factor_relative_se}: a fraction is needed, 0.05 for 5 %."
            )
        if self.dead_time_s is not None and not 0 <= self.dead_time_s < 1:
            raise ConfigurationError(
                f"calibration.dead_time_s = {self.dead_time_s}: seconds are wanted, usually some 1e-6; 0 for none."
            )
        if self.dead_time_s and self.dead_time_acts_on is None:
            raise ConfigurationError(
                "calibration.dead_time_s needs dead_time_acts_on: photopeak window or whole spectrum, the count rate "
                "it was measured with. The two differ several times."
            )
        if self.decay_during_scan not in ("counts", "all", "off"):
            raise ConfigurationError(
                f'calibration.decay_during_scan = "{self.decay_during_scan}": choose counts, all or off.'
            )
        matches = [given.match for given in self.time_points]
        twice = {str(match) for match in matches if matches.count(match) > 1}
        if twice:
            raise ConfigurationError(f"Time point {', '.join(sorted(twice))} is calibrated twice: join the entries.")
        try:
            self._own_curve()
        except CalibrationError as error:
            raise ConfigurationError(f"calibration.recovery_volumes_ml: {error}") from error

    def recovery_curve(self) -> RecoveryCurve | None:
        """The curve for VOI means: through the spheres given here, otherwise the camera's; None without either.

        Raises CalibrationError for a camera that is not in the library.
        """
        if not self.recovery:
            return None
        own = self._own_curve()
        return own if own is not None or self.camera is None else camera(self.camera).recovery_curve()

    def _own_curve(self) -> RecoveryCurve | None:
        if not self.recovery_volumes_ml and not self.recovery_coefficients:
            return None
        return fit_recovery(list(self.recovery_volumes_ml), list(self.recovery_coefficients), self.factor_source)


def with_camera(settings: CalibrationSettings, nuclide: str | None) -> CalibrationSettings:
    """The settings with the camera's values written out and its name only in factor_source: what a record must keep.

    Raises CalibrationError when the camera is not in the library or is calibrated for another nuclide.
    """
    if settings.camera is None:
        return settings
    known = camera(settings.camera)
    if nuclide is not None and (canonical_nuclide(known.nuclide) or known.nuclide) != nuclide:
        raise CalibrationError(
            f"Camera {known.name} is calibrated for {known.nuclide}, the study is {nuclide}: choose another camera in "
            "[calibration], or calibrate this one for it."
        )
    told = f"camera {known.name}, {known.collimator}, {known.window}, calibrated {known.calibrated.isoformat()}"
    own_factor = settings.factor_cps_per_bq is not None
    own_dead_time = settings.dead_time_s is not None
    own_spheres = bool(settings.recovery_volumes_ml)
    own_se = own_factor or settings.factor_relative_se is not None
    source = settings.factor_source or f"given in place of {known.factor_cps_per_bq:g} of {told}"
    return replace(
        settings,
        camera=None,
        factor_cps_per_bq=settings.factor_cps_per_bq if own_factor else known.factor_cps_per_bq,
        factor_source=source if own_factor else told,
        factor_relative_se=settings.factor_relative_se if own_se else known.factor_relative_se,
        dead_time_s=settings.dead_time_s if own_dead_time else known.dead_time_s,
        dead_time_acts_on=settings.dead_time_acts_on if own_dead_time else known.dead_time_acts_on,
        recovery_volumes_ml=settings.recovery_volumes_ml if own_spheres else known.recovery_volumes_ml,
        recovery_coefficients=settings.recovery_coefficients if own_spheres else known.recovery_coefficients,
    )


def _require_positive(value: float | None, name: str) -> None:
    if value is not None and not 0 < value < math.inf:
        raise ConfigurationError(f"{name} = {value}: a positive number is needed.")
