"""The activity model on a real CT, or on one built from water."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.grid import Grid, grid_of
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.read_ct import read_ct
from RPTDosimetryLib.virtual_patient.ct_patient import patient_from_ct
from RPTDosimetryLib.virtual_patient.demo_study import write_demo_study

SHARED = Path(__file__).parents[3] / "../shared/data"


@pytest.fixture(scope="module")
def water_ct():
    """An elliptic body of soft tissue with two lungs at the top, a bony column at the back, and a couch."""
    grid = Grid((90, 120, 150), (3.0, 3.0, 4.0), (-223.5, -178.5, 0.0))
    x, y = np.meshgrid(-223.5 + 3 * np.arange(150), -178.5 + 3 * np.arange(120))
    z = 4.0 * np.arange(90)[:, None, None]
    hu = np.full(grid.shape_zyx, -1000.0, dtype=np.float32)
    hu[:, (x / 170) ** 2 + (y / 115) ** 2 < 1] = 45.0
    lungs = (((np.abs(x) - 80) / 55) ** 2 + (y / 80) ** 2 < 1) & (z > 250)
    hu[lungs] = -800.0
    hu[:, (x / 22) ** 2 + ((y - 75) / 22) ** 2 < 1] = 250.0
    hu[:, ((x / 22) ** 2 + ((y - 75) / 22) ** 2 < 1) & ((x / 18) ** 2 + ((y - 75) / 18) ** 2 > 1)] = 700.0
    hu[:, 115:117, 20:130] = 100.0
    return Image(hu, grid, "HU")


def volumes_ml(patient):
    return {name: float(patient.mask(name).sum()) * patient.grid.voxel_volume_ml for name in patient.vois}


def test_placed_shapes_say_that_they_are_placed(water_ct):
    patient = patient_from_ct(water_ct, None, 2)
    assert "placed shapes (not segmented)" in patient.source
    assert any("not segmented" in w for w in patient.warnings)
    found = volumes_ml(patient)
    assert found["lungs"] == pytest.approx(2 * np.pi * 55 * 80 * 27 * 4 / 1000, rel=0.08)
    assert 900 < found["liver"] < 1700
    assert found["bones"] == pytest.approx(np.pi * 22**2 * 0.36, rel=0.12)
    assert found["lesion_liver_1"] == pytest.approx(30.0, rel=0.08)
    body = patient.regions.voxels > 0
    assert not body[:, 113:].any()  # the couch is not body


def test_liver_lies_right_and_spleen_left(water_ct):
    patient = patient_from_ct(water_ct, None, 2)
    middle = {name: (patient.grid.lps_from_ijk @ [*np.argwhere(patient.mask(name)).mean(axis=0)[::-1], 1])[:3]
              for name in ("liver", "spleen", "kidney_left", "kidney_right")}  # fmt: skip
    assert middle["liver"][0] < -30 < 30 < middle["spleen"][0]
    assert middle["kidney_left"][0] > 30 > -30 > middle["kidney_right"][0]
    assert middle["kidney_left"][1] > 0  # towards the back


def test_activity_is_accounted_for(water_ct):
    patient = patient_from_ct(water_ct, None, 2)
    total = sum(float(c.activity_fraction(86400.0)) for c in patient.kinetics.values()) * 7.4e9
    seen = patient.concentration_at(86400.0).voxels.sum(dtype=np.float64) * patient.grid.voxel_volume_ml
    assert seen == pytest.approx(total, rel=1e-5)


def test_a_flipped_ct_gives_the_same_patient(water_ct):
    grid = water_ct.grid
    far = grid.lps_from_ijk @ [149, 119, 0, 1]
    flipped = Image(
        water_ct.voxels[:, ::-1, ::-1],
        Grid(grid.shape_zyx, grid.spacing_mm, tuple(far[:3]), (-1, 0, 0, 0, -1, 0, 0, 0, 1)),
        "HU",
    )
    np.testing.assert_array_equal(
        patient_from_ct(flipped, None, 2).regions.voxels, patient_from_ct(water_ct, None, 2).regions.voxels
    )


def test_labels_are_used_and_checked(water_ct):
    labels = np.zeros(water_ct.grid.shape_zyx, dtype=np.uint8)
    labels[30:60, 40:75, 25:60] = 5  # liver, in soft tissue
    patient = patient_from_ct(water_ct, Image(labels, water_ct.grid, "1"), 2)
    assert volumes_ml(patient)["liver"] == pytest.approx(30 * 35 * 35 * 0.036 - 38, rel=0.02)
    assert "label file" in patient.source
    assert any("organs end where the labels end" in w for w in patient.warnings)
    labels[:] = 0
    labels[65:88, 40:75, 35:60] = 5  # in the lung
    with pytest.raises(StudyError, match="does not lie on this CT"):
        patient_from_ct(water_ct, Image(labels, water_ct.grid, "1"), 2)


def test_air_alone_is_an_error(water_ct):
    with pytest.raises(StudyError, match="shows no body"):
        patient_from_ct(water_ct.with_voxels(np.full(water_ct.voxels.shape, -1000.0, dtype=np.float32)), None, 1)


@pytest.mark.slow
def test_a_real_contrast_ct_becomes_a_study(tmp_path):
    if not (SHARED / "abdomen_ct").is_dir():
        pytest.skip("real CT not present: ../shared/data/abdomen_ct")
    ct = read_ct(SHARED / "abdomen_ct/CRLM-CT-1006")
    truth = write_demo_study(tmp_path, 1, ct)
    found = volumes_ml(truth.patient)
    assert 1200 < found["lungs"] < 2500
    assert 1100 < found["liver"] < 1700
    assert {"kidney_left", "kidney_right", "spleen", "bones", "lesion_liver_1", "lesion_bone_1"} <= set(found)
    assert truth.grid.shape_zyx[0] * truth.grid.spacing_mm[2] <= 51 * 5.0


@pytest.mark.slow
def test_the_example_labels_lie_elsewhere_by_their_header_and_on_the_upper_slices_in_truth():
    if not (SHARED / "example_ct").is_dir():
        pytest.skip("example CT not present: ../shared/data/example_ct")
    image = sitk.ReadImage(str(SHARED / "example_ct/example_ct.nii.gz"))
    ct = Image(sitk.GetArrayFromImage(image), grid_of(image), "HU")
    image = sitk.ReadImage(str(SHARED / "example_ct/example_seg.nii.gz"))
    labels = Image(sitk.GetArrayFromImage(image), grid_of(image), "1")
    with pytest.raises(StudyError, match="does not lie on this CT"):
        patient_from_ct(ct, labels, 1)
    x, y, z = labels.grid.origin_mm
    upper = Grid(labels.grid.shape_zyx, labels.grid.spacing_mm, (x, y, z + 82 * 3.0), labels.grid.direction)
    patient = patient_from_ct(ct, Image(labels.voxels, upper, "1"), 1)
    found = volumes_ml(patient)
    assert found["liver"] + found["lesion_liver_1"] + found["lesion_liver_2"] == pytest.approx(1043.1, rel=0.01)
    assert found["spleen"] == pytest.approx(255.2, rel=0.01)
