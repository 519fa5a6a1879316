import json
from pathlib import Path

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import ActivitySeries, Image, TimeActivityCurve, Voi

#: ln 2/6.647 d: any value would do for these tests, this one is Lu-177's.
LAMBDA_PHYS_PER_S = float(np.log(2)) / (6.647 * 86400)
REFERENCE = Path(__file__).parents[3] / "../shared/reference/tac_patient.json"


@pytest.fixture
def lambda_phys_per_s():
    return LAMBDA_PHYS_PER_S


@pytest.fixture
def curve():
    """curve([4, 24], [10.0, 8.0]): hours and MBq."""

    def make(time_h, activity_mbq, standard_error_mbq=None, nuclide="Lu-177", lambda_phys_per_s=LAMBDA_PHYS_PER_S):
        error = None if standard_error_mbq is None else np.asarray(standard_error_mbq, dtype=float) * 1e6
        times = np.asarray(time_h, dtype=float) * 3600
        return TimeActivityCurve(times, np.asarray(activity_mbq, dtype=float) * 1e6, nuclide, lambda_phys_per_s, error)

    return make


@pytest.fixture
def series():
    """series([4, 24], voxels (scan, z, y, x) in Bq/mL, spacing): images on one grid."""

    def make(time_h, voxels, spacing_mm=(4.0, 4.0, 5.0)):
        voxels = np.asarray(voxels, dtype=np.float32)
        grid = Grid(voxels.shape[1:], spacing_mm)
        images = tuple(Image(v, grid, "Bq/mL") for v in voxels)
        return ActivitySeries(images, np.asarray(time_h, dtype=float) * 3600, "Lu-177", LAMBDA_PHYS_PER_S)

    return make


@pytest.fixture
def voi():
    def make(series, name, where, kind="organ"):
        grid = series.activities[0].grid
        mask = np.zeros(grid.shape_zyx, dtype=bool)
        mask[where] = True
        return Voi(name, mask, grid, kind)

    return make


@pytest.fixture(params=["kidney_left", "liver"])
def patient_organ(request):
    """Scan times [h], activities [MBq] and another program's fit of a real patient's organ."""
    if not REFERENCE.is_file():
        pytest.skip(f"{REFERENCE.name} is not beside this checkout (../shared/reference)")
    content = json.loads(REFERENCE.read_text(encoding="utf-8"))
    return {"time_h": content["time_h"], **content["organs"][request.param]}
