"""Input that no department should get a dose from, at the verbs: one clear line and exit code 2, or a stated figure."""

import copy
import json
import re
from datetime import datetime, timedelta

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import typer

from RPTDosimetryLib.cli.app import app
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Image, Segment
from RPTDosimetryLib.study.image_files import write_image
from RPTDosimetryLib.virtual_patient.dicom_writer import (
    PatientInfo,
    Visit,
    write_ct_series,
    write_nm_recon_tomo,
    write_rtstruct,
)
from RPTDosimetryLib.virtual_patient.seg_writer import write_seg

GRID = Grid((14, 18, 18), (4.8, 4.8, 4.8), (-40.8, -40.8, -31.2))
RADIUS_MM = np.sqrt(
    sum((4.8 * (i - (n - 1) / 2)) ** 2 for i, n in zip(np.indices(GRID.shape_zyx), GRID.shape_zyx, strict=True))
)
BODY, ORGAN = RADIUS_MM < 30, RADIUS_MM < 14
GIVEN, TIMES_H = datetime(2024, 5, 13, 9, 0), (4.0, 24.0, 72.0)
ALIGNED = '[registration]\nmethod = "none"\n[tia]\nmodel = "monoexponential"\nvoi_model = "monoexponential"\n'


def activity(hours):
    return (np.where(ORGAN, 1e6, np.where(BODY, 2e4, 0.0)) * 2 ** (-hours / 60)).astype(np.float32)


def written(path, voxels, grid=GRID):
    write_image(Image(voxels, grid, ""), path)
    return path


@pytest.fixture
def refused(rptdosimetry, tmp_path):
    """Call a verb that has to fail; returns its one line. Nothing may be written."""

    def call(*arguments):
        before = sorted(tmp_path.rglob("*"))
        answer = rptdosimetry(*arguments)
        assert answer.code == 2, answer.err
        assert answer.out == ""
        (line,) = [line for line in answer.err.splitlines() if not line.startswith(("[", "warning: "))]
        assert sorted(tmp_path.rglob("*")) == before
        return line

    return call


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "run.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def study(tmp_path):
    """Three scans of a hot ball in a water ball, with CT and labels."""
    folder = tmp_path / "study"
    points = []
    for number, hours in enumerate(TIMES_H, start=1):
        written(folder / f"spect{number}.nrrd", activity(hours))
        points.append({"spect": f"spect{number}.nrrd", "time_h": hours, "unit": "Bq/mL", "decay_correction": "NONE"})
    written(folder / "ct.nrrd", np.where(BODY, 0, -1000).astype(np.int16))
    written(folder / "organs.nrrd", ORGAN.astype(np.uint8))
    points[0] |= {"ct": "ct.nrrd", "labels": "organs.nrrd"}
    told = {
        "nuclide": "Lu-177",
        "administered_activity_mbq": 7400,
        "time_points": points,
        "label_names": {"1": "liver"},
    }
    (folder / "study.json").write_text(json.dumps(told))
    return folder


@pytest.fixture
def dose(tmp_path):
    return written(tmp_path / "dose.nrrd", (10 * ORGAN + BODY).astype(np.float32))


def test_two_beds_with_a_gap_between_them(refused, study, config, tmp_path):
    far = Grid(GRID.shape_zyx, GRID.spacing_mm, (-40.8, -40.8, 200.0))
    written(study / "spect2.nrrd", activity(24.0), far)
    joined = config(ALIGNED + "[beds]\ngroups = [[1, 2]]\n")
    for verb in ("run", "calibrate"):
        line = refused(verb, study, "--out", tmp_path / "out", "--config", joined)
        assert re.search(r"Time points 1, 2 are beds .* a gap of 164\.0 mm", line), line


def test_a_transform_that_leaves_the_image(refused, study, config, tmp_path):
    folder = tmp_path / "transforms"
    folder.mkdir()
    for number in (2, 3):
        away = sitk.TranslationTransform(3, (500.0, 0.0, 0.0))
        sitk.WriteTransform(away, str(folder / f"transform_{number}.tfm"))
    assert "Time point 2" in (line := refused("register", study, "--out", tmp_path / "out", "--transforms", folder))
    assert "leaves the image" in line
    told = config(f"[registration]\ntransforms = {json.dumps(str(folder))}\n")
    assert "leaves the image" in refused("run", study, "--out", tmp_path / "out", "--config", told)


