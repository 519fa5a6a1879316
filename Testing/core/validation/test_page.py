"""The validation page says what the rows say; the committed one is that of the present cases."""

import re
from pathlib import Path

import pytest

from RPTDosimetryLib import __version__
from RPTDosimetryLib.validation.cases import CASES, Case, Compared, compare
from RPTDosimetryLib.validation.page import COLUMNS, validation_page, write_page
from RPTDosimetryLib.validation.row import compared

CHECKOUT = Path(__file__).parents[3]
SHARED = CHECKOUT / "../shared"
PAGE = CHECKOUT / "docs" / "validation.md"
TOPIC = Compared(
    Case("made-up figures", "For a test.", lambda shared: []),
    (
        compared(("a", "good", "Gy"), 1.001, 1.0, 1.0, "book"),
        compared(("a", "bad", "Gy"), 1.02, 1.0, 1.0, "other book"),
        compared(("a", "bad, but within joint errors", "Gy"), 1.02, 1.0, 1.0, "book", 1.5),
        compared(("b|c", "shown only", "Gy"), 2.0, 1.0, None, "book"),
        compared(("b", "tiny", "Gy"), 1.0000003, 1.0, 0.1, "book"),
    ),
)


def figures(page):
    """The rows of every topic's table, as dictionaries by column."""
    found, topic = [], ""
    for line in page.splitlines():
        topic = line.removeprefix("## ") if line.startswith("## ") else topic
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == len(COLUMNS) and cells[0] not in (COLUMNS[0], "---"):
            found.append(dict(zip(COLUMNS, cells, strict=True), topic=topic))
    return found


def percent(text):
    return sum(float(part) for part in text.removesuffix(" %").split(" + "))


def test_each_row_has_its_line_and_its_verdict():
    page = validation_page([TOPIC])
    lines = figures(page)
    assert [line["quantity"] for line in lines] == [row.quantity for row in TOPIC.rows]
    assert [line["verdict"] for line in lines] == ["pass", "**FAIL**", "pass", "–", "pass"]
    assert [line["source"] for line in lines] == ["1", "2", "1", "1", "1"]
    assert "1. book\n2. other book\n" in page
    assert lines[2]["bar"] == "1 + 1.50 %"
    assert lines[3]["case"] == r"b\|c"
    assert lines[4]["difference"] == "+3e-05 %"
    assert "**3 of 4 figures with a bar pass; 1 are shown without a bar.**" in page
    assert f"SlicerRPTDosimetry {__version__}" in page


def test_the_page_does_not_depend_on_day_or_place(tmp_path):
    write_page([TOPIC], tmp_path / "deep" / "page.md")
    assert (tmp_path / "deep" / "page.md").read_text(encoding="utf-8") == validation_page([TOPIC])


@pytest.fixture(scope="module")
def committed():
    return PAGE.read_text(encoding="utf-8")


def test_the_committed_page_is_consistent(committed):
    lines = figures(committed)
    judged = [line for line in lines if line["bar"] != "–"]
    passed = [line for line in judged if line["verdict"] == "pass"]
    assert f"**{len(passed)} of {len(judged)} figures with a bar pass; {len(lines) - len(judged)} are" in committed
    assert f"SlicerRPTDosimetry {__version__}." in committed
    for line in judged:
        assert (line["verdict"] == "pass") == (abs(percent(line["difference"])) <= percent(line["bar"])), line
        if "highest dose" not in line["quantity"]:
            apart = 100 * (float(line["this program"]) / float(line["reference"]) - 1)
            assert apart == pytest.approx(percent(line["difference"]), abs=0.006), line
    assert "/work" not in committed
    assert "/home" not in committed


def test_the_committed_page_has_every_case(committed):
    titles = re.findall(r"^## (.*)$", committed, re.MULTILINE)
    assert [title.lower() for title in titles] == [*(case.name.lower() for case in CASES), "what is not compared"]
    assert all(case.about in committed for case in CASES)


@pytest.mark.slow
def test_the_committed_page_shows_the_figures_of_now(committed):
    if not (SHARED / "reference").is_dir():
        pytest.skip("the reference cases (../shared beside the checkout) are not here")
    now, shown = figures(validation_page(compare(SHARED))), figures(committed)
    again = "`rptdosimetry validate --write docs/validation.md` brings the page up to date"
    assert [(n["case"], n["quantity"]) for n in now] == [(s["case"], s["quantity"]) for s in shown], again
    for line, then in zip(now, shown, strict=True):
        # another processor rounds some histories of a simulation another way: then it agrees within its statistics
        rel = (
            percent(line["bar"].split(" + ")[-1]) / 100
            if "monte_carlo" in line["case"] and "+" in line["bar"]
            else 1e-4
        )
        assert float(line["this program"]) == pytest.approx(float(then["this program"]), rel=rel), (line, again)
