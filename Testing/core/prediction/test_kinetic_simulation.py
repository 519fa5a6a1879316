"""The published simulation of PET against dose, in its three cases."""

from __future__ import annotations

import pytest

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.prediction.kinetic_simulation import simulate_voxels


def test_proportional_kinetics_give_a_line():
    assert simulate_voxels("proportional").r == pytest.approx(0.99, abs=0.01)


def test_two_sub_tissues_give_two_clusters_each_a_line():
    found = simulate_voxels("two_clusters")
    assert found.r_each == pytest.approx((0.96, 0.96), abs=0.015)
    assert found.r < 0.6
    steepness = [float((found.dose_gy[s] / found.suv[s]).mean()) for s in (~found.second, found.second)]
    assert steepness[1] > 1.5 * steepness[0]


def test_a_variety_of_its_own_leaves_a_weak_correlation():
    assert simulate_voxels("own_variety").r == pytest.approx(0.40, abs=0.08)


def test_uptake_and_dose_are_those_of_a_kidney():
    found = simulate_voxels("proportional")
    assert 20 < found.suv.mean() < 50
    assert 0.3 < found.dose_gy.mean() < 0.9


def test_an_unknown_case_is_said():
    with pytest.raises(PredictionError, match="choose one of"):
        simulate_voxels("nothing")  # type: ignore[arg-type]
