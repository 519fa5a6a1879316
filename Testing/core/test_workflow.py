"""One patient from phantom scan to compared doses, by the commands a department would type."""

import csv
import io
import json
import math
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from RPTDosimetryLib.cli.app import main
from RPTDosimetryLib.grid import Grid, resample_mean
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import Administration, Image, Segment
from RPTDosimetryLib.study.dicom_files import CT
from RPTDosimetryLib.study.image_files import read_image, write_image
from RPTDosimetryLib.study.read_dose import read_dose
from RPTDosimetryLib.virtual_patient.dicom_identity import PatientInfo, Visit, uid
from RPTDosimetryLib.virtual_patient.dicom_writer import NmOptions, write_ct_series, write_nm_recon_tomo
from RPTDosimetryLib.virtual_patient.imaging import Pose, SpectImaging, spect_image
from RPTDosimetryLib.virtual_patient.kinetics import RegionKinetics
from RPTDosimetryLib.virtual_patient.patient import VirtualPatient
from RPTDosimetryLib.virtual_patient.rtstruct_writer import ReferencedSeries, write_rtstruct
from RPTDosimetryLib.virtual_patient.seg_writer import write_seg

A0_BQ, GIVEN = 7.4e9, datetime(2024, 5, 13, 9, 0)
TIMES_H = (4.0, 24.0, 72.0, 120.0)
DURATION_S, BED_DELAY_S = 1200.0, 1500.0
FACTOR_CPS_PER_BQ, FWHM_MM = 9.4e-6, 8.0
HALF_LIFE_S = nuclide("Lu-177").half_life_s
LAMBDA = math.log(2) / HALF_LIFE_S
#: Anatomy in voxels of 2.4 mm, SPECT in voxels of 4.8 mm on the same body; two beds share 8 of their 24 slices.
ANATOMY = Grid((76, 72, 72), (2.4, 2.4, 2.4), (-85.2, -85.2, -90.0))
SPECT = Grid((40, 30, 34), (4.8, 4.8, 4.8), (-79.2, -69.6, -93.6))
BEDS = (slice(0, 24), slice(16, 40))
#: Effective half-life [h] and fraction of A0 at t = 0, for each region but the outside.
REGIONS = {"remainder": (50.0, 0.06), "liver": (67.0, 0.05), "lesion": (77.0, 0.012), "kidney": (50.0, 0.03)}
LESION_MM = (-30.0, -4.0, 34.0)
#: What moved between the first scan and the later ones.
POSES = (Pose(), Pose((5.0, -3.0, 4.0)), Pose((-4.0, 2.0, 0.0), (0.0, 0.0, 2.0)), Pose((0.0, 4.0, -5.0)))


def ball(grid, centre_mm, radii_mm):
    """(z, y, x) mask of an ellipsoid; centre and radii along x, y, z."""
    k, j, i = np.indices(grid.shape_zyx)
    point = np.stack([i, j, k], axis=-1) * np.asarray(grid.spacing_mm) + grid.origin_mm
    return (((point - centre_mm) / radii_mm) ** 2).sum(axis=-1) < 1


def bed_grid(part):
    x, y, z = SPECT.origin_mm
    return Grid((part.stop - part.start, *SPECT.shape_zyx[1:]), SPECT.spacing_mm, (x, y, z + 4.8 * part.start))


def decay_in_scan(duration_s=DURATION_S):
    """Mean over the acquisition relative to its start."""
    return -math.expm1(-LAMBDA * duration_s) / (LAMBDA * duration_s)


