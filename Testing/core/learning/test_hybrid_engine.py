"""The hybrid engine: its model's correction where it may be used, MSV with the reason where it may not."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='networks need torch: pip install "slicer-rpt-dosimetry[dl]"')

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose, engine_names  # noqa: E402
from RPTDosimetryLib.dose.hybrid_settings import HybridSettings  # noqa: E402
from RPTDosimetryLib.errors import DoseError, LearningError  # noqa: E402
from RPTDosimetryLib.grid import Grid  # noqa: E402
from RPTDosimetryLib.learning.guard import features_of, guard_table, guarded  # noqa: E402
from RPTDosimetryLib.learning.model_file import read_model, shipped_models, write_model  # noqa: E402
from RPTDosimetryLib.learning.network_registry import network_kind  # noqa: E402
from RPTDosimetryLib.records import Image, TiaMap, Voi  # noqa: E402
from RPTDosimetryLib.registration.patient_map import patient_map  # noqa: E402

approx = pytest.approx
pytestmark = pytest.mark.usefixtures("one_thread")
OPTIONS = {"channels": [4, 4]}


def weights_of(seed, spread=0.2, options=OPTIONS):
    torch.manual_seed(seed)
    module = network_kind("linear_kernel").module(options)
    torch.nn.init.normal_(module.head.weight, std=spread)
    return module.state_dict()


def features(patient):
    return features_of(patient.density_g_per_cm3, patient.medium8 > 0, patient.tia_bq_s, patient.grid.spacing_mm)


@pytest.fixture
def make_model(tmp_path, make_patient):
    def make(members=2, spread=0.2, name="model", **card):
        rows = [features(make_patient(seed)) for seed in range(1, 6)]
        whole = {
            "name": "made up", "network": "linear_kernel", "options": OPTIONS, "nuclide": "Lu-177",
            "spacing_mm": [4.8, 4.8, 4.8], "guard": guard_table(rows),
            "members": [{"fold": fold} for fold in range(members)], **card,
        }  # fmt: skip
        write_model(tmp_path / name, whole, [weights_of(seed, spread) for seed in range(members)], half=False)
        return tmp_path / name

    return make


def dose_of(patient, model, factor=1.0, nuclide="Lu-177", vois=(), tia=None, **hybrid):
    grid = patient.grid
    activity = patient.tia_bq_s if tia is None else tia
    image = Image((activity * factor).astype(np.float32), grid, "Bq·s")
    mapped = patient_map(Image(patient.hu, grid, "HU"), grid)
    settings = DoseSettings(engine="hybrid", hybrid=HybridSettings(model=str(model), **hybrid))
    return compute_dose(TiaMap(image, "given", 0.0), mapped, nuclide, settings, vois=vois)


def msv_of(patient):
    grid = patient.grid
    mapped = patient_map(Image(patient.hu, grid, "HU"), grid)
    tia = TiaMap(Image(patient.tia_bq_s, grid, "Bq·s"), "given", 0.0)
    return compute_dose(tia, mapped, "Lu-177", DoseSettings(engine="msv8")).image.voxels


def test_the_engine_is_found_without_the_dose_room_importing_it():
    assert "hybrid" in engine_names()


def test_hybrid_is_msv_plus_the_correction_it_shows(make_model, make_patient):
    patient = make_patient(2)
    lung = Voi("lung", patient.vois["lung"], patient.grid)
    dose = dose_of(patient, make_model(), vois=[lung])
    msv = msv_of(patient)
    assert dose.parameters["fell_back"] is False, dose.warnings
    correction = dose.extra_maps["correction_gy"].voxels
    assert np.abs(correction).max() > 0.01 * msv.max()
    assert dose.image.voxels == approx(np.maximum(msv + correction, 0.0), rel=1e-5, abs=1e-6)
    assert dose.image.voxels.min() >= 0.0
    assert "on top of traced electrons and transported photons" in dose.method
    parts = dose.extra_maps["correction_electrons_gy"].voxels + dose.extra_maps["correction_photons_gy"].voxels
    assert parts == approx(correction, rel=1e-3, abs=1e-5)
    told = dose.parameters["volumes"]["lung"]
    mass = patient.density_g_per_cm3[patient.vois["lung"]]
    assert told["msv_mean_gy"] == approx(np.average(msv[patient.vois["lung"]], weights=mass), rel=1e-3)
    assert told["member_sd_gy"] > 0.0
    assert "SHA-256" in dose.method
    assert "Base: MSV" in dose.method


def test_the_engines_dose_scales_with_the_activity(make_model, make_patient):
    model = make_model()
    one, many = (dose_of(make_patient(2), model, factor).image.voxels for factor in (1.0, 250.0))
    assert many / 250.0 == approx(one, rel=1e-3, abs=1e-5 * float(one.max()))


def test_members_that_contradict_each_other_give_msv(make_model, make_patient, monkeypatch):
    """Shrinkage: with mean ± its standard error around 0, nothing of the correction is left."""
    from RPTDosimetryLib.learning import correction

    patient = make_patient(2)
    signs = iter([1.2, 0.8] * 10)

    def opposed(kind, module, maps):
        return maps["msv8"][0] * next(signs), None, ()

    monkeypatch.setattr(correction, "predicted", opposed)
    dose = dose_of(patient, make_model(), attribution=False)
    assert dose.image.voxels == approx(msv_of(patient), rel=1e-5)
    assert dose.extra_maps["member_sd_gy"].voxels.max() > 0.0


@pytest.mark.parametrize(
    ("card", "nuclide", "said"),
    [
        ({"nuclide": "Y-90"}, "Lu-177", "trained on Y-90"),
        ({"spacing_mm": [1.5, 1.5, 1.5]}, "Lu-177", "too different"),
    ],
)
def test_what_a_model_was_not_trained_for_is_msv_with_the_reason(make_model, make_patient, card, nuclide, said):
    dose = dose_of(make_patient(2), make_model(**card), nuclide=nuclide)
    assert dose.parameters["fell_back"] is True
    assert dose.engine_told == "hybrid (MSV-8 in its place)"
    assert any(said in warning and "this is MSV-8" in warning for warning in dose.warnings)
    assert dose.image.voxels == approx(msv_of(make_patient(2)), rel=1e-6)
    assert not dose.extra_maps


def test_another_nuclide_is_never_corrected(make_model, make_patient):
    """The model's own electrons and photons would take the place of those of the other nuclide."""
    forced = dose_of(make_patient(2), make_model(nuclide="Y-90"), when_outside="use")
    assert forced.parameters["fell_back"] is True
    assert forced.image.voxels == approx(msv_of(make_patient(2)), rel=1e-6)


