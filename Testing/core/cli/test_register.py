"""The verb register: a folder that can be looked at and read again, or one clear error and nothing."""

import json

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.image_files import read_image, write_image
from RPTDosimetryLib.study.read_study import read_study

GRID = Grid((40, 48, 48), (6.0,) * 3, (-141.0, -141.0, -117.0))
CT_GRID = Grid((60, 75, 75), (4.0,) * 3, (-148.0, -148.0, -118.0))


def body(grid, shift_mm=0.0):
    """An ellipse of faint activity with three hot organs, moved along x."""
    k, j, i = np.indices(grid.shape_zyx)
    x, y, z = (o + s * n for o, s, n in zip(grid.origin_mm, grid.spacing_mm, (i, j, k), strict=True))
    x = x - shift_mm
    tissue = 40.0 + 15.0 * np.sin(x / 17.0 + z / 31.0) * np.cos(y / 23.0)  # flat tissue would have no information
    values = tissue * ((x / 120) ** 2 + (y / 90) ** 2 < 1)
    for centre, radius, level in (((-60, 0, 10), 35, 400), ((50, 30, -30), 22, 900), ((20, -30, 50), 14, 1500)):
        values = values + level * (((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2) < radius**2)
    return values.astype(np.float32)


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "study"
    write_image(Image(body(GRID), GRID, "Bq/mL"), folder / "a.nrrd")
    write_image(Image(0.5 * body(GRID, 12.0), GRID, "Bq/mL"), folder / "b.nrrd")
    hu = np.where(body(CT_GRID) > 0, 30, -1000).astype(np.int16)
    write_image(Image(hu, CT_GRID, "HU"), folder / "ct.nrrd")
    told = {
        "patient_id": "P1", "nuclide": "Lu-177", "administered_activity_mbq": 7400.0,
        "administration_time": "2024-05-13T09:22:00",
        "time_points": [
            {"spect": "a.nrrd", "time_h": 4.0, "unit": "Bq/mL", "decay_correction": "NONE", "ct": "ct.nrrd"},
            {"spect": "b.nrrd", "time_h": 24.1, "unit": "Bq/mL", "decay_correction": "NONE"},
        ],
    }  # fmt: skip
    (folder / "study.json").write_text(json.dumps(told))
    return folder


def test_the_folder_is_a_study_of_its_own(rptdosimetry, study, tmp_path):
    out = tmp_path / "out"
    answer = rptdosimetry("register", study, "--out", out, "--json")
    assert answer.code == 0, answer.err
    second = answer.json["time_points"][1]
    assert second["displacement_mm"] == pytest.approx(12.0, abs=0.5)
    assert second["mutual_information_after"] > second["mutual_information_before"]
    names = {"spect_1.nrrd", "spect_2.nrrd", "ct.nrrd", "transform_2.tfm", "registration_2.png", "quality.csv",
             "study.json"}  # fmt: skip
    assert {path.name for path in out.iterdir()} == names
    again = read_study(out)
    assert again.missing == ()
    assert [point.time_s for point in again.time_points] == [4.0 * 3600, 24.1 * 3600]
    before = read_image(study / "b.nrrd", "Bq/mL")
    total = [float(image.voxels.sum(dtype=float)) for image in (before, again.time_points[1].spect)]
    assert total[1] == pytest.approx((1 - second["cut_fraction"]) * total[0], rel=1e-5)
    still = rptdosimetry("register", out, "--out", tmp_path / "again", "--method", "none", "--json")
    assert still.code == 0, still.err
    np.testing.assert_array_equal(
        read_image(tmp_path / "again" / "spect_2.nrrd", "Bq/mL").voxels, again.time_points[1].spect.voxels
    )


def test_transforms_of_a_folder_flow_back(rptdosimetry, study, tmp_path):
    first = rptdosimetry("register", study, "--out", tmp_path / "a", "--json")
    again = rptdosimetry("register", study, "--out", tmp_path / "b", "--transforms", tmp_path / "a", "--json")
    assert again.code == 0, again.err
    assert again.json["time_points"][1]["source"].startswith("transform_2.tfm, SHA-256")
    images = [read_image(tmp_path / name / "spect_2.nrrd", "Bq/mL").voxels for name in "ab"]
    np.testing.assert_array_equal(*images)
    assert first.json["time_points"][1]["displacement_mm"] == again.json["time_points"][1]["displacement_mm"]
    text = rptdosimetry("register", study, "--out", tmp_path / "c", "--transforms", tmp_path / "a")
    assert "displacement_mm" in text.out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--through", "ct"), "time point 2 has no CT"),
        (("--method", "magic"), "method"),
        (("--transforms", "nowhere"), "no such folder"),
    ],
)
def test_what_cannot_be_is_one_clear_error_and_leaves_nothing(rptdosimetry, study, tmp_path, options, says):
    out = tmp_path / "out"
    answer = rptdosimetry("register", study, "--out", out, "--json", *options)
    assert answer.code == 2
    assert says in answer.err
    assert answer.out == ""
    assert not out.exists()
