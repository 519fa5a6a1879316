"""The map: every voxel is a curve, VOIs give the tails, and what was decided for noisy voxels is said."""

import numpy as np
import pytest

from RPTDosimetryLib.errors import CancelledError, GridMismatchError, KineticsError, VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import ActivitySeries, Image, Voi
from RPTDosimetryLib.tia.integrate import integrate
from RPTDosimetryLib.tia.registry import model_names
from RPTDosimetryLib.tia.selection import fit_curve
from RPTDosimetryLib.tia.settings import TiaSettings
from RPTDosimetryLib.tia.voi_curves import fit_vois, voi_curves

TIME_H = np.array([4.0, 24.0, 69.0, 120.0])
SHAPE = (4, 5, 6)
ML = 4 * 4 * 5 / 1000


def two_tissues(seed=1, noise=0.0):
    """Concentration (scan, z, y, x): left half clears with 0.010, right half with 0.020 1/h."""
    rng = np.random.default_rng(seed)
    lam = np.full(SHAPE, 0.010)
    lam[..., 3:] = 0.020
    amplitude = rng.uniform(1e3, 1e5, SHAPE)
    voxels = amplitude * np.exp(-lam * TIME_H[:, None, None, None])
    return voxels * (1 + noise * rng.standard_normal(voxels.shape)), amplitude, lam


def test_voxels_hold_decays_not_decays_per_ml(series):
    voxels, amplitude, lam = two_tissues()
    tia = integrate(series(TIME_H, voxels), [], TiaSettings(model="monoexponential"))
    assert tia.image.unit == "Bq·s"
    assert tia.image.voxels.dtype == np.float32
    assert tia.image.voxels == pytest.approx(amplitude / lam * 3600 * ML, rel=1e-5)
    expected = np.sum(amplitude / lam * np.exp(-lam * 120)) / np.sum(amplitude / lam)
    assert tia.extrapolated_fraction == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", sorted(set(model_names()) - {"triexponential", "biexponential_uptake"}))
def test_one_voxel_equals_the_curve_fit_of_the_same_data(name, series, curve):
    """Closed forms to float32; searches to a fraction of the 0.1 % noise, biexponential of four scans to 2 %."""
    uptake = np.exp(-0.2 * TIME_H)[:, None, None, None]
    early = 0.0 if name != "biexponential" else 0.6
    voxels = two_tissues(noise=0.001)[0] - (1 - early) * 1e4 * uptake * np.linspace(0.01, 0.1, 6)
    voxels = voxels.astype(np.float32)
    settings = TiaSettings(model=name, population_half_life_h=50.0, tail_half_life_h=60.0)
    tia = integrate(series(TIME_H, voxels), [], settings)
    for where in ((0, 0, 0), (2, 3, 5), (3, 4, 2)):
        fit = fit_curve(curve(TIME_H, voxels[(slice(None), *where)].astype(float) * ML / 1e6), name, settings)
        within = {"biexponential": 2e-2, "monoexponential_uptake": 2e-4}.get(name, 2e-6)
        assert tia.image.voxels[where] == pytest.approx(fit.tia_bq_s, rel=within)


def test_mansouri_gives_each_voxel_the_tail_of_its_voi(series, voi):
    """λ of a VOI is the mean over its voxels; voxels of a VOI whose λ differ have the same tail."""
    voxels, _, _ = two_tissues()
    rng = np.random.default_rng(4)
    lam = 0.012 + 0.001 * rng.standard_normal(SHAPE)
    voxels = 1e4 * np.exp(-lam * TIME_H[:, None, None, None])
    images = series(TIME_H, voxels)
    left, right = voi(images, "left", np.s_[..., :3]), voi(images, "right", np.s_[..., 3:])
    tia = integrate(images, [left, right], TiaSettings(model="mansouri"))
    half_lives = tia.parameters["voi_effective_half_life_h"]
    assert set(half_lives) == {"left", "right"}
    assert half_lives["left"] == pytest.approx(np.log(2) / lam[..., :3].mean(), rel=1e-5)
    one = voxels[:, 1, 2, 0] * ML
    tail = np.log(2) / half_lives["left"]
    e = np.exp(-tail * (TIME_H[1:] - 24))
    expected = 0.5 * one[0] * 4 + 0.5 * (one[0] + one[1]) * 20 + (one[1:] @ e) / (e @ e) / tail
    assert tia.image.voxels[1, 2, 0] == pytest.approx(expected * 3600, rel=1e-5)


