"""The verb curve: results with fewer scans, the kind of VOI, and a bootstrap that repeats."""

import json

import pytest


@pytest.fixture
def curve_json(tmp_path):
    path = tmp_path / "curve.json"
    told = {"time_h": [4, 24, 69, 120, 168], "activity_mbq": [95, 80, 51, 29, 18.5], "nuclide": "Lu-177"}
    path.write_text(json.dumps(told))
    return path


def test_fewer_scans_stand_beside_the_fit(rptdosimetry, curve_json):
    answer = rptdosimetry("curve", curve_json, "--population-half-life-h", 51, "--json").json
    found = {few["method"]: few for few in answer["side_by_side"]["few_scans"]}
    assert set(found) == {"two_point", "haenscheid", "madsen"}
    assert found["two_point"]["scan_time_h"] == [24, 168]
    share = found["haenscheid"]["tia_bq_s"] / answer["side_by_side"]["multi_point"]["tia_bq_s"]
    assert found["haenscheid"]["difference_percent"] == pytest.approx(100 * (share - 1))
    text = rptdosimetry("curve", curve_json).out
    assert "With fewer scans, against monoexponential_uptake" in text
    assert "madsen: The model madsen needs" in text


def test_a_bootstrap_repeats_from_its_seed(rptdosimetry, curve_json):
    ask = ("curve", curve_json, "--model", "monoexponential", "--bootstrap", 300, "--seed")
    first, again, other = (rptdosimetry(*ask, seed, "--json").json["uncertainty"]["bootstrap"] for seed in (5, 5, 6))
    assert first == again
    assert first["tia_se_bq_s"] != other["tia_se_bq_s"]
    assert (first["replicates"], first["seed"]) == (300, 5)


def test_the_kind_of_voi_decides_the_default_model(rptdosimetry, curve_json):
    assert rptdosimetry("curve", curve_json, "--kind", "region", "--json").json["model"] == "trapezoid"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--kind", "tumour"), "choose one of organ, lesion, region"),
        (("--bootstrap", 5), "at least 100"),
        (("--model", "kim", "--bootstrap", 200), "leaves no residuals"),
    ],
)
def test_what_cannot_be_done_is_one_clear_error(rptdosimetry, curve_json, arguments, said):
    answer = rptdosimetry("curve", curve_json, *arguments)
    assert answer.code == 2
    assert said in answer.err
