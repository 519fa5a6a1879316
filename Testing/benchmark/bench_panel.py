"""The panel on the sample case with dose, real MRML with the Qt look-alike: opening, step switch, refresh, slices."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

SLICER = Path(__file__).parents[1] / "slicer"
TIMES = 9
_OPEN = """
import application; application.start()
import time; start = time.perf_counter()
import slicer, RPTDosimetry
widget = RPTDosimetry.RPTDosimetryWidget(); widget.enter(); slicer.app.processEvents()
print(time.perf_counter() - start)
"""


def seconds_to_open_first():
    """In a process of its own: with everything that opening imports."""
    paths = [str(SLICER / "lookalike"), str(SLICER), str(SLICER.parents[1] / "RPTDosimetry")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, "-c", _OPEN], env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def typical(action):
    """The median of a few times [s], events handled."""
    import slicer

    taken = []
    for _ in range(TIMES):
        start = time.perf_counter()
        action()
        slicer.app.processEvents()
        taken.append(time.perf_counter() - start)
    return median(taken)


def filled_window():
    """The window with the sample case up to its dose."""
    import app
    import application
    import slicer

    application.start()
    from RPTDosimetryLib.bridge.registered import ACCEPTED, decide, registered_numbers

    window = app.make_window()
    window.show()
    logic, case = window.panel.logic, window.panel.case
    logic.loadSampleCase()
    for key in ("calibration", "registration", "segmentation", "kinetics", "dose"):
        window.panel.steps[key].run_now(case)
        if key == "registration":
            for number in registered_numbers(case):
                decide(case, number, ACCEPTED)
    slicer.app.processEvents()
    return window


def step_switch_s(panel):
    """The slowest of the steps: folding one and unfolding the next, which is refreshed by that."""
    slowest, keys = 0.0, list(panel.steps)
    for before, key in zip(keys[-1:] + keys[:-1], keys, strict=True):
        taken = []
        for _ in range(TIMES):
            panel.open_step(before)
            start = time.perf_counter()
            panel.open_step(key)
            taken.append(time.perf_counter() - start)
        slowest = max(slowest, median(taken))
    return slowest


def scroll_s(view):
    """One slice further, drawn."""
    taken = []
    for number in range(2 * TIMES):
        start = time.perf_counter()
        view.scroll_by(1 if number % 4 < 2 else -1)
        view.draw()
        taken.append(time.perf_counter() - start)
    return median(taken)


def bench():
    if importlib.util.find_spec("slicer_core") is None:
        return [("panel", 0.0, "not measured: slicer-core is not installed")]
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("RPTDOSIMETRY_CACHE", tempfile.mkdtemp(prefix="rptdosimetry-bench-"))
    sys.path[:0] = [str(SLICER / "lookalike"), str(SLICER)]
    rows = [("panel opens first, imports included", seconds_to_open_first(), "bar 1 s")]
    window = filled_window()
    panel = window.panel
    rows.append(("panel step switch, the slowest of eight", step_switch_s(panel), "bar 0.2 s; sample case with dose"))
    panel.open_step("report")
    rows.append(("panel refresh", typical(panel.refresh), "bar 0.2 s; sample case with dose"))
    view, note = window.views[0], "bar 0.06 s; one view, dose over CT, software GL"
    panel.case.node("vois").GetDisplayNode().SetVisibility(False)
    rows.append(("panel slice scroll with overlay", scroll_s(view), note))
    panel.case.node("vois").GetDisplayNode().SetVisibility(True)
    rows.append(("panel slice scroll with overlay and 13 contours", scroll_s(view), note))
    window.close()
    return rows
