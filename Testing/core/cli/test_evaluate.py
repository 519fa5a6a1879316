"""The verbs gamma and compare on files whose answer is known."""

import csv
import json
from datetime import datetime

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.virtual_patient.dicom_identity import PatientInfo, Visit
from RPTDosimetryLib.virtual_patient.rtstruct_writer import write_rtstruct


@pytest.fixture
def doses(maps):
    """A ramp of 5 to 15 Gy, the same 1 % higher, and two labels."""
    ramp = 5 + np.arange(11, dtype=np.float32)[:, None, None] * np.ones(maps.grid.shape_zyx, dtype=np.float32)
    reference, evaluated = maps.write("reference.nrrd", ramp, "Gy"), maps.write("evaluated.nrrd", ramp * 1.01, "Gy")
    return maps, reference, evaluated


def test_gamma_answers_overall_and_by_label(rptdosimetry, doses):
    maps, reference, evaluated = doses
    out, figure = maps.folder / "gamma.nrrd", maps.folder / "gamma.png"
    answer = rptdosimetry("gamma", reference, evaluated, "--dd", 1, "--dta", 4.8, "--cutoff", 50, "--labels",
                          maps.labels, "--max-gamma", 1.5, "--out", out, "--figure", figure, "--json")  # fmt: skip
    assert answer.code == 0, answer.err
    got = answer.json
    # 50 % of 15 Gy: slices of 8 Gy and more; +1 % of less than 15 Gy passes everywhere, at 15 Gy γ = 1
    assert (got["voxels"], got["judged"], got["passed"]) == (11**3, 8 * 121, 8 * 121)
    assert got["pass_rate_percent"] == 100.0
    assert got["all_voxels"]["judged"] == 11**3
    assert got["settings"]["cutoff_gy"] == pytest.approx(7.5)
    assert got["settings"]["maximum_gamma"] == 1.5
    box, slice_ = got["volumes"]
    assert (box["voxels"], box["judged"]) == (125, 125)
    assert (slice_["voxels"], slice_["judged"], slice_["pass_rate_percent"]) == (121, 0, None)
    assert slice_["all_voxels"]["pass_rate_percent"] == 100.0
    gamma = sitk.GetArrayFromImage(sitk.ReadImage(str(out)))
    assert np.isnan(gamma[:3]).all()
    assert np.isfinite(gamma[3:]).all()
    assert figure.stat().st_size > 20_000


def test_gamma_local_and_text(rptdosimetry, doses):
    _, reference, evaluated = doses
    got = rptdosimetry("gamma", reference, evaluated, "--dd", 0.5, "--dta", 0.1, "--local", "--json").json
    assert got["pass_rate_percent"] == 0.0
    assert "below the voxel size" in got["warnings"][0]
    text = rptdosimetry("gamma", reference, evaluated)
    assert text.code == 0
    assert "1 % global / 4.795 mm" in text.out
    assert "100" in text.out


def test_a_mask_limits_what_is_judged_and_an_empty_one_is_refused(rptdosimetry, doses):
    maps, reference, evaluated = doses
    mask = np.zeros(maps.grid.shape_zyx, dtype=np.uint8)
    empty = maps.write("empty.nrrd", mask)
    mask[5:] = 1
    some = maps.write("some.nrrd", mask)
    got = rptdosimetry("gamma", reference, evaluated, "--mask", some, "--json").json
    assert (got["voxels"], got["settings"]["counted"]) == (6 * 121, "mask")
    got = rptdosimetry("compare", reference, evaluated, "--mask", some, "--json").json
    assert (got["metrics"]["voxels"], got["counted"]) == (6 * 121, "voxels of the mask")
    for verb in ("gamma", "compare"):
        refused = rptdosimetry(verb, reference, evaluated, "--mask", empty)
        assert refused.code == 2
        assert "mask is empty" in refused.err