def test_an_anatomy_unlike_the_trainings_is_msv_unless_asked_otherwise(make_model, make_patient):
    giant = make_patient(2, shape=(48, 28, 32))
    model = make_model()
    plain = dose_of(giant, model)
    assert plain.parameters["fell_back"] is True
    assert any("volume of tissue" in warning for warning in plain.warnings)
    forced = dose_of(giant, model, when_outside="use")
    assert forced.parameters["fell_back"] is False
    assert any("used although" in warning for warning in forced.warnings)


def test_guard_tells_inside_from_outside(make_patient):
    table = guard_table([features(make_patient(seed)) for seed in range(1, 9)])
    assert guarded(features(make_patient(4)), table).fit_anatomy
    bony = make_patient(4)
    bony = replace(bony, density_g_per_cm3=np.where(bony.medium8 == 3, 1.6, bony.density_g_per_cm3).astype(np.float32))
    answer = guarded(features(bony), table)
    assert answer.verdict == "outside"
    assert not answer.fit_anatomy
    assert any("above 1.2 g/cm3" in reason for reason in answer.reasons)
    hot = make_patient(4)
    spot = hot.tia_bq_s.copy()
    spot[12, 12, 12] = 100.0 * spot.sum()
    answer = guarded(features(replace(hot, tia_bq_s=spot)), table)
    assert answer.verdict == "outside", "activity unlike the training's is said"
    assert answer.fit_anatomy, "but does not forbid the network, which is linear in it"


