"""Absorbed dose rate, and its integral over time against the dose of the integrated activity."""

from dataclasses import replace

import numpy as np
import pytest

from RPTDosimetryLib.dose.dose_rate import dose_rate, dose_rates, integrate_dose_rate
from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose
from RPTDosimetryLib.errors import CancelledError, DoseError, GridMismatchError, KineticsError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import ActivitySeries, Image
from RPTDosimetryLib.registration.patient_map import patient_map
from RPTDosimetryLib.tia.integrate import integrate
from RPTDosimetryLib.tia.settings import TiaSettings
from RPTDosimetryLib.units import J_PER_KEV, S_PER_H

approx = pytest.approx
GRID = Grid((12, 14, 16), (4.42, 4.42, 2.46))
LU = nuclide("Lu-177")
TIMES_H = (4.0, 24.0, 69.0, 120.0)


@pytest.fixture(scope="module")
def patient():
    """Soft tissue with lung above and bone at one side, air outside."""
    hu = np.full(GRID.shape_zyx, 40.0, np.float32)
    hu[8:], hu[:, :, :4], hu[:, 0] = -700.0, 500.0, -1000.0
    return patient_map(Image(hu, GRID, "HU"), GRID)


@pytest.fixture(scope="module")
def series():
    """Every voxel with its own uptake and effective half-life of 30 to 100 h, and a hot lesion beside."""
    rng = np.random.default_rng(3)
    peak = rng.uniform(1e3, 5e4, GRID.shape_zyx)
    peak[5, 7, 7], peak[:, 0] = 2e7, 0.0
    half_life_h = rng.uniform(30.0, 100.0, GRID.shape_zyx)
    images = tuple(
        Image((peak * 2.0 ** (-t / half_life_h) * (1 - np.exp(-t / 2.0))).astype(np.float32), GRID, "Bq/mL")
        for t in TIMES_H
    )
    return ActivitySeries(images, np.array(TIMES_H) * S_PER_H, "Lu-177", LU.lambda_phys_per_s)


def both_orders(series, patient, kinetics, engine="msv8"):
    """Dose of the integrated activity, and the integral of the dose rate."""
    chosen = DoseSettings(engine=engine)
    before = compute_dose(integrate(series, (), kinetics), patient, "Lu-177", chosen)
    after = integrate_dose_rate(dose_rates(series, patient, chosen), (), kinetics)
    return before, after


def assert_same(one, other):
    """To single precision: 1e-5 of the voxel's own dose, 1e-7 of the highest (the rounding of the transforms)."""
    assert other == approx(one, rel=1e-5, abs=1e-7 * float(one.max()))


def test_the_dose_rate_of_one_becquerel_is_its_s_value(patient):
    """1 MBq in one voxel of 1.0508 g/cm³, electrons alone: 147.9 keV (ICRP 107) a decay in its mass."""
    voxels = np.zeros(GRID.shape_zyx, np.float32)
    voxels[5, 7, 7] = 1e6 / GRID.voxel_volume_ml
    rate = dose_rate(Image(voxels, GRID, "Bq/mL"), patient, "Lu-177", DoseSettings(engine="local"))
    mass_kg = np.interp(40.0, [23, 100], [1.031, 1.1199]) * GRID.voxel_volume_ml * 1e-3
    assert rate.image.unit == "Gy/s"
    assert rate.image.voxels[5, 7, 7] == approx(1e6 * 147.9 * J_PER_KEV / mass_kg, rel=5e-3)
    assert np.count_nonzero(rate.image.voxels) == 1


@pytest.mark.parametrize("engine", ["local", "ssv", "msv8"])
@pytest.mark.parametrize(
    "kinetics",
    [
        TiaSettings(model="kim"),
        TiaSettings(model="trapezoid", tail="physical"),
        TiaSettings(model="trapezoid", start="constant"),
        TiaSettings(model="trapezoid", tail="voi_lambda", tail_half_life_h=51.0),
        TiaSettings(model="mansouri", tail_half_life_h=51.0),
        TiaSettings(model="madsen", population_half_life_h=51.0, scan_time_h=69.0),
    ],
    ids=lambda s: f"{s.model}-{s.tail}-{s.start}",
)
def test_both_orders_agree_where_the_model_is_linear_in_the_scans(series, patient, kinetics, engine):
    before, after = both_orders(series, patient, kinetics, engine)
    assert after.image.unit == "Gy"
    tissue = patient.medium > 0
    assert_same(before.image.voxels[tissue], after.image.voxels[tissue])
    assert not after.image.voxels[~tissue].any()


def test_fits_voxel_by_voxel_differ_where_activity_of_other_half_lives_reaches_in(series, patient):
    """The model is not linear in the scans: neighbours of the lesion follow the lesion. The page states the figure."""
    before, after = both_orders(series, patient, TiaSettings(model="monoexponential"))
    tissue = patient.medium > 0
    apart = np.abs(after.image.voxels[tissue] / before.image.voxels[tissue] - 1)
    assert 1e-3 < apart.max() < 0.3
    assert after.image.voxels[tissue].mean() == approx(before.image.voxels[tissue].mean(), rel=0.02)


