"""The scene is the case: a Study goes in and comes back, saved and loaded too; changes show in fingerprints."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Administration


def assert_same_study(found, given):
    assert found.administration == given.administration
    assert (found.patient_id, found.missing, found.warnings) == (given.patient_id, given.missing, given.warnings)
    assert dict(found.label_names) == dict(given.label_names)
    assert len(found.time_points) == len(given.time_points)
    for a, b in zip(found.time_points, given.time_points, strict=True):
        for name in ("time_s", "acquired", "duration_s", "frame_of_reference_uid", "decay_correction", "calibration"):
            assert getattr(a, name) == getattr(b, name), name
        assert (a.missing, a.warnings, a.files) == (b.missing, b.warnings, b.files)
        for name in ("spect", "ct", "labels"):
            assert_same_image(getattr(a, name), getattr(b, name))
        for one, other in zip(a.structures, b.structures, strict=True):
            assert (one.name, one.frame_of_reference_uid) == (other.name, other.frame_of_reference_uid)
            for p, q in zip(one.polygons_mm, other.polygons_mm, strict=True):
                np.testing.assert_array_equal(p, q)


def assert_same_image(found, given):
    if given is None:
        assert found is None
        return
    assert found.unit == given.unit
    assert found.grid.same_as(given.grid, tolerance_mm=1e-6)
    np.testing.assert_array_equal(found.voxels, given.voxels)


def test_a_study_comes_back_from_the_scene_as_it_went_in(case, small_study):
    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(case, small_study)
    assert_same_study(case.study(), small_study)


def test_a_saved_and_loaded_scene_is_the_same_case(logic, small_study, tmp_path):
    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(logic.case(), small_study)
    before = (logic.case().identity, logic.step("study").outputs_fingerprint(logic.case()))
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    logic.forgetCase()
    assert_same_study(logic.case().study(), small_study)
    assert (logic.case().identity, logic.step("study").outputs_fingerprint(logic.case())) == before


def test_the_sample_case_comes_back_whole(case, sample_study):
    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(case, sample_study)
    assert_same_study(case.study(), sample_study)


def test_time_points_are_ordered_by_time_whatever_their_numbers(case, small_study):
    from RPTDosimetryLib.bridge.time_points import add_study

    late, early = small_study.time_points[1], small_study.time_points[0]
    add_study(case, replace(small_study, time_points=(late,)))
    add_study(case, replace(small_study, time_points=(early,)))
    assert [nodes.number for nodes in case.time_points()] == [2, 1]
    assert [point.time_s for point in case.study().time_points] == [4 * 3600.0, 24 * 3600.0]


def test_another_patient_is_refused_and_nothing_is_added(case, small_study):
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(case, small_study)
    with pytest.raises(StudyError, match=r"patient P02.*P01.*close the scene"):
        add_study(case, replace(small_study, patient_id="P02"))
    assert len(case.nodes(at.SPECT)) == 2


def test_a_decay_correction_is_undone_by_the_values_known_now(case, small_study):
    """Stored values are corrected to administration; the user's later time changes A(t) by e^(−λ Δt)."""
    from RPTDosimetryLib.bridge.time_points import add_study, set_value

    half_life_s, time_s = 574300.0, 24 * 3600.0
    undone = "ADMIN: corrected to administration; undone over 24.00000 h with half-life 574300 s (factor 0.900995)"
    point = replace(small_study.time_points[1], decay_correction=undone, acquired=None)
    add_study(case, replace(small_study, time_points=(point,)))
    assert_same_image(case.study().time_points[0].spect, point.spect)
    set_value(case.time_points()[0].spect, "time_h", "48")
    found = case.study().time_points[0]
    expected = point.spect.voxels * np.exp(-np.log(2) / half_life_s * time_s)
    np.testing.assert_allclose(found.spect.voxels, expected, rtol=1e-5)
    assert "undone over 48.00000 h" in found.decay_correction


def test_a_volume_of_the_scene_lacks_everything_until_the_user_says_it(case, small_study):
    import slicer

    from RPTDosimetryLib.bridge.parameters import show_administration
    from RPTDosimetryLib.bridge.time_points import add_volumes, missing_of, set_value
    from RPTDosimetryLib.bridge.volumes import put_image

    spect = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "mine")
    image = small_study.time_points[0].spect
    put_image(spect, replace(image, unit="unknown"))
    add_volumes(case, spect)
    nothing = Administration()
    assert missing_of(spect, nothing) == ("acquisition time", "unit", "decay correction")
    show_administration(case.parameters.administration, small_study.administration)
    set_value(spect, "unit", "kBq/mL")
    set_value(spect, "decay", "NONE")
    set_value(spect, "acquired", "2024-05-14 09:30")
    point = case.study().time_points[0]
    assert point.missing == ()
    assert point.time_s == 24 * 3600.0
    np.testing.assert_allclose(point.spect.voxels, image.voxels * 1e3, rtol=1e-6)
    set_value(spect, "unit", "Bq/mL")
    np.testing.assert_allclose(case.study().time_points[0].spect.voxels, image.voxels, rtol=1e-6)


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("time_h", "minus one", "not a positive number"),
        ("time_h", "-3", "not a positive number"),
        ("duration_s", "0", "not a positive number"),
        ("acquired", "tomorrow", "write it like 2024-05-13"),
        ("unit", "becquerel", "choose one of Bq/mL"),
        ("decay", "perhaps", "choose one of NONE"),
    ],
)
def test_what_cannot_be_is_refused_with_advice(case, small_study, column, text, said):
    from RPTDosimetryLib.bridge.time_points import add_study, set_value

    add_study(case, small_study)
    with pytest.raises(StudyError, match=said):
        set_value(case.time_points()[0].spect, column, text)
    assert_same_study(case.study(), small_study)


