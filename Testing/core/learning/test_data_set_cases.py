"""Patients of a data set as cases of a cohort: methods, volumes, interfaces, and errors beyond Monte Carlo's own."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason='networks need torch: pip install "slicer-rpt-dosimetry[dl]"')

from RPTDosimetryLib.errors import LearningError
from RPTDosimetryLib.evaluation.cohort import cohort_of
from RPTDosimetryLib.evaluation.image_metrics import rms_beyond_noise_percent
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.learning.data_set_cases import (
    DataSetChoice,
    case_of_patient,
    cases_of_data_set,
    interface_of,
)
from RPTDosimetryLib.learning.patient_set import write_patient
from RPTDosimetryLib.records import Image

approx = pytest.approx
pytestmark = pytest.mark.usefixtures("one_thread")


def test_every_method_is_compared_and_a_refused_model_is_msv_and_says_so(make_patient):
    choice = DataSetChoice("unused", models=("default",), unguarded=True)
    case = case_of_patient(make_patient(1), choice)
    assert list(case.evaluated) == ["ssv", "msv8", "msv20", "msv8_unscaled", "default", "default unguarded"]
    assert any("default: Hybrid dose not computed, this is MSV-8" in text for text in case.warnings)
    assert any("default unguarded: Hybrid dose used although" in text for text in case.warnings)
    assert not np.array_equal(case.evaluated["default"].voxels, case.evaluated["default unguarded"].voxels)
    assert set(case.seconds) == {"default", "default unguarded"}  # the patient's record holds no other times
    row = next(row for row in cohort_of([case]).volumes if (row.method, row.name) == ("msv8", "lung"))
    assert row.error_percent == approx(100 / 0.9 - 100, abs=1e-3)  # as conftest makes "Monte Carlo"


def test_volumes_that_monte_carlo_does_not_know_are_left_out_and_named(make_patient):
    patient = make_patient(2)
    patient = replace(patient, record={"voi_relative_error": {"lung": 0.03, "soft": 0.001}})
    case = case_of_patient(patient, DataSetChoice("unused", models=(), unscaled=False))
    assert [voi.name for voi in case.vois] == ["soft"]
    assert "lung is left out: Monte Carlo knows its mean to 3.0 % only." in case.warnings


def test_an_interface_is_two_voxels_on_either_side_of_a_surface():
    mask = np.zeros((20, 9, 9), dtype=bool)
    mask[10:] = True
    found = interface_of(mask, np.ones_like(mask))
    assert np.array_equal(np.flatnonzero(found[:, 4, 4]), [8, 9, 10, 11])
    tissue = np.ones_like(mask)
    tissue[9] = False
    assert not interface_of(mask, tissue)[9].any()


def test_the_error_beyond_noise_is_that_of_the_map_alone():
    rng = np.random.default_rng(5)
    grid = Grid((40, 40, 40), (4.8, 4.8, 4.8))
    truth = rng.uniform(1.0, 2.0, grid.shape_zyx)
    se = 0.1 * truth
    noisy = Image(truth + se * rng.normal(size=truth.shape), grid, "Gy")
    se_gy, inside = Image(se, grid, "Gy"), np.ones(grid.shape_zyx, dtype=bool)

    def beyond(factor):
        return rms_beyond_noise_percent(noisy, Image(factor * truth, grid, "Gy"), se_gy, inside)

    assert beyond(1.05) == approx(100 * 0.05 / 1.05, abs=0.6)
    assert beyond(1.2) == approx(100 * 0.2 / 1.2, rel=0.05)
    assert beyond(1.0) < 2.5
    assert rms_beyond_noise_percent(noisy, noisy, se_gy, ~inside) is None


def test_only_patients_of_the_split_are_judged(tmp_path, make_patient):
    for seed, split in ((1, "train"), (2, "test"), (3, "test")):
        write_patient(make_patient(seed, split=split), tmp_path / f"made_up_{seed}")
    choice = DataSetChoice(tmp_path, models=(), unscaled=False)
    assert [case.patient for case in cases_of_data_set(choice)] == ["made_up_2", "made_up_3"]
    with pytest.raises(LearningError, match="none of the split validation"):
        list(cases_of_data_set(replace(choice, split="validation")))


@pytest.fixture
def command(monkeypatch, capsys):
    """Exit code, standard output and standard error of a command line."""
    from RPTDosimetryLib.cli.app import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["rptdosimetry", *(str(a) for a in arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        return (stop.value.code or 0, *capsys.readouterr())

    return call


def test_the_command_judges_a_folder(tmp_path, make_patient, command):
    for seed in (1, 2):
        write_patient(make_patient(seed, split="test"), tmp_path / "set" / f"made_up_{seed}")
    code, out, _ = command("evaluate", tmp_path / "set", "--out", tmp_path / "out", "--json")
    assert code == 0
    assert json.loads(out)["methods"] == ["ssv", "msv8", "msv20", "msv8_unscaled", "default"]
    stored = json.loads((tmp_path / "out" / "cohort.json").read_text())
    assert stored["patients"] == 2
    assert "rms_beyond_noise_percent" in stored["conventions"]
    assert "RMS beyond noise [%]" in (tmp_path / "out" / "tables.txt").read_text()


def test_a_model_that_is_not_there_is_one_error_and_nothing_is_written(tmp_path, make_patient, command):
    write_patient(make_patient(1, split="test"), tmp_path / "set" / "made_up_1")
    code, _, error = command("evaluate", tmp_path / "set", "--model", "absent", "--out", tmp_path / "out")
    assert code != 0
    assert "made_up_1: There is no model 'absent'. Shipped: default" in " ".join(error.split())
    assert not (tmp_path / "out").exists()
