"""Step Segmentation by clicking: drawing, names, the Segment Editor, closing, scripts; against the library."""

import numpy as np
import pytest
from warm_patient import LESION_RAS, accept_all, events, header, ids, put_into, segmentation, table_of, warm_study


def test_the_button_draws_what_the_library_draws(panel):
    from RPTDosimetryLib.bridge.patient import patient_of_case
    from RPTDosimetryLib.bridge.volumes_of_interest import vois_of_case
    from RPTDosimetryLib.pipeline import decay_of, series_of
    from RPTDosimetryLib.registration.patient_map import patient_map_of
    from RPTDosimetryLib.tia.voi_curves import voi_curves
    from RPTDosimetryLib.vois.delineate import delineate

    registered = put_into(panel.case, warm_study())
    events()
    ui = panel.steps["segmentation"].ui
    ui.runButton.click()
    panel.runner.wait(120)
    events()
    patient = patient_map_of(registered)
    expected = delineate(registered, patient)
    found = vois_of_case(panel.case)
    assert [(v.name, v.kind, v.code, v.source, v.warnings) for v in found] == [
        (v.name, v.kind, v.code, v.source, v.warnings) for v in expected
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)
    there = patient_of_case(panel.case)
    np.testing.assert_array_equal(there.density.voxels, patient.density.voxels)
    np.testing.assert_array_equal(there.medium, patient.medium)
    assert (there.source, there.scheme, there.warnings) == (patient.source, patient.scheme, patient.warnings)
    curves = voi_curves(series_of(registered, *decay_of(registered.study.administration)), expected)
    for row, voi in zip(table_of(ui), expected, strict=True):
        mass_g = patient.density.voxels[voi.mask & (patient.medium > 0)].sum(dtype=float) * voi.grid.voxel_volume_ml
        mbq = curves[voi.name].activity_bq / 1e6
        assert row[3:7] == [f"{voi.volume_ml:.2f}", f"{mass_g:.1f}", f"{mbq[0]:.3f}", f"{mbq[1]:.3f}"]
    assert [ui.table.horizontalHeaderItem(n).text() for n in (5, 6)] == ["4.0 h [MBq]", "24.0 h [MBq]"]
    assert "needs review" in header(panel)


def test_what_is_missing_is_said_before_registration(panel, small_study):
    from RPTDosimetryLib.bridge.time_points import add_study
    from RPTDosimetryLib.bridge.volumes_of_interest import vois_of_case
    from RPTDosimetryLib.errors import VoiError

    add_study(panel.case, small_study)
    events()
    ui = panel.steps["segmentation"].ui
    assert "to do" in header(panel)
    for button in (ui.runButton, ui.seedButton, ui.crosshairButton, ui.boxButton, ui.addLesionButton):
        assert not button.enabled
        assert "Register the time points first" in button.toolTip
    with pytest.raises(VoiError, match="No volume of interest is drawn yet"):
        vois_of_case(panel.case)


def test_settings_that_change_what_is_drawn_mark_it_out_of_date(with_vois):
    ui = accept_all(with_vois)
    assert "done" in header(with_vois)
    ui.excludeEdit.text = "kidney*"
    events()
    assert "out of date" in header(with_vois)
    ui.runButton.click()
    with_vois.runner.wait(120)
    events()
    assert [row[0] for row in table_of(ui)] == ["liver", "body"]
    assert "done" in header(with_vois), "the reviews of what did not change hold"


def test_a_time_point_that_is_not_there_is_said(with_vois):
    ui = with_vois.steps["segmentation"].ui
    ui.fromBox.value = 5
    events()
    assert not ui.runButton.enabled
    assert "time point 5, and there are 2" in ui.runButton.toolTip


@pytest.mark.parametrize("ct", [True, False])
def test_totalsegmentator_is_offered_with_the_reason_why_not(panel, monkeypatch, ct):
    from RPTDosimetryLib.bridge import total_segmentator as here

    monkeypatch.setattr(here.shutil, "which", lambda _name: None)
    monkeypatch.setattr(here, "find_spec", lambda _name: None)
    put_into(panel.case, warm_study(ct=ct))
    ui = panel.steps["segmentation"].ui
    ui.organsBox.currentIndex = 1
    events()
    assert not ui.runButton.enabled
    assert ("Extensions Manager" if ct else "needs a CT") in ui.runButton.toolTip
    if ct:
        monkeypatch.setattr(here, "find_spec", lambda _name: object())
        panel.refresh()
        assert ui.runButton.enabled


