"""Choices reach the library as they were made: density of the CT, kernel of ssv, transforms from files, elastix."""

import json
import os

import numpy as np
import pytest
from test_panel import events, header
from upstream import four_time_points, put_upstream

from RPTDosimetryLib.bridge import attributes as at

CURVE = "-1000 0.0012, 0 1.1; 1500 2.0"
POINTS = ((-1000.0, 0.0012), (0.0, 1.1), (1500.0, 2.0))


@pytest.fixture
def ready(panel):
    """The panel with everything up to the volumes of interest, and the library's records of it."""
    registered, vois = put_upstream(panel.case, four_time_points())
    events()
    return panel, registered, vois


def choose(box, text):
    box.currentIndex = box.findText(text)
    box.activated.emit(box.currentIndex)
    events()


def run(panel, key):
    panel.steps[key].ui.runButton.click()
    panel.runner.wait(120)
    events()


# density --------------------------------------------------------------------------------------------------------------


def test_the_scanners_own_hu_curve_and_what_lies_outside_the_ct_make_the_patient(ready):
    import slicer

    from RPTDosimetryLib.bridge.patient import patient_of_case
    from RPTDosimetryLib.registration.patient_map import DensitySettings, patient_map_of

    panel, registered, _vois = ready
    ui = panel.steps["segmentation"].ui
    ui.huCurveEdit.text = CURVE
    choose(ui.outsideBox, "soft tissue inside the outline of the SPECT")
    run(panel, "segmentation")
    expected = patient_map_of(registered, DensitySettings(POINTS, "body"))
    node = panel.case.node(at.DENSITY)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), expected.density.voxels)
    assert at.text(node, "Source") == "CT through HU curve own calibration"
    assert not np.array_equal(expected.density.voxels, patient_map_of(registered).density.voxels)
    np.testing.assert_array_equal(patient_of_case(panel.case).density.voxels, expected.density.voxels)
    ui.huCurveEdit.text = ""
    events()
    assert "out of date" in header(panel, "segmentation")
    again = patient_of_case(panel.case)
    np.testing.assert_array_equal(
        again.density.voxels, patient_map_of(registered, DensitySettings(None, "body")).density.voxels
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("water 1.0", "write HU and g/cm3 of each point"),
        ("0 1.0 2.0, 5 1", "write HU and g/cm3 of each point"),
        ("0 1.0", "needs two or more points"),
        ("0 1.0, -1000 0.001", "must rise in HU"),
        ("0 1.0, 100 -2", "density of 0 or less"),
    ],
)
def test_a_curve_that_is_none_is_a_sentence_and_nothing_runs(ready, text, says):
    panel = ready[0]
    ui = panel.steps["segmentation"].ui
    ui.huCurveEdit.text = text
    events()
    assert not ui.runButton.enabled
    assert says in ui.runButton.toolTip
    panel.steps["kinetics"].run_now(panel.case)
    panel.guard(panel.steps["dose"].run)
    assert says in panel.said
    assert not panel.runner.busy


def test_the_dose_is_of_the_patient_by_that_curve(ready):
    import slicer

    from RPTDosimetryLib.bridge.doses import tia_of_case
    from RPTDosimetryLib.evaluation.several_doses import DoseOrder, several_doses
    from RPTDosimetryLib.registration.patient_map import DensitySettings
    from RPTDosimetryLib.tia.kinetics import series_of_registered

    panel, registered, vois = ready
    panel.parameters.segmentation.huCurve = CURVE
    panel.parameters.dose.engines = "local"
    for key in ("kinetics", "dose"):
        panel.steps[key].run_now(panel.case)
    order = DoseOrder(("local",), density=DensitySettings(POINTS))
    tia = tia_of_case(panel.case)
    expected = several_doses(registered, series_of_registered(registered), vois, tia, order)[0]
    plain = several_doses(registered, series_of_registered(registered), vois, tia, DoseOrder(("local",)))[0]
    found = slicer.util.arrayFromVolume(panel.case.node(at.DOSE))
    np.testing.assert_array_equal(found, expected.dose.image.voxels)
    assert not np.array_equal(found, plain.dose.image.voxels)
    panel.parameters.segmentation.huCurve = ""
    events()
    assert "out of date" in header(panel, "dose")


# kernel of ssv --------------------------------------------------------------------------------------------------------


def test_materials_of_ssv_are_those_of_the_library():
    from RPTDosimetryLib.bridge.parameters import SSV_MATERIALS
    from RPTDosimetryLib.physics.materials import known_materials

    tissues = {name for name in known_materials() if not name.startswith("schneider_") and name != "air"}
    assert set(SSV_MATERIALS) == tissues


def test_the_kernel_of_ssv_is_chosen_and_its_usual_density_comes_with_it(ready):
    panel = ready[0]
    panel.steps["kinetics"].run_now(panel.case)
    ui = panel.steps["dose"].ui
    panel.parameters.dose.engines = "local"
    events()
    assert not ui.ssvMaterialBox.enabled
    assert "Only the engine ssv" in ui.ssvMaterialBox.toolTip
    panel.parameters.dose.engines = "ssv"
    events()
    assert ui.ssvMaterialBox.enabled
    choose(ui.ssvMaterialBox, "water")
    assert ui.ssvDensityBox.value == pytest.approx(1.0)
    assert panel.steps["dose"].settings(panel.case)[2:] == ["water", 1.0]
    run(panel, "dose")
    node = panel.case.node(at.DOSE)
    assert "kernel of water at 1 g/cm3" in at.text(node, "Method")
    ui.ssvDensityBox.value = 1.04
    events()
    assert "out of date" in header(panel, "dose")