def test_other_voxels_get_the_relative_correction_and_say_so(make_model, make_patient):
    """2.4 mm voxels of the same patient: the volume means follow those on 4.8 mm voxels."""
    patient = make_patient(2)
    model = make_model(members=1)
    coarse = dose_of(patient, model)
    fine = replace(
        patient,
        grid=Grid((48, 56, 64), (2.4, 2.4, 2.4), (-1.2, -1.2, -1.2)),
        hu=np.kron(patient.hu, np.ones((2, 2, 2), patient.hu.dtype)),
        tia_bq_s=np.kron(patient.tia_bq_s, np.full((2, 2, 2), 0.125, np.float32)),
    )
    dose = dose_of(fine, model)
    assert "carried over" in dose.method
    inside = np.kron(patient.vois["lung"], np.ones((2, 2, 2), bool)).astype(bool)
    relative = dose.extra_maps["correction_gy"].voxels[inside].sum() / dose.image.voxels[inside].sum()
    before = coarse.extra_maps["correction_gy"].voxels[patient.vois["lung"]].sum()
    before /= coarse.image.voxels[patient.vois["lung"]].sum()
    assert relative == approx(before, rel=0.2)


def test_the_engine_gives_a_map_of_each_input_of_a_published_network(tmp_path, make_patient):
    pytest.importorskip("monai", reason="MONAI is not installed")
    options = {"first": 4}
    card = {
        "name": "kim", "network": "unet3d_kim", "options": options, "nuclide": "Lu-177", "spacing_mm": [4.8, 4.8, 4.8],
        "guard": guard_table([features(make_patient(seed)) for seed in range(1, 6)]),
        "members": [{"fold": 0}, {"fold": 1}],
    }  # fmt: skip
    weights = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        weights.append(network_kind("unet3d_kim").module(options).state_dict())
    write_model(tmp_path / "kim", card, weights, half=False)
    dose = dose_of(make_patient(2), tmp_path / "kim")
    assert {"correction_from_hu_gy", "correction_from_tia_gy"} <= set(dose.extra_maps), dose.warnings
    assert "correction_electrons_gy" not in dose.extra_maps, "only the default network tells that"
    for name in ("correction_from_hu_gy", "correction_from_tia_gy"):
        assert dose.extra_maps[name].unit == "Gy"
        assert dose.extra_maps[name].voxels.any()
    without = dose_of(make_patient(2), tmp_path / "kim", attribution=False)
    assert set(without.extra_maps) == {"correction_gy", "member_sd_gy"}


def test_unscaled_msv_cannot_be_corrected(make_model, make_patient):
    patient = make_patient(2)
    mapped = patient_map(Image(patient.hu, patient.grid, "HU"), patient.grid)
    tia = TiaMap(Image(patient.tia_bq_s, patient.grid, "Bq·s"), "given", 0.0)
    chosen = DoseSettings(engine="hybrid", msv_unscaled=True, hybrid=HybridSettings(model=str(make_model())))
    with pytest.raises(DoseError, match="leave msv_unscaled out"):
        compute_dose(tia, mapped, "Lu-177", chosen)


def test_an_unknown_model_is_named():
    with pytest.raises(LearningError, match="no model 'nowhere'"):
        read_model("nowhere")


def test_damaged_weights_are_refused(make_model):
    path = make_model() / "member_1.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(LearningError, match=r"member_1.*not those of the card"):
        read_model(str(path.parent))


def test_a_cut_off_file_is_refused_even_with_its_own_hash(make_model):
    import hashlib

    folder = make_model(members=1)
    path = folder / "member_0.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["members"][0]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(LearningError, match="no safetensors file"):
        read_model(str(folder))


def test_weights_of_another_architecture_are_refused(make_model):
    folder = make_model(members=1)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["options"] = {"channels": [8, 8]}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(LearningError, match="another architecture"):
        read_model(str(folder))


def test_a_card_that_lacks_a_field_or_is_from_the_future_is_refused(make_model):
    folder = make_model(members=1)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "card.json").write_text(json.dumps({**card, "format": 99}), encoding="utf-8")
    with pytest.raises(LearningError, match="format 99"):
        read_model(str(folder))
    del card["guard"]
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(LearningError, match="lacks guard"):
        read_model(str(folder))


def test_every_shipped_model_is_whole_small_and_named_by_its_folder():
    for name, folder in shipped_models().items():
        model = read_model(name)
        assert model.card["name"] == name
        assert sum(path.stat().st_size for path in folder.iterdir()) < 20e6
        assert (folder / "card.md").is_file()
        assert model.card["licence"]