def test_a_volume_under_a_transform_is_refused(case, small_study):
    import slicer

    from RPTDosimetryLib.bridge.time_points import add_volumes
    from RPTDosimetryLib.bridge.volumes import put_image

    spect = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "moved")
    put_image(spect, small_study.time_points[0].spect)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "couch")
    spect.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(StudyError, match="moved lies under the transform couch: harden"):
        add_volumes(case, spect)


def test_fingerprints_follow_voxels_values_and_settings_but_not_names_of_results(logic, small_study):
    import slicer

    from RPTDosimetryLib.bridge.time_points import add_study, set_value

    case, step = logic.case(), logic.step("study")
    add_study(case, small_study)
    first = step.outputs_fingerprint(case)
    assert step.outputs_fingerprint(case) == first
    spect = case.time_points()[0].spect
    slicer.util.arrayFromVolume(spect)[0, 0, 0] += 1
    slicer.util.arrayFromVolumeModified(spect)
    second = step.outputs_fingerprint(case)
    set_value(spect, "duration_s", "1300")
    third = step.outputs_fingerprint(case)
    case.parameters.administration.activityMbq = 7000.0
    assert len({first, second, third, step.outputs_fingerprint(case)}) == 4
    case.mark(spect, "study", "whatever")
    assert step.outputs_fingerprint(case) == step.outputs_fingerprint(case)


def test_a_result_is_out_of_date_when_what_it_was_made_from_changes(logic, small_study):
    """A step of the test's own downstream of Study, run as scripts run steps."""
    import slicer

    from RPTDosimetryLib.background import Request
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.steps.step import State, Step
    from RPTDosimetryLib.bridge.time_points import add_study, set_value

    class Copy(Step):
        key, title, upstream = "copy", "Copy", ("study",)
        factor = 1.0

        def missing(self, case):
            return [] if case.nodes(at.SPECT) else ["Add a time point."]

        def settings(self, case):
            return self.factor

        def request(self, case):
            return Request("read_study", ())

        def take(self, case, result):
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "result")
            at.write(node, at.ROLE, "copy")
            return [node]

    case, copy = logic.case(), Copy()
    copy.others = {"study": logic.step("study"), "copy": copy}
    assert copy.state(case) is State.TODO
    add_study(case, small_study)
    assert copy.state(case) is State.READY
    copy._taken(case, None, copy.inputs_fingerprint(case))
    assert copy.state(case) is State.DONE
    copy.factor = 2.0
    assert copy.state(case) is State.OUT_OF_DATE
    copy.factor = 1.0
    assert copy.state(case) is State.DONE
    set_value(case.time_points()[0].spect, "duration_s", "1300")
    assert copy.state(case) is State.OUT_OF_DATE


def test_the_hierarchy_is_patient_cycle_time_point(case, small_study):
    from RPTDosimetryLib.bridge.hierarchy import subject_hierarchy
    from RPTDosimetryLib.bridge.time_points import add_study

    add_study(case, small_study)
    tree = subject_hierarchy()
    names, item = [], tree.GetItemByDataNode(case.time_points()[0].ct)
    while item != tree.GetSceneItemID():
        names.append(tree.GetItemName(item))
        item = tree.GetItemParent(item)
    assert names == ["CT 4.0 h [HU]", "Time point 1", "Therapy cycle", "P01"]


def test_starting_anew_leaves_what_others_put_into_the_scene(case, small_study):
    import slicer

    from RPTDosimetryLib.bridge.time_points import add_study

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "not ours")
    add_study(case, small_study)
    before = case.identity
    case.start_anew()
    assert case.nodes() == []
    assert case.identity != before
    assert slicer.util.getNode("not ours") is not None


def test_the_sequence_scrolls_through_the_time_points_and_follows_edits(case, small_study):
    import slicer

    from RPTDosimetryLib.bridge.sequence import browser_of
    from RPTDosimetryLib.bridge.time_points import add_study, set_value

    add_study(case, small_study)
    browser = browser_of(case)
    assert browser.GetNumberOfItems() == 2
    assert browser_of(case) is browser, "unchanged: not made again"
    shown = browser.GetProxyNode(browser.GetMasterSequenceNode())
    for index, point in enumerate(small_study.time_points):
        browser.SetSelectedItemNumber(index)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(shown), point.spect.voxels)
    assert len(case.time_points()) == 2, "what is shown is not a time point"
    set_value(case.time_points()[1].spect, "time_h", "30")
    assert browser_of(case).GetMasterSequenceNode().GetNthIndexValue(1) == "30.0000"


def test_a_date_of_the_user_keeps_its_time_zone(case, small_study):
    from RPTDosimetryLib.bridge.time_points import add_study, set_value

    add_study(case, small_study)
    set_value(case.time_points()[0].spect, "acquired", "2024-05-13T14:00:00+02:00")
    assert case.study().time_points[0].acquired == datetime.fromisoformat("2024-05-13T14:00:00+02:00")


def test_nuclides_offered_are_those_of_the_library(scene):
    from RPTDosimetryLib.bridge.parameters import NUCLIDES
    from RPTDosimetryLib.physics import nuclides

    known = sorted(path.name.removeprefix("decay_").removesuffix(".json") for path in nuclides_files(nuclides))
    assert sorted(NUCLIDES) == ["", *known]


def nuclides_files(module):
    from pathlib import Path

    return Path(module.__file__).parent.joinpath("data").glob("decay_*.json")
