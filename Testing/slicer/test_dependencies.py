"""Packages that Slicer does not bring along: named, sized, installed only when the user asks."""

import json
import sys
from pathlib import Path

import pytest


def test_every_needed_package_is_in_the_requirements(scene):
    from RPTDosimetryLib.bridge.dependencies import NEEDED

    listed = (Path(__file__).parents[2] / "requirements.txt").read_text(encoding="utf-8").split()
    assert [requirement for _, requirement, _ in NEEDED if requirement not in listed] == []


def test_the_button_is_hidden_when_nothing_is_missing(panel):
    assert not panel.install_button.visible


def test_a_missing_package_shows_a_button_with_its_size(panel, monkeypatch):
    from RPTDosimetryLib.bridge import dependencies

    monkeypatch.setattr(dependencies, "NEEDED", (("no_such_module_here", "nosuch>=1", 12),))
    asked = []
    monkeypatch.setattr(dependencies.slicer.util, "pip_install", asked.append)
    panel.connect()
    assert panel.install_button.visible
    assert panel.install_button.text == "Install missing Python packages (about 12 MB)"
    assert asked == [], "nothing is installed before the click"
    panel.install_button.click()
    assert asked == [["nosuch>=1"]]


@pytest.mark.parametrize(("name", "kind"), [("pydantic_gone", "error"), ("RPTDosimetryLib.gone", "defect")])
def test_a_background_job_without_a_package_says_which(tmp_path, monkeypatch, name, kind):
    from RPTDosimetryLib import background

    background.prepare(tmp_path, background.Request("read_study"))

    def perform(request, *_progress_and_more):
        raise ModuleNotFoundError("gone", name=name)

    monkeypatch.setattr(background, "perform", perform)
    said = []
    background.main(tmp_path, said.append)
    assert kind in json.loads(said[-1])
    assert name in said[-1] or kind == "defect"


def test_the_panel_opens_without_the_packages_that_slicer_lacks(scene):
    """In a process of its own, where they cannot be imported."""
    import subprocess

    lookalike = Path(__file__).parent / "lookalike"
    program = (
        "import sys\n"
        "for name in ('pydantic', 'numba', 'skimage', 'highdicom', 'matplotlib'): sys.modules[name] = None\n"
        "for name in ('jinja2', 'reportlab'): sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(lookalike)!r})\n"
        "import application; application.start()\n"
        "import RPTDosimetry; RPTDosimetry.RPTDosimetryWidget().enter()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
