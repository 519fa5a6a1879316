"""Moving activity: nothing lost, nothing made, and it lands where the transform says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.registration.conservative import move_activity
from RPTDosimetryLib.registration.point_map import PointMap
from RPTDosimetryLib.virtual_patient.imaging import Pose


def total_bq(image):
    return float(image.voxels.sum(dtype=np.float64)) * image.grid.voxel_volume_ml


def centre_mm(image):
    weight = image.voxels.astype(np.float64)
    kji = [np.average(np.arange(n), weights=weight.sum(axis=tuple(a for a in range(3) if a != axis)))
           for axis, n in enumerate(image.grid.shape_zyx)]  # fmt: skip
    return (image.grid.lps_from_ijk @ [*kji[::-1], 1.0])[:3]


@settings(max_examples=15, deadline=None)
@given(
    shift=st.tuples(*[st.floats(-25, 25)] * 3),
    turn=st.tuples(*[st.floats(-12, 12)] * 3),
)
def test_any_rigid_move_keeps_the_total_and_puts_the_centre_where_it_belongs(shift, turn, blob_once):
    matrix = Pose(shift, turn).moved_from_rest
    there = blob_once((matrix @ [10.0, -5.0, 8.0, 1.0])[:3])
    moved = move_activity(there, PointMap(matrix), there.grid)
    assert total_bq(moved.image) == pytest.approx(1e9, rel=1e-4)
    assert moved.rescaled_by == pytest.approx(1.0, abs=2e-3)  # the interpolation itself hardly loses anything
    assert moved.cut_fraction < 1e-4
    np.testing.assert_allclose(centre_mm(moved.image), (10.0, -5.0, 8.0), atol=0.05)


def test_interpolation_does_not_blur_a_lesion(blob):
    there = blob((2.4, 2.4, 2.4), sigma_mm=5.1)  # FWHM 12 mm, at half-voxel shift in all three directions
    moved = move_activity(there, PointMap(Pose((2.4, 2.4, 2.4)).moved_from_rest), there.grid)
    # Linear interpolation at this shift would lose (26 / (26 + 5.76))^1.5: 26 % of the peak.
    assert moved.image.voxels.max() == pytest.approx(blob((0.0, 0.0, 0.0), sigma_mm=5.1).voxels.max(), rel=0.03)


def test_without_a_move_on_the_same_grid_the_voxels_are_untouched(blob):
    image = blob((3.0, 1.0, 0.0))
    moved = move_activity(image, PointMap(np.eye(4)), image.grid)
    assert moved.image is image
    assert moved.rescaled_by == 1.0
    assert moved.seen.all()


@pytest.mark.parametrize("spacing_mm", [2.4, 3.1, 9.6])
@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (7.0, -3.0, 1.5)])
def test_other_voxel_sizes_keep_the_total(blob, spacing_mm, shift):
    image = blob(shift)
    n = int(200 / spacing_mm)
    onto = Grid((n, n, n), (spacing_mm,) * 3, (-(n - 1) / 2 * spacing_mm,) * 3)
    moved = move_activity(image, PointMap(Pose(shift).moved_from_rest), onto)
    assert total_bq(moved.image) == pytest.approx(1e9, rel=1e-4)
    assert moved.rescaled_by == pytest.approx(1.0, abs=2e-3)
    np.testing.assert_allclose(centre_mm(moved.image), (0.0, 0.0, 0.0), atol=0.05)


@pytest.mark.parametrize("distance_mm", [0.0, 6.0, 15.0])
def test_what_the_field_of_view_cuts_is_the_gaussian_integral(blob, distance_mm):
    image = blob((0.0, 0.0, 0.0))
    edge_mm = -117.6 - 2.4
    shift = (0.0, 0.0, edge_mm + distance_mm)  # the blob's centre ends up distance_mm above the lower edge
    moved = move_activity(image, PointMap(np.linalg.inv(Pose(shift).moved_from_rest)), image.grid)
    cut = 0.5 * (1 - erf(distance_mm / 12.0 / np.sqrt(2)))
    assert moved.cut_fraction == pytest.approx(cut, abs=2e-3)
    assert total_bq(moved.image) == pytest.approx((1 - cut) * 1e9, rel=3e-3)


def test_seen_is_the_overlap_of_the_fields_of_view(blob):
    image = blob()
    moved = move_activity(image, PointMap(Pose((0.0, 0.0, 24.0)).moved_from_rest), image.grid)
    # Five slices at the upper end would need activity from beyond the moving image.
    assert moved.seen[:45].all()
    assert not moved.seen[45:].any()


def test_a_move_out_of_the_image_is_an_error(blob):
    with pytest.raises(RegistrationError, match="none of its activity"):
        move_activity(blob(), PointMap(Pose((900.0, 0.0, 0.0)).moved_from_rest), blob().grid)


def test_values_stay_non_negative(blob):
    sharp = np.zeros((20, 20, 20), dtype=np.float32)
    sharp[10, 10, 10] = 1e6
    image = Image(sharp, Grid(sharp.shape, (4.8,) * 3), "Bq/mL")
    moved = move_activity(image, PointMap(Pose((2.4, 1.0, 0.3)).moved_from_rest), image.grid)
    assert moved.image.voxels.min() >= 0
    assert total_bq(moved.image) == pytest.approx(total_bq(image), rel=1e-5)


@pytest.fixture(scope="module")
def blob_once():
    def make(centre):
        grid = Grid((50, 50, 50), (4.8,) * 3, (-117.6,) * 3)
        axis = -117.6 + 4.8 * np.arange(50)
        gauss = [np.exp(-0.5 * ((axis - c) / 12.0) ** 2) for c in centre]
        voxels = gauss[2][:, None, None] * gauss[1][None, :, None] * gauss[0][None, None, :]
        return Image((voxels * 1e12 / ((2 * np.pi) ** 1.5 * 12.0**3)).astype(np.float32), grid, "Bq/mL")

    return make
