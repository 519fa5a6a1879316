"""What each time point held before and after calibration, against the most that can be left of the administration."""

from __future__ import annotations

import math
from dataclasses import dataclass

from RPTDosimetryLib.records import Study
from RPTDosimetryLib.study.total_activity import stored_total, total_activity_bq


@dataclass(frozen=True)
class CalibratedTotal:
    """One time point. before: Σ value of its files as they were [before_unit: counts, or Bq]; beds are summed.

    expected_bq = A0·e^(−λt), an upper limit: what was excreted is gone, and what lies outside the image is not seen.
    """

    number: int
    time_s: float | None
    before: float
    before_unit: str
    total_activity_bq: float
    expected_bq: float | None
    ratio: float | None
    calibration: str


def calibrated_totals(before: Study, after: Study, lambda_phys_per_s: float) -> tuple[CalibratedTotal, ...]:
    """A row for each time point of ``after``; the parts of a joined one are found by their files."""
    administered_bq = after.administration.administered_activity_bq
    rows = []
    for number, point in enumerate(after.time_points, start=1):
        parts = [part for part in before.time_points if set(part.files) <= set(point.files)] if point.files else []
        parts = parts or [before.time_points[number - 1]]
        unit = parts[0].spect.unit
        sums = [stored_total(p) / (1.0 if unit == "Bq/mL" else p.spect.grid.voxel_volume_ml) for p in parts]
        total_bq = total_activity_bq(point)
        expected = None
        if administered_bq is not None and point.time_s is not None:
            expected = administered_bq * math.exp(-lambda_phys_per_s * point.time_s)
        rows.append(
            CalibratedTotal(
                number=number,
                time_s=point.time_s,
                before=sum(sums),
                before_unit="Bq" if unit == "Bq/mL" else unit,
                total_activity_bq=total_bq,
                expected_bq=expected,
                ratio=None if not expected else total_bq / expected,
                calibration=point.calibration,
            )
        )
    return tuple(rows)