def build_patient():
    regions = np.zeros(ANATOMY.shape_zyx, dtype=np.uint8)
    regions[ball(ANATOMY, (0, 0, 0), (72, 58, 84))] = 1
    regions[ball(ANATOMY, (-28, 0, 30), (32, 36, 34))] = 2
    regions[ball(ANATOMY, LESION_MM, (12, 12, 12))] = 3
    regions[ball(ANATOMY, (32, 14, -24), (17, 17, 28))] = 4
    hu = np.choose(regions, [-1000, 0, 60, 50, 40]).astype(np.float32)
    hu[ball(ANATOMY, (0, 44, 0), (9, 9, 70))] = 700  # spine
    hu[ball(ANATOMY, (34, -14, 44), (20, 24, 26))] = -700  # lung
    volumes_ml = np.bincount(regions.ravel()) * ANATOMY.voxel_volume_ml
    share = np.r_[0.0, 1.0 / volumes_ml[1:]].astype(np.float32)[regions]
    kinetics = {name: RegionKinetics(((f, t * 3600.0),)) for name, (t, f) in REGIONS.items()}
    vois = {"liver": ("liver",), "lesion": ("lesion",), "kidney": ("kidney",)}
    names = ("outside", *REGIONS)
    return VirtualPatient(Image(hu, ANATOMY, "HU"), Image(regions, ANATOMY, "1"), names, share, kinetics, A0_BQ, vois)


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def rptdosimetry(*arguments):
    """The command as a user calls it."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["rptdosimetry", *(str(a) for a in arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as stop:
            main()
    finally:
        sys.argv = before
    return Answer(stop.value.code or 0, out.getvalue(), err.getvalue())


def good(*arguments):
    answer = rptdosimetry(*arguments)
    assert answer.code == 0, answer.err
    return answer


class Department:
    """A camera, a patient's files and the runs on them; each step is done once, when it is first asked for."""

    def __init__(self, folder):
        self.folder, self.patient = folder, build_patient()
        self.who = PatientInfo("WF-1")
        self.administration = Administration("Lu-177", A0_BQ, GIVEN, HALF_LIFE_S)

    @cached_property
    def camera(self):
        """The phantom's answer: hot spheres in the cold, seen with the patient's resolution."""
        grid = Grid((30, 48, 48), (4.8, 4.8, 4.8), (-112.8, -112.8, -69.6))
        fine = Grid((90, 144, 144), (1.6, 1.6, 1.6), (-114.4, -114.4, -71.2))
        truth, told = np.zeros(fine.shape_zyx, dtype=np.float32), []
        for diameter_mm, angle in zip((16, 22, 28, 37, 60), np.arange(5) * 2 * np.pi / 5, strict=True):
            centre = (66 * math.cos(angle), 66 * math.sin(angle), 0.0)
            truth[ball(fine, centre, (diameter_mm / 2,) * 3)] = 1.5e6
            told.append(f"[[spheres]]\ndiameter_mm = {diameter_mm}\nconcentration_mbq_per_ml = 1.5\n")
            told.append(f"centre_mm = {list(centre)}\n")
        seen = ndimage.gaussian_filter(truth, FWHM_MM / 2.3548 / 1.6).reshape(30, 3, 48, 3, 48, 3).mean((1, 3, 5))
        counts = seen * grid.voxel_volume_ml * FACTOR_CPS_PER_BQ * DURATION_S * decay_in_scan()
        write_image(Image(counts.astype(np.float32), grid, "counts"), self.folder / "phantom.nrrd")
        whole_mbq = float(truth.sum(dtype=np.float64)) * fine.voxel_volume_ml / 1e6
        filling = self.folder / "phantom.toml"
        filling.write_text(
            'nuclide = "Lu-177"\nreference_time = 2024-05-02T08:00:00\nacquired = 2024-05-02T08:00:00\n'
            f'unit = "counts"\ndecay_correction = "NONE"\nduration_s = {DURATION_S}\n'
            f"activity_mbq = {whole_mbq}\nactivity_relative_se = 0.02\n{''.join(told)}"
        )
        scan = self.folder / "phantom.nrrd"
        return good("phantom", scan, "--filling", filling, "--save-as", "Lab", "--collimator", "MEGP", "--json").json

    @cached_property
    def study(self):
        """Two beds of each visit as NM in counts; CT, RTSTRUCT and SEG of the first."""
        folder = self.folder / "study"
        for number, (hours, pose) in enumerate(zip(TIMES_H, POSES, strict=True), start=1):
            for bed, part in enumerate(BEDS, start=1):
                self.write_bed(folder / f"visit{number}_bed{bed}.dcm", (number, bed), hours, (bed_grid(part), pose))
        visit = Visit(1, GIVEN + timedelta(hours=TIMES_H[0]), DURATION_S)
        slices = write_ct_series(self.patient.ct, folder / "ct", self.who, visit)
        regions = self.patient.regions.voxels
        labels = np.select([regions == 4, (regions == 2) | (regions == 3)], [2, 1]).astype(np.uint8)
        series = ReferencedSeries(
            uid(self.who, "series", 1, "CT", 2, "CT"), CT, tuple(uid(self.who, "CT", k) for k in range(len(slices)))
        )
        names = {1: "liver", 2: "kidney_left"}
        write_rtstruct(Image(labels, ANATOMY, "1"), names, folder / "rtstruct.dcm", self.who, visit, series)
        spleen = Segment("spleen", ball(ANATOMY, (40, 14, 6), (16, 16, 14)), ANATOMY)  # reaches into the kidney
        write_seg([spleen], folder / "seg.dcm", self.who, visit, slices)
        return folder

    def write_bed(self, path, which, hours, where):
        (number, bed), (grid, pose) = which, where
        time_s = hours * 3600.0 + (bed - 1) * BED_DELAY_S
        imaging = SpectImaging(FWHM_MM, 5.0, counts_per_bq=None)
        image = spect_image(self.patient, time_s, grid, pose, imaging, np.random.default_rng(0))
        counts = image.voxels * grid.voxel_volume_ml * FACTOR_CPS_PER_BQ * DURATION_S * decay_in_scan()
        visit = Visit(number, GIVEN + timedelta(seconds=time_s), DURATION_S)
        untold = NmOptions(unit=None, decay_correction=None, description=f"bed {bed}")
        write_nm_recon_tomo(image.with_voxels(counts, "counts"), path, self.who, visit, self.administration, untold)

    def config(self, name, integrate="activity", vois=""):
        path = self.folder / name
        path.write_text(
            '[study]\nunit = "counts"\ndecay_correction = "NONE"\n[calibration]\ncamera = "Lab"\n'
            '[tia]\nmodel = "kim"\nvoi_model = "monoexponential"\n'
            f'[dose]\nengine = "msv20"\nintegrate = "{integrate}"\n'
            f'[vois]\nlesions_in_organs = "excluded"\noverlaps = "order"\n{vois}'
            f'[[vois.lesions]]\nname = "lesion 1"\nmethod = "adaptive"\nseed_mm = {list(LESION_MM)}\n'
        )
        return path

    @cached_property
    def first(self):
        """The results: activity integrated."""
        assert self.camera["saved"]
        out = self.folder / "first"
        answer = good("run", self.study, "--out", out, "--config", self.config("first.toml"), "--json")
        return Results(out, answer)

    @cached_property
    def second(self):
        """The same patient after a review, dose rate integrated."""
        reviews = self.folder / "reviews.json"
        for voi in ("kidney_left", "lesion 1"):
            good("review", self.first.folder, "--voi", voi, "--by", "A. Physicist", "--file", reviews)
        config = self.config("second.toml", "dose_rate", f"reviews = {json.dumps(str(reviews))}\n")
        out = self.folder / "second"
        return Results(out, good("run", self.study, "--out", out, "--config", config, "--json"))

    @cached_property
    def truth_gy(self):
        """msv20 on the true decays (integrated as the run does) and the true CT: no camera, beds, motion or blur."""
        points = [self.patient.concentration_at(h * 3600.0).voxels for h in TIMES_H]
        edges = np.array([0.0, *TIMES_H]) * 3600.0
        tia = sum((a + b) / 2 * dt for a, b, dt in zip([0 * points[0], *points], points, np.diff(edges), strict=False))
        tia = resample_mean(tia + points[-1] / LAMBDA, ANATOMY, SPECT) * SPECT.voxel_volume_ml
        hu = resample_mean(self.patient.ct.voxels, ANATOMY, SPECT, fill=-1000.0)
        write_image(Image(tia.astype(np.float32), SPECT, "Bq·s"), self.folder / "true_tia.nrrd")
        write_image(Image(hu.astype(np.float32), SPECT, "HU"), self.folder / "true_hu.nrrd")
        given = ("--tia", self.folder / "true_tia.nrrd", "--hu", self.folder / "true_hu.nrrd")
        good("dose", *given, "--engine", "msv20", "--out", self.folder / "true_dose.nrrd")
        return read_image(self.folder / "true_dose.nrrd", "Gy").voxels

    def true_tia_bq_s(self, region):
        """Ã of a region [Bq·s] as trapezoids from 0 through the scans and the physical tail, from its known curve."""
        half_life_h, fraction = REGIONS[region]
        activity = [0.0, *(A0_BQ * fraction * 2 ** (-h / half_life_h) for h in TIMES_H)]
        return float(np.trapezoid(activity, np.array([0.0, *TIMES_H]) * 3600.0)) + activity[-1] / LAMBDA

    def volume_ml(self, region):
        return np.count_nonzero(self.patient.regions.voxels == 1 + list(REGIONS).index(region)) * 2.4**3 / 1000

    def true_mean_gy(self, region):
        mask = resample_mean((self.patient.regions.voxels == region).astype(np.float32), ANATOMY, SPECT) >= 0.5
        return float(self.truth_gy[mask].mean())