def test_outliers_do_not_move_the_half_life_of_a_voi(series, voi):
    voxels, _, _ = two_tissues()
    voxels = 1e4 * np.exp(
        -(0.012 + 0.0005 * np.random.default_rng(1).standard_normal(SHAPE)) * TIME_H[:, None, None, None]
    )
    voxels[1:, 0, 0, 0] = (1e6, 1e2, 1.0)
    images = series(TIME_H, voxels)
    tia = integrate(images, [voi(images, "all", np.s_[:])], TiaSettings(model="mansouri"))
    assert tia.parameters["voi_effective_half_life_h"]["all"] == pytest.approx(np.log(2) / 0.012, rel=0.01)
    assert tia.parameters["voi_lambda_voxels"]["all"] == np.prod(SHAPE) - 1


def test_lesion_takes_its_voxels_from_the_organ_and_the_rest_is_one_remainder(series, voi):
    voxels, _, lam = two_tissues()
    images = series(TIME_H, voxels)
    liver, lesion = voi(images, "liver", np.s_[:3]), voi(images, "lesion", np.s_[:2, :, 3:], "lesion")
    for vois in ([liver, lesion], [lesion, liver]):
        tia = integrate(images, vois, TiaSettings(model="trapezoid", tail="voi_lambda"))
        assert set(tia.parameters["voi_effective_half_life_h"]) == {"liver", "lesion", "remainder"}
        assert tia.parameters["voi_effective_half_life_h"]["lesion"] == pytest.approx(np.log(2) / 0.02, rel=1e-5)
        a = voxels[:, 0, 0, 4] * ML
        lines = 0.5 * a[0] * 4 + np.trapezoid(a, TIME_H)
        assert tia.image.voxels[0, 0, 4] == pytest.approx((lines + a[-1] / 0.02) * 3600, rel=1e-4)
    assert lam[0, 0, 4] == 0.02


def test_map_is_linear_in_activity(series):
    voxels = two_tissues(noise=0.05)[0].astype(np.float32)
    for name in ("monoexponential", "monoexponential_uptake", "kim"):
        one = integrate(series(TIME_H, voxels), [], TiaSettings(model=name)).image.voxels
        eight = integrate(series(TIME_H, 8 * voxels), [], TiaSettings(model=name)).image.voxels
        assert eight == pytest.approx(8 * one, rel=1e-5)


def test_zero_voxels_stay_zero_and_bounds_are_counted(series):
    voxels = two_tissues()[0]
    voxels[:, 0, 0, 0] = 0
    voxels[:, 0, 0, 1] = (1.0, 2.0, 3.0, 4.0)
    tia = integrate(series(TIME_H, voxels), [], TiaSettings(model="monoexponential"))
    assert tia.image.voxels[0, 0, 0] == 0
    assert any(text.startswith("1 of 119 active voxels") and "held at λ_phys" in text for text in tia.warnings)


def test_auto_takes_the_model_that_the_scans_allow(series, voi):
    voxels = two_tissues()[0]
    images = series(TIME_H, voxels)
    assert integrate(images, [voi(images, "all", np.s_[:])]).model == "mansouri"
    early = integrate(series((2.0, 4.0, 24.0, 26.0)[:3], voxels[:3]), [])
    assert early.model == "kim"
    assert "fewer than two scans are left from 24 h on" in early.warnings[0]
    assert integrate(series(TIME_H[1:3], voxels[1:3]), []).model == "two_point"
    with pytest.raises(KineticsError, match="One time point"):
        integrate(series(TIME_H[:1], voxels[:1]), [])


def test_scans_out_of_order_give_the_same_map(series):
    voxels = two_tissues()[0]
    order = [2, 0, 3, 1]
    sorted_map = integrate(series(TIME_H, voxels), [], TiaSettings(model="kim"))
    mixed = integrate(series(TIME_H[order], voxels[order]), [], TiaSettings(model="kim"))
    assert np.array_equal(mixed.image.voxels, sorted_map.image.voxels)
    assert "sorted" in mixed.warnings[0]


def test_progress_reaches_one_and_cancelling_stops(series):
    images = series(TIME_H, two_tissues()[0])
    seen = []
    integrate(images, [], TiaSettings(model="kim"), lambda fraction, text: seen.append(fraction))
    assert seen[0] == 0.0
    assert seen[-1] == 1.0
    with pytest.raises(CancelledError):
        integrate(images, [], TiaSettings(model="kim"), cancelled=lambda: True)


def test_wrong_series_are_refused_with_the_time_point(series, voi):
    good = two_tissues()[0]
    for value, message in ((np.nan, "NaN"), (-1.0, "1 voxels with negative activity"), (np.inf, "infinite")):
        bad = good.copy()
        bad[2, 0, 0, 0] = value
        with pytest.raises(KineticsError, match=rf"Time point 3 \(69 h\).*{message}"):
            integrate(series(TIME_H, bad), [])
    with pytest.raises(KineticsError, match="zero in every voxel"):
        integrate(series(TIME_H, 0 * good), [])
    with pytest.raises(KineticsError, match="Time points 1 and 2 are at the same time"):
        integrate(series((4, 4, 69, 120), good), [])
    with pytest.raises(KineticsError, match="4 activity images and 3 scan times"):
        integrate(series(TIME_H[:3], good), [])


