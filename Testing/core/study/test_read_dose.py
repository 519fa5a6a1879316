"""Dose maps from RTDOSE files of any layout the standard allows, and one clear error for those it does not."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset

from RPTDosimetryLib.errors import DosimetryError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.image_files import write_image
from RPTDosimetryLib.study.read_dose import read_dose
from RPTDosimetryLib.study.rtdose import RTDOSE, read_rtdose
from RPTDosimetryLib.virtual_patient.dicom_identity import save

#: (3, 2, 4) planes, rows, columns; stored values that name their place: 100·plane + 10·row + column.
PLANES, ROWS, COLUMNS = 3, 2, 4
STORED = np.add.outer(np.add.outer(100 * np.arange(PLANES), 10 * np.arange(ROWS)), np.arange(COLUMNS))


def plain(**change) -> Dataset:
    """A transverse dose of 0.01 Gy a step, planes 4 mm apart from z = −30 mm; attributes can be changed or removed."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = RTDOSE, "1.2.3.4", "RTDOSE"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.Rows, ds.Columns, ds.NumberOfFrames = ROWS, COLUMNS, PLANES
    ds.PixelSpacing = ["2", "3"]  # between rows, between columns
    ds.ImagePositionPatient, ds.ImageOrientationPatient = ["10", "20", "-30"], ["1", "0", "0", "0", "1", "0"]
    ds.FrameIncrementPointer, ds.GridFrameOffsetVector = 0x3004000C, ["0", "4", "8"]
    ds.DoseUnits, ds.DoseType, ds.DoseSummationType, ds.DoseGridScaling = "GY", "PHYSICAL", "PLAN", "0.01"
    ds.PixelData = STORED.astype("<u2").tobytes()
    for keyword, value in change.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


@pytest.fixture
def written(tmp_path):
    def write(ds, name="dose.dcm") -> Path:
        save(ds, tmp_path / name)
        return tmp_path / name

    return write


def gray_at(image, lps_mm):
    """The value of the voxel whose centre lies at a point."""
    i, j, k = np.linalg.solve(image.grid.lps_from_ijk, [*lps_mm, 1.0])[:3]
    assert np.allclose([i, j, k], np.rint([i, j, k]), atol=1e-6), "no voxel centre there"
    return image.voxels[round(k), round(j), round(i)]


@pytest.mark.parametrize(
    ("change", "at_mm"),
    [
        # plane 2, row 1, column 3 (0.01·213 Gy): column along the row direction, row along the column direction
        ({}, (10 + 9, 20 + 2, -30 + 8)),
        ({"GridFrameOffsetVector": ["-30", "-26", "-22"]}, (19, 22, -22)),  # absolute z
        ({"GridFrameOffsetVector": ["0", "-4", "-8"]}, (19, 22, -38)),  # planes against the normal
        ({"ImageOrientationPatient": ["-1", "0", "0", "0", "-1", "0"]}, (10 - 9, 20 - 2, -22)),  # prone
        ({"ImageOrientationPatient": ["1", "0", "0", "0", "-1", "0"]}, (19, 18, -38)),  # normal downwards
        ({"ImageOrientationPatient": ["1", "0", "0", "0", "0", "-1"]}, (19, 20 + 8, -32)),  # coronal
        ({"ImageOrientationPatient": ["0", "1", "0", "0", "0", "-1"]}, (10 - 8, 20 + 9, -32)),  # sagittal
        ({"ImageOrientationPatient": ["0.6", "0.8", "0", "-0.8", "0.6", "0"]}, (10 + 5.4 - 1.6, 20 + 7.2 + 1.2, -22)),
    ],
    ids=["plain", "absolute", "descending", "prone", "flipped", "coronal", "sagittal", "oblique"],
)
def test_each_stored_value_lies_where_the_standard_puts_it(written, change, at_mm):
    image = read_dose(written(plain(**change)))
    assert image.unit == "Gy"
    assert gray_at(image, at_mm) == pytest.approx(2.13, abs=1e-6)
    assert sorted(image.grid.spacing_mm) == [2, 3, 4]
    assert np.sort(image.voxels.ravel()) == pytest.approx(0.01 * STORED.ravel(), abs=1e-6)


