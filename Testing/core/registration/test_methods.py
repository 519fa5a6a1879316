"""Affine, B-spline, elastix and alignment through the CTs: what they find, keep and refuse."""

import importlib.util
import sys
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.special import erf

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.grid import Grid, resample, sitk_image
from RPTDosimetryLib.records import Deformation, Image
from RPTDosimetryLib.registration.conservative import move_activity
from RPTDosimetryLib.registration.judge import judged
from RPTDosimetryLib.registration.pair import Pair, spect_pair
from RPTDosimetryLib.registration.point_map import PointMap
from RPTDosimetryLib.registration.register import register
from RPTDosimetryLib.registration.search import search_bspline, search_rigid
from RPTDosimetryLib.registration.settings import RegistrationSettings
from RPTDosimetryLib.virtual_patient.imaging import Pose

POSE = Pose((12.0, -9.0, 13.0), (6.0, -4.0, 6.5))  # 20 mm, 10°


def total_bq(image):
    return float(image.voxels.sum(dtype=np.float64)) * image.grid.voxel_volume_ml


def in_pose(ct, pose):
    """The CT of a patient who lies otherwise, with noise of its own."""
    back = PointMap(np.linalg.inv(pose.moved_from_rest)).transform()
    moved = resample(ct.voxels, ct.grid, ct.grid, "linear", -1000.0, back)
    noise = np.random.default_rng(1).normal(0.0, 15.0, moved.shape)
    return ct.with_voxels((moved + noise).astype(np.float32))


def waves_mm(points, amplitude_mm=10.0, wave_mm=250.0):
    """A known smooth displacement s(y) (n, 3)."""
    phase = 2 * np.pi * points / wave_mm
    x, y, z = phase.T
    return amplitude_mm * np.stack([np.sin(z + 0.5) * np.cos(y), np.sin(x + 1) * np.cos(z), np.sin(y + 0.3)], axis=1)


def waved(image):
    """The image of a body bent so that its point y comes from y + s(y)."""
    grid = image.grid
    kji = np.indices(grid.shape_zyx).reshape(3, -1)
    points = kji[::-1].T @ grid.lps_from_ijk[:3, :3].T + grid.lps_from_ijk[:3, 3]
    field = sitk_image(np.zeros(grid.shape_zyx, np.float32), grid)
    vectors = sitk.GetImageFromArray(waves_mm(points).reshape(*grid.shape_zyx, 3), isVector=True)
    vectors.CopyInformation(field)
    transform = sitk.DisplacementFieldTransform(vectors)
    return image.with_voxels(resample(image.voxels, grid, grid, "linear", 0.0, transform))


@pytest.fixture(scope="module")
def bent_pair(scan):
    """A patient, and the same one bent by up to 10 mm along each axis."""
    return scan(4.0).spect, waved(scan(24.0, seed=3).spect)


@pytest.fixture(scope="module")
def unbent(bent_pair):
    """The pair, its rigid and its B-spline alignment."""
    pair = spect_pair(*bent_pair)
    rigid = search_rigid(pair, RegistrationSettings())
    return pair, rigid, search_bspline(pair, rigid, RegistrationSettings(bspline_spacing_mm=60.0))


@pytest.mark.slow
def test_a_bspline_finds_a_third_of_a_bend_that_a_rigid_move_cannot(unbent, body_points):
    pair, rigid, spline = unbent
    points = body_points[:, :3]
    left = []
    for moved in (rigid, spline):
        there = moved.moving(points)
        left.append(np.linalg.norm(there + waves_mm(there) - points, axis=1).mean())
    assert left[0] > 8.0
    assert left[1] < 0.7 * left[0]
    before, after = judged(pair, rigid, "rigid"), judged(pair, spline, "bspline")
    assert after.detail_correlation > before.detail_correlation + 0.1
    assert 0.3 < after.volume_change[0] < 1.0 < after.volume_change[1] < 2.0


@pytest.mark.slow
def test_a_bspline_keeps_the_activity_and_can_be_inverted(unbent, bent_pair, body_points):
    fixed, moving = bent_pair
    spline = unbent[2]
    moved = move_activity(moving, spline, fixed.grid)
    assert total_bq(moved.image) == pytest.approx((1 - moved.cut_fraction) * total_bq(moving), rel=1e-5)
    assert moved.rescaled_by == pytest.approx(1.0, abs=5e-3)
    points = body_points[:, :3]
    assert np.linalg.norm(spline.fixed(spline.moving(points)) - points, axis=1).max() < 0.1


@pytest.mark.parametrize("name", ["affine", "deformed"])
def test_a_change_of_volume_keeps_the_activity_of_every_piece(blob, name):
    image = blob((5.0, 2.0, -4.0))
    k, j, i = np.indices(image.grid.shape_zyx)
    u = np.zeros((*image.grid.shape_zyx, 3), dtype=np.float32)
    for axis, n in enumerate((i, j, k)):
        u[..., axis] = 6.0 * np.sin(2 * np.pi * n / 49.0) * np.sin(np.pi * k / 49.0)
    u[[0, -1]] = u[:, [0, -1]] = u[:, :, [0, -1]] = 0.0
    matrix = np.diag([1.1, 0.95, 1.15, 1.0])
    moved = PointMap(matrix) if name == "affine" else PointMap(POSE.moved_from_rest, Deformation(u, image.grid))
    found = move_activity(image, moved, image.grid)
    assert total_bq(found.image) == pytest.approx(1e9, rel=1e-4)
    assert found.rescaled_by == pytest.approx(1.0, abs=3e-3)  # the determinant alone keeps it
    assert found.cut_fraction < 1e-4
    weight = found.image.voxels.astype(np.float64)
    centre = [np.average(n, weights=weight) for n in (i, j, k)]
    landed = (image.grid.lps_from_ijk @ [*centre, 1.0])[:3]
    expected = moved.fixed(np.array([[5.0, 2.0, -4.0]]))[0]
    assert np.linalg.norm(landed - expected) < 1.0


