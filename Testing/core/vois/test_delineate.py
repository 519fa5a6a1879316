"""From a registered study to named masks, with what the user must know."""

from dataclasses import replace

import numpy as np
import pytest

from RPTDosimetryLib.errors import CancelledError, ConfigurationError, VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import (
    Administration,
    Alignment,
    Code,
    Contours,
    Deformation,
    Image,
    PatientMap,
    RegisteredStudy,
    Segment,
    Study,
    TimePoint,
)
from RPTDosimetryLib.vois.contours import draw_contours, mask_of_same_volume
from RPTDosimetryLib.vois.delineate import VoiSettings, delineate, kind_of


def shifted(z_mm):
    matrix = np.eye(4)
    matrix[2, 3] = z_mm
    return matrix


@pytest.fixture
def registered(dose_grid, cylinder, sphere):
    spect = Image(np.ones(dose_grid.shape_zyx, dtype=np.float32), dose_grid, "Bq/mL")
    first = TimePoint(spect, 1e4, structures=(cylinder(), replace(sphere(10.0, 1.0), name="Lesion 1")))
    second = TimePoint(spect, 9e4, structures=(replace(sphere(), name="later"),))
    alignments = tuple(Alignment(shifted(z), "rigid", 1.0, 1.0, 1.0, 1.0, abs(z), 0.0) for z in (0.0, 12.0))
    study = Study(Administration("Lu-177", 7.4e9), (first, second))
    return RegisteredStudy(study, 0, dose_grid, (spect, spect), alignments, np.ones(dose_grid.shape_zyx, dtype=bool))


@pytest.fixture
def patient(dose_grid):
    density = np.full(dose_grid.shape_zyx, 0.00121, dtype=np.float32)
    density[:, 8:40, 6:42] = 1.0
    density[:, 20:28, 20:28] = 0.0012  # a hole inside, as the trachea
    density[:, 44, :] = 1.5  # a couch
    return PatientMap(Image(density, dose_grid, "g/cm3"), (density > 0.1).astype(np.uint8) * 3, "msv8", "test")


def test_contours_of_the_reference_are_drawn_with_a_body_around_them(registered, patient):
    vois = delineate(registered, patient)
    assert [(v.name, v.kind) for v in vois] == [("cylinder", "organ"), ("Lesion 1", "lesion"), ("body", "region")]
    assert vois[0].source == "contours of time point 1"
    assert vois[0].lesions == "included"
    assert any("includes its lesions: Lesion 1" in w for w in vois[0].warnings)
    assert vois[2].mask[20, 24, 24]  # the hole is inside the body
    assert not vois[2].mask[:, 44].any()  # the couch is not
    assert vois[2].mask.sum() == 40 * 32 * 36


def test_the_choice_of_lesions_in_organs_is_made_before_anything_is_integrated(registered, patient):
    organ, lesion = delineate(registered, patient, VoiSettings(body=False, lesions_in_organs="excluded"))
    assert organ.lesions == "excluded"
    assert not (organ.mask & lesion.mask).any()


def test_contours_of_another_time_point_follow_its_registration(registered, patient):
    vois = delineate(registered, patient, VoiSettings(structures_from=2, body=False))
    (voi,) = vois
    k = np.argwhere(voi.mask)[:, 0].mean()
    z = registered.grid.origin_mm[2] + k * registered.grid.spacing_mm[2]
    assert z == pytest.approx(-0.4 - 12.0, abs=0.5)  # drawn at -0.4 mm; the reference lies 12 mm lower
    assert "moved with its SPECT" in voi.source


def test_include_and_exclude_by_name(registered, patient):
    assert [v.name for v in delineate(registered, patient, VoiSettings(include=("les*",), body=False))] == ["Lesion 1"]
    assert [v.name for v in delineate(registered, patient, VoiSettings(exclude=("LES*",), body=False))] == ["cylinder"]


def test_two_structures_of_one_name_are_told_apart(registered, patient):
    point = registered.study.time_points[0]
    twice = replace(point, structures=(point.structures[0], point.structures[0]))
    study = replace(registered.study, time_points=(twice, registered.study.time_points[1]))
    vois = delineate(replace(registered, study=study), patient, VoiSettings(body=False))
    assert [v.name for v in vois] == ["cylinder", "cylinder (2)"]


