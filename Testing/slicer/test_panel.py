"""The panel by clicking: step Study from its sources, the table, the administration; closing; saving; screenshots."""

import time
from dataclasses import replace

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle


def header(panel, key):
    return panel._headers[key].text


def events():
    import slicer

    for _ in range(3):
        slicer.app.processEvents()


@pytest.fixture
def with_study(panel, small_study):
    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(panel.case, small_study)
    events()
    return panel


def test_the_panel_opens_within_a_second(scene):
    """Time of this program alone, the least of three: other programs share the machine."""
    import slicer

    import RPTDosimetry

    taken = []
    for _ in range(3):
        started = time.process_time()
        widget = RPTDosimetry.RPTDosimetryWidget()
        widget.enter()
        slicer.app.processEvents()
        taken.append(time.process_time() - started)
        widget.cleanup()
        widget.parent.deleteLater()
    assert min(taken) < 1.0


def test_load_sample_case_by_its_button(panel, sample_study):
    """sample_study wrote the files already; the button reads them in the background."""
    ui = panel.steps["study"].ui
    ui.sampleButton.click()
    events()
    assert "running" in header(panel, "study")
    assert not ui.sampleButton.enabled
    assert panel.job.visible
    panel.runner.wait(120)
    events()
    assert ui.table.rowCount == 4
    assert "done" in header(panel, "study")
    assert panel.said.startswith("4 time points read.")
    assert ui.nuclideBox.currentText == "Lu-177"
    assert ui.activityBox.value == pytest.approx(7400.0)
    assert ui.timeEdit.text == "2024-05-13 09:30:00"
    assert ui.scrollSlider.maximum == 3
    assert not ui.sampleButton.enabled
    assert "Close the scene first" in ui.sampleButton.toolTip


def test_add_a_folder_by_typing_and_clicking(panel, sample_study):
    from RPTDosimetryLib.bridge.samples import sample_folder

    ui = panel.steps["study"].ui
    assert not ui.folderButton.enabled
    ui.folderEdit.currentPath = str(sample_folder())
    events()
    assert ui.folderButton.enabled
    ui.folderButton.click()
    panel.runner.wait(120)
    assert ui.table.rowCount == 4


def test_a_long_message_leaves_room_for_the_steps(panel):
    told = "\n".join(f"note {n}" for n in range(9))
    panel.say(told)
    assert panel.said == panel.message.toolTip == told
    assert panel.message.text.split("\n")[3:] == ["note 3", "… and 5 more lines: rest the mouse here to read them."]
    panel.say("note")
    assert (panel.message.text, panel.message.toolTip) == ("note", "")


def test_an_error_is_a_sentence_in_the_panel(panel, tmp_path):
    ui = panel.steps["study"].ui
    ui.folderEdit.currentPath = str(tmp_path)
    events()
    ui.folderButton.click()
    panel.runner.wait(60)
    assert "is empty: put the SPECT/CT files of one patient there" in panel.said
    assert panel.message.visible


def test_a_cache_that_cannot_be_written_is_a_sentence(panel, tmp_path, monkeypatch):
    import slicer

    (tmp_path / "in the way").write_text("a file")
    monkeypatch.setattr(slicer.app, "cachePath", str(tmp_path / "in the way"))
    panel.steps["study"].ui.sampleButton.click()
    panel.runner.wait(120)
    events()
    assert "in the way" in panel.said
    assert "Something went wrong" not in panel.said
    assert panel.case.time_points() == []
    assert panel.steps["study"].ui.sampleButton.enabled


def test_without_a_dicom_database_the_button_says_why(panel):
    ui = panel.steps["study"].ui
    assert not ui.dicomButton.enabled
    assert "No DICOM database is open" in ui.dicomButton.toolTip


def test_a_patient_of_the_dicom_database(panel, sample_study, monkeypatch):
    """A database as CTK's answers: patients, studies, series, files."""
    import slicer

    from RPTDosimetryLib.bridge.samples import sample_folder

    files = sorted(str(path) for path in sample_folder().rglob("*.dcm"))

    class Database:
        isOpen = True

        def patients(self):
            return ("1",)

        def displayedNameForPatient(self, patient):
            return "Virtual, Patient"

        def studiesForPatient(self, patient):
            return ("study",)

        def seriesForStudy(self, study):
            return ("series",)

        def filesForSeries(self, series):
            return tuple(files)

    monkeypatch.setattr(slicer, "dicomDatabase", Database())
    panel.refresh()
    ui = panel.steps["study"].ui
    assert ui.dicomBox.currentText == "Virtual, Patient"
    ui.dicomButton.click()
    panel.runner.wait(120)
    events()
    assert ui.table.rowCount == 4
    read = {str(file) for point in panel.case.study().time_points for file in point.files}
    assert read <= set(files), "files are named as the database names them"


def test_volumes_of_the_scene_are_completed_in_the_table(panel, small_study):
    import slicer

    from RPTDosimetryLib.bridge.volumes import put_image

    image = small_study.time_points[0].spect
    spect = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "my SPECT")
    put_image(spect, replace(image, unit="unknown"))
    ui = panel.steps["study"].ui
    assert not ui.volumesButton.enabled
    ui.spectSelector.setCurrentNode(spect)
    events()
    ui.volumesButton.click()
    events()
    assert [ui.table.item(0, column).text() for column in (0, 1, 3, 4)] == ["missing"] * 4
    assert "Time point 1: the unit is missing." in ui.missingLabel.text
    assert "to do" in header(panel, "study")
    ui.nuclideBox.currentIndex = ui.nuclideBox.findText("Lu-177")
    ui.activityBox.value = 7400.0
    ui.timeEdit.text = "2024-05-13 09:30"
    ui.table.item(0, 0).setText("2024-05-14 09:30")
    events()
    assert ui.table.item(0, 1).text() == "24.00"
    for column, choice in ((3, "kBq/mL"), (4, "NONE")):
        box = ui.table.cellWidget(0, column)
        box.currentIndex = box.findText(choice)
        box.activated.emit(box.currentIndex)
        events()
    assert "done" in header(panel, "study")
    assert ui.missingLabel.text == ""
    np.testing.assert_allclose(panel.case.study().time_points[0].spect.voxels, image.voxels * 1e3, rtol=1e-6)


