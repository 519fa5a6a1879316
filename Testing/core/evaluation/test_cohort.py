"""A cohort whose every figure is known by hand: methods that are off by known percents."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from RPTDosimetryLib.errors import CancelledError, EvaluationError, GridMismatchError, VoiError
from RPTDosimetryLib.evaluation.cohort import CohortCase, CohortSettings, cohort_of
from RPTDosimetryLib.evaluation.cohort_statistics import paired_test, patient_means, spread_of
from RPTDosimetryLib.evaluation.cohort_tables import cohort_tables, flat, organ_table, summary, voxel_table
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image, Voi
from RPTDosimetryLib.report.provenance import json_text

approx = pytest.approx
GRID = Grid((8, 9, 10), (4.0, 4.0, 5.0))
ZZ, YY, XX = np.indices(GRID.shape_zyx)
REFERENCE = Image((2.0 + XX + YY + ZZ).astype(np.float32), GRID, "Gy")
ERRORS = {"SSV": (4.0, 6.0, 5.0, 8.0, 7.0, 3.0), "DL": (1.0, 1.0, 2.0, 2.5, 1.5, 1.0)}


def vois():
    return (
        Voi("kidney_left", XX < 3, GRID),
        Voi("Kidney R", XX > 7, GRID),
        Voi("lesion 1", (ZZ > 5) & (YY > 6), GRID, "lesion"),
        Voi("lesion 2", (ZZ < 2) & (YY > 6), GRID, "lesion"),
        Voi("interface", YY == 4, GRID, "region"),
    )


def off(percent):
    return REFERENCE.with_voxels(REFERENCE.voxels * np.float32(1 + percent / 100))


def case(number, methods=("SSV", "DL"), **more):
    evaluated = {name: off(ERRORS[name][number]) for name in methods}
    return CohortCase(f"P{number}", REFERENCE, evaluated, vois(), seconds={"SSV": 2.0 + number}, **more)


@pytest.fixture(scope="module")
def six():
    return cohort_of(case(n) for n in range(6))


def of(rows, **wanted):
    (found,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return found


def test_a_known_percent_is_found_in_every_figure(six):
    rows = summary(six)
    for method, errors in ERRORS.items():
        for figure in ("rae_percent", "re_percent", "mape_percent"):
            told = of(rows, method=method, figure=figure)["over_patients"]
            assert (told["n"], told["mean"], told["sd"]) == approx(
                (6, np.mean(errors), np.std(errors, ddof=1)), rel=1e-4
            )
        slope = of(rows, method=method, figure="slope_origin")["over_patients"]["mean"]
        assert slope == approx(1 + np.mean(errors) / 100, rel=1e-5)
    assert of(rows, method="SSV", figure="seconds")["each"]["mean"] == approx(4.5)
    assert of(rows, method="DL", figure="seconds")["each"]["n"] == 0
    mae = of(rows, method="DL", figure="mae_gy")["over_patients"]["mean"]
    assert mae == approx(np.mean(ERRORS["DL"]) / 100 * REFERENCE.voxels.mean(), rel=1e-4)


def test_organs_are_grouped_by_what_they_are_and_lesions_together(six):
    assert six.groups == ("left kidney", "right kidney", "lesions", "interface")
    rows = six.answer()["organs"]
    told = of(rows, group="lesions", method="SSV", figure="absolute_error_percent")
    assert told["each"]["n"] == 12
    assert told["over_patients"]["n"] == 6
    assert told["each"]["mean"] == approx(5.5, rel=1e-4)
    assert of(rows, group="interface", method="DL", figure="rae_percent")["each"]["mean"] == approx(1.5, rel=1e-4)


def test_groups_of_ones_own():
    together = cohort_of([case(0)], CohortSettings(groups={"kidney_left": "kidneys", "Kidney R": "kidneys"}))
    assert together.groups == ("kidneys", "lesions", "interface")


def test_gamma_counts_all_voxels_and_those_from_the_cut_off(six):
    row = of(six.answer()["case_rows"], patient="P0", method="DL")
    assert row["gamma_all_percent"] == 100.0  # 1 % of less than the maximum
    assert row["gamma_all_judged"] == REFERENCE.voxels.size
    assert row["gamma_cutoff_judged"] == np.count_nonzero(REFERENCE.voxels >= 0.1 * REFERENCE.voxels.max())
    assert row["dta_mm"] == 5.0  # one voxel, its longest side


def test_tests_pair_patients_as_scipy_does(six):
    tests = six.answer()["tests"]
    told = of(tests, figure="rae_percent")
    first, second = (np.array(ERRORS[name]) for name in ("SSV", "DL"))
    assert (told["first"], told["second"], told["n"]) == ("SSV", "DL", 6)
    assert told["mean_difference"] == approx((second - first).mean(), rel=1e-4)
    assert told["wilcoxon_p"] == approx(stats.wilcoxon(second, first).pvalue)
    assert told["wilcoxon_p"] == approx(2 / 2**6)  # all six of one sign: exact
    assert told["t_p"] == approx(stats.ttest_rel(second, first).pvalue, rel=1e-3)
    assert of(tests, figure="absolute_error_percent of lesions")["n"] == 6


def test_cycles_of_a_patient_count_as_one_in_tests():
    cases = [replace(case(n), patient=f"P{n // 2}", cycle=str(n)) for n in range(6)]
    found = cohort_of(cases)
    told = of(summary(found), method="DL", figure="rae_percent")
    assert (told["over_patients"]["n"], told["each"]["n"]) == (3, 6)
    assert told["over_patients"]["mean"] == approx(np.mean([1.0, 2.25, 1.25]), rel=1e-4)
    (test,) = [t for t in found.tests() if t.figure == "rae_percent"]
    assert (test.n, test.wilcoxon_p, test.t_p) == (3, None, None)
    assert "fewer than 5" in test.note


def test_pooled_voxels_add_up(six):
    (told,) = [row for row in six.answer()["pooled_voxels"] if row["method"] == "SSV"]
    reference = np.tile(REFERENCE.voxels.ravel().astype(float), 6)
    evaluated = np.concatenate([off(e).voxels.ravel().astype(float) for e in ERRORS["SSV"]])
    assert told["rmse_gy"] == approx(np.sqrt(np.mean((evaluated - reference) ** 2)), rel=1e-4)
    assert told["correlation"] == approx(np.corrcoef(reference, evaluated)[0, 1], rel=1e-6)
    assert told["slope_origin"] == approx(1.055, rel=1e-5)
    assert six.pooled["SSV"].density.sum() == reference.size


def test_bland_altman_over_all_volumes_and_each_group(six):
    told = of(six.answer()["bland_altman"], method="DL", group="left kidney")
    kidney = float(REFERENCE.voxels[XX < 3].mean(dtype=np.float64))
    apart = np.array(ERRORS["DL"]) / 100 * kidney
    assert told["gy"]["mean_difference"] == approx(apart.mean(), rel=1e-4)
    assert told["gy"]["upper_limit"] == approx(apart.mean() + 1.96 * apart.std(ddof=1), rel=1e-4)
    assert of(six.answer()["bland_altman"], method="DL", group="all volumes")["volumes"] == 30


def test_the_answer_is_json_and_the_tables_are_those_of_the_papers(six):
    got = json.loads(json_text(six.answer()))
    assert (got["patients"], got["methods"]) == (6, ["SSV", "DL"])
    text = cohort_tables(six)
    for word in ("RAE [%]", "SSIM [%]", "gamma, all voxels [%]", "left kidney", "5.50 ± 1.87", "Wilcoxon p"):
        assert word in text
    assert voxel_table(six)[0] == ["voxels, mean ± SD over patients", "SSV", "DL"]
    assert organ_table(six)[3][:2] == ["lesions", "12"]
    assert {"mean_patients", "sd_each", "n_each"} <= set(flat(summary(six))[0])


def test_a_method_that_some_lack_is_said():
    found = cohort_of([case(0), case(1, ("SSV",))])
    assert "DL is given for 1 of 2 cases" in found.warnings[0]


def test_identical_maps_have_no_psnr_and_are_counted_as_missing():
    same = CohortCase("P", REFERENCE, {"same": REFERENCE})
    found = cohort_of([same])
    assert of(summary(found), method="same", figure="psnr_db")["each"]["n"] == 0
    assert found.answer()["case_rows"][0]["psnr_db"] is None
    assert cohort_tables(found)


def test_negative_doses_are_compared_and_said_but_no_organ_has_them():
    voxels = REFERENCE.voxels.copy()
    voxels[4, 4, 5] = -1.0
    bad = {"DL": REFERENCE.with_voxels(voxels)}
    found = cohort_of([CohortCase("P", REFERENCE, bad)])
    assert "1 voxels below 0 Gy, down to -1" in found.warnings[0]
    with pytest.raises(EvaluationError, match=r"P, DL: The volume interface holds doses that are negative"):
        cohort_of([CohortCase("P", REFERENCE, bad, vois())])


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"evaluated": {}}, EvaluationError, "no evaluated dose"),
        ({"reference": REFERENCE.with_voxels(0 * REFERENCE.voxels)}, EvaluationError, "P0, SSV.*no dose above 0"),
        ({"evaluated": {"SSV": Image(REFERENCE.voxels, Grid(GRID.shape_zyx, (4.0, 4.0, 4.0)), "Gy")}},
         GridMismatchError, "P0, SSV"),
        ({"vois": (Voi("none", XX < 0, GRID),)}, VoiError, "none is empty"),
        ({"mask": XX < 0}, EvaluationError, "mask is empty"),
    ],
)  # fmt: skip
def test_bad_cases_are_one_clear_error(change, error, says):
    with pytest.raises(error, match=says):
        cohort_of([replace(case(0), **change)])


def test_a_dta_below_the_voxel_is_said():
    found = cohort_of([case(0, ("SSV",))], CohortSettings(dta_mm=1.0))
    assert "P0, SSV: The DTA of 1 mm is below the voxel size" in found.warnings[0]
    assert found.cases[0].dta_mm == 1.0


def test_no_case_a_case_twice_and_a_stop():
    with pytest.raises(EvaluationError, match="holds no case"):
        cohort_of([])
    with pytest.raises(EvaluationError, match="P0 is in the cohort twice"):
        cohort_of([case(0), case(0)])
    with pytest.raises(CancelledError):
        cohort_of([case(0)], cancelled=lambda: True)


def test_a_case_is_let_go_before_the_next_is_read():
    import weakref

    seen = []

    def cases():
        for number in range(3):
            assert all(ref() is None for ref in seen[:-1])
            one = case(number)
            seen.append(weakref.ref(one))
            yield one
            del one

    cohort_of(cases())


def test_statistics_by_hand():
    assert spread_of([1.0, None, 3.0, float("inf")]).mean == 2.0
    assert spread_of([]).mean is None
    assert spread_of([1.0]).sd is None
    assert patient_means([("a", 1.0), ("b", 5.0), ("a", 3.0), ("c", None)]) == {"a": 2.0, "b": 5.0}
    ones = {str(n): 1.0 for n in range(6)}
    same = paired_test("x", ("a", "b"), ones, ones)
    assert (same.n, same.wilcoxon_p, same.t_p) == (6, None, None)
    assert "only 0 pairs differ" in same.note
