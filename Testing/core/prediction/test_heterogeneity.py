"""Correlations of PET and dose: one where both are alike, and figures that are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.prediction.heterogeneity import heterogeneity, texture
from RPTDosimetryLib.prediction.kinetic_simulation import CASES, simulate_voxels
from RPTDosimetryLib.report.heterogeneity_figure import save_heterogeneity_figure, save_simulation_figure


def test_a_dose_that_is_the_pet_correlates_in_every_voxel_and_feature(stored, tmp_path):
    pytest.importorskip("mirp")
    rng = np.random.default_rng(2)
    patients = []
    for grain in (0.0, 0.2, 0.5):
        suv = (stored.pet_suv * (1.0 + grain * rng.random(stored.pet_suv.shape))).astype(np.float32)
        patients.append(replace(stored, pet_suv=suv, dose_gy=0.02 * suv))
    found = heterogeneity(patients, ("spleen",))
    assert found.voxel_r["spleen"] == pytest.approx((1.0, 1.0, 1.0))
    for family in ("GLCM", "GLRLM"):
        assert found.mean_texture_r(family) == pytest.approx(1.0, abs=0.02)
    spleen = stored.mask("spleen")
    save_heterogeneity_figure(found, {"spleen": (suv[spleen], 0.02 * suv[spleen])}, tmp_path / "heterogeneity.png")
    assert (tmp_path / "heterogeneity.png").stat().st_size > 10_000


def test_texture_of_random_voxels_has_no_long_runs_and_no_correlation():
    pytest.importorskip("mirp")
    voxels = np.random.default_rng(5).random((16, 16, 16))
    found = texture(voxels, np.ones(voxels.shape, dtype=bool))
    assert found["rlm_sre"] > 0.95
    assert found["cm_corr"] == pytest.approx(0.0, abs=0.03)


def test_correlations_over_patients_need_three(stored):
    with pytest.raises(PredictionError, match="three at least"):
        heterogeneity([stored])


def test_the_simulation_is_drawn(tmp_path):
    save_simulation_figure([simulate_voxels(case, 400) for case in CASES], tmp_path / "simulation.png")
    assert (tmp_path / "simulation.png").stat().st_size > 10_000
