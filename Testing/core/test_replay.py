"""A run is repeated bit for bit from its record; what differs is named."""

import json
import shutil

import numpy as np
import pytest

from RPTDosimetryLib.configuration import settings_from
from RPTDosimetryLib.errors import ConfigurationError, DosimetryError, ReplayError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.pipeline import run
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.replay import replay
from RPTDosimetryLib.report.provenance import sha256_of
from RPTDosimetryLib.study.image_files import read_image, write_image

GRID = Grid((18, 20, 22), (4.8, 4.8, 4.8), (-50.4, -45.6, -40.8))
SETTINGS = {"tia": {"model": "monoexponential", "voi_model": "monoexponential"}}


def write_study(folder, shift_voxels=0):
    """A water ball with a hot, asymmetric organ, seen three times, the later ones ``shift_voxels`` further along x."""
    folder.mkdir()
    z, y, x = (4.8 * (np.indices(GRID.shape_zyx)[a] - (GRID.shape_zyx[a] - 1) / 2) for a in range(3))
    body = (z / 40) ** 2 + (y / 34) ** 2 + (x / 44) ** 2 < 1
    organ = (z / 18) ** 2 + (y / 10) ** 2 + ((x - 12) / 14) ** 2 < 1
    noise = np.random.default_rng(5).uniform(0.9, 1.1, GRID.shape_zyx)
    points = []
    for number, hours in enumerate((4.0, 24.0, 96.0), start=1):
        activity = (2e4 * body + 1e6 * organ) * noise * 2 ** (-hours / 60.0)
        moved = np.roll(activity, shift_voxels if number > 1 else 0, axis=2).astype(np.float32)
        write_image(Image(moved, GRID, "Bq/mL"), folder / f"spect{number}.nrrd")
        points.append({"spect": f"spect{number}.nrrd", "time_h": hours, "unit": "Bq/mL", "decay_correction": "NONE"})
    write_image(Image(np.where(body, 0, -1000).astype(np.int16), GRID, "HU"), folder / "ct.nrrd")
    write_image(Image(organ.astype(np.uint8), GRID, "1"), folder / "organs.nrrd")
    points[0] |= {"ct": "ct.nrrd", "labels": "organs.nrrd"}
    told = {
        "patient_id": "P1",
        "nuclide": "Lu-177",
        "administered_activity_mbq": 7400,
        "administration_time": "2024-05-13T22:30:00",
        "label_names": {"1": "liver"},
        "time_points": points,
    }
    (folder / "study.json").write_text(json.dumps(told))
    return folder


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("original"), {"registration": {"method": "none"}})


@pytest.fixture
def done(original, tmp_path):
    """A finished run that may be spoiled: its study folder and its results folder."""
    return tuple(shutil.copytree(folder, tmp_path / folder.name) for folder in original)


def finished(tmp_path, settings, shift_voxels=0):
    study = write_study(tmp_path / "study", shift_voxels)
    run(study, settings_from(SETTINGS | settings, "test"), tmp_path / "out")
    return study, tmp_path / "out"


def edited(results, change):
    """The record with something else in it; returns its path."""
    path = results / "provenance.json"
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    return path


@pytest.mark.slow
def test_a_run_is_repeated_bit_for_bit_with_kernels_built_anew(done, tmp_path, monkeypatch):
    study, results = done
    monkeypatch.setenv("RPTDOSIMETRY_CACHE", str(tmp_path / "empty cache"))
    before = {p.name: sha256_of(p) for p in results.iterdir()}
    found = replay(results / "provenance.json", study, tmp_path / "again")
    assert found.identical
    assert (found.inputs, found.versions, found.settings, found.steps) == ((), (), (), ())
    dated = {"provenance.json", "report.html", "report.pdf"}
    assert {output.name for output in found.outputs} == set(before) - dated
    assert "Bit for bit identical" in found.text()
    again = {p.name: sha256_of(p) for p in (tmp_path / "again").iterdir()}
    assert {n: d for n, d in again.items() if n not in dated} == {n: d for n, d in before.items() if n not in dated}
    assert {p.name: sha256_of(p) for p in results.iterdir()} == before


@pytest.mark.slow
def test_registration_too_is_repeated_bit_for_bit(tmp_path):
    study, results = finished(tmp_path, {"registration": {"method": "rigid", "minimum_correlation": 0.1}}, 2)
    alignments = json.loads((results / "provenance.json").read_text())["steps"]["registration"]["alignments"]
    assert alignments[1]["displacement_mm"] > 4.8
    assert replay(results, study).identical


