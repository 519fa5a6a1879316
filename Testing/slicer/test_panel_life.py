"""The module is left and opened again: nothing of the panel goes on in the views, and nothing is lost by it."""

import pytest
from test_panel import events, header
from upstream import four_time_points, put_upstream

from RPTDosimetryLib.bridge import attributes as at


@pytest.fixture
def module(scene):
    """The module's widget as Slicer holds it; the user is in it."""
    import slicer

    import RPTDosimetry

    widget = RPTDosimetry.RPTDosimetryWidget()
    widget.enter()
    put_upstream(widget.panel.case, four_time_points())
    events()
    yield widget
    widget.cleanup()
    widget.parent.deleteLater()
    slicer.app.processEvents()


def editor_of(module):
    step = module.panel.steps["segmentation"]
    module.panel.open_step("segmentation")
    step.ui.editButton.collapsed = False
    events()
    return step._editor


def test_leaving_ends_the_effect_of_the_segment_editor(module):
    editor = editor_of(module)
    editor.setActiveEffectByName("Paint")
    module.exit()
    assert editor.activeEffect() is None
    assert not editor._nodes["views"]
    module.enter()
    assert editor._nodes["views"]
    assert editor.activeEffect() is None, "the effect is not taken up again by itself"


def test_folding_the_editor_ends_its_effect_too(module):
    editor = editor_of(module)
    editor.setActiveEffectByName("Paint")
    module.panel.steps["segmentation"].ui.editButton.collapsed = True
    assert editor.activeEffect() is None
    editor_of(module)
    editor.setActiveEffectByName("Paint")
    module.panel.open_step("dose")
    assert editor.activeEffect() is None


def interaction():
    import slicer

    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLInteractionNode")


@pytest.fixture
def mouse(module):
    """The nodes that say what the mouse does; Slicer's window has made them."""
    import slicer

    for kind in ("vtkMRMLInteractionNode", "vtkMRMLSelectionNode"):
        if slicer.mrmlScene.GetFirstNodeByClass(kind) is None:
            slicer.mrmlScene.AddNewNodeByClass(kind)
    return interaction()


def test_leaving_ends_the_placing_of_our_points(module, mouse):
    module.panel.steps["segmentation"].place_seed()
    assert mouse.GetCurrentInteractionMode() == mouse.Place
    module.exit()
    assert mouse.GetCurrentInteractionMode() == mouse.ViewTransform


def test_what_somebody_else_is_placing_goes_on(module, mouse):
    import slicer

    logic = slicer.modules.markups.logic()
    logic.SetActiveList(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "theirs"))
    logic.StartPlaceMode(False)
    module.exit()
    assert mouse.GetCurrentInteractionMode() == mouse.Place


def test_outside_the_module_only_the_scene_is_observed(module):
    import slicer

    panel = module.panel
    assert {id(obj) for obj, *_ in panel.Observations} > {id(slicer.mrmlScene)}
    module.exit()
    assert {id(obj) for obj, *_ in panel.Observations} == {id(slicer.mrmlScene)}


def test_back_again_the_panel_shows_what_was_done_meanwhile(module):
    panel = module.panel
    module.exit()
    panel.parameters.kinetics.weighting = "poisson"
    panel.case.remove(panel.case.node(at.VOIS))
    events()
    assert "ready" in header(panel, "kinetics"), "nothing is drawn while nobody looks"
    module.enter()
    assert "to do" in header(panel, "kinetics")
    assert panel.steps["kinetics"].ui.weightingBox.currentText == "poisson"


def test_a_job_goes_on_while_another_module_is_open(module):
    panel = module.panel
    panel.steps["kinetics"].run()
    module.exit()
    panel.runner.wait(120)
    events()
    assert panel.case.node(at.TIA) is not None
    module.enter()
    assert "needs review" in header(panel, "kinetics")


def test_a_second_job_is_refused_and_the_first_keeps_its_mark(module):
    panel = module.panel
    panel.steps["kinetics"].run()
    assert not panel.guard(panel.steps["calibration"].run)
    assert "Kinetics is still running" in panel.said
    assert "running" in header(panel, "kinetics")
    assert "running" not in header(panel, "calibration")
    panel.runner.cancel()


def test_a_scene_closed_outside_the_module_ends_its_job(module):
    import slicer

    panel = module.panel
    panel.steps["kinetics"].run()
    module.exit()
    slicer.mrmlScene.Clear(0)
    events()
    assert not panel.runner.busy
    assert panel.case.nodes() == []
    module.enter()
    assert "to do" in header(panel, "study")


def test_reloaded_while_it_is_open_it_works_without_enter(scene):
    """Slicer calls setup() and no enter() then."""
    import qt
    import slicer

    import RPTDosimetry

    class Parent(slicer.qMRMLWidget):
        isEntered = True

    parent = Parent()
    parent.setLayout(qt.QVBoxLayout())
    widget = RPTDosimetry.RPTDosimetryWidget(parent)
    widget.setup()
    put_upstream(widget.panel.case, four_time_points())
    events()
    assert widget.panel.steps["study"].ui.table.rowCount == 4
    widget.cleanup()


def test_items_of_nodes_that_go_leave_the_hierarchy_with_them(case):
    """Else Slicer finds a stale item at the address of a new node and logs an inconsistent DataNodeCache."""
    from RPTDosimetryLib.bridge.hierarchy import subject_hierarchy

    tree, said = subject_hierarchy(), []
    tag = tree.AddObserver("ErrorEvent", lambda *_: said.append(1))
    study = four_time_points()
    put_upstream(case, study)
    before = tree.GetNumberOfItems()
    for _ in range(3):
        for node in [*case.nodes(at.ACTIVITY), *case.nodes(at.REGISTERED), *case.nodes(at.ALIGNMENT)]:
            case.remove(node)
        from RPTDosimetryLib.bridge.quantified import put_quantified
        from RPTDosimetryLib.bridge.registered import put_registered
        from RPTDosimetryLib.calibration.settings import CalibrationSettings
        from RPTDosimetryLib.pipeline import quantified_study
        from RPTDosimetryLib.registration.beds import BedSettings
        from RPTDosimetryLib.registration.register import register
        from RPTDosimetryLib.registration.settings import RegistrationSettings

        quantified = quantified_study(study, CalibrationSettings(), BedSettings())
        put_quantified(case, quantified)
        put_registered(case, register(quantified.study, RegistrationSettings(method="none")))
    tree.RemoveObserver(tag)
    assert said == []
    assert tree.GetNumberOfItems() == before
