"""Fifty random click sequences, seeded: whatever is clicked, the panel stays consistent and no slot fails."""

import random

import pytest
from test_panel import events
from upstream import four_time_points, put_upstream

SEQUENCES, CLICKS = 50, 5
#: Buttons that open a window of the system, start pip or make the sample case; tests of their own click them.
LEFT_ALONE = {"sampleButton", "openButton", "installButton"}


def controls(panel):
    """Every button, box and check box that can be used now, by the step's key and its name: headers, unfolded steps."""
    found = [(key, "header", header) for key, header in panel._headers.items()]
    for key, step in panel.steps.items():
        if panel._headers[key].collapsed:
            continue
        for name, widget in vars(step.ui).items():
            if name in LEFT_ALONE or not widget.enabled:
                continue
            if widget.className() in ("QPushButton", "QCheckBox", "QComboBox", "QDoubleSpinBox"):
                found.append((key, name, widget))
    return found


def click(widget, rng):
    kind = widget.className()
    if kind in ("QPushButton", "QCheckBox", "ctkCollapsibleButton"):
        widget.click()
    elif kind == "QComboBox" and widget.count:
        index = rng.randrange(widget.count)
        widget.setCurrentIndex(index)
        widget.activated.emit(index)
    elif kind == "QDoubleSpinBox":
        widget.setValue(widget.minimum + rng.random() * min(widget.maximum - widget.minimum, 100.0))


def assert_consistent(panel):
    """Headers tell the states, what lacks something cannot be run, results belong to the case, no job is left."""
    import slicer

    from RPTDosimetryLib.bridge.steps.step import State

    case = panel.case
    panel.refresh()
    for key, step in panel.steps.items():
        state, missing = step.state(case), step.missing(case)
        assert state in State
        assert all(isinstance(text, str) and text for text in [*missing, *step.needs_review(case)])
        assert not (state is State.READY and missing), (key, missing)
        assert all(slicer.mrmlScene.IsNodePresent(node) for node in step.results(case))
        assert key in panel._headers
    assert not panel.runner.busy
    assert len(slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")) == 1


@pytest.fixture
def quick_jobs(panel, monkeypatch):
    """Jobs end at once without an answer: what is tested is the clicking."""
    started = []
    monkeypatch.setattr(panel.runner, "start", lambda title, request, on_result: started.append(request.verb))
    return started


@pytest.mark.parametrize("filled", [False, True], ids=["empty scene", "study in the scene"])
def test_random_clicks_leave_a_consistent_panel(panel, quick_jobs, monkeypatch, filled):
    import qt
    import slicer

    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda _url: True, raising=False)
    if filled:
        put_upstream(panel.case, four_time_points())
        events()
    clicked = []
    for seed in range(SEQUENCES // 2):
        rng = random.Random(seed + 1000 * filled)
        for _ in range(CLICKS):
            key, name, widget = rng.choice(controls(panel))
            clicked.append(f"{seed}: {key}.{name}")
            click(widget, rng)
            slicer.app.processEvents()
            assert not qt.slot_errors, clicked[-CLICKS:]
            assert "should not" not in panel.said, (panel.said, clicked[-CLICKS:])
        if seed % 7 == 6:
            slicer.mrmlScene.Clear(0)
            events()
            assert panel.case.nodes() == []
            if filled:
                put_upstream(panel.case, four_time_points())
                events()
        assert_consistent(panel)


@pytest.mark.parametrize(
    "key", ["study", "calibration", "registration", "segmentation", "kinetics", "dose", "compare", "report", "predict"]
)
def test_the_scene_can_be_closed_at_every_step(panel, key):
    """Whatever step is open and has its inputs, closing leaves an empty case and a panel that can start anew."""
    import slicer

    put_upstream(panel.case, four_time_points())
    panel.open_step(key)
    events()
    slicer.mrmlScene.Clear(0)
    events()
    assert panel.case.nodes() == []
    assert_consistent(panel)
    put_upstream(panel.case, four_time_points())
    events()
    assert_consistent(panel)
