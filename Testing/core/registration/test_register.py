"""Registration finds known motion, keeps activity, and does not return what it did not find."""

from dataclasses import replace

import numpy as np
import pytest

from RPTDosimetryLib.errors import CancelledError, ConfigurationError, RegistrationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.registration.adjust import left_out, realigned
from RPTDosimetryLib.registration.register import FAILED, register, register_each
from RPTDosimetryLib.registration.settings import RegistrationSettings
from RPTDosimetryLib.virtual_patient.imaging import Pose


def error_mm(found, true, points):
    """Distance between where found and true transforms put each point."""
    return np.linalg.norm((points @ (found - true).T)[:, :3], axis=1)


def total_bq(image):
    return float(image.voxels.sum(dtype=np.float64)) * image.grid.voxel_volume_ml


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "shift_mm", "turn_deg", "time_h"),
    [(1, 8.0, 3.0, 24.0), (3, 20.0, 10.0, 24.0), (4, 20.0, 10.0, 120.0), (5, 20.0, 10.0, 69.0)],
)
def test_known_motion_comes_back_within_a_millimetre(
    scan, pose_of, body_points, study_of, seed, shift_mm, turn_deg, time_h
):
    pose = pose_of(seed, shift_mm, turn_deg)
    registered = register(study_of(scan(4.0), scan(time_h, pose, seed)))
    apart = error_mm(registered.alignments[1].moving_from_fixed, pose.moved_from_rest, body_points)
    assert apart.mean() < 1.0
    assert apart.max() < 2.0
    alignment = registered.alignments[1]
    moved_mm = np.linalg.norm((body_points @ pose.moved_from_rest.T - body_points)[:, :3], axis=1).mean()
    assert alignment.displacement_mm == pytest.approx(moved_mm, abs=2.0)
    assert alignment.mutual_information_after > alignment.mutual_information_before
    assert alignment.correlation_after > 0.8


@pytest.mark.slow
def test_a_patient_on_another_table_height_is_found_too(scan, body_points, study_of):
    pose = Pose((10.0, -30.0, 60.0), (2.0, -1.0, 3.0))
    registered = register(study_of(scan(4.0), scan(24.0, pose)))
    assert error_mm(registered.alignments[1].moving_from_fixed, pose.moved_from_rest, body_points).mean() < 1.0
    assert any("outside the field of view" in w for w in registered.warnings)
    assert not registered.seen.all()


@pytest.mark.slow
def test_total_activity_is_kept_but_for_what_the_field_of_view_cuts(scan, pose_of, study_of):
    second = scan(24.0, pose_of(6, 8.0, 3.0))
    registered = register(study_of(scan(4.0), second))
    alignment = registered.alignments[1]
    assert total_bq(registered.activity[1]) == pytest.approx(
        (1 - alignment.cut_fraction) * total_bq(second.spect), rel=1e-5
    )
    assert 0 <= alignment.cut_fraction < 0.02
    assert alignment.rescaled_by == pytest.approx(1.0, abs=2e-3)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits(scan, pose_of, study_of):
    study = study_of(scan(4.0), scan(69.0, pose_of(8, 8.0, 3.0)))
    first, second = register(study), register(study)
    np.testing.assert_array_equal(first.alignments[1].moving_from_fixed, second.alignments[1].moving_from_fixed)
    np.testing.assert_array_equal(first.activity[1].voxels, second.activity[1].voxels)


def test_method_none_leaves_every_voxel_and_says_so(scan, study_of):
    points = scan(4.0), scan(24.0)
    registered = register(study_of(*points), RegistrationSettings(method="none"))
    for point, image in zip(points, registered.activity, strict=True):
        np.testing.assert_array_equal(image.voxels, point.spect.voxels)
    assert any('method "none"' in w for w in registered.warnings)


