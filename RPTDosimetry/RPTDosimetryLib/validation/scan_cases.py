"""Whole-image activity at scan time of real scans."""

from __future__ import annotations

from pathlib import Path

from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.study.total_activity import stored_total, total_activity_bq
from RPTDosimetryLib.units import BQ_PER_MBQ
from RPTDosimetryLib.validation.row import ValidationRow, compared

BAR_PERCENT = 0.01
PATIENT = "real [177Lu]Lu-DOTATATE patient, Dewaraja and Van, doi 10.7302/0n8e-rz46"


def scan_rows(shared: Path) -> list[ValidationRow]:
    """The first patient scan as stored PT (decay correction to administration undone) and as NM frames."""
    patient = read_study(shared / "data" / "lu177_patient")
    first_mbq = total_activity_bq(patient.time_points[0]) / BQ_PER_MBQ
    (frames,) = read_study(shared / "data" / "nm").time_points
    stored = stored_total(frames) / BQ_PER_MBQ
    return [
        compared(("scan 1, stored as PT", "activity at scan time", "MBq"), first_mbq, 1328.778, BAR_PERCENT, PATIENT),
        compared(("scan 1, NM frames", "total as stored", "MBq"), stored, 1347.65, BAR_PERCENT, PATIENT),
    ]
