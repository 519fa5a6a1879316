"""A cohort's folder: complete with odd names, whole or absent."""

import csv
import json
import warnings

import numpy as np
import pytest

from RPTDosimetryLib.errors import EvaluationError, ReportError
from RPTDosimetryLib.evaluation.cohort import CohortCase, CohortSettings, cohort_of
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image, Voi
from RPTDosimetryLib.report.cohort_folder import evaluate_into, write_cohort
from RPTDosimetryLib.report.short_names import MOST_CHARACTERS, shortened

GRID = Grid((8, 9, 10), (4.0, 4.0, 4.0))
X = np.indices(GRID.shape_zyx)[2]
REFERENCE = Image((1.0 + X).astype(np.float32), GRID, "Gy")
LONG = "a network whose name tells all of its settings, fold 1"


def case(number, names=("SSV", LONG), reference=REFERENCE):
    evaluated = {n: REFERENCE.with_voxels(REFERENCE.voxels * np.float32(1.01 + 0.01 * number)) for n in names}
    vois = (Voi("Leber (größer)", X < 3, GRID), Voi("lesion 1", X > 6, GRID, "lesion"))
    return CohortCase(f"Łukasiewicz {number}", reference, evaluated, vois)


def test_long_and_foreign_names_are_written_whole_and_drawn_short(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # what matplotlib says when nothing is left for the axes
        found = evaluate_into(tmp_path / "out", [case(0), case(1)], CohortSettings(), drawn="Łukasiewicz 1")
    told = json.loads((tmp_path / "out" / "cohort.json").read_text(encoding="utf-8"))
    assert told["methods"] == ["SSV", LONG]
    assert told["warnings"] == list(found.warnings)
    with (tmp_path / "out" / "volumes.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["patient"] for row in rows} == {"Łukasiewicz 0", "Łukasiewicz 1"}
    assert {row["method"] for row in rows} == {"SSV", LONG}
    assert (tmp_path / "out" / "case" / "gamma.png").stat().st_size > 10_000
    assert len(shortened(LONG)) == MOST_CHARACTERS
    assert shortened(LONG).endswith("fold 1")


def test_a_later_case_that_fails_leaves_no_folder(tmp_path):
    bad = case(1, reference=REFERENCE.with_voxels(0 * REFERENCE.voxels))
    with pytest.raises(EvaluationError, match="Łukasiewicz 1, SSV"):
        evaluate_into(tmp_path / "out", [case(0), bad], CohortSettings(), drawn="nobody")
    assert list(tmp_path.iterdir()) == []


def test_a_cohort_without_volumes_has_no_organ_files(tmp_path):
    found = cohort_of([CohortCase("P", REFERENCE, {"same": REFERENCE})])
    write_cohort(found, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"patients.png", "voxels.png", "summary.csv"} <= names
    assert not names & {"organs.csv", "volumes.csv", "bland_altman.png", "organ_errors.png"}


def test_a_target_that_cannot_be_written_is_one_error(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ReportError, match="could not be written"):
        write_cohort(cohort_of([case(0)]), tmp_path / "file" / "out")
