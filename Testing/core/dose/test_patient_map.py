"""Density and media from maps: on any grid, with labels of any numbering, refused when they cannot be densities."""

import json

import numpy as np
import pytest

from RPTDosimetryLib.dose.patient_map import patient_from_density, patient_from_labels
from RPTDosimetryLib.errors import DoseError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.media import scheme_from_json
from RPTDosimetryLib.records import Image

approx = pytest.approx
GRID = Grid((2, 2, 2), (4.0, 4.0, 4.0), (1.0, 1.0, 1.0))
FINE = Grid((4, 4, 4), (2.0, 2.0, 2.0))  # the same box in voxels of half the side
WATER, AIR, BONE = {"H": 0.1119, "O": 0.8881}, {"N": 0.76, "O": 0.24}, {"H": 0.04, "C": 0.16, "O": 0.6, "Ca": 0.2}


@pytest.fixture
def scheme(tmp_path):
    """Water at 0, air at 7: the opposite of a PatientMap."""
    media = [
        {"index": 0, "name": "pool", "mass_fractions": WATER, "density_g_per_cm3": 1.0},
        {"index": 7, "name": "gas", "mass_fractions": AIR, "density_g_per_cm3": 0.0012},
        {"index": 3, "name": "rod", "mass_fractions": BONE, "density_g_per_cm3": 1.8},
    ]
    path = tmp_path / "media.json"
    path.write_text(json.dumps({"materials": media}))
    return scheme_from_json(path)


def test_density_is_a_mean_and_keeps_mass():
    fine = np.random.default_rng(3).uniform(0.9, 1.05, FINE.shape_zyx).astype(np.float32)
    patient = patient_from_density(Image(fine, FINE, "g/cm3"), GRID)
    assert patient.density.voxels[0, 0, 0] == approx(fine[:2, :2, :2].mean(), rel=1e-5)
    assert patient.density.voxels.sum() * 8 == approx(fine.sum(), rel=1e-5)
    assert patient.warnings == ()


def test_a_map_that_ends_early_is_filled_with_air_and_says_so():
    wide = Grid((2, 2, 4), (4.0, 4.0, 4.0), (1.0, 1.0, 1.0))
    patient = patient_from_density(Image(np.ones(FINE.shape_zyx, np.float32), FINE, "g/cm3"), wide)
    assert (patient.medium[:, :, 2:] == 0).all()
    assert "50.0 %" in patient.warnings[0]
    away = Grid((2, 2, 2), (4.0, 4.0, 4.0), (500.0, 0.0, 0.0))
    with pytest.raises(DoseError, match="no voxel"):
        patient_from_density(Image(np.ones(FINE.shape_zyx, np.float32), FINE, "g/cm3"), away)


def test_labels_keep_their_materials_whatever_their_numbers(scheme):
    labels = np.full(FINE.shape_zyx, 7, np.uint8)
    labels[:2], labels[2:, 2:] = 0, 3
    labels[2:, 2:, 2] = 7  # half of the voxels of this corner: bone and air alike, air stays
    patient = patient_from_labels(Image(labels, FINE, "1"), scheme, GRID)
    names = {medium.index: medium.name for medium in patient.media.tissue}
    assert {names[int(index)] for index in patient.medium[0].ravel()} == {"pool"}
    assert names[int(patient.medium[1, 1, 0])] == "rod"
    assert (patient.medium[1, 0] == 0).all()
    assert patient.medium[1, 1, 1] == 0
    assert patient.density.voxels[0, 0, 0] == approx(1.0)
    assert patient.density.voxels[1, 1, 0] == approx(1.8)


def test_labels_that_nobody_names_are_refused(scheme):
    with pytest.raises(DoseError, match="5"):
        patient_from_labels(Image(np.full(GRID.shape_zyx, 5, np.uint8), GRID, "1"), scheme, GRID)


@pytest.mark.parametrize("value", [-0.1, 1040.0, np.nan])
def test_what_is_no_density_is_refused(value):
    with pytest.raises(DoseError):
        patient_from_density(Image(np.full(GRID.shape_zyx, value, np.float32), GRID, "g/cm3"), GRID)
