"""One verb from PET/CT to prediction: from files or images, with what a person says where nothing else does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from RPTDosimetryLib.errors import PredictionError, StudyError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.prediction.common_grid import common_name, require_organs
from RPTDosimetryLib.prediction.methods import METHODS, activity_for, method_choices
from RPTDosimetryLib.prediction.pet_case import OrganDose
from RPTDosimetryLib.prediction.pet_images import PetImages, study_of_images
from RPTDosimetryLib.prediction.pet_study import PetFacts
from RPTDosimetryLib.prediction.predict_study import PredictionOrder, in_gy, predict_study
from RPTDosimetryLib.prediction.tracers import HALF_LIFE_S
from RPTDosimetryLib.records import Image, Voi

GRID = Grid((4, 5, 6), (4.0, 4.0, 5.0), (0.0, 0.0, 0.0))
SAID = PetFacts(80.0, 150e6, 60.0)
TRACER = "[68Ga]Ga-PSMA-11"


def images(bq_per_ml: float, refers_to="START", unit="Bq/mL", ct_unit="HU") -> PetImages:
    pet = Image(np.full(GRID.shape_zyx, bq_per_ml, np.float32), GRID, unit)
    return PetImages(pet, Image(np.full(GRID.shape_zyx, 40.0), GRID, ct_unit), refers_to)


def test_an_even_body_has_suv_one_whatever_its_values_refer_to():
    at_injection = 150e6 / 80e3
    decayed = at_injection * 2.0 ** (-3600.0 / HALF_LIFE_S["Ga-68"])
    for given, refers_to in ((at_injection, "ADMIN"), (decayed, "START")):
        study = study_of_images(images(given, refers_to), TRACER, SAID)
        assert np.allclose(study.pet.voxels, 1.0, rtol=1e-5)
        assert (study.nuclide, study.scan_time_min) == ("Ga-68", 60.0)


def test_suv_needs_no_injected_activity():
    study = study_of_images(images(3.5, None, "SUV"), TRACER, replace(SAID, injected_bq=None))
    assert np.all(study.pet.voxels == np.float32(3.5))


@pytest.mark.parametrize(
    ("given", "tracer", "said", "told"),
    [
        (images(1.0), TRACER, replace(SAID, weight_kg=None), "body weight"),
        (images(1.0), TRACER, replace(SAID, weight_kg=-3.0), "body weight"),
        (images(1.0), TRACER, replace(SAID, injected_bq=None), "injected activity"),
        (images(1.0), TRACER, replace(SAID, minutes=None), "injection to scan"),
        (images(1.0), TRACER, replace(SAID, minutes=1e4), "possible"),
        (images(1.0), None, SAID, "tracer"),
        (images(1.0, None), TRACER, SAID, "decay-corrected"),
        (images(1.0, "START", "counts"), TRACER, SAID, "unit"),
        (images(1.0, "START", "Bq/mL", "Bq/mL"), TRACER, SAID, "not in HU"),
    ],
)
def test_nothing_that_is_not_said_is_assumed(given, tracer, said, told):
    with pytest.raises(StudyError, match=told):
        study_of_images(given, tracer, said)


def test_files_and_images_give_one_prediction_and_others_stand_beside(pet_files, stored):
    found = predict_study(PredictionOrder(pet_files.study, pet_files.labels, others=("projection", "pbpk", "guess")))
    factor = stored.weight_kg * 1000.0 / 150e6 * 2.0 ** (3600.0 / HALF_LIFE_S["Ga-68"])
    pet = Image((stored.pet_suv / factor).astype(np.float32), stored.grid, "Bq/mL")
    ct = Image(stored.hu.astype(np.float32), stored.grid, "HU")
    said = PetFacts(stored.weight_kg, 150e6, 60.0)
    order = PredictionOrder(PetImages(pet, ct, "START"), pet_files.labels, tracer=TRACER, said=said)
    again = predict_study(order)
    for one, other in zip(found.predicted.organs, again.predicted.organs, strict=True):
        assert other.mean_gy_per_gbq == pytest.approx(one.mean_gy_per_gbq, rel=2e-3)
    assert set(found.others) == {"pbpk"}
    assert "no method" in found.failed["guess"]


def test_the_pet_of_another_patient_is_refused(pet_files):
    with pytest.raises(PredictionError, match="the therapy of somebody else"):
        predict_study(PredictionOrder(pet_files.study, pet_files.labels, patient="somebody else"))


def test_what_is_said_is_never_taken_against_the_header(pet_files, stored):
    for said, told in (
        (PetFacts(weight_kg=stored.weight_kg + 5.0), "weight"),
        (PetFacts(injected_bq=200e6), "injected activity"),
        (PetFacts(minutes=75.0), "after injection"),
    ):
        with pytest.raises(StudyError, match=f"{told}.*whichever is wrong"):
            predict_study(PredictionOrder(pet_files.study, pet_files.labels, said=said))


def test_an_activity_scales_the_map_and_has_to_be_one():
    per_gbq = Image(np.full(GRID.shape_zyx, 0.5, np.float32), GRID, "Gy/GBq")
    dose = in_gy(per_gbq, 7.4)
    assert dose.unit == "Gy"
    assert np.all(dose.voxels == np.float32(0.5) * np.float32(7.4))
    for activity in (0.0, -1.0, float("nan")):
        with pytest.raises(PredictionError, match="above 0"):
            in_gy(per_gbq, activity)


def test_the_interval_of_an_activity_is_that_of_the_dose_turned_round():
    organs = (OrganDose("kidneys", 0.5, 0.25, 1.0), OrganDose("liver", None, None, None, ("odd",)))
    wanted = activity_for(organs, "kidneys", 20.0)
    assert (wanted.low_gbq, wanted.activity_gbq, wanted.high_gbq) == (20.0, 40.0, 80.0)
    assert "Arithmetic, not advice" in wanted.text
    with pytest.raises(PredictionError, match="No dose of 'liver'"):
        activity_for(organs, "liver", 20.0)
    with pytest.raises(PredictionError, match="reaches 0"):
        activity_for((OrganDose("kidneys", 0.5, 0.0, 1.0),), "kidneys", 20.0)


def test_every_method_is_listed_and_one_that_cannot_be_used_says_why(monkeypatch, tmp_path):
    from RPTDosimetryLib.prediction import gan_model

    def none():
        raise PredictionError("No DoseGAN comes with this installation.")

    monkeypatch.setattr(gan_model, "shipped_gan_model", none)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())
    lacks = {choice.name: choice.lacks for choice in method_choices()}
    assert list(lacks) == list(METHODS)
    assert lacks["projection"] == lacks["pbpk"] == ""
    assert "No DoseGAN" in lacks["gan"]
    assert not {choice.name: choice.lacks for choice in method_choices(tmp_path)}["gan"]  # a folder of one's own
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else object())
    assert "torch" in {choice.name: choice.lacks for choice in method_choices()}["gan"]


def test_names_of_structures_tell_the_organs_that_are_needed():
    assert [common_name(name) for name in ("Left kidney", "kidney_right", "Liver", "table")] == [
        "kidneys", "kidneys", "liver", None,
    ]  # fmt: skip
    assert common_name("lesion_1", "lesion", dense=True) == "lesion_bone"
    assert common_name("lesion in the liver") == "lesion_soft"
    with pytest.raises(PredictionError, match="lack kidneys"):
        require_organs({"liver", None})


@pytest.mark.slow
def test_organs_that_lie_on_the_therapys_ct_are_predicted_as_on_the_pets_own(pet_files, stored):
    """The same patient 14 mm aside: PET and CT follow, masks of the therapy are taken as they lie."""
    x, y, z = stored.grid.origin_mm
    there = Grid(stored.grid.shape_zyx, stored.grid.spacing_mm, (x + 14.4, y - 9.6, z + 9.6))
    therapy_ct = Image(stored.hu.astype(np.float32), there, "HU")
    names = [name for name, label in stored.names.items() if label > 1 and stored.mask(name).any()]
    organs = tuple(Voi(name, stored.mask(name), there) for name in names)
    found = predict_study(PredictionOrder(pet_files.study, organs, therapy_ct=therapy_ct))
    alone = predict_study(PredictionOrder(pet_files.study, pet_files.labels))
    assert found.prepared.alignment is not None
    assert found.prepared.alignment.displacement_mm == pytest.approx(np.linalg.norm((14.4, 9.6, 9.6)), abs=1.5)
    here = {organ.name: organ.mean_gy_per_gbq for organ in alone.predicted.organs}
    for organ in found.predicted.organs:
        if organ.name in ("kidneys", "liver", "spleen"):
            assert organ.mean_gy_per_gbq == pytest.approx(here[organ.name], rel=0.05)
