"""Virtual patients: the same from a seed, anatomies within their distributions, activity where it belongs."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.learning.cohort import CohortPatient, draw_patient
from RPTDosimetryLib.learning.cohort_activity import draw_activity
from RPTDosimetryLib.learning.cohort_body import HOSTS, paint_body
from RPTDosimetryLib.learning.cohort_parameters import TRAINING_KINDS, UNSEEN_KINDS, LesionDraw, draw_body, draw_ct
from RPTDosimetryLib.learning.contact_sheet import write_contact_sheet
from RPTDosimetryLib.physics.hounsfield import density_from_hu
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.units import J_PER_KEV

KEV_PER_DECAY = nuclide("Lu-177").mean_electron_kev


@pytest.fixture(scope="module")
def patient() -> CohortPatient:
    return draw_patient("slim", 14)


@pytest.fixture(scope="module")
def several(patient) -> list[CohortPatient]:
    return [patient, draw_patient("female", 15), draw_patient("obese", 13), draw_patient("male", 31)]


def ml(patient, *names):
    return sum(patient.vois[name].sum() for name in names) * patient.grid.voxel_volume_ml


def gy_per_gbq(patient, name):
    """Electron dose of a volume as if all of it stayed inside, per administered activity."""
    mask = patient.vois[name]
    mass_kg = patient.density_g_per_cm3[mask].sum(dtype=float) * patient.grid.voxel_volume_ml * 1e-3
    gray = patient.tia_bq_s[mask].sum(dtype=float) * KEV_PER_DECAY * J_PER_KEV / mass_kg
    return gray / (patient.drawn["activity"]["administered_activity_bq"] * 1e-9)


def test_a_seed_gives_the_same_patient_again(patient):
    again = draw_patient(patient.kind, patient.seed)
    for name in ("hu", "density_g_per_cm3", "tia_bq_s"):
        assert_array_equal(getattr(again, name), getattr(patient, name))
    assert again.drawn == patient.drawn
    assert all(np.array_equal(again.vois[name], patient.vois[name]) for name in patient.vois)


def test_another_seed_gives_another_patient():
    assert draw_body("slim", np.random.default_rng(1)) != draw_body("slim", np.random.default_rng(2))


def test_organ_volumes_are_those_of_adults(several):
    """ICRP 89: liver 1.4 to 1.8 kg, kidneys 275 to 310 g, spleen 130 to 150 g of the reference adults."""
    for each in several:
        lesions = sum(v for name, v in each.drawn["lesions_painted"].items() if "liver" in name)
        assert 900 < ml(each, "liver") + lesions < 2400, each.name
        assert 130 < ml(each, "kidney_left", "kidney_right") < 520, each.name
        assert 60 < ml(each, "spleen") < 400, each.name
        assert 2500 < ml(each, "lungs") < 8500, each.name


def test_tissues_have_the_hu_of_their_kind(several):
    for each in several:
        mean = {name: float(each.hu[mask].mean()) for name, mask in each.vois.items()}
        assert -920 < mean["lungs"] < -560
        assert 10 < mean["liver"] < 140
        assert -130 < mean["fat"] < -50
        assert mean["bones"] > 150
        assert each.hu.min() == -1000


def test_density_is_that_of_the_hu_curve(patient):
    assert_array_equal(patient.density_g_per_cm3, density_from_hu(patient.hu))


def test_lung_is_denser_at_the_back(several):
    for each in several:
        lung = each.vois["lungs"]
        y = np.nonzero(lung)[1]
        deep = each.hu[lung] < -600  # without the partial volume of edges
        assert np.polyfit(y[deep], each.hu[lung][deep], 1)[0] > 0


def test_activity_is_positive_and_inside_the_body(several):
    for each in several:
        assert each.tia_bq_s.min() == 0.0
        assert each.tia_bq_s.sum(dtype=float) > 1e13
        assert each.tia_bq_s[~each.vois["whole_body"]].sum() == 0.0
        assert each.tia_bq_s[each.hu < -950].sum(dtype=float) < 0.01 * each.tia_bq_s.sum(dtype=float)


def test_no_more_decays_than_were_administered(several):
    for each in several:
        most = each.drawn["activity"]["administered_activity_bq"] * nuclide("Lu-177").half_life_s / np.log(2)
        assert each.tia_bq_s.sum(dtype=float) < 0.9 * most


def test_kidneys_get_about_what_is_published(several):
    """0.4 to 0.9 Gy/GBq are usual; blur, tumour sink and small organs widen that a little."""
    doses = [gy_per_gbq(each, "kidney_left") for each in several]
    assert 0.4 < np.median(doses) < 1.0
    assert 0.2 < min(doses) <= max(doses) < 1.4


def test_lesions_hold_2_to_950_ml_and_lie_where_they_should(several):
    for each in several:
        painted = each.drawn["lesions_painted"]
        for name, volume in painted.items():
            assert 2.0 <= volume <= 950.0
            assert ml(each, name) == pytest.approx(volume, abs=each.grid.voxel_volume_ml), name


@pytest.mark.parametrize("volume_ml", [2.0, 30.0, 400.0])
def test_a_lesion_gets_the_volume_that_it_asks_for(volume_ml):
    body = draw_body("male", np.random.default_rng(3))
    lesion = LesionDraw("lesion_liver_1", "liver", volume_ml, 0.5, (1.0, 1.0, 1.0), 0.0, 0.0, 40.0, 1.0)
    painted = paint_body(replace(body, lesions=(lesion,)))
    fine_ml = painted.grid.refined(2).voxel_volume_ml
    assert painted.lesions[0].volume_ml == pytest.approx(volume_ml, abs=fine_ml)
    assert (painted.labels == 32).sum() * fine_ml == pytest.approx(volume_ml, abs=fine_ml)


def test_a_lesion_without_room_is_left_out():
    body = draw_body("child", np.random.default_rng(3))
    lesion = LesionDraw("lesion_node_1", "node", 20.0, 0.5, (1.0, 1.0, 1.0), 0.0, 0.0, 40.0, 1.0)
    hosts = dict(HOSTS)
    try:
        HOSTS["node"] = (255,)
        assert paint_body(replace(body, lesions=(lesion,))).lesions == {}
    finally:
        HOSTS.update(hosts)


def test_volumes_lie_inside_each_other(several):
    for each in several:
        vois = each.vois
        assert not (vois["vertebral_marrow"] & ~vois["marrow"]).any()
        assert not (vois["marrow"] & ~vois["bones"]).any()
        for name, mask in vois.items():
            if each.kinds[name] != "lesion":
                assert not (mask & ~vois["whole_body"]).any(), name


@pytest.mark.parametrize("kind", UNSEEN_KINDS)
def test_kinds_for_testing_are_unlike_those_for_training(kind):
    body, look = draw_body(kind, np.random.default_rng(5)), draw_ct(kind, np.random.default_rng(5))
    usual = [draw_body("male", np.random.default_rng(seed)) for seed in range(5)]
    differs = {
        "child": max(body.scale) < min(min(each.scale) for each in usual),
        "pneumonectomy": body.lost_lung != 0 and body.fluid_level == 1.0,
        "effusion": 0.0 < body.fluid_level < 1.0,
        "kyphoscoliosis": body.kyphosis_mm > 2 * max(each.kyphosis_mm for each in usual),
        "sclerotic": look.marrow_hu > 500,
    }
    assert kind not in TRAINING_KINDS
    assert differs[kind]


def test_a_short_field_of_view_ends_in_air_without_activity():
    each = draw_patient("short", 31)
    first, end = each.drawn["body"]["shown"]
    assert 24 <= end - first <= 48
    beyond = np.ones(len(each.hu), dtype=bool)
    beyond[first:end] = False
    assert (each.hu[beyond] == -1000).all()
    assert not each.tia_bq_s[beyond].any()
    assert (each.tia_bq_s[[first, end - 1]] > 0).any(axis=(1, 2)).all(), "cut through the body, not beside it"
    assert all(mask.any() and not mask[beyond].any() for mask in each.vois.values())
    assert set(each.kinds) == set(each.vois)


def test_dense_bones_reach_from_usual_to_sclerotic_ones():
    looks = [draw_ct("dense", np.random.default_rng(seed)) for seed in range(40)]
    assert min(look.marrow_hu for look in looks) < 240
    assert max(look.marrow_hu for look in looks) > 450
    assert max(look.marrow_hu for look in looks) <= 550, "never as dense as the unseen sclerotic kind"


def test_an_implant_is_metal_beside_the_spine():
    each = draw_patient("implant", 20013)
    metal = each.hu > 1600
    assert 3 < metal.sum() * each.grid.voxel_volume_ml < 120
    assert draw_body("male", np.random.default_rng(3)).implant is None


def test_an_unknown_kind_is_named():
    with pytest.raises(StudyError, match="giant"):
        draw_patient("giant", 1)


def test_activity_varies_between_one_and_eight_cycles():
    cycles = {draw_activity(np.random.default_rng(seed)).administered_activity_bq / 7.4e9 for seed in range(60)}
    assert cycles == set(range(1, 9))


def test_drawing_and_building_need_no_packages_of_the_desktop():
    """A machine for computing has numpy, scipy and numba only."""
    program = (
        "import sys\n"
        "blocked = ('SimpleITK', 'highdicom', 'skimage', 'pydantic', 'typer', 'torch')\n"
        "sys.modules.update(dict.fromkeys(blocked))\n"
        "from RPTDosimetryLib.learning.data_set import DataSetPlan\n"
        "from RPTDosimetryLib.learning.cohort import draw_patient\n"
        "import RPTDosimetryLib.learning.patient_set, RPTDosimetryLib.learning.build_patient\n"
        "assert draw_patient('child', 1).tia_bq_s.sum() > 0\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_contact_sheet_is_one_picture(patient, tmp_path):
    write_contact_sheet([patient, patient], tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
