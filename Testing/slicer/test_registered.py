"""The calibrated and the registered study survive the way into the scene, back, and through a saved bundle."""

from dataclasses import replace

import numpy as np
import pytest
import vtk

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import registered as bridge
from RPTDosimetryLib.bridge.quantified import put_quantified, quantified_of
from RPTDosimetryLib.calibration.settings import CalibrationSettings
from RPTDosimetryLib.errors import RegistrationError, StudyError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.pipeline import quantified_study
from RPTDosimetryLib.records import Deformation
from RPTDosimetryLib.registration.adjust import left_out, realigned
from RPTDosimetryLib.registration.beds import BedSettings
from RPTDosimetryLib.registration.register import register
from RPTDosimetryLib.registration.settings import RegistrationSettings

STILL = RegistrationSettings(method="none")


def add(case, study):
    from RPTDosimetryLib.bridge.time_points import add_study  # the application must be there first

    add_study(case, study)


def shifted(x_mm):
    matrix = np.eye(4)
    matrix[0, 3] = x_mm
    return matrix


def deformation():
    grid = Grid((5, 6, 7), (8.0, 9.0, 10.0), (-30.0, 5.0, 390.0), (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    vectors = np.zeros((5, 6, 7, 3), dtype=np.float32)
    vectors[1:-1, 1:-1, 1:-1] = np.random.default_rng(5).normal(0, 0.4, (3, 4, 5, 3))
    return Deformation(vectors, grid)


@pytest.fixture
def put(case, small_study):
    """A registered study in the scene, and the record that it came from."""
    add(case, small_study)
    quantified = quantified_study(small_study, CalibrationSettings(), BedSettings())
    put_quantified(case, quantified)
    found = register(quantified.study, STILL)
    bent = replace(found.alignments[1], moving_from_fixed=shifted(3.0), deformation=deformation(), warnings=("w",))
    found = replace(found, alignments=(found.alignments[0], bent))
    bridge.put_registered(case, found)
    return found


def assert_same(back, put):
    assert back.reference_index == put.reference_index
    assert back.grid.same_as(put.grid)
    np.testing.assert_array_equal(back.seen, put.seen)
    assert back.warnings == put.warnings
    for a, b in zip(back.activity, put.activity, strict=True):
        np.testing.assert_array_equal(a.voxels, b.voxels)
        assert a.unit == "Bq/mL"
    for a, b in zip(back.alignments, put.alignments, strict=True):
        np.testing.assert_allclose(a.moving_from_fixed, b.moving_from_fixed, atol=1e-9)
        told = [replace(x, moving_from_fixed=np.eye(4), deformation=None) for x in (a, b)]
        assert str(told[0]) == str(told[1])
        assert (a.deformation is None) == (b.deformation is None)
        if a.deformation is not None:
            np.testing.assert_allclose(a.deformation.displacement_mm, b.deformation.displacement_mm, atol=1e-6)
            assert a.deformation.grid.same_as(b.deformation.grid)


def assert_same_study(back, put):
    assert back.warnings == put.warnings
    for a, b in zip(back.time_points, put.time_points, strict=True):
        np.testing.assert_array_equal(a.spect.voxels, b.spect.voxels)
        for name in ("time_s", "calibration", "decay_correction", "warnings", "duration_s"):
            assert getattr(a, name) == getattr(b, name)


def test_study_comes_back_as_it_was_registered(case, put):
    assert_same(bridge.registered_of(case), put)
    assert_same_study(quantified_of(case), put.study)


def test_study_comes_back_from_a_saved_bundle(logic, case, put, tmp_path):
    from scene_files import load_bundle, save_bundle

    save_bundle(tmp_path / "case.mrb")
    logic.forgetCase()
    load_bundle(tmp_path / "case.mrb")
    assert_same(bridge.registered_of(logic.case()), put)
    assert_same_study(quantified_of(logic.case()), put.study)


def test_calibrated_volume_under_its_transforms_lies_where_the_record_says(case, put):
    """Reference point x of the record ↔ point T(x) of the volume, through Slicer's own transform nodes."""
    from RPTDosimetryLib.bridge.geometry import lps_point, ras_point
    from RPTDosimetryLib.registration.point_map import PointMap

    points = np.array([[-5.0, 25.0, 415.0], [3.0, 18.0, 409.0], [200.0, 0.0, 0.0]])
    volume = case.node(at.ACTIVITY, 2)
    from_world = vtk.vtkGeneralTransform()
    volume.GetParentTransformNode().GetTransformFromWorld(from_world)
    moved = [lps_point(from_world.TransformPoint(ras_point(point))) for point in points]
    np.testing.assert_allclose(moved, PointMap.of(put.alignments[1]).moving(points), atol=1e-4)


def test_before_its_step_a_sentence_says_which_to_run(case, small_study):
    with pytest.raises(RegistrationError, match="run step Registration"):
        bridge.registered_of(case)
    add(case, small_study)
    with pytest.raises(StudyError, match="run step Calibration"):
        quantified_of(case)


def test_an_edited_transform_is_not_taken_until_it_was_applied(case, put):
    node = bridge.alignment_node(case, 2)
    node.SetMatrixTransformToParent(vtk.vtkMatrix4x4())
    assert bridge.edited_numbers(case) == [2]
    with pytest.raises(RegistrationError, match="time point 2 was edited"):
        bridge.registered_of(case)
    bridge.reset_transform(case, 2)
    assert bridge.edited_numbers(case) == []
    assert_same(bridge.registered_of(case), put)


def test_a_time_point_aligned_anew_takes_the_old_ones_place(case, small_study):
    add(case, small_study)
    quantified = quantified_study(small_study, CalibrationSettings(), BedSettings())
    put_quantified(case, quantified)
    before = register(quantified.study, STILL)
    bridge.put_registered(case, before)
    bridge.decide(case, 2, bridge.ACCEPTED)
    anew = realigned(before, {1: shifted(4.0)}, STILL)
    bridge.replace_time_point(case, anew, 2)
    assert_same(bridge.registered_of(case), anew)
    assert bridge.decision(case, 2) == bridge.OPEN


def test_a_rejected_time_point_is_left_out(case, put):
    bridge.decide(case, 2, bridge.REJECTED)
    assert_same(bridge.registered_of(case), left_out(put, [1]))
    assert_same(bridge.registered_of(case, rejected=True), put)
    with pytest.raises(RegistrationError, match="reference cannot be rejected"):
        bridge.decide(case, 1, bridge.REJECTED)


def test_removed_time_points_ask_for_another_registration(case, put):
    from RPTDosimetryLib.bridge.time_points import remove_time_point

    remove_time_point(case, 2)
    with pytest.raises(RegistrationError, match="run step Registration again"):
        bridge.registered_of(case)


def test_another_registration_leaves_nothing_of_the_first(case, put):
    before = len(case.nodes())
    bridge.put_registered(case, put)
    assert len(case.nodes()) == before
    bridge.remove_registered(case)
    assert case.nodes(at.ALIGNMENT) == []
    assert case.nodes(at.DEFORMATION) == []
    assert case.node(at.ACTIVITY, 2).GetParentTransformNode() is None
