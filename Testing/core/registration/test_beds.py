"""Beds of one visit: one time point, nothing lost or made, and clear words where they cannot be one."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.errors import ConfigurationError, RegistrationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Image, Study, TimePoint
from RPTDosimetryLib.registration.bed_weights import bed_weight
from RPTDosimetryLib.registration.beds import BedSettings, bed_groups, join_beds, join_images
from RPTDosimetryLib.study.total_activity import total_activity_bq

LAMBDA = math.log(2) / 574300.0
WHOLE = Grid((60, 16, 18), (4.8, 4.8, 4.8), (-40.0, -38.0, -140.0))
TURNED = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def phantom(grid=WHOLE, seed=1):
    """Hot and cold places that differ from voxel to voxel."""
    return Image(np.random.default_rng(seed).uniform(0, 1e5, grid.shape_zyx).astype(np.float32), grid, "Bq/mL")


def part(image, first, last):
    """Slices first to last - 1 as an image of their own."""
    x, y, z = (image.grid.lps_from_ijk @ [0, 0, first, 1.0])[:3]
    grid = dataclasses.replace(image.grid, shape_zyx=(last - first, *image.grid.shape_zyx[1:]), origin_mm=(x, y, z))
    return Image(image.voxels[first:last].copy(), grid, image.unit)


def scan(image, time_s, **changes):
    told = {"time_s": time_s, "duration_s": 1200.0, "frame_of_reference_uid": "1.2.3", "decay_correction": "START: x"}
    return TimePoint(image, **(told | changes))


def study(*points):
    return Study(Administration("Lu-177", 7.4e9), points)


def total(image):
    return float(image.voxels.sum(dtype=np.float64)) * image.grid.voxel_volume_ml


@pytest.mark.parametrize("grid", [WHOLE, dataclasses.replace(WHOLE, direction=TURNED)])
@pytest.mark.parametrize(
    "cuts", [((0, 36), (26, 60)), ((25, 60), (0, 30)), ((20, 42), (0, 25), (38, 60)), ((0, 30), (30, 60))]
)
def test_a_phantom_split_into_beds_comes_back_with_its_total(grid, cuts):
    whole = phantom(grid)
    joined = join_images([part(whole, *cut) for cut in cuts])
    assert joined.image.grid.same_as(grid)
    np.testing.assert_allclose(joined.image.voxels, whole.voxels, rtol=1e-5)
    assert total(joined.image) == pytest.approx(total(whole), rel=1e-6)
    assert all(step is None or abs(step) < 1e-6 for step in joined.steps)


def test_the_later_bed_counts_as_it_was_at_the_first_beds_start():
    whole, delay_s = phantom(), 1500.0
    lower, upper = part(whole, 0, 36), part(whole, 26, 60)
    later = upper.with_voxels((upper.voxels * math.exp(-LAMBDA * delay_s)).astype(np.float32))
    (point,) = join_beds(study(scan(lower, 14400.0), scan(later, 14400.0 + delay_s)), BedSettings(), LAMBDA).time_points
    assert point.time_s == 14400.0
    assert point.duration_s == pytest.approx(delay_s + 1200.0)
    np.testing.assert_allclose(point.spect.voxels, whole.voxels, rtol=1e-5)
    assert total_activity_bq(point) == pytest.approx(total(whole), rel=1e-6)
    told = next(w for w in point.warnings if "2 beds joined" in w)
    assert "25.0 min later (×1.001812)" in told
    assert "overlap 48.0 mm with +0.0% step" in told or "with -0.0% step" in told


def test_weights_are_linear_and_sum_to_one():
    ranges = [(0.0, 40.0), (30.0, 80.0), (75.0, 120.0)]
    at_mm = np.linspace(0.5, 119.5, 240)
    weights = [bed_weight(at_mm, ranges, n) for n in range(3)]
    np.testing.assert_allclose(np.sum(weights, axis=0), 1.0, atol=1e-12)
    assert bed_weight(np.array([32.5]), ranges, 1)[0] == pytest.approx(0.25)


@given(shift_mm=st.floats(-2.4, 2.4), scale=st.floats(0.8, 1.25))
@settings(max_examples=20, deadline=None)
def test_beds_on_other_slices_keep_the_total_that_is_defined(shift_mm, scale):
    """∫ c dV = Σ_b ∫ w_b c_b dV, here by each bed's own voxels."""
    lower = part(phantom(), 0, 36)
    z0 = -140.0 + 26 * 4.8 + shift_mm
    upper = phantom(Grid((30, 16, 18), (4.8, 4.8, 4.8 * scale), (-40.0, -38.0, z0)), 2)
    bottom, top = z0 - 2.4 * scale, -142.4 + 36 * 4.8
    z_lower, z_upper = -140.0 + 4.8 * np.arange(36), z0 + 4.8 * scale * np.arange(30)
    down = 1 - np.clip((z_lower - bottom) / (top - bottom), 0, 1)
    up = np.clip((z_upper - bottom) / (top - bottom), 0, 1)
    expected = total(lower.with_voxels(lower.voxels * down[:, None, None]))
    expected += total(upper.with_voxels(upper.voxels * up[:, None, None]))
    assert total(join_images([lower, upper]).image) == pytest.approx(expected, rel=2e-3)