def test_a_cell_that_cannot_be_is_refused_and_shown_as_before(with_study):
    panel = with_study
    spect = panel.case.time_points()[0].spect
    from RPTDosimetryLib.bridge import attributes as at

    at.write(spect, "DurationS", None)
    panel.refresh()
    ui = panel.steps["study"].ui
    ui.table.item(0, 2).setText("a while")
    assert "not a positive number" in panel.said
    assert ui.table.item(0, 2).text() == ""


def test_what_the_files_say_cannot_be_typed_over(with_study):
    import qt

    ui = with_study.steps["study"].ui
    for column in range(ui.table.columnCount):
        assert not ui.table.item(0, column).flags() & qt.Qt.ItemIsEditable


def test_a_time_that_is_none_is_said_and_breaks_nothing(with_study):
    ui = with_study.steps["study"].ui
    ui.timeEdit.text = "yesterday"
    events()
    assert "write it like 2024-05-13 09:30" in ui.missingLabel.text
    assert "to do" in header(with_study, "study")
    ui.timeEdit.text = "2024-05-13 09:30"
    events()
    assert "done" in header(with_study, "study")


def test_scrolling_shows_the_time_points(with_study, small_study):
    import slicer

    ui = with_study.steps["study"].ui
    ui.scrollSlider.value = 1
    assert ui.scrollLabel.text == "24.0 h after administration"
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    shown = slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID())
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(shown), small_study.time_points[1].spect.voxels)


def test_a_time_point_is_removed_with_its_ct(with_study):
    from RPTDosimetryLib.bridge import attributes as at

    panel = with_study
    ui = panel.steps["study"].ui
    ui.table.setCurrentCell(0, 0)
    ui.removeButton.click()
    events()
    assert ui.table.rowCount == 1
    assert panel.case.nodes(at.CT) == []
    assert not ui.scrollSlider.visible


def test_closing_the_scene_leaves_an_empty_panel_and_no_observer(with_study):
    import slicer

    panel = with_study
    slicer.mrmlScene.Clear(0)
    slicer.app.layoutManager().refill()
    events()
    ui = panel.steps["study"].ui
    assert ui.table.rowCount == 0
    assert ui.timeEdit.text == ""
    assert ui.activityBox.value == 0.0
    observed = {id(obj) for obj, *_ in panel.Observations}
    assert observed <= {id(slicer.mrmlScene), id(panel.case.node_of_settings)}
    panel.close()
    assert panel.Observations == []


def test_closing_the_scene_in_mid_run_drops_the_job(panel, sample_study):
    import slicer

    panel.steps["study"].ui.sampleButton.click()
    slicer.mrmlScene.Clear(0)
    slicer.app.layoutManager().refill()
    events()
    assert not panel.runner.busy
    time.sleep(0.3)
    events()
    assert panel.case.time_points() == []
    assert "to do" in header(panel, "study")


def test_cancel_button_stops_the_job_and_says_so(panel, sample_study):
    panel.steps["study"].ui.sampleButton.click()
    panel.cancel_button.click()
    events()
    assert not panel.runner.busy
    assert panel.said == "Cancelled; nothing was changed."
    assert panel.case.time_points() == []


def test_a_saved_and_loaded_scene_restores_the_panel(with_study, tmp_path):
    panel = with_study
    ui = panel.steps["study"].ui

    def shown():
        cells = [[ui.table.item(r, c).text() for c in range(7)] for r in range(ui.table.rowCount)]
        return cells, ui.nuclideBox.currentText, ui.activityBox.value, ui.timeEdit.text, header(panel, "study")

    before = shown()
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert shown() == before
    assert ui.scrollSlider.visible, "the sequence is made again"


def test_a_node_deleted_elsewhere_goes_from_the_table(with_study):
    import slicer

    slicer.mrmlScene.RemoveNode(with_study.case.time_points()[0].spect)
    events()
    assert with_study.steps["study"].ui.table.rowCount == 1


def test_a_defect_is_shown_with_its_traceback_and_said(panel, monkeypatch):
    import qt

    step = panel.steps["study"]
    monkeypatch.setattr(step, "remove_chosen", lambda: 1 / 0)
    step.ui.removeButton.enabled = True
    step.ui.removeButton.click()
    assert "division by zero" in panel.said
    assert isinstance(qt.slot_errors.pop(), ZeroDivisionError)


def test_every_widget_that_can_be_used_says_what_it_does_and_can_be_reached(panel):
    import qt

    ui = panel.steps["study"].ui
    for widget in vars(ui).values():
        if (
            isinstance(widget, (qt.QPushButton, qt.QLineEdit, qt.QComboBox))
            and widget.name
            and not widget.name.startswith("qt_")
        ):
            assert widget.toolTip, widget.name
            assert widget.focusPolicy != qt.Qt.NoFocus, widget.name


def test_scripts_do_the_same_without_a_panel(logic, sample_study):
    points = logic.loadSampleCase()
    assert len(points) == 4
    assert logic.step("study").missing(logic.case()) == []
    assert logic.step("study").state(logic.case()).value == "done"
