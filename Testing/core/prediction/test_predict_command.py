"""The command predict on a PET/CT as a scanner would store it."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest

from RPTDosimetryLib.cli.app import main
from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.prediction.common_grid import align_cts, common_grid_of, prepare
from RPTDosimetryLib.prediction.pet_case import MARK
from RPTDosimetryLib.prediction.pet_study import read_pet_study
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.image_files import header_text, read_image


def run(monkeypatch, capsys, *arguments) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["rptdosimetry", *(str(a) for a in arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    shown = capsys.readouterr()
    return stop.value.code or 0, shown.out, shown.err


def test_a_prediction_is_written_and_marked_everywhere(pet_files, stored, tmp_path, monkeypatch, capsys):
    out = tmp_path / "prediction"
    code, text, told = run(
        monkeypatch, capsys, "predict", pet_files.study, "--labels", pet_files.labels, "--out", out, "--want",
        "kidneys=23", "--json",
    )  # fmt: skip
    assert code == 0, told
    answer = json.loads(text)
    assert answer["mark"] == MARK
    dose = read_image(out / "predicted_dose.nrrd", "Gy/GBq")
    assert MARK in header_text(out / "predicted_dose.nrrd", "method")
    kidneys = next(organ for organ in answer["organs"] if organ["name"] == "kidneys")
    truth = float(stored.dose_gy[stored.mask("kidneys")].mean())
    assert kidneys["low_gy_per_gbq"] < truth < kidneys["high_gy_per_gbq"]
    assert answer["wanted"][0]["activity_gbq"] == pytest.approx(23.0 / kidneys["mean_gy_per_gbq"])
    assert dose.grid.shape_zyx[1:] == (128, 128)
    for table in ("predicted_organs.csv", "predicted_dvh.csv"):
        with (out / table).open(encoding="utf-8") as handle:
            assert next(csv.DictReader(handle))["notice"] == MARK
    assert (out / "prediction.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--agent", "[225Ac]Ac-PSMA-617"), "knows"),
        (("--method", "guess"), "no method"),
        (("--want", "kidneys"), "ORGAN=GY"),
        (("--method", "gan", "--model", "nowhere"), "gan|card|model"),
    ],
)
def test_what_cannot_be_predicted_is_one_clear_error(pet_files, tmp_path, monkeypatch, capsys, arguments, said):
    code, _, told = run(
        monkeypatch,
        capsys,
        "predict",
        pet_files.study,
        "--labels",
        pet_files.labels,
        "--out",
        tmp_path / "o",
        *arguments,
    )
    assert code == 2
    assert any(word in told for word in said.split("|"))
    assert not (tmp_path / "o").exists()


def test_the_pet_follows_its_ct_onto_a_therapy_ct_that_lies_elsewhere(pet_files, stored):
    study = read_pet_study(pet_files.study)
    x, y, z = study.ct.grid.origin_mm
    there = Grid(study.ct.grid.shape_zyx, study.ct.grid.spacing_mm, (x + 14.4, y - 9.6, z + 9.6))
    matrix = align_cts(Image(study.ct.voxels, there, "HU"), study.ct).moving_from_fixed
    centre = np.array([*there.centre_mm, 1.0])
    assert np.allclose((matrix @ centre - centre)[:3], (-14.4, 9.6, -9.6), atol=1.0)


def test_on_its_own_ct_the_common_grid_keeps_what_the_pet_holds(pet_files, stored):
    study = read_pet_study(pet_files.study)
    prepared = prepare(study, pet_files.labels)
    assert prepared.alignment is None
    whole = float(prepared.case.pet.voxels.sum(dtype=np.float64)) * prepared.case.pet.grid.voxel_volume_ml
    truth = float(stored.pet_suv.sum(dtype=np.float64)) * stored.grid.voxel_volume_ml
    assert whole == pytest.approx(truth, rel=0.02)
    assert {"kidneys", "liver", "spleen", "rest_of_body"} <= set(prepared.case.organs)


def test_images_that_hardly_overlap_have_no_common_grid():
    images = [Image(np.zeros((30, 8, 8)), Grid((30, 8, 8), (5.0,) * 3, (0.0, 0.0, z)), "HU") for z in (0.0, 120.0)]
    with pytest.raises(PredictionError, match="share 30 mm"):
        common_grid_of(*images)


def test_the_projection_is_learnt_and_all_methods_are_judged(stored, tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    split = {"train": 12, "test": 1}
    for name, number in ((name, n) for name, count in split.items() for n in range(count)):
        folder = tmp_path / "patients" / f"{name}-{number}"
        folder.mkdir(parents=True)
        low = (slice(20, 60),)  # a part of the body is enough, and quick
        arrays = {"pet_suv": stored.pet_suv, "hu": stored.hu, "dose_gy": stored.dose_gy, "labels": stored.labels}
        factor = np.float32(1.0 + 0.05 * number)
        arrays = {key: np.ascontiguousarray(array[low]) for key, array in arrays.items()}
        arrays["pet_suv"], arrays["dose_gy"] = factor * arrays["pet_suv"], factor * arrays["dose_gy"]
        np.savez(folder / "arrays.npz", **arrays)
        described = {**stored.described, "person": folder.name, "split": name}
        (folder / "patient.json").write_text(json.dumps(described), encoding="utf-8")
    model = tmp_path / "regressor.json"
    code, text, told = run(
        monkeypatch, capsys, "train-projection", "--dataset", tmp_path / "patients", "--out", model, "--json"
    )
    assert code == 0, told
    assert {row["organ"] for row in json.loads(text)["organs"]} >= {"kidneys", "liver"}
    code, text, told = run(
        monkeypatch, capsys, "judge-predictions", "--dataset", tmp_path / "patients", "--model", model
    )
    assert code == 0, told
    assert "| kidneys | projection | 1 |" in text
    assert "[17.6]" in text
