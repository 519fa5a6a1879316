"""All steps together: what marks what, cancelling and closing in mid-run, input that lacks something, themes, keys."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from test_panel import events, header
from upstream import four_time_points

from RPTDosimetryLib.bridge import attributes as at

RUN = ("calibration", "registration", "segmentation", "kinetics", "dose", "compare")
#: A setting of each step, and another value.
CHANGES = {
    "study": ("administration", "activityMbq", 7000.0),
    "calibration": ("calibration", "joinBeds", "none"),
    "registration": ("registration", "method", "rigid"),
    "segmentation": ("segmentation", "exclude", "spleen"),
    "kinetics": ("kinetics", "weighting", "poisson"),
    "dose": ("dose", "integrate", "dose_rate"),
    "compare": ("compare", "dosePercent", 2.0),
}


def work(panel, study, keys=RUN):
    """Every step run, as a script would, and accepted."""
    from RPTDosimetryLib.bridge.registered import ACCEPTED, decide, registered_numbers
    from RPTDosimetryLib.bridge.time_points import add_study
    from RPTDosimetryLib.bridge.volumes_of_interest import accept, segment_ids

    case = panel.case
    add_study(case, study)
    case.parameters.registration.method = "none"
    case.parameters.dose.engines = "local, ssv"
    for key in keys:
        panel.steps[key].run_now(case)
        if key == "registration":
            for number in registered_numbers(case):
                decide(case, number, ACCEPTED)
        if key == "segmentation":
            accept(case, segment_ids(case.node(at.VOIS)), "A. Physicist")
    events()


@pytest.fixture
def worked(panel):
    work(panel, four_time_points())
    return panel


def states(panel):
    return {key: step.state(panel.case).value for key, step in panel.steps.items() if key in CHANGES}


def test_a_setting_marks_everything_below_it_and_nothing_above_and_can_be_taken_back(worked):
    assert set(states(worked).values()) == {"done"}
    for place, (key, (pack, name, value)) in enumerate(CHANGES.items()):
        before = getattr(getattr(worked.parameters, pack), name)
        setattr(getattr(worked.parameters, pack), name, value)
        events()
        marked = [step for step, state in states(worked).items() if state == "out of date"]
        below = list(CHANGES)[max(place, 1) :]
        assert marked == below, key
        assert all("↻" in header(worked, step) for step in below)
        setattr(getattr(worked.parameters, pack), name, before)
        events()
        assert set(states(worked).values()) == {"done"}, key


def test_cancelled_in_mid_run_every_step_keeps_what_was_there(worked):
    case = worked.case
    before = case.content(case.nodes())
    for key in RUN:
        worked.steps[key].run()
        assert "running" in header(worked, key)
        worked.cancel_button.click()
        events()
        assert worked.said == "Cancelled; nothing was changed."
        assert not worked.runner.busy
        assert case.content(case.nodes()) == before, key
        assert "done" in header(worked, key)


@pytest.mark.parametrize("key", ["segmentation", "kinetics"])
def test_a_scene_closed_in_mid_run_leaves_nothing_of_it(panel, key):
    """Its other steps have tests of their own."""
    import slicer

    work(panel, four_time_points(), RUN[: RUN.index(key)])
    panel.steps[key].run()
    slicer.mrmlScene.Clear(0)
    events()
    assert not panel.runner.busy
    assert panel.case.nodes() == []
    work(panel, four_time_points(), RUN[: RUN.index(key) + 1])
    assert "done" in header(panel, key)


# input that lacks something -------------------------------------------------------------------------------------------


def test_without_a_ct_it_goes_on_to_the_dose_and_says_what_was_assumed(panel):
    study = four_time_points()
    study = replace(study, time_points=tuple(replace(point, ct=None) for point in study.time_points))
    work(panel, study, RUN[:5])
    assert "done" in header(panel, "dose")
    warnings = at.lines(panel.case.node(at.DOSE), "Warnings")
    assert any("No CT: body outline from the SPECT" in text for text in warnings)
    panel.open_step("dose")
    assert "No CT" in panel.steps["dose"].ui.methodLabel.text


def test_one_time_point_asks_for_a_method_of_one_scan_and_goes_on_with_it(panel):
    study = four_time_points()
    work(panel, replace(study, time_points=study.time_points[:1]), RUN[:3])
    panel.open_step("kinetics")
    step = panel.steps["kinetics"]
    assert not step.ui.runButton.enabled
    assert "There is one time point: choose haenscheid or madsen" in step.ui.missingLabel.text
    panel.parameters.kinetics.mapModel = "haenscheid"
    events()
    assert not step.ui.runButton.enabled, "the volume has its own"
    box = step.ui.table.cellWidget(0, 1)
    box.setCurrentIndex(box.findText("haenscheid"))
    box.activated.emit(box.currentIndex)
    events()
    step.ui.runButton.click()
    panel.runner.wait(120)
    events()
    assert panel.case.node(at.TIA) is not None, panel.said
    assert not panel.steps["study"].ui.sideButton.enabled


def test_another_patients_time_points_are_refused_in_a_sentence(panel):
    study = four_time_points()
    step = panel.steps["study"]
    assert panel.guard(lambda: step._take_study(study))
    before = panel.case.content(panel.case.nodes())
    assert not panel.guard(lambda: step._take_study(replace(study, patient_id="P02")))
    assert "are of patient P02, those in the scene of P01: close the scene first" in panel.said
    assert panel.case.content(panel.case.nodes()) == before


def test_time_points_side_by_side_by_their_button(panel):
    import slicer

    from RPTDosimetryLib.bridge import views

    study = four_time_points()
    more = replace(study.time_points[3], time_s=160 * 3600.0, acquired=None)
    panel.steps["study"]._take_study(replace(study, time_points=(*study.time_points, more)))
    events()
    panel.steps["study"].ui.sideButton.click()
    manager, points = slicer.app.layoutManager(), panel.case.time_points()
    assert manager.layout == views.TIME_POINTS
    composites = [manager.sliceWidget(name).mrmlSliceCompositeNode() for name in views.compared_views()]
    assert composites[0].GetBackgroundVolumeID() == points[0].ct.GetID()
    assert composites[0].GetForegroundVolumeID() == points[0].spect.GetID()
    assert [each.GetBackgroundVolumeID() for each in composites[1:]] == [p.spect.GetID() for p in points[1:4]]
    assert panel.said == "1 more time points: scroll to see them."


def test_every_volume_says_its_unit_where_the_data_probe_shows_it(worked):
    """Slicer's data probe shows the name of a volume and a number."""
    units = {at.SPECT: "[Bq/mL]", at.CT: "[HU]", at.ACTIVITY: "[Bq/mL]", at.REGISTERED: "[Bq/mL]", at.TIA: "[Bq·s]"}
    for role, unit in {**units, at.DOSE: "[Gy]", at.DENSITY: "[g/cm³]"}.items():
        names = [node.GetName() for node in worked.case.nodes(role)]
        assert names
        assert all(name.endswith(unit) for name in names), names


