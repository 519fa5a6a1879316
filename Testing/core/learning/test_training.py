"""Training: it learns, it goes on exactly where it was, and it stops where something is wrong."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='networks need torch: pip install "slicer-rpt-dosimetry[dl]"')

from RPTDosimetryLib.errors import CancelledError, ConfigurationError, LearningError  # noqa: E402
from RPTDosimetryLib.learning.train import divided, train  # noqa: E402
from RPTDosimetryLib.learning.training import MemberTraining  # noqa: E402
from RPTDosimetryLib.learning.training_cases import fold_of, patient_folders, training_case  # noqa: E402
from RPTDosimetryLib.learning.training_settings import (  # noqa: E402
    FitChoice,
    NetworkChoice,
    PatientsChoice,
    TrainSettings,
    default_train_toml,
    read_train_settings,
    train_settings_from,
)

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = FitChoice(patch_zyx=(16, 16, 16), batch=2, steps=12, validate_every=6, learning_rate=5e-3, ema=0.9)
TINY = NetworkChoice("linear_kernel", {"channels": (4, 4)})


def settings_of(cohort=None, fit=SMALL, folds=3, **others):
    where = PatientsChoice(folds=folds) if cohort is None else PatientsChoice(folder=cohort, folds=folds)
    return TrainSettings(network=TINY, patients=where, fit=fit, **others)


def cases_of(patients):
    return [training_case(patient, torch.device("cpu")) for patient in patients]


def member(settings, patients, folder, **run):
    cases = cases_of(patients)
    folder.mkdir(exist_ok=True)
    return MemberTraining(settings, 0, divided(cases, settings.patients.folds, 0, 1), folder).run(**run)


def test_the_documented_file_holds_every_choice_at_its_default():
    import tomllib

    assert train_settings_from(tomllib.loads(default_train_toml()), "train.toml") == TrainSettings()


@pytest.mark.parametrize("name", ["default", "mansouri", "kim"])
def test_each_recipe_is_valid(name):
    from importlib import resources

    path = resources.files("RPTDosimetryLib") / "learning" / "recipes" / f"{name}.toml"
    assert read_train_settings(Path(str(path))).card.name == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[fit]\nbatches = 4", "batches"),
        ("[fit]\nbatch = 0", "at least 1"),
        ('[fit]\nprecision = "bf16"', "fp32 unless"),
        ('[loss]\nkind = "cosine"', "loss.kind"),
        ("[fit", "not valid TOML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, text, said):
    path = tmp_path / "train.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        read_train_settings(path)


def test_it_learns_a_rule_and_writes_its_curves(tmp_path, patients):
    """MC is 0.9 of what physics gives in lungs: untrained, mean doses of lung and soft tissue are off by 11 and 0 %."""
    cases = cases_of(patients)
    for case in cases:
        lung = case.maps["vois"][case.voi_names.index("lung")] > 0
        case.maps["mc"] = torch.where(lung, 0.9, 1.0) * (case.maps["electrons"] + case.maps["photons"])
    settings = settings_of(fit=replace(SMALL, steps=60, validate_every=30))
    found = MemberTraining(settings, 0, divided(cases, 3, 0, 1), tmp_path / "m").run()
    assert found.figures["voi_percent"] < 2.0
    assert set(found.judged_on).isdisjoint(found.trained_on)
    rows = list(csv.DictReader((tmp_path / "m" / "curves.csv").open()))
    assert {"step", "loss", "rae_percent", "msv_rae_percent"} <= set(rows[-1])
    assert (tmp_path / "m" / "curves.png").stat().st_size > 5000


def test_interrupted_training_goes_on_to_the_same_weights(tmp_path, patients):
    whole = member(settings_of(), patients, tmp_path / "whole")
    asked = []

    def after_seven():
        asked.append(1)
        return len(asked) > 7

    with pytest.raises(CancelledError, match="step 7"):
        member(settings_of(), patients, tmp_path / "parts", cancelled=after_seven)
    parts = member(settings_of(), patients, tmp_path / "parts")
    assert all(torch.equal(whole.weights[name], parts.weights[name]) for name in whole.weights)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path, patients):
    member(settings_of(), patients, tmp_path / "m")
    with pytest.raises(LearningError, match="other settings"):
        member(settings_of(fit=replace(SMALL, learning_rate=1e-3)), patients, tmp_path / "m")


def test_a_damaged_checkpoint_is_said(tmp_path, patients):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(LearningError, match="damaged"):
        member(settings_of(), patients, tmp_path / "m")


def test_nan_stops_with_the_samples_named(tmp_path, patients):
    cases = cases_of(patients)
    for case in cases:
        case.maps["mc"][:] = float("nan")
    with pytest.raises(LearningError, match=r"made_up_\d at voxel"):
        MemberTraining(settings_of(), 0, divided(cases, 3, 0, 1), tmp_path).run()


def test_a_patient_with_nan_is_refused_when_it_is_read(patients):
    broken = replace(patients[0], mc_gy=np.full_like(patients[0].mc_gy, np.nan))
    with pytest.raises(LearningError, match="mc_gy holds NaN"):
        training_case(broken, torch.device("cpu"))


def test_out_of_memory_takes_fewer_samples_and_says_so(tmp_path, patients, monkeypatch):
    tried = MemberTraining._try_step
    calls = []

    def short_of_memory(self):
        calls.append(self.batch)
        if self.batch > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return tried(self)

    monkeypatch.setattr(MemberTraining, "_try_step", short_of_memory)
    found = member(settings_of(fit=replace(SMALL, steps=2, validate_every=2)), patients, tmp_path / "m")
    assert calls == [2, 1, 1]
    assert "1 samples a step" in found.warnings[0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_cuda_asked_for_and_absent_is_an_error(tmp_path, cohort):
    with pytest.raises(LearningError, match="no CUDA GPU"):
        train(settings_of(cohort, replace(SMALL, device="cuda")), tmp_path / "out")


def test_cycles_of_one_patient_stay_in_one_fold():
    names = [f"p{n:02d}_cycle{c}" for n in range(20) for c in (1, 2)]
    folds = fold_of(names, 5, 1)
    assert all(folds[f"p{n:02d}_cycle1"] == folds[f"p{n:02d}_cycle2"] for n in range(20))
    assert sorted(np.bincount(list(folds.values()))) == [8] * 5
    with pytest.raises(LearningError, match="cannot be dealt"):
        fold_of(names, 21, 1)


def test_the_whole_command_writes_a_model_that_can_be_read(tmp_path, cohort):
    from RPTDosimetryLib.learning.model_file import read_model

    settings = settings_of(cohort, replace(SMALL, steps=2, validate_every=2))
    card = train(settings, tmp_path / "out")
    assert len(card["members"]) == 3
    assert card["data"]["patients"] == 3
    model = read_model(str(tmp_path / "out" / "model"))
    assert len(model.modules) == 3
    assert json.loads((tmp_path / "out" / "model" / "card.json").read_text())["figures"] == card["figures"]
    assert "| RAE of voxels" in (tmp_path / "out" / "model" / "card.md").read_text()
    assert train(settings, tmp_path / "out")["members"] == card["members"], "done members are not trained again"


def test_a_training_goes_on_from_a_model(tmp_path, cohort):
    """With a learning rate near nothing the weights stay those of the start; the card and the guard hold both."""
    from RPTDosimetryLib.learning.model_file import starting_weights

    first = train(settings_of(cohort, replace(SMALL, steps=4, validate_every=2)), tmp_path / "first")
    start = str(tmp_path / "first" / "model")
    still = replace(SMALL, steps=1, validate_every=1, learning_rate=1e-9)
    settings = replace(settings_of(cohort, still), network=replace(TINY, start=start))
    second = train(settings, tmp_path / "second")
    for fold in range(3):
        before, after = (starting_weights(str(tmp_path / n / "model"), *_tiny(), fold) for n in ("first", "second"))
        assert all(
            torch.allclose(before[name], after[name], atol=1e-6)
            for name in before
            if "running" not in name and "num_batches" not in name
        )
    assert before["head.weight"].any(), "an untrained head would be zero"
    assert second["guard"]["patients"] == first["guard"]["patients"] + 3
    assert "then 3 patients of cohort" in second["data"]["text"]
    assert first["members"][0]["sha256"][:8] in second["training"]["text"]


def test_the_last_layer_alone_can_be_trained(tmp_path, patients):
    found = member(settings_of(fit=replace(SMALL, only_head=True)), patients, tmp_path / "m")
    torch.manual_seed(SMALL.seed)
    before = MemberTraining(settings_of(), 0, divided(cases_of(patients), 3, 0, 1), tmp_path).module.state_dict()
    changed = {name for name in before if not torch.equal(before[name], found.weights[name])}
    assert changed == {"head.weight", "head.bias"}


def test_a_network_without_a_last_layer_of_its_own_says_so(tmp_path, patients):
    pytest.importorskip("monai", reason="MONAI is not installed")
    settings = replace(settings_of(fit=replace(SMALL, only_head=True)), network=NetworkChoice("unet3d_kim"))
    with pytest.raises(LearningError, match="no layer of that name"):
        MemberTraining(settings, 0, divided(cases_of(patients), 3, 0, 1), tmp_path)


def test_only_the_same_network_goes_on(tmp_path, cohort):
    train(settings_of(cohort, replace(SMALL, steps=1, validate_every=1)), tmp_path / "first")
    other = NetworkChoice("linear_kernel", {"channels": (4, 8)}, str(tmp_path / "first" / "model"))
    with pytest.raises(LearningError, match="only the same network"):
        train(replace(settings_of(cohort, SMALL), network=other), tmp_path / "second")


def _tiny():
    return TINY.name, json.loads(json.dumps(TINY.options))


def test_no_patients_of_the_split_is_said(tmp_path, cohort):
    with pytest.raises(LearningError, match="none of the split test"):
        train(replace(settings_of(cohort), patients=PatientsChoice(folder=cohort, splits=("test",))), tmp_path / "out")


def test_splits_of_a_planned_data_set_are_those_of_its_plan(tmp_path, cohort):
    rows = [{"name": f"made_up_{n}", "split": "test" if n == 2 else "train"} for n in (1, 2, 3)]
    (cohort / "cohort.json").write_text(json.dumps({"patients": rows}), encoding="utf-8")
    for path in cohort.glob("*/patient.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        del record["split"]
        path.write_text(json.dumps(record), encoding="utf-8")
    assert [path.name for path in patient_folders(cohort, ("train",))] == ["made_up_1", "made_up_3"]
