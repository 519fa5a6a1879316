"""Twenty media: what must be as with eight, what must be better, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose, scheme_of
from RPTDosimetryLib.dose.patient_map import patient_from_density
from RPTDosimetryLib.errors import DoseError
from RPTDosimetryLib.evaluation.organ_table import dose_summary
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.media import SCHNEIDER_8, SCHNEIDER_20
from RPTDosimetryLib.records import Image, TiaMap
from RPTDosimetryLib.registration.patient_map import patient_map
from RPTDosimetryLib.study.image_files import read_image
from RPTDosimetryLib.transport import point_kernel_library
from RPTDosimetryLib.units import J_PER_KEV

approx = pytest.approx
GRID = Grid((9, 10, 11), (4.8, 4.8, 4.8))
AM = Path(__file__).parents[3] / "../shared/data/am"


def patient(hu, engine="msv20", grid=GRID):
    voxels = np.broadcast_to(np.float32(hu), grid.shape_zyx).copy()
    return patient_map(Image(voxels, grid, "HU"), grid, scheme=scheme_of(engine))


def point_tia(at=(4, 5, 5)):
    voxels = np.zeros(GRID.shape_zyx, np.float32)
    voxels[at] = 1e12
    return TiaMap(Image(voxels, GRID, "Bq·s"), "made up", 0.0)


def dose_of(of_patient, **choices):
    return compute_dose(point_tia(), of_patient, "Lu-177", DoseSettings(**{"engine": "msv20", **choices}))


def test_engines_know_their_media():
    assert scheme_of("msv20") is SCHNEIDER_20
    assert all(scheme_of(engine) is SCHNEIDER_8 for engine in ("msv8", "ssv", "local"))


@pytest.mark.parametrize("hu", [-890.0, -560.0, -95.0, 0.0, 15.0, 45.0, 95.0, 160.0, 420.0, 850.0, 1450.0])
def test_the_voxel_of_a_point_source_holds_the_energy_that_local_deposition_has_less_what_leaves(hu):
    """Self dose × mass between 75 % (light lung) and 100 % of the electron energy, 147.9 keV, plus a few photons."""
    of_patient = patient(hu)
    dose = dose_of(of_patient)
    mass_kg = float(of_patient.density.voxels[4, 5, 5]) * GRID.voxel_volume_ml * 1e-3
    kept = float(dose.image.voxels[4, 5, 5]) * mass_kg / (1e12 * 147.9 * J_PER_KEV)
    assert (0.5 if hu < -300 else 0.9) < kept < 1.01
    total = float((dose.image.voxels.astype(float) * mass_kg).sum()) / (1e12 * J_PER_KEV)
    assert 0.97 * 147.9 < total < 147.9 + 35.1


def test_soft_organs_get_with_twenty_media_what_they_get_with_eight():
    for hu in (-95.0, 45.0, 160.0, 650.0):
        eight = dose_of(patient(hu, "msv8"), engine="msv8").image.voxels[4, 5, 5]
        assert dose_of(patient(hu)).image.voxels[4, 5, 5] == approx(eight, rel=5e-3)


@pytest.mark.parametrize(("engine", "mapped"), [("msv20", "msv8"), ("msv8", "msv20")])
def test_a_patient_in_the_media_of_the_other_engine_is_refused(engine, mapped):
    with pytest.raises(DoseError, match=f"{engine} needs the patient in its own media.*{mapped}"):
        dose_of(patient(40.0, mapped), engine=engine)


def test_engines_that_know_no_media_take_every_patient():
    for engine in ("local", "ssv"):
        one, two = (dose_of(patient(40.0, mapped), engine=engine) for mapped in ("msv8", "msv20"))
        assert np.array_equal(one.image.voxels, two.image.voxels)


def test_a_density_map_gives_the_media_of_the_ct_it_came_from():
    hu = np.full(GRID.shape_zyx, 40.0, np.float32)
    hu[:3], hu[3:5] = -700.0, 650.0
    by_hu = patient(hu)
    by_density = patient_from_density(by_hu.density, GRID, scheme=SCHNEIDER_20)
    assert np.array_equal(by_density.medium, by_hu.medium)


def test_kernels_that_must_be_computed_are_said_before_and_in_the_result(monkeypatch, recwarn):
    """Nothing is computed here: a kernel of soft tissue stands in for the missing one."""
    shipped = point_kernel_library.point_kernel("Lu-177", "schneider_soft")
    monkeypatch.setattr(point_kernel_library, "is_at_hand", lambda *_: False)
    monkeypatch.setattr(point_kernel_library, "point_kernel", lambda *_: shipped)
    said = []
    dose = compute_dose(
        point_tia(), patient(45.0), "Lu-177", DoseSettings(engine="msv20"), lambda fraction, text: said.append(text)
    )
    assert any("schneider_soft" in text and "about 1 min" in text for text in said)
    assert any("about a minute each" in str(warning.message) for warning in recwarn)
    assert any("computed for this run" in text for text in dose.warnings)
    assert not dose_of(patient(45.0), engine="local").warnings


@pytest.fixture(scope="module")
def torso():
    """Region means of the ICRP-110 torso over those of EGSnrc, minus 1, in per cent, with both engines."""
    if not AM.is_dir():
        pytest.skip("the EGSnrc torso (../shared/data/am) is not beside this checkout")
    summary = json.loads((AM / "summary.json").read_text(encoding="utf-8"))["regions"]
    labels = read_image(AM / "regions.nrrd", "1").voxels
    tia = TiaMap(read_image(AM / "tia_bq_s.nrrd", "Bq·s"), "given", 0.0)
    hu = read_image(AM / "hu.nrrd", "HU")
    errors = {}
    for engine in ("msv8", "msv20"):
        mapped = patient_map(hu, tia.image.grid, scheme=scheme_of(engine))
        dose = compute_dose(tia, mapped, "Lu-177", DoseSettings(engine=engine)).image.voxels
        errors[engine] = {}
        for name, region in summary.items():
            if region["label"] is None:
                continue
            mask = (labels == region["label"]) & (mapped.medium > 0)
            density = mapped.density.voxels[mask]
            mean = dose_summary(dose[mask], density, tia.image.grid.voxel_volume_ml).mean_gy
            errors[engine][name] = 100 * (mean / region["mean_dose_gy"] - 1)
    return errors


@pytest.mark.slow
def test_organs_of_the_torso_are_within_one_per_cent_of_egsnrc(torso):
    for name in ("liver", "kidney_left", "kidney_right", "spleen", "bladder_content", "tumour_liver_30ml",
                 "tumour_liver_5ml", "tumour_bone_10ml"):  # fmt: skip
        assert abs(torso["msv20"][name]) < 1.0, name


@pytest.mark.slow
def test_twenty_media_are_nearer_to_egsnrc_in_lung_and_nowhere_much_further(torso):
    assert torso["msv20"]["lungs"] < torso["msv8"]["lungs"] - 2.0
    for name, eight in torso["msv8"].items():
        assert abs(torso["msv20"][name]) < abs(eight) + 0.1, name
