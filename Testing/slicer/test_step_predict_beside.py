"""Step Predict with a therapy in the scene: its dose beside the prediction, its CT to align with, its patient."""

from datetime import datetime

import numpy as np
import pytest
from test_panel import events, header
from test_step_predict import ACTIVITY_GBQ, cells, nodes, taken

from RPTDosimetryLib.bridge import attributes as at

GIVEN_GBQ = 5.0


@pytest.fixture(scope="module")
def prediction(pet_files):
    """What the library predicts of the files."""
    from RPTDosimetryLib.prediction.predict_study import PredictionOrder, predict_study

    return predict_study(PredictionOrder(pet_files.study, pet_files.labels))


def put_therapy(case, stored):
    """The therapy that followed: a scan with CT, volumes, densities, and the true dose of 5 GBq."""
    from RPTDosimetryLib.bridge.doses import put_dose
    from RPTDosimetryLib.bridge.time_points import add_study
    from RPTDosimetryLib.bridge.volumes import volume_from_image
    from RPTDosimetryLib.bridge.volumes_of_interest import add_volumes
    from RPTDosimetryLib.physics.hounsfield import density_from_hu
    from RPTDosimetryLib.physics.media import SCHNEIDER_8
    from RPTDosimetryLib.records import Administration, DoseMap, Image, Study, TimePoint, Voi

    grid, hu = stored.grid, stored.hu.astype(np.float32)
    spect = Image(stored.pet_suv.astype(np.float32), grid, "Bq/mL")
    given = datetime(2024, 6, 3, 9, 0)
    point = TimePoint(spect, 4 * 3600.0, given.replace(hour=13), 1200.0, ct=Image(hu, grid, "HU"))
    administration = Administration("Lu-177", GIVEN_GBQ * 1e9, given, 574300.0)
    add_study(case, Study(administration, (point,), ""))
    names = [name for name, label in stored.names.items() if label > 1 and stored.mask(name).any()]
    kinds = {name: "lesion" if "lesion" in name else "organ" for name in names}
    add_volumes(case, [Voi(name, stored.mask(name), grid, kind=kinds[name]) for name in names])
    volume_from_image(Image(density_from_hu(hu).astype(np.float32), grid, "g/cm3"), "Density [g/cm3]", at.DENSITY)
    volume_from_image(Image(SCHNEIDER_8.media_from_hu(hu).astype(np.int16), grid, "1"), "Medium", at.MEDIUM)
    gray = (stored.dose_gy * (GIVEN_GBQ * 1e9 / stored.reference_activity_bq)).astype(np.float32)
    put_dose(case, DoseMap(Image(gray, grid, "Gy"), "msv8", "true dose", "Lu-177"))


@pytest.fixture
def after(panel, pet_files, stored):
    """A therapy in the scene and a prediction that is ready to run."""
    from RPTDosimetryLib.bridge.prediction_parameters import OrgansOfPet

    put_therapy(panel.case, stored)
    panel.open_step("predict")
    told = panel.parameters.predict
    told.folder, told.labels, told.organs = str(pet_files.study), str(pet_files.labels), OrgansOfPet.file
    told.plannedGbq = ACTIVITY_GBQ
    events()
    return panel


def column(table, start):
    heads = [table.horizontalHeaderItem(c).text() for c in range(table.columnCount)]
    return next(n for n, head in enumerate(heads) if head.startswith(start))


def test_the_dose_after_therapy_stands_beside_per_activity_for_the_same_organs(after, stored, prediction):
    """7.4 GBq were planned and 5 GBq given: only doses per GBq can be compared."""
    from RPTDosimetryLib.bridge.prediction_beside import beside_of
    from RPTDosimetryLib.prediction.pet_case import case_of

    step = taken(after, prediction)
    truth, per_gbq = case_of(stored), stored.dose_gy * (1e9 / stored.reference_activity_bq)
    means = beside_of(after.case).means
    for organ in ("kidneys", "liver", "spleen"):
        assert means[organ] == pytest.approx(truth.mass_mean(per_gbq, organ), rel=1e-4)
    table = step.ui.organTable
    row = next(row for row in cells(table) if row[0] == "kidneys")
    assert float(row[column(table, "after therapy")]) == pytest.approx(means["kidneys"], rel=5e-3)
    predicted = next(o.mean_gy_per_gbq for o in prediction.predicted.organs if o.name == "kidneys")
    wanted = 100.0 * (predicted / means["kidneys"] - 1.0)
    assert float(row[column(table, "difference")]) == pytest.approx(wanted, abs=0.06)
    assert "5 GBq given" in step.ui.besideLabel.text
    assert "not aligned" in step.ui.besideLabel.text


