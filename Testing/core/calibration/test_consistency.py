"""Imaged activity is held against A0·e^(−λt) before anything is integrated."""

import dataclasses
import math

import numpy as np
import pytest

from RPTDosimetryLib.calibration.consistency import require_consistent_activity
from RPTDosimetryLib.errors import CalibrationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Image, Study, TimePoint

LAMBDA = math.log(2) / 574300.0
DAY_S = 86400.0


def study(total_mbq, unit="Bq/mL", time_s=DAY_S, administered_bq=7.4e9):
    grid = Grid((2, 2, 2), (10.0, 10.0, 10.0))  # 1 mL a voxel
    voxels = np.full(grid.shape_zyx, total_mbq * 1e6 / 8, dtype=np.float32)
    point = TimePoint(spect=Image(voxels, grid, unit), time_s=time_s)
    return Study(Administration("Lu-177", administered_bq), (point,))


def test_limit_is_physical_decay_of_the_administered_activity():
    # 7400 MBq after one day of a 574300 s half-life: 7400 · 2^(−86400/574300) = 6667.2 MBq, by hand
    assert require_consistent_activity(study(6600.0), LAMBDA) == ()
    (note,) = require_consistent_activity(study(6900.0), LAMBDA)
    assert "6667.2 MBq" in note
    assert "3.5%" in note
    with pytest.raises(CalibrationError, match=r"11\.0% above"):
        require_consistent_activity(study(6667.2 * 1.11), LAMBDA)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (study(0.0), "no activity"),
        (study(100.0, unit="counts"), "counts"),
        (study(100.0, administered_bq=None), "administered activity"),
        (study(100.0, time_s=None), "no time"),
    ],
)
def test_what_cannot_be_checked_is_an_error(bad, says):
    with pytest.raises(CalibrationError, match=says):
        require_consistent_activity(bad, LAMBDA)


def test_second_time_point_is_named():
    good, bad = study(100.0), study(0.0)
    both = dataclasses.replace(good, time_points=good.time_points + bad.time_points)
    with pytest.raises(CalibrationError, match="Time point 2"):
        require_consistent_activity(both, LAMBDA)
