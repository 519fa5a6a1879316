"""Engine monte_carlo: against the other engines, its errors, its choices, bad input."""

from dataclasses import replace

import numpy as np
import pytest

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose, media_wanted, scheme_of
from RPTDosimetryLib.dose.monte_carlo_settings import MonteCarloSettings
from RPTDosimetryLib.errors import DoseError, PhysicsDataError, TransportError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.media import SCHNEIDER_8, SCHNEIDER_20
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import Image, TiaMap, Voi
from RPTDosimetryLib.registration.patient_map import patient_map
from RPTDosimetryLib.units import J_PER_KEV

GRID = Grid((10, 11, 12), (4.8, 4.8, 4.8))
FEW = MonteCarloSettings(histories=2e5)


def tia_map(voxels):
    return TiaMap(Image(np.asarray(voxels, dtype=np.float32), GRID, "Bq·s"), "given", 0.0)


@pytest.fixture
def uniform():
    return tia_map(np.full(GRID.shape_zyx, 1e8))


@pytest.fixture
def patient():
    """Soft tissue with a slab of lung, one of bone, and air on top."""
    hu = np.full(GRID.shape_zyx, 40.0, dtype=np.float32)
    hu[:, :, :2] = -700.0
    hu[:, :, 10:] = 600.0
    hu[9:] = -1000.0
    return patient_map(Image(hu, GRID, "HU"), GRID)


@pytest.fixture
def lesion():
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[3:6, 4:7, 4:7] = True
    return Voi("lesion", mask, GRID, kind="lesion")


def dose_of(tia, patient, settings=FEW, **more):
    return compute_dose(tia, patient, "Lu-177", DoseSettings(engine="monte_carlo", monte_carlo=settings), **more)


def test_far_from_interfaces_it_gives_the_dose_of_msv(patient, lesion):
    """In the middle of soft tissue, within its own error and the 1 % that kernels are good for."""
    tia = tia_map(np.where(lesion.mask, 1e9, 0.0))
    ours = dose_of(tia, patient, vois=[lesion])
    msv = compute_dose(tia, patient, "Lu-177", DoseSettings(engine="msv8"))
    tissue = lesion.mask & (patient.medium > 0)
    mean, kernel = (float(one.image.voxels[tissue].mean()) for one in (ours, msv))
    assert mean == pytest.approx(kernel, abs=0.01 * kernel + 3 * ours.region_errors_gy["lesion"])


def test_the_map_holds_the_energy_that_did_not_escape(uniform, patient):
    tia = tia_map(np.where(patient.medium > 0, 1e8, 0.0))
    dose = dose_of(tia, patient)
    mass_kg = patient.density.voxels.astype(float) * GRID.voxel_volume_ml * 1e-3
    absorbed_j = float((dose.image.voxels * mass_kg).sum())
    decays = float(tia.image.voxels.sum(dtype=float))
    decaying = nuclide("Lu-177")
    emitted_j = decays * (decaying.mean_electron_kev + decaying.mean_photon_kev) * J_PER_KEV
    assert dose.parameters["emitted_j"] == pytest.approx(emitted_j, rel=1e-6)
    assert absorbed_j == pytest.approx(emitted_j - dose.parameters["escaped_j"], rel=5e-3)


def test_dose_is_linear_in_activity(uniform, patient):
    once = dose_of(tia_map(np.where(patient.medium > 0, 1e8, 0.0)), patient)
    thrice = dose_of(tia_map(np.where(patient.medium > 0, 3e8, 0.0)), patient)
    np.testing.assert_allclose(thrice.image.voxels, 3 * once.image.voxels, rtol=1e-5)


def test_air_gets_no_dose_and_no_error_and_every_other_voxel_has_one(patient):
    tia = tia_map(np.where(patient.medium > 0, 1e8, 0.0))
    dose = dose_of(tia, patient)
    assert dose.standard_error is not None
    air = patient.medium == 0
    assert not dose.image.voxels[air].any()
    assert not dose.standard_error.voxels[air].any()
    assert (dose.standard_error.voxels[~air] > 0).all()
    assert np.median(dose.standard_error.voxels[~air] / dose.image.voxels[~air]) < 0.2


def test_the_result_says_how_it_was_made(patient, lesion):
    tia = tia_map(np.where(lesion.mask, 1e9, 0.0))
    dose = dose_of(tia, patient, vois=[lesion])
    for word in ("Monte Carlo of 2e+05 decays of Lu-177", "40 batches", "seed 1", "msv8", "schneider_lung", "1 σ"):
        assert word in dose.method
    stated = dose.parameters["volumes"]["lesion"]
    assert stated["standard_error_gy"] == dose.region_errors_gy["lesion"]
    assert dose.parameters["batches"] == 40


