"""Monte Carlo in voxels: conservation, equilibrium, agreement with the point kernels, repeatability, bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from RPTDosimetryLib.errors import CancelledError, TransportError
from RPTDosimetryLib.grid import Grid, grid_of
from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.physics.media import scheme_from_json
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.transport.point_kernel_library import point_kernel
from RPTDosimetryLib.transport.voxel_case import VoxelCase
from RPTDosimetryLib.transport.voxel_kernels import voxel_s_kernel
from RPTDosimetryLib.transport.voxel_run import simulate_voxels
from RPTDosimetryLib.transport.voxel_settings import VoxelRunSettings
from RPTDosimetryLib.units import J_PER_KEV

AM = Path(__file__).resolve().parents[3] / "../shared/data/am"
FEW = VoxelRunSettings(decays=20_000, batch_decays=5_000)


def uniform_case(shape_zyx, spacing_mm, density=1.0, name="water"):
    ones = np.ones(shape_zyx)
    return VoxelCase(
        ones * 1e9, ones * density, np.zeros(shape_zyx, np.uint8), [material(name)], Grid(shape_zyx, spacing_mm)
    )


def changed(case, **arrays):
    values = {name: getattr(case, name) for name in ("tia_bq_s", "density_g_per_cm3", "medium", "materials", "grid")}
    return VoxelCase(**(values | arrays))


def test_energy_is_conserved_in_a_patchwork_with_vacuum():
    rng = np.random.default_rng(4)
    shape = (12, 10, 14)
    density = rng.choice([0.0, 0.0012, 0.26, 1.0, 1.85], shape)
    case = VoxelCase(
        np.where(density > 0, rng.random(shape) * 1e9, 0.0), density, rng.integers(0, 3, shape),
        [material("schneider_lung"), material("schneider_soft"), material("schneider_bone5")],
        Grid(shape, (2.0, 3.0, 4.0)),
    )  # fmt: skip
    dose = simulate_voxels("I-131", case, FEW)
    assert abs(dose.balance) < 1e-7  # whole quanta; the transport itself books to rounding
    assert np.all(dose.total_gy[density == 0] == 0)
    # what the dose map holds is what was emitted and did not escape
    volume_ml = case.grid.voxel_volume_ml
    absorbed_j = np.sum(dose.total_gy.astype(float) * density) * volume_ml * 1e-3
    assert absorbed_j == pytest.approx(dose.simulated_j - dose.escaped_j, rel=1e-5)
    assert dose.simulated_j == pytest.approx(dose.emitted_j, rel=0.02)  # 20 000 decays


def test_electrons_are_in_equilibrium_within_uniform_activity():
    """Far from the walls D_electron = Ã_voxel·Ē/m whatever the transport does."""
    case = uniform_case((9, 9, 9), (4.8, 4.8, 4.8))
    dose = simulate_voxels("Lu-177", case, VoxelRunSettings(decays=150_000, batch_decays=15_000))
    inner = dose.electron_gy[2:-2, 2:-2, 2:-2].mean()
    expected = 1e9 * nuclide("Lu-177").mean_electron_kev * J_PER_KEV / (case.grid.voxel_volume_ml * 1e-3)
    assert inner == pytest.approx(expected, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "spacing_mm"),
    [("Lu-177", (4.8, 4.8, 4.8)), ("Lu-177", (2.0, 2.0, 4.0)), *((n, (4.8,) * 3) for n in ("I-131", "Tb-161", "Y-90"))],
)
def test_one_active_voxel_gives_the_voxel_s_kernel(name, spacing_mm):
    """Two ways through the same transport: voxels here, shells and geometry there."""
    shape = (7, 7, 7)
    tia = np.zeros(shape)
    tia[3, 3, 3] = 1.0
    case = changed(uniform_case(shape, spacing_mm), tia_bq_s=tia)
    dose = simulate_voxels(name, case, VoxelRunSettings(decays=200_000, batch_decays=20_000, photon_share=1.0))
    kernel = voxel_s_kernel(point_kernel(name, "water"), 1.0, spacing_mm, (3, 3, 3), (3, 3, 3))
    for at, index in {(3, 3, 3): (0, 0, 0), (3, 3, 4): (0, 0, 1), (3, 4, 3): (0, 1, 0), (4, 3, 3): (1, 0, 0)}.items():
        error = 4 * dose.standard_error_gy[at]
        assert abs(dose.total_gy[at] - kernel.total[index]) < 0.005 * kernel.total[index] + error
    shell = [a for a in np.ndindex(shape) if max(abs(i - 3) for i in a) == 2]
    theirs = sum(kernel.photon[tuple(abs(i - 3) for i in a)] for a in shell)
    assert sum(dose.photon_gy[a] for a in shell) == pytest.approx(theirs, rel=0.03)


def test_standard_error_is_that_of_repeated_runs():
    case = uniform_case((5, 5, 5), (4.8, 4.8, 4.8))
    runs = [simulate_voxels("Lu-177", case, VoxelRunSettings(1e4, batch_decays=1e3, seed=seed)) for seed in range(12)]
    spread = np.std([run.total_gy for run in runs], axis=0, ddof=1)
    said = np.mean([run.standard_error_gy for run in runs], axis=0)
    assert np.sqrt(np.mean(spread**2)) == pytest.approx(np.sqrt(np.mean(said**2)), rel=0.15)


def test_result_depends_on_the_seed_and_not_on_the_threads(monkeypatch):
    case = uniform_case((5, 6, 7), (3.0, 3.0, 3.0))
    first = simulate_voxels("Lu-177", case, FEW)
    monkeypatch.setattr("RPTDosimetryLib.transport.voxel_run.cores", lambda: 1)
    np.testing.assert_array_equal(simulate_voxels("Lu-177", case, FEW).total_gy, first.total_gy)


def test_cancelling_keeps_nothing():
    with pytest.raises(CancelledError):
        simulate_voxels("Lu-177", uniform_case((5, 5, 5), (4.8,) * 3), FEW, cancelled=lambda: True)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tia_bq_s": -np.ones((3, 3, 3))}, "not negative"),
        ({"tia_bq_s": np.zeros((3, 3, 3))}, "not zero everywhere"),
        ({"tia_bq_s": np.full((3, 3, 3), np.nan)}, "finite"),
        ({"density_g_per_cm3": np.zeros((3, 3, 3))}, "without matter"),
        ({"density_g_per_cm3": np.full((3, 3, 3), 100.0)}, "between 0 and 25"),
        ({"medium": np.full((3, 3, 3), 7)}, "Medium indices"),
        ({"tia_bq_s": np.ones((2, 3, 3))}, "tia_bq_s has"),
    ],
)
def test_impossible_cases_are_refused(wrong, said):
    with pytest.raises(TransportError, match=said):
        changed(uniform_case((3, 3, 3), (4.8,) * 3), **wrong)


def test_impossible_settings_are_refused():
    with pytest.raises(TransportError, match="decays"):
        VoxelRunSettings(decays=0)


@pytest.mark.slow
def test_regions_of_the_torso_agree_with_egsnrc():
    """Mean doses within 0.5 % beyond two joint standard errors, photon parts 1.5 %; the page of validation has more."""
    if not AM.is_dir():
        pytest.skip("the AM torso (../shared/data/am) is not beside this checkout")
    case, regions, theirs = am_torso(AM)
    dose = simulate_voxels("Lu-177", case, VoxelRunSettings(decays=4e6, photon_share=0.5), regions=regions)
    for name, ours in dose.regions.items():
        egsnrc, se = theirs[name]["mean_dose_gy"], theirs[name]["se_gy"]
        allowed = 0.005 * egsnrc + 2 * np.hypot(ours.standard_error_gy, se)
        assert ours.mean_gy == pytest.approx(egsnrc, abs=allowed), name
        photon = theirs[name]["mean_dose_photon_gy"]
        allowed = 0.015 * photon + 2 * ours.photon_standard_error_gy * 2**0.5  # as many photons there as here
        assert ours.photon_gy == pytest.approx(photon, abs=allowed), name


def am_torso(folder):
    """The case from density and media of the file, its regions as masks, and what EGSnrc says of them."""
    maps = {}
    for name in ("tia_bq_s", "density_gcc", "material", "regions"):
        image = sitk.ReadImage(str(folder / f"{name}.nrrd"))
        maps[name], grid = sitk.GetArrayFromImage(image), grid_of(image)
    materials = [medium.material for medium in scheme_from_json(folder / "materials.json").media]
    case = VoxelCase(maps["tia_bq_s"], maps["density_gcc"], maps["material"], materials, grid)
    told = json.loads((folder / "summary.json").read_text())["regions"]
    labels = {name: region["label"] for name, region in told.items() if region["label"] is not None}
    return case, {name: maps["regions"] == label for name, label in labels.items()}, told
