"""What is left of a limit, worked out backwards: the activity told brings the cumulative dose onto the limit."""

import pytest

from RPTDosimetryLib.radiobiology.cycles import EarlierCycle, EarlierOrgan, cumulative_doses
from RPTDosimetryLib.radiobiology.limits import IMAGE_BASED, limit_rows
from RPTDosimetryLib.radiobiology.linear_quadratic import bed_gy
from RPTDosimetryLib.radiobiology.tissues import Limit


def rows_of(case, earlier=(), a0_bq=7.4e9, limits=None):
    totals = cumulative_doses(case.present, earlier)
    return limit_rows(case.vois, case.effects, totals, limits or case.settings.limits, a0_bq)


def test_absorbed_dose_by_hand(case):
    """20 Gy before, 2.741 now at 0.3705 Gy/GBq: 23 − 22.741 = 0.2586 Gy, 0.698 GBq."""
    kidney = rows_of(case, [EarlierCycle("1", {"left kidney": EarlierOrgan(20.0, None, 21.0)})])[0]
    assert kidney.cumulative_gy == pytest.approx(22.741417)
    assert kidney.remaining_gy == pytest.approx(0.258583)
    assert kidney.activity_gbq == pytest.approx(0.258583 / (2.741417 / 7.4), rel=1e-6)
    assert "0.259 Gy left / 0.37 Gy/GBq = 0.698 GBq" in kidney.arithmetic
    assert "Emami" in kidney.source


def test_the_activity_told_for_a_bed_reaches_it(case):
    row = next(r for r in rows_of(case) if r.quantity == "BED")
    effect = case.effects[0]
    dose = row.activity_gbq * row.gy_per_gbq
    further = bed_gy(dose, effect.lea_catcheside, effect.alpha_beta_gy)
    assert row.cumulative_gy + further == pytest.approx(40.0, rel=1e-9)
    assert row.cumulative_gy == pytest.approx(2.8970, abs=5e-5)


def test_above_a_limit_there_is_none_left(case):
    row = rows_of(case, limits=(Limit("liver", "absorbed dose", 1.0, "book"),))[0]
    assert row.remaining_gy < 0
    assert row.activity_gbq == 0.0
    assert "above the limit" in row.arithmetic


def test_without_an_administered_activity_no_activity_is_told(case):
    row = rows_of(case, a0_bq=None)[0]
    assert row.activity_gbq is None
    assert "no administered activity" in row.arithmetic
    assert row.remaining_gy == pytest.approx(23 - 2.741417)


def test_a_cycle_without_a_known_bed_leaves_its_sum_open(case):
    earlier = [EarlierCycle("1", {"left kidney": EarlierOrgan(5.0)})]
    row = next(r for r in rows_of(case, earlier) if r.quantity == "BED")
    assert row.cumulative_gy is row.remaining_gy is row.activity_gbq is None
    assert row.arithmetic == "no BED of every cycle is known"


def test_an_earlier_cycle_without_the_organ_is_said(case):
    row = rows_of(case, [EarlierCycle("cycle one")])[0]
    assert "not (wholly) in cycle one" in row.note
    assert row.previous_gy == 0.0


def test_marrow_is_labelled_by_its_images(case):
    import dataclasses

    case.vois = (*case.vois[:3], dataclasses.replace(case.vois[3], name="bone marrow"))
    case.rows = (*case.rows[:3], dataclasses.replace(case.rows[3], name="bone marrow"))
    case.fits["bone marrow"] = case.fits["spleen"]
    row = next(r for r in rows_of(case) if r.name == "bone marrow")
    assert row.limit_gy == 2.0
    assert IMAGE_BASED in row.note
    assert row.answer()["note"] == row.note
