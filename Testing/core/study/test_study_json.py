"""Plain images with a study.json beside them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.given import StudyGiven, TimePointGiven
from RPTDosimetryLib.study.image_files import write_image
from RPTDosimetryLib.study.inspect import inspect_study
from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.study.total_activity import total_activity_bq

FULL = {
    "patient_id": "P01",
    "nuclide": "Lu-177",
    "administered_activity_mbq": 7400,
    "administration_time": "2024-05-13T09:22:00",
    "half_life_s": 574300,
    "time_points": [
        {
            "spect": "a.nii.gz",
            "acquired": "2024-05-13T13:22:00",
            "unit": "Bq/mL",
            "decay_correction": "ADMIN",
            "duration_s": 1500,
            "ct": "ct.nrrd",
            "labels": "labels.mha",
        },
        {"spect": "b.mhd", "time_h": 24.5, "unit": "kBq/mL", "decay_correction": "NONE"},
    ],
    "label_names": {"1": "liver", "2": "left kidney"},
}


@pytest.fixture
def folder(tmp_path, activity, grid):
    write_image(activity(grid, 1), tmp_path / "a.nii.gz")
    write_image(activity(grid, 2), tmp_path / "b.mhd")
    write_image(Image(np.full(grid.shape_zyx, 40, np.int16), grid, "HU"), tmp_path / "ct.nrrd")
    write_image(Image(np.arange(210).reshape(grid.shape_zyx) % 3, grid, "1"), tmp_path / "labels.mha")
    return tmp_path


def describe(folder, **changes):
    (folder / "study.json").write_text(json.dumps(FULL | changes))


@pytest.mark.parametrize("name", ["", "study.json"])
def test_everything_is_read(folder, activity, grid, name):
    describe(folder)
    study = read_study(folder / name)
    first, second = study.time_points
    assert (first.time_s, second.time_s) == pytest.approx((4 * 3600, 24.5 * 3600))
    assert first.spect.voxels == pytest.approx(activity(grid, 1).voxels * 2 ** (-4 * 3600 / 574300), rel=1e-5)
    assert second.spect.voxels == pytest.approx(1000 * activity(grid, 2).voxels, rel=1e-6)
    assert first.spect.grid.same_as(grid)
    assert second.spect.grid.same_as(grid)
    assert (first.ct.unit, first.duration_s) == ("HU", 1500)
    assert first.labels.voxels.dtype.kind == "i"
    assert study.label_names == {1: "liver", 2: "left kidney"}
    assert study.missing == ()
    assert total_activity_bq(second) == pytest.approx(1000 * activity(grid, 2).voxels.sum() * 0.096, rel=1e-5)


def test_only_the_images_are_required(folder):
    (folder / "study.json").write_text('{"time_points": [{"spect": "a.nii.gz"}]}')
    study = read_study(folder)
    assert study.missing == ("nuclide", "administered activity", "administration time")
    assert study.time_points[0].missing == ("acquisition time", "unit", "decay correction")
    json.dumps(inspect_study(study))


def test_the_configuration_supplies_what_the_description_lacks(folder):
    (folder / "study.json").write_text('{"time_points": [{"spect": "b.mhd"}, {"spect": "a.nii.gz"}]}')
    given = StudyGiven(
        nuclide="Lu-177",
        administered_activity_mbq=7400,
        unit="Bq/mL",
        decay_correction="NONE",
        time_points=(TimePointGiven("b.mhd", time_h=24.5), TimePointGiven("a", time_h=4.0)),
    )
    study = read_study(folder, given)
    assert study.missing == ()
    assert [point.files[0].name for point in study.time_points] == ["a.nii.gz", "b.mhd"]
    assert [point.missing for point in study.time_points] == [(), ()]


def test_acquired_follows_from_the_time_where_the_administration_is_known(folder):
    describe(folder)
    assert str(read_study(folder).time_points[1].acquired) == "2024-05-14 09:52:00"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"time_point": []}, "time_point: Extra inputs"),
        ({"time_points": []}, "time_points"),
        ({"time_points": [{"spect": "a.nii.gz", "hours": 4}]}, "time_points.0.hours"),
        ({"time_points": [{"time_h": 4}]}, "time_points.0.spect"),
        ({"time_points": [{"spect": "a.nii.gz", "time_h": -4}]}, "time_points.0.time_h"),
        ({"time_points": [{"spect": "a.nii.gz", "decay_correction": "YES"}]}, "decay_correction"),
        ({"administered_activity_mbq": 0}, "administered_activity_mbq"),
        ({"administration_time": "noon"}, "administration_time"),
        ({"label_names": {"liver": "1"}}, "label_names"),
        ({"nuclide": "Xx-12"}, "Xx-12 .*unknown"),
        ({"time_points": [{"spect": "c.nii.gz"}]}, "time point 1 .*no such file"),
        ({"time_points": [{"spect": "a.nii.gz", "time_h": 4, "unit": "SUV"}]}, "unknown unit SUV"),
        ({"time_points": [{"spect": "a.nii.gz", "acquired": "2024-05-13T09:00:00"}]}, "before the administration"),
        ({"time_points": [{"spect": "a.nii.gz", "time_h": 4}, {"spect": "a.nii.gz", "time_h": 5}]}, "alike"),
    ],
)
def test_descriptions_that_are_refused(folder, changes, words):
    describe(folder, **changes)
    with pytest.raises(StudyError, match=words):
        read_study(folder)


def test_broken_json(folder):
    (folder / "study.json").write_text('{"time_points": [')
    with pytest.raises(StudyError, match=r"study\.json"):
        read_study(folder)


def test_nan_voxels(folder, activity, grid):
    values = activity(grid).voxels.copy()
    values[0, 0, :2] = np.nan
    write_image(activity(grid).with_voxels(values), folder / "a.nii.gz")
    describe(folder)
    with pytest.raises(StudyError, match="2 voxels that are NaN"):
        read_study(folder)


def test_a_truncated_image(folder):
    path = folder / "a.nii.gz"
    path.write_bytes(path.read_bytes()[:200])
    describe(folder)
    with pytest.raises(StudyError, match=r"a\.nii\.gz"):
        read_study(folder)


def test_labels_that_are_not_whole_numbers(folder, activity, grid):
    write_image(activity(grid), folder / "labels.mha")
    describe(folder)
    with pytest.raises(StudyError, match="not whole numbers"):
        read_study(folder)


def test_labels_stored_as_floating_point_whole_numbers(folder, grid):
    write_image(
        Image((np.arange(210).reshape(grid.shape_zyx) % 3).astype(np.float32), grid, "1"), folder / "labels.mha"
    )
    describe(folder)
    assert set(np.unique(read_study(folder).time_points[0].labels.voxels)) == {0, 1, 2}


def test_oblique_nifti_keeps_its_place(folder, activity, grid):
    oblique = replace(grid, direction=(0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))
    write_image(activity(oblique), folder / "a.nii.gz")
    describe(folder)
    assert read_study(folder).time_points[0].spect.grid.same_as(oblique, tolerance_mm=1e-3)