@given(shift=st.tuples(st.floats(-7.0, 7.0), st.floats(-7.0, 7.0), st.floats(-2.4, 2.4)))
@settings(max_examples=20, deadline=None)
def test_a_flat_activity_stays_flat_and_fills_the_union(shift):
    lower = part(phantom(), 0, 36)
    x, y, z = np.add((-40.0, -38.0, -140.0 + 26 * 4.8), shift)
    upper = phantom(Grid((30, 16, 18), (4.8, 4.8, 4.8), (x, y, z)))
    flat = join_images([image.with_voxels(np.ones_like(image.voxels)) for image in (lower, upper)]).image
    np.testing.assert_allclose(flat.voxels[1:-2, 3:-3, 3:-3], 1.0, rtol=1e-5)
    area = 16 * 18 * 4.8**2
    both = (16 * 4.8 - abs(shift[1])) * (18 * 4.8 - abs(shift[0]))
    overlap_mm = 10 * 4.8 - shift[2]
    union_ml = (36 * 4.8 * area + 30 * 4.8 * area - both * overlap_mm) * 1e-3
    assert total(flat) == pytest.approx(union_ml, rel=1e-4)  # 0.02 mm of 300 mm: shifts below it are header rounding


def test_a_difference_between_beds_is_measured_and_said():
    whole = phantom()
    brighter = part(whole, 26, 60)
    brighter = brighter.with_voxels(brighter.voxels * np.float32(1.08))
    points = study(scan(part(whole, 0, 36), 0.0), scan(brighter, 0.0))
    (point,) = join_beds(points, BedSettings(), LAMBDA).time_points
    assert any("beds 1 and 2 (from below) differ by +8.0%" in w for w in point.warnings)
    (quiet,) = join_beds(points, BedSettings(step_warning=0.1), LAMBDA).time_points
    assert not any("differ by" in w for w in quiet.warnings)


def test_beds_that_do_not_overlap_are_an_error_with_the_gap():
    whole = phantom()
    with pytest.raises(RegistrationError, match=r"Time points 1, 2.*a gap of 24\.0 mm") as error:
        join_beds(study(scan(part(whole, 0, 25), 0.0), scan(part(whole, 30, 60), 1200.0)), BedSettings(), LAMBDA)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("beds", "says"),
    [
        (lambda w: [part(w, 0, 50), part(w, 10, 30)], "wholly inside"),
        (lambda w: [part(w, 0, 40), part(w, 20, 50), part(w, 35, 60)], "three of them show one place"),
        (lambda w: [part(w, 0, 36), part(phantom(dataclasses.replace(WHOLE, direction=TURNED)), 26, 60)], "turned"),
    ],
)
def test_beds_that_cannot_be_one_image(beds, says):
    images = beds(phantom())
    points = study(*(scan(image, 600.0 * n) for n, image in enumerate(images)))
    together = BedSettings(join="given", groups=(tuple(range(1, len(images) + 1)),))
    with pytest.raises(RegistrationError, match=says):
        join_beds(points, together, LAMBDA)


