"""What inspect tells, to machines and to people."""

import json

from RPTDosimetryLib.study.inspect import inspect_study, inspect_table
from RPTDosimetryLib.study.read_study import read_study


def test_the_dictionary_is_json_with_the_promised_keys(write, spect, hu, activity, grid, visit):
    write.nm(spect, visit(1))
    write.pt(activity(grid, 2), visit(2, 24))
    write.ct(hu, visit(1))
    told = json.loads(json.dumps(inspect_study(read_study(write.folder)), allow_nan=False))
    assert set(told) >= {"time_points", "administration", "missing", "warnings", "patient_id"}
    for point in told["time_points"]:
        assert set(point) >= {"time_s", "total_activity_bq", "unit", "grid", "missing", "decay_correction"}
    first = told["time_points"][0]
    assert first["grid"] == {
        "shape_zyx": [5, 6, 7],
        "spacing_mm": [4.8, 4.0, 5.0],
        "origin_mm": [-20.0, -30.0, 100.0],
        "direction": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    }
    assert first["ct_grid"] is not None
    assert first["unit"] == "Bq/mL"
    assert told["administration"]["time"] == "2024-05-13T09:22:00"
    assert told["administration"]["nuclide"] == "Lu-177"


def test_the_table_names_what_is_missing_and_the_key_that_supplies_it(write, spect):
    write.nm(spect, unit=None, decay_correction=None)
    table = inspect_table(read_study(write.folder))
    assert "MISSING unit of time point 1: give study.unit" in table
    assert "MISSING decay correction of time point 1" in table
    assert "7400.00 MBq at 2024-05-13 09:22:00" in table
    assert "4.0000 h" in table


def test_the_table_says_when_nothing_is_missing(write, spect):
    write.nm(spect)
    assert "Nothing is missing." in inspect_table(read_study(write.folder))
