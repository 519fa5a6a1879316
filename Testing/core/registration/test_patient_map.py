"""Density and medium on the dose grid."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from RPTDosimetryLib.errors import DoseError
from RPTDosimetryLib.grid import Grid, resample_mean
from RPTDosimetryLib.physics.hounsfield import density_from_hu
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.registration.patient_map import (
    DensitySettings,
    patient_map,
    patient_map_of,
    patient_map_without_ct,
)
from RPTDosimetryLib.registration.register import register
from RPTDosimetryLib.registration.settings import RegistrationSettings
from RPTDosimetryLib.study.image_files import read_image
from RPTDosimetryLib.virtual_patient.imaging import Pose

AM = Path(__file__).parents[3] / "../shared/data/am"


def ct_of(values, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0)):
    values = np.asarray(values, dtype=np.float32)
    return Image(values, Grid(values.shape, spacing, origin), "HU")


def test_the_am_phantom_keeps_its_materials_and_densities_exactly():
    if not AM.is_dir():
        pytest.skip("AM phantom not present: ../shared/data/am")
    hu = read_image(AM / "hu.nrrd", "HU")
    patient = patient_map(hu, hu.grid)
    np.testing.assert_array_equal(patient.medium, read_image(AM / "material.nrrd", "1").voxels)
    np.testing.assert_allclose(patient.density.voxels, read_image(AM / "density_gcc.nrrd", "g/cm3").voxels, atol=2e-6)
    assert patient.warnings == ()


def test_density_is_averaged_after_the_curve_and_not_before():
    hu = np.full((4, 4, 4), -1000.0)
    hu[::2] = 99.0  # half air, half just below the curve's step at 100 HU
    patient = patient_map(ct_of(hu), Grid((1, 1, 1), (4.0,) * 3, (1.5,) * 3))
    expected = 0.5 * (1.21e-3 + np.interp(99.0, (23.0, 100.0), (1.031, 1.1199)))
    assert patient.density.voxels[0, 0, 0] == pytest.approx(expected, rel=1e-5)
    assert patient.density.voxels[0, 0, 0] != pytest.approx(float(density_from_hu(-450.5)), rel=0.01)


def test_mass_is_kept_on_any_grid_that_holds_the_ct(torso):
    ct = torso.ct
    onto = Grid((100, 120, 120), (4.795,) * 3, tuple(-(n - 1) / 2 * 4.795 for n in (120, 120, 100)))
    patient = patient_map(ct, onto)

    def excess(density, grid):
        return float((density - 1.21e-3).sum(dtype=np.float64)) * grid.voxel_volume_ml

    own = density_from_hu(np.maximum(ct.voxels, -1000))
    assert excess(patient.density.voxels, onto) == pytest.approx(excess(own, ct.grid), rel=1e-4)


def test_padding_is_air_and_said():
    hu = np.full((4, 8, 8), 40.0)
    hu[:, :, :2] = -3024.0
    patient = patient_map(ct_of(hu), ct_of(hu).grid)
    assert (patient.medium[:, :, :2] == 0).all()
    np.testing.assert_allclose(patient.density.voxels[:, :, :2], 1.21e-3)
    assert any("-3024" in w and "air" in w for w in patient.warnings)


def test_a_calibration_of_the_scanner_is_used_and_named():
    curve = ((-1000.0, 0.001), (0.0, 1.0), (1000.0, 1.6))
    ct = ct_of(np.full((2, 2, 2), 500.0))
    patient = patient_map(ct, ct.grid, DensitySettings(hu_curve=curve))
    np.testing.assert_allclose(patient.density.voxels, 1.3)
    assert "own calibration" in patient.source


def test_activity_outside_the_ct_is_said_with_its_share_and_gets_air():
    grid = Grid((10, 4, 4), (5.0,) * 3)
    activity = Image(np.ones(grid.shape_zyx, dtype=np.float32), grid, "Bq/mL")
    ct = ct_of(np.full((6, 4, 4), 40.0), (5.0, 5.0, 5.0))
    patient = patient_map(ct, grid, activity=[activity])
    (warning,) = patient.warnings
    assert "40.0 % of the dose grid" in warning
    assert "40.00 % of a time point's activity" in warning
    assert "air (0.00121 g/cm3, no dose)" in warning
    assert (patient.medium[6:] == 0).all()
    assert (patient.medium[:6] == 3).all()


def test_empty_corners_outside_the_ct_are_no_news():
    grid = Grid((6, 8, 8), (5.0,) * 3, (-10.0, -10.0, 0.0))
    voxels = np.zeros(grid.shape_zyx, dtype=np.float32)
    voxels[:, 3:5, 3:5] = 1.0
    ct = ct_of(np.full((6, 4, 4), 40.0), (5.0, 5.0, 5.0))
    assert patient_map(ct, grid, activity=[Image(voxels, grid, "Bq/mL")]).warnings == ()
    assert patient_map(ct, grid).warnings != ()


def test_soft_tissue_outside_a_short_ct_on_request(torso, scan):
    spect = scan(4.0).spect
    short = Image(torso.ct.voxels[:90], Grid((90, *torso.ct.grid.shape_zyx[1:]), torso.ct.grid.spacing_mm,
                                             torso.ct.grid.origin_mm), "HU")  # fmt: skip
    patient = patient_map(short, spect.grid, DensitySettings(outside_ct="body"), [spect])
    full = patient_map(torso.ct, spect.grid, activity=[spect])
    upper = slice(62, 78)
    mass = [float(m.density.voxels[upper][m.density.voxels[upper] > 0.5].sum()) for m in (patient, full)]
    assert mass[0] > 0.9 * mass[1]  # more than the truth, as lungs are not told apart
    assert any("soft tissue of unit density" in w for w in patient.warnings)


def test_a_ct_elsewhere_is_an_error():
    ct = ct_of(np.zeros((4, 4, 4)), origin=(500.0, 0.0, 0.0))
    with pytest.raises(DoseError, match="covers no voxel"):
        patient_map(ct, Grid((4, 4, 4), (5.0,) * 3))


def test_without_a_ct_every_word_says_so(torso, scan):
    spect = scan(4.0).spect
    patient = patient_map_without_ct([spect])
    true = resample_mean((torso.regions.voxels > 0).astype(np.float32), torso.grid, spect.grid) > 0.5
    body = patient.medium > 0
    assert body.sum() == pytest.approx(true.sum(), rel=0.05)
    np.testing.assert_array_equal(np.unique(patient.density.voxels[body]), [1.0])
    assert set(np.unique(patient.medium)) == {0, 3}
    assert "No CT" in patient.source
    assert "unit density" in patient.warnings[0]


def test_the_ct_of_another_time_point_moves_with_its_spect(torso, scan, study_of):
    first = scan(4.0)
    second = replace(scan(24.0), ct=torso.ct)
    settings = RegistrationSettings(method="none", reference=1)
    registered = register(study_of(first, second), settings)
    pose = Pose((0.0, 0.0, 9.59))  # two dose voxels
    moved = replace(registered.alignments[1], moving_from_fixed=pose.moved_from_rest)
    registered = replace(registered, alignments=(registered.alignments[0], moved))
    patient = patient_map_of(registered)
    direct = patient_map(torso.ct, first.spect.grid)
    np.testing.assert_allclose(patient.density.voxels[5:70], direct.density.voxels[7:72], atol=1e-3)
    assert "time point 2, moved with its SPECT" in patient.source