def test_without_a_ct_the_body_is_that_of_the_spect(panel):
    from RPTDosimetryLib.bridge.patient import patient_of_case
    from RPTDosimetryLib.registration.patient_map import patient_map_of

    registered = put_into(panel.case, warm_study(ct=False))
    panel.steps["segmentation"].run_now(panel.case)
    patient = patient_of_case(panel.case)
    np.testing.assert_array_equal(patient.density.voxels, patient_map_of(registered).density.voxels)
    assert patient.source == patient_map_of(registered).source


def test_a_patient_with_other_media_is_mapped_anew(with_vois):
    from RPTDosimetryLib.bridge.patient import patient_of_case
    from RPTDosimetryLib.physics.media import SCHNEIDER_20
    from RPTDosimetryLib.registration.patient_map import patient_map_of

    patient = patient_of_case(with_vois.case, SCHNEIDER_20)
    expected = patient_map_of(with_vois.registered, scheme=SCHNEIDER_20)
    assert patient.scheme == SCHNEIDER_20.name
    np.testing.assert_array_equal(patient.medium, expected.medium)


def test_names_and_kinds_are_changed_in_the_table(with_vois):
    panel, ui = with_vois, with_vois.steps["segmentation"].ui
    ui.table.item(1, 0).setText("liver")
    assert "There is a volume liver already" in panel.said
    events()
    assert table_of(ui)[1][0] == "kidney left"
    ui.table.item(1, 0).setText("spleen")
    events(0.5)
    assert table_of(ui)[1][:2] == ["spleen", "78961009 SCT"]
    box = ui.table.cellWidget(1, 2)
    box.setCurrentIndex(1)
    box.activated.emit(1)
    events(0.5)
    assert table_of(ui)[1][2] == "lesion"


def test_the_segment_editor_gets_volumes_source_and_the_grid_of_the_dose(with_vois):
    import slicer

    from RPTDosimetryLib.bridge import attributes as at

    step = with_vois.steps["segmentation"]
    assert step._editor is None, "made when it is opened first"
    step.ui.editButton.collapsed = False
    events()
    node = segmentation(with_vois.case)
    assert step._editor.segmentationNode() is node
    assert step._editor.sourceVolumeNode() is with_vois.case.node(at.CT)
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    image = slicer.vtkOrientedImageData()
    slicer.vtkSegmentationConverter.DeserializeImageGeometry(
        node.GetSegmentation().GetConversionParameter(name), image, False
    )
    assert image.GetDimensions() == with_vois.registered.grid.shape_zyx[::-1]
    step.ui.editButton.collapsed = True


def test_the_segment_editor_lets_go_of_a_scene_that_is_closed(with_vois):
    import slicer

    step = with_vois.steps["segmentation"]
    step.ui.editButton.collapsed = False
    assert step._editor.segmentationNode() is not None
    slicer.mrmlScene.Clear(0)
    events()
    assert step._editor.segmentationNode() is None


def test_closing_the_scene_leaves_an_empty_step_and_no_observer(with_vois):
    import slicer

    from RPTDosimetryLib.bridge import lesions

    panel, ui = with_vois, with_vois.steps["segmentation"].ui
    lesions.seed_at(panel.case, LESION_RAS)
    ui.previewBox.checked = True
    ui.editButton.collapsed = False
    events(0.2)
    slicer.mrmlScene.Clear(0)
    slicer.app.layoutManager().refill()
    events(0.5)
    assert table_of(ui) == []
    assert "to do" in header(panel)
    observed = {id(obj) for obj, *_ in panel.Observations}
    assert observed <= {id(slicer.mrmlScene), id(panel.case.node_of_settings)}


def test_every_widget_that_can_be_used_says_what_it_does_and_can_be_reached(panel):
    import ctk
    import qt

    ui = panel.steps["segmentation"].ui
    assert isinstance(ui.percentSlider, ctk.ctkSliderWidget)
    sliders = [ui.percentSlider, ui.thresholdSlider, ui.coreSlider, ui.backgroundSlider, ui.reachSlider]
    kinds = (qt.QPushButton, qt.QLineEdit, qt.QComboBox, qt.QCheckBox, qt.QSpinBox)
    for widget in [*sliders, *(w for w in vars(ui).values() if isinstance(w, kinds))]:
        if widget.name and not widget.name.startswith("qt_"):
            assert widget.toolTip, widget.name


def test_scripts_do_the_same_without_a_panel(logic):
    from RPTDosimetryLib.bridge.volumes_of_interest import accept, vois_of_case

    case = logic.case()
    put_into(case, warm_study())
    step = logic.step("segmentation")
    step.run_now(case)
    assert [voi.name for voi in vois_of_case(case)] == ["liver", "kidney left", "body"]
    assert step.state(case).value == "needs review"
    accept(case, ids(case), "A. Physicist")
    assert step.state(case).value == "done"
