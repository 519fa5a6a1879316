"""One file named by the user becomes volumes of interest on a given grid."""

from datetime import datetime

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from RPTDosimetryLib.errors import GridMismatchError, ImageFileError, StudyError, VoiError
from RPTDosimetryLib.grid import Grid, sitk_image
from RPTDosimetryLib.records import Code, Contours, Image, Segment
from RPTDosimetryLib.study.image_files import write_image
from RPTDosimetryLib.virtual_patient.dicom_writer import PatientInfo, Visit, write_ct_series, write_rtstruct
from RPTDosimetryLib.virtual_patient.rtstruct_writer import label_outlines
from RPTDosimetryLib.virtual_patient.seg_writer import write_seg
from RPTDosimetryLib.vois.delineate import voi_from_contours
from RPTDosimetryLib.vois.from_file import vois_from_file

PATIENT, VISIT = PatientInfo("P01"), Visit(1, datetime(2024, 5, 13, 13, 0))
CT_GRID = Grid((30, 60, 60), (2.0, 2.0, 3.0), (-60.0, -60.0, -45.0))
DOSE_GRID = Grid((20, 26, 26), (4.795, 4.795, 4.795), (-60.0, -60.0, -46.0))


@pytest.fixture(scope="module")
def labels():
    z, y, x = np.meshgrid(*(np.arange(n) for n in CT_GRID.shape_zyx), indexing="ij")
    voxels = np.zeros(CT_GRID.shape_zyx, dtype=np.uint8)
    voxels[((z - 14) * 3.0) ** 2 + ((y - 30) * 2.0) ** 2 + ((x - 20) * 2.0) ** 2 < 22.0**2] = 1
    voxels[((z - 15) * 3.0) ** 2 + ((y - 32) * 2.0) ** 2 + ((x - 48) * 2.0) ** 2 < 11.0**2] = 2
    return Image(voxels, CT_GRID, "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, labels):
    folder = tmp_path_factory.mktemp("structures")
    write_ct_series(labels.with_voxels(np.zeros(CT_GRID.shape_zyx, np.float32), "HU"), folder / "ct", PATIENT, VISIT)
    write_rtstruct(labels, {1: "liver", 2: "GTV 1"}, folder / "rtstruct.dcm", PATIENT, VISIT)
    segments = [
        Segment("liver", labels.voxels == 1, CT_GRID, Code("10200004", "SCT", "Liver")),
        Segment("GTV 1", labels.voxels == 2, CT_GRID),
    ]
    write_seg(segments, folder / "seg.dcm", PATIENT, VISIT, sorted((folder / "ct").iterdir()))
    return folder


def own_ml(labels, number):
    return np.count_nonzero(labels.voxels == number) * CT_GRID.voxel_volume_ml


@pytest.mark.parametrize("name", ["rtstruct.dcm", "seg.dcm"])
def test_contours_and_segments_keep_their_volume_on_another_grid(folder, labels, name):
    liver, lesion = vois_from_file(folder / name, DOSE_GRID)
    assert [(v.name, v.kind, v.source) for v in (liver, lesion)] == [
        ("liver", "organ", name),
        ("GTV 1", "lesion", name),
    ]
    # outlines run half-way between voxel centres and cut the corners of a stair-case: 1 % of these volumes
    tolerance = {"rtstruct.dcm": 0.02, "seg.dcm": 0.0}[name]
    for voi, number in ((liver, 1), (lesion, 2)):
        expected = own_ml(labels, number)
        assert voi.volume_ml == pytest.approx(expected, abs=0.51 * DOSE_GRID.voxel_volume_ml + tolerance * expected)


def test_a_segment_and_the_contours_around_it_lie_in_the_same_place(folder):
    drawn, segmented = (vois_from_file(folder / name, DOSE_GRID)[0].mask for name in ("rtstruct.dcm", "seg.dcm"))
    dice = 2 * np.count_nonzero(drawn & segmented) / (drawn.sum() + segmented.sum())
    assert dice > 0.97


def test_a_segment_on_its_own_grid_is_itself(folder, labels):
    liver, lesion = vois_from_file(folder / "seg.dcm", CT_GRID)
    assert np.array_equal(liver.mask, labels.voxels == 1)
    assert np.array_equal(lesion.mask, labels.voxels == 2)
    assert liver.code == Code("10200004", "SCT", "Liver")


@pytest.mark.parametrize("degrees", [7.0, 30.0])
def test_a_turned_grid_keeps_the_volume_of_a_segment(folder, labels, degrees):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    turned = Grid(DOSE_GRID.shape_zyx, DOSE_GRID.spacing_mm, tuple(turn @ DOSE_GRID.origin_mm), tuple(turn.ravel()))
    (liver, _) = vois_from_file(folder / "seg.dcm", turned)
    assert liver.volume_ml == pytest.approx(own_ml(labels, 1), rel=0.01)


def test_a_label_image_has_to_lie_on_the_grid(tmp_path, labels):
    path = tmp_path / "labels.nrrd"
    write_image(labels, path)
    first, second = vois_from_file(path, CT_GRID)
    assert np.array_equal(first.mask, labels.voxels == 1)
    assert [first.name, second.name] == ["label 1", "label 2"]
    with pytest.raises(GridMismatchError, match=r"labels\.nrrd"):
        vois_from_file(path, DOSE_GRID)


def test_an_empty_label_image_is_an_error(tmp_path, labels):
    path = tmp_path / "labels.nrrd"
    write_image(labels.with_voxels(np.zeros_like(labels.voxels)), path)
    with pytest.raises(VoiError, match="no label above 0"):
        vois_from_file(path, CT_GRID)


@pytest.mark.parametrize("name", ["rtstruct.dcm", "seg.dcm"])
def test_structures_outside_the_grid_are_an_error(folder, name):
    far = Grid(DOSE_GRID.shape_zyx, DOSE_GRID.spacing_mm, (500.0, 0.0, 0.0))
    with pytest.raises(VoiError, match=rf"{name}.*liver lies outside"):
        vois_from_file(folder / name, far)


def test_part_of_a_segment_outside_the_grid_is_said(folder, labels):
    cut = Grid(DOSE_GRID.shape_zyx, DOSE_GRID.spacing_mm, (-20.0 - 4.795 / 2 + 4.795, -60.0, -46.0))
    (liver, _) = vois_from_file(folder / "seg.dcm", cut)
    assert any("lies outside the image" in warning for warning in liver.warnings)
    assert liver.volume_ml < 0.6 * own_ml(labels, 1)


def test_a_segment_smaller_than_half_a_voxel_is_an_error_with_both_volumes(folder):
    coarse = Grid((4, 4, 4), (60.0, 60.0, 60.0), (-100.0, -100.0, -100.0))
    with pytest.raises(VoiError, match=r"segment .* mL, less than half a voxel of the dose grid \(2\.2e\+02 mL\)"):
        vois_from_file(folder / "seg.dcm", coarse)


def test_files_without_structures_are_errors(folder, tmp_path):
    with pytest.raises(ImageFileError, match="no structures"):
        vois_from_file(sorted((folder / "ct").iterdir())[0], DOSE_GRID)
    with pytest.raises(ImageFileError, match="no such file"):
        vois_from_file(tmp_path / "labels.nrrd", DOSE_GRID)
    (tmp_path / "notes.txt").write_text("liver")
    with pytest.raises(StudyError, match=r"notes\.txt"):
        vois_from_file(tmp_path / "notes.txt", DOSE_GRID)


def test_what_a_file_leaves_out_stands_in_a_warning(folder, tmp_path):
    dataset = pydicom.dcmread(folder / "rtstruct.dcm")
    dataset.ROIContourSequence[1].ContourSequence = []
    dataset.save_as(tmp_path / "half.dcm")
    (liver,) = vois_from_file(tmp_path / "half.dcm", DOSE_GRID)
    assert any("GTV 1 has no closed contour" in warning for warning in liver.warnings)
    dataset.ROIContourSequence[0].ContourSequence = []
    dataset.save_as(tmp_path / "none.dcm")
    with pytest.raises(VoiError, match="no structure that encloses a volume"):
        vois_from_file(tmp_path / "none.dcm", DOSE_GRID)


def test_labels_of_a_slicer_segmentation_have_their_names(tmp_path, labels):
    image = sitk_image(labels.voxels, labels.grid)
    for number, (value, name) in enumerate([("1", "Liver"), ("2", "Tumour 1")]):
        image.SetMetaData(f"Segment{number}_LabelValue", value)
        image.SetMetaData(f"Segment{number}_Name", name)
    sitk.WriteImage(image, str(tmp_path / "organs.seg.nrrd"))
    first, second = vois_from_file(tmp_path / "organs.seg.nrrd", CT_GRID)
    assert [(v.name, v.kind, v.code.value) for v in (first, second)] == [
        ("Liver", "organ", "10200004"),
        ("Tumour 1", "lesion", "108369006"),
    ]


@given(st.integers(0, 10**6), st.floats(0.2, 0.8), st.sampled_from([0.0, 1.5]))
def test_outlines_of_any_mask_fill_to_the_same_voxels(seed, share, smooth):
    noise = gaussian_filter(np.random.default_rng(seed).random((5, 14, 17)), smooth)
    mask = noise > np.quantile(noise, share)
    mask[:, 7, 8] = True  # no empty slice, which would be bridged
    grid = Grid(mask.shape, (4.8, 4.8, 5.0), (-24.0, 10.0, 100.0))
    drawn = voi_from_contours(Contours("organ", tuple(label_outlines(mask, grid))), grid, "file", "organ")
    assert np.array_equal(drawn.mask, mask)
    assert drawn.warnings == ()
