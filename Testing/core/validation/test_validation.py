"""Every reference case of the shared folder passes its bar; the table says so in words."""

from pathlib import Path

import pytest

from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.validation import validate, validation_text
from RPTDosimetryLib.validation.row import compared

SHARED = Path(__file__).parents[3] / "../shared"


@pytest.fixture(scope="module")
def rows():
    if not (SHARED / "reference").is_dir():
        pytest.skip("the reference cases (../shared beside the checkout) are not here")
    return validate(SHARED)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "figures"),
    [("decay", 5), ("scan", 2), ("curve", 6), ("kernel", 19), ("sphere", 3), ("AM torso", 20), ("gamma", 3)],
)
def test_figures_with_a_bar_pass(rows, case, figures):
    judged = [row for row in rows if row.case.startswith(case) and row.bar_percent is not None]
    assert len(judged) >= figures
    assert [row for row in judged if not row.passed] == []


def test_a_difference_beyond_the_bar_fails_and_is_seen():
    place = ("case", "figure", "Gy")
    table = [
        compared(place, 1.011, 1.0, 1.0, "book"),
        compared(place, 0.989, 1.0, 1.0, "book", allowance_percent=0.2),
        compared(place, 2.0, 1.0, None, "book"),
    ]
    assert [row.passed for row in table] == [False, True, True]
    text = validation_text(table)
    assert text.count("FAIL") == 1
    assert "1 of 2 figures with a bar pass; 1 have none." in text


def test_a_folder_without_reference_cases_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="reference"):
        validate(tmp_path)
