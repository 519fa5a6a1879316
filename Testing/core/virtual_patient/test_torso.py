"""The procedural torso: repeatable, of human size, and with every Bq accounted for."""

import numpy as np
import pytest
from scipy import ndimage

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.virtual_patient.anatomy import build_anatomy
from RPTDosimetryLib.virtual_patient.tissues import Tissue
from RPTDosimetryLib.virtual_patient.torso import LesionShape, draw_torso
from RPTDosimetryLib.virtual_patient.torso_patient import torso_patient, torso_regions

#: Adult volumes [mL] around ICRP 89 (2002) table 2.8 (male and female), with the spread of adults.
ADULT_ML = {
    "liver": (1200, 1900),
    "spleen": (100, 250),
    "kidney_left": (115, 200),
    "kidney_right": (115, 200),
    "bladder": (100, 280),
    "lungs": (2500, 6500),
}


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_organs_have_adult_volumes_and_lesions_the_volumes_asked_for(seed):
    patient = torso_patient(seed)
    volume_ml = {name: patient.mask(name).sum() * patient.grid.voxel_volume_ml for name in patient.vois}
    for name, (low, high) in ADULT_ML.items():
        assert low < volume_ml[name] < high, name
    for name, asked in (("lesion_liver_1", 30.0), ("lesion_liver_2", 8.0), ("lesion_bone_1", 10.0)):
        assert volume_ml[name] == pytest.approx(asked, rel=0.03)


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_lesions_lie_in_their_organs(seed):
    patient = torso_patient(seed)
    for lesion, hosts in (("lesion_liver_1", ["liver"]), ("lesion_liver_2", ["liver"]),
                          ("lesion_bone_1", ["vertebral_marrow", "bone_cortex", "rest_of_body"])):  # fmt: skip
        around = ndimage.binary_dilation(patient.mask(lesion)) & ~patient.mask(lesion)
        found = np.isin(patient.regions.voxels[around], [patient.names.index(h) for h in hosts])
        assert found.mean() > 0.95


def test_one_seed_one_patient():
    first, second, other = torso_patient(3), torso_patient(3), torso_patient(4)
    np.testing.assert_array_equal(first.ct.voxels, second.ct.voxels)
    np.testing.assert_array_equal(first.share_per_ml, second.share_per_ml)
    assert first.kinetics == second.kinetics
    assert first.grid != other.grid or (first.regions.voxels != other.regions.voxels).any()


def test_drawing_and_building_are_apart():
    parameters = draw_torso(np.random.default_rng(5))
    np.testing.assert_array_equal(build_anatomy(parameters).labels.voxels, build_anatomy(parameters).labels.voxels)


def test_another_grid_shows_the_same_body():
    parameters = draw_torso(np.random.default_rng(5))
    fine = build_anatomy(parameters).labels
    coarse = build_anatomy(parameters, Grid((93, 77, 103), (4.0, 4.0, 4.8), (-204.0, -152.0, -220.8))).labels
    for tissue in (Tissue.LIVER, Tissue.LUNG, Tissue.BLADDER, Tissue.MUSCLE):
        volumes = [(image.voxels == tissue).sum() * image.grid.voxel_volume_ml for image in (fine, coarse)]
        assert volumes[1] == pytest.approx(volumes[0], rel=0.04)


def test_a_lesion_of_any_proportion_has_its_volume():
    a, b, c = LesionShape("x", "liver", (0, 0, 0), 12.0, (1.0, 0.7, 1.6), 20.0).semi_axes_mm
    assert 4 / 3 * np.pi * a * b * c == pytest.approx(12000.0)


def test_hounsfield_units_are_those_of_tissues(torso):
    """Medians of whole organs; the CT has 14 HU of noise."""
    hu = torso.ct.voxels
    offset = [(n - m) // 2 for n, m in zip(hu.shape, torso.grid.shape_zyx, strict=True)]
    inner = hu[:, offset[1] : offset[1] + torso.grid.shape_zyx[1], offset[2] : offset[2] + torso.grid.shape_zyx[2]]
    for name, low, high in (
        ("liver", 45, 70),
        ("lungs", -850, -700),
        ("spleen", 35, 60),
        ("vertebral_marrow", 120, 350),
    ):
        assert low < np.median(inner[torso.mask(name)]) < high, name
    assert np.std(inner[torso.mask("liver")]) == pytest.approx(15.0, abs=3.0)
    assert (hu[:, 0] < -900).all()


def test_every_becquerel_is_accounted_for(torso):
    volume_ml = torso.grid.voxel_volume_ml
    for hours in (4.0, 69.0):
        concentration = torso.concentration_at(hours * 3600.0).voxels
        assert concentration.min() >= 0
        for name in torso.vois:
            inside = concentration[torso.mask(name)].sum(dtype=np.float64) * volume_ml
            assert inside == pytest.approx(float(torso.activity_bq(name, hours * 3600.0)), rel=1e-4)
        total = sum(float(c.activity_fraction(hours * 3600.0)) for c in torso.kinetics.values()) * 7.4e9
        assert concentration.sum(dtype=np.float64) * volume_ml == pytest.approx(total, rel=1e-5)


def test_the_tia_map_holds_the_analytic_integrals(torso):
    wide = Grid((110, 110, 110), (4.5,) * 3, (-245.25,) * 3)
    tia = torso.tia_on(wide)
    analytic = sum(c.tia_coefficient_s for c in torso.kinetics.values()) * torso.administered_activity_bq
    assert tia.voxels.sum(dtype=np.float64) == pytest.approx(analytic, rel=1e-5)
    assert torso.tia_on_bq_s("liver", wide) == pytest.approx(torso.tia_bq_s("liver"), rel=1e-5)


def test_kidney_cortex_takes_more_than_medulla():
    """1 : 0.6 over the whole of both, as heterogeneity averages out."""
    parameters = draw_torso(np.random.default_rng(5))
    anatomy = build_anatomy(parameters)
    region_map = torso_regions(anatomy, np.random.default_rng(1))
    cortex, medulla = (
        region_map.weight[anatomy.labels.voxels == tissue].mean()
        for tissue in (Tissue.KIDNEY_LEFT_CORTEX, Tissue.KIDNEY_LEFT_MEDULLA)
    )
    assert medulla / cortex == pytest.approx(0.6, rel=0.06)
