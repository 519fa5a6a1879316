"""The verbs bed and protection, and what a run writes about the meaning of its dose, over two cycles."""

import csv
import json
import math

import pytest
from Testing.core.cli.test_run import BODY_BQ_PER_ML, GRID, T_EFF_H, SmallStudy

from RPTDosimetryLib.configuration import read_settings
from RPTDosimetryLib.pipeline import run
from RPTDosimetryLib.report.provenance import json_text
from RPTDosimetryLib.study.image_files import read_image

TWO_CYCLES = """
[cycles]
[[cycles.previous]]
results = "{folder}"
same_anatomy = true
[uncertainty]
organ_fwhm_mm = 1.0
spect_fwhm_mm = 8.0
calibration = 0.03
[protection]
release_usv_per_h = 20.0
release_source = "a test"
"""


def table(path):
    return list(csv.DictReader(path.open(encoding="utf-8")))


def test_the_kidney_of_the_reference_case(rptdosimetry):
    answer = rptdosimetry("bed", "--dose", 2.741417, "--half-life-h", 49.224, "--organ", "kidney", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["bed_gy"] == pytest.approx(2.8970, abs=5e-5)
    assert "Barone" in answer.json["source"]
    shown = rptdosimetry("bed", "--dose", 2.741417, "--half-life-h", 49.224, "--organ", "kidney")
    assert "BED 2.897 Gy" in shown.out


def test_an_organ_without_source_needs_its_values(rptdosimetry):
    answer = rptdosimetry("bed", "--dose", 3, "--half-life-h", 50, "--organ", "spleen")
    assert answer.code == 2
    assert "--alpha-beta" in answer.err
    given = rptdosimetry(
        *("bed", "--dose", 3, "--half-life-h", 50, "--organ", "spleen", "--alpha-beta", 3, "--repair-half-life-h", 1),
        "--json",
    )
    assert given.json["bed_gy"] == pytest.approx(3 + 3 / 51)
    assert given.json["source"] == "given on the command line"
    assert rptdosimetry("bed", "--dose", -3, "--half-life-h", 50, "--organ", "kidney").code == 2


def test_protection_from_plain_numbers(rptdosimetry):
    answer = rptdosimetry("protection", "--activity-gbq", 7.4, "--release-usv-per-h", 20, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["points"][0]["activity_mbq"] == pytest.approx(7400)
    assert len(answer.json["staff"]) == 6
    shown = rptdosimetry("protection", "--activity-gbq", 7.4)
    assert "sessions_a_year" in shown.out
    assert "upper estimates" in shown.out
    assert rptdosimetry("protection", "--activity-gbq", 0).code == 2


@pytest.fixture(scope="module")
def two_cycles(tmp_path_factory):
    """The same study twice, the first as an earlier cycle of the second; what the second answers."""
    folder = tmp_path_factory.mktemp("cycles")
    study, first, second = SmallStudy(folder / "study"), folder / "first", folder / "second"
    (study.folder / "study.json").write_text(json.dumps(study.told))
    run(study.folder, read_settings(study.config), first)
    study.config.write_text(study.config.read_text() + TWO_CYCLES.format(folder=first.as_posix()))
    results = run(study.folder, read_settings(study.config), second)
    return study, first, second, json.loads(json_text(results.answer()))


def test_a_run_over_two_cycles(two_cycles):
    study, _, second, told = two_cycles
    effect = table(second / "radiobiology.csv")[0]
    dose, g = float(effect["dose_gy"]), float(effect["lea_catcheside"])
    assert g == pytest.approx(2.8 / (2.8 + T_EFF_H), rel=1e-3)
    bed = dose + g * dose**2 / 2.6
    assert float(effect["bed_gy"]) == pytest.approx(bed)
    assert float(effect["cumulative_gy"]) == pytest.approx(2 * dose, rel=1e-6)
    assert float(effect["cumulative_bed_gy"]) == pytest.approx(2 * bed, rel=1e-6)
    assert effect["cycles"] == "2"
    limit = next(row for row in table(second / "limits.csv") if row["quantity"] == "BED")
    assert float(limit["cumulative_gy"]) == pytest.approx(2 * bed, rel=1e-6)
    both = read_image(second / "cumulative_dose_gy.nrrd", "Gy")
    one = read_image(second / "dose_gy.nrrd", "Gy")
    assert both.voxels == pytest.approx(2 * one.voxels, rel=1e-5, abs=1e-9)
    beds = read_image(second / "cumulative_bed_gy.nrrd", "Gy", "keep").voxels[study.organ]
    assert beds == pytest.approx(2 * read_image(second / "bed_gy.nrrd", "Gy", "keep").voxels[study.organ], rel=1e-4)
    kidney = read_image(second / "bed_gy.nrrd", "Gy", "keep").voxels[study.organ]
    assert kidney == pytest.approx(one.voxels[study.organ] + g * one.voxels[study.organ] ** 2 / 2.6, rel=1e-4)
    assert told["files"]["bed_gy"].endswith("bed_gy.nrrd")
    assert told["limits"][0]["limit_gy"] == 23.0


def test_every_reported_mean_has_its_uncertainty(two_cycles):
    _, first, second, told = two_cycles
    organs = {row["name"]: row for row in table(second / "organ_doses.csv")}
    for name, row in organs.items():
        shares = [share for share in table(second / "uncertainty.csv") if share["name"] == name and share["mean"]]
        combined = math.sqrt(sum(float(share["relative_u"]) ** 2 for share in shares))
        assert float(row["mean_u_gy"]) == pytest.approx(combined * float(row["mean_gy"]))
        assert sum(float(share["percent_of_variance"]) for share in shares) == pytest.approx(100)
    assert "density" in organs["kidney_left"]["u_not_included"]
    assert "calibration" not in organs["kidney_left"]["u_not_included"]
    assert "calibration" in table(first / "organ_doses.csv")[0]["u_not_included"]
    assert {b["name"] for b in told["uncertainty"]} == set(organs)


def test_the_record_holds_the_assessment_and_the_run_repeats(two_cycles, rptdosimetry):
    study, _, second, _ = two_cycles
    record = json.loads((second / "provenance.json").read_text(encoding="utf-8"))
    assert {"bed_gy.nrrd", "limits.csv", "radiation_protection.json"} <= set(record["outputs_sha256"])
    assert any("organ_doses.csv" in name for name in record["settings_files_sha256"])
    protection = json.loads((second / "radiation_protection.json").read_text(encoding="utf-8"))
    body_ml = study.body.sum() * GRID.voxel_volume_ml
    organ_ml = study.organ.sum() * GRID.voxel_volume_ml
    day = next(point for point in protection["points"] if point["time_h"] == 24.0)
    at_zero = BODY_BQ_PER_ML * (body_ml - organ_ml) + 1e6 * organ_ml
    assert day["activity_mbq"] == pytest.approx(at_zero * 2 ** (-24 / T_EFF_H) / 1e6, rel=0.01)
    assert protection["release_time_h"] is not None
    again = rptdosimetry("replay", second, "--study", study.folder, "--json")
    assert again.json["identical"], again.out


@pytest.mark.parametrize(
    ("cycles", "says"),
    [
        ('[[cycles.previous]]\nresults = "nowhere"\n', "nowhere"),
        ("[[cycles.previous]]\nsame_anatomy = true\n", "give results"),
        ('[radiobiology]\ntissues = [{ organ = "kidney", alpha_beta_gy = 2.6, repair_half_life_h = 2.8 }]\n', "source"),
        ('[radiobiology]\nlimits = [{ organ = "kidney", quantity = "BAD", limit_gy = 4, source = "x" }]\n', "quantity"),
        ("[uncertainty]\ncalibration = 3\n", "fraction"),
        ("[protection]\nrelease_usv_per_h = 20\n", "which rule"),
    ],
)
def test_bad_choices_are_one_clear_error_and_nothing_is_written(tmp_path, rptdosimetry, cycles, says):
    study = SmallStudy(tmp_path / "study")
    study.config.write_text(study.config.read_text() + cycles)
    answer = study.run(rptdosimetry, tmp_path / "out")
    assert answer.code == 2, answer.err
    assert says in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "out").exists()
