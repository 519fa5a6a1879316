"""Verbs report and export as a user calls them, on a run of a small study."""

import json
import shutil

import numpy as np
import pytest

from RPTDosimetryLib.configuration import settings_from
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.pipeline import run
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.image_files import write_image

GRID = Grid((8, 10, 10), (4.8, 4.8, 4.8), (-21.6, -21.6, -16.8))
SETTINGS = {
    "registration": {"method": "none"},
    "tia": {"model": "monoexponential", "voi_model": "monoexponential"},
    "dose": {"engine": "local"},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The results of a run on two NRRD images; not to be spoiled."""
    study = tmp_path_factory.mktemp("run") / "study"
    study.mkdir()
    hot = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    hot[2:6, 3:7, 3:7] = 1
    write_image(Image(np.full(GRID.shape_zyx, 20, dtype=np.int16), GRID, "HU"), study / "ct.nrrd")
    write_image(Image(hot, GRID, "1"), study / "organs.nrrd")
    points = []
    for number, hours in enumerate((4.0, 72.0), start=1):
        activity = (1e4 + 1e6 * hot) * 2 ** (-hours / 60)
        write_image(Image(activity.astype(np.float32), GRID, "Bq/mL"), study / f"spect{number}.nrrd")
        points.append({"spect": f"spect{number}.nrrd", "time_h": hours, "unit": "Bq/mL", "decay_correction": "NONE"})
    points[0] |= {"ct": "ct.nrrd", "labels": "organs.nrrd"}
    told = {
        "patient_id": "P1",
        "nuclide": "Lu-177",
        "administered_activity_mbq": 7400,
        "administration_time": "2024-05-13T22:30:00",
        "label_names": {"1": "kidney_left"},
        "time_points": points,
    }
    (study / "study.json").write_text(json.dumps(told))
    run(study, settings_from(SETTINGS, "test"), study.parent / "results")
    return study.parent / "results"


@pytest.fixture
def results(finished, tmp_path):
    """A copy that may be spoiled."""
    return shutil.copytree(finished, tmp_path / "results")


def test_a_report_is_written_again_and_a_changed_file_is_one_line(rptdosimetry, results, tmp_path):
    done = rptdosimetry("report", results, "--out", tmp_path / "again", "--json")
    assert done.code == 0, done.err
    assert done.json["pdf"] == str(tmp_path / "again" / "report.pdf")
    assert (tmp_path / "again" / "report.html").read_bytes() == (results / "report.html").read_bytes()
    (results / "organ_doses.csv").write_text("name\n")
    done = rptdosimetry("report", results / "provenance.json")
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("rptdosimetry: ")
    assert "organ_doses.csv is no longer what the run wrote" in done.err


def test_an_export_says_what_it_wrote_and_what_the_images_lack(rptdosimetry, results, tmp_path):
    done = rptdosimetry("export", results, "--rtdose", "--seg", "--sr", "--tables", "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    files = set(done.json["files_sha256"])
    assert files == {"dose_rtdose.dcm", "vois_seg.dcm", "measurements_sr.dcm", "organ_doses.csv", "organ_doses.json"}
    assert any("do not state PatientName" in text for text in done.json["warnings"])
    assert done.json["deidentified"] is None
    done = rptdosimetry("export", results, "--seg", "--deidentify", "--out", tmp_path / "hidden")
    assert done.code == 0, done.err
    told = json.loads((tmp_path / "hidden" / "export.json").read_text(encoding="utf-8"))
    assert told["patient_id"].startswith("SUBJECT-")
    assert set(told["files_sha256"]) == {"vois_seg.dcm", "provenance.json", "report.html", "report.pdf"}


def test_an_export_of_nothing_is_one_clear_error(rptdosimetry, results, tmp_path):
    done = rptdosimetry("export", results, "--out", tmp_path / "out")
    assert done.code == 2
    assert "Nothing to export was chosen: say at least one of --rtdose" in done.err
    assert not (tmp_path / "out").exists()
