"""The verb volumes, and dvh with contours and segments."""

from datetime import datetime

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Code, Image, Segment
from RPTDosimetryLib.study.image_files import write_image
from RPTDosimetryLib.virtual_patient.dicom_writer import (
    PatientInfo,
    Visit,
    write_ct_series,
    write_nm_recon_tomo,
    write_rtstruct,
)
from RPTDosimetryLib.virtual_patient.seg_writer import write_seg

GRID = Grid((20, 30, 30), (4.0, 4.0, 4.0), (-58.0, -58.0, -38.0))
PATIENT, VISIT = PatientInfo("P01"), Visit(1, datetime(2024, 5, 13, 13, 0))


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "study"
    labels = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    labels[5:15, 8:20, 5:15] = 1
    image = Image(labels, GRID, "1")
    given = Administration("Lu-177", 7.4e9, datetime(2024, 5, 13, 9, 0))
    write_nm_recon_tomo(
        image.with_voxels(np.ones(GRID.shape_zyx, np.float32)), folder / "nm.dcm", PATIENT, VISIT, given
    )
    write_ct_series(image.with_voxels(np.zeros(GRID.shape_zyx, np.float32), "HU"), folder / "ct", PATIENT, VISIT)
    write_rtstruct(image, {1: "Lt kidney"}, folder / "rtstruct.dcm", PATIENT, VISIT)
    tumour = np.zeros(GRID.shape_zyx, dtype=bool)
    tumour[8:11, 22:25, 20:24] = True
    segments = [
        Segment("Segment_1", tumour, GRID, Code("108369006", "SCT", "Neoplasm")),
        Segment("Couch", labels > 0, GRID),
    ]
    write_seg(segments, folder / "seg.dcm", PATIENT, VISIT, sorted((folder / "ct").iterdir()))
    return folder


def test_every_structure_has_its_meaning_and_volume(rptdosimetry, study):
    answer = rptdosimetry("volumes", study, "--json")
    assert answer.code == 0, answer.err
    kidney, tumour, couch = answer.json["volumes"]
    assert (kidney["name"], kidney["canonical_name"], kidney["source"]) == ("Lt kidney", "left kidney", "contours")
    assert kidney["code"] == {"value": "64033007", "scheme": "SCT", "meaning": "Kidney", "laterality": "left"}
    assert kidney["volume_ml"] == pytest.approx(1200 * 0.064, rel=0.01)
    assert (tumour["canonical_name"], tumour["kind"], tumour["source"]) == ("neoplasm", "lesion", "segment")
    assert tumour["volume_ml"] == pytest.approx(36 * 0.064)
    assert (couch["canonical_name"], couch["code"]) == (None, None)  # its file only says tissue
    text = rptdosimetry("volumes", study)
    assert "64033007 SCT" in text.out


@pytest.mark.parametrize("name", ["rtstruct.dcm", "seg.dcm"])
def test_dvh_of_contours_and_segments(rptdosimetry, study, tmp_path, name):
    dose = np.zeros(GRID.shape_zyx, dtype=np.float32)
    dose[5:15, 8:20, 5:15] = 2.5
    write_image(Image(dose, GRID, "Gy"), tmp_path / "dose.nrrd")
    answer = rptdosimetry("dvh", tmp_path / "dose.nrrd", "--labels", study / name, "--json")
    assert answer.code == 0, answer.err
    means = {volume["name"]: volume["mean_gy"] for volume in answer.json["volumes"]}
    assert means == pytest.approx(
        {"rtstruct.dcm": {"Lt kidney": 2.5}, "seg.dcm": {"Segment_1": 0.0, "Couch": 2.5}}[name]
    )


def test_segment_without_the_program_is_one_clear_error(rptdosimetry, tmp_path, monkeypatch):
    hu = np.full((20, 30, 30), -1000.0, dtype=np.float32)
    hu[:, 5:25, 5:25] = 40.0
    write_image(Image(hu, GRID, "HU"), tmp_path / "ct.nrrd")
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = rptdosimetry("segment", tmp_path / "ct.nrrd", "--out", tmp_path / "labels.nrrd")
    assert answer.code == 2
    assert "pip install TotalSegmentator" in answer.err
    assert not (tmp_path / "labels.nrrd").exists()