@pytest.mark.parametrize("place", ["box_mm = [[500, 500, 500], [520, 520, 520]]", "seed_mm = [500, 0, 0]"])
def test_a_lesion_looked_for_outside_the_image(refused, study, config, tmp_path, place):
    told = config(f'{ALIGNED}[[vois.lesions]]\nname = "lesion 1"\n{place}\n')
    line = refused("run", study, "--out", tmp_path / "out", "--config", told)
    assert "lesion 1" in line
    assert "outside the image" in line
    numbers = re.findall(r"-?\d+", place)
    where = ("--seed", *numbers) if place.startswith("seed") else ("--box", *numbers)
    assert "outside the image" in refused("lesion", study / "spect1.nrrd", *where, "--out", tmp_path / "mask.nrrd")


@pytest.fixture
def dicom(tmp_path):
    """The same patient as NM and CT; returns the folder, the patient, the first visit and its CT files."""
    folder, who = tmp_path / "dicom", PatientInfo("B1")
    visits = [Visit(n, GIVEN + timedelta(hours=h), 1200.0) for n, h in enumerate(TIMES_H, start=1)]
    administration = Administration("Lu-177", 7.4e9, GIVEN, 574300.0)
    for visit, hours in zip(visits, TIMES_H, strict=True):
        spect = Image(activity(hours), GRID, "Bq/mL")
        write_nm_recon_tomo(spect, folder / f"{visit.number}.dcm", who, visit, administration)
    hu = Image(np.where(BODY, 0.0, -1000.0).astype(np.float32), GRID, "HU")
    return folder, who, visits[0], write_ct_series(hu, folder / "ct", who, visits[0]), hu


def test_a_seg_in_the_frame_of_no_image_is_not_used_and_said(rptdosimetry, dicom, tmp_path):
    folder, who, _, _, hu = dicom
    stranger = Visit(9, GIVEN + timedelta(hours=4), 1200.0)
    images = write_ct_series(hu, tmp_path / "elsewhere", who, stranger)
    write_seg([Segment("liver", ORGAN, GRID)], folder / "seg.dcm", who, stranger, images)
    answer = rptdosimetry("volumes", folder, "--json")
    assert answer.json["volumes"] == []
    assert any("seg.dcm belong to no SPECT of this study" in text for text in answer.json["warnings"])


def test_a_seg_that_refers_to_the_ct_but_lies_in_another_frame(refused, dicom, tmp_path):
    folder, who, visit, images, _ = dicom
    write_seg([Segment("liver", ORGAN, GRID)], folder / "seg.dcm", who, visit, images)
    moved = pydicom.dcmread(folder / "seg.dcm")
    moved.FrameOfReferenceUID = "1.2.3.4"
    moved.save_as(folder / "seg.dcm")
    assert "another frame of reference" in refused("run", folder, "--out", tmp_path / "out")


def test_contours_that_cross_themselves_or_overlap_are_said_with_every_figure(rptdosimetry, refused, dose, tmp_path):
    drawn = write_rtstruct(Image(ORGAN.astype(np.uint8), GRID, "1"), {1: "liver"}, tmp_path / "rs.dcm",
                           PatientInfo("B1"), Visit(1, GIVEN))  # fmt: skip
    ds = pydicom.dcmread(drawn)
    sequence = ds.ROIContourSequence[0].ContourSequence
    for contour in sequence:
        z = contour.ContourData[2]
        contour.ContourData = [-20, -20, z, 20, 20, z, 20, -20, z, -20, 20, z]
        contour.NumberOfContourPoints = 4
    ds.save_as(tmp_path / "crossing.dcm")
    for contour in sequence:
        z = contour.ContourData[2]
        contour.ContourData = [-20, -20, z, 20, -20, z, 20, 20, z, -20, 20, z]
    for contour in list(sequence):
        other = copy.deepcopy(contour)
        other.ContourData = [float(v) + (15.0 if n % 3 == 0 else 0.0) for n, v in enumerate(contour.ContourData)]
        sequence.append(other)
    ds.save_as(tmp_path / "overlapping.dcm")
    for name, said in (("crossing", "cross themselves"), ("overlapping", "overlap another one")):
        answer = rptdosimetry("dvh", dose, "--labels", tmp_path / f"{name}.dcm", "--json")
        assert any(said in text and "even-odd rule" in text for text in answer.json["warnings"])
    for contour in sequence:
        contour.ContourData = [float(v) + (900.0 if n % 3 == 0 else 0.0) for n, v in enumerate(contour.ContourData)]
    ds.save_as(tmp_path / "away.dcm")
    assert "lies outside the dose grid" in refused("dvh", dose, "--labels", tmp_path / "away.dcm")