@dataclass(frozen=True)
class Results:
    folder: Path
    answer: Answer

    @cached_property
    def record(self):
        return json.loads((self.folder / "provenance.json").read_text(encoding="utf-8"))

    @cached_property
    def organs(self):
        return {row["name"]: row for row in self.answer.json["organ_doses"]}

    @property
    def dose(self):
        return read_image(self.folder / "dose_gy.nrrd", "Gy")


@pytest.fixture(scope="module")
def department(tmp_path_factory):
    folder = tmp_path_factory.mktemp("department")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RPTDOSIMETRY_CONFIG", str(folder / "configuration"))
        yield Department(folder)


def test_a_phantom_becomes_a_camera_of_the_library(department):
    found = department.camera
    assert found["factor_cps_per_bq"] == pytest.approx(FACTOR_CPS_PER_BQ, rel=1e-3)
    recovered = [sphere["recovery_coefficient"] for sphere in found["spheres"]]
    assert recovered == sorted(recovered)
    assert 0.4 < recovered[0] < 0.5 < 0.8 < recovered[-1] < 0.9
    assert good("cameras", "show", "lab", "--json").json["camera"]["collimator"] == "MEGP"


def test_beds_and_structures_are_found_and_only_the_untold_is_missing(department):
    seen = good("inspect", department.study, "--json").json
    assert len(seen["time_points"]) == 8
    assert all("unit" in point["missing"] for point in seen["time_points"])
    drawn = good("volumes", department.study, "--json").json["volumes"]
    assert {row["name"]: row["code"]["value"] for row in drawn} == {
        "liver": "10200004",
        "kidney_left": "64033007",
        "spleen": "78961009",
    }
    refused = rptdosimetry("run", department.study, "--out", department.folder / "refused")
    assert refused.code == 2
    assert "unit" in refused.err
    assert not (department.folder / "refused").exists()


