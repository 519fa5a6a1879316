"""CURVE.json in, one machine-readable answer out."""

import json

import pytest

from RPTDosimetryLib.errors import KineticsError, PhysicsDataError
from RPTDosimetryLib.tia.bootstrap import BootstrapSettings
from RPTDosimetryLib.tia.curve_file import curve_answer, curve_table, read_curve

GOOD = {"time_h": [4, 24, 69, 120], "activity_mbq": [10, 8, 5.1, 2.9], "nuclide": "Lu-177"}


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "curve.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


def test_reads_hours_and_mbq_as_seconds_and_bq(written):
    curve = read_curve(written({**GOOD, "standard_error_mbq": [1, 1, 1, 1]}))
    assert curve.time_s[1] == 86400
    assert curve.activity_bq[0] == 1e7
    assert curve.standard_error_bq[0] == 1e6
    assert curve.nuclide == "Lu-177"
    assert 0.6931472 / curve.lambda_phys_per_s / 86400 == pytest.approx(6.647, rel=1e-3)


def test_answer_is_json_with_units_in_the_names(written):
    answer = json.loads(json.dumps(curve_answer(read_curve(written(GOOD)), "auto"), allow_nan=False))
    assert answer["tia_bq_s"] == pytest.approx(answer["tia_mbq_h"] * 3.6e9)
    assert 0 < answer["extrapolated_fraction"] < 1
    assert answer["parameters"]["lambda_per_h"] == pytest.approx(answer["parameters_si"]["lambda_eff_per_s"] * 3600)
    assert answer["parameters"]["a_mbq"] == pytest.approx(answer["parameters_si"]["a_bq"] / 1e6)
    assert answer["uncertainty"]["tia_se_bq_s"] > 0
    assert {"kim", "mansouri", "trapezoid"} <= {other["model"] for other in answer["alternatives"]}


def test_bootstrap_beside_the_covariance(written):
    answer = curve_answer(read_curve(written(GOOD)), "monoexponential", how=BootstrapSettings(replicates=200, seed=9))
    found = answer["uncertainty"]["bootstrap"]
    assert found["seed"] == 9
    assert found["tia_interval_95_bq_s"][0] < answer["tia_bq_s"] < found["tia_interval_95_bq_s"][1]
    assert "95 % in" in curve_table(answer)


def test_table_tells_tia_parameters_and_notes(written):
    text = curve_table(curve_answer(read_curve(written(GOOD)), "auto"))
    assert "MBq·h" in text
    assert "lambda_per_h" in text
    assert "Note: Model" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[1, 2]", "JSON object"),
        ({"time_h": [4], "nuclide": "Lu-177"}, "activity_mbq missing"),
        ({**GOOD, "time": [4]}, "time unknown"),
        ({**GOOD, "activity_mbq": [1, 2, "3", 4]}, "activity_mbq must be a list of numbers"),
        ({**GOOD, "activity_mbq": 5}, "activity_mbq must be a list of numbers"),
        ({**GOOD, "time_h": [4, 24]}, "2 times and 4 activities"),
        ({**GOOD, "nuclide": 177}, "nuclide must be a name"),
    ],
)
def test_wrong_files(content, message, written):
    with pytest.raises(KineticsError, match=message):
        read_curve(written(content))


def test_no_such_file(tmp_path):
    with pytest.raises(KineticsError, match="cannot be read"):
        read_curve(tmp_path / "none.json")


def test_unknown_nuclide(written):
    with pytest.raises(PhysicsDataError):
        read_curve(written({**GOOD, "nuclide": "Xx-1"}))