# registration ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def calibrated(panel, moved_study):
    """Three time points in Bq/mL, the second 10 mm to the left and the third 6 mm to the right."""
    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(panel.case, moved_study)
    panel.steps["calibration"].run_now(panel.case)
    panel.parameters.registration.method = "none"
    events()
    return panel


@pytest.fixture
def transforms(tmp_path):
    """A folder with the transforms that bring them back."""
    from RPTDosimetryLib.records import Alignment
    from RPTDosimetryLib.registration.transform_file import write_transform

    folder = tmp_path / "transforms"
    folder.mkdir()
    for number, shift_mm in ((2, 10.0), (3, -6.0)):
        matrix = np.eye(4)
        matrix[0, 3] = shift_mm
        write_transform(Alignment(matrix, "rigid", 0, 0, 0, 0, 0, 0), folder / f"transform_{number}.tfm")
    return folder


def test_transforms_from_files_stand_in_place_of_a_search(calibrated, transforms):
    from RPTDosimetryLib.bridge.transforms import matrix_of

    panel = calibrated
    ui = panel.steps["registration"].ui
    ui.transformsEdit.currentPath = str(transforms)
    events()
    for box in (ui.methodBox, ui.throughBox, ui.engineBox, ui.knotsBox):
        assert not box.enabled
        assert "come from files" in box.toolTip
    run(panel, "registration")
    assert "Aligned" in panel.said
    assert [matrix_of(node)[0, 3] for node in panel.case.nodes(at.ALIGNMENT)] == pytest.approx([0, 10, -6])
    sources = [json.loads(at.text(node, "Alignment"))["source"] for node in panel.case.nodes(at.ALIGNMENT)]
    assert sources[1].startswith("transform_2.tfm, SHA-256 ")
    os.utime(transforms / "transform_2.tfm", (1, 1))
    panel.refresh()
    assert "out of date" in header(panel, "registration"), "the file was written anew"


def test_a_folder_without_transforms_is_said(calibrated, tmp_path):
    panel = calibrated
    ui = panel.steps["registration"].ui
    ui.transformsEdit.currentPath = str(tmp_path / "nowhere")
    events()
    assert "There is no folder" in ui.runButton.toolTip
    ui.transformsEdit.currentPath = str(tmp_path)
    events()
    assert "holds no transform_2.tfm" in ui.runButton.toolTip
    ui.transformsEdit.currentPath = ""
    events()
    assert ui.runButton.enabled


def test_a_time_point_without_its_file_fails_alone(calibrated, transforms):
    panel = calibrated
    (transforms / "transform_3.tfm").unlink()
    panel.steps["registration"].ui.transformsEdit.currentPath = str(transforms)
    events()
    run(panel, "registration")
    assert "holds no transform_3.tfm" in panel.said
    assert "registration.transforms" not in panel.said
    table = panel.steps["registration"].ui.table
    assert [table.item(row, 1).text() for row in range(3)] == ["reference", "! to decide", "✗ failed"]


def test_elastix_is_greyed_with_its_reason_where_it_is_not_installed(ready, monkeypatch):
    from importlib.metadata import PackageNotFoundError

    from RPTDosimetryLib.bridge import registration_choices

    def absent(_name):
        raise PackageNotFoundError

    panel = ready[0]
    ui = panel.steps["registration"].ui
    monkeypatch.setattr(registration_choices, "distribution", absent)
    panel.refresh()
    assert not ui.engineBox.enabled
    assert "elastix is not installed" in ui.engineBox.toolTip
    panel.parameters.registration.engine = "elastix"  # a scene from another computer
    panel.refresh()
    assert "elastix is not installed" in ui.runButton.toolTip
    assert ui.engineBox.enabled, "so that it can be changed back"
    monkeypatch.setattr(registration_choices, "distribution", lambda name: name)
    panel.refresh()
    assert ui.engineBox.enabled
    assert ui.runButton.enabled
    settings = registration_choices.registration_settings(panel.case)
    assert settings.engine == "elastix"


# words ----------------------------------------------------------------------------------------------------------------


def test_madsen_asks_for_its_half_life_in_the_panels_words(ready):
    panel = ready[0]
    ui = panel.steps["kinetics"].ui
    panel.steps["kinetics"].run_now(panel.case)
    panel.refresh()
    assert "Population half-life" in ui.detailsLabel.text, "why it was not among the methods of one scan"
    assert "population_half_life_h" not in ui.detailsLabel.text
    panel.parameters.kinetics.mapModel = "madsen"
    events()
    assert not ui.runButton.enabled
    assert "The model madsen needs Population half-life" in ui.missingLabel.text
    panel.parameters.kinetics.populationHalfLifeH = 50.0
    events()
    assert ui.runButton.enabled


def test_no_sentence_of_the_panel_names_a_key_of_a_settings_file(panel):
    """Every key that a word of the panel stands for is gone from the sentence; others pass unchanged."""
    from RPTDosimetryLib.bridge.words import _WORDS, in_panel_words

    for said, called in _WORDS:
        assert said not in in_panel_words(f"Sorry: {said}.")
        assert said not in called
    panel.say_error('Look at both; set registration method = "none".')
    assert panel.said == "Look at both; choose the method none in step Registration."
    assert in_panel_words("Nothing to change.") == "Nothing to change."
