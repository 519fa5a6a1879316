"""Organ rows of a small patient that can be added up by hand."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from RPTDosimetryLib.errors import EvaluationError, GridMismatchError, VoiError
from RPTDosimetryLib.evaluation.organ_table import dvh_answer, organ_doses
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Code, DoseMap, Image, PatientMap, Review, TiaMap, Voi
from RPTDosimetryLib.report.tables import organ_table_text

approx = pytest.approx

GRID = Grid((1, 1, 4), (10.0, 10.0, 10.0))  # 1 mL a voxel
DOSE = np.array([[[1.0, 3.0, 10.0, 0.0]]], dtype=np.float32)
DENSITY = np.array([[[1.0, 0.25, 2.0, 0.001]]], dtype=np.float32)
TIA = np.array([[[4e9, 2e9, 1e9, 5e8]]], dtype=np.float32)


def voi(*inside, name="organ", grid=GRID):
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    mask[0, 0, list(inside)] = True
    return Voi(name, mask, grid)


GIVEN = Administration("Lu-177", 2e9)


def rows(vois, administration=GIVEN, recovery=None):
    dose = DoseMap(Image(DOSE, GRID, "Gy"), "local", "", "Lu-177")
    medium = np.array([[[3, 1, 8, 0]]], dtype=np.uint8)
    patient = PatientMap(Image(DENSITY, GRID, "g/cm3"), medium, "schneider8", "given")
    return organ_doses(
        dose, vois, patient, TiaMap(Image(TIA, GRID, "Bq·s"), "trapezoid", 0.1), administration, recovery
    )


def test_a_row_adds_up_by_hand():
    (row,) = rows([voi(0, 1, name="kidney")])
    assert (row.name, row.voxels, row.volume_ml, row.air_ml) == ("kidney", 2, approx(2.0), 0.0)
    assert row.mass_g == approx(1.25)
    assert row.mean_gy == approx((1.0 * 1 + 0.25 * 3) / 1.25)  # energy per mass, not 2.0
    assert row.mean_plain_gy == approx(2.0)
    assert row.tia_bq_s == approx(6e9)
    assert row.tia_coefficient_s == approx(3.0)
    assert row.gy_per_gbq == approx(1.4 / 2)
    assert (row.minimum_gy, row.d50_gy, row.maximum_gy) == (1.0, 2.0, 3.0)


def test_air_counts_as_volume_but_not_in_the_dose():
    (row,) = rows([voi(2, 3)])
    assert (row.volume_ml, row.air_ml, row.mass_g) == (approx(2.0), approx(1.0), approx(2.0))
    assert (row.mean_gy, row.mean_plain_gy, row.minimum_gy) == (10.0, 10.0, 10.0)
    assert row.tia_bq_s == approx(1.5e9)
    assert "1 of 2 voxels are air" in row.warnings[0]


def test_a_recovery_curve_adds_a_corrected_mean_beside_the_measured_one_and_leaves_regions_alone():
    from RPTDosimetryLib.calibration.recovery import RecoveryCurve

    curve = RecoveryCurve(v50_ml=2.0, beta=1.0, smallest_ml=0.5, largest_ml=30.0)
    body = replace(voi(0, 1, name="body"), kind="region")
    plain = rows([voi(0, 1, name="kidney"), body])
    organ, region = rows([voi(0, 1, name="kidney"), body], recovery=curve)
    assert organ.mean_gy == plain[0].mean_gy
    assert organ.recovery_coefficient == approx(0.5)  # 2 mL is V50
    assert organ.mean_recovered_gy == approx(2 * organ.mean_gy)
    assert region == plain[1]


def test_the_table_states_lesions_codes_reviews_and_small_lesions():
    drawn = replace(
        voi(0, 1, name="liver"),
        code=Code("10200004", "SCT", "Liver"),
        lesions="excluded",
        review=Review("A. B.", datetime(2026, 3, 1, 12, tzinfo=UTC)),
    )
    organ, small = rows([drawn, replace(voi(0, name="metastasis"), kind="lesion")])
    assert (organ.code, organ.lesions) == ("10200004 SCT Liver", "excluded")
    assert organ.reviewed_by == "A. B., 2026-03-01T12:00:00+00:00"
    assert "below 2 mL" in small.warnings[0]
    text = organ_table_text([organ, small])
    assert "liver (lesions excluded)" in text
    assert "metastasis (below 2 mL)" in text


def test_without_administered_activity_nothing_is_invented():
    (row,) = rows([voi(0)], Administration("Lu-177"))
    assert row.tia_coefficient_s is None
    assert row.gy_per_gbq is None


@pytest.mark.parametrize("inside", [(), (3,)])
def test_a_mask_without_tissue_is_refused_by_name(inside):
    with pytest.raises(VoiError, match="spleen"):
        rows([voi(*inside, name="spleen")])


def test_a_mask_on_another_grid_is_refused():
    with pytest.raises(GridMismatchError):
        rows([voi(0, grid=Grid((1, 1, 4), (5.0, 10.0, 10.0)))])


def test_the_answer_for_labels_is_plain_json_with_weighted_means():
    labels = Image(np.array([[[1, 1, 7, 0]]], dtype=np.uint8), GRID, "1")
    answer = dvh_answer(Image(DOSE, GRID, "Gy"), labels, Image(DENSITY, GRID, "g/cm3"), {7: "tumour"})
    first, second = json.loads(json.dumps(answer))["volumes"]
    assert (first["label"], first["name"], first["voxels"], first["volume_ml"]) == (1, "1", 2, approx(2.0))
    assert (first["mean_gy"], first["mean_plain_gy"], first["mass_g"]) == (approx(1.4), approx(2.0), approx(1.25))
    assert (second["name"], second["mean_gy"], second["d2_gy"]) == ("tumour", approx(10.0), approx(10.0))
    assert len(first["dose_gy"]) == len(first["cumulative"]) == len(first["differential_per_gy"]) + 1 >= 501
    assert answer["mean_weighting"] == "voxel mass"


def test_air_by_density_counts_as_volume_only():
    labels = Image(np.array([[[0, 0, 2, 2]]], dtype=np.uint8), GRID, "1")
    (volume,) = dvh_answer(Image(DOSE, GRID, "Gy"), labels, Image(DENSITY, GRID, "g/cm3"))["volumes"]
    assert (volume["volume_ml"], volume["air_ml"], volume["mean_plain_gy"]) == (approx(2.0), approx(1.0), approx(10.0))
    only_air = Image(np.array([[[0, 0, 0, 2]]], dtype=np.uint8), GRID, "1")
    with pytest.raises(VoiError, match="air"):
        dvh_answer(Image(DOSE, GRID, "Gy"), only_air, Image(DENSITY, GRID, "g/cm3"))


def test_without_density_the_answer_says_that_means_are_plain():
    labels = Image(np.array([[[1, 1, 7, 0]]], dtype=np.uint8), GRID, "1")
    answer = dvh_answer(Image(DOSE, GRID, "Gy"), labels)
    assert answer["volumes"][0]["mean_gy"] == approx(2.0)
    assert answer["volumes"][0]["mass_g"] is None
    assert "no density" in answer["mean_weighting"]


def test_label_maps_that_are_none_are_refused():
    dose = Image(DOSE, GRID, "Gy")
    with pytest.raises(VoiError):
        dvh_answer(dose, Image(np.zeros(GRID.shape_zyx, np.uint8), GRID, "1"))
    with pytest.raises(EvaluationError):
        dvh_answer(dose, Image(DOSE / 7, GRID, "1"))
    with pytest.raises(GridMismatchError):
        dvh_answer(dose, Image(np.ones((1, 1, 3), np.uint8), Grid((1, 1, 3), (10.0, 10.0, 10.0)), "1"))


def test_the_dvh_of_masks_is_that_of_the_same_labels():
    labels = np.zeros(GRID.shape_zyx, np.uint8)
    labels.ravel()[:2] = 1
    from_labels = dvh_answer(Image(DOSE, GRID, "Gy"), Image(labels, GRID, "1"), names={1: "tumour"})
    voi = Voi("tumour", labels == 1, GRID, warnings=("tumour is cut.",))
    from_masks = dvh_answer(Image(DOSE, GRID, "Gy"), [voi])
    assert from_masks["volumes"] == from_labels["volumes"]
    assert from_masks["warnings"] == ["tumour is cut."]
    elsewhere = Voi("tumour", labels == 1, Grid(GRID.shape_zyx, GRID.spacing_mm, (1.0, 0.0, 0.0)))
    with pytest.raises(GridMismatchError, match="the mask of tumour"):
        dvh_answer(Image(DOSE, GRID, "Gy"), [elsewhere])