@pytest.mark.parametrize("model", ["monoexponential", "mansouri", "two_point", "biexponential"])
def test_a_curve_that_would_clear_no_faster_than_physics_is_held_there_and_said(rptdosimetry, tmp_path, model):
    path = tmp_path / "rising.json"
    path.write_text(json.dumps({"time_h": [4, 24, 72, 120], "activity_mbq": [1, 2, 4, 8], "nuclide": "Lu-177"}))
    answer = rptdosimetry("curve", path, "--model", model, "--json").json
    slowest = min(v for k, v in answer["parameters"].items() if k.startswith("lambda"))
    assert slowest == pytest.approx(np.log(2) / (6.6443 * 24), rel=5e-3)
    assert any("λ_phys" in text for text in answer["warnings"]), answer["warnings"]


@pytest.mark.parametrize("verb", ["gamma", "compare"])
def test_doses_that_cannot_be_compared(refused, dose, tmp_path, verb):
    zero = written(tmp_path / "zero.nrrd", np.zeros(GRID.shape_zyx, dtype=np.float32))
    small = Grid((10, 10, 10), GRID.spacing_mm, (0.0, 0.0, 0.0))
    other = written(tmp_path / "other.nrrd", np.ones(small.shape_zyx, dtype=np.float32), small)
    assert "the grids differ" in refused(verb, dose, other)
    assert "holds no dose above 0 Gy" in refused(verb, zero, dose)


def test_a_dta_below_the_voxel_is_computed_and_said(rptdosimetry, refused, dose):
    answer = rptdosimetry("gamma", dose, dose, "--dta", 1, "--json").json
    assert answer["pass_rate_percent"] == 100
    assert any("below the voxel size" in text for text in answer["warnings"])
    assert "dta_mm" in refused("gamma", dose, dose, "--dta", 0)


def test_a_wrong_name_for_a_result_is_told_before_the_work(refused, dose, tmp_path):
    assert ".nrrd" in refused("gamma", dose, dose, "--out", tmp_path / "gamma.txt")
    assert "PNG" in refused("gamma", dose, dose, "--out", tmp_path / "gamma.nrrd", "--figure", tmp_path / "gamma.txt")
    assert ".nrrd" in refused("dose", "--tia", tmp_path / "gone.nrrd", "--hu", dose, "--out", tmp_path / "dose.txt")


@pytest.mark.parametrize("verb", ["run", "register"])
def test_a_file_in_the_place_of_the_results_is_told_before_the_work(refused, study, dose, verb):
    (study / "spect1.nrrd").unlink()  # it is not even looked for
    for place in (dose, dose / "results"):
        assert "is a file. Choose another place" in refused(verb, study, "--out", place)


def test_names_in_a_label_file_are_those_of_its_histograms(rptdosimetry, dose, tmp_path):
    labels = sitk.GetImageFromArray(ORGAN.astype(np.uint8))
    labels.SetOrigin(GRID.origin_mm)
    labels.SetSpacing(GRID.spacing_mm)
    for key, value in {"Segment0_LabelValue": "1", "Segment0_Name": "liver", "Segment0_ID": "Segment_1"}.items():
        labels.SetMetaData(key, value)
    sitk.WriteImage(labels, str(tmp_path / "organs.seg.nrrd"))
    for verb in (("dvh", dose), ("compare", dose, dose)):
        answer = rptdosimetry(*verb, "--labels", tmp_path / "organs.seg.nrrd", "--json").json
        assert [row["name"] for row in answer["volumes"]] == ["liver"]


def test_every_help_text_is_shown_whole():
    """A word in square brackets that begins in lower case is markup to the terminal, and swallowed."""
    told = []

    def collect(command, name):
        told.append((name, command.help or ""))
        told.extend((f"{name} {p.name}", getattr(p, "help", None) or "") for p in command.params)
        for inner, verb in getattr(command, "commands", {}).items():
            collect(verb, f"{name} {inner}")

    collect(typer.main.get_command(app), "rptdosimetry")
    assert len(told) > 100
    assert [name for name, text in told if re.search(r"\[[a-z#/@][^\]]*\]", text)] == []
    assert [name for name, text in told if " " in name and not text and not name.endswith(" help")] == []
