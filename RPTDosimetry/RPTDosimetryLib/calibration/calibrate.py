"""From counts to activity concentration at the start of each acquisition."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from RPTDosimetryLib.calibration.dead_time import dead_time_factor
from RPTDosimetryLib.calibration.decay_in_scan import decay_in_scan_factor
from RPTDosimetryLib.calibration.settings import CalibrationSettings, TimePointCalibration, with_camera
from RPTDosimetryLib.errors import CalibrationError, CancelledError, ConfigurationError
from RPTDosimetryLib.records import Cancelled, Image, Progress, Study, TimePoint, never, silent
from RPTDosimetryLib.study.complete import DECAY_CORRECTION, DURATION, KEYS, is_at_scan_time

_NONE: Final = "NONE"


@dataclass(frozen=True)
class _Case:
    """One time point with all that its calibration needs."""

    point: TimePoint
    number: int
    settings: CalibrationSettings
    own: TimePointCalibration
    lambda_phys_per_s: float


def calibrate(
    study: Study,
    settings: CalibrationSettings,
    lambda_phys_per_s: float,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> Study:
    """Every time point in Bq/mL; TimePoint.calibration says in one line what was done.

    Counts N of a voxel: c = N/(CF·T·V) · dead-time factor · λT/(1 − e^(−λT)) [Bq/mL] at acquisition start, with CF the
    factor [cps/Bq], T the duration [s], V the voxel volume [mL]. The last factor only where the decay correction is
    NONE (the values are a mean over the acquisition); START and ADMIN already refer to its start. Images already in
    Bq/mL pass unchanged unless decay_during_scan is "all". Raises CalibrationError, naming the time point and the
    setting, when counts lack a factor, a duration, a decay reference or a count rate; ConfigurationError when an entry
    fits no time point; CancelledError.
    """
    chosen = with_camera(settings, study.administration.nuclide)
    own = _matched(study, chosen)
    points = []
    for number, point in enumerate(study.time_points, start=1):
        if cancelled():
            raise CancelledError("Calibration was stopped.")
        progress((number - 1) / len(study.time_points), f"Calibrating time point {number} of {len(study.time_points)}")
        case = _Case(point, number, chosen, own.get(number, TimePointCalibration(number)), lambda_phys_per_s)
        points.append(_calibrated(case))
    progress(1.0, "Time points calibrated")
    return replace(study, time_points=tuple(points))


def _calibrated(case: _Case) -> TimePoint:
    unit = case.point.spect.unit
    if unit == "Bq/mL":
        return _quantitative(case)
    if unit != "counts":
        raise CalibrationError(
            f"Time point {case.number} has no known unit: give {KEYS['unit']}, Bq/mL (quantitative) or counts."
        )
    return _from_counts(case)


def _quantitative(case: _Case) -> TimePoint:
    """The time point as it is, or brought from its mean to its start where the user asks for that."""
    point = case.point
    told = f"already quantitative, unchanged ({point.calibration})" if point.calibration else "already quantitative"
    if not _is_mean(point) or point.duration_s is None:
        return replace(point, calibration=told if point.calibration else f"{told}: Bq/mL unchanged")
    factor = decay_in_scan_factor(case.lambda_phys_per_s, point.duration_s)
    if case.settings.decay_during_scan == "all":
        text = f"already quantitative: mean over {point.duration_s:g} s brought to its start (×{factor:.6f})"
        return _scaled(point, factor, text, f"decay during the acquisition corrected (factor {factor:.6f})")
    if point.calibration:
        return replace(point, calibration=told)
    text = f"{told}: Bq/mL unchanged; if they are means over {point.duration_s:g} s, activity at the start is"
    return replace(point, calibration=f"{text} {factor - 1:.2%} higher")


def _from_counts(case: _Case) -> TimePoint:
    point, settings = case.point, case.settings
    factor = case.own.factor_cps_per_bq or settings.factor_cps_per_bq
    if factor is None:
        raise CalibrationError(
            f"Time point {case.number} is in counts and has no calibration factor: give factor_cps_per_bq or camera in "
            '[calibration], or set unit = "Bq/mL" in [study] if the images are quantitative.'
        )
    if point.duration_s is None:
        raise CalibrationError(
            f"Time point {case.number} is in counts and its {DURATION} is not known: give {KEYS[DURATION]}."
        )
    if not is_at_scan_time(point):
        raise CalibrationError(
            f"Time point {case.number} is in counts and its decay correction is {point.decay_correction}: give "
            f"{KEYS[DECAY_CORRECTION]}; NONE for counts as acquired."
        )
    source = "calibration.time_points" if case.own.factor_cps_per_bq else settings.factor_source or "given"
    lost, lost_text = _dead_time(case)
    decay, decay_text = _decay(case, point.duration_s)
    per_count = lost * decay / (factor * point.duration_s * point.spect.grid.voxel_volume_ml)
    text = f"counts to Bq/mL: {factor:g} cps/Bq ({source}), {point.duration_s:g} s; {lost_text}; {decay_text}"
    undone = f"decay during the acquisition corrected (factor {decay:.6f})" if decay != 1.0 else ""
    return _scaled(point, per_count, text, undone)


def _dead_time(case: _Case) -> tuple[float, str]:
    """Factor and its text. τ without a count rate is an error: the image's own counts are not the detector's rate."""
    own, tau_s = case.own, case.settings.dead_time_s
    if own.dead_time_factor is not None:
        return own.dead_time_factor, f"dead time ×{own.dead_time_factor:.6f} (given)"
    if not tau_s:
        return 1.0, "dead time not corrected (none given)" if tau_s is None else "dead time not corrected (0 s)"
    if own.observed_cps is None:
        raise CalibrationError(
            f"Time point {case.number}: a dead time of {tau_s:g} s needs the count rate that a detector head observed "
            f"({case.settings.dead_time_acts_on}), which the reconstructed image does not tell: give observed_cps or "
            "dead_time_factor in [[calibration.time_points]], or dead_time_s = 0 to leave dead time out."
        )
    factor = dead_time_factor(own.observed_cps, tau_s)
    rate = f"{own.observed_cps:g} counts/s observed, {case.settings.dead_time_acts_on}"
    return factor, f"dead time ×{factor:.6f} (paralyzable, {tau_s:g} s, {rate})"


def _decay(case: _Case, duration_s: float) -> tuple[float, str]:
    if not _is_mean(case.point):
        return 1.0, "values already refer to acquisition start"
    if case.settings.decay_during_scan == "off":
        return 1.0, "decay during the scan not corrected (off)"
    factor = decay_in_scan_factor(case.lambda_phys_per_s, duration_s)
    return factor, f"decay during the scan ×{factor:.6f}"


def _is_mean(point: TimePoint) -> bool:
    """True when the values are a mean over the acquisition; see study.decay for the texts."""
    return point.decay_correction.startswith(_NONE)


def _scaled(point: TimePoint, factor: float, calibration: str, decay_text: str) -> TimePoint:
    voxels = (point.spect.voxels.astype(np.float64) * factor).astype(np.float32)
    return replace(
        point,
        spect=Image(voxels, point.spect.grid, "Bq/mL"),
        calibration=calibration,
        decay_correction=f"START: {decay_text}" if decay_text else point.decay_correction,
    )


def _matched(study: Study, settings: CalibrationSettings) -> dict[int, TimePointCalibration]:
    """Number of each time point → its entry. Raises ConfigurationError when a match fits none or several."""
    result: dict[int, TimePointCalibration] = {}
    for entry in settings.time_points:
        numbers = [
            number
            for number, point in enumerate(study.time_points, start=1)
            if entry.match == number or (isinstance(entry.match, str) and entry.match.lower() in _names(point))
        ]
        if len(numbers) != 1 or numbers[0] in result:
            raise ConfigurationError(
                f"calibration.time_points: match = {entry.match!r} fits {len(numbers)} of the {len(study.time_points)} "
                "time points (each may be named once). Give its number in order of acquisition."
            )
        result[numbers[0]] = entry
    return result


def _names(point: TimePoint) -> set[str]:
    """File names, without their ending too, and folder names."""
    return {name.lower() for file in point.files for name in (file.name, file.stem, file.parent.name)}
