"""What a series of images must be before it is integrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from RPTDosimetryLib.errors import KineticsError, VoiError
from RPTDosimetryLib.grid import require_same_grid
from RPTDosimetryLib.records import ActivitySeries, Voi
from RPTDosimetryLib.tia.checks import check_times
from RPTDosimetryLib.tia.quantity import ACTIVITY, Quantity
from RPTDosimetryLib.units import S_PER_H


def checked_series(series: ActivitySeries, quantity: Quantity = ACTIVITY) -> tuple[ActivitySeries, tuple[str, ...]]:
    """The series in order of time, with warnings.

    Raises KineticsError: no image, another number of times, another unit, NaN or negative values, two scans at one
    time, a scan before the administration, zero everywhere; GridMismatchError: images on different grids.
    """
    time_s = np.atleast_1d(np.asarray(series.time_s, dtype=np.float64))
    if not series.activities or time_s.shape != (len(series.activities),):
        raise KineticsError(
            f"{len(series.activities)} {quantity.name} images and {time_s.size} scan times: one time for each image is "
            "needed."
        )
    order = check_times(time_s, series.lambda_phys_per_s)
    highest = 0.0
    for i, (image, t) in enumerate(zip(series.activities, time_s, strict=True)):
        where = f"Time point {i + 1} ({t / S_PER_H:.4g} h)"
        if image.unit != quantity.unit:
            raise KineticsError(f"{where} is in {image.unit!r}: {quantity.remedy}.")
        require_same_grid(series.activities[0].grid, image.grid, f"{where} against time point 1")
        low, high = float(image.voxels.min()), float(image.voxels.max())  # NaN comes through both
        if not (np.isfinite(low) and np.isfinite(high)):
            raise KineticsError(f"{where} holds NaN or infinite voxels. Repair the image first.")
        if low < 0:
            count = int(np.count_nonzero(image.voxels < 0))
            raise KineticsError(
                f"{where} holds {count} voxels with negative {quantity.name} (lowest {low:.4g} {quantity.unit}). Set "
                "them to zero where they come from interpolation, or repair the image."
            )
        highest = max(highest, high)
    if not highest > 0:
        raise KineticsError(
            f"The {quantity.name} is zero in every voxel of every time point: there is nothing to integrate."
        )
    ordered = replace(series, time_s=time_s[order], activities=tuple(series.activities[i] for i in order))
    said = () if np.all(np.diff(order) > 0) else ("The time points were not in order of time; they were sorted.",)
    return ordered, said


def check_vois(series: ActivitySeries, vois: Sequence[Voi]) -> None:
    """Raise GridMismatchError for a VOI on another grid, VoiError for an empty one or two of one name."""
    names = [voi.name for voi in vois]
    for voi in vois:
        require_same_grid(series.activities[0].grid, voi.grid, f"VOI {voi.name} against the activity images")
        if not voi.mask.any():
            raise VoiError(f"The VOI {voi.name} is empty on the activity grid: draw it again or leave it out.")
        if names.count(voi.name) > 1:
            raise VoiError(f"Two VOIs are called {voi.name}: give them different names.")
