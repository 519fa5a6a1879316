"""Results passed on from the command line: RT Dose files, runs repeated."""

import json

import numpy as np
import pydicom
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.image_files import read_image, write_image
from RPTDosimetryLib.study.read_dose import read_dose
from RPTDosimetryLib.virtual_patient.demo_study import ADMINISTERED_AT
from RPTDosimetryLib.virtual_patient.dicom_identity import PatientInfo, Visit
from RPTDosimetryLib.virtual_patient.dicom_writer import write_ct_series


@pytest.fixture
def ct(tmp_path, maps):
    image = Image(np.zeros(maps.grid.shape_zyx, np.float32), maps.grid, "HU")
    write_ct_series(image, tmp_path / "ct", PatientInfo("P3"), Visit(1, ADMINISTERED_AT))
    return tmp_path / "ct"


@pytest.fixture
def dose(maps, tmp_path):
    gray = np.random.default_rng(2).uniform(0, 12, maps.grid.shape_zyx).astype(np.float32)
    write_image(Image(gray, maps.grid, "Gy"), tmp_path / "dose.nrrd", "SSV: one kernel")
    return tmp_path / "dose.nrrd"


def test_rtdose_from_a_map_and_back(rptdosimetry, dose, ct, tmp_path):
    answer = rptdosimetry("rtdose", dose, "--like", ct, "--out", tmp_path / "d.dcm", "--json")
    assert answer.code == 0, answer.err
    image, back = read_image(dose, "Gy"), read_dose(tmp_path / "d.dcm")
    assert back.grid.same_as(image.grid)
    assert np.abs(back.voxels - image.voxels).max() <= 1.01 * answer.json["largest_error_gy"] < 1e-4 * 12
    written = pydicom.dcmread(tmp_path / "d.dcm")
    assert written.FrameOfReferenceUID == answer.json["frame_of_reference_uid"]
    assert written.PatientID == "P3"
    assert written.DerivationDescription == "SSV: one kernel"
    assert len(written.ContentDate) == 8
    text = rptdosimetry("rtdose", tmp_path / "d.dcm", "--like", ct, "--out", tmp_path / "e.dcm", "--bits", 32)
    assert "highest dose 12 Gy" in text.out
    assert read_dose(tmp_path / "e.dcm").voxels == pytest.approx(back.voxels, rel=1e-6)


def test_rtdose_refuses_what_it_cannot_place(rptdosimetry, dose, ct, tmp_path):
    rptdosimetry("rtdose", dose, "--like", ct, "--out", tmp_path / "d.dcm")
    image = Image(np.zeros((3, 3, 3), np.float32), Grid((3, 3, 3), (4.0,) * 3), "HU")
    write_ct_series(image, tmp_path / "other", PatientInfo("P3"), Visit(2, ADMINISTERED_AT))
    for arguments, says in (
        ((tmp_path / "d.dcm", "--like", tmp_path / "other"), "another frame of reference"),
        ((dose, "--like", tmp_path / "gone"), "no such folder"),
        ((dose, "--like", ct, "--bits", 8), "16 or 32 bits"),
        ((tmp_path / "gone.nrrd", "--like", ct), "no such file"),
    ):
        answer = rptdosimetry("rtdose", *arguments, "--out", tmp_path / "e.dcm")
        assert answer.code == 2
        assert says in answer.err
        assert not (tmp_path / "e.dcm").exists()


def test_replay_tells_identical_from_changed(rptdosimetry, maps, tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    for name, path in (("ct", maps.hu), ("organs", maps.labels)):
        path.rename(study / f"{name}{'.nii.gz' if name == 'organs' else '.nrrd'}")
    points = []
    for number, hours in enumerate((4.0, 24.0, 96.0), start=1):
        activity = np.zeros(maps.grid.shape_zyx, np.float32)
        activity[1:9, 2:9, 2:9] = 1e5 * 2 ** (-hours / 60)
        write_image(Image(activity, maps.grid, "Bq/mL"), study / f"s{number}.nrrd")
        points.append({"spect": f"s{number}.nrrd", "time_h": hours, "unit": "Bq/mL", "decay_correction": "NONE"})
    points[0] |= {"ct": "ct.nrrd", "labels": "organs.nii.gz"}
    told = {"patient_id": "P1", "nuclide": "Lu-177", "administered_activity_mbq": 7400, "time_points": points}
    told |= {"administration_time": "2024-05-13T22:30:00", "label_names": {"1": "liver", "2": "spleen"}}
    (study / "study.json").write_text(json.dumps(told))
    (tmp_path / "run.toml").write_text('[registration]\nmethod = "none"\n[tia]\nmodel = "monoexponential"\n')
    done = rptdosimetry("run", study, "--out", tmp_path / "out", "--config", tmp_path / "run.toml")
    assert done.code == 0, done.err
    again = rptdosimetry("replay", tmp_path / "out" / "provenance.json", "--study", study, "--json")
    assert again.code == 0, again.err
    assert again.json["identical"]
    assert again.json["different_inputs"] == []
    (study / "s2.nrrd").write_bytes((study / "s3.nrrd").read_bytes())
    changed = rptdosimetry("replay", tmp_path / "out", "--study", study)
    assert changed.code == 1
    assert "s2.nrrd has changed" in changed.out
    assert rptdosimetry("replay", tmp_path / "gone.json").code == 2
