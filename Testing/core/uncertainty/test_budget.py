"""The chain of the EANM guidance: its terms by hand, and the whole of it against draws of the measurement itself."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from RPTDosimetryLib.calibration.recovery import RecoveryCurve
from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.evaluation.organ_table import OrganDose
from RPTDosimetryLib.records import KineticFit
from RPTDosimetryLib.uncertainty.blurred_sphere import FWHM_PER_SIGMA, radius_mm
from RPTDosimetryLib.uncertainty.budget import BudgetInputs, dose_budget, volume_relative_u
from RPTDosimetryLib.uncertainty.settings import UncertaintySettings

VOLUME_ML, VOXEL_MM = 30.0, 4.8
CURVE = RecoveryCurve(6.0, 0.9, 0.5, 200.0, ((0.0025, 0.001), (0.001, 0.0036)))
KNOWN = UncertaintySettings(
    organ_fwhm_mm=1.0, lesion_fwhm_mm=4.0, spect_fwhm_mm=10.0, calibration=0.03, density=0.01, engine=0.02
)


def row(**change):
    figures = dict.fromkeys(("mean_plain_gy", "d2_gy", "d50_gy", "d98_gy", "minimum_gy", "maximum_gy"), 10.0)
    recovered = {"recovery_coefficient": CURVE.coefficient(VOLUME_ML)}
    recovered["mean_recovered_gy"] = 10.0 / recovered["recovery_coefficient"]
    made = OrganDose(
        "lesion 1", "lesion", 271, VOLUME_ML, 0.0, 31.0, 1e12, 200.0, mean_gy=10.0, gy_per_gbq=1.35, mean_se_gy=0.05,
        **figures, **recovered,
    )  # fmt: skip
    return replace(made, **change)


def fit(se=4e10, bootstrap=None):
    return KineticFit("monoexponential", 1e12, {}, 0.2, np.zeros_like, tia_se_bq_s=se, bootstrap_se_bq_s=bootstrap)


def budget(settings=KNOWN, **change):
    return dose_budget(BudgetInputs(row(**change), fit(), VOXEL_MM, CURVE), settings)


def test_volume_by_hand():
    """30 mL: d = 38.55 mm; a = 4.8 mm, FWHM 4 mm: u²(d) = 3.84 + 5.77 mm²; u(V)/V = 3·3.100/38.55."""
    assert 2 * radius_mm(30.0) == pytest.approx(38.55, abs=0.01)
    assert volume_relative_u(30.0, 4.8, 4.0) == pytest.approx(3 * 3.100 / 38.55, rel=1e-3)
    assert volume_relative_u(30.0, 4.8, None) == pytest.approx(3 * math.sqrt(3.84) / 38.55, rel=1e-3)


def test_the_two_edges_drawn_give_the_diameter():
    """Each edge is rounded to a voxel and blurred: u(d) is the spread of their difference."""
    rng = np.random.default_rng(3)
    a, sigma, n = 4.8, 10.0 / FWHM_PER_SIGMA, 400_000
    edges = rng.uniform(-a / 2, a / 2, (2, n)) + rng.normal(0, sigma, (2, n))
    u_d = (edges[1] - edges[0]).std()
    assert volume_relative_u(VOLUME_ML, a, 10.0) == pytest.approx(3 * u_d / (2 * radius_mm(VOLUME_ML)), rel=0.01)


def seen_counts(outline_r, true_r, sigma):
    """Counts inside outlines of several radii of one blurred sphere, by quadrature over its profile."""
    s = np.linspace(1e-6, outline_r.max(), 6001)
    pdf, cdf = norm.pdf, norm.cdf
    profile = cdf((s + true_r) / sigma) - cdf((s - true_r) / sigma)
    profile -= sigma / s * (pdf((s - true_r) / sigma) - pdf((s + true_r) / sigma))
    cumulated = np.concatenate(
        [[0], np.cumsum(0.5 * np.diff(s) * (profile * s**2)[1:] + 0.5 * np.diff(s) * (profile * s**2)[:-1])]
    )
    return 4 * np.pi * np.interp(outline_r, s, cumulated)


@pytest.mark.parametrize("recovered", [False, True])
def test_the_whole_chain_agrees_with_draws_of_the_measurement(recovered):
    """Outline, recovery parameters, factor, curve, density and engine drawn; each dose worked out from the beginning.

    Drawn with a fifth of the uncertainties of KNOWN, where the chain is linear.
    """
    rng, n, small = np.random.default_rng(11), 40_000, 0.2
    true_r, sigma = radius_mm(VOLUME_ML), 10.0 / FWHM_PER_SIGMA
    u_v = volume_relative_u(VOLUME_ML, VOXEL_MM, 4.0) * small
    volume = VOLUME_ML * (1 + u_v / 3 * rng.standard_normal(n)) ** 3
    r = radius_mm(1.0) * volume ** (1 / 3)
    counts = seen_counts(r, true_r, sigma)
    logs = rng.multivariate_normal(
        [math.log(CURVE.v50_ml), math.log(CURVE.beta)], np.array(CURVE.covariance) * small**2, n
    )
    rc = 1 / (1 + (np.exp(logs[:, 0]) / volume) ** np.exp(logs[:, 1])) if recovered else 1.0
    other = np.prod([1 + small * u * rng.standard_normal(n) for u in (0.03, 0.04, 0.01, 0.02, 0.005)], axis=0)
    drawn = counts / rc / volume * other
    if recovered:  # R of the chain's own φ/(2R) is that of the curve, as in the guidance
        r_of_chain, r_true = CURVE.coefficient(VOLUME_ML), counts.mean() / (VOLUME_ML * 1e3)
        drawn = (counts.mean() + (counts - counts.mean()) * r_true / r_of_chain) / rc / volume * other
    found = budget()
    told = found.mean_recovered_u_gy / found.mean_recovered_gy if recovered else found.mean_u_gy / found.mean_gy
    assert drawn.std() / drawn.mean() == pytest.approx(small * told, rel=0.02)


def test_shares_add_up_and_the_combined_is_their_root():
    found = budget()
    for shares, mean, u in (
        (found.shares, found.mean_gy, found.mean_u_gy),
        (found.recovered_shares, found.mean_recovered_gy, found.mean_recovered_u_gy),
    ):
        assert sum(share.percent_of_variance for share in shares) == pytest.approx(100.0)
        assert math.sqrt(sum(share.relative_u**2 for share in shares)) == pytest.approx(u / mean)
    causes = [share.cause for share in found.recovered_shares]
    assert causes[:3] == ["volume", "recovery curve", "calibration factor"]
    assert causes[3:] == ["time-activity curve", "density", "dose engine", "Monte Carlo statistics"]
    assert found.not_included == ()
    assert found.answer()["shares"][0]["cause"] == "volume"


def test_what_is_missing_is_named_and_not_made_up():
    nothing = dose_budget(
        BudgetInputs(row(mean_se_gy=None, recovery_coefficient=None, mean_recovered_gy=None), fit(None), VOXEL_MM),
        UncertaintySettings(),
    )
    told = " ".join(nothing.not_included)
    for cause in ("lesion_fwhm_mm", "spect_fwhm_mm", "calibration factor", "time-activity curve", "density", "engine"):
        assert cause in told, cause
    assert "recovery" in told
    assert [share.cause for share in nothing.shares] == ["volume"]
    assert nothing.mean_recovered_u_gy is None
    assert nothing.mean_u_gy == pytest.approx(10.0 * volume_relative_u(VOLUME_ML, VOXEL_MM, None))


def test_without_the_resolution_the_volume_counts_fully():
    """dln C/dln V lies between 0 and 1, so leaving it out can only enlarge the share of the volume."""
    full = budget(replace(KNOWN, spect_fwhm_mm=None)).shares[0].relative_u
    assert full == pytest.approx(volume_relative_u(VOLUME_ML, VOXEL_MM, 4.0))
    assert budget().shares[0].relative_u < full


def test_a_bootstrap_goes_before_the_covariance_and_settings_before_the_camera():
    given = BudgetInputs(row(), fit(bootstrap=7e10), VOXEL_MM, CURVE, calibration_relative_u=0.5)
    found = {share.cause: share.relative_u for share in dose_budget(given, KNOWN).shares}
    assert found["time-activity curve"] == pytest.approx(0.07)
    assert found["calibration factor"] == 0.03
    of_camera = dose_budget(given, replace(KNOWN, calibration=None))
    assert {share.cause: share.relative_u for share in of_camera.shares}["calibration factor"] == 0.5


def test_a_volume_without_dose_has_no_error_of_its_dose():
    empty = dose_budget(BudgetInputs(row(mean_gy=0.0), replace(fit(), tia_bq_s=0.0), VOXEL_MM, CURVE), KNOWN)
    assert empty.mean_u_gy == 0.0


@pytest.mark.parametrize("change", [{"calibration": -0.1}, {"density": 3.0}, {"organ_fwhm_mm": float("nan")}])
def test_settings_that_have_no_meaning_are_refused(change):
    with pytest.raises(ConfigurationError):
        UncertaintySettings(**change)


def test_the_exponent_of_s_is_that_of_our_own_spheres():
    """S ∝ m^(−c) between 10 and 100 g: c = 1 but for photons and electrons that leave."""
    from RPTDosimetryLib.transport.point_kernel_library import point_kernel
    from RPTDosimetryLib.transport.sphere_s_value import sphere_s_value_gy_per_bq_s

    kernel = point_kernel("Lu-177", "soft_tissue")
    low, high = (sphere_s_value_gy_per_bq_s(kernel, mass, 1.04) for mass in (10.0, 100.0))
    assert math.log(low / high) / math.log(10.0) == pytest.approx(UncertaintySettings().s_exponent, abs=0.03)
