"""calibrate, phantom and cameras on the command line."""

import json
import math

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.image_files import read_image, write_image
from RPTDosimetryLib.study.read_study import read_study

GRID = Grid((6, 30, 30), (4.8, 4.8, 4.8), (-69.6, -69.6, -12.0))
CAMERA = {
    "name": "Lab",
    "nuclide": "Lu-177",
    "factor_cps_per_bq": 1e-5,
    "calibrated": "2024-05-02",
    "collimator": "MEGP",
    "window": "208 keV",
    "source": "bottle",
}


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.setenv("RPTDOSIMETRY_CONFIG", str(tmp_path / "configuration"))
    path = tmp_path / "lab.json"
    path.write_text(json.dumps(CAMERA))
    return path


@pytest.fixture
def counts(tmp_path):
    """A study in counts: two days, 1.5 GBq and half of it, as study.json tells it."""
    folder = tmp_path / "study"
    y, x = np.meshgrid(*[np.arange(30) - 14.5] * 2, indexing="ij")
    shape = np.broadcast_to((np.hypot(x, y) < 8).astype(np.float64), GRID.shape_zyx)
    points = []
    for number, activity_bq in ((1, 1.5e9), (2, 0.75e9)):
        values = shape / shape.sum() * activity_bq * 1e-5 * 1500 * (1 + 0.01 * number)
        write_image(Image(values.astype(np.float32), GRID, "counts"), folder / f"day{number}.nrrd")
        told = {"spect": f"day{number}.nrrd", "time_h": 24.0 * number, "unit": "counts", "decay_correction": "NONE"}
        points.append(told | {"duration_s": 1500})
    study = {"nuclide": "Lu-177", "administered_activity_mbq": 7400, "half_life_s": 574300, "time_points": points}
    (folder / "study.json").write_text(json.dumps(study))
    return folder


def test_a_study_in_counts_becomes_one_in_bq_per_ml(rptdosimetry, library, counts, tmp_path):
    assert rptdosimetry("cameras", "add", library, "--json").code == 0
    out = tmp_path / "calibrated"
    answer = rptdosimetry("calibrate", counts, "--out", out, "--camera", "lab", "--json")
    assert answer.code == 0, answer.err
    assert answer.err == ""
    first = answer.json["time_points"][0]
    decay = math.log(2) / 574300
    start = decay * 1500 / (1 - math.exp(-decay * 1500))
    assert first["total_activity_bq"] == pytest.approx(1.5e9 * 1.01 * start, rel=1e-5)
    assert first["before"] == pytest.approx(1.5e9 * 1.01 * 1e-5 * 1500, rel=1e-5)
    assert first["expected_bq"] == pytest.approx(7.4e9 * 2 ** (-86400 / 574300), rel=1e-6)
    assert first["ratio"] == pytest.approx(first["total_activity_bq"] / first["expected_bq"])
    assert "camera Lab" in first["calibration"]
    back = read_study(out)
    assert [point.missing for point in back.time_points] == [(), ()]
    assert [point.spect.unit for point in back.time_points] == ["Bq/mL", "Bq/mL"]
    again = rptdosimetry("calibrate", out, "--out", tmp_path / "twice")
    assert again.code == 0, again.err
    assert "already quantitative" in again.out
    once, twice = (read_image(f / "spect_1.nrrd", "Bq/mL").voxels for f in (out, tmp_path / "twice"))
    assert np.array_equal(once, twice)


def test_counts_without_a_factor_are_one_clear_error_and_nothing_is_written(rptdosimetry, library, counts, tmp_path):
    answer = rptdosimetry("calibrate", counts, "--out", tmp_path / "out", "--json")
    assert (answer.code, answer.out) == (2, "")
    assert "Time point 1 is in counts and has no calibration factor" in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_library_on_the_command_line(rptdosimetry, library):
    assert "No camera yet" in rptdosimetry("cameras", "list").out
    assert rptdosimetry("cameras", "add", library).code == 0
    assert rptdosimetry("cameras", "add", library).code == 2
    assert rptdosimetry("cameras", "add", library, "--replace").code == 0
    assert rptdosimetry("cameras", "list", "--json").json["cameras"][0]["name"] == "Lab"
    shown = rptdosimetry("cameras", "show", "lab")
    assert json.loads(shown.out)["factor_cps_per_bq"] == 1e-5
    assert rptdosimetry("cameras", "show", "lab", "--json").json["recovery_curve"] is None
    assert rptdosimetry("cameras", "remove", "lab", "--json").json == {"removed": "lab"}
    gone = rptdosimetry("cameras", "show", "lab")
    assert gone.code == 2
    assert "No camera 'lab'" in gone.err


FILLING = """
nuclide = "Lu-177"
half_life_s = 574300
reference_time = 2024-05-02T08:00:00
acquired = 2024-05-02T08:00:00
duration_s = 1500
unit = "counts"
decay_correction = "NONE"
"""


def test_a_phantom_gives_a_factor_that_the_library_keeps(rptdosimetry, library, tmp_path):
    grid = Grid((30, 30, 30), (4.8, 4.8, 4.8), (-69.6, -69.6, -69.6))
    k, j, i = np.indices(grid.shape_zyx) - 14.5
    bottle = (np.sqrt(i**2 + j**2 + k**2) < 8).astype(np.float64)
    decay = math.log(2) / 574300 * 1500
    counts = bottle / bottle.sum() * 300e6 * 9.4e-6 * 1500 * (1 - math.exp(-decay)) / decay
    write_image(Image(counts.astype(np.float32), grid, "counts"), tmp_path / "bottle.nrrd")
    filling = tmp_path / "bottle.toml"
    filling.write_text(FILLING + "activity_mbq = 300\nactivity_relative_se = 0.03\n")
    told = ("phantom", tmp_path / "bottle.nrrd", "--filling", filling)
    answer = rptdosimetry(*told, "--save-as", "Lab", "--collimator", "MEGP", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["factor_cps_per_bq"] == pytest.approx(9.4e-6, rel=1e-5)
    assert answer.json["curve"] is None
    assert rptdosimetry("cameras", "show", "Lab", "--json").json["camera"]["factor_cps_per_bq"] == pytest.approx(9.4e-6)
    text = rptdosimetry(*told)
    assert "9.4 cps/MBq (± 3.0%)" in text.out
    assert "no recovery curve" in text.err
    filling.write_text(FILLING)
    bad = rptdosimetry(*told, "--json")
    assert (bad.code, bad.out) == (2, "")
    assert "no stated activity" in bad.err
