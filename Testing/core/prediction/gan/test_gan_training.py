"""Training on made-up patients: it beats the plain projection, goes on exactly, stops at what is no number."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from typer.testing import CliRunner

from RPTDosimetryLib.cli.app import app
from RPTDosimetryLib.errors import CancelledError, ConfigurationError, PredictionError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.prediction.gan_inference import gan_method, organ_predictions, predict_gan, predict_members
from RPTDosimetryLib.prediction.gan_model import read_gan_model
from RPTDosimetryLib.prediction.gan_patients import patient_folds, read_gan_patient, read_gan_patients
from RPTDosimetryLib.prediction.gan_settings import GanSettings, default_gan_toml, gan_settings_from, read_gan_config
from RPTDosimetryLib.prediction.gan_train import dose_scales, organ_figures, train_gan
from RPTDosimetryLib.prediction.pet_case import PetCase
from RPTDosimetryLib.records import Image

from .conftest import ORGANS, write_blob_patient

torch = pytest.importorskip("torch", reason="needs the extra [dl]")
pytest.importorskip("monai", reason="needs the extra [dl]")

SMALL = GanSettings(
    width=4, discriminator_width=4, folds=3, train_folds=(1, 2), steps=70, batch=2, learning_rate=5e-3, log_weight=0.2,
    organ_drop=1.0,
    device="cpu", checkpoint_every=70, warm_up=0.6,
)  # fmt: skip
SHORT = replace(SMALL, train_folds=(1,), steps=6, checkpoint_every=2, warm_up=0.3)


@pytest.fixture(scope="session")
def trained(blob_patients, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    return train_gan(SMALL, blob_patients, out, name="blobs"), out


def image(array, unit):
    return Image(array, Grid(array.shape, (4.8, 4.8, 4.8)), unit)


def images_of(folder):
    with np.load(folder / "arrays.npz") as arrays:
        pet, hu, labels = (arrays[key] for key in ("pet_suv", "hu", "labels"))
    return image(pet, "SUV"), image(hu.astype(np.float32), "HU"), labels


def nrmse(predicted, patient):
    apart = (predicted - patient.dose_gy_per_gbq)[patient.body]
    return 100 * np.sqrt((apart**2).mean()) / patient.dose_gy_per_gbq.max()


def test_training_on_pet_and_ct_alone_beats_the_plain_projection_on_patients_held_out(trained, blob_patients):
    model, out = trained
    patients = read_gan_patients(blob_patients)
    held_out = patient_folds(patients, 3, SMALL.seed)
    gan, projected = [], []
    for fold in (1, 2):
        known = [p for i, p in enumerate(patients) if i not in held_out[fold - 1]]
        one = read_gan_model(out, "cpu", folds=[fold])
        for index in held_out[fold - 1]:
            patient = patients[index]
            numbers = np.zeros(patient.hu.shape, np.float32)
            gan.append(nrmse(predict_members(one, patient.uptake, patient.hu, numbers)[0], patient))
            projected.append(nrmse(dose_scales(known, [])[0][0] * patient.uptake, patient))
    assert np.mean(gan) < 0.9 * np.mean(projected)
    assert model.name == "blobs"


def test_card_says_which_patients_and_how_well(trained, blob_patients):
    card = trained[0].card
    assert [p["name"] for p in card["patients"]] == sorted(p.name for p in blob_patients.glob("*"))
    assert len(card["patients"][0]["sha256"]) == 64
    assert set(card["held_out"]["organs"]) == {"body", "kidneys", "liver", "spleen", "all organs"}
    rows = [row for row in card["held_out"]["rows"] if row["organ"] == "liver"]
    assert {row["patient"] for row in rows} == {name for w in card["weights"] for name in w["held_out"]}
    relative = [100 * abs(r["predicted_gy_per_gbq"] / r["true_gy_per_gbq"] - 1) for r in rows]
    assert card["held_out"]["organs"]["liver"]["mape_percent"] == pytest.approx(np.mean(relative), abs=1e-3)
    assert card["limits"]
    assert all(w["bytes"] < 10_000_000 for w in card["weights"])


def test_a_prediction_has_mean_spread_and_organ_doses_with_their_error(trained, blob_patients):
    folder = blob_patients / "blob0"
    pet, ct, labels = images_of(folder)
    weight_kg = json.loads((folder / "patient.json").read_text())["weight_kg"]
    masks = {name: labels == number for name, number in ORGANS.items()}
    found = predict_gan(trained[0], pet, ct, weight_kg, masks)
    assert not np.array_equal(found.dose.voxels, predict_gan(trained[0], pet, ct, weight_kg).dose.voxels)
    assert found.dose.unit == found.spread.unit == "Gy/GBq"
    assert found.dose.voxels == pytest.approx(found.members.mean(axis=0))
    assert found.dose.voxels.min() >= 0
    assert not found.dose.voxels[ct.voxels < -950].any()
    assert found.warnings == ()
    organs = organ_predictions(found, ct, masks, trained[0].card)
    for organ in organs:
        held_out = trained[0].card["held_out"]["organs"][organ.name]["rms_percent"] / 100
        assert organ.uncertainty_gy_per_gbq == pytest.approx(
            np.hypot(organ.spread_gy_per_gbq, held_out * organ.mean_gy_per_gbq)
        )


def test_a_heavier_patient_of_the_same_suv_gets_less_dose_per_activity(trained, blob_patients):
    pet, ct, _ = images_of(blob_patients / "blob0")
    twice = Image(2 * pet.voxels, pet.grid, "SUV")
    assert predict_gan(trained[0], pet, ct, 60.0).dose.voxels == pytest.approx(
        predict_gan(trained[0], twice, ct, 120.0).dose.voxels
    )


def test_small_images_are_padded_with_air(trained):
    pet, ct = image(np.full((20, 20, 20), 1.0, np.float32), "SUV"), image(np.full((20, 20, 20), 20.0), "HU")
    assert predict_gan(trained[0], pet, ct, 70.0).dose.voxels.shape == (20, 20, 20)


def test_what_the_model_does_not_know_is_said(trained, blob_patients):
    pet, ct, _ = images_of(blob_patients / "blob0")
    hot = predict_gan(trained[0], Image(10 * pet.voxels, pet.grid, "SUV"), ct, 70.0)
    assert any("highest uptake" in warning for warning in hot.warnings)
    coarse = Grid(pet.grid.shape_zyx, (6.0, 6.0, 6.0))
    other = predict_gan(trained[0], Image(pet.voxels, coarse, "SUV"), Image(ct.voxels, coarse, "HU"), 70.0)
    assert any("4.8 × 4.8 × 4.8 mm" in warning for warning in other.warnings)


def test_a_stopped_training_goes_on_to_the_same_weights(blob_patients, tmp_path):
    straight = train_gan(SHORT, blob_patients, tmp_path / "straight")
    calls = iter([False, True])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("RPTDosimetryLib.prediction.gan_fold._LOOK_EVERY", 2)
        with pytest.raises(CancelledError, match="step 4"):
            train_gan(SHORT, blob_patients, tmp_path / "stopped", cancelled=lambda: next(calls))
    stopped = train_gan(SHORT, blob_patients, tmp_path / "stopped")
    for one, two in zip(straight.generators, stopped.generators, strict=True):
        for name, value in one.state_dict().items():
            assert torch.equal(value, two.state_dict()[name]), name


def test_going_on_with_other_settings_is_refused(blob_patients, tmp_path):
    train_gan(SHORT, blob_patients, tmp_path)
    with pytest.raises(PredictionError, match=r"learning_rate = 0\.005, not 0\.02"):
        train_gan(replace(SHORT, learning_rate=0.02), blob_patients, tmp_path)


def test_a_budget_ends_the_training(blob_patients, tmp_path):
    model = train_gan(replace(SHORT, steps=100_000, budget_s=1.0), blob_patients, tmp_path)
    assert model.card["weights"][0]["steps"] < 1000
    assert 1.0 <= model.card["weights"][0]["seconds"] < 20.0


def test_a_loss_that_is_no_number_names_patient_and_patch(blob_patients, tmp_path):
    settings = replace(SHORT, learning_rate=1.0)

    def broken(predicted, *rest):
        loss = predicted.flatten(1).sum(1)
        return torch.where(torch.arange(len(loss)) == 1, loss * float("nan"), loss)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("RPTDosimetryLib.prediction.gan_fold.voxel_loss", broken)
        with pytest.raises(PredictionError, match=r"step 1 of fold 1: patient blob\d, patch at \(z, y, x\) = \(\d+"):
            train_gan(settings, blob_patients, tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


def copied(trained, tmp_path):
    for path in trained[1].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / "fold-1.safetensors", tmp_path / "card.json"


def test_weights_other_than_the_cards_are_refused(trained, tmp_path):
    weights, _ = copied(trained, tmp_path)
    weights.write_bytes(weights.read_bytes()[:-7])
    with pytest.raises(PredictionError, match="SHA-256"):
        read_gan_model(tmp_path, "cpu")


@pytest.mark.parametrize("damage", [b"", b"not safetensors at all", None])
def test_damaged_weights_are_refused_also_where_the_card_agrees(trained, tmp_path, damage):
    import hashlib

    weights, path = copied(trained, tmp_path)
    content = weights.read_bytes()[:-7] if damage is None else damage
    weights.write_bytes(content)
    card = json.loads(path.read_text())
    card["weights"][0]["sha256"] = hashlib.sha256(content).hexdigest()
    path.write_text(json.dumps(card))
    with pytest.raises(PredictionError, match="damaged"):
        read_gan_model(tmp_path, "cpu")


def test_weights_of_another_architecture_are_refused(trained, tmp_path):
    _, path = copied(trained, tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "width": 8}))
    with pytest.raises(PredictionError, match="another architecture"):
        read_gan_model(tmp_path, "cpu")


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(PredictionError, match="folder of a model"):
        read_gan_model(tmp_path, "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_that_is_absent_is_refused(trained):
    with pytest.raises(PredictionError, match="no CUDA GPU"):
        read_gan_model(trained[1], "cuda")


def test_persons_are_never_split_between_folds(tmp_path):
    for number in range(8):
        write_blob_patient(tmp_path / f"p{number}", number, person=f"person{number // 2}", kind="ab"[number % 2])
    patients = read_gan_patients(tmp_path)
    folds = patient_folds(patients, 4, seed=3)
    assert sorted(i for fold in folds for i in fold) == list(range(8))
    assert all(len({patients[i].person for i in fold}) == 1 for fold in folds)
    with pytest.raises(PredictionError, match="5 folds need as many persons: there are 4"):
        patient_folds(patients, 5, seed=3)


def test_patients_kept_for_the_test_are_not_read_for_training(tmp_path):
    write_blob_patient(tmp_path / "a", 1)
    write_blob_patient(tmp_path / "b", 2, split="test")
    assert [p.name for p in read_gan_patients(tmp_path)] == ["a"]
    assert [p.name for p in read_gan_patients(tmp_path, "test")] == ["b"]


def test_bad_patients_are_refused_by_name(tmp_path):
    folder = write_blob_patient(tmp_path / "good", 1)
    with np.load(folder / "arrays.npz") as arrays:
        kept = dict(arrays)
    kept["dose_gy"][3, 3, 3] = np.nan
    np.savez(folder / "arrays.npz", **kept)
    with pytest.raises(PredictionError, match="Patient good: dose_gy_per_gbq holds values that are not numbers"):
        read_gan_patient(folder)
    (folder / "patient.json").write_text("{}")
    with pytest.raises(PredictionError, match="lacks something"):
        read_gan_patient(folder)


def test_figures_of_organs_are_by_their_formulas():
    from RPTDosimetryLib.prediction.gan_train import HeldOutOrgan

    rows = [HeldOutOrgan("a", "liver", 1, 1.0, 1.1, 2.0), HeldOutOrgan("b", "liver", 2, 1.0, 0.7, 4.0)]
    liver = organ_figures(rows)["liver"]
    assert liver["mean_percent"] == pytest.approx(-10.0)
    assert liver["mape_percent"] == pytest.approx(20.0)
    assert liver["rms_percent"] == pytest.approx(np.sqrt((100 + 900) / 2), abs=1e-3)
    assert liver["nrmse_percent"] == pytest.approx(3.0)


def test_settings_come_from_toml_and_wrong_ones_are_named(tmp_path):
    path = tmp_path / "gan.toml"
    path.write_text('patients = "set"\n[dosegan]\nwidth = 8\nbudget_s = 90\ntrain_folds = [1, 2]\n')
    assert read_gan_config(path) == (GanSettings(width=8, budget_s=90, train_folds=(1, 2)), tmp_path / "set")
    for table, match in [({"wide": 3}, "unknown setting 'wide'"), ({"width": 1}, "width = 1"),
                         ({"width": "wide"}, "width = 'wide'"), ({"device": "tpu"}, "device = 'tpu'")]:  # fmt: skip
        with pytest.raises(ConfigurationError, match=match):
            gan_settings_from(table, "test")


def test_the_documented_file_holds_every_setting_at_its_default(tmp_path):
    text = default_gan_toml()
    path = tmp_path / "dosegan.toml"
    path.write_text(text)
    assert read_gan_config(path) == (GanSettings(), tmp_path / "theranostic")
    for field in fields(GanSettings):
        assert f"\n{field.name} = " in text.replace("\n# ", "\n"), field.name


def test_training_is_reached_from_the_command_line(blob_patients, tmp_path):
    path = tmp_path / "dosegan.toml"
    path.write_text(
        f'patients = "{blob_patients}"\n[dosegan]\nwidth = 2\ndiscriminator_width = 2\nsteps = 2\nbatch = 1\n'
        'folds = 2\ntrain_folds = [2]\ndevice = "cpu"\n'
    )
    done = CliRunner().invoke(app, ["train", str(path), "--task", "predict", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "1 folds, judged on the patients each has not seen" in done.output
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "card.json", "fold-2.safetensors", "fold-2.checkpoint.pt"
    }  # fmt: skip


def test_a_judged_method_is_the_model_with_or_without_outlines(trained, blob_patients):
    pet, ct, labels = images_of(blob_patients / "blob0")
    case = PetCase("blob0", pet, ct, {name: labels == number for name, number in ORGANS.items()}, 70.0)
    with_outlines, without = (gan_method(trained[0], outlined)(case) for outlined in (True, False))
    assert np.array_equal(with_outlines, predict_gan(trained[0], pet, ct, 70.0, case.organs).dose.voxels)
    assert np.array_equal(without, predict_gan(trained[0], pet, ct, 70.0).dose.voxels)


def test_patients_of_two_tracers_are_refused(tmp_path):
    write_blob_patient(tmp_path / "a", 1, tracer="[68Ga]Ga-PSMA-11")
    write_blob_patient(tmp_path / "b", 2, tracer="[68Ga]Ga-DOTATATE")
    with pytest.raises(PredictionError, match="a model learns one pair"):
        read_gan_patients(tmp_path)