def test_two_beds_in_counts_hold_the_true_activity_of_each_visit(department):
    totals = department.first.record["steps"]["total_activity"]
    assert len(totals) == len(TIMES_H)
    for row, hours in zip(totals, TIMES_H, strict=True):
        truth_bq = A0_BQ * sum(f * 2 ** (-hours / t) for t, f in REGIONS.values())
        assert row["total_activity_bq"] == pytest.approx(truth_bq, rel=5e-3)
        assert row["expected_bq"] == pytest.approx(A0_BQ * math.exp(-LAMBDA * hours * 3600), rel=1e-5)
    out = department.folder / "calibrated"
    alone = good("calibrate", department.study, "--out", out, "--config", department.config("alone.toml"), "--json")
    assert [row["total_activity_bq"] for row in alone.json["time_points"]] == pytest.approx(
        [row["total_activity_bq"] for row in totals]
    )


def test_the_motion_between_visits_is_found_again(department):
    middle = np.array([[0, 0, 0, 1], [32, 14, -24, 1], [*LESION_MM, 1]], dtype=float)
    alignments = department.first.record["steps"]["registration"]["alignments"]
    for pose, alignment in zip(POSES[1:], alignments[1:], strict=True):
        found = middle @ np.array(alignment["moving_from_fixed"]).T
        true = middle @ pose.moved_from_rest.T
        assert np.linalg.norm((found - true)[:, :3], axis=1).max() < 1.0
    for n in (2, 3, 4):
        assert (department.first.folder / f"transform_{n}.tfm").is_file()


