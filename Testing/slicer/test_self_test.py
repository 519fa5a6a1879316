"""The self test that Slicer runs, here on the look-alike; the sample case's entry in module Sample Data."""

import sys
import types
import unittest

import pytest


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


def run_self_test(module, name):
    test = module.RPTDosimetryTest(name)
    test.setUp()
    getattr(test, name)()


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