def test_fits_agree_where_every_voxel_has_the_same_half_life(series, patient):
    """One curve shape: each scan is a multiple of the first, so every voxel's dose rate has that shape too."""
    shape = 2.0 ** (-np.array(TIMES_H) / 60.0)
    first = series.activities[0]
    alike = replace(series, activities=tuple(first.with_voxels((first.voxels * s).astype(np.float32)) for s in shape))
    before, after = both_orders(alike, patient, TiaSettings(model="monoexponential"))
    tissue = patient.medium > 0
    assert_same(before.image.voxels[tissue], after.image.voxels[tissue])


def test_models_do_not_depend_on_the_size_of_a_dose_rate(series):
    """Activity read as a dose rate 1e-12 as large gives an integral 1e-12 as large."""
    from RPTDosimetryLib.tia.quantity import DOSE_RATE

    volume = GRID.voxel_volume_ml
    rates = tuple(Image(a.voxels * np.float32(1e-12), GRID, "Gy/s") for a in series.activities)
    for model in ("monoexponential", "monoexponential_uptake", "mansouri", "two_point"):
        kinetics = TiaSettings(model=model)
        activity = integrate(series, (), kinetics).image.voxels
        dose = integrate(replace(series, activities=rates), (), kinetics, quantity=DOSE_RATE).image
        assert dose.unit == "Gy"
        assert dose.voxels * 1e12 * volume == approx(activity, rel=1e-4), model


def test_the_result_says_what_was_integrated(series, patient):
    chosen = DoseSettings(engine="msv8")
    dose = integrate_dose_rate(dose_rates(series, patient, chosen), (), TiaSettings(model="kim"))
    assert "dose rate at 4, 24, 69, 120 h" in dose.method
    assert "kim" in dose.method
    assert "schneider_soft" in dose.method
    assert dose.parameters["integrated"] == "absorbed dose rate"
    assert 0 < dose.parameters["extrapolated_fraction"] < 1
    assert len(dose.warnings) == len(set(dose.warnings))


def test_scans_out_of_order_give_the_same_dose(series, patient):
    turned = replace(series, activities=series.activities[::-1], time_s=series.time_s[::-1])
    chosen, kim = DoseSettings(engine="local"), TiaSettings(model="kim")
    one, two = (integrate_dose_rate(dose_rates(s, patient, chosen), (), kim) for s in (series, turned))
    assert np.array_equal(one.image.voxels, two.image.voxels)


def changed(series, number, voxels, unit="Bq/mL", grid=GRID):
    images = list(series.activities)
    images[number] = Image(np.asarray(voxels, dtype=np.float32), grid, unit)
    return replace(series, activities=tuple(images))


def test_impossible_series_name_the_time_point(series, patient):
    ones, local = np.ones(GRID.shape_zyx), DoseSettings(engine="local")
    broken = ones.copy()
    broken[1, 2, 3] = np.nan
    cases = [
        (changed(series, 1, ones, "counts"), KineticsError, "Time point 2.*counts"),
        (changed(series, 2, broken), KineticsError, "Time point 3.*NaN"),
        (changed(series, 0, -ones), KineticsError, "Time point 1.*negative"),
        (changed(series, 3, 0 * ones), DoseError, "Time point 4.*zero everywhere"),
        (changed(series, 1, ones, grid=Grid(GRID.shape_zyx, (4.0, 4.0, 4.0))), GridMismatchError, "Time point 2"),
        (replace(series, time_s=np.array([1.0, 2.0])), KineticsError, "one time for each"),
    ]
    for wrong, error, message in cases:
        with pytest.raises(error, match=message):
            dose_rates(wrong, patient, local)


def test_one_image_in_another_unit_or_without_activity_has_no_dose_rate(patient):
    ones, local = np.ones(GRID.shape_zyx, np.float32), DoseSettings(engine="local")
    with pytest.raises(DoseError, match="Bq/mL"):
        dose_rate(Image(ones, GRID, "Bq·s"), patient, "Lu-177", local)
    with pytest.raises(DoseError, match="zero everywhere"):
        dose_rate(Image(0 * ones, GRID, "Bq/mL"), patient, "Lu-177", local)
    with pytest.raises(DoseError, match="no dose engine"):
        dose_rate(Image(ones, GRID, "Bq/mL"), patient, "Lu-177", DoseSettings(engine="magic"))


def test_a_dose_rate_in_another_unit_is_not_integrated(series, patient):
    rates = dose_rates(series, patient, DoseSettings(engine="local"))
    first = rates.rates[0]
    wrong = replace(
        rates, rates=(replace(first, image=first.image.with_voxels(first.image.voxels, "Gy")), *rates.rates[1:])
    )
    with pytest.raises(KineticsError, match="Gy/s"):
        integrate_dose_rate(wrong, (), TiaSettings(model="kim"))


def test_stopping_ends_it(series, patient):
    with pytest.raises(CancelledError):
        dose_rates(series, patient, DoseSettings(), cancelled=lambda: True)