def test_the_results_folder_is_complete_and_its_rt_dose_is_the_dose_map(department):
    folder = department.first.folder
    assert set(department.first.record["outputs_sha256"]) == {p.name for p in folder.iterdir()} - {
        "provenance.json",
        "report.html",
        "report.pdf",
    }
    dose, rt = department.first.dose, read_dose(folder / "dose_rtdose.dcm")
    assert dose.grid.same_as(SPECT)
    assert rt.grid.same_as(dose.grid)
    assert np.abs(rt.voxels - dose.voxels).max() <= 1e-4 * dose.voxels.max()
    validator = shutil.which("dciodvfy")
    if validator:
        said = subprocess.run(
            [validator, folder / "dose_rtdose.dcm"], check=False, capture_output=True, text=True
        ).stderr
        assert not [line for line in said.splitlines() if line.startswith("Error")]


def test_organ_doses_against_the_truth_with_and_without_recovery(department):
    organs, mass_kg = department.first.organs, 1.05e-3 * department.volume_ml("kidney")
    # Ã·(electron energy of a decay)/mass of the true kidney; photons and neighbours add about 1 %
    plain_gy = department.true_tia_bq_s("kidney") * 147.9 * 1.602176634e-16 / mass_kg
    kidney = organs["kidney_left"]
    assert 0.75 < kidney["mean_gy"] / plain_gy < 0.85  # what 8 mm of blur leaves of 34 mL
    assert kidney["mean_recovered_gy"] == pytest.approx(kidney["mean_gy"] / kidney["recovery_coefficient"])
    assert 0.98 < kidney["mean_recovered_gy"] / plain_gy < 1.06
    # a large organ needs no recovery: camera, beds, motion, blur and contours together
    assert organs["liver"]["mean_gy"] == pytest.approx(department.true_mean_gy(2), rel=0.05)
    # the curve holds for cold surroundings: a lesion in the liver lies between the two figures
    lesion = organs["lesion 1"]
    assert lesion["mean_gy"] < department.true_mean_gy(3) < lesion["mean_recovered_gy"]


def test_the_phantoms_own_uncertainties_reach_the_dose(department):
    """Factor (2 % of the filling and the counts) and recovery curve of the camera are shares of the kidney's budget."""
    budget = next(b for b in department.first.answer.json["uncertainty"] if b["name"] == "kidney_left")
    shares = {share["cause"]: share["relative_u"] for share in budget["recovered_shares"]}
    assert shares["calibration factor"] == pytest.approx(department.camera["factor_relative_se"])
    assert 0 < shares["recovery curve"] < 0.1
    assert not [text for text in budget["not_included"] if "calibration" in text or text.startswith("recovery")]
    assert department.first.organs["kidney_left"]["mean_recovered_u_gy"] == budget["mean_recovered_u_gy"]


def test_the_decays_and_the_energy_of_the_whole_body_are_those_of_the_truth(department):
    tia = read_image(department.first.folder / "tia_bq_s.nrrd", "Bq·s").voxels.sum(dtype=np.float64)
    assert tia == pytest.approx(sum(department.true_tia_bq_s(region) for region in REGIONS), rel=5e-3)
    mass = read_image(department.first.folder / "density_g_per_cm3.nrrd", "g/cm3").voxels
    energy, truth = (
        float((mass * gy).sum(dtype=np.float64)) for gy in (department.first.dose.voxels, department.truth_gy)
    )
    (in_air,) = (text for text in department.first.answer.json["warnings"] if "decays lie in voxels of air" in text)
    assert in_air.startswith("1.3 %")  # blur carries them out of the body
    assert energy == pytest.approx((1 - 0.013) * truth, rel=5e-3)


