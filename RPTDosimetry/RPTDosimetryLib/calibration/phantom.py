"""A phantom of known activity → calibration factor and recovery curve."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np

from RPTDosimetryLib.calibration.camera_library import Camera
from RPTDosimetryLib.calibration.decay_in_scan import decay_in_scan_factor
from RPTDosimetryLib.calibration.phantom_file import PhantomFilling, PhantomScan
from RPTDosimetryLib.calibration.recovery import HIGHEST_RECOVERY, RecoveryCurve, fit_recovery
from RPTDosimetryLib.calibration.spheres import find_spheres, sphere_mean
from RPTDosimetryLib.errors import CalibrationError
from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.dicom_values import seconds_between
from RPTDosimetryLib.units import BQ_PER_MBQ

#: Share of all counts in the outermost layer of one side of the image from which the phantom counts as cut there.
TOUCHING_SHARE: Final = 2e-3
#: Volume above half of the level, against the volume stated.
VOLUME_DIFFERENCE: Final = 0.15
#: The curve against a sphere it is fitted to, relative: said, as a mean corrected with it is off by as much.
MISFIT: Final = 0.10
#: A quantitative image of a known activity is off by more than this: said.
TOTAL_DIFFERENCE: Final = 0.10
_FEWEST_SPHERES: Final = 3
#: σ of the Gaussian that quietens noise before a level is read.
_QUIETENED_MM: Final = 4.0


@dataclass(frozen=True)
class SphereRecovery:
    """One sphere: RC = (c_seen − c_around)/(c_filled − c_around), as means over the acquisition [Bq/mL]."""

    diameter_mm: float
    volume_ml: float
    centre_mm: Vector3
    seen_bq_per_ml: float
    filled_bq_per_ml: float
    recovery_coefficient: float


@dataclass(frozen=True)
class PhantomCalibration:
    """What a phantom scan gives. notes say what could not be derived and why.

    factor_cps_per_bq = N/(T·Ā), N all counts of the image, Ā the mean activity during the acquisition; None for an
    image already in Bq/mL. counted: N, or the total activity [Bq] such an image shows. relative_se combines the stated
    uncertainty of the activity with 1/√N; None where the former is not stated.
    """

    nuclide: str
    acquired: date
    factor_cps_per_bq: float | None
    factor_relative_se: float | None
    counted: float
    mean_activity_bq: float | None
    duration_s: float
    spheres: tuple[SphereRecovery, ...]
    curve: RecoveryCurve | None
    notes: tuple[str, ...]

    def camera(self, name: str, collimator: str, window: str, source: str) -> Camera:
        """As an entry of the library. Raises CalibrationError without a factor."""
        if self.factor_cps_per_bq is None:
            raise CalibrationError("The phantom scan is already in Bq/mL: there is no factor to keep.")
        kept = self.spheres if self.curve is not None else ()
        return Camera(
            name=name,
            nuclide=self.nuclide,
            factor_cps_per_bq=self.factor_cps_per_bq,
            calibrated=self.acquired,
            collimator=collimator,
            window=window,
            source=source,
            factor_relative_se=self.factor_relative_se,
            recovery_volumes_ml=tuple(sphere.volume_ml for sphere in kept),
            recovery_coefficients=tuple(sphere.recovery_coefficient for sphere in kept),
        )

    def answer(self) -> dict[str, Any]:
        """JSON-ready."""
        return dict(vars(self))


def calibrate_phantom(scan: PhantomScan, filling: PhantomFilling) -> PhantomCalibration:
    """Factor [cps/Bq] and recovery curve of a phantom.

    Ā = A_ref·e^(−λ(t_start − t_ref))·(1 − e^(−λT))/(λT). Counts are multiplied by the stated dead-time factor. Raises
    CalibrationError: no activity stated, the phantom reaches the edge of the field of view, a sphere outside the image
    or not found, a recovery above 1.1. With fewer than three spheres there is no curve and a note says so.
    """
    if scan.image.unit == "counts" and filling.dead_time_factor != 1.0:
        scan = replace(scan, image=scan.image.with_voxels(scan.image.voxels * np.float32(filling.dead_time_factor)))
    to_mean = _decay_to_mean(scan, filling)
    whole_mbq = filling.whole_activity_mbq()
    mean_bq = None if whole_mbq is None else whole_mbq * BQ_PER_MBQ * to_mean
    counted = float(scan.image.voxels.sum(dtype=np.float64))
    notes: list[str] = []
    factor = None
    if scan.image.unit == "counts":
        factor = _factor(scan, filling, counted, mean_bq)
    else:
        counted *= scan.image.grid.voxel_volume_ml
        notes += _quantitative_notes(counted, mean_bq)
    notes += _volume_note(scan.image, filling)
    spheres = _recoveries(_concentration(scan, factor), filling, to_mean)
    curve, curve_notes = _curve(spheres)
    return PhantomCalibration(
        nuclide=nuclide(filling.nuclide).name,
        acquired=scan.acquired.date(),
        factor_cps_per_bq=factor,
        factor_relative_se=_relative_se(filling, counted) if factor is not None else None,
        counted=counted,
        mean_activity_bq=mean_bq,
        duration_s=scan.duration_s,
        spheres=spheres,
        curve=curve,
        notes=(*notes, *curve_notes),
    )


def _decay_to_mean(scan: PhantomScan, filling: PhantomFilling) -> float:
    """Activity as the image means it (mean over the acquisition, or its start) over that at the reference time."""
    half_life_s = filling.half_life_s or nuclide(filling.nuclide).half_life_s
    decay_per_s = math.log(2.0) / half_life_s
    to_start = math.exp(-decay_per_s * seconds_between(filling.reference_time, scan.acquired))
    return to_start / decay_in_scan_factor(decay_per_s, scan.duration_s) if scan.is_mean else to_start


def _factor(scan: PhantomScan, filling: PhantomFilling, counted: float, mean_bq: float | None) -> float:
    if filling.factor_cps_per_bq is not None:
        return filling.factor_cps_per_bq
    if mean_bq is None:
        raise CalibrationError(
            "The phantom has no stated activity, so no factor can be derived: give activity_mbq (of everything in it) "
            "and its reference_time, or factor_cps_per_bq where only the spheres are to be measured."
        )
    _require_whole(scan.image)
    return counted / (scan.duration_s * mean_bq)


def _require_whole(image: Image) -> None:
    """Raise CalibrationError when the phantom reaches a side of the image: counts beyond it would be lost."""
    total = float(image.voxels.sum(dtype=np.float64))
    for axis, name in enumerate(("z", "y", "x")):
        for index, side in ((0, "first"), (-1, "last")):
            share = float(np.take(image.voxels, index, axis).sum(dtype=np.float64)) / total
            if share > TOUCHING_SHARE:
                raise CalibrationError(
                    f"The phantom reaches the edge of the field of view: the {side} layer along {name} holds "
                    f"{share:.2%} of all counts. A factor from the whole image would be too low: take a scan that "
                    "holds the whole phantom."
                )


def _concentration(scan: PhantomScan, factor: float | None) -> Image:
    """Bq/mL as a mean over the acquisition (or at its start, as the image is)."""
    if factor is None:
        return scan.image
    per_count = 1.0 / (factor * scan.duration_s * scan.image.grid.voxel_volume_ml)
    return Image(scan.image.voxels.astype(np.float64) * per_count, scan.image.grid, "Bq/mL")


def _recoveries(image: Image, filling: PhantomFilling, to_mean: float) -> tuple[SphereRecovery, ...]:
    """Raises CalibrationError for a sphere that cannot be measured or shows more than it holds."""
    around = filling.background_mbq_per_ml * BQ_PER_MBQ * to_mean
    filled = [sphere.concentration * BQ_PER_MBQ * to_mean for sphere in filling.spheres]
    centres = _centres(image, filling, filled, around)
    result = []
    for sphere, true, centre in zip(filling.spheres, filled, centres, strict=True):
        if not true > around:
            raise CalibrationError(
                f"The sphere of {sphere.diameter:g} mm is not hotter than its surroundings: RC cannot be measured."
            )
        seen = sphere_mean(image, centre, sphere.diameter)
        rc = (seen - around) / (true - around)
        if not 0 < rc <= HIGHEST_RECOVERY:
            raise CalibrationError(
                f"The sphere of {sphere.diameter:.3g} mm shows {rc:.2f} of its activity, which no blur does (0 to "
                f"{HIGHEST_RECOVERY:g}): check the activities, the factor, and that it lies where centre_mm says."
            )
        result.append(SphereRecovery(sphere.diameter, sphere.volume, centre, seen, true, rc))
    return tuple(result)


def _centres(image: Image, filling: PhantomFilling, filled: list[float], around: float) -> tuple[Vector3, ...]:
    if not filling.spheres:
        return ()
    given = [sphere.centre_mm for sphere in filling.spheres]
    told = [centre for centre in given if centre is not None]
    if len(told) == len(given):
        return tuple(told)
    if told:
        raise CalibrationError("Give centre_mm of every sphere, or of none to have them found.")
    if max(filled) > 1.01 * min(filled):
        raise CalibrationError(
            "Spheres of different concentrations cannot be told apart by the image: give centre_mm of every sphere."
        )
    return find_spheres(image, [sphere.diameter for sphere in filling.spheres], filled[0], around)


def _quantitative_notes(shown_bq: float, mean_bq: float | None) -> list[str]:
    notes = ["the scan is already in Bq/mL: no factor is derived"]
    if mean_bq is not None:
        off = shown_bq / mean_bq - 1.0
        text = f"it shows {off:+.1%} of the activity stated"
        notes.append(f"{text}: check the scanner's own calibration" if abs(off) > TOTAL_DIFFERENCE else text)
    return notes


def _volume_note(image: Image, filling: PhantomFilling) -> list[str]:
    """A phantom without spheres, evenly filled: the volume above half of its level against the one stated."""
    if filling.volume_ml is None or filling.spheres:
        return []
    from scipy.ndimage import gaussian_filter

    quiet = gaussian_filter(image.voxels, [_QUIETENED_MM / s for s in image.grid.spacing_mm[::-1]])
    level = float(np.median(image.voxels[quiet > 0.5 * quiet.max()]))
    seen_ml = float(np.count_nonzero(quiet > 0.5 * level)) * image.grid.voxel_volume_ml
    if abs(seen_ml / filling.volume_ml - 1.0) <= VOLUME_DIFFERENCE:
        return []
    return [f"the image shows {seen_ml:.0f} mL above half of its level where {filling.volume_ml:.0f} mL are stated"]


def _curve(spheres: tuple[SphereRecovery, ...]) -> tuple[RecoveryCurve | None, list[str]]:
    """The curve through the spheres, and where it misses one; or None and why."""
    if len({sphere.volume_ml for sphere in spheres}) < _FEWEST_SPHERES:
        said = "no sphere is described" if not spheres else f"{len(spheres)} described"
        return None, [f"no recovery curve: it needs at least {_FEWEST_SPHERES} spheres of different volume, {said}"]
    curve = fit_recovery([s.volume_ml for s in spheres], [s.recovery_coefficient for s in spheres])
    off = [(sphere, curve.coefficient(sphere.volume_ml) / sphere.recovery_coefficient - 1.0) for sphere in spheres]
    return curve, [
        f"the recovery curve misses the sphere of {sphere.diameter_mm:.3g} mm by {error:+.0%}: means of volumes of its "
        "size are corrected by that much too little or too much"
        for sphere, error in off
        if abs(error) > MISFIT
    ]


def _relative_se(filling: PhantomFilling, counted: float) -> float | None:
    if filling.factor_cps_per_bq is not None or filling.activity_relative_se is None:
        return None
    return math.hypot(filling.activity_relative_se, 1.0 / math.sqrt(max(counted, 1.0)))
