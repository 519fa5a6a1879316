"""Theranostic virtual patients: what their PET and dose hold, and their files."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.prediction.psma_kinetics import POPULATION, agent_rates, tracer_rates
from RPTDosimetryLib.prediction.theranostic_anatomy import LABELS, torso_anatomy
from RPTDosimetryLib.prediction.theranostic_dataset import (
    TheranosticDataset,
    read_patient,
    read_patients,
    write_theranostic_dataset,
)
from RPTDosimetryLib.prediction.theranostic_patient import KineticVariety, PetAppearance, theranostic_patient

KINDS = ("torso", "slim")
ALIKE = KineticVariety(agent_sub_tissue=0.0, agent_voxel=0.0, rates=0.0)


@pytest.fixture(scope="module")
def anatomy():
    return torso_anatomy(3)


@pytest.fixture(scope="module")
def patient(anatomy):
    return theranostic_patient(anatomy, 3)


@pytest.mark.parametrize("organ", POPULATION)
def test_population_rates_are_positive_and_the_agent_follows_the_tracer(organ):
    tracer, agent = tracer_rates(organ), agent_rates(organ)
    assert 0 < tracer.k1_ml_per_ml_min < 1
    assert 0 < agent.k1_ml_per_ml_min < 1
    assert tracer.k4_per_min == agent.k4_per_min


def test_a_torso_is_of_ordinary_weight_on_the_common_grid(anatomy):
    assert anatomy.grid.shape_zyx[1:] == (128, 128)
    assert set(anatomy.grid.spacing_mm) == {4.8}
    assert 60 < anatomy.weight_kg < 85
    kidneys = np.isin(anatomy.labels, [LABELS["kidney_left"], LABELS["kidney_right"]])
    assert 200 < kidneys.sum() * anatomy.grid.voxel_volume_ml < 450


def test_the_whole_body_never_holds_more_than_was_given(patient):
    from RPTDosimetryLib.physics.nuclides import nuclide

    whole = float(patient.tia.voxels.sum(dtype=np.float64))
    assert 0.02 < whole * nuclide("Lu-177").lambda_phys_per_s / patient.reference_activity_bq < 0.6
    activity_at_scan = float(patient.pet_suv.sum(dtype=np.float64)) * patient.anatomy.grid.voxel_volume_ml
    assert 0.2 < activity_at_scan / (1000.0 * patient.anatomy.weight_kg) < 1.0


def test_doses_are_of_the_published_size(patient):
    dose = patient.dose.image.voxels
    means = {name: float(dose[patient.anatomy.labels == label].mean()) for name, label in LABELS.items()
             if (patient.anatomy.labels == label).any()}  # fmt: skip
    assert 0.2 < means["kidney_left"] < 1.3
    assert 0.03 < means["liver"] < 0.4
    assert means["marrow"] < 0.1 < 1.0 < means["lesion_bone"]


def test_proportional_kinetics_let_the_dose_follow_the_pet_and_variety_does_not(anatomy, patient):
    kidneys = np.isin(anatomy.labels, [LABELS["kidney_left"], LABELS["kidney_right"]])
    alike = theranostic_patient(anatomy, 3, ALIKE, PetAppearance(noise=0.02))

    def r(one):
        return float(np.corrcoef(one.pet_suv[kidneys], one.dose.image.voxels[kidneys])[0, 1])

    assert r(alike) > 0.8  # the PET's resolution is what is left
    assert r(patient) < r(alike) - 0.05


def test_the_same_seed_gives_the_same_patient_and_another_seed_another(anatomy, patient):
    again = theranostic_patient(anatomy, 3)
    assert np.array_equal(again.pet_suv, patient.pet_suv)
    assert not np.array_equal(theranostic_patient(anatomy, 4).pet_suv, patient.pet_suv)


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    root = tmp_path_factory.mktemp("theranostic")
    write_theranostic_dataset(TheranosticDataset(2, KINDS, test_share=0.5, processes=2), root)
    return root


def test_a_data_set_holds_the_arrays_that_were_agreed(data_set):
    stored = read_patient(data_set / "patient-0001")
    assert (stored.pet_suv.dtype, stored.hu.dtype, stored.dose_gy.dtype, stored.labels.dtype) == (
        np.float32, np.int16, np.float32, np.uint8,
    )  # fmt: skip
    assert stored.reference_activity_bq == 1e9
    assert stored.mask("kidneys").sum() == stored.mask("kidney_left").sum() + stored.mask("kidney_right").sum() > 0
    assert [p.name for p in read_patients(data_set, "test")] == ["patient-0002"]


def test_a_data_set_goes_on_where_it_was_stopped(data_set):
    before = (data_set / "patient-0001" / "arrays.npz").stat().st_mtime_ns
    assert write_theranostic_dataset(TheranosticDataset(2, KINDS, test_share=0.5), data_set)["made"] == 0
    assert (data_set / "patient-0001" / "arrays.npz").stat().st_mtime_ns == before


def test_a_folder_of_other_settings_is_not_mixed(data_set):
    with pytest.raises(PredictionError, match="other settings"):
        write_theranostic_dataset(TheranosticDataset(2, KINDS, first_seed=9, test_share=0.5), data_set)


def test_damaged_patients_are_said(data_set, tmp_path):
    (tmp_path / "patient.json").write_text(json.dumps({"weight_kg": 70}))
    with pytest.raises(PredictionError, match="damaged"):
        read_patient(tmp_path)
    with pytest.raises(PredictionError, match="no theranostic"):
        read_patients(tmp_path / "nothing")


def test_patients_are_made_without_simpleitk():
    program = "import sys; sys.modules['SimpleITK'] = None\nimport RPTDosimetryLib.prediction.theranostic_dataset"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
