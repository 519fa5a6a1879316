"""Written DICOM files: reproducible, readable by others, whole or absent."""

import shutil
import subprocess
from datetime import datetime, timedelta, timezone

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from RPTDosimetryLib.errors import ImageFileError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Image
from RPTDosimetryLib.virtual_patient.dicom_writer import (
    PatientInfo,
    PtOptions,
    Visit,
    write_ct_series,
    write_nm_recon_tomo,
    write_pt_series,
    write_rtstruct,
)

GRID = Grid((4, 6, 8), (4.8, 4.8, 5.0), (-20.0, -30.0, 100.0))
VALUES = np.random.default_rng(5).uniform(0, 1e5, GRID.shape_zyx).astype(np.float32)
SPECT = Image(VALUES, GRID, "Bq/mL")
HU = Image(np.rint(VALUES / 50 - 1000), GRID, "HU")
LABELS = Image((VALUES > 5e4).astype(np.uint8), GRID, "1")
ADMINISTRATION = Administration("Lu-177", 7.4e9, datetime(2024, 5, 13, 9, 22), 574300.0)
VISIT = Visit(1, datetime(2024, 5, 13, 13, 22, 30, 250000))
PATIENT = PatientInfo("P01", seed=3)


def write_all(folder, patient=PATIENT, visit=VISIT):
    write_nm_recon_tomo(SPECT, folder / "nm.dcm", patient, visit, ADMINISTRATION)
    write_pt_series(SPECT, folder / "pt", patient, visit, ADMINISTRATION)
    write_ct_series(HU, folder / "ct", patient, visit)
    write_rtstruct(LABELS, {1: "hot"}, folder / "rs.dcm", patient, visit)
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*.dcm"))}


def test_the_same_input_gives_the_same_bytes(tmp_path):
    assert write_all(tmp_path / "a") == write_all(tmp_path / "b")


def test_another_seed_gives_other_uids(tmp_path):
    one = write_all(tmp_path / "a")
    two = write_all(tmp_path / "b", PatientInfo("P01", seed=4))
    uids = [
        {pydicom.dcmread(folder / name).SOPInstanceUID for name in names}
        for folder, names in ((tmp_path / "a", one), (tmp_path / "b", two))
    ]
    assert len(uids[0]) == len(one) == 10
    assert not uids[0] & uids[1]


def test_images_of_one_visit_share_study_and_frame_of_reference(tmp_path):
    headers = [pydicom.dcmread(tmp_path / name) for name in write_all(tmp_path)]
    assert len({ds.StudyInstanceUID for ds in headers}) == 1
    assert len({ds.FrameOfReferenceUID for ds in headers}) == 1
    assert len({ds.SeriesInstanceUID for ds in headers}) == 4


def test_nm_header_follows_the_standard(tmp_path):
    write_all(tmp_path)
    ds = pydicom.dcmread(tmp_path / "nm.dcm")
    item = ds.RadiopharmaceuticalInformationSequence[0]
    assert ds.ImageType[2] == "RECON TOMO"
    assert float(item.RadionuclideTotalDose) == 7400  # MBq in NM, PS3.3 C.8.4.10.1.7
    assert item.RadiopharmaceuticalStartDateTime == "20240513092200.000000"
    assert (ds.AcquisitionDate, ds.AcquisitionTime) == ("20240513", "132230.250000")
    mapping = ds.RealWorldValueMappingSequence[0]
    code = mapping.MeasurementUnitsCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("Bq/ml", "UCUM")
    values = ds.pixel_array * mapping.RealWorldValueSlope
    assert values == pytest.approx(VALUES, abs=2.0)
    assert float(ds.RescaleSlope) == mapping.RealWorldValueSlope


def test_pt_header_follows_the_standard(tmp_path):
    write_all(tmp_path)
    ds = pydicom.dcmread(tmp_path / "pt" / "PT0002.dcm")
    assert float(ds.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose) == 7.4e9  # Bq in PET
    assert float(ds.DecayFactor) == pytest.approx(2 ** ((4 * 3600 + 30.25) / 574300), rel=1e-9)


def test_a_time_zone_is_written_with_every_time(tmp_path):
    zone = timezone(timedelta(hours=-5))
    visit = Visit(1, datetime(2024, 5, 13, 13, 22, tzinfo=zone))
    given = Administration("Lu-177", 7.4e9, datetime(2024, 5, 13, 9, 22, tzinfo=zone))
    ds = pydicom.dcmread(write_nm_recon_tomo(SPECT, tmp_path / "nm.dcm", PATIENT, visit, given))
    assert ds.TimezoneOffsetFromUTC == "-0500"
    assert ds.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime.endswith("-0500")


def test_simpleitk_reads_the_nm_file_as_activity(tmp_path):
    write_all(tmp_path)
    image = sitk.ReadImage(str(tmp_path / "nm.dcm"))
    assert sitk.GetArrayFromImage(image) == pytest.approx(VALUES, abs=2.0)
    assert image.GetSpacing() == pytest.approx(GRID.spacing_mm)


def test_what_does_not_fit_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(ImageFileError, match="HU"):
        write_ct_series(HU.with_voxels(HU.voxels - 500), tmp_path / "ct", PATIENT, VISIT)
    negative = SPECT.with_voxels(VALUES - 100)
    with pytest.raises(ImageFileError, match="below zero"):
        write_pt_series(negative, tmp_path / "pt", PATIENT, VISIT, ADMINISTRATION, PtOptions())
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
def test_an_independent_validator_finds_no_error(tmp_path):
    for name in write_all(tmp_path):
        told = subprocess.run(["dciodvfy", str(tmp_path / name)], capture_output=True, text=True, check=False)
        errors = [line for line in told.stderr.splitlines() if line.startswith("Error")]
        assert not errors, name
