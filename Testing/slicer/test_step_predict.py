"""Step Predict by clicking: the library's numbers bit for bit, what is missing, what is beside, saving, cancelling."""

import json

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle
from test_panel import events, header

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.prediction.pet_case import MARK

ACTIVITY_GBQ = 7.4


def nodes():
    """The module, when Slicer's packages are there."""
    from RPTDosimetryLib.bridge import prediction_nodes

    return prediction_nodes


def order():
    """The module, when Slicer's packages are there."""
    from RPTDosimetryLib.bridge import prediction_order

    return prediction_order


@pytest.fixture(scope="module")
def expected(pet_files):
    """What the library predicts of the same files."""
    from RPTDosimetryLib.prediction.predict_study import PredictionOrder, predict_study

    return predict_study(PredictionOrder(pet_files.study, pet_files.labels, others=("projection", "pbpk")))


@pytest.fixture
def ready(panel, pet_files):
    """Everything said that a prediction from files needs."""
    from RPTDosimetryLib.bridge.prediction_parameters import OrgansOfPet

    panel.open_step("predict")
    told = panel.parameters.predict
    told.folder, told.labels, told.organs = str(pet_files.study), str(pet_files.labels), OrgansOfPet.file
    told.plannedGbq = ACTIVITY_GBQ
    events()
    return panel


def predicted(panel):
    step = panel.steps["predict"]
    step.ui.runButton.click()
    panel.runner.wait(120)
    events()
    return step


def taken(panel, expected):
    """As after a click, without waiting for it again."""
    step, case = panel.steps["predict"], panel.case
    step._taken(case, expected, step.inputs_fingerprint(case))
    events()
    return step


def voxels(case, kind):
    import slicer

    return slicer.util.arrayFromVolume(nodes().part(case, kind))


def cells(table):
    return [[table.item(r, c).text() for c in range(table.columnCount)] for r in range(table.rowCount)]


def test_nobody_has_to_predict(panel):
    assert "○ optional" in header(panel, "predict")
    step = panel.steps["predict"]
    assert not step.ui.runButton.enabled
    assert "before therapy" in step.ui.runButton.toolTip
    assert not any("predict" in other.upstream for other in panel.steps.values())


def test_one_click_gives_the_librarys_numbers_bit_for_bit_and_says_what_they_are(ready, expected):
    assert "● ready" in header(ready, "predict"), ready.steps["predict"].ui.missingLabel.text
    step = predicted(ready)
    assert "✓ done" in header(ready, "predict"), ready.said
    assert MARK in ready.said
    case, found = ready.case, expected.predicted
    np.testing.assert_array_equal(voxels(case, nodes().DOSE), found.map_gy_per_gbq.voxels * np.float32(ACTIVITY_GBQ))
    np.testing.assert_array_equal(voxels(case, nodes().UNCERTAINTY), found.spread.voxels * np.float32(ACTIVITY_GBQ))
    np.testing.assert_array_equal(voxels(case, nodes().PET), expected.case.pet.voxels)
    answer = nodes().answer_of(case)
    assert tuple(nodes().organs_of(answer)) == found.organs
    liver = next(o for o in expected.others["pbpk"] if o.name == "liver")
    assert nodes().by_others(answer, "liver") == {"pbpk": liver}
    for kind in (nodes().DOSE, nodes().UNCERTAINTY, nodes().ORGANS, nodes().HISTOGRAMS, nodes().ANSWER):
        assert nodes().part(case, kind).GetName().startswith("PREDICTION")
        assert at.text(nodes().part(case, kind), "Notice") == MARK
    assert nodes().part(case, nodes().DOSE).GetVoxelValueUnits().GetCodeValue() == "Gy"
    kidneys = next(row for row in cells(step.ui.organTable) if row[0] == "kidneys")
    organ = next(o for o in found.organs if o.name == "kidneys")
    assert kidneys[1] == f"{organ.mean_gy_per_gbq:.3g}"
    assert kidneys[4] == f"{7.4 * organ.low_gy_per_gbq:.3g} – {7.4 * organ.high_gy_per_gbq:.3g}"


