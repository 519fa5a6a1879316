"""Unit strings, nuclide names, and image files on disk."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPTDosimetryLib.errors import ImageFileError, ReportError
from RPTDosimetryLib.study.activity_units import read_unit
from RPTDosimetryLib.study.image_files import read_image, write_image
from RPTDosimetryLib.study.nuclide_names import canonical_nuclide


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BQML", ("Bq/mL", 1.0)),
        ("Bq/ml", ("Bq/mL", 1.0)),
        ("bq/ml", ("Bq/mL", 1.0)),
        ("kBq/mL", ("Bq/mL", 1e3)),
        ("MBq/cc", ("Bq/mL", 1e6)),
        ("CNTS", ("counts", 1.0)),
        ("{counts}", ("counts", 1.0)),
        ("mBq/mL", None),
        ("GML", None),
        ("CPS", None),
        ("", None),
    ],
)
def test_units(text, expected):
    assert read_unit(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("177 Lutetium", "Lu-177"),
        ("^177^Lutetium", "Lu-177"),
        ("Lu177 DOTATATE", "Lu-177"),
        ("[177Lu]Lu-PSMA-617", "Lu-177"),
        ("Lutetium^177^ DOTATATE", "Lu-177"),
        ("LU-177", "Lu-177"),
        ("I-131 MIBG", "I-131"),
        ("^99m^Technetium", "Tc-99m"),
        ("Tc99m MDP", "Tc-99m"),
        ("Y-90 SIR-Spheres", "Y-90"),
        ("DOTATATE", None),
        ("PSMA-617", None),
        ("Lu-177 and Y-90", None),
        ("", None),
    ],
)
def test_nuclide_names(text, expected):
    assert canonical_nuclide(text) == expected


@given(st.text(max_size=40))
def test_no_text_breaks_the_search_for_a_nuclide(text):
    canonical_nuclide(text)


@pytest.mark.parametrize("ending", [".nrrd", ".nii", ".nii.gz", ".mhd", ".mha"])
def test_image_files_round_trip(tmp_path, spect, ending):
    path = tmp_path / "sub" / f"map{ending}"
    write_image(spect, path)
    write_image(spect, path)  # over an existing file
    found = read_image(path, "Bq/mL")
    assert np.array_equal(found.voxels, spect.voxels)
    assert found.grid.same_as(spect.grid)
    assert not list(tmp_path.rglob(".writing*"))


@pytest.mark.parametrize("ending", [".nrrd", ".nii", ".nii.gz", ".mha"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_an_image_that_is_cut_off_is_refused(tmp_path, spect, ending, kept):
    path = tmp_path / f"map{ending}"
    write_image(spect, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(ImageFileError, match="map"):
        read_image(path, "Bq/mL")


@pytest.mark.parametrize("ending", [".nrrd", ".nii", ".nii.gz", ".mha"])
def test_nan_voxels_are_refused(tmp_path, spect, ending):
    values = spect.voxels.copy()
    values[1, 2, 3], values[0, 0, 0] = np.nan, np.inf
    write_image(spect.with_voxels(values), tmp_path / f"map{ending}")
    with pytest.raises(ImageFileError, match="2 voxels that are NaN or infinite"):
        read_image(tmp_path / f"map{ending}", "Bq/mL")


def test_an_mhd_names_the_voxel_file_that_lies_beside_it(tmp_path, spect):
    write_image(spect, tmp_path / "map.mhd")
    header = (tmp_path / "map.mhd").read_text()
    named = next(line.split("=")[1].strip() for line in header.splitlines() if line.startswith("ElementDataFile"))
    assert (tmp_path / named).is_file()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["map.mhd", named])


@pytest.mark.parametrize("ending", [".mhd", ".nrrd"])
@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_read_only_folder_is_told(tmp_path, spect, ending):
    tmp_path.chmod(0o500)
    with pytest.raises(ReportError, match="could not be written"):
        write_image(spect, tmp_path / f"map{ending}")


@pytest.mark.parametrize("ending", [".mhd", ".nrrd"])
def test_a_failed_write_leaves_the_old_map_whole(tmp_path, spect, ending, monkeypatch):
    import SimpleITK

    path = tmp_path / f"map{ending}"
    write_image(spect, path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(image, name, **more):
        with open(name, "wb") as stream:
            stream.write(b"half")
        raise RuntimeError("sitk::ERROR: No space left on device")

    monkeypatch.setattr(SimpleITK, "WriteImage", full)
    with pytest.raises(ReportError, match="No space left"):
        write_image(spect.with_voxels(spect.voxels * 2), path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
