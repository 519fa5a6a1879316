"""By how much two result files differ is told for every kind that a run writes."""

from datetime import datetime

import numpy as np
import pytest
from pydicom.dataset import Dataset

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import DoseMap, Image
from RPTDosimetryLib.report.compare_files import compare_file
from RPTDosimetryLib.report.dicom_identity import DicomIdentity
from RPTDosimetryLib.report.provenance import sha256_of
from RPTDosimetryLib.report.rtdose import RtDoseOptions, write_rtdose
from RPTDosimetryLib.study.image_files import write_image

GRID = Grid((3, 4, 5), (4.0, 4.0, 4.0))


@pytest.fixture
def told(tmp_path):
    """Compare two files that a function writes."""

    def compare(name, write, then, now):
        for folder, content in (("then", then), ("now", now)):
            (tmp_path / folder).mkdir()
            write(tmp_path / folder / name, content)
        return compare_file(
            name, sha256_of(tmp_path / "then" / name), tmp_path / "then" / name, tmp_path / "now" / name
        )

    return compare


def gray(changed=None):
    voxels = np.arange(60, dtype=np.float32).reshape(GRID.shape_zyx)
    if changed:
        voxels[1, 2, 3] += changed
    return Image(voxels, GRID, "Gy")


def write_map(path, image):
    write_image(image, path)


def write_text(path, text):
    path.write_text(text, encoding="utf-8")


def test_equal_files_are_identical(told):
    found = told("dose.nrrd", write_map, gray(), gray())
    assert (found.identical, found.largest_difference, found.text) == (True, None, "")


@pytest.mark.parametrize("name", ["dose.nrrd", "dose.mha"])
def test_maps_by_their_largest_difference_in_their_unit(told, name):
    found = told(name, write_map, gray(), gray(0.25))
    assert (found.identical, found.largest_difference, found.unit) == (False, 0.25, "Gy")
    assert found.text == "differs in 1 of 60 voxels, by at most 0.25 Gy"


def test_maps_on_other_grids(told):
    other = Image(gray().voxels, Grid(GRID.shape_zyx, (4.0, 4.0, 5.0)), "Gy")
    assert "lies on another grid" in told("dose.nrrd", write_map, gray(), other).text


def test_tables_by_the_cell_that_differs_most(told):
    found = told(
        "t.csv", write_text, "name,mean_gy,d2_gy\na,2.0,3\nb,4.0,5\n", "name,mean_gy,d2_gy\na,2.1,3\nb,4.1,5\n"
    )
    assert found.largest_difference == pytest.approx(0.05)
    assert found.text == "differs, most in line 2, mean_gy: 2.0 then, 2.1 now"


@pytest.mark.parametrize(
    ("now", "says"),
    [("name,x\nc,1\n", "line 2, name: 'a' then, 'c' now"), ("name,x\n", "2 lines then, 1 now"),
     ("name,x\r\na,1\r\n", "how its lines end")],
)  # fmt: skip
def test_tables_that_differ_in_words(told, now, says):
    def write(path, text):
        path.write_bytes(text.encode())

    assert says in told("t.csv", write, "name,x\na,1\n", now).text


def test_rt_doses_by_attribute_and_dose(told, tmp_path):
    attributes = Dataset()
    attributes.StudyInstanceUID, attributes.FrameOfReferenceUID = "2.25.1", "2.25.2"

    def write(path, what):
        image, day = what
        options = RtDoseOptions(created=datetime(2024, 5, day))
        write_rtdose(DoseMap(image, "msv8", "", ""), path, DicomIdentity(attributes), options)

    found = told("d.dcm", write, (gray(), 1), (gray(), 2))
    assert "ContentDate" in found.text
    assert "PixelData" not in found.text
    assert found.text.endswith("the dose is the same")
    (tmp_path / "now" / "d.dcm").unlink()
    write(tmp_path / "now" / "d.dcm", (gray(0.5), 1))
    then, now = tmp_path / "then" / "d.dcm", tmp_path / "now" / "d.dcm"
    changed = compare_file("d.dcm", sha256_of(then), then, now)
    assert "PixelData" in changed.text
    assert changed.largest_difference == pytest.approx(0.5, abs=1e-3)


def test_pictures_by_their_pixels(told):
    from matplotlib.image import imsave

    def write(path, value):
        pixels = np.zeros((4, 4, 3), np.uint8)
        pixels[0, :value] = 255
        imsave(path, pixels)

    assert told("p.png", write, 1, 3).text == "is a picture that differs in 2 pixels"


def test_other_files_and_missing_ones(told, tmp_path):
    assert told("notes.txt", write_text, "a", "b").text == "differs"
    here = tmp_path / "now" / "notes.txt"
    assert compare_file("x", None, here, here).text == "was not written then"
    assert compare_file("x", "0", here, tmp_path / "gone").text == "is not written now"
    assert "no longer beside its record" in compare_file("x", "0", tmp_path / "gone", here).text
    assert "was changed after the run" in compare_file("x", "0", here, here).text


def test_files_that_cannot_be_read_are_told_apart_all_the_same(told):
    found = told("dose.nrrd", write_text, "NRRD0004\nbroken", "NRRD0004\nbroken too")
    assert not found.identical
    assert "cannot be compared" in found.text