@pytest.mark.parametrize("verb", ["gamma", "compare"])
def test_other_grids_are_refused_unless_resampling_is_asked_for(rptdosimetry, doses, verb):
    maps, reference, _ = doses
    fine = Grid((16, 22, 22), (2.4, 2.4, 2.4), (-24.0, -24.0, -24.0))  # does not reach the upper slices
    z = 5 + np.arange(16, dtype=np.float32)[:, None, None] / 2 * np.ones(fine.shape_zyx, dtype=np.float32)
    other = maps.write("fine.nrrd", z, "Gy", fine)
    refused = rptdosimetry(verb, reference, other)
    assert refused.code == 2
    assert "grids differ" in refused.err
    assert "--resample" in refused.err
    answer = rptdosimetry(verb, reference, other, "--resample", "--json")
    assert answer.code == 0, answer.err
    assert "resampled" in answer.json["warnings"][0]
    assert "left out" in answer.json["warnings"][0]
    part = rptdosimetry(verb, reference, other, "--resample", "--labels", maps.labels)
    assert part.code == 2
    assert "does not reach all of" in part.err


@pytest.mark.parametrize("verb", ["gamma", "compare"])
def test_a_reference_of_zeros_is_refused(rptdosimetry, doses, verb):
    maps, _, evaluated = doses
    zeros = maps.write("zeros.nrrd", np.zeros(maps.grid.shape_zyx, dtype=np.float32), "Gy")
    refused = rptdosimetry(verb, zeros, evaluated)
    assert refused.code == 2
    assert "no dose above 0" in refused.err


def test_compare_answers_voxels_and_organs(rptdosimetry, doses):
    maps, reference, evaluated = doses
    out = maps.folder / "comparison"
    answer = rptdosimetry("compare", reference, evaluated, "--labels", maps.labels, "--density", maps.density, "--out",
                          out, "--json")  # fmt: skip
    assert answer.code == 0, answer.err
    got = answer.json
    metrics = got["metrics"]
    assert metrics["me_gy"] == pytest.approx(0.1, rel=1e-5)  # 1 % of the mean of 10 Gy
    assert metrics["re_percent"] == pytest.approx(1.0, rel=1e-4)
    assert metrics["rmse_gy"] == pytest.approx(0.01 * np.sqrt(np.mean(np.arange(5.0, 16.0) ** 2)), rel=1e-5)
    assert metrics["psnr_db"] == pytest.approx(20 * np.log10(15 / metrics["rmse_gy"]))
    assert metrics["correlation"] == pytest.approx(1.0)
    assert [row["error_percent"] for row in got["volumes"]] == pytest.approx([1.0, 1.0], rel=1e-4)
    assert got["mean_weighting"] == "voxel mass"
    names = {path.name for path in out.iterdir()}
    pictures = {f"{name}.png" for name in ("relative_error", "voxels", "violins", "profiles", "organs", "dvh")}
    assert names == {"comparison.json", "volumes.csv", *pictures}
    assert metrics["slope_origin"] == pytest.approx(1.01, rel=1e-5)
    assert metrics["slope_orthogonal"] == pytest.approx(1.01, rel=1e-4)
    assert metrics["mape_percent"] == pytest.approx(1.0, rel=1e-4)
    box = got["volumes"][0]
    assert box["metrics"]["correlation"] == pytest.approx(1.0)
    assert box["evaluated_homogeneity_index"] == pytest.approx(box["reference_homogeneity_index"], rel=1e-5)
    assert 0.97 < box["dvh_r2"] < 1.0
    text = rptdosimetry("compare", reference, evaluated, "--labels", maps.labels)
    assert "rmse_gy" in text.out
    assert "evaluated_mean_gy" in text.out


def test_identical_maps_answer_null_and_why(rptdosimetry, doses):
    _, reference, _ = doses
    got = rptdosimetry("compare", reference, reference, "--json").json
    assert got["metrics"]["psnr_db"] is None
    assert got["metrics"]["ssim"] == pytest.approx(1.0)
    assert any("identical" in note for note in got["notes"])
    assert rptdosimetry("gamma", reference, reference, "--json").json["highest_gamma"] == 0.0