# looks and keys -------------------------------------------------------------------------------------------------------


def luminance(colour):
    parts = [value / 255 for value in colour]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return sum(weight * v for weight, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_of_text_can_be_read_on_light_and_on_dark_themes():
    """3:1 is what WCAG asks of marks; the words beside them carry the meaning."""
    from RPTDosimetryLib.bridge.steps import calibration, registration, study, volume_table

    colours = {
        calibration._WARNING_COLOUR,
        registration._WARNING_COLOUR,
        study._MISSING_COLOUR,
        volume_table._UNREVIEWED_COLOUR,
    }
    for colour in colours:
        for ground in ((255, 255, 255), (50, 50, 50)):
            assert contrast(colour, ground) >= 3.0, (colour, ground)


def test_no_widget_sets_a_colour_that_a_theme_should(panel):
    import qt

    panel.say_error("A sentence.")
    for widget in panel.widget.findChildren(qt.QWidget):
        sheet = widget.property("styleSheet") or ""
        assert "background" not in sheet
        assert "color:" not in sheet.replace("border-color:", "")
    for path in (Path(__file__).parents[2] / "RPTDosimetry" / "Resources" / "UI").glob("*.ui"):
        assert "<palette>" not in path.read_text(encoding="utf-8"), path.name


def test_every_step_fits_a_small_screen(panel):
    """The module panel of Slicer on a laptop is about 480 pixels wide; it scrolls up and down, not sideways."""
    for key, step in panel.steps.items():
        assert step.widget.minimumSizeHint().width() <= 460, key


def test_every_step_can_be_worked_by_keys_alone(panel):
    """Each is in the chain of the tab key, and no table keeps it."""
    import qt

    kinds = (qt.QAbstractButton, qt.QComboBox, qt.QLineEdit, qt.QAbstractSpinBox, qt.QTableWidget, qt.QSlider)
    chain, widget = set(), panel.widget.nextInFocusChain()
    while widget is not panel.widget and widget is not None:
        chain.add(widget)
        widget = widget.nextInFocusChain()
    for key, step in panel.steps.items():
        named = [w for name, w in vars(step.ui).items() if isinstance(w, kinds) and not name.startswith("qt_")]
        for widget in named:
            assert widget in chain, (key, widget.name)
            assert widget.focusPolicy != qt.Qt.NoFocus, (key, widget.name)
            assert not (isinstance(widget, qt.QTableWidget) and widget.tabKeyNavigation), (key, widget.name)


def test_reloading_the_module_leaves_no_observer_no_job_and_no_old_library(scene, monkeypatch):
    import slicer

    import RPTDosimetry

    widget = RPTDosimetry.RPTDosimetryWidget()
    widget.enter()
    work(widget.panel, four_time_points(), RUN[:3])
    widget.panel.steps["kinetics"].run()
    monkeypatch.setattr(
        slicer.ScriptedLoadableModule.ScriptedLoadableModuleWidget, "onReload", lambda self: None, False
    )
    loaded = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "RPTDosimetryLib"}
    try:
        widget.onReload()
        assert not [name for name in sys.modules if name.split(".")[0] == "RPTDosimetryLib"]
    finally:
        sys.modules.update(loaded)
    assert widget.panel.Observations == []
    assert not widget.panel.runner.busy
    slicer.mrmlScene.Clear(0)
    events()
    widget.parent.deleteLater()
