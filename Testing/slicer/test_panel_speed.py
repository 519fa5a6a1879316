"""What the panel is quick by: it looks through the scene once, shows what is unfolded, loads what it needs.

Counted, not timed: Testing/benchmark/bench_panel.py takes the seconds.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_panel import events, header
from upstream import four_time_points, put_upstream

from RPTDosimetryLib.bridge import attributes as at

#: Whatever is open: a refresh looks at every node this often at most (once, and again after it made a node itself).
SCANS = 3
#: Loading these takes longer than opening the panel may.
HEAVY = ("scipy.optimize", "scipy.sparse", "numba", "pydantic", "skimage", "matplotlib", "highdicom")


@pytest.fixture
def scans(monkeypatch):
    """How often the nodes of the scene were gone through."""
    from RPTDosimetryLib.bridge.case import Case

    counted, scan = [], Case._scan
    monkeypatch.setattr(Case, "_scan", staticmethod(lambda: counted.append(1) or scan()))
    return counted


@pytest.fixture
def filled(panel):
    put_upstream(panel.case, four_time_points())
    panel.parameters.dose.engines = "local"
    for key in ("kinetics", "dose"):
        panel.steps[key].run_now(panel.case)
    events()
    return panel


def test_a_refresh_looks_through_the_scene_once(filled, scans):
    filled.refresh()
    del scans[:]
    filled.refresh()
    assert 1 <= len(scans) <= SCANS


def test_a_step_switch_looks_through_the_scene_once(filled, scans):
    for key in filled.steps:
        filled.open_step(key)
        events()
        filled.open_step("study")
        events()
        del scans[:]
        filled.open_step(key)
        assert len(scans) <= SCANS, key


def test_outside_a_refresh_the_scene_is_never_remembered(case, small_study):
    import slicer

    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(case, small_study)
    assert len(case.nodes(at.SPECT)) == 2
    spect = case.node(at.SPECT)
    spect.SetAttribute("RPTDosimetry.Role", "another")  # not by us: undo, a script
    assert len(case.nodes(at.SPECT)) == 1
    slicer.mrmlScene.Clear(0)
    assert case.nodes() == []


def test_within_a_reading_nodes_that_come_go_or_change_are_seen(case, small_study, scans):
    import slicer

    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(case, small_study)
    with case.reading():
        assert len(case.nodes(at.SPECT)) == len(case.time_points()) == 2
        del scans[:]
        case.time_points()
        assert scans == [], "nothing has changed"
        spect = case.nodes(at.SPECT)[0]
        at.write(spect, at.ROLE, at.SHOWN)
        assert len(case.nodes(at.SPECT)) == len(case.time_points()) == 1
        at.write(spect, at.ROLE, at.SPECT)
        case.remove(spect)
        assert len(case.nodes(at.SPECT)) == 1
        made = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "another")
        at.write(made, at.ROLE, at.SPECT)
        assert len(case.nodes(at.SPECT)) == 2
        case.parameters.administration.time = "2024-05-12 09:30"
        assert case.time_points()[0].number == 2, "settings count too"
        slicer.mrmlScene.Clear(0)
        assert case.nodes() == []


def test_a_folded_step_is_shown_when_it_is_unfolded(panel, monkeypatch):
    shown = []
    for step in panel.steps.values():
        monkeypatch.setattr(step, "refresh", lambda _case, key=step.key: shown.append(key))
    panel.open_step("kinetics")
    del shown[:]
    panel.refresh()
    assert shown == ["kinetics"]
    panel._headers["compare"].collapsed = False
    assert shown == ["kinetics", "compare"]


def test_headers_of_folded_steps_follow_the_scene(panel):
    panel.open_step("study")
    put_upstream(panel.case, four_time_points())
    events()
    assert "ready" in header(panel, "kinetics")


def test_opening_the_panel_loads_no_heavy_package():
    here = Path(__file__).parent
    paths = [str(here / "lookalike"), str(here), str(here.parents[1] / "RPTDosimetry")]
    code = (
        "import application; application.start()\n"
        "import sys, slicer, RPTDosimetry\n"
        "before = set(sys.modules)\n"
        "widget = RPTDosimetry.RPTDosimetryWidget(); widget.enter(); slicer.app.processEvents()\n"
        "print('new:', *sorted(set(sys.modules) - before))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    loaded = done.stdout.split("new:")[-1].split()
    assert "RPTDosimetryLib.records" in loaded
    assert [name for name in HEAVY if name in loaded] == []
