"""The list of a cohort: read strictly, every path checked before the first map is."""

import json

import numpy as np
import pytest

from RPTDosimetryLib.errors import EvaluationError, GridMismatchError
from RPTDosimetryLib.evaluation.cohort_file import cases_of, read_cohort
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.image_files import write_image

GRID = Grid((8, 9, 10), (4.0, 4.0, 4.0))


@pytest.fixture
def cohort(tmp_path):
    """Two cases of one patient, their files, and a function that writes the list with changes."""
    ramp = np.broadcast_to(1.0 + np.arange(10, dtype=np.float32), GRID.shape_zyx)
    labels = np.zeros(GRID.shape_zyx, np.uint8)
    labels[:, :, :3], labels[:, :, 7:] = 1, 2
    maps = tmp_path / "maps"
    for name, voxels in (("mc", ramp), ("ssv", 1.05 * ramp), ("labels", labels), ("edge", labels == 2)):
        kind = np.uint8 if name in ("labels", "edge") else np.float32
        write_image(Image(np.asarray(voxels, dtype=kind), GRID, "1"), maps / f"{name}.nrrd")
    fine = Grid((16, 18, 20), (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0))
    write_image(Image(np.full(fine.shape_zyx, 4.0, np.float32), fine, "Gy"), maps / "fine.nrrd")
    case = {
        "patient": "P1",
        "reference": "maps/mc.nrrd",
        "evaluated": {"SSV": "maps/ssv.nrrd"},
        "labels": "maps/labels.nrrd",
        "names": {"1": "liver", "2": "lesion 1"},
        "masks": {"interface": "maps/edge.nrrd"},
        "seconds": {"SSV": 1.5},
    }

    def write(of_case=None, name="cohort.json", **whole):
        path = tmp_path / name
        table = {"cases": [{**case, "cycle": "1"} | (of_case or {}), {**case, "cycle": "2"}]} | whole
        path.write_text(json.dumps(table), encoding="utf-8")
        return path

    return write


def test_cases_are_read_with_the_names_and_kinds_that_the_list_gives(cohort):
    listed = read_cohort(cohort(dose_percent=3.0, groups={"liver": "big"}))
    assert listed.settings().dose_percent == 3.0
    assert listed.settings().dta_mm is None
    first, second = cases_of(listed)
    assert (first.label, second.label) == ("P1, 1", "P1, 2")
    assert [(voi.name, voi.kind) for voi in first.vois] == [
        ("liver", "organ"),
        ("lesion 1", "lesion"),
        ("interface", "region"),
    ]
    assert first.seconds == {"SSV": 1.5}
    assert first.reference.unit == "Gy"


def test_toml_is_the_same(tmp_path, cohort):
    cohort()
    path = tmp_path / "cohort.toml"
    path.write_text(
        '[[cases]]\npatient = "P1"\nreference = "maps/mc.nrrd"\nevaluated.SSV = "maps/ssv.nrrd"\n', encoding="utf-8"
    )
    assert [case.label for case in cases_of(read_cohort(path))] == ["P1"]


@pytest.mark.parametrize(
    ("of_case", "whole", "says"),
    [
        ({"reference": "maps/gone.nrrd"}, {}, "names files that are not there.*gone.nrrd"),
        ({"referense": "x"}, {}, r"cases\.0\.referense"),
        ({}, {"dose": 3}, "dose: Unexpected keyword"),
        ({"seconds": {"SSV": "quick"}}, {}, r"seconds\.SSV"),
        ({}, {"cases": []}, "lists no case"),
        ({"patient": None}, {}, r"cases\.0\.patient"),
    ],
)
def test_bad_lists_are_one_clear_error(cohort, of_case, whole, says):
    with pytest.raises(EvaluationError, match=says):
        read_cohort(cohort(of_case, **whole))


@pytest.mark.parametrize(("name", "text", "says"), [
    ("a.json", "{", "not valid JSON"), ("a.toml", "x =", "not valid TOML"), ("a.txt", "", "toml or a .json"),
    (None, "", "cannot be read"),
])  # fmt: skip
def test_files_that_are_no_list(tmp_path, name, text, says):
    path = tmp_path / (name or "gone.json")
    if name:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(EvaluationError, match=says):
        read_cohort(path)


def test_other_grids_are_refused_unless_resampling_is_asked_for(cohort):
    other = {"evaluated": {"SSV": "maps/fine.nrrd"}}
    with pytest.raises(GridMismatchError, match=r"P1, 1: .*resample = true"):
        next(cases_of(read_cohort(cohort(other))))
    case = next(cases_of(read_cohort(cohort(other, resample=True))))
    assert case.evaluated["SSV"].voxels == pytest.approx(4.0)
    assert "SSV: The evaluated dose" in case.warnings[0]