def test_thirty_two_bits_are_scaled_without_loss(written):
    stored = STORED.astype("<u4") * 10_000_000 + 7
    ds = plain(BitsAllocated=32, BitsStored=32, HighBit=31, DoseGridScaling="1e-9", PixelData=stored.tobytes())
    assert read_dose(written(ds)).voxels == pytest.approx(stored.astype(np.float64) * 1e-9, rel=1e-7)


def test_it_agrees_with_another_reader(written):
    path = written(plain())
    other = sitk.ReadImage(str(path))
    ours = read_dose(path)
    assert ours.grid.spacing_mm == pytest.approx(other.GetSpacing())
    assert ours.grid.origin_mm == pytest.approx(other.GetOrigin())
    assert ours.voxels == pytest.approx(sitk.GetArrayFromImage(other) * 0.01, rel=1e-6)


def test_what_kind_of_dose_it_is_is_kept(written):
    ds = plain(DoseType="EFFECTIVE", DoseSummationType="FRACTION", DoseComment="c", FrameOfReferenceUID="1.2.9")
    dose = read_rtdose(written(ds))
    assert (dose.dose_type, dose.summation_type, dose.comment) == ("EFFECTIVE", "FRACTION", "c")
    assert dose.frame_of_reference_uid == "1.2.9"


def test_content_decides_not_the_name(written, tmp_path):
    dicom = written(plain(), "dose.nrrd")
    assert read_dose(dicom).grid.shape_zyx == (PLANES, ROWS, COLUMNS)
    image = Image(STORED.astype(np.float32), Grid((PLANES, ROWS, COLUMNS), (3.0, 2.0, 4.0)), "Gy")
    write_image(image, tmp_path / "map.nii.gz")
    assert read_dose(tmp_path / "map.nii.gz").voxels == pytest.approx(image.voxels)


BAD = {
    "relative dose": ({"DoseUnits": "RELATIVE"}, "RELATIVE, not in GY"),
    "no units": ({"DoseUnits": None}, "no stated unit"),
    "biologically effective": ({"DoseType": "EFFECTIVE"}, "not an absorbed dose"),
    "a difference": ({"DoseType": "ERROR"}, "not an absorbed dose"),
    "no dose type": ({"DoseType": None}, "DoseType"),
    "no scaling": ({"DoseGridScaling": None}, "DoseGridScaling is missing"),
    "scaling of zero": ({"DoseGridScaling": "0"}, "DoseGridScaling is 0"),
    "uneven planes": ({"GridFrameOffsetVector": ["0", "4", "9"]}, "4 to 5 mm apart"),
    "planes at one place": ({"GridFrameOffsetVector": ["0", "4", "4"]}, "0 to 4 mm apart"),
    "too few offsets": ({"GridFrameOffsetVector": ["0", "4"]}, "GridFrameOffsetVector"),
    "no offsets": ({"GridFrameOffsetVector": None}, "GridFrameOffsetVector"),
    "offsets from nowhere": ({"GridFrameOffsetVector": ["5", "9", "13"]}, "neither 0 nor the z"),
    "absolute offsets of coronal planes": (
        {"GridFrameOffsetVector": ["-30", "-26", "-22"], "ImageOrientationPatient": ["1", "0", "0", "0", "0", "-1"]},
        "neither 0 nor the z",
    ),
    "no orientation": ({"ImageOrientationPatient": None}, "ImageOrientationPatient"),
    "no position": ({"ImagePositionPatient": None}, "ImagePositionPatient"),
    "one plane": ({"NumberOfFrames": 1, "GridFrameOffsetVector": ["0"]}, "one dose plane only"),
    "no grid": ({"PixelData": None}, "no dose grid"),
    "pixels cut off": ({"PixelData": STORED.astype("<u2").tobytes()[:-10]}, "incomplete|announces"),
    "a plan": ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.5"}, "RT Plan Storage, not RT Dose"),
}


@pytest.mark.parametrize(("change", "says"), BAD.values(), ids=BAD)
def test_a_dose_that_cannot_be_trusted_is_refused(written, change, says):
    with pytest.raises(DosimetryError, match=says):
        read_dose(written(plain(**change)))


def test_other_files_are_refused(tmp_path, written):
    (tmp_path / "dose.csv").write_text("1,2,3")
    with pytest.raises(DosimetryError, match="neither DICOM nor an image"):
        read_dose(tmp_path / "dose.csv")
    with pytest.raises(DosimetryError, match="no such file"):
        read_dose(tmp_path / "gone.dcm")
    path = written(plain())
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DosimetryError, match="cut off"):
        read_dose(path)
