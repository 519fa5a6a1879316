"""Every volume by its own kinetics and tissue; no BED where nothing is known; the map says whose kinetics it took."""

from dataclasses import replace

import numpy as np
import pytest

from RPTDosimetryLib.errors import ConfigurationError, RadiobiologyError
from RPTDosimetryLib.radiobiology.organ_effects import effect_maps, organ_effects
from RPTDosimetryLib.radiobiology.tissues import Limit, RadiobiologySettings, Tissue, limits_of, organ_of, tissue_of


def by_name(effects):
    return {effect.name: effect for effect in effects}


def test_each_volume_has_its_own_kinetics_and_tissue(case):
    found = by_name(case.effects)
    assert found["kidney_left"].bed_gy == pytest.approx(2.8970, abs=5e-5)
    assert found["kidney_left"].lea_catcheside == pytest.approx(2.8 / (2.8 + 49.224))
    assert found["liver"].lea_catcheside == pytest.approx(2.5 / 82.5)
    assert found["lesion 1"].lea_catcheside == pytest.approx(1.5 / 91.5)
    assert found["lesion 1"].alpha_beta_gy == 10.0
    assert found["lesion 1"].eqd2_gy == pytest.approx((20 + 1.5 / 91.5 * 40) / 1.2, rel=1e-6)
    assert found["lesion 1"].geud_gy is None


def test_an_organ_without_a_source_gets_no_bed_and_says_so(case):
    spleen = by_name(case.effects)["spleen"]
    assert spleen.bed_gy is spleen.eqd2_gy is spleen.alpha_beta_gy is None
    assert "no BED" in spleen.note
    assert spleen.dose_gy == pytest.approx(1.0)


def test_mean_of_the_voxels_bed_is_above_the_bed_of_the_mean(case):
    """Liver: 4 of 144 voxels have 20 Gy, the others 1 Gy."""
    liver = by_name(case.effects)["liver"]
    mean = (140 * 1.0 + 4 * 20.0) / 144
    assert liver.dose_gy == pytest.approx(mean)
    g_over = 2.5 / 82.5 / 2.5
    assert liver.bed_gy == pytest.approx(mean + g_over * mean**2)
    assert liver.bed_voxel_mean_gy == pytest.approx(mean + g_over * (140 + 4 * 400) / 144, rel=1e-6)
    assert liver.geud_gy == pytest.approx(((140 + 4 * 20.0**3.13) / 144) ** (1 / 3.13), rel=1e-6)


def test_the_map_takes_the_smallest_volume_and_is_undefined_elsewhere(case):
    effects = by_name(case.effects)
    bed, eqd2 = effect_maps(case.dose, case.vois, case.effects)
    lesion, liver, kidney, spleen = (
        next(voi.mask for voi in case.vois if voi.name == name)
        for name in ("lesion 1", "liver", "kidney_left", "spleen")
    )
    assert bed.voxels[lesion] == pytest.approx(effects["lesion 1"].bed_gy, rel=1e-6)
    assert bed.voxels[kidney] == pytest.approx(effects["kidney_left"].bed_gy, rel=1e-6)
    assert bed.voxels[liver & ~lesion] == pytest.approx(1 + 2.5 / 82.5 / 2.5, rel=1e-6)
    assert np.isnan(bed.voxels[spleen]).all()
    assert eqd2.voxels[lesion] == pytest.approx(effects["lesion 1"].eqd2_gy, rel=1e-6)
    assert eqd2.voxels[kidney] == pytest.approx(effects["kidney_left"].eqd2_gy, rel=1e-6)


def test_no_known_tissue_no_map(case):
    case.settings = RadiobiologySettings(tissues=())
    assert effect_maps(case.dose, case.vois, case.effects) == (None, None)


def test_uncertainty_of_bed_follows_its_slope(case):
    rows = [replace(row, mean_u_gy=0.1) for row in case.rows]
    found = organ_effects(case.dose, case.vois, rows, case.fits, case.patient, case.settings)[0]
    step = found.lea_catcheside * ((2.741417 + 1e-4) ** 2 - (2.741417 - 1e-4) ** 2) / 2.6 / 2e-4
    assert found.bed_u_gy == pytest.approx(0.1 * (1 + step), rel=1e-6)


def test_recovered_means_where_asked_and_known(case):
    rows = [replace(case.rows[0], mean_recovered_gy=3.0, mean_recovered_u_gy=0.2), *case.rows[1:]]
    settings = RadiobiologySettings(dose="recovered")
    found = organ_effects(case.dose, case.vois, rows, case.fits, case.patient, settings)
    assert (found[0].dose_gy, found[0].dose_u_gy) == (3.0, 0.2)
    assert "as imaged" in found[1].note


def test_a_volume_without_activity_has_no_bed(case):
    case.fits["liver"] = replace(case.fits["liver"], activity_bq_at=lambda t: np.zeros(np.shape(t)), tia_bq_s=0.0)
    liver = by_name(case.effects)["liver"]
    assert liver.bed_gy is None
    assert "Lea–Catcheside" in liver.note


def test_negative_doses_and_empty_volumes_are_refused(case):
    case.dose = replace(case.dose, image=case.dose.image.with_voxels(-case.dose.image.voxels))
    with pytest.raises(RadiobiologyError, match="negative"):
        _ = case.effects
    case.__post_init__()
    case.patient = replace(case.patient, medium=np.zeros_like(case.patient.medium))
    with pytest.raises(RadiobiologyError, match="holds no tissue"):
        _ = case.effects


def test_names_find_their_tissue_whatever_the_spelling(case):
    for name in ("Lt kidney", "kidney_right", "KIDNEY L", "kidneys"):
        assert organ_of(name) == "kidney", name
    settings = RadiobiologySettings()
    spellings = [replace(case.vois[0], name=name) for name in ("Lung L", "vertebral_marrow", "red marrow")]
    assert [len(limits_of(voi, settings.limits)) for voi in spellings] == [1, 1, 1]
    assert tissue_of(spellings[0], settings.tissues) is None


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Tissue("spleen", 0.0, 1.0, "book"), "alpha_beta_gy"),
        (lambda: Tissue("spleen", 2.0, 1.0, " "), "source"),
        (lambda: Tissue("spleen", 2.0, 1.0, "book", 3.0), "geud_source"),
        (lambda: Limit("spleen", "BED", -1.0, "book"), "positive"),
        (lambda: Limit("spleen", "BED", 1.0, ""), "source"),
        (
            lambda: RadiobiologySettings(tissues=(Tissue("left kidney", 2, 1, "a"), Tissue("kidney", 3, 1, "b"))),
            "twice",
        ),
    ],
)
def test_settings_need_sources_and_sense(make, says):
    with pytest.raises(ConfigurationError, match=says):
        make()