def test_both_histograms_share_a_plot_per_activity(after, stored, prediction):
    import slicer

    from RPTDosimetryLib.bridge.charts import values_of
    from RPTDosimetryLib.bridge.prediction_parameters import PredictionPlot

    taken(after, prediction)
    after.parameters.predict.plot = PredictionPlot.therapy
    events()
    charts = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    assert len(charts) == 1
    chart = charts[0]
    assert chart.GetTitle() == "DVH: PREDICTION solid, msv8 after therapy dashed"
    assert "Gy/GBq" in chart.GetXAxisTitle()
    lines = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
    series = {line.GetName(): line for line in lines}
    one = series["kidneys, after therapy"]
    assert one.GetLineStyle() == one.LineStyleDash
    x, y = (values_of(one.GetTableNode(), name) for name in (one.GetXColumnName(), one.GetYColumnName()))
    dose = stored.dose_gy[stored.mask("kidney_left") | stored.mask("kidney_right")]
    assert np.interp(-50.0, -y, x) == pytest.approx(np.median(dose) * 1e9 / stored.reference_activity_bq, rel=0.02)


def test_a_new_dose_after_therapy_changes_what_is_beside_and_not_the_prediction(after, prediction):
    import slicer

    from RPTDosimetryLib.bridge.prediction_beside import beside_of, therapy_dose

    taken(after, prediction)
    before = beside_of(after.case).means["liver"]
    dose = therapy_dose(after.case)
    slicer.util.updateVolumeFromArray(dose, 2.0 * slicer.util.arrayFromVolume(dose))
    after.refresh()
    assert beside_of(after.case).means["liver"] == pytest.approx(2.0 * before, rel=1e-6)
    assert "✓ done" in header(after, "predict")


def test_without_an_administered_activity_nothing_is_compared_and_the_panel_says_why(after, prediction):
    step = taken(after, prediction)
    after.parameters.administration.activityMbq = 0.0
    events()
    assert "administered activity is not known" in step.ui.besideLabel.text
    assert not any(
        step.ui.organTable.horizontalHeaderItem(c).text().startswith("after")
        for c in range(step.ui.organTable.columnCount)
    )


def test_the_third_view_shows_the_dose_after_therapy_when_it_is_asked_for(after, prediction):
    import slicer

    from RPTDosimetryLib.bridge import views
    from RPTDosimetryLib.bridge.prediction_beside import therapy_dose
    from RPTDosimetryLib.bridge.prediction_parameters import BesidePrediction

    step = taken(after, prediction)
    shown = slicer.mrmlScene.GetSingletonNode(views.compared_views()[2], "vtkMRMLSliceCompositeNode")
    name = slicer.mrmlScene.GetNodeByID(shown.GetForegroundVolumeID()).GetName()
    assert name == "PREDICTION: standard uncertainty of the dose [Gy]"
    after.parameters.predict.beside = BesidePrediction.therapy
    step.ui.showButton.click()
    events()
    dose = therapy_dose(after.case)
    assert shown.GetForegroundVolumeID() == dose.GetID()
    top = nodes().part(after.case, nodes().DOSE).GetDisplayNode().GetWindowLevelMax()
    assert dose.GetDisplayNode().GetWindowLevelMax() == pytest.approx(top * GIVEN_GBQ / ACTIVITY_GBQ)
    after.open_step("dose")  # where it has its own colours again
    assert dose.GetDisplayNode().GetWindowLevelMax() == pytest.approx(slicer.util.arrayFromVolume(dose).max(), rel=1e-5)


def test_with_alignment_the_therapys_ct_and_volumes_are_what_is_asked_with(after, stored):
    from RPTDosimetryLib.bridge import prediction_order as order
    from RPTDosimetryLib.bridge.prediction_parameters import OrgansOfPet

    told = after.parameters.predict
    told.align, told.organs = True, OrgansOfPet.scene
    order.choose(after.case, order.ORGANS, after.case.node(at.VOIS))
    events()
    assert after.steps["predict"].missing(after.case) == []
    asked = after.steps["predict"].request(after.case).arguments[0]
    np.testing.assert_array_equal(asked.therapy_ct.voxels, stored.hu.astype(np.float32))
    assert {voi.name for voi in asked.organs} >= {"kidney_left", "kidney_right", "liver"}
    assert any("liver is not reviewed" in text for text in after.steps["predict"].needs_review(after.case))
    told.align = False
    assert after.steps["predict"].request(after.case).arguments[0].therapy_ct is None


def test_the_pet_of_another_patient_is_refused(after):
    at.write(after.case.node_of_settings, "PatientId", "somebody else")
    step = after.steps["predict"]
    step.ui.runButton.click()
    after.runner.wait(120)
    events()
    assert "the therapy of somebody else" in after.said
    assert not step.results(after.case)
