"""A comparison in a report: a table that fits a page of A4, sentences with conventions, pictures of both doses."""

from dataclasses import replace

import numpy as np
import pytest
from pypdf import PdfReader

from RPTDosimetryLib.errors import EvaluationError
from RPTDosimetryLib.evaluation.full_comparison import ComparisonSettings, compare_fully
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image, Voi
from RPTDosimetryLib.report.compared import (
    COLUMNS,
    FIGURES,
    WIDTHS,
    ComparedDoses,
    compared_rows,
    compared_text,
    save_compared,
)
from RPTDosimetryLib.report.document import Document
from RPTDosimetryLib.report.pdf_writer import write_pdf
from RPTDosimetryLib.report.provenance import as_json
from RPTDosimetryLib.report.run_record import RunRecord
from RPTDosimetryLib.report.sections.consequences import comparison_blocks

GRID = Grid((10, 12, 14), (4.8, 4.8, 4.8), (-30.0, -25.0, 100.0))
NAMES = ("kidney_left", "vertebral_marrow", "lesion_liver_1")


@pytest.fixture(scope="module")
def compared():
    """(doses, volumes, what a scene keeps of their comparison)."""
    k, j, i = np.indices(GRID.shape_zyx)
    gray = (20 * np.exp(-((i - 6) ** 2 + (j - 6) ** 2 + (k - 5) ** 2) / 20)).astype(np.float32)
    reference, evaluated = Image(gray, GRID, "Gy"), Image((1.02 * gray + 0.01).astype(np.float32), GRID, "Gy")
    masks = (i < 5, (i > 8) & (j > 4), gray > 12)
    vois = tuple(Voi(name, mask, GRID, kind="organ") for name, mask in zip(NAMES, masks, strict=True))
    settings = ComparisonSettings(partial_volume=4)
    made = compare_fully((reference, evaluated), vois, None, settings)
    told = {"figures": made.figures, "gamma": made.gamma_figures, "doses": ["Dose local [Gy]", "Dose msv8 [Gy]"]}
    return ComparedDoses(reference, evaluated, settings), vois, as_json(told)


def test_the_table_has_one_width_a_column_and_its_rows_stand_in_one_line_of_a4(compared, tmp_path):
    told = compared[2]
    record = RunRecord({"report": {"comparison": told}, "outputs_sha256": {}}, tmp_path)
    blocks = tuple(comparison_blocks(record))
    write_pdf(Document("Report", "nobody", "now", "no device", blocks), tmp_path / "page.pdf")
    lines = PdfReader(tmp_path / "page.pdf").pages[0].extract_text()
    words = lines.split()
    assert len(WIDTHS) == len(COLUMNS) == len(compared_rows(told)[0])
    for row in compared_rows(told):
        start = words.index(row[0])
        assert tuple(words[start : start + len(row)]) == row  # a cell that does not fit is broken into two
    assert "Dose msv8 [Gy] against Dose local [Gy]" in lines


def test_figures_are_those_of_the_comparison_and_say_how_they_were_made(compared):
    told = compared[2]
    first = dict(zip([key for key, _title, _style in COLUMNS], compared_rows(told)[0], strict=True))
    assert float(first["reference_mean_gy"]) == pytest.approx(told["figures"]["volumes"][0]["reference_mean_gy"], 1e-3)
    assert float(first["pass_rate_percent"]) == pytest.approx(told["gamma"]["volumes"][0]["pass_rate_percent"], 1e-3)
    said = " ".join(compared_text(told))
    for words in ("Gamma 1 % global, 4.795 mm", "voxels pass", "evaluated − reference", "4x4x4 parts", "SSIM"):
        assert words in said


def test_a_figure_that_does_not_exist_is_a_dash(compared):
    told = compared[2]
    row = told["figures"]["volumes"][0] | {"dvh_r2": None}
    assert "–" in compared_rows({**told, "figures": told["figures"] | {"volumes": [row]}})[0]


def test_every_picture_is_drawn_and_the_report_shows_it(compared, tmp_path):
    doses, vois, told = compared
    save_compared(doses, vois, told, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {name for name, _text, _share in FIGURES}
    for path in tmp_path.iterdir():
        assert path.stat().st_size > 10_000


def test_without_volumes_only_the_maps_are_drawn(compared, tmp_path):
    doses, vois, told = compared
    elsewhere = [Voi("far", np.ones((3, 3, 3), bool), Grid((3, 3, 3), (1, 1, 1), (0, 0, 0)))]
    told = {**told, "figures": told["figures"] | {"volumes": []}}
    save_compared(replace(doses, settings=ComparisonSettings()), elsewhere, told, tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {"compared_errors", "compared_voxels", "compared_violins"}
    with pytest.raises(EvaluationError, match="no volume kidney"):
        save_compared(replace(doses, settings=ComparisonSettings(mask="kidney")), vois, told, tmp_path)
