"""Organ doses from PET features: what is learnt, how it is kept, where it is withheld; projection and population."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.prediction.compartments import tissue_suv
from RPTDosimetryLib.prediction.judgement import OPTIMUM, WHOLE, dvh_r2, judge, table, table_markdown
from RPTDosimetryLib.prediction.methods import METHODS, predict_case, wanted_activity
from RPTDosimetryLib.prediction.organ_features import FEATURES
from RPTDosimetryLib.prediction.organ_regressor import (
    OrganModel,
    OrganRegressor,
    read_regressor,
    train_organ_regressor,
    write_regressor,
)
from RPTDosimetryLib.prediction.pbpk import population_dose_gy_per_gbq, predict_by_population
from RPTDosimetryLib.prediction.projection import optimal_projection, predict_by_projection
from RPTDosimetryLib.prediction.psma_kinetics import AGENT, PLASMA, POPULATION, TRACER, tracer_rates


def regressor_of(case, kidneys_off: float = 0.0) -> OrganRegressor:
    """One that predicts 0.1 Gy/GBq times the uptake for every organ, learnt from patients as the case is."""
    organs = {}
    for name in case.organs:
        mean = np.array([1.0, 0.3, 0.3, 5.0, 3.7, 1.6])
        scale = np.array([3.0, 2.0, 2.0, 4.0, 1.0, 1.0])
        if name == "kidneys":
            scale[0] = 0.2
            mean[0] = 3.7 + kidneys_off
        weight = np.zeros(len(FEATURES))
        weight[0] = scale[0]
        organs[name] = OrganModel(
            40, tuple(mean), tuple(scale), tuple(weight), float(np.log(0.1) + mean[0]), 0.2, 15.0, 1.0
        )
    return OrganRegressor(organs, TRACER, AGENT, FEATURES, {"patients": 40, "kinds": ["torso"], "virtual": True})


def test_the_projection_gives_each_organ_its_predicted_mean(case):
    found = predict_by_projection(case, regressor_of(case))
    for organ in found.organs:
        assert organ.mean_gy_per_gbq is not None
        assert case.mass_mean(found.map_gy_per_gbq.voxels, organ.name) == pytest.approx(organ.mean_gy_per_gbq, rel=1e-4)
        assert organ.low_gy_per_gbq < organ.mean_gy_per_gbq < organ.high_gy_per_gbq
        uptake = case.mass_mean(case.pet.voxels, organ.name) * 70.0 / case.weight_kg
        assert organ.mean_gy_per_gbq == pytest.approx(0.1 * max(uptake, 0.01), rel=1e-6)


def test_the_optimum_has_the_true_means_and_the_shape_of_the_pet(case, stored):
    best = optimal_projection(case, stored.dose_gy)
    for organ, mask in case.organs.items():
        assert case.mass_mean(best, organ) == pytest.approx(case.mass_mean(stored.dose_gy, organ), rel=1e-4)
        inside = mask & case.tissue & (case.pet.voxels > 0.05)
        ratio = best[inside] / case.pet.voxels[inside]
        assert np.ptp(ratio) < 1e-4 * ratio.mean()


def test_population_kinetics_give_the_published_dose_at_the_published_uptake():
    for organ, known in POPULATION.items():
        suv = float(tissue_suv(60.0, PLASMA, tracer_rates(organ)))
        dose = population_dose_gy_per_gbq(organ, suv, 60.0, 70.0, known.density_g_per_cm3)
        assert suv == pytest.approx(known.suv, rel=1e-6)
        assert dose == pytest.approx(known.gy_per_gbq, rel=1e-6)


def test_half_the_weight_gets_twice_the_dose_and_no_uptake_the_bloods_alone():
    heavy, light = (population_dose_gy_per_gbq("kidneys", 40.0, 60.0, kg, 1.05) for kg in (80.0, 40.0))
    assert light == pytest.approx(2.0 * heavy)
    assert 0 < population_dose_gy_per_gbq("kidneys", 0.0, 60.0, 70.0, 1.05) < 0.01


def test_a_regressor_is_kept_as_plain_numbers(case, tmp_path):
    path = tmp_path / "regressor.json"
    write_regressor(regressor_of(case), path)
    assert read_regressor(path) == regressor_of(case)
    content = json.loads(path.read_text())
    content["organs"]["liver"]["scale"][0] = 0.0
    path.write_text(json.dumps(content))
    with pytest.raises(PredictionError, match="no regressor can have"):
        read_regressor(path)
    path.write_text('{"schema": "other"}')
    with pytest.raises(PredictionError, match="schema"):
        read_regressor(path)


def test_the_shipped_regressor_knows_what_it_was_trained_on():
    shipped = read_regressor()
    assert (shipped.tracer, shipped.agent, shipped.trained_on["virtual"]) == (TRACER, AGENT, True)
    assert {"kidneys", "liver", "spleen", "rest_of_body"} <= set(shipped.organs)
    assert shipped.organs["kidneys"].mape_percent < 30


def test_the_shipped_regressor_predicts_a_patient_it_has_not_seen(case, stored):
    found = predict_case(case, "projection")
    kidneys = next(organ for organ in found.organs if organ.name == "kidneys")
    truth = case.mass_mean(stored.dose_gy, "kidneys")
    assert kidneys.low_gy_per_gbq < truth < kidneys.high_gy_per_gbq


def test_another_tracer_or_agent_than_trained_is_refused(case):
    for changed in (replace(case, tracer="[18F]FDG"), replace(case, agent="[225Ac]Ac-PSMA-617")):
        with pytest.raises(PredictionError, match="knows"):
            predict_by_projection(changed, regressor_of(case))
        with pytest.raises(PredictionError, match="knows"):
            predict_by_population(changed)


def test_missing_organs_are_said(case):
    few = replace(case, organs={name: mask for name, mask in case.organs.items() if name != "kidneys"})
    with pytest.raises(PredictionError, match="kidneys missing"):
        predict_by_projection(few, regressor_of(case))


def test_an_organ_unlike_all_patients_known_is_marked_or_withheld(case, tmp_path):
    path = tmp_path / "regressor.json"
    write_regressor(regressor_of(case, kidneys_off=5.0), path)
    with pytest.raises(PredictionError, match="withheld"):
        predict_case(case, "projection", path)
    found = predict_case(case, "projection", path, though_unlike=True)
    kidneys = next(organ for organ in found.organs if organ.name == "kidneys")
    assert kidneys.withheld
    assert any("kidneys: withheld" in warning for warning in found.warnings)
    assert not found.map_gy_per_gbq.voxels[case.organs["kidneys"]].any()


def test_a_pet_at_another_time_than_learnt_from_is_marked(case):
    found = predict_by_projection(replace(case, scan_time_min=150.0), regressor_of(case))
    assert any("150 min after injection" in warning for warning in found.warnings)
    assert not any("after injection" in warning for warning in predict_by_projection(case, regressor_of(case)).warnings)


def test_the_wanted_activity_is_arithmetic_with_its_interval(case):
    found = predict_by_population(case)
    kidneys = next(organ for organ in found.organs if organ.name == "kidneys")
    one = wanted_activity(found, "kidneys", 23.0)
    assert one.activity_gbq * kidneys.mean_gy_per_gbq == pytest.approx(23.0)
    assert one.low_gbq * kidneys.high_gy_per_gbq == pytest.approx(23.0)
    assert one.low_gbq < one.activity_gbq < one.high_gbq
    for organ, gy in (("brain", 23.0), ("kidneys", 0.0)):
        with pytest.raises(PredictionError):
            wanted_activity(found, organ, gy)


def test_unknown_methods_are_said(case):
    with pytest.raises(PredictionError, match=", ".join(METHODS)):
        predict_case(case, "guess")


def test_a_perfect_method_is_judged_perfect_and_others_are_not(case, stored):
    methods = {"perfect": lambda case: stored.dose_gy, "half": lambda case: 0.5 * stored.dose_gy}
    rows = {(row.method, row.region): row for row in table(judge([stored], methods))}
    perfect, half = rows["perfect", WHOLE].mean, rows["half", "kidneys"].mean
    assert perfect["nrmse_percent"] == perfect["mape_percent"] == perfect["organ_error_percent"] == 0.0
    assert perfect["ssim"] == perfect["slope"] == perfect["dvh_r2"] == pytest.approx(1.0)
    assert half["mape_percent"] == half["organ_error_percent"] == pytest.approx(50.0, abs=1e-3)
    assert (half["slope"], half["r"]) == (pytest.approx(0.5), pytest.approx(1.0))
    assert rows[OPTIMUM, "liver"].mean["organ_error_percent"] < 1.0
    assert "published" not in table_markdown(list(rows.values()))


def test_the_table_has_the_published_figures_beside_ours(stored):
    rows = table(judge([stored], {"projection": lambda case: stored.dose_gy, "gan": lambda case: stored.dose_gy}))
    text = table_markdown(rows)
    for published in ("[17.6]", "[10.8]", "[1.7 ± 0.4]", "[0.94 ± 0.03]", "[0.92]", "[0.74]", "[0.50]"):
        assert published in text


def test_dvh_r2_is_one_for_the_same_doses_in_any_order_and_falls_with_a_shift():
    doses = np.random.default_rng(1).gamma(5.0, 1.0, 2000)
    assert dvh_r2(doses, doses[::-1]) == pytest.approx(1.0)
    assert dvh_r2(doses, 1.1 * doses) > dvh_r2(doses, 1.3 * doses)


def test_training_needs_enough_patients(stored):
    pytest.importorskip("sklearn")
    with pytest.raises(PredictionError, match="12 at least"):
        train_organ_regressor([stored])


def test_training_finds_doses_that_are_a_product_of_powers(stored):
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(3)
    patients = []
    for number in range(16):
        factor = np.exp(rng.normal(0.0, 0.4))
        dose = (0.02 * factor * stored.pet_suv).astype(np.float32) + 1e-6
        described = {**stored.described, "person": f"p{number}"}
        patients.append(
            replace(stored, pet_suv=(factor * stored.pet_suv).astype(np.float32), dose_gy=dose, described=described)
        )
    kidneys = train_organ_regressor(patients).organs["kidneys"]
    assert kidneys.mape_percent < 3.0
