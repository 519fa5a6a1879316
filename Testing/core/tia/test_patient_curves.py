"""Real organ curves against another program's fit of the same model."""

import pytest

from RPTDosimetryLib.tia.selection import fit_curve
from RPTDosimetryLib.tia.settings import FitSettings


def test_unweighted_fit_of_patient_curves_agrees_to_a_tenth_of_a_percent(patient_organ, curve):
    fit = fit_curve(curve(patient_organ["time_h"], patient_organ["activity_mbq"]), "monoexponential_uptake")
    assert fit.tia_bq_s / 3.6e9 == pytest.approx(patient_organ["tia_mbq_h"], rel=1e-3)
    assert fit.parameters["a_bq"] / 1e6 == pytest.approx(patient_organ["a_mbq"], rel=1e-3)
    assert fit.parameters["lambda_eff_per_s"] * 3600 == pytest.approx(patient_organ["lambda_per_h"], rel=1e-3)
    assert fit.parameters["mu_per_s"] * 3600 == pytest.approx(patient_organ["mu_per_h"], rel=1e-3)


def test_relative_weights_move_the_patient_curves_by_no_more_than_half_a_percent(patient_organ, curve):
    fit = fit_curve(
        curve(patient_organ["time_h"], patient_organ["activity_mbq"]),
        "monoexponential_uptake",
        FitSettings(weighting="relative"),
    )
    assert fit.tia_bq_s / 3.6e9 == pytest.approx(patient_organ["tia_mbq_h"], rel=5e-3)
    assert fit.tia_bq_s / 3.6e9 != pytest.approx(patient_organ["tia_mbq_h"], rel=1e-4)


def test_auto_falls_back_to_the_default_of_organs_and_shows_all_fits(patient_organ, curve):
    fit = fit_curve(curve(patient_organ["time_h"], patient_organ["activity_mbq"]))
    assert fit.model == "monoexponential_uptake"
    assert "too few to choose by AICc" in fit.warnings[0]
    assert {f.model for f in fit.alternatives} == {
        *("monoexponential", "biexponential", "two_point", "trapezoid", "kim", "mansouri")
    }