def test_no_other_step_takes_a_prediction_for_a_dose(ready, expected):
    from RPTDosimetryLib.bridge.comparison import dose_volumes

    before = {key: step.inputs_fingerprint(ready.case) for key, step in ready.steps.items() if key != "predict"}
    taken(ready, expected)
    assert {k: s.inputs_fingerprint(ready.case) for k, s in ready.steps.items() if k != "predict"} == before
    assert dose_volumes(ready.case) == []
    assert not ready.case.nodes(at.DOSE)


def test_the_activity_for_a_wanted_dose_is_arithmetic_with_its_interval(ready, expected):
    from RPTDosimetryLib.prediction.methods import wanted_activity

    step = taken(ready, expected)
    step.ui.wantedBox.value = 23.0
    events()
    assert step.ui.wantedText.text == wanted_activity(expected.predicted, "kidneys", 23.0).text
    assert "Arithmetic, not advice" in step.ui.wantedText.text
    index = [step.ui.organBox.itemText(n) for n in range(step.ui.organBox.count)].index("liver")
    step.ui.organBox.setCurrentIndex(index)
    step.ui.organBox.activated.emit(index)
    events()
    assert step.ui.wantedText.text.startswith("23 Gy to liver")
    assert "✓ done" in header(ready, "predict")  # what is only shown changes no result


def test_the_histograms_are_those_of_the_map_with_the_interval_of_the_organ(ready, expected):
    import slicer

    from RPTDosimetryLib.bridge.charts import values_of

    taken(ready, expected)
    table = nodes().part(ready.case, nodes().HISTOGRAMS)
    organ = next(o for o in expected.predicted.organs if o.name == "kidneys")
    mask = expected.case.organs["kidneys"] & expected.case.tissue
    dose_gy = expected.predicted.map_gy_per_gbq.voxels[mask].astype(np.float64) * ACTIVITY_GBQ
    x, y = values_of(table, "kidneys [Gy]"), values_of(table, "kidneys [%]")
    # the median of the voxels is where the curve crosses half of the volume
    assert np.interp(-50.0, -y, x) == pytest.approx(np.median(dose_gy), rel=0.01)
    high = values_of(table, "kidneys high [Gy]")
    np.testing.assert_allclose(high, x * organ.high_gy_per_gbq / organ.mean_gy_per_gbq, rtol=1e-12)
    chart = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotChartNode")
    assert chart.GetTitle().startswith("PREDICTION")
    names = [chart.GetNthPlotSeriesNode(n).GetName() for n in range(chart.GetNumberOfPlotSeriesNodes())]
    assert {"kidneys", "kidneys, low 95 %", "kidneys, high 95 %", "liver"} <= set(names)


def test_a_changed_activity_puts_it_out_of_date_and_the_next_run_takes_its_place(ready, expected):
    taken(ready, expected)
    count, first = len(ready.case.nodes()), voxels(ready.case, nodes().DOSE).copy()
    ready.steps["predict"].ui.plannedBox.value = 3.7
    events()
    assert "out of date" in header(ready, "predict")
    predicted(ready)
    assert "✓ done" in header(ready, "predict")
    assert len(ready.case.nodes()) == count
    np.testing.assert_allclose(voxels(ready.case, nodes().DOSE), first / 2, rtol=1e-6)


def test_a_saved_scene_comes_back_with_the_same_numbers(ready, expected, tmp_path):
    step = taken(ready, expected)
    before, map_before = cells(step.ui.organTable), voxels(ready.case, nodes().DOSE).copy()
    verdict = step.ui.verdictLabel.text
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert "✓ done" in header(ready, "predict")
    assert cells(step.ui.organTable) == before
    assert step.ui.verdictLabel.text == verdict
    np.testing.assert_array_equal(voxels(ready.case, nodes().DOSE), map_before)
    assert nodes().part(ready.case, nodes().DOSE).GetName().startswith("PREDICTION")