def test_counts_are_not_joined():
    counts = part(phantom(), 26, 60).with_voxels(part(phantom(), 26, 60).voxels, "counts")
    with pytest.raises(RegistrationError, match="not all in Bq/mL"):
        join_beds(study(scan(part(phantom(), 0, 36), 0.0), scan(counts, 600.0)), BedSettings(), LAMBDA)


def test_only_beds_of_one_visit_are_joined():
    whole = phantom()
    a, b = part(whole, 0, 36), part(whole, 26, 60)
    day = 86400.0
    visits = study(scan(a, 0.0), scan(b, 1500.0), scan(a, day), scan(b, day + 1500.0), scan(whole, 3 * day))
    assert bed_groups(visits, BedSettings()) == ((0, 1), (2, 3), (4,))
    assert bed_groups(visits, BedSettings(join="none")) == ((0,), (1,), (2,), (3,), (4,))
    assert bed_groups(visits, BedSettings(longest_delay_min=20)) == ((0,), (1,), (2,), (3,), (4,))
    assert len(join_beds(visits, BedSettings(), LAMBDA).time_points) == 3


def test_other_frames_and_repeats_stay_and_are_said():
    whole = phantom()
    apart = study(scan(part(whole, 0, 36), 0.0), scan(part(whole, 26, 60), 1500.0, frame_of_reference_uid="9"))
    found = join_beds(apart, BedSettings(), LAMBDA)
    assert len(found.time_points) == 2
    assert any("groups = [[1, 2]]" in w for w in found.warnings)
    (told,) = join_beds(apart, BedSettings(join="given", groups=((1, 2),)), LAMBDA).time_points
    np.testing.assert_allclose(told.spect.voxels[40:], whole.voxels[40:] * math.exp(LAMBDA * 1500), rtol=1e-5)
    repeat = join_beds(study(scan(whole, 0.0), scan(phantom(seed=2), 1500.0)), BedSettings(), LAMBDA)
    assert len(repeat.time_points) == 2
    assert any("at one place" in w for w in repeat.warnings)


def test_cts_of_the_beds_are_joined_or_the_largest_is_kept():
    whole, hu = phantom(), phantom(seed=3)
    cts = [part(hu, 0, 36), part(hu, 26, 60)]
    beds = [scan(part(whole, 0, 36), 0.0, ct=cts[0]), scan(part(whole, 26, 60), 1500.0, ct=cts[1])]
    (point,) = join_beds(study(*beds), BedSettings(), LAMBDA).time_points
    np.testing.assert_allclose(point.ct.voxels, hu.voxels, rtol=1e-5)
    far = dataclasses.replace(beds[1], ct=part(hu, 40, 60))
    (point,) = join_beds(study(beds[0], far), BedSettings(), LAMBDA).time_points
    assert point.ct is cts[0]
    assert any("a gap of 19.2 mm" in w for w in point.warnings)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: BedSettings(join="always"), "choose auto, given or none"),
        (lambda: BedSettings(groups=((1,),)), "two or more"),
        (lambda: BedSettings(groups=((1, 2), (2, 3))), "named twice"),
        (lambda: BedSettings(groups=((0, 1),)), "two or more"),
        (lambda: BedSettings(longest_delay_min=0.0), "positive"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, says):
    with pytest.raises(ConfigurationError, match=says):
        make()


def test_groups_that_do_not_exist_are_refused():
    with pytest.raises(ConfigurationError, match="names time point 3; the study has 1"):
        join_beds(study(scan(phantom(), 0.0)), BedSettings(groups=((1, 3),)), LAMBDA)
