"""Checks between administered and imaged activity, before anything is integrated."""

from __future__ import annotations

import math

from RPTDosimetryLib.errors import CalibrationError
from RPTDosimetryLib.records import Study, TimePoint
from RPTDosimetryLib.study.total_activity import total_activity_bq
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H

#: Imaged activity may exceed A0·e^(−λt) by this before it is an error: calibration of SPECT carries about 5 %
#: (EANM 2018, doi 10.1007/s00259-018-4136-7, calibration factor uncertainty), taken at two standard deviations.
ALLOWED_EXCESS = 0.10


def require_consistent_activity(study: Study, lambda_phys_per_s: float) -> tuple[str, ...]:
    """Compare each time point's Σ c·V [Bq] with A0·e^(−λ_phys·t), the most that can be left in the patient.

    Returns a line for each time point above that limit but within ALLOWED_EXCESS. Raises CalibrationError for counts,
    no activity at all, and more activity than the limit and its allowance.
    """
    administered_bq = study.administration.administered_activity_bq
    if administered_bq is None:
        raise CalibrationError("The administered activity is not known: give administered_activity_mbq in [study].")
    notes = []
    for number, point in enumerate(study.time_points, start=1):
        total_bq = _total_activity_bq(point, number)
        if point.time_s is None:
            raise CalibrationError(f"Time point {number} has no time: give its time_h in [[study.time_points]].")
        limit_bq = administered_bq * math.exp(-lambda_phys_per_s * point.time_s)
        excess = total_bq / limit_bq - 1
        found = (
            f"Time point {number} ({point.time_s / S_PER_H:.2f} h) holds {total_bq / BQ_PER_MBQ:.1f} MBq, {excess:.1%} "
            f"above the {limit_bq / BQ_PER_MBQ:.1f} MBq that physical decay leaves of the administered activity"
        )
        if excess > ALLOWED_EXCESS:
            raise CalibrationError(
                f"{found}. Check the administered activity, the calibration factor and the decay correction of the "
                "images."
            )
        if excess > 0:
            notes.append(f"{found}: within the {ALLOWED_EXCESS:.0%} allowed for calibration.")
    return tuple(notes)


def _total_activity_bq(point: TimePoint, number: int) -> float:
    if point.spect.unit != "Bq/mL":
        raise CalibrationError(
            f"Time point {number} is in {point.spect.unit}, not Bq/mL: set unit in [[study.time_points]] if the images "
            "are quantitative; counts need a calibration factor."
        )
    total_bq = total_activity_bq(point)
    if not total_bq > 0:
        raise CalibrationError(f"Time point {number} holds no activity: check that it is the reconstructed image.")
    return total_bq