def test_a_structure_beyond_the_field_of_view_of_a_scan_is_said(registered, patient):
    seen = registered.seen.copy()
    seen[:21] = False
    vois = delineate(replace(registered, seen=seen), patient)
    assert all(any("field of view" in w for w in v.warnings) for v in vois)


def test_label_maps_are_taken_with_their_names(registered, patient, dose_grid):
    labels = np.zeros(dose_grid.shape_zyx, dtype=np.int32)
    labels[10:20, 10:20, 10:20], labels[25:30, 25:30, 25:30] = 1, 2
    point = replace(registered.study.time_points[0], structures=(), labels=Image(labels, dose_grid, "1"))
    study = replace(registered.study, time_points=(point,), label_names={1: "liver", 2: "met 1"})
    vois = delineate(replace(registered, study=study), patient, VoiSettings(body=False))
    assert [(v.name, v.kind, int(v.mask.sum())) for v in vois] == [("liver", "organ", 1000), ("met 1", "lesion", 125)]


def test_no_structures_leave_the_body_alone(registered, patient):
    points = tuple(replace(p, structures=()) for p in registered.study.time_points)
    vois = delineate(replace(registered, study=replace(registered.study, time_points=points)), patient)
    assert [v.name for v in vois] == ["body"]


def test_a_patient_of_air_is_an_error(registered, patient):
    air = replace(patient, density=patient.density.with_voxels(np.zeros_like(patient.density.voxels)))
    with pytest.raises(VoiError, match="every voxel is air"):
        delineate(registered, air)


def test_cancel_stops(registered, patient):
    with pytest.raises(CancelledError):
        delineate(registered, patient, cancelled=lambda: True)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lesion1 liver R lobe", "lesion"),
        ("Tumour_2", "lesion"),
        ("GTVp", "lesion"),
        ("liver_met3", "lesion"),
        ("METS", "lesion"),
        ("Liver", "organ"),
        ("Kidney_L", "organ"),
        ("metal clip", "organ"),
        ("Leber", "organ"),
    ],
)
def test_lesions_are_known_by_their_names(name, kind):
    assert kind_of(name) == kind


def test_a_broken_pattern_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="regular expression"):
        kind_of("x", "(")


def test_a_grid_of_other_slices_still_holds_the_structure(cylinder):
    grid = Grid((30, 60, 60), (2.0, 2.0, 5.0), (-58.0, -60.0, -72.0))
    contours = Contours("c", cylinder().polygons_mm)
    from RPTDosimetryLib.vois.delineate import voi_from_contours

    assert voi_from_contours(contours, grid, "t", "organ").volume_ml == pytest.approx(np.pi * 0.4 * 63.0, rel=2e-3)


def test_an_empty_label_map_is_an_error(registered, patient, dose_grid):
    empty = Image(np.zeros(dose_grid.shape_zyx, dtype=np.int32), dose_grid, "1")
    point = replace(registered.study.time_points[0], structures=(), labels=empty)
    with pytest.raises(VoiError, match="label map of time point 1 is empty"):
        delineate(replace(registered, study=replace(registered.study, time_points=(point,))), patient)


