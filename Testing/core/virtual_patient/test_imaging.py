"""Image formation against moments of a point: place, width, total, noise."""

import numpy as np
import pytest
from scipy.special import erf, ive

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.virtual_patient.imaging import Pose, SpectImaging, draw_pose, spect_image
from RPTDosimetryLib.virtual_patient.kinetics import RegionKinetics
from RPTDosimetryLib.virtual_patient.patient import VirtualPatient

SPECT = Grid((41, 41, 41), (4.795,) * 3, (-95.9,) * 3)


def body(weight, grid):
    """A patient that holds 1 GBq at once, spread by weight, with a half-life of a day."""
    regions = Image((weight > 0).astype(np.uint8), grid, "1")
    share = (weight / (weight.sum() * grid.voxel_volume_ml)).astype(np.float32)
    curve = {"all": RegionKinetics(((0.2, 86400.0),))}
    hu = Image(np.zeros(grid.shape_zyx, dtype=np.float32), grid, "HU")
    return VirtualPatient(hu, regions, ("outside", "all"), share, curve, 5e9, {"all": ("all",)})


@pytest.fixture
def point():
    """A Gaussian of σ 7 mm around (-10, 10, 0), smooth enough for the 2.4 mm at which it is read."""
    grid = Grid((31, 41, 41), (2.0, 2.0, 2.0), (-50.0, -30.0, -30.0))
    z, y, x = np.meshgrid(
        -30.0 + 2 * np.arange(31), -30.0 + 2 * np.arange(41), -50.0 + 2 * np.arange(41), indexing="ij"
    )
    return body(np.exp(-0.5 * ((x + 10) ** 2 + (y - 10) ** 2 + z**2) / 7.0**2), grid)


def moments(image):
    weight = image.voxels.astype(np.float64)
    axes = [
        o + s * np.arange(n)
        for o, s, n in zip(image.grid.origin_mm, image.grid.spacing_mm, image.grid.shape_zyx[::-1], strict=True)
    ]
    sums = [weight.sum(axis=(0, 1)), weight.sum(axis=(0, 2)), weight.sum(axis=(1, 2))]
    mean = [np.average(a, weights=w) for a, w in zip(axes, sums, strict=True)]
    return np.array(mean), np.array(
        [np.average((a - m) ** 2, weights=w) for a, m, w in zip(axes, mean, sums, strict=True)]
    )


@pytest.mark.parametrize(
    "pose", [Pose(), Pose((7.0, -4.0, 12.0)), Pose((3.0, 2.0, -5.0), (5.0, -8.0, 20.0), (4.0, 0.0, 9.0))]
)
def test_a_point_lands_where_the_pose_puts_it(point, pose):
    image = spect_image(point, 0.0, SPECT, pose, SpectImaging(counts_per_bq=None), np.random.default_rng(0))
    expected = (pose.moved_from_rest @ [-10.0, 10.0, 0.0, 1.0])[:3]
    np.testing.assert_allclose(moments(image)[0], expected, atol=0.05)


@pytest.mark.parametrize("fwhm_mm", [9.0, 12.0, 20.0])
def test_the_width_is_the_resolution_asked_for(point, fwhm_mm):
    image = spect_image(point, 0.0, SPECT, Pose(), SpectImaging(fwhm_mm, 5.0, None), np.random.default_rng(0))
    gauss = (fwhm_mm / 2.3548) ** 2
    # σ² of the source, widened by linear interpolation and by the mean of two samples a SPECT voxel.
    source = 7.0**2 + 2.0**2 / 6 + 4.795**2 / 16
    np.testing.assert_allclose(moments(image)[1], gauss + source, rtol=0.01)


def test_total_and_decay_are_those_of_the_patient(point):
    quiet = SpectImaging(counts_per_bq=None)
    for time_s in (0.0, 86400.0):
        image = spect_image(point, time_s, SPECT, Pose(), quiet, np.random.default_rng(0))
        total = image.voxels.sum(dtype=np.float64) * SPECT.voxel_volume_ml
        assert total == pytest.approx(1e9 * 0.5 ** (time_s / 86400.0), rel=1e-4)


def test_noise_is_unbiased_grows_with_fewer_counts_and_never_negative():
    grid = Grid((40, 60, 60), (3.0, 3.0, 3.0), (-88.5, -88.5, -58.5))
    slab = body(np.ones(grid.shape_zyx), grid)
    centre = (slice(16, 25), slice(12, 29), slice(12, 29))
    spread = {}
    for counts_per_bq in (1e-3, 2.5e-4):
        imaging = SpectImaging(counts_per_bq=counts_per_bq)
        image = spect_image(slab, 0.0, SPECT, Pose(), imaging, np.random.default_rng(1))
        quiet = spect_image(slab, 0.0, SPECT, Pose(), SpectImaging(counts_per_bq=None), np.random.default_rng(1))
        assert image.voxels.min() >= 0
        assert image.voxels[centre].mean() == pytest.approx(quiet.voxels[centre].mean(), rel=0.02)
        spread[counts_per_bq] = image.voxels[centre].std() / image.voxels[centre].mean()
        # Poisson of n counts a voxel, smoothed by the discrete Gaussian e^-t I_n(t): Σ kernel² = e^-2t I_0(2t) an axis.
        n = quiet.voxels[centre].mean() * SPECT.voxel_volume_ml * counts_per_bq
        t = (7.0 / 2.3548 / 4.795) ** 2
        assert spread[counts_per_bq] == pytest.approx(n**-0.5 * ive(0, 2 * t) ** 1.5, rel=0.1)
    assert spread[2.5e-4] == pytest.approx(2 * spread[1e-3], rel=0.1)


def test_the_field_of_view_cuts_and_nothing_else(point):
    low = Grid((20, 41, 41), (4.795,) * 3, (-95.9, -95.9, 0.0))  # the point lies on its first slice
    image = spect_image(point, 0.0, low, Pose(), SpectImaging(counts_per_bq=None), np.random.default_rng(0))
    kept = image.voxels.sum(dtype=np.float64) * low.voxel_volume_ml / 1e9
    sigma = np.sqrt((12.0 / 2.3548) ** 2 + 49.0 + 4 / 6)
    assert kept == pytest.approx(0.5 * (1 + erf(4.795 / 2 / sigma / np.sqrt(2))), abs=0.005)


def test_drawn_poses_stay_within_their_limits():
    rng = np.random.default_rng(2)
    for _ in range(200):
        pose = draw_pose(rng, (0.0, 0.0, 0.0), 8.0, 3.0)
        assert np.linalg.norm(pose.shift_mm) <= 8.0
        assert np.abs(pose.turn_deg).max() <= 3.0
        np.testing.assert_allclose(pose.moved_from_rest[:3, :3] @ pose.moved_from_rest[:3, :3].T, np.eye(3), atol=1e-12)