def test_a_changed_byte_of_an_input_is_named_and_nothing_is_run(done, tmp_path):
    study, results = done
    spect = study / "spect2.nrrd"
    content = bytearray(spect.read_bytes())
    content[-9] ^= 1
    spect.write_bytes(content)
    found = replay(results, study, tmp_path / "again")
    assert found.inputs == ("spect2.nrrd has changed",)
    assert not found.identical
    assert not (tmp_path / "again").exists()
    assert "Not repeated" in found.text()


def test_missing_and_additional_inputs_are_named(done):
    study, results = done
    (study / "spect3.nrrd").unlink()
    (study / "note.txt").write_text("x")
    assert replay(results, study).inputs == ("note.txt was not there then", "spect3.nrrd is missing")


def test_another_version_is_named_and_the_results_decide(done):
    study, results = done

    def older(told):
        told["versions"] |= {"numpy": "1.0.0", "source": "0" * 64}
        del told["versions"]["numba"]
        told["tables_sha256"]["transport/data/Lu-177_soft_tissue.npz"] = "0" * 64

    found = replay(edited(results, older), study)
    assert found.identical
    assert any(line.startswith("numpy 1.0.0 then, ") for line in found.versions)
    assert any(line.startswith("numba not recorded then") for line in found.versions)
    assert any(line.startswith("source: ") for line in found.versions)
    assert "transport/data/Lu-177_soft_tissue.npz has changed" in found.versions
    assert len(found.versions) == 4


def test_another_setting_is_named_with_what_it_changes(done):
    study, results = done
    path = edited(results, lambda told: told["settings"]["dose"].update(engine="ssv"))
    found = replay(path, study)
    assert not found.identical
    assert found.settings == ("[dose] was changed in the record after the run",)
    assert 'dose.engine: "msv8" then, "ssv" now' in found.steps
    outputs = {output.name: output for output in found.outputs}
    assert outputs["tia_bq_s.nrrd"].identical
    dose = outputs["dose_gy.nrrd"]
    assert dose.unit == "Gy"
    assert 0 < dose.largest_difference < read_image(results / "dose_gy.nrrd", "Gy").voxels.max()
    assert "by at most" in dose.text
    assert "line 2, " in outputs["organ_doses.csv"].text
    assert "pixels" in outputs["dvh.png"].text
    for words in ("Not identical", "dose_gy.nrrd differs", "[dose]"):
        assert words in found.text()


def test_a_setting_that_is_new_since_then_is_named(done):
    study, results = done
    found = replay(edited(results, lambda told: told["settings"]["dose"].pop("msv_unscaled")), study)
    assert "dose.msv_unscaled: not there then, false now" in found.settings


def test_an_unknown_setting_of_another_version_is_refused(done):
    study, results = done
    with pytest.raises(ConfigurationError, match="magic"):
        replay(edited(results, lambda told: told["settings"]["dose"].update(magic=1)), study)


def test_results_gone_or_changed_since_are_told(done):
    study, results = done
    path = edited(results, lambda told: told["settings"]["dose"].update(engine="ssv"))
    (results / "dose_gy.nrrd").unlink()
    (results / "dvh.csv").write_text("spoiled")
    outputs = {output.name: output for output in replay(path, study).outputs}
    assert "no longer beside its record" in outputs["dose_gy.nrrd"].text
    assert "was changed after the run" in outputs["dvh.csv"].text


@pytest.mark.parametrize(
    ("content", "says"),
    [("not json", "is not JSON"), ("[1]", "not the record of a run"), ('{"settings": {}}', "no inputs_sha256")],
)
def test_what_is_no_record_is_refused(tmp_path, content, says):
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(ReplayError, match=says):
        replay(tmp_path / "p.json", tmp_path)


def test_unclear_places_are_refused(done, tmp_path):
    study, results = done
    with pytest.raises(ReplayError, match="cannot be read"):
        replay(tmp_path / "gone.json", study)
    with pytest.raises(ReplayError, match="choose another folder"):
        replay(results, study, results)
    with pytest.raises(ReplayError, match="where the study lay"):
        replay(edited(results, lambda told: told.update(study=None)))
    with pytest.raises(ReplayError, match="no longer at"):
        replay(edited(results, lambda told: told.update(study=str(tmp_path / "moved"))))
    with pytest.raises(DosimetryError, match="no such folder"):
        replay(results, tmp_path / "elsewhere")


def test_the_recorded_folder_is_used_when_none_is_given(done):
    study, results = done
    assert replay(edited(results, lambda told: told.update(study=str(study)))).identical
