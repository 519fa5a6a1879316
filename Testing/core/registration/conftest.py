"""A virtual patient scanned several times in known poses."""

import functools

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Image, Study, TimePoint
from RPTDosimetryLib.virtual_patient.demo_study import spect_grid
from RPTDosimetryLib.virtual_patient.imaging import Pose, SpectImaging, draw_pose, spect_image
from RPTDosimetryLib.virtual_patient.torso_patient import torso_patient


@pytest.fixture(scope="session")
def torso():
    return torso_patient(11)


@pytest.fixture(scope="session")
def scan(torso):
    """(time in hours, pose, seed) -> TimePoint without CT; the same one for the same arguments."""
    grid = spect_grid(torso.grid)

    @functools.cache
    def take(time_h, pose=None, seed=1):
        image = spect_image(torso, time_h * 3600.0, grid, pose or Pose(), SpectImaging(), np.random.default_rng(seed))
        return TimePoint(image, time_h * 3600.0)

    return take


@pytest.fixture(scope="session")
def pose_of(torso):
    """(seed, largest shift, largest turn) -> Pose."""

    def draw(seed, shift_mm, turn_deg):
        return draw_pose(np.random.default_rng(seed), spect_grid(torso.grid).centre_mm, shift_mm, turn_deg)

    return draw


@pytest.fixture(scope="session")
def body_points(torso):
    """Points of the body inside the field of view (n, 4)."""
    kji = np.argwhere(torso.regions.voxels > 0)[::997]
    points = np.c_[kji[:, ::-1], np.ones(len(kji))] @ torso.grid.lps_from_ijk.T
    return points[np.abs(points[:, 2]) < 185.0]


@pytest.fixture
def study_of():
    def make(*points):
        return Study(Administration("Lu-177", 7.4e9), tuple(points))

    return make


@pytest.fixture
def blob():
    """A Gaussian of 1 GBq, σ 12 mm, on a 4.8 mm grid."""

    def make(centre=(0.0, 0.0, 0.0), grid=None, sigma_mm=12.0):
        grid = grid or Grid((50, 50, 50), (4.8,) * 3, (-117.6,) * 3)
        axes = [
            o + s * np.arange(n) for o, s, n in zip(grid.origin_mm, grid.spacing_mm, grid.shape_zyx[::-1], strict=True)
        ]
        gauss = [np.exp(-0.5 * ((a - c) / sigma_mm) ** 2) for a, c in zip(axes, centre, strict=True)]
        voxels = gauss[2][:, None, None] * gauss[1][None, :, None] * gauss[0][None, None, :]
        scale = 1e9 / ((2 * np.pi) ** 1.5 * sigma_mm**3 / 1000.0)
        return Image((voxels * scale).astype(np.float32), grid, "Bq/mL")

    return make
