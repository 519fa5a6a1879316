"""Checks between administered and imaged activity, before anything is integrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from RPTDosimetryLib.calibration.activity_table import CalibratedTotal, calibrated_totals
from RPTDosimetryLib.errors import CalibrationError
from RPTDosimetryLib.records import Study, TimePoint
from RPTDosimetryLib.study.total_activity import total_activity_bq
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H

#: Imaged activity may exceed A0·e^(−λt) by this before it is an error: calibration of SPECT carries about 5 %
#: (EANM 2018, doi 10.1007/s00259-018-4136-7, calibration factor uncertainty), taken at two standard deviations.
ALLOWED_EXCESS = 0.10


@dataclass(frozen=True)
class ActivityCheck:
    """Time points that hold more than A0·e^(−λt), a line each.

    allowed: within ALLOWED_EXCESS, to be read. refused: beyond it; nothing is computed from such a study.
    """

    allowed: tuple[str, ...]
    refused: tuple[str, ...]


def check_activity(totals: Sequence[CalibratedTotal]) -> ActivityCheck:
    """Compare each time point's Σ c·V [Bq] with A0·e^(−λ_phys·t), the most that can be left in the patient."""
    allowed, refused = [], []
    for total in totals:
        if total.expected_bq is None or total.time_s is None or total.total_activity_bq <= total.expected_bq:
            continue
        excess = total.total_activity_bq / total.expected_bq - 1
        found = (
            f"Time point {total.number} ({total.time_s / S_PER_H:.2f} h) holds "
            f"{total.total_activity_bq / BQ_PER_MBQ:.1f} MBq, {excess:.1%} above the "
            f"{total.expected_bq / BQ_PER_MBQ:.1f} MBq that physical decay leaves of the administered activity"
        )
        if excess > ALLOWED_EXCESS:
            refused.append(
                f"{found}. Check the administered activity, the calibration factor and the decay correction of the "
                "images."
            )
        else:
            allowed.append(f"{found}: within the {ALLOWED_EXCESS:.0%} allowed for calibration.")
    return ActivityCheck(tuple(allowed), tuple(refused))


def require_consistent_activity(study: Study, lambda_phys_per_s: float) -> tuple[str, ...]:
    """check_activity of a calibrated study: the lines that are allowed.

    Raises CalibrationError for those that are refused, for counts, no activity at all, and what cannot be compared: no
    administered activity, no time.
    """
    if study.administration.administered_activity_bq is None:
        raise CalibrationError("The administered activity is not known: give administered_activity_mbq in [study].")
    for number, point in enumerate(study.time_points, start=1):
        _require_activity(point, number)
        if point.time_s is None:
            raise CalibrationError(f"Time point {number} has no time: give its time_h in [[study.time_points]].")
    found = check_activity(calibrated_totals(study, study, lambda_phys_per_s))
    if found.refused:
        raise CalibrationError(found.refused[0])
    return found.allowed


def _require_activity(point: TimePoint, number: int) -> None:
    if point.spect.unit != "Bq/mL":
        raise CalibrationError(
            f"Time point {number} is in {point.spect.unit}, not Bq/mL: set unit in [[study.time_points]] if the images "
            "are quantitative; counts need a calibration factor."
        )
    if not total_activity_bq(point) > 0:
        raise CalibrationError(f"Time point {number} holds no activity: check that it is the reconstructed image.")
