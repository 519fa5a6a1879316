"""Maps of a comparison and line profiles, against what is known by hand."""

import numpy as np
import pytest

from RPTDosimetryLib.errors import EvaluationError, GridMismatchError
from RPTDosimetryLib.evaluation.full_comparison import (
    ComparisonSettings,
    compare_fully,
    difference_map,
    relative_error_map,
)
from RPTDosimetryLib.evaluation.line_profile import line_profile
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image, Voi

GRID = Grid((8, 9, 10), (2.0, 3.0, 4.0), (-10.0, 5.0, 100.0))


def dose(scale=1.0):
    k, j, i = np.indices(GRID.shape_zyx)
    return Image((scale * (1.0 + i + 10 * j + 100 * k)).astype(np.float32), GRID, "Gy")


def test_a_dose_five_percent_higher_is_five_percent_higher_everywhere():
    percent = relative_error_map(dose(), dose(1.05))
    counted = dose().voxels >= 0.01 * dose().voxels.max()
    assert percent.unit == "%"
    np.testing.assert_allclose(percent.voxels[counted], 5.0, rtol=1e-4)
    assert np.isnan(percent.voxels[~counted]).all()
    np.testing.assert_allclose(difference_map(dose(), dose(1.05)).voxels, 0.05 * dose().voxels, rtol=1e-4)


def test_outside_the_mask_nothing_is_told():
    mask = np.zeros(GRID.shape_zyx, bool)
    mask[4:] = True
    found = compare_fully((dose(), dose(1.05)), [Voi("half", mask, GRID)], None, ComparisonSettings(mask="half"))
    for image in (found.difference, found.relative_error, found.gamma.gamma_index):
        assert np.isnan(image.voxels[~mask]).all()
        assert np.isfinite(image.voxels[mask]).any()
    assert found.figures["counted"] == "voxels of the mask"
    assert [pair[1].dose_gy[-1] / pair[0].dose_gy[-1] for pair in found.histograms] == pytest.approx([1.05])


def test_other_grids_and_unknown_masks_are_refused_and_resampling_is_said():
    other = Grid((16, 18, 20), (1.0, 1.5, 2.0), (-10.5, 4.25, 99.0))
    flat = Image(np.full(other.shape_zyx, 50.0, np.float32), other, "Gy")
    with pytest.raises(GridMismatchError):
        compare_fully((dose(), flat), [], None, ComparisonSettings())
    with pytest.raises(EvaluationError, match="no volume spleen"):
        compare_fully((dose(), dose()), [], None, ComparisonSettings(mask="spleen"))
    found = compare_fully((dose(), flat), [], None, ComparisonSettings(resample=True))
    np.testing.assert_allclose(found.difference.voxels, 50.0 - dose().voxels, rtol=1e-5)
    assert "resampled onto the reference's grid" in found.warnings[0]


def test_a_profile_of_a_linear_dose_is_that_line():
    """1 + i + 10 j + 100 k is linear in space: 1 + x/2 + 10 y/3 + 100 z/4 Gy from the first voxel's centre."""
    start, end = (-9.0, 7.0, 103.0), (5.0, 25.0, 121.0)
    distance_mm, gray = line_profile(dose(), start, end)
    assert distance_mm[-1] == pytest.approx(np.linalg.norm(np.subtract(end, start)))
    at = np.add.outer(distance_mm / distance_mm[-1], np.zeros(3)) * np.subtract(end, start) + start
    expected = 1 + (at[:, 0] + 10) / 2 + 10 * (at[:, 1] - 5) / 3 + 100 * (at[:, 2] - 100) / 4
    np.testing.assert_allclose(gray, expected, rtol=1e-6)


def test_outside_the_dose_a_profile_has_no_value():
    distance_mm, gray = line_profile(dose(), (-20.0, 5.0, 100.0), (-10.0, 5.0, 100.0))
    assert np.isnan(gray[:-1]).all()
    assert gray[-1] == 1.0
    assert np.diff(distance_mm).max() == pytest.approx(0.5)  # a quarter of the smallest voxel side


@pytest.mark.parametrize("end", [(0.0, 6.0, 101.0), (np.nan, 6.0, 101.0)])
def test_two_points_on_one_place_are_no_line(end):
    with pytest.raises(EvaluationError, match="put them apart"):
        line_profile(dose(), (0.0, 6.0, 101.0), end)