def turned_about_z(degrees, shift):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix = np.eye(4)
    matrix[:3, :3] = [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    matrix[:3, 3] = shift
    return matrix


def as_segment(contours, grid, code=None):
    fine = Grid((100, 120, 120), (2.0, 2.0, 2.0), (-119.0, -119.0, -99.0))
    drawn = draw_contours(contours, fine)
    mask = mask_of_same_volume(drawn.fraction, fine.voxel_volume_ml, drawn.volume_ml)
    return Segment(contours.name, mask, fine, code)


def test_segments_are_moved_as_contours_are_and_keep_their_volume(registered, patient, dose_grid, sphere):
    contours = sphere(25.0, 2.0)
    segment = as_segment(contours, dose_grid)
    moved = Alignment(turned_about_z(8.0, (6.0, -9.0, 12.0)), "rigid", 1.0, 1.0, 1.0, 1.0, 12.0, 8.0)
    masks = []
    for drawn in ({"structures": (contours,)}, {"segments": (segment,)}):
        point = replace(registered.study.time_points[1], **{"structures": (), **drawn})
        study = replace(registered.study, time_points=(registered.study.time_points[0], point))
        carried = replace(registered, study=study, alignments=(registered.alignments[0], moved))
        (voi,) = delineate(carried, patient, VoiSettings(structures_from=2, body=False))
        assert voi.volume_ml == pytest.approx(4 / 3 * np.pi * 25.0**3 / 1000, rel=0.01)
        assert "moved with its SPECT" in voi.source
        masks.append(voi.mask)
    dice = 2 * np.count_nonzero(masks[0] & masks[1]) / (masks[0].sum() + masks[1].sum())
    assert dice > 0.97
    k, j, i = np.argwhere(masks[1]).mean(axis=0)
    middle = (dose_grid.lps_from_ijk @ [i, j, k, 1.0])[:3]
    expected = np.linalg.inv(moved.moving_from_fixed) @ [0.7, 1.9, -0.4, 1.0]
    np.testing.assert_allclose(middle, expected[:3], atol=0.5)


def test_codes_come_from_the_file_or_from_a_known_name(registered, patient, dose_grid, sphere, cylinder):
    mine = Code("1", "99LOCAL", "Mine")
    tumour = Code("108369006", "SCT", "Neoplasm")
    point = replace(
        registered.reference,
        structures=(replace(cylinder(), name="Lt kidney"), replace(cylinder(), name="Couch")),
        segments=(
            as_segment(replace(sphere(), name="liver"), dose_grid, mine),
            as_segment(replace(sphere(), name="spleen"), dose_grid),
            as_segment(replace(sphere(), name="Segment_1"), dose_grid, tumour),
        ),
    )
    study = replace(registered.study, time_points=(point, registered.study.time_points[1]))
    vois = {voi.name: voi for voi in delineate(replace(registered, study=study), patient)}
    assert vois["Lt kidney"].code == Code("64033007", "SCT", "Kidney", "left")
    assert vois["Couch"].code is None
    assert vois["liver"].code == mine
    assert vois["spleen"].code.value == "78961009"
    assert (vois["Segment_1"].kind, vois["Segment_1"].code) == ("lesion", tumour)
    assert vois["body"].code.value == "38266002"


def test_contours_are_filled_before_a_deformation_bends_them(registered, patient, dose_grid, sphere):
    grid = Grid((12, 12, 12), (20.0, 20.0, 20.0), (-110.0, -110.0, -110.0))
    field = np.zeros((*grid.shape_zyx, 3), dtype=np.float32)
    field[1:-1, 1:-1, 1:-1] = (0.0, 5.0, 12.0)  # a shift around the sphere, nothing at the border
    moved = Alignment(np.eye(4), "bspline", 1.0, 1.0, 1.0, 1.0, 12.0, 0.0, deformation=Deformation(field, grid))
    point = replace(registered.study.time_points[1], structures=(sphere(25.0, 2.0),))
    study = replace(registered.study, time_points=(registered.study.time_points[0], point))
    carried = replace(registered, study=study, alignments=(registered.alignments[0], moved))
    (voi,) = delineate(carried, patient, VoiSettings(structures_from=2, body=False))
    assert voi.volume_ml == pytest.approx(4 / 3 * np.pi * 25.0**3 / 1000, rel=0.02)
    k, j, i = np.argwhere(voi.mask).mean(axis=0)
    middle = (dose_grid.lps_from_ijk @ [i, j, k, 1.0])[:3]
    np.testing.assert_allclose(middle, (0.7, 1.9 - 5.0, -0.4 - 12.0), atol=0.5)


def test_one_slice_cannot_follow_a_deformation(registered, patient, cylinder):
    grid = Grid((4, 4, 4), (80.0, 80.0, 80.0), (-120.0, -120.0, -120.0))
    field = np.zeros((4, 4, 4, 3), dtype=np.float32)
    moved = Alignment(np.eye(4), "bspline", 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, deformation=Deformation(field, grid))
    point = replace(registered.reference, structures=(Contours("one", cylinder().polygons_mm[:1]),))
    study = replace(registered.study, time_points=(point, registered.study.time_points[1]))
    with pytest.raises(VoiError, match="one is drawn on one slice only"):
        delineate(replace(registered, study=study, alignments=(moved, moved)), patient)