def test_what_the_guard_says_is_seen_above_the_figures(ready, expected):
    """One organ withheld, one marked, and those that a network leaves out."""
    from dataclasses import replace

    organs = {organ.name: organ for organ in expected.predicted.organs}
    withheld = replace(organs["bladder"], mean_gy_per_gbq=None, low_gy_per_gbq=None, high_gy_per_gbq=None)
    withheld = replace(withheld, unlike=("ln_uptake is +7.0 standard deviations from the patients known",))
    chosen = (organs["liver"], withheld, organs["kidneys"])
    said = ("bladder: withheld, unlike the patients known", "The highest uptake is 300 SUV; the model knows 2 to 90.")
    found = replace(expected.predicted, method="gan", organs=chosen, warnings=said)
    step = taken(ready, replace(expected, predicted=found))
    assert all(text in step.ui.verdictLabel.text for text in said)
    assert "No organ is unlike" not in step.ui.verdictLabel.text
    rows = {row[0]: row for row in cells(step.ui.organTable)}
    assert list(rows) == ["kidneys", "liver", "bladder"]
    assert rows["bladder"][1:5] == ["withheld", "–", "withheld", "–"]
    assert "standard deviations" in step.ui.organTable.item(2, 1).toolTip()
    assert "bladder" not in at.lines(nodes().part(ready.case, nodes().HISTOGRAMS), "Names")
    assert [step.ui.organBox.itemText(n) for n in range(step.ui.organBox.count)] == ["kidneys", "liver"]
    shown = nodes().part(ready.case, nodes().DOSE)
    assert "bladder: withheld, unlike the patients known" in at.lines(shown, "Warnings")


def test_cancelling_changes_nothing(ready):
    before = len(ready.case.nodes())
    ready.steps["predict"].ui.runButton.click()
    assert ready.runner.busy
    assert "running" in header(ready, "predict")
    ready.cancel_button.click()
    ready.runner.wait(60)
    events()
    assert "Cancelled" in ready.said
    assert len(ready.case.nodes()) == before


# volumes of the scene -------------------------------------------------------------------------------------------------


@pytest.fixture
def volumes(panel, stored):
    """PET [Bq/mL], CT and organs as somebody else put them into the scene: nothing is known but their voxels."""
    import slicer

    from RPTDosimetryLib.bridge.prediction_parameters import OrgansOfPet, PetFrom
    from RPTDosimetryLib.bridge.segmentations import segmentation_from
    from RPTDosimetryLib.bridge.volumes import volume_from_image
    from RPTDosimetryLib.prediction.pet_study import suv_factor
    from RPTDosimetryLib.prediction.tracers import HALF_LIFE_S
    from RPTDosimetryLib.records import Image, Voi

    factor = suv_factor(stored.weight_kg, 150e6, HALF_LIFE_S["Ga-68"], 3600.0)
    pet = volume_from_image(Image((stored.pet_suv / factor).astype(np.float32), stored.grid, "unknown"), "a PET", "")
    ct = volume_from_image(Image(stored.hu.astype(np.float32), stored.grid, "unknown"), "a CT", "")
    wanted = [name for name in stored.names if stored.names[name] > 1 and stored.mask(name).any()]
    vois = [Voi(name, stored.mask(name), stored.grid) for name in wanted]
    organs = segmentation_from(vois, "somebody's organs", "")
    for node in (pet, ct, organs):
        node.RemoveAttribute("RPTDosimetry.Role")
    panel.open_step("predict")
    told = panel.parameters.predict
    told.source, told.organs = PetFrom.volumes, OrgansOfPet.scene
    order().choose(panel.case, order().PET, pet)
    order().choose(panel.case, order().CT, ct)
    order().choose(panel.case, order().ORGANS, organs)
    events()
    assert slicer.mrmlScene.IsNodePresent(pet)
    return panel


def say(panel, stored):
    from RPTDosimetryLib.bridge.prediction_parameters import PetRefersTo, PetUnit

    told = panel.parameters.predict
    told.petUnit, told.refersTo = PetUnit.bq_per_ml, PetRefersTo.START
    told.tracer, told.weightKg, told.injectedMbq = "[68Ga]Ga-PSMA-11", stored.weight_kg, 150.0
    told.minutes, told.plannedGbq = 60.0, ACTIVITY_GBQ
    events()


