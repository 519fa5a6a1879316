"""Absorbed dose rate at each time point, and dose as its integral over time instead of that of the activity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose
from RPTDosimetryLib.errors import DoseError
from RPTDosimetryLib.records import (
    ActivitySeries,
    Cancelled,
    DoseMap,
    DoseRateMap,
    DoseRateSeries,
    Image,
    PatientMap,
    Progress,
    TiaMap,
    Voi,
    never,
    part_of,
    silent,
)
from RPTDosimetryLib.tia.integrate import integrate
from RPTDosimetryLib.tia.quantity import DOSE_RATE
from RPTDosimetryLib.tia.series_checks import checked_series
from RPTDosimetryLib.tia.settings import TiaSettings
from RPTDosimetryLib.units import S_PER_H

#: Each time point is a simulation of its own, with an error of its own.
NO_ERROR_OF_INTEGRAL: Final = (
    "The statistical errors of the Monte Carlo dose rates are not carried over to their integral: integrate the "
    "activity to have the error of the dose."
)


def dose_rate(
    activity: Image,
    patient: PatientMap,
    nuclide: str,
    settings: DoseSettings,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> DoseRateMap:
    """Ḋ [Gy/s] of the activity concentration of one time point [Bq/mL]; air voxels 0 Gy/s.

    Engines are linear: the dose of A·V·1 s decays [Bq·s] is the dose rate of A. Raises DoseError (another unit, no
    activity, what compute_dose refuses), GridMismatchError, PhysicsDataError, CancelledError.
    """
    if activity.unit != "Bq/mL":
        raise DoseError(
            f"The activity image is in {activity.unit!r}: a dose rate needs activity at scan time in Bq/mL."
        )
    if not activity.voxels.any():
        raise DoseError("The activity image is zero everywhere: no activity, no dose rate. Leave the time point out.")
    in_one_second = activity.voxels * np.float32(activity.grid.voxel_volume_ml)
    decays = TiaMap(activity.with_voxels(in_one_second.astype(np.float32, copy=False), "Bq·s"), "one second", 0.0)
    dose = compute_dose(decays, patient, nuclide, settings, progress, cancelled)
    image = dose.image.with_voxels(dose.image.voxels, "Gy/s")
    return DoseRateMap(image, dose.engine, dose.method, nuclide, dose.warnings, dose.parameters)


def dose_rates(
    series: ActivitySeries,
    patient: PatientMap,
    settings: DoseSettings,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> DoseRateSeries:
    """The dose rate map of every time point, in order of time.

    Raises what dose_rate raises, naming the time point, and KineticsError for a series that cannot be integrated.
    """
    ordered, _ = checked_series(series)
    if settings.monte_carlo.checkpoint is not None:
        raise DoseError("A checkpoint holds one simulation, dose rates are one a time point: leave it out.")
    count = len(ordered.activities)
    rates = []
    for number, (activity, time_s) in enumerate(zip(ordered.activities, ordered.time_s, strict=True), start=1):
        name = f"Time point {number} ({time_s / S_PER_H:.4g} h)"
        step = part_of(progress, (number - 1) / count, number / count)
        try:
            rates.append(dose_rate(activity, patient, ordered.nuclide, settings, step, cancelled))
        except DoseError as error:
            raise DoseError(f"{name}: {error}") from error
    return DoseRateSeries(tuple(rates), ordered.time_s, ordered.nuclide, ordered.lambda_phys_per_s)


def integrate_dose_rate(
    series: DoseRateSeries,
    vois: Sequence[Voi],
    settings: TiaSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> DoseMap:
    """D = ∫_0^∞ Ḋ(t) dt [Gy] voxel by voxel, with the kinetic model that the settings name for the map.

    Equal to the dose of the integrated activity where the model is linear in the scans with the same coefficients in
    every voxel (kim, trapezoid with physical or given tail, mansouri and madsen with a given half-life); elsewhere the
    half-life of a voxel's dose rate is that of all activity that reaches it (docs/manual/dose.md). Raises as integrate.
    """
    # The kinetic core asks of a series for nothing but images, times and decay; the quantity says what they are of.
    images = tuple(rate.image for rate in series.rates)
    of_rates = ActivitySeries(images, series.time_s, series.nuclide, series.lambda_phys_per_s)
    total = integrate(of_rates, vois, settings, progress, cancelled, DOSE_RATE)
    first = series.rates[0]
    hours = ", ".join(f"{t / S_PER_H:.4g}" for t in series.time_s)
    method = (
        f"Absorbed dose rate at {hours} h integrated over time voxel by voxel ({total.model}; "
        f"{100 * total.extrapolated_fraction:.1f} % after the last scan). Dose rate: {first.method}"
    )
    told = dict.fromkeys(text for rate in series.rates for text in rate.warnings)
    if first.engine == "monte_carlo":
        told[NO_ERROR_OF_INTEGRAL] = None
    parameters = {
        **first.parameters,
        "integrated": "absorbed dose rate",
        "model": total.model,
        "extrapolated_fraction": total.extrapolated_fraction,
        "kinetics": dict(total.parameters),
    }
    return DoseMap(
        total.image, first.engine, method, series.nuclide, warnings=(*told, *total.warnings), parameters=parameters
    )
