"""Engines in patients whose dose is known: by hand, by energy conservation, by symmetry."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose, engine_names
from RPTDosimetryLib.dose.patient_map import patient_from_density
from RPTDosimetryLib.errors import CancelledError, DoseError, GridMismatchError, PhysicsDataError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.materials import Material, material
from RPTDosimetryLib.physics.media import MediaScheme, Medium
from RPTDosimetryLib.records import Image, PatientMap, TiaMap
from RPTDosimetryLib.registration.patient_map import patient_map
from RPTDosimetryLib.units import J_PER_KEV

approx = pytest.approx
GRID = Grid((20, 24, 28), (4.8, 4.8, 4.8))
SOFT_HU, LUNG_HU, BONE_HU, AIR_HU = 40.0, -600.0, 900.0, -1000.0


def tia_map(voxels, grid=GRID):
    return TiaMap(Image(np.asarray(voxels, dtype=np.float32), grid, "Bq·s"), "trapezoid", 0.1)


def point_tia(at=(10, 12, 14), grid=GRID, tia_bq_s=1e12):
    voxels = np.zeros(grid.shape_zyx, dtype=np.float32)
    voxels[at] = tia_bq_s
    return tia_map(voxels, grid)


def patient(hu=SOFT_HU, grid=GRID):
    return patient_map(Image(np.broadcast_to(np.float32(hu), grid.shape_zyx).copy(), grid, "HU"), grid)


def uniform(density, medium, grid=GRID):
    """Every voxel of one medium at one density."""
    shape = grid.shape_zyx
    density = Image(np.full(shape, density, np.float32), grid, "g/cm3")
    return PatientMap(density, np.full(shape, medium, np.uint8), "msv8", "made up")


def dose_of(tia, of_patient, nuclide="Lu-177", **settings_):
    return compute_dose(tia, of_patient, nuclide, DoseSettings(**settings_))


def energy_kev(dose, density):
    """Σ m·D in keV."""
    masses_kg = density.voxels.astype(np.float64) * dose.image.grid.voxel_volume_ml * 1e-3
    return float((masses_kg * dose.image.voxels).sum()) / J_PER_KEV


def test_the_three_engines_of_this_page_are_found():
    assert {"local", "ssv", "msv8"} <= set(engine_names())


def test_local_deposition_by_hand():
    """1e12 decays of 147.9 keV (ICRP 107) in 0.1106 mL of 1.0508 g/cm³."""
    dose = dose_of(point_tia(), patient(), engine="local")
    mass_kg = np.interp(SOFT_HU, [23, 100], [1.031, 1.1199]) * 0.48**3 * 1e-3
    assert dose.image.voxels[10, 12, 14] == approx(1e12 * 147.9 * 1.602177e-16 / mass_kg, rel=5e-3)
    assert np.count_nonzero(dose.image.voxels) == 1
    assert "photons" in dose.method


def test_msv_in_one_medium_at_reference_density_is_ssv():
    """The same kernel, in two convolutions or in one."""
    tia = tia_map(np.random.default_rng(5).random(GRID.shape_zyx) * 1e9)
    of_patient = uniform(1.04, 3)
    msv = dose_of(tia, of_patient, engine="msv8")
    ssv = dose_of(tia, of_patient, engine="ssv", ssv_material="schneider_soft", ssv_density_g_per_cm3=1.04)
    unscaled = dose_of(tia, of_patient, engine="msv8", msv_unscaled=True)
    assert msv.image.voxels == approx(ssv.image.voxels, rel=1e-5)
    assert unscaled.image.voxels == approx(ssv.image.voxels, rel=1e-5)


@pytest.mark.parametrize(("medium", "reference", "density"), [(1, 0.26, 0.45), (3, 1.04, 1.10), (7, 1.58, 1.80)])
def test_the_rule_keeps_electron_energy_at_any_density_and_the_plain_form_does_not(medium, reference, density):
    """With f = ρ/ρ_ref, scaled is E_e + f·P and plain f·(E_e + P): both give E_e, 147.9 keV by ICRP 107."""
    of_patient, tia = uniform(density, medium), point_tia()
    scaled = energy_kev(dose_of(tia, of_patient, engine="msv8"), of_patient.density) / 1e12
    plain = energy_kev(dose_of(tia, of_patient, engine="msv8", msv_unscaled=True), of_patient.density) / 1e12
    f = density / reference
    assert (scaled - plain) / (1 - f) == approx(147.9, rel=5e-3)
    photons = (plain / f - scaled) / (1 - f)
    assert 0 < photons < 35.1


def test_a_users_media_of_known_composition_take_the_known_kernels():
    """The file names them otherwise and at another density: kernels scale, nothing is simulated again."""
    soft = material("schneider_soft")
    own = Material("pool", 1.02, dict(soft.mass_fractions), soft.mean_excitation_energy_ev)
    scheme = MediaScheme("mine", (Medium(1, "pool", own, 1.02),), "made up")
    of_patient = replace(uniform(1.04, 1), scheme="mine", media=scheme)
    dose = dose_of(point_tia(), of_patient)
    assert "schneider_soft 1.02" in dose.method
    assert dose.image.voxels[10, 12, 14] == approx(
        dose_of(point_tia(), uniform(1.04, 3)).image.voxels[10, 12, 14], rel=2e-3
    )


def test_dose_is_linear_in_activity_and_follows_it():
    near, far = point_tia((10, 12, 14)), point_tia((4, 15, 9), tia_bq_s=3e11)
    both = tia_map(near.image.voxels + far.image.voxels)
    doses = [dose_of(tia, patient()).image.voxels for tia in (near, far, both)]
    assert doses[0] + doses[1] == approx(doses[2], rel=1e-4, abs=1e-7 * float(doses[2].max()))
    # the same surroundings 6 voxels on: the dose moves along (to single precision)
    shifted = np.roll(doses[0], (-6, 3, -5), axis=(0, 1, 2)) * 0.3
    inside = (slice(0, 14), slice(3, 24), slice(0, 23))
    assert doses[1][inside] == approx(shifted[inside], rel=1e-4, abs=1e-7 * float(doses[1].max()))


@settings(max_examples=10, deadline=None)
@given(factor=st.floats(1e-3, 1e3), engine=st.sampled_from(["local", "ssv", "msv8"]))
def test_any_factor_on_the_activity_is_one_on_the_dose(factor, engine):
    one, many = point_tia(), point_tia(tia_bq_s=1e12 * factor)
    dose = dose_of(one, patient(), engine=engine).image.voxels
    scaled = dose_of(many, patient(), engine=engine).image.voxels
    assert scaled == approx(factor * dose, rel=1e-4, abs=1e-7 * factor * float(dose.max()))


def test_air_gets_no_dose_and_decays_in_air_are_said():
    hu = np.full(GRID.shape_zyx, SOFT_HU, np.float32)
    hu[:, :, 14:] = AIR_HU
    of_patient = patient(hu)
    for engine in ("local", "ssv", "msv8"):
        dose = dose_of(point_tia((10, 12, 13)), of_patient, engine=engine)
        assert dose.image.voxels[10, 12, 13] > 0
        assert not dose.image.voxels[of_patient.medium == 0].any()
        assert not dose.warnings
        assert "air" in " ".join(dose_of(point_tia((10, 12, 14)), of_patient, engine=engine).warnings)


def test_each_medium_takes_its_own_kernel():
    """Beside a source in soft tissue, lung gets more than soft tissue of equal distance, bone less per mass."""
    hu = np.full(GRID.shape_zyx, SOFT_HU, np.float32)
    hu[:, :, 15:], hu[:, :, :14] = LUNG_HU, BONE_HU
    of_patient = patient(hu)
    dose = dose_of(point_tia(), of_patient, engine="msv8").image.voxels
    alone = dose_of(point_tia(), patient(), engine="msv8").image.voxels
    assert dose[:, :, 14] == approx(alone[:, :, 14], rel=1e-5)
    assert dose[10, 12, 15] > 2 * dose[10, 12, 13]


def test_the_method_line_says_what_was_done():
    lines = [dose_of(point_tia(), patient(), **s).method for s in ({}, {"msv_unscaled": True}, {"engine": "ssv"})]
    assert all(word in lines[0] for word in ("Lu-177", "schneider_soft 1.04", "ρ_ref/ρ", "photons", "HU curve"))
    assert "unscaled" in lines[1]
    assert all(word in lines[2] for word in ("soft_tissue", "1.04", "unscaled"))


def test_a_density_map_gives_the_same_as_the_ct_it_came_from():
    hu = np.full(GRID.shape_zyx, SOFT_HU, np.float32)
    hu[:, :, 16:], hu[:5] = LUNG_HU, BONE_HU
    by_hu = patient(hu)
    by_density = patient_from_density(by_hu.density, GRID)
    assert np.array_equal(by_density.medium, by_hu.medium)
    assert "inverse" in by_density.source


@pytest.mark.parametrize(
    ("voxel", "message"), [(-1.0, "negative"), (np.nan, "NaN"), (np.inf, "NaN or infinite"), (0.0, "zero everywhere")]
)
def test_impossible_activity_is_refused(voxel, message):
    with pytest.raises(DoseError, match=message):
        dose_of(point_tia(tia_bq_s=voxel), patient())


def test_unknown_names_foreign_grids_and_wrong_units_are_refused():
    with pytest.raises(DoseError, match="local, monte_carlo, msv20, msv8"):
        dose_of(point_tia(), patient(), engine="magic")
    with pytest.raises(PhysicsDataError):
        dose_of(point_tia(), patient(), nuclide="Xx-1")
    with pytest.raises(GridMismatchError):
        dose_of(point_tia(), patient(grid=Grid((20, 24, 28), (5.0, 4.8, 4.8))))
    tia = point_tia()
    with pytest.raises(DoseError, match="Bq·s"):
        dose_of(replace(tia, image=Image(tia.image.voxels, GRID, "Bq/mL")), patient())
    with pytest.raises(DoseError, match="density"):
        dose_of(tia, uniform(0.0, 3))


def test_a_stopped_calculation_ends_at_once():
    with pytest.raises(CancelledError):
        compute_dose(point_tia(), patient(), "Lu-177", DoseSettings(), cancelled=lambda: True)