def test_volumes_say_nothing_and_all_of_it_is_asked_for(volumes, stored):
    step = volumes.steps["predict"]
    told = step.ui.missingLabel.text
    for word in ("unit", "tracer", "body weight", "injection to scan", "planned activity"):
        assert word in told, told
    assert not step.ui.runButton.enabled
    say(volumes, stored)
    assert step.ui.runButton.enabled, step.ui.missingLabel.text
    for name, word in (("weightKg", "body weight"), ("injectedMbq", "injected activity"), ("minutes", "injection to")):
        value = getattr(volumes.parameters.predict, name)
        setattr(volumes.parameters.predict, name, 0.0)
        events()
        assert word in step.ui.runButton.toolTip
        setattr(volumes.parameters.predict, name, value)


@pytest.mark.slow
def test_volumes_with_what_is_said_give_the_prediction_of_the_files(volumes, stored, expected, tmp_path):
    import slicer

    say(volumes, stored)
    step = predicted(volumes)
    assert "✓ done" in header(volumes, "predict"), volumes.said
    for ours, theirs in zip(nodes().organs_of(nodes().answer_of(volumes.case)), expected.predicted.organs, strict=True):
        assert ours.name == theirs.name
        assert ours.mean_gy_per_gbq == pytest.approx(theirs.mean_gy_per_gbq, rel=2e-3)  # DICOM rounds to 16 bits
    assert "as given by hand" in step.ui.howLabel.text
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert "✓ done" in header(volumes, "predict")  # volumes and segmentation are found again, and unchanged
    ct = order().chosen(volumes.case, order().CT)
    slicer.util.updateVolumeFromArray(ct, slicer.util.arrayFromVolume(ct) + np.float32(1.0))
    volumes.refresh()
    assert "out of date" in header(volumes, "predict")


def test_a_pet_in_the_wrong_unit_is_withheld_with_the_reason(volumes, stored):
    """A hundredth of the injected activity makes a hundred times the SUV: no such kidneys are known."""
    say(volumes, stored)
    volumes.parameters.predict.injectedMbq = 1.5
    events()
    step = predicted(volumes)
    assert "the prediction is withheld" in volumes.said
    assert "standard deviations" in volumes.said
    assert not step.results(volumes.case)


def test_no_ct_and_organs_that_are_missing_are_said_before_anything_runs(volumes, stored):
    say(volumes, stored)
    step, organs = volumes.steps["predict"], order().chosen(volumes.case, order().ORGANS)
    order().choose(volumes.case, order().CT, None)
    events()
    assert "Choose the volume of the CT" in step.ui.runButton.toolTip
    order().choose(volumes.case, order().CT, order().chosen(volumes.case, order().PET))
    events()
    assert "The PET is the CT" in step.ui.runButton.toolTip
    segmentation = organs.GetSegmentation()
    for name in [n for n in list(segmentation.GetSegmentIDs()) if "kidney" in n]:
        segmentation.RemoveSegment(name)
    volumes.refresh()
    assert "lack kidneys" in step.ui.missingLabel.text or "The PET is the CT" in step.ui.missingLabel.text
    assert any("lack kidneys" in text for text in step.missing(volumes.case))


def test_a_volume_under_a_transform_is_refused(volumes, stored):
    import slicer

    say(volumes, stored)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    order().chosen(volumes.case, order().PET).SetAndObserveTransformNodeID(transform.GetID())
    volumes.refresh()
    assert "harden it" in volumes.steps["predict"].ui.runButton.toolTip


# files that lack something --------------------------------------------------------------------------------------------


@pytest.fixture
def spoilt(ready, pet_files, tmp_path):
    """The study with every PET header changed."""
    import shutil

    import pydicom

    def build(change):
        folder = tmp_path / "study"
        shutil.copytree(pet_files.study, folder)
        for file in (folder / "pet").iterdir():
            dataset = pydicom.dcmread(file)
            change(dataset, dataset.RadiopharmaceuticalInformationSequence[0])
            dataset.save_as(file)
        ready.parameters.predict.folder = str(folder)
        events()
        return ready

    return build


def _no_weight(dataset, _item):
    del dataset.PatientWeight


def _no_dose(_dataset, item):
    del item.RadionuclideTotalDose


def _no_time(_dataset, item):
    for name in ("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime"):
        if name in item:
            delattr(item, name)