def test_the_reference_is_the_first_with_a_ct_or_as_set(scan, study_of):
    first, second = scan(4.0), scan(24.0)
    with_ct = replace(second, ct=Image(np.zeros((2, 2, 2)), Grid((2, 2, 2), (1.0,) * 3), "HU"))
    still = RegistrationSettings(method="none")
    assert register(study_of(first, second), still).reference_index == 0
    assert register(study_of(first, with_ct), still).reference_index == 1
    assert register(study_of(first, with_ct), replace(still, reference=1)).reference_index == 0
    with pytest.raises(ConfigurationError, match="Choose 1 to 2"):
        register(study_of(first, second), replace(still, reference=3))


@pytest.mark.slow
def test_noise_is_not_taken_for_a_patient(scan, study_of):
    first = scan(4.0)
    noise = np.random.default_rng(0).random(first.spect.grid.shape_zyx, dtype=np.float32)
    with pytest.raises(RegistrationError, match=r"Time point 2 could not be aligned .*method = \"none\""):
        register(study_of(first, replace(first, spect=first.spect.with_voxels(noise))))


@pytest.mark.slow
def test_an_image_upside_down_is_refused(scan, study_of):
    first, second = scan(4.0), scan(24.0)
    upside_down = replace(second, spect=second.spect.with_voxels(second.spect.voxels[::-1, ::-1].copy()))
    with pytest.raises(RegistrationError, match="Time point 2 could not be aligned"):
        register(study_of(first, upside_down))


def test_motion_beyond_the_limits_is_a_failure(scan, study_of):
    pose = Pose((30.0, 0.0, 0.0))
    strict = RegistrationSettings(maximum_shift_mm=20.0)
    with pytest.raises(RegistrationError, match="more than a patient moves"):
        register(study_of(scan(4.0), scan(24.0, pose)), strict)


def test_counts_and_empty_images_are_refused(scan, study_of):
    point = scan(4.0)
    counts = replace(point, spect=replace(point.spect, unit="counts"))
    with pytest.raises(RegistrationError, match="Time point 2 is in counts"):
        register(study_of(point, counts))
    empty = replace(point, spect=point.spect.with_voxels(np.zeros_like(point.spect.voxels)))
    with pytest.raises(RegistrationError, match="Time point 2 holds no activity"):
        register(study_of(point, empty))


def test_cancel_stops(scan, study_of):
    with pytest.raises(CancelledError):
        register(study_of(scan(4.0), scan(24.0)), cancelled=lambda: True)


@pytest.mark.slow
def test_one_that_cannot_be_aligned_fails_alone(scan, study_of):
    """Bit for bit what the others get without it; it says why, and is left out or moved by hand."""
    first, third = scan(4.0), scan(69.0)
    noise = np.random.default_rng(0).random(first.spect.grid.shape_zyx, dtype=np.float32)
    lost = replace(first, spect=first.spect.with_voxels(noise), time_s=24 * 3600.0)
    empty = replace(first, spect=first.spect.with_voxels(np.zeros_like(noise)), time_s=100 * 3600.0)
    found = register_each(study_of(first, lost, third, empty))
    assert sorted(found.failed) == [1, 3]
    assert found.failed[1].startswith("Time point 2 could not be aligned with time point 1: ")
    assert found.failed[3] == "Time point 4 holds no activity: check the image, or leave it out."
    assert [a.method for a in found.registered.alignments] == ["rigid", FAILED, "rigid", FAILED]
    assert not found.registered.activity[1].voxels.any()
    fewer, expected = left_out(found.registered, [1, 3]), register(study_of(first, third))
    np.testing.assert_array_equal(fewer.activity[1].voxels, expected.activity[1].voxels)
    np.testing.assert_array_equal(fewer.seen, expected.seen)
    np.testing.assert_array_equal(found.registered.seen, expected.seen)
    assert "The time point at 24.0 h was left out: it could not be aligned." in fewer.warnings
    moved = realigned(found.registered, {1: np.eye(4)})
    assert moved.alignments[1].method == "rigid"
    assert moved.activity[1].voxels.any()


def test_the_reference_cannot_fail_alone(scan, study_of):
    first = scan(4.0)
    empty = replace(first, spect=first.spect.with_voxels(np.zeros_like(first.spect.voxels)))
    with pytest.raises(RegistrationError, match="Time point 1 holds no activity"):
        register_each(study_of(empty, first), RegistrationSettings(method="none"))