def rtdose(path, grid, stored, scaling):
    """An RT Dose as another program would write it: whole numbers and DoseGridScaling [Gy]."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.2"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3.4"
    ds.Modality, ds.DoseUnits, ds.DoseType, ds.DoseSummationType = "RTDOSE", "GY", "PHYSICAL", "PLAN"
    ds.FrameOfReferenceUID = "1.2.3.5"
    ds.NumberOfFrames, ds.Rows, ds.Columns = grid.shape_zyx
    ds.PixelSpacing, ds.SliceThickness = [grid.spacing_mm[1], grid.spacing_mm[0]], grid.spacing_mm[2]
    ds.ImagePositionPatient, ds.ImageOrientationPatient = list(grid.origin_mm), [1, 0, 0, 0, 1, 0]
    ds.GridFrameOffsetVector = [grid.spacing_mm[2] * k for k in range(grid.shape_zyx[0])]
    ds.FrameIncrementPointer = 0x3004000C
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.DoseGridScaling = scaling
    ds.PixelData = stored.astype("<u2").tobytes()
    ds.save_as(path, enforce_file_format=True)
    return path


def test_rtdose_with_its_grid_scaling_and_rtstruct_are_read(rptdosimetry, doses):
    maps, reference, _ = doses
    stored = np.round(1e3 * (5 + np.arange(11.0)[:, None, None] * np.ones(maps.grid.shape_zyx)))
    evaluated = rtdose(maps.folder / "dose.dcm", maps.grid, stored, 1.01e-3)
    labels = np.zeros(maps.grid.shape_zyx, dtype=np.uint8)
    labels[3:8, 3:8, 3:8] = 1
    contours = write_rtstruct(
        *(Image(labels, maps.grid, "1"), {1: "kidney_left"}, maps.folder / "contours.dcm"),
        *(PatientInfo(), Visit(1, datetime(2024, 5, 13, 10))),
    )
    got = rptdosimetry("compare", reference, evaluated, "--labels", contours, "--json")
    assert got.code == 0, got.err
    (kidney,) = got.json["volumes"]
    assert kidney["name"] == "kidney_left"
    assert 117 <= kidney["voxels"] <= 125  # contours cut the eight corners of a cube
    assert kidney["error_percent"] == pytest.approx(1.0, rel=1e-3)
    gamma = rptdosimetry("gamma", reference, evaluated, "--labels", contours, "--json")
    assert gamma.code == 0, gamma.err
    assert gamma.json["volumes"][0]["pass_rate_percent"] == 100.0


@pytest.fixture
def listed(doses):
    """A cohort of three patients, two methods."""
    maps, reference, evaluated = doses
    case = {"reference": reference.name, "evaluated": {"plus 1 %": evaluated.name, "same": reference.name}}
    maps.labels  # noqa: B018
    cases = [{**case, "patient": f"P{n}", "labels": "labels.nii.gz", "names": {1: "liver"}} for n in range(3)]
    path = maps.folder / "cohort.json"
    path.write_text(json.dumps({"cases": cases}), encoding="utf-8")
    return maps, path


def test_evaluate_prints_both_tables_and_writes_them_with_figures(rptdosimetry, listed):
    maps, path = listed
    out = maps.folder / "answer"
    text = rptdosimetry("evaluate", path, "--out", out)
    assert text.code == 0, text.err
    assert "Cases: 3, patients: 3" in text.out
    assert "RAE [%]" in text.out
    assert "1.00 ± 0.00" in text.out
    assert "n = 3: fewer than 5 patients with both are not tested" in text.out
    made = {item.relative_to(out).as_posix() for item in out.rglob("*") if item.is_file()}
    tables = {"cohort.json", "tables.txt", "summary.csv", "cases.csv", "tests.csv", "organs.csv", "volumes.csv"}
    figures = {"patients", "voxel_errors", "voxels", "organ_errors", "organ_errors_signed", "bland_altman"}
    of_case = {f"case/{name}.png" for name in ("doses", "relative_error", "gamma", "profiles", "dvh")}
    assert made == tables | {f"{name}.png" for name in figures} | of_case
    with (out / "cases.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["patient"] for row in rows] == ["P0", "P0", "P1", "P1", "P2", "P2"]
    assert float(rows[0]["rae_percent"]) == pytest.approx(1.0, rel=1e-4)


def test_evaluate_answers_as_json(rptdosimetry, listed):
    _, path = listed
    got = rptdosimetry("evaluate", path, "--json").json
    assert (got["cases"], got["patients"], got["methods"]) == (3, 3, ["plus 1 %", "same"])
    assert {row["group"] for row in got["organs"]} == {"liver", "label 2"}


@pytest.mark.parametrize(
    ("change", "says"),
    [({"reference": "gone.nrrd"}, "files that are not there"), ({"colour": "red"}, "cases.0.colour"),
     ({"reference": "zeros.nrrd"}, "P0, plus 1 %: The reference holds no dose"),
     ({"reference": "away.nrrd"}, "P0: Reference and plus 1 %")],
)  # fmt: skip
def test_a_bad_cohort_is_one_line_and_leaves_nothing(rptdosimetry, listed, change, says):
    maps, path = listed
    maps.write("zeros.nrrd", np.zeros(maps.grid.shape_zyx, dtype=np.float32), "Gy")
    away = Grid(maps.grid.shape_zyx, maps.grid.spacing_mm, (500.0, 0.0, 0.0))
    maps.write("away.nrrd", np.ones(maps.grid.shape_zyx, dtype=np.float32), "Gy", away)
    table = json.loads(path.read_text(encoding="utf-8"))
    table["cases"] = [{key: value for key, value in table["cases"][0].items() if key != "labels"} | change]
    path.write_text(json.dumps(table), encoding="utf-8")
    refused = rptdosimetry("evaluate", path, "--out", maps.folder / "answer")
    assert refused.code == 2
    assert says in refused.err
    assert not (maps.folder / "answer").exists()


def test_a_patient_who_is_not_listed_cannot_be_drawn_and_a_file_is_no_folder(rptdosimetry, listed):
    _, path = listed
    refused = rptdosimetry("evaluate", path, "--drawn", "P9")
    assert "lists no patient P9" in refused.err
    refused = rptdosimetry("evaluate", path, "--out", path)
    assert (refused.code, "is a file" in refused.err) == (2, True)


def test_doses_that_do_not_overlap_are_refused_even_with_resampling(rptdosimetry, doses):
    maps, reference, _ = doses
    away = Grid(maps.grid.shape_zyx, maps.grid.spacing_mm, (500.0, 0.0, 0.0))
    other = maps.write("away.nrrd", np.ones(maps.grid.shape_zyx, dtype=np.float32), "Gy", away)
    for verb in ("gamma", "compare"):
        refused = rptdosimetry(verb, reference, other, "--resample")
        assert (refused.code, "does not reach any voxel" in refused.err) == (2, True)


def test_negative_doses_are_said_and_refused_in_a_volume(rptdosimetry, doses):
    maps, reference, _ = doses
    ramp = 5 + np.arange(11, dtype=np.float32)[:, None, None] * np.ones(maps.grid.shape_zyx, dtype=np.float32)
    ramp[0, 0, 0] = -2.0
    below = maps.write("below.nrrd", ramp, "Gy")
    got = rptdosimetry("compare", reference, below, "--json").json
    assert "1 voxels below 0 Gy, down to -2 Gy" in got["warnings"][0]
    refused = rptdosimetry("compare", reference, below, "--labels", maps.labels)
    assert (refused.code, "label 2 holds doses that are negative" in refused.err) == (2, True)


def test_an_rt_dose_can_be_the_reference(rptdosimetry, doses):
    maps, _, evaluated = doses
    stored = np.round(1e3 * (5 + np.arange(11.0)[:, None, None] * np.ones(maps.grid.shape_zyx)))
    reference = rtdose(maps.folder / "plan.dcm", maps.grid, stored, 1e-3)
    got = rptdosimetry("compare", reference, evaluated, "--labels", maps.labels, "--json").json
    assert got["metrics"]["re_percent"] == pytest.approx(1.0, rel=1e-3)


def test_dvh_with_partial_volume_tells_it(rptdosimetry, doses):
    maps, reference, _ = doses
    answer = rptdosimetry("dvh", reference, "--labels", maps.labels, "--partial-volume", 4, "--json")
    assert answer.code == 0, answer.err
    got = answer.json
    assert "4x4x4 parts" in got["partial_volume"]
    box = got["volumes"][0]
    assert box["volume_ml"] == pytest.approx(125 * 4.8**3 / 1000, rel=1e-3)
    assert box["mean_gy"] == pytest.approx(10.0, rel=2e-3)
    text = rptdosimetry("dvh", reference, "--labels", maps.labels)
    assert "homogeneity_index" in text.out
    refused = rptdosimetry("dvh", reference, "--labels", maps.labels, "--partial-volume", 0)
    assert (refused.code, "1 to 10 parts" in refused.err) == (2, True)
