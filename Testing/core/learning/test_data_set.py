"""Data sets: whole patients on disk or none, going on after a stop, refusing what does not fit."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from RPTDosimetryLib.errors import ConfigurationError, DosimetryError, StudyError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.learning import data_set
from RPTDosimetryLib.learning.build_patient import BuildSettings, build_patient
from RPTDosimetryLib.learning.cohort import CohortPatient
from RPTDosimetryLib.learning.cohort_parameters import TRAINING_KINDS, UNSEEN_KINDS, WIDE_KINDS
from RPTDosimetryLib.learning.data_set import DataSetPlan, build_data_set, read_cohort
from RPTDosimetryLib.learning.patient_set import read_patient, write_patient
from RPTDosimetryLib.physics.hounsfield import density_from_hu

QUICK = BuildSettings(decays=1e5)


def small_patient(kind: str, seed: int) -> CohortPatient:
    """A box of tissue with a block of lung, so that tests take seconds."""
    grid = Grid((10, 11, 12), (4.8, 4.8, 4.8), (-26.4, -24.0, -10.0))
    hu = np.full(grid.shape_zyx, 40, dtype=np.int16)
    hu[:, :2], hu[:, 7:], hu[2:5, 4:7, 4:8] = -1000, -780, 700
    tia = np.where(hu > -900, 1e9, 0.0).astype(np.float32)
    tia[4:6, 3:6, 4:9] *= 40 + seed
    body = hu > -900
    vois = {"whole_body": body, "lungs": hu == -780, "bones": hu == 700}
    kinds = {"whole_body": "region", "lungs": "organ", "bones": "organ"}
    return CohortPatient(kind, seed, grid, hu, density_from_hu(hu), tia, vois, kinds, {"seed": seed}, "a box")


@pytest.fixture(scope="module")
def built():
    return build_patient(small_patient("male", 3), QUICK)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(data_set, "draw_patient", small_patient)


def test_a_patient_comes_back_as_it_was_written(built, tmp_path):
    write_patient(built, tmp_path / built.name)
    again = read_patient(tmp_path / built.name, check=True)
    assert again.grid == built.grid
    for name in (
        "hu",
        "density_g_per_cm3",
        "tia_bq_s",
        "medium8",
        "msv8_gy",
        "msv20_gy",
        "ssv_gy",
        "mc_gy",
        "mc_se_gy",
    ):
        assert_array_equal(getattr(again, name), getattr(built, name))
    assert list(again.vois) == list(built.vois)
    for name, mask in built.vois.items():
        assert_array_equal(again.vois[name], mask)
    assert again.kinds == built.kinds
    assert again.record["settings_hash"] == QUICK.digest
    assert set(again.record["seconds"]) == {"ssv", "msv8", "msv20", "monte_carlo"}
    assert set(again.record["voi_relative_error"]) == set(built.vois)


def test_doses_agree_within_what_the_methods_allow(built):
    """Bone and its neighbourhood apart, MSV-8 is within 3 % of Monte Carlo in the mean; no dose in air."""
    body = built.medium8 > 0
    mass = built.density_g_per_cm3 * body
    mean = [float((mass * dose).sum() / mass.sum()) for dose in (built.mc_gy, built.msv8_gy, built.msv20_gy)]
    assert mean[1] == pytest.approx(mean[0], rel=0.05)
    assert mean[2] == pytest.approx(mean[0], rel=0.05)
    for dose in (built.mc_gy, built.msv8_gy, built.msv20_gy, built.ssv_gy, built.photon_msv_gy):
        assert (dose[~body] == 0).all()
        assert (dose >= 0).all()
    assert (built.photon_msv_gy <= built.msv8_gy * (1 + 1e-5)).all()
    assert 0.0 < built.photon_msv_gy[body].mean() < 0.3 * built.msv8_gy[body].mean()
    assert (built.mc_se_gy[built.mc_gy > 0] > 0).all()


def test_a_patient_is_never_overwritten(built, tmp_path):
    write_patient(built, tmp_path / "a")
    with pytest.raises(StudyError, match="never overwritten"):
        write_patient(built, tmp_path / "a")


def test_nothing_half_written_is_left_behind(built, tmp_path):
    broken = replace(built, record={"cannot be written": object()})
    with pytest.raises(TypeError):
        write_patient(broken, tmp_path / "set" / "a")
    assert list((tmp_path / "set").iterdir()) == []


@pytest.mark.parametrize(
    ("file", "content"), [("arrays.npz", b"damaged"), ("patient.json", b"{}"), ("patient.json", b"")]
)
def test_damaged_files_are_named(built, tmp_path, file, content):
    write_patient(built, tmp_path / "a")
    (tmp_path / "a" / file).write_bytes(content)
    with pytest.raises(StudyError, match="a"):
        read_patient(tmp_path / "a")


def test_changed_arrays_are_noticed(built, tmp_path):
    write_patient(built, tmp_path / "a")
    write_patient(replace(built, hu=built.hu + 1), tmp_path / "b")
    (tmp_path / "a" / "arrays.npz").write_bytes((tmp_path / "b" / "arrays.npz").read_bytes())
    with pytest.raises(StudyError, match="not the file"):
        read_patient(tmp_path / "a", check=True)


def test_a_stopped_data_set_goes_on_and_gives_the_same_patients(quick, tmp_path, monkeypatch):
    plan, stopped = DataSetPlan(3, 1, QUICK), tmp_path / "stopped"
    made = []

    def failing(kind, seed):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(seed)
        return small_patient(kind, seed)

    monkeypatch.setattr(data_set, "draw_patient", failing)
    with pytest.raises(KeyboardInterrupt):
        build_data_set(plan, stopped)
    assert len(list(stopped.glob("*/patient.json"))) == 2
    assert not list(stopped.glob(".writing*"))
    monkeypatch.setattr(data_set, "draw_patient", small_patient)
    answer = build_data_set(plan, stopped)
    assert (answer["built"], answer["already_there"]) == (1, 2)
    build_data_set(plan, tmp_path / "whole")
    for member in read_cohort(stopped):
        ours, theirs = (read_patient(folder / member.name) for folder in (stopped, tmp_path / "whole"))
        assert_array_equal(ours.mc_gy, theirs.mc_gy)


@pytest.mark.parametrize(
    "other", [DataSetPlan(2, 1, replace(QUICK, decays=2e5)), DataSetPlan(2, 2, QUICK), DataSetPlan(3, 1, QUICK)]
)
def test_other_settings_in_the_same_folder_are_refused(quick, tmp_path, other):
    build_data_set(DataSetPlan(2, 1, QUICK), tmp_path)
    with pytest.raises(ConfigurationError, match="other settings"):
        build_data_set(other, tmp_path)


def test_a_patient_of_other_settings_is_refused_without_the_list(quick, tmp_path):
    build_data_set(DataSetPlan(1, 1, QUICK), tmp_path)
    (tmp_path / "cohort.json").unlink()
    with pytest.raises(ConfigurationError, match="built with other settings"):
        build_data_set(DataSetPlan(1, 1, replace(QUICK, flattening=0.1)), tmp_path)


def test_a_failing_patient_is_named(tmp_path, monkeypatch):
    empty = replace(small_patient("male", 1), tia_bq_s=np.zeros((10, 11, 12), np.float32))
    monkeypatch.setattr(data_set, "draw_patient", lambda kind, seed: empty)
    with pytest.raises(DosimetryError, match="male-010000"):
        build_data_set(DataSetPlan(1, 1, QUICK), tmp_path)


@pytest.mark.parametrize("count", [12, 60, 72, 100])
def test_no_patient_is_in_two_splits_and_unseen_kinds_are_for_testing_only(count):
    members = DataSetPlan(count, 1).members()
    assert len({member.name for member in members}) == len({member.seed for member in members}) == count
    for member in members:
        assert (member.fold is None) == (member.split == "test")
        if member.kind in UNSEEN_KINDS:
            assert member.split == "test"
        else:
            assert member.kind in TRAINING_KINDS
    assert {member.split for member in members} == {"train", "validation", "test"}


def test_wide_kinds_are_learnt_from_where_asked_for():
    kinds = (*TRAINING_KINDS, *WIDE_KINDS)
    members = DataSetPlan(100, 2, kinds=kinds).members()
    assert {member.kind for member in members if member.split != "test"} == set(kinds)
    assert {member.kind for member in members if member.split == "test"} == {*kinds, *UNSEEN_KINDS}
    before = {m.seed for m in DataSetPlan(100, 1).members()}
    assert not before & {member.seed for member in members}


def test_the_list_tells_the_split_and_why(quick, tmp_path):
    build_data_set(DataSetPlan(1, 1, QUICK), tmp_path)
    content = json.loads((tmp_path / "cohort.json").read_text())
    assert content["split_by"] == "patient"
    assert all(row["reason"] for row in content["patients"])


def test_a_folder_without_list_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"cohort\.json"):
        read_cohort(tmp_path)


@pytest.mark.parametrize("wrong", [{"decays": 10.0}, {"decays": 1e15}, {"flattening": 1.5}, {"photon_share": 0.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(DosimetryError):
        BuildSettings(**wrong)


@pytest.mark.parametrize("wrong", [{"patients": 0}, {"seed": -1}, {"kinds": ("sclerotic",)}, {"kinds": ()}])
def test_impossible_plans_are_refused(wrong):
    with pytest.raises(ConfigurationError):
        DataSetPlan(**wrong)
