"""Whole-image activity of a time point."""

from __future__ import annotations

import numpy as np

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import TimePoint


def total_activity_bq(time_point: TimePoint) -> float:
    """A = Σ c·V_voxel [Bq] at scan time, c in Bq/mL, V in mL. Raises StudyError unless the unit is Bq/mL."""
    if time_point.spect.unit != "Bq/mL":
        raise StudyError(f"A SPECT in {time_point.spect.unit} has no total activity: calibrate it, or give its unit.")
    return stored_total(time_point)


def stored_total(time_point: TimePoint) -> float:
    """Σ value·V_voxel [unit of the voxels × mL], whatever the unit."""
    return float(time_point.spect.voxels.sum(dtype=np.float64)) * time_point.spect.grid.voxel_volume_ml