def test_a_lesion_drawn_on_spect_leaves_its_organ_and_overlaps_follow_the_rule(department):
    organs = department.first.organs
    assert organs["lesion 1"]["kind"] == "lesion"
    assert organs["lesion 1"]["volume_ml"] == pytest.approx(department.volume_ml("lesion"), rel=0.1)
    assert organs["liver"]["lesions"] == "excluded"
    assert organs["liver"]["volume_ml"] == pytest.approx(department.volume_ml("liver"), rel=0.02)
    # the spleen of the SEG reaches into the kidney of the RTSTRUCT, which comes first
    assert organs["kidney_left"]["volume_ml"] == pytest.approx(department.volume_ml("kidney"), rel=0.02)
    (given_up,) = (text for text in department.first.answer.json["warnings"] if "overlap rule order" in text)
    assert given_up.startswith("spleen gives up 1.88 mL to kidney_left")
    labels = read_image(department.first.folder / "vois.nrrd", "1")
    for row in department.first.record["steps"]["vois"]:
        if row["kind"] != "region":
            counted = np.count_nonzero(labels.voxels == row["label"]) * labels.grid.voxel_volume_ml
            assert counted == pytest.approx(organs[row["name"]]["volume_ml"])  # no voxel is in two of them
    table = list(csv.DictReader((department.first.folder / "organ_doses.csv").open(encoding="utf-8")))
    assert [row["name"] for row in table] == ["liver", "kidney_left", "spleen", "lesion 1", "body"]


def test_a_review_holds_for_the_contour_it_was_given_to(department):
    assert department.first.organs["kidney_left"]["reviewed_by"] is None
    reviewed = department.second.organs
    assert reviewed["kidney_left"]["reviewed_by"].startswith("A. Physicist, ")
    assert reviewed["lesion 1"]["reviewed_by"].startswith("A. Physicist, ")
    assert reviewed["liver"]["reviewed_by"] is None


def test_dose_rate_integrated_is_the_dose_of_activity_integrated(department):
    one, other = department.first.dose.voxels, department.second.dose.voxels
    assert department.second.record["settings"]["dose"]["integrate"] == "dose_rate"
    judged = one > 0.01 * one.max()
    assert np.abs(other[judged] / one[judged] - 1).max() < 1e-5


def test_the_run_is_repeated_bit_for_bit_from_its_record(department):
    again = good("replay", department.second.folder, "--json").json
    assert again["identical"]
    assert again["different_inputs"] == again["different_settings"] == again["different_steps"] == []


def test_msv8_against_msv20_by_their_rt_dose_files(department):
    first, folder = department.first, department.folder
    maps = ("--tia", first.folder / "tia_bq_s.nrrd", "--density", first.folder / "density_g_per_cm3.nrrd")
    good("dose", *maps, "--engine", "msv8", "--out", folder / "msv8.nrrd")
    good("rtdose", folder / "msv8.nrrd", "--like", department.study / "visit1_bed1.dcm", "--out", folder / "msv8.dcm")
    both = (first.folder / "dose_rtdose.dcm", folder / "msv8.dcm", "--labels", department.study / "rtstruct.dcm")
    compared = good("compare", *both, "--out", folder / "comparison", "--json").json
    assert [row["name"] for row in compared["volumes"]] == ["liver", "kidney_left"]
    # the two schemes differ in lung and bone, not in soft organs
    assert all(abs(row["error_percent"]) < 0.05 for row in compared["volumes"])
    assert compared["metrics"]["correlation"] > 0.9995
    assert 0 < compared["metrics"]["rae_percent"] < 1
    assert {p.name for p in (folder / "comparison").iterdir()} >= {"comparison.json", "organs.png", "dvh.png"}
    judged = good("gamma", *both, "--out", folder / "gamma.nrrd", "--figure", folder / "gamma.png", "--json").json
    assert [row["pass_rate_percent"] for row in judged["volumes"]] == [100.0, 100.0]
    assert 95 < judged["pass_rate_percent"] < 100
    index = read_image(folder / "gamma.nrrd", "1", undefined="keep").voxels
    assert np.count_nonzero(np.isfinite(index)) == judged["judged"]