def test_it_stops_at_the_error_of_a_volume_or_says_that_it_did_not(patient, lesion):
    tia = tia_map(np.where(lesion.mask, 1e9, 1e7 * (patient.medium > 0)))
    aim = MonteCarloSettings(target_se=0.002, target_volumes=("lesion",))
    dose = dose_of(tia, patient, aim, vois=[lesion])
    assert dose.parameters["volumes"]["lesion"]["relative_error"] <= 0.002
    assert not any("not reached" in text for text in dose.warnings)
    short = dose_of(tia, patient, replace(aim, histories=4e4), vois=[lesion])
    assert any("0.2 %, was not reached within 40000 decays" in text for text in short.warnings)


def test_density_may_be_finer_than_the_dose(lesion):
    """Half of each voxel dense bone: the dose of the voxel is energy per mass of both halves."""
    fine_grid = GRID.refined(2)
    hu = np.full(fine_grid.shape_zyx, 40.0, dtype=np.float32)
    hu[:, :, ::2] = 600.0
    ct = Image(hu, fine_grid, "HU")
    coarse = patient_map(ct, GRID)
    tia = tia_map(np.where(lesion.mask, 1e9, 0.0))
    with pytest.raises(DoseError, match="2 times finer"):
        dose_of(tia, coarse, replace(FEW, refine=2))
    finer = dose_of(tia, replace(coarse, fine=patient_map(ct, fine_grid)), replace(FEW, refine=2), vois=[lesion])
    plain = dose_of(tia, coarse, vois=[lesion])
    error = np.hypot(finer.region_errors_gy["lesion"], plain.region_errors_gy["lesion"])
    mean = [float(np.average(d.image.voxels[lesion.mask])) for d in (finer, plain)]
    assert abs(mean[0] - mean[1]) < 4 * error + 0.005 * mean[1]  # same mass, another composition
    assert "2 times finer" in finer.method


def test_activity_of_a_voxel_goes_into_the_tissue_among_its_finer_voxels(lesion):
    """A voxel half air: its decays happen in the half that is tissue."""
    fine_grid = GRID.refined(2)
    hu = np.full(fine_grid.shape_zyx, 40.0, dtype=np.float32)
    hu[:, :, 9] = -1000.0  # half of the voxels with x index 4
    ct = Image(hu, fine_grid, "HU")
    patient = replace(patient_map(ct, GRID), fine=patient_map(ct, fine_grid))
    tia = tia_map(np.where(lesion.mask, 1e9, 0.0))
    dose = dose_of(tia, patient, replace(FEW, refine=2))
    assert dose.image.voxels[4, 5, 4] > 1.5 * dose.image.voxels[4, 5, 5]  # as many decays in half the mass


def test_media_of_the_patient_follow_the_setting():
    assert scheme_of("monte_carlo") is SCHNEIDER_8
    finer = DoseSettings(engine="monte_carlo", monte_carlo=MonteCarloSettings(media="msv20", refine=3))
    assert media_wanted(finer) == (SCHNEIDER_20, 3)
    assert media_wanted(replace(finer, engine="msv8")) == (SCHNEIDER_8, 1)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"histories": 0.0}, DoseError, "histories"),
        ({"histories": 1e20}, DoseError, "histories"),
        ({"target_se": 0.0}, TransportError, "An error to reach"),
        ({"target_volumes": ("liver",)}, DoseError, "give target_se"),
        ({"refine": 0}, DoseError, "refine"),
        ({"seed": -3}, TransportError, "seed"),
        ({"device": "gpu"}, TransportError, "cpu nor cuda"),
        ({"photon_share": -1.0}, TransportError, "photon share"),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_read(wrong, error, said):
    with pytest.raises(error, match=said):
        MonteCarloSettings(**wrong)


def test_impossible_cases_are_refused(uniform, patient, lesion):
    tia = tia_map(np.where(lesion.mask, 1e9, 0.0))
    in_air = np.where(patient.medium == 0, 1e9, 0.0) + np.where(lesion.mask, 1e6, 0.0)
    with pytest.raises(DoseError, match=r"% of the decays lie in air"):
        dose_of(tia_map(in_air), patient)
    with pytest.raises(DoseError, match="negative"):
        dose_of(tia_map(np.where(lesion.mask, -1e9, 1.0)), patient)
    with pytest.raises(PhysicsDataError):
        compute_dose(tia, patient, "Xx-999", DoseSettings(engine="monte_carlo", monte_carlo=FEW))
    with pytest.raises(TransportError, match="no such region"):
        dose_of(tia, patient, MonteCarloSettings(target_se=0.01, target_volumes=("liver",)), vois=[lesion])
    unknown = replace(patient, medium=np.where(lesion.mask, 77, patient.medium).astype(np.uint8))
    with pytest.raises(DoseError, match="77"):
        dose_of(tia, unknown)
    heavy = replace(patient, density=patient.density.with_voxels(np.where(lesion.mask, 80.0, 1.0).astype(np.float32)))
    with pytest.raises(TransportError, match="25 g/cm3"):
        dose_of(tia, heavy)
