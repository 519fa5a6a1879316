"""The body outline from SPECT against the true skin of the virtual patient."""

import numpy as np
import pytest

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.grid import Grid, resample_mean
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.registration.body import body_outline
from RPTDosimetryLib.registration.patient_map import outline_on
from RPTDosimetryLib.registration.working_grid import coarser, working_grid


@pytest.mark.parametrize("times_h", [(4.0, 24.0, 69.0, 120.0), (4.0,), (120.0,)])
def test_the_outline_is_the_skin(torso, scan, times_h):
    images = [scan(t).spect for t in times_h]
    true = resample_mean((torso.regions.voxels > 0).astype(np.float32), torso.grid, images[0].grid) > 0.5
    found = body_outline(images)
    assert found.sum() == pytest.approx(true.sum(), rel=0.05)
    assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.97


def test_a_fine_image_is_outlined_through_a_coarse_one(scan):
    image = scan(4.0).spect
    half = 2.3975
    origin = tuple(o - half / 2 for o in image.grid.origin_mm)
    fine = Image(
        image.voxels.repeat(2, 0).repeat(2, 1).repeat(2, 2), Grid((160, 256, 256), (half,) * 3, origin), "Bq/mL"
    )
    assert working_grid(fine.grid).same_as(image.grid)
    np.testing.assert_allclose(coarser(fine).voxels, image.voxels, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(outline_on([fine])[::2, ::2, ::2], body_outline([image]))


def test_no_activity_is_an_error(scan):
    image = scan(4.0).spect
    with pytest.raises(RegistrationError, match="without any activity"):
        body_outline([image.with_voxels(np.zeros_like(image.voxels))])


def test_the_same_activity_everywhere_is_an_error(scan):
    image = scan(4.0).spect
    with pytest.raises(RegistrationError, match="the same activity everywhere"):
        body_outline([image.with_voxels(np.full_like(image.voxels, 3e4))])
