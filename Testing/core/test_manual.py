"""The manual names verbs, options and settings that exist."""

import re
import tomllib
from pathlib import Path

import pytest
import typer

from RPTDosimetryLib.calibration.phantom_file import read_filling
from RPTDosimetryLib.cli.app import app
from RPTDosimetryLib.configuration import RunSettings, settings_from

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = typer.main.get_command(app)


def commands(text):
    """Words of each command in a page: in code blocks and between backticks, continued lines joined."""
    for line in re.findall(r"(?:^|[`/ ])rptdosimetry +([a-z][^`\n]*)", text.replace("\\\n", " "), re.MULTILINE):
        yield line.split("#")[0].split()
    for line in re.findall(r"^\| `([a-z][^`]*)`.*\|$", text, re.MULTILINE):
        if line.split()[0] in COMMAND.commands:
            yield line.split()


def blocks(text):
    """TOML of a page: fenced, or a table in a block that is set in by four spaces or more."""
    yield from re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    for block in re.findall(r"(?:^ {4,}.*\n)+", text, re.MULTILINE):
        if block.lstrip().startswith("["):
            yield re.sub(r"^ +", "", block, flags=re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_verbs_and_options_of_a_page_exist(page):
    for words in commands(page.read_text(encoding="utf-8")):
        verb = COMMAND.commands.get(words[0])
        assert verb is not None, f"{page.name}: no verb {words[0]}"
        known = {option for inner in (verb, *getattr(verb, "commands", {}).values()) for option in options(inner)}
        for word in words[1:]:
            named = re.match(r"\[?(--[a-z-]+)", word)
            assert named is None or named[1] in known, f"{page.name}: {words[0]} has no {word}"


def options(command):
    return {"--help", *(option for parameter in command.params for option in parameter.opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_settings_of_a_page_are_taken(page, tmp_path):
    for block in blocks(page.read_text(encoding="utf-8")):
        table = tomllib.loads(block)
        if "nuclide" in table:
            path = tmp_path / "phantom.toml"
            path.write_text(block, encoding="utf-8")
            assert read_filling(path).nuclide == "Lu-177"
        else:
            assert settings_from(table, page.name) != RunSettings()


def test_every_verb_is_in_the_readme():
    text = PAGES[0].read_text(encoding="utf-8")
    assert [name for name in COMMAND.commands if not re.search(rf"\b{name}\b", text)] == []


def test_links_of_the_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"
