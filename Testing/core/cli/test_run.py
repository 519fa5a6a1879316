"""Whole runs on small studies: every result written, or one clear error and nothing written."""

import csv
import json
import math
import re

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.report.provenance import sha256_of
from RPTDosimetryLib.study.image_files import read_image, write_image

GRID = Grid((20, 24, 24), (4.8, 4.8, 4.8), (-55.2, -55.2, -45.6))
TIMES_H = (4.0, 24.0, 72.0, 120.0)
#: Effective half-life of all activity, and the activity concentrations at t = 0.
T_EFF_H = 60.0
BODY_BQ_PER_ML, ORGAN_BQ_PER_ML = 2e4, 1e6
LIMITS_MM = (45.0, 16.0)
WRITTEN_FROM_THE_RECORD = {"provenance.json", "report.html", "report.pdf"}


def distance_mm():
    z, y, x = np.indices(GRID.shape_zyx)
    return np.sqrt(sum(((i - (n - 1) / 2) * 4.8) ** 2 for i, n in zip((z, y, x), GRID.shape_zyx, strict=True)))


class SmallStudy:
    """A water ball with a hot ball in it, as NRRD files with a study.json; its parts can be spoiled one by one."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        r = distance_mm()
        self.body, self.organ = r < LIMITS_MM[0], r < LIMITS_MM[1]
        self.config = folder.parent / "run.toml"
        self.config.write_text('[registration]\nmethod = "none"\n[tia]\nmodel = "monoexponential"\n'
                               'voi_model = "monoexponential"\n')  # fmt: skip
        self.write("ct.nrrd", np.where(self.body, 0, -1000).astype(np.int16))
        self.write("organs.nrrd", self.organ.astype(np.uint8))
        for number, hours in enumerate(TIMES_H, start=1):
            self.write(f"spect{number}.nrrd", self.concentration(hours))
        self.told = {
            "patient_id": "P1",
            "nuclide": "Lu-177",
            "administered_activity_mbq": 7400,
            "administration_time": "2024-05-13T22:30:00",
            "label_names": {"1": "kidney_left"},
            "time_points": [
                {"spect": f"spect{n}.nrrd", "time_h": h, "unit": "Bq/mL", "decay_correction": "NONE"}
                for n, h in enumerate(TIMES_H, start=1)
            ],
        }
        self.told["time_points"][0] |= {"ct": "ct.nrrd", "labels": "organs.nrrd"}

    def concentration(self, hours):
        at_zero = np.where(self.organ, ORGAN_BQ_PER_ML, np.where(self.body, BODY_BQ_PER_ML, 0.0))
        return (at_zero * 2 ** (-hours / T_EFF_H)).astype(np.float32)

    def write(self, name, voxels, grid=GRID):
        write_image(Image(voxels, grid, ""), self.folder / name)

    def run(self, rptdosimetry, out, *more):
        (self.folder / "study.json").write_text(json.dumps(self.told))
        return rptdosimetry("run", self.folder, "--out", out, "--config", self.config, *more)


@pytest.fixture
def small_study(tmp_path):
    return SmallStudy(tmp_path / "study")


def test_run_writes_every_result_and_they_agree_with_hand_figures(small_study, rptdosimetry, tmp_path):
    out = tmp_path / "out"
    answer = small_study.run(rptdosimetry, out, "--json")
    assert answer.code == 0, answer.err
    names = {p.name for p in out.iterdir()}
    assert names == {
        *("dose_gy.nrrd", "tia_bq_s.nrrd", "density_g_per_cm3.nrrd", "vois.nrrd", "organ_doses.csv", "dvh.csv"),
        *("dose_overlay.png", "dvh.png", "curves.png", "provenance.json"),
        *("dose_rtdose.dcm", "tia_with_fewer_scans.csv", "bed_gy.nrrd", "eqd2_gy.nrrd", "radiation_protection.json"),
        *("radiobiology.csv", "limits.csv", "uncertainty.csv", "voi_layers.nrrd", "report.html", "report.pdf"),
        *(
            f"{what}_{n}.{ending}"
            for n in (2, 3, 4)
            for what, ending in (("transform", "tfm"), ("registration", "png"))
        ),
    }
    kidney = next(row for row in answer.json["organ_doses"] if row["name"] == "kidney_left")
    # Ã = A(0)·T_eff/ln 2; nearly all of the electrons' 147.9 keV stays within a ball of 16 mm radius
    volume_ml = small_study.organ.sum() * 4.8**3 / 1000
    tia_bq_s = ORGAN_BQ_PER_ML * volume_ml * T_EFF_H * 3600 / math.log(2)
    assert kidney["tia_bq_s"] == pytest.approx(tia_bq_s, rel=1e-4)
    assert kidney["volume_ml"] == pytest.approx(volume_ml, rel=1e-6)
    local_gy = tia_bq_s * 147.9 * 1.602176634e-16 / (1.018 * volume_ml * 1e-3)
    assert 0.90 * local_gy < kidney["mean_gy"] < 1.02 * local_gy
    assert kidney["gy_per_gbq"] == pytest.approx(kidney["mean_gy"] / 7.4)
    dose = read_image(out / "dose_gy.nrrd", "Gy")
    assert dose.grid.same_as(GRID)
    assert (dose.voxels[~small_study.body] == 0).all()


def test_provenance_hashes_inputs_and_outputs(small_study, rptdosimetry, tmp_path):
    out = tmp_path / "out"
    assert small_study.run(rptdosimetry, out).code == 0
    record = json.loads((out / "provenance.json").read_text())
    assert set(record["inputs_sha256"]) >= {f"spect{n}.nrrd" for n in (1, 2, 3, 4)} | {"ct.nrrd", "organs.nrrd"}
    for name, digest in record["inputs_sha256"].items():
        assert sha256_of(small_study.folder / name) == digest
    assert set(record["outputs_sha256"]) == {p.name for p in out.iterdir()} - WRITTEN_FROM_THE_RECORD
    assert all(sha256_of(out / name) == digest for name, digest in record["outputs_sha256"].items())
    assert record["settings"]["registration"]["method"] == "none"
    assert "Lu-177" in record["steps"]["dose"]["method"]
    rows = list(csv.DictReader((out / "organ_doses.csv").open(encoding="utf-8")))
    assert [row["name"] for row in rows] == ["kidney_left", "body"]


def test_the_same_study_gives_the_same_dose_bit_for_bit(small_study, rptdosimetry, tmp_path):
    for name in ("one", "two"):
        assert small_study.run(rptdosimetry, tmp_path / name).code == 0
    assert sha256_of(tmp_path / "one" / "dose_gy.nrrd") == sha256_of(tmp_path / "two" / "dose_gy.nrrd")
    assert (tmp_path / "one" / "organ_doses.csv").read_text() == (tmp_path / "two" / "organ_doses.csv").read_text()


def test_a_run_by_monte_carlo_states_its_errors_and_repeats(small_study, rptdosimetry, tmp_path):
    """The kidney of the ball by kernels and by Monte Carlo, density on voxels twice as fine; then the same again."""
    kernels = small_study.run(rptdosimetry, tmp_path / "msv", "--json")
    out, kept = tmp_path / "mc", tmp_path / "run.npz"
    options = ("--engine", "monte_carlo", "--histories", "3e5", "--refine", "2", "--seed", "3", "--checkpoint", kept)
    answer = small_study.run(rptdosimetry, out, *options, "--json")
    assert answer.code == 0, answer.err
    by_kernels, ours = kernels.json["organ_doses"][0], answer.json["organ_doses"][0]
    assert 0 < ours["mean_se_gy"] < 0.01 * ours["mean_gy"]
    assert ours["mean_gy"] == pytest.approx(by_kernels["mean_gy"], rel=0.01, abs=3 * ours["mean_se_gy"])
    assert by_kernels["mean_se_gy"] is None
    error = read_image(out / "dose_standard_error_gy.nrrd", "Gy")
    assert error.grid.same_as(read_image(out / "dose_gy.nrrd", "Gy").grid)
    assert "2 times finer" in answer.json["method"]
    assert not (tmp_path / "msv" / "dose_standard_error_gy.nrrd").exists()
    again = rptdosimetry("replay", out, "--study", small_study.folder, "--json")
    assert again.code == 0, again.out
    assert again.json["identical"]


def test_options_of_the_monte_carlo_are_refused_for_other_engines(small_study, rptdosimetry, tmp_path):
    answer = small_study.run(rptdosimetry, tmp_path / "out", "--histories", "1e6")
    assert answer.code == 2
    assert "has no options of the Monte Carlo" in answer.err
    answer = small_study.run(rptdosimetry, tmp_path / "out", "--engine", "magic")
    assert answer.code == 2
    assert "choose one of hybrid, local, monte_carlo" in answer.err
    assert not (tmp_path / "out").exists()


def test_a_run_with_fewer_time_points_leaves_nothing_of_an_earlier_one(small_study, rptdosimetry, tmp_path):
    out = tmp_path / "out"
    assert small_study.run(rptdosimetry, out).code == 0
    (out / "notes.txt").write_text("of the user")
    (out / "transform_3.tfm").write_text("edited by the user")
    small_study.told["time_points"].pop()
    small_study.told["time_points"].pop()
    small_study.config.write_text('[registration]\nmethod = "none"\n')
    assert small_study.run(rptdosimetry, out).code == 0
    left = {path.name for path in out.iterdir()}
    assert left >= {"notes.txt", "transform_2.tfm", "transform_3.tfm"}
    assert not left & {"transform_4.tfm", "registration_3.png", "registration_4.png"}


def without(study, key):
    del study.told[key]


def first(study, **change):
    study.told["time_points"][0] |= change


def spoil(study, name, voxels, grid=GRID):
    study.write(name, voxels, grid)


def nan_voxel(study):
    spoiled = study.concentration(4.0)
    spoiled[3, 3, 3] = np.nan
    spoil(study, "spect1.nrrd", spoiled)


def far_ct(study):
    spoil(
        study, "ct.nrrd", np.zeros(GRID.shape_zyx, np.int16), Grid(GRID.shape_zyx, GRID.spacing_mm, (900.0, 0.0, 0.0))
    )


BAD_STUDIES = {
    "no administered activity": (lambda s: without(s, "administered_activity_mbq"), "administered activity"),
    "no nuclide": (lambda s: without(s, "nuclide"), "nuclide"),
    "unknown nuclide": (lambda s: s.told.update(nuclide="Xx-12"), "Xx-12"),
    "no time": (lambda s: s.told["time_points"][1].pop("time_h"), "time"),
    "no unit": (lambda s: s.told["time_points"][2].pop("unit"), "unit of time point 3"),
    "unknown unit": (lambda s: first(s, unit="furlong"), "furlong"),
    "counts": (lambda s: first(s, unit="counts"), "counts|acquisition duration"),
    "scan before administration": (lambda s: first(s, time_h=-4), "time_h"),
    "two time points alike": (lambda s: s.told["time_points"][1].update(time_h=4.0), "alike|same"),
    "one time point": (lambda s: s.told.update(time_points=s.told["time_points"][:1]), "one|1 |single"),
    "missing file": (lambda s: first(s, spect="gone.nrrd"), "gone.nrrd"),
    "unknown key": (lambda s: s.told.update(nuklide="Lu-177"), "nuklide"),
    "NaN": (nan_voxel, "NaN"),
    "negative activity": (lambda s: spoil(s, "spect2.nrrd", -s.concentration(24.0)), "negative"),
    "zero activity": (lambda s: spoil(s, "spect2.nrrd", 0 * s.concentration(24.0)), "no activity|zero"),
    "too much activity": (lambda s: s.told.update(administered_activity_mbq=10), "above"),
    "empty label map": (lambda s: spoil(s, "organs.nrrd", np.zeros(GRID.shape_zyx, np.uint8)), "empty|no label|label"),
    "CT elsewhere": (far_ct, "CT covers no voxel|does not cover"),
    "truncated file": (
        lambda s: (s.folder / "spect3.nrrd").write_bytes((s.folder / "spect3.nrrd").read_bytes()[:300]),
        "spect3.nrrd",
    ),
    "unknown setting": (lambda s: s.config.write_text("[dose]\nengin = 'ssv'\n"), "Did you mean engine"),
    "unknown engine": (lambda s: s.config.write_text("[dose]\nengine = 'magic'\n"), "magic"),
}


@pytest.mark.parametrize(("spoiled", "says"), BAD_STUDIES.values(), ids=BAD_STUDIES)
def test_bad_input_is_one_clear_error_and_nothing_is_written(small_study, rptdosimetry, tmp_path, spoiled, says):
    spoiled(small_study)
    before = sorted(p.name for p in tmp_path.iterdir())
    answer = small_study.run(rptdosimetry, tmp_path / "out")
    assert answer.code == 2, answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err
    (message,) = [line for line in answer.err.splitlines() if line.startswith("rptdosimetry: ")]
    assert re.search(says, message), message
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_full_disk_leaves_no_results(small_study, rptdosimetry, tmp_path):
    resource = pytest.importorskip("resource", reason="file size limits need a POSIX system")
    (small_study.folder / "study.json").write_text(json.dumps(small_study.told))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = sorted(p.name for p in tmp_path.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        answer = rptdosimetry("run", small_study.folder, "--out", tmp_path / "out", "--config", small_study.config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert answer.code == 2
    assert "could not be written" in answer.err
    assert sorted(p.name for p in tmp_path.iterdir()) == before
