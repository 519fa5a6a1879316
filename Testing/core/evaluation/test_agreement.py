"""Organ errors that can be added up by hand, and limits of agreement as published."""

import json

import numpy as np
import pytest

from RPTDosimetryLib.errors import GridMismatchError, VoiError
from RPTDosimetryLib.evaluation.agreement import bland_altman, organ_agreement
from RPTDosimetryLib.evaluation.compare_answer import compare_doses
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image, Voi
from RPTDosimetryLib.report.provenance import json_text

approx = pytest.approx
GRID = Grid((1, 2, 4), (10.0, 10.0, 10.0))  # 1 mL a voxel
REFERENCE = Image(np.array([[[1, 3, 10, 0], [4, 4, 0, 0]]], dtype=np.float32), GRID, "Gy")
EVALUATED = Image(np.array([[[2, 3, 9, 5], [4, 5, 0, 0]]], dtype=np.float32), GRID, "Gy")
DENSITY = Image(np.array([[[1, 0.25, 2, 0.001], [1, 1, 1, 1]]], dtype=np.float32), GRID, "g/cm3")


def voi(name, *inside, grid=GRID):
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    mask.reshape(-1)[list(inside)] = True
    return Voi(name, mask, grid)


def test_an_organ_by_hand_with_and_without_mass():
    (plain,) = organ_agreement(REFERENCE, EVALUATED, [voi("kidney", 0, 1)])
    assert (plain.reference_mean_gy, plain.evaluated_mean_gy, plain.mass_g) == (2.0, 2.5, None)
    assert (plain.error_gy, plain.error_percent) == (0.5, approx(25.0))
    (weighted,) = organ_agreement(REFERENCE, EVALUATED, [voi("kidney", 0, 1)], DENSITY)
    assert weighted.mass_g == approx(1.25)
    assert weighted.reference_mean_gy == approx((1 * 1 + 0.25 * 3) / 1.25)
    assert weighted.error_gy == approx(1.0 / 1.25)
    assert weighted.metrics.mae_gy == approx(0.5)  # voxel figures are not weighted


def test_signed_and_absolute_errors_and_volume_doses():
    (row,) = organ_agreement(REFERENCE, EVALUATED, [voi("lesion", 2)])
    assert (row.error_gy, row.absolute_error_gy) == (-1.0, 1.0)
    assert (row.error_percent, row.absolute_error_percent) == (approx(-10), approx(10))
    assert (row.d98_error_gy, row.d50_error_gy, row.d2_error_gy) == (-1.0, -1.0, -1.0)
    assert row.d2_error_percent == approx(-10)


def test_air_by_density_counts_as_volume_only():
    (row,) = organ_agreement(REFERENCE, EVALUATED, [voi("stomach", 2, 3)], DENSITY)
    assert (row.volume_ml, row.air_ml, row.reference_mean_gy) == (approx(2), approx(1), approx(10))
    assert row.metrics.voxels == 1
    with pytest.raises(VoiError, match="stomach gas holds only air"):
        organ_agreement(REFERENCE, EVALUATED, [voi("stomach gas", 3)], DENSITY)


def test_an_organ_without_reference_dose_has_no_percent():
    (row,) = organ_agreement(REFERENCE, EVALUATED, [voi("cold", 6, 7)])
    assert (row.error_gy, row.error_percent, row.absolute_error_percent) == (0.0, None, None)


def test_bad_volumes_are_refused_by_name():
    with pytest.raises(VoiError, match="spleen is empty"):
        organ_agreement(REFERENCE, EVALUATED, [voi("spleen")])
    with pytest.raises(GridMismatchError, match="spleen"):
        organ_agreement(REFERENCE, EVALUATED, [voi("spleen", 0, grid=Grid((1, 2, 4), (5.0, 5.0, 5.0)))])
    other = Image(DENSITY.voxels, Grid((1, 2, 4), (5.0, 5.0, 5.0)), "g/cm3")
    with pytest.raises(GridMismatchError, match="density"):
        organ_agreement(REFERENCE, EVALUATED, [voi("spleen", 0)], other)


def test_limits_of_agreement_are_those_of_bland_and_altman_1986():
    """Peak expiratory flow by two meters, 17 subjects (Lancet 1986;i:307): mean −2.1, SD 38.8, limits −79.7 to 75.5.

    The paper multiplies by 2 where later usage, and this program, has 1.96.
    """
    wright = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
    mini = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
    found = bland_altman(np.subtract(wright, mini), "L/min")
    assert found.organs == 17
    assert found.mean_difference == approx(-2.1, abs=0.05)
    assert found.standard_deviation == approx(38.8, abs=0.05)
    assert found.lower_limit == approx(-2.1 - 1.96 * 38.8, abs=0.15)
    assert found.upper_limit == approx(-2.1 + 1.96 * 38.8, abs=0.15)


def test_two_organs_have_no_limits_of_agreement_and_the_answer_says_so():
    assert bland_altman([1.0, 2.0], "Gy") is None
    answer = compare_doses(REFERENCE, EVALUATED, [voi("a", 0), voi("b", 2)]).answer()
    assert answer["over_volumes"]["bland_altman_gy"] is None
    assert any("at least 3 volumes" in note for note in answer["notes"])
    assert answer["over_volumes"]["mean_error_percent"] == approx((100 - 10) / 2)
    assert answer["over_volumes"]["mean_absolute_error_percent"] == approx((100 + 10) / 2)
    three = compare_doses(REFERENCE, EVALUATED, [voi("a", 0), voi("b", 2), voi("c", 4, 5)]).answer()
    limits = three["over_volumes"]["bland_altman_gy"]
    assert limits["mean_difference"] == approx((1 - 1 + 0.5) / 3)
    assert limits["unit"] == "Gy"


def test_identical_maps_are_said_to_be_so_in_the_answer():
    answer = json.loads(json_text(compare_doses(REFERENCE, REFERENCE).answer()))
    assert answer["metrics"]["psnr_db"] is None
    assert any("PSNR is infinite" in note for note in answer["notes"])
    assert answer["counted"] == "all voxels"
    assert answer["sign"] == "evaluated - reference"
    assert answer["mean_weighting"].startswith("voxel volume")


def test_a_mask_without_dose_says_that_there_are_no_relative_errors():
    cold = REFERENCE.voxels == 0.0
    comparison = compare_doses(REFERENCE, EVALUATED, mask=cold)
    assert (comparison.metrics.re_percent, comparison.metrics.relative_voxels) == (None, 0)
    assert any("no RE and RAE" in note for note in comparison.notes())