def test_counts_and_other_grids_are_refused(series):
    images = series(TIME_H, two_tissues()[0])
    grid = images.activities[0].grid
    counts = (*images.activities[:3], Image(images.activities[3].voxels, grid, "counts"))
    with pytest.raises(KineticsError, match=r"Time point 4 \(120 h\) is in 'counts'"):
        integrate(ActivitySeries(counts, images.time_s, "Lu-177", images.lambda_phys_per_s), [])
    other = Grid(SHAPE, (4.0, 4.0, 5.0), (1.0, 0.0, 0.0))
    moved = (*images.activities[:3], Image(images.activities[3].voxels, other, "Bq/mL"))
    with pytest.raises(GridMismatchError, match="Time point 4"):
        integrate(ActivitySeries(moved, images.time_s, "Lu-177", images.lambda_phys_per_s), [])
    with pytest.raises(VoiError, match="lung is empty"):
        integrate(images, [Voi("lung", np.zeros(SHAPE, dtype=bool), grid)])
    with pytest.raises(VoiError, match="Two VOIs are called lung"):
        integrate(images, [Voi("lung", np.ones(SHAPE, dtype=bool), grid)] * 2)


def test_curves_of_vois_are_sums_of_activity(series, voi):
    voxels = two_tissues()[0].astype(np.float32)
    images = series(TIME_H, voxels)
    found = voi_curves(images, [voi(images, "left", np.s_[..., :3])])["left"]
    assert found.activity_bq == pytest.approx(voxels[..., :3].sum(axis=(1, 2, 3), dtype=np.float64) * ML, rel=1e-6)


def test_sum_of_a_map_is_the_integral_of_the_sum_for_linear_models(series, voi):
    images = series(TIME_H, two_tissues(noise=0.1)[0])
    whole = voi(images, "whole", np.s_[:], "region")
    for name in ("kim", "haenscheid"):
        settings = TiaSettings(model=name, voi_model=name)
        tia = integrate(images, [whole], settings)
        fit = fit_vois(images, [whole], settings)["whole"]
        assert tia.image.voxels.sum(dtype=np.float64) == pytest.approx(fit.tia_bq_s, rel=1e-6)
        assert tia.extrapolated_fraction == pytest.approx(fit.extrapolated_fraction, rel=1e-6)


def test_fits_of_vois_by_kind_and_with_the_half_life_of_their_voxels(series, voi):
    images = series(TIME_H, two_tissues()[0])
    vois = [voi(images, "left", np.s_[..., :3]), voi(images, "bladder", np.s_[..., 3:], "region")]
    fits = fit_vois(images, vois)
    assert fits["left"].model == "monoexponential"  # no uptake in these data, said in the warning
    assert fits["bladder"].model == "trapezoid"
    mansouri = fit_vois(images, vois, TiaSettings(voi_model="mansouri"))
    assert mansouri["left"].parameters["lambda_eff_per_s"] * 3600 == pytest.approx(0.010, rel=1e-5)
    assert mansouri["bladder"].parameters["lambda_eff_per_s"] * 3600 == pytest.approx(0.020, rel=1e-5)


def test_a_voi_without_activity_has_no_decays_and_says_so(series, voi):
    voxels = two_tissues()[0]
    voxels[:, 0] = 0
    images = series(TIME_H, voxels)
    fit = fit_vois(images, [voi(images, "cold", np.s_[0])])["cold"]
    assert fit.tia_bq_s == 0
    assert "holds no activity" in fit.warnings[0]


def test_small_voi_takes_the_slope_of_its_sum(series, voi):
    images = series(TIME_H, two_tissues()[0])
    tia = integrate(images, [voi(images, "tiny", np.s_[0, 0, :3])], TiaSettings(model="mansouri"))
    assert any("tiny: only 3 voxels" in text for text in tia.warnings)
    assert tia.parameters["voi_effective_half_life_h"]["tiny"] == pytest.approx(np.log(2) / 0.01, rel=1e-5)


def test_voi_that_does_not_clear_is_held_at_physical_decay(series, voi, lambda_phys_per_s):
    voxels = np.full((4, *SHAPE), 1e4)
    images = series(TIME_H, voxels)
    tia = integrate(images, [voi(images, "stuck", np.s_[:])], TiaSettings(model="mansouri"))
    physical_h = np.log(2) / lambda_phys_per_s / 3600
    assert tia.parameters["voi_effective_half_life_h"]["stuck"] == pytest.approx(physical_h, rel=1e-9)
    assert any("stuck" in text and "held at λ_phys" in text for text in tia.warnings)
