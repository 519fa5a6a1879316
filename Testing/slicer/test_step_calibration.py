"""Step Calibration by clicking: counts by a camera of the library, what passes through, beds, totals, refusals."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.quantified import quantified_of, totals_of
from RPTDosimetryLib.calibration.camera_library import camera, camera_names
from RPTDosimetryLib.calibration.consistency import require_consistent_activity
from RPTDosimetryLib.calibration.settings import CalibrationSettings, TimePointCalibration
from RPTDosimetryLib.errors import CalibrationError
from RPTDosimetryLib.pipeline import quantified_study
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.registration.beds import BedSettings


@pytest.fixture(autouse=True)
def library(tmp_path, monkeypatch):
    """An empty library of cameras."""
    monkeypatch.setenv("RPTDOSIMETRY_CONFIG", str(tmp_path / "config"))


@pytest.fixture
def counts_study(small_study):
    """The small study in counts, as acquired."""
    points = tuple(replace(p, spect=replace(p.spect, unit="counts")) for p in small_study.time_points)
    return replace(small_study, time_points=points)


def events():
    import slicer

    for _ in range(3):
        slicer.app.processEvents()


def put(panel, study):
    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(panel.case, study)
    panel.open_step("calibration")
    events()
    return panel.steps["calibration"].ui


def header(panel):
    return panel._headers["calibration"].text


def run(panel):
    panel.steps["calibration"].ui.runButton.click()
    panel.runner.wait(120)
    events()


def describe_a_camera(ui):
    ui.newCameraButton.click()
    ui.newCameraName.text = "symbia-lu"
    ui.newCameraNuclide.currentIndex = ui.newCameraNuclide.findText("Lu-177")
    ui.newCameraFactor.value = 9.4
    ui.newCameraError.value = 3.0
    ui.newCameraDate.text = "2024-03-01"
    ui.newCameraCollimator.text = "MELP"
    ui.newCameraWindow.text = "208 keV, 20 %"
    ui.newCameraSource.text = "cylinder, medical physics"
    ui.newCameraVolumes.text = "0.52 1.15 2.57 5.58 11.5 26.5"
    ui.newCameraCoefficients.text = "0.25 0.38 0.53 0.66 0.77 0.86"


def assert_as_the_library_says(panel, quantified):
    from RPTDosimetryLib.bridge.quantified import calibration_of, quantified_of, totals_of

    back = quantified_of(panel.case)
    assert len(back.time_points) == len(quantified.study.time_points)
    for a, b in zip(back.time_points, quantified.study.time_points, strict=True):
        np.testing.assert_array_equal(a.spect.voxels, b.spect.voxels)
        assert (a.spect.unit, a.calibration) == ("Bq/mL", b.calibration)
    assert totals_of(panel.case) == list(quantified.totals)
    assert calibration_of(panel.case) == quantified.calibration


def test_before_a_study_it_says_what_comes_first(panel):
    ui = panel.steps["calibration"].ui
    assert not ui.runButton.enabled
    assert "Complete step Study first" in ui.runButton.toolTip
    assert "to do" in header(panel)


def test_quantitative_images_pass_through_and_it_says_so(panel, small_study):
    ui = put(panel, small_study)
    assert ui.quantitativeLabel.text == "Time points 1, 2: in Bq/mL already, pass unchanged."
    assert not ui.countsBox.visible
    run(panel)
    assert "done" in header(panel)
    assert_as_the_library_says(panel, quantified_study(small_study, CalibrationSettings(), BedSettings()))
    assert "already quantitative" in ui.totalsTable.item(0, 0).toolTip()
    np.testing.assert_array_equal(
        panel.case.study().time_points[1].spect.voxels, small_study.time_points[1].spect.voxels
    )


def test_counts_by_a_camera_that_is_described_and_kept(panel, counts_study):
    ui = put(panel, counts_study)
    assert not ui.runButton.enabled
    assert "in counts. Choose a camera" in ui.runButton.toolTip
    describe_a_camera(ui)
    ui.newCameraKeep.click()
    events()
    assert camera_names() == ("symbia-lu",)
    assert camera("symbia-lu").factor_cps_per_bq == pytest.approx(9.4e-6)
    assert camera("symbia-lu").factor_relative_se == pytest.approx(0.03)
    assert ui.cameraBox.currentText == "symbia-lu"
    assert "9.4 cps/MBq for Lu-177" in ui.cameraLabel.text
    assert "recovery 1 mL" in ui.cameraLabel.text
    run(panel)
    assert "dead time not corrected (none given)" in ui.totalsTable.item(0, 0).toolTip()
    expected = quantified_study(counts_study, CalibrationSettings(camera="symbia-lu"), BedSettings())
    assert_as_the_library_says(panel, expected)


def test_the_table_shows_before_after_and_the_most_that_can_be_left(panel, counts_study):
    ui = put(panel, counts_study)
    ui.factorBox.value = 500.0
    events()
    run(panel)
    total = quantified_study(counts_study, CalibrationSettings(factor_cps_per_bq=5e-4), BedSettings()).totals[1]
    row = [ui.totalsTable.item(1, column).text() for column in range(5)]
    assert row == [
        "24.00",
        f"{total.before:.4g} counts",
        f"{total.total_activity_bq / 1e6:.1f}",
        f"{total.expected_bq / 1e6:.1f}",
        f"{total.ratio:.3f}",
    ]
    assert total.expected_bq == pytest.approx(7.4e9 * 0.5 ** (24 * 3600 / 574300.0))


def by_ratio(panel, ratio):
    """Calibrate so that the highest time point holds this much of the most that can be left."""
    ui = panel.steps["calibration"].ui
    ui.factorBox.value = 500.0
    events()
    run(panel)
    highest = max(total.ratio for total in totals_of(panel.case))
    ui.factorBox.value = 500.0 * highest / ratio
    events()
    assert "out of date" in header(panel)
    run(panel)
    assert max(total.ratio for total in totals_of(panel.case)) == pytest.approx(ratio, rel=1e-3)


def runs(study, factor_cps_per_mbq):
    """The rule of the command run on the same study."""
    quantified = quantified_study(
        study, CalibrationSettings(factor_cps_per_bq=factor_cps_per_mbq * 1e-6), BedSettings()
    )
    return require_consistent_activity(quantified.study, quantified.lambda_phys_per_s)


def test_more_than_calibration_can_be_wrong_by_is_refused_as_the_command_run_refuses_it(panel, counts_study):
    ui = put(panel, counts_study)
    by_ratio(panel, 1.15)
    with pytest.raises(CalibrationError) as refused:
        runs(counts_study, ui.factorBox.value)
    assert ui.warningLabel.text.splitlines()[0] == str(refused.value)
    assert ui.warningLabel.visible
    assert "needs review" in header(panel)
    panel.open_step("registration")
    ui = panel.steps["registration"].ui
    assert not ui.runButton.enabled
    assert str(refused.value) in ui.runButton.toolTip
    assert str(refused.value) in panel.steps["report"].missing(panel.case)
    with pytest.raises(CalibrationError, match=r"15\.0% above"):
        quantified_of(panel.case)
    panel.open_step("calibration")
    by_ratio(panel, 0.9)
    assert not panel.steps["calibration"].ui.warningLabel.visible
    assert "done" in header(panel)
    assert panel.steps["registration"].missing(panel.case) == []


def test_a_little_more_is_said_and_goes_on_as_with_the_command_run(panel, counts_study):
    ui = put(panel, counts_study)
    by_ratio(panel, 1.05)
    allowed = runs(counts_study, ui.factorBox.value)
    assert tuple(ui.warningLabel.text.splitlines()) == allowed
    assert "within the 10% allowed" in allowed[0]
    assert "done" in header(panel)
    assert panel.steps["registration"].missing(panel.case) == []


def test_dead_time_asks_for_the_count_rates(panel, counts_study):
    ui = put(panel, counts_study)
    ui.factorBox.value = 500.0
    ui.deadTimeBox.currentIndex = ui.deadTimeBox.findText("given here")
    ui.deadTimeUsBox.value = 4.6
    events()
    assert "Time points 1, 2: the dead time needs the count rate" in ui.runButton.toolTip
    ui.rateTable.item(0, 1).setText("21000")
    ui.rateTable.item(1, 1).setText("fast")
    assert "not a positive number" in panel.said
    ui.rateTable.item(1, 1).setText("9000")
    events()
    assert ui.runButton.enabled
    run(panel)
    rates = tuple(TimePointCalibration(n, observed_cps=rate) for n, rate in ((1, 21000.0), (2, 9000.0)))
    settings = CalibrationSettings(
        factor_cps_per_bq=5e-4, dead_time_s=4.6e-6, dead_time_acts_on="photopeak window", time_points=rates
    )
    assert_as_the_library_says(panel, quantified_study(counts_study, settings, BedSettings()))


def test_beds_of_one_visit_become_one_volume(panel, small_study):
    first = small_study.time_points[0]
    grid = first.spect.grid
    higher = replace(grid, origin_mm=(grid.origin_mm[0], grid.origin_mm[1], grid.origin_mm[2] + 4 * grid.spacing_mm[2]))
    upper = replace(
        first,
        spect=Image(first.spect.voxels, higher, "Bq/mL"),
        time_s=first.time_s + 1500,
        acquired=first.acquired + timedelta(seconds=1500),
        labels=None,
        ct=None,
    )
    study = replace(small_study, time_points=(first, upper, small_study.time_points[1]))
    ui = put(panel, study)
    run(panel)
    assert ui.totalsTable.rowCount == 2
    assert "2 beds joined" in panel.said
    assert_as_the_library_says(panel, quantified_study(study, CalibrationSettings(), BedSettings()))
    assert [at.lines(node, "Parts") for node in panel.case.nodes(at.ACTIVITY)] == [(1, 2), (3,)]
    ui.bedsBox.currentIndex = ui.bedsBox.findText("none")
    events()
    assert "out of date" in header(panel)
    run(panel)
    assert ui.totalsTable.rowCount == 3


def test_a_camera_form_that_lacks_something_says_what(panel, counts_study):
    ui = put(panel, counts_study)
    describe_a_camera(ui)
    ui.newCameraSource.text = ""
    ui.newCameraFactor.value = 0.0
    ui.newCameraKeep.click()
    assert panel.said == "The new camera lacks: source, factor."
    describe_a_camera(ui)
    ui.newCameraDate.text = "spring"
    ui.newCameraKeep.click()
    assert "is no date" in panel.said
    ui.newCameraDate.text = "2024-03-01"
    ui.newCameraVolumes.text = "small big"
    ui.newCameraKeep.click()
    assert "are no numbers" in panel.said
    assert camera_names() == ()


def test_a_library_that_cannot_be_written_is_a_sentence(panel, counts_study, tmp_path, monkeypatch):
    ui = put(panel, counts_study)
    (tmp_path / "in the way").write_text("a file")
    monkeypatch.setenv("RPTDOSIMETRY_CONFIG", str(tmp_path / "in the way"))
    describe_a_camera(ui)
    ui.newCameraKeep.click()
    assert "in the way" in panel.said
    assert "should not" not in panel.said
    assert ui.newCameraName.text == "symbia-lu", "nothing that was typed is lost"


def test_a_camera_taken_out_of_the_library_is_no_choice_any_more(panel, counts_study):
    ui = put(panel, counts_study)
    describe_a_camera(ui)
    ui.newCameraKeep.click()
    events()
    ui.removeCameraButton.click()
    events()
    assert camera_names() == ()
    assert ui.cameraBox.currentText == "none"
    assert not ui.removeCameraButton.enabled


def test_a_camera_of_another_nuclide_is_refused_with_a_sentence(panel, counts_study):
    ui = put(panel, counts_study)
    describe_a_camera(ui)
    ui.newCameraNuclide.currentIndex = ui.newCameraNuclide.findText("I-131")
    ui.newCameraKeep.click()
    events()
    run(panel)
    assert "is calibrated for I-131, the study is Lu-177" in panel.said
    assert panel.case.nodes(at.ACTIVITY) == []


def test_a_camera_that_this_computer_does_not_know_is_named(panel, counts_study):
    ui = put(panel, counts_study)
    panel.parameters.calibration.camera = "elsewhere"
    events()
    assert "No camera 'elsewhere' in the library" in ui.cameraLabel.text
    assert not ui.runButton.enabled


def test_changes_upstream_mark_it_out_of_date(panel, small_study):
    put(panel, small_study)
    run(panel)
    assert "done" in header(panel)
    panel.steps["study"].ui.activityBox.value = 7000.0
    events()
    assert "out of date" in header(panel)


def test_saved_and_loaded_it_is_as_it_was(panel, small_study, tmp_path):
    ui = put(panel, small_study)
    run(panel)
    before = [ui.totalsTable.item(row, c).text() for row in range(2) for c in range(5)]
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert "done" in header(panel)
    assert [ui.totalsTable.item(row, c).text() for row in range(2) for c in range(5)] == before


def test_closing_the_scene_in_mid_run_leaves_nothing(panel, small_study):
    import slicer

    ui = put(panel, small_study)
    ui.runButton.click()
    slicer.mrmlScene.Clear(0)
    events()
    assert not panel.runner.busy
    assert panel.case.nodes() == []
    assert ui.totalsTable.rowCount == 0


def test_by_script(logic, small_study):
    logic.addStudy(small_study)
    made = logic.step("calibration").run_now(logic.case())
    assert [at.role(node) for node in made] == [at.ACTIVITY, at.ACTIVITY]
    assert logic.step("calibration").state(logic.case()).value == "done"
