"""The self test that Slicer runs, here on the look-alike; the sample case's entry in module Sample Data."""

import sys
import types
import unittest

import pytest
from scene_files import load_bundle, save_bundle
from test_panel import events, header


@pytest.fixture
def module(scene, monkeypatch):
    """The module's widget where slicer.util finds it."""
    import slicer

    import RPTDosimetry

    widget = RPTDosimetry.RPTDosimetryWidget()
    monkeypatch.setattr(slicer.util, "getModuleWidget", lambda _name: widget)
    monkeypatch.setattr(slicer.util, "selectModule", lambda _name: None)
    yield RPTDosimetry
    widget.cleanup()
    widget.parent.deleteLater()


def shown(panel):
    """What a user reads: the headers, and every cell of every table."""
    told = {}
    for key, step in panel.steps.items():
        panel.open_step(key)
        events()
        told[key] = [header(panel, key)]
        for name, widget in vars(step.ui).items():
            if widget.className() == "QTableWidget":
                cells = [[widget.item(r, c) for c in range(widget.columnCount)] for r in range(widget.rowCount)]
                told[key].append((name, [["" if item is None else item.text() for item in row] for row in cells]))
    return told


def run_self_test(module, name):
    test = module.RPTDosimetryTest(name)
    test.setUp()
    getattr(test, name)()


@pytest.mark.slow
def test_the_clicked_sample_case_gives_the_known_doses_and_comes_back_from_an_mrb(module, tmp_path):
    import slicer

    run_self_test(module, "test_sample_case_clicked_through_gives_the_known_doses")
    panel = slicer.util.getModuleWidget("RPTDosimetry").panel
    assert [key for key in panel.steps if "✓ done" not in header(panel, key)] == [], panel.said
    before = shown(panel)
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert shown(panel) == before


def test_the_sample_case_is_complete(module):
    run_self_test(module, "test_sample_case_is_complete")


def test_unittest_finds_the_self_test_by_the_name_of_the_module(module):
    cases = [case for suite in unittest.TestLoader().loadTestsFromName("RPTDosimetry") for case in suite]
    names = {case.id().split(".")[-1] for case in cases if isinstance(case, module.RPTDosimetryTest)}
    assert names == {"test_sample_case_is_complete", "test_sample_case_clicked_through_gives_the_known_doses"}


def test_choosing_it_in_sample_data_presses_the_button_of_the_panel(module, monkeypatch):
    import slicer

    from RPTDosimetryLib.bridge.samples import register_sample

    entries = []
    logic = types.SimpleNamespace(registerCustomSampleDataSource=lambda **entry: entries.append(entry))
    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=logic))
    register_sample("picture.png")
    panel = slicer.util.getModuleWidget("RPTDosimetry").panel
    pressed = []
    monkeypatch.setattr(panel.steps["study"], "load_sample", lambda: pressed.append(True))
    entries[0]["customDownloader"](None)
    assert pressed == [True]