def _other_tracer(_dataset, item):
    item.Radiopharmaceutical = "68Ga-DOTATATE"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said", "setting"),
    [
        (_no_weight, "no patient weight", ("weightKg", None)),
        (_no_dose, "no injected activity", ("injectedMbq", 150.0)),
        (_no_time, "no injection time", ("minutes", 60.0)),
        (_other_tracer, "the tracer is [68Ga]Ga-DOTATATE", None),
    ],
    ids=["weight", "dose", "time", "tracer"],
)
def test_a_pet_that_lacks_something_is_one_clear_error_and_what_is_said_repairs_it(
    spoilt, stored, expected, change, said, setting
):
    panel = spoilt(change)
    predicted(panel)
    assert said in panel.said
    assert setting is None or "What the files do not tell" in panel.said
    assert not panel.steps["predict"].results(panel.case)
    if setting is None:
        return
    name, value = setting
    setattr(panel.parameters.predict, name, value or stored.weight_kg)
    events()
    predicted(panel)
    assert "✓ done" in header(panel, "predict"), panel.said
    liver = next(o for o in nodes().organs_of(nodes().answer_of(panel.case)) if o.name == "liver")
    theirs = next(o for o in expected.predicted.organs if o.name == "liver")
    assert liver.mean_gy_per_gbq == pytest.approx(theirs.mean_gy_per_gbq, rel=1e-3)


def test_what_is_said_is_never_taken_against_the_header(ready, stored):
    ready.parameters.predict.weightKg = stored.weight_kg + 10.0
    events()
    predicted(ready)
    assert "Correct whichever is wrong" in ready.said
    assert not ready.steps["predict"].results(ready.case)


def test_another_agent_and_a_folder_without_ct_are_refused(ready, pet_files, tmp_path):
    import shutil

    ready.parameters.predict.agent = "[177Lu]Lu-DOTATATE"
    events()
    predicted(ready)
    assert "therapy agent" in ready.said
    ready.parameters.predict.agent = "[177Lu]Lu-PSMA-617"
    shutil.copytree(pet_files.study / "pet", tmp_path / "alone" / "pet")
    ready.parameters.predict.folder = str(tmp_path / "alone")
    events()
    predicted(ready)
    assert "0 CT series" in ready.said
    assert not ready.steps["predict"].results(ready.case)


def test_a_method_that_is_not_available_is_greyed_and_says_why(ready, monkeypatch):
    from RPTDosimetryLib.errors import PredictionError
    from RPTDosimetryLib.prediction import gan_model

    def none():
        raise PredictionError("No DoseGAN comes with this installation.")

    monkeypatch.setattr(gan_model, "shipped_gan_model", none)
    ready.refresh()
    table = ready.steps["predict"].ui.methods
    import qt

    told = {table.item(r, 0).text(): (table.item(r, 0), table.item(r, 1).text()) for r in range(table.rowCount)}
    assert "No DoseGAN" in told["gan"][1] or "needs" in told["gan"][1]
    assert not told["gan"][0].flags() & qt.Qt.ItemIsEnabled
    assert told["pbpk"][0].flags() & qt.Qt.ItemIsEnabled
    told["pbpk"][0].setCheckState(qt.Qt.Checked)
    events()
    assert ready.parameters.predict.method == "pbpk"
    assert table.item(0, 0).checkState() == qt.Qt.Unchecked


def test_the_choices_of_the_panel_are_those_of_the_library():
    from RPTDosimetryLib.bridge.prediction_parameters import AGENTS, PREDICTION_METHODS, TRACERS
    from RPTDosimetryLib.prediction.methods import METHODS
    from RPTDosimetryLib.prediction.psma_kinetics import AGENT
    from RPTDosimetryLib.prediction.tracers import KNOWN_TRACERS

    assert list(KNOWN_TRACERS) == TRACERS[1:]
    assert list(METHODS) == PREDICTION_METHODS
    assert AGENTS[0] == AGENT


def test_the_figures_are_json_that_another_program_can_read(ready, expected):
    taken(ready, expected)
    answer = json.loads(nodes().part(ready.case, nodes().ANSWER).GetText())
    assert answer["mark"] == MARK
    assert answer["activity_gbq"] == ACTIVITY_GBQ