def test_what_a_deformation_carries_over_the_edge_counts_as_cut(blob):
    image = blob((0.0, 0.0, 70.0))
    u = np.zeros((*image.grid.shape_zyx, 3), dtype=np.float32)
    u[1:-1, 1:-1, 1:-1, 2] = -25.0 * np.sin(np.linspace(0, np.pi, 48))[:, None, None]
    onto = Grid((40, 50, 50), (4.8,) * 3, (-117.6,) * 3)  # ends at z = 72
    moved = PointMap(np.eye(4), Deformation(u, image.grid))
    found = move_activity(image, moved, onto)
    edge_mm = float(moved.moving(np.array([[0.0, 0.0, 72.0]]))[0, 2])
    beyond = 0.5 * (1 + erf((70.0 - edge_mm) / 12.0 / np.sqrt(2)))
    assert edge_mm < 60.0
    assert found.cut_fraction == pytest.approx(beyond, abs=3e-3)
    assert total_bq(found.image) == pytest.approx((1 - found.cut_fraction) * total_bq(image), rel=1e-5)


def test_folding_is_refused():
    grid = Grid((20, 20, 20), (5.0,) * 3)
    image = Image(np.random.default_rng(0).random(grid.shape_zyx, dtype=np.float32), grid, "1")
    pair = Pair(image, image, np.ones(grid.shape_zyx, bool), ((0.0, 0.0, 0.0),), "spect")
    u = np.zeros((*grid.shape_zyx, 3), dtype=np.float32)
    u[9:11, 9:11, 9:11, 0] = [[[15.0, -15.0]] * 2] * 2
    with pytest.raises(RegistrationError, match="folds the body"):
        judged(pair, PointMap(np.eye(4), Deformation(u, grid)), "bspline")


@pytest.mark.slow
def test_the_cts_give_known_motion_back_within_a_millimetre(torso, scan, body_points, study_of):
    first = replace(scan(4.0), ct=torso.ct)
    second = replace(scan(24.0, POSE), ct=in_pose(torso.ct, POSE))
    found = register(study_of(first, second), RegistrationSettings(through="ct")).alignments[1]
    apart = (body_points @ (found.moving_from_fixed - POSE.moved_from_rest).T)[:, :3]
    assert np.linalg.norm(apart, axis=1).mean() < 1.0
    assert found.through == "ct"
    assert found.correlation_after > 0.9


@pytest.mark.slow
def test_cts_that_fit_do_not_excuse_a_spect_that_does_not(torso, scan, study_of):
    first = replace(scan(4.0), ct=torso.ct)
    spect = scan(24.0).spect
    second = replace(scan(24.0), ct=in_pose(torso.ct, Pose()), spect=spect.with_voxels(spect.voxels[::-1].copy()))
    with pytest.raises(RegistrationError, match="the CTs fit, but"):
        register(study_of(first, second), RegistrationSettings(through="ct"))


def test_the_way_through_the_cts_needs_both(torso, scan, study_of):
    first = replace(scan(4.0), ct=torso.ct)
    with pytest.raises(RegistrationError, match="time point 2 has no CT"):
        register(study_of(first, scan(24.0)), RegistrationSettings(through="ct"))
    empty = torso.ct.with_voxels(np.full_like(torso.ct.voxels, -1000.0))
    with pytest.raises(RegistrationError, match="CT of time point 2 shows no body"):
        register(study_of(first, replace(scan(24.0), ct=empty)), RegistrationSettings(through="ct"))


def test_one_ct_of_two_time_points_is_said(torso, scan, study_of):
    points = (replace(scan(t), ct=torso.ct) for t in (4.0, 24.0))
    found = register(study_of(*points), RegistrationSettings(through="ct")).alignments[1]
    assert "one CT in common" in found.warnings[0]
    assert found.displacement_mm == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("method", ["affine", "bspline"])
def test_no_method_bends_an_image_upside_down_into_the_patient(scan, study_of, method):
    second = scan(24.0)
    turned = replace(second, spect=second.spect.with_voxels(second.spect.voxels[::-1, ::-1].copy()))
    with pytest.raises(RegistrationError, match="Time point 2 could not be aligned"):
        register(study_of(scan(4.0), turned), RegistrationSettings(method=method))


def test_without_elastix_it_is_said_what_to_install(monkeypatch, scan, study_of):
    monkeypatch.setitem(sys.modules, "itk", None)
    with pytest.raises(RegistrationError, match=r"pip install \"slicer-rpt-dosimetry\[elastix\]\""):
        register(study_of(scan(4.0), scan(24.0)), RegistrationSettings(engine="elastix"))


@pytest.mark.slow
def test_elastix_finds_the_same_motion(scan, body_points, study_of):
    if importlib.util.find_spec("itk") is None or not hasattr(importlib.import_module("itk"), "ParameterObject"):
        pytest.skip("itk-elastix is not installed: pip install slicer-rpt-dosimetry[elastix]")
    found = register(study_of(scan(4.0), scan(24.0, POSE)), RegistrationSettings(engine="elastix")).alignments[1]
    apart = (body_points @ (found.moving_from_fixed - POSE.moved_from_rest).T)[:, :3]
    assert np.linalg.norm(apart, axis=1).mean() < 2.0
