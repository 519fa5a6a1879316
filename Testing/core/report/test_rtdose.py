"""RT Dose files hold the dose and the patient as given, and pass an independent validator."""

import shutil
import subprocess
from datetime import UTC, datetime

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from RPTDosimetryLib.errors import DosimetryError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, DoseMap, Image, Study, TimePoint
from RPTDosimetryLib.report.dicom_identity import identity_like, identity_of_study
from RPTDosimetryLib.report.rtdose import RtDoseOptions, write_rtdose
from RPTDosimetryLib.study.read_dose import read_dose
from RPTDosimetryLib.study.rtdose import read_rtdose
from RPTDosimetryLib.virtual_patient.dicom_writer import PatientInfo, Visit, write_ct_series, write_nm_recon_tomo

#: "Scaling without loss beyond 0.01 % of the maximum."
LOSS_BAR = 1e-4
VISIT = Visit(1, datetime(2024, 5, 13, 13, 22, tzinfo=UTC))
OBLIQUE = tuple(Rotation.from_euler("xyz", [10, -20, 30], degrees=True).as_matrix().ravel())


def dose_on(grid, highest_gy=37.0, seed=1, **more):
    gray = np.random.default_rng(seed).uniform(0, highest_gy, grid.shape_zyx).astype(np.float32)
    parts = {"engine": "msv8", "method": "MSV, ρ_ref/ρ_voxel", "nuclide": "Lu-177"} | more
    return DoseMap(Image(gray, grid, "Gy"), **parts)


@pytest.fixture(scope="module")
def like(tmp_path_factory):
    """A SPECT and a CT of one patient; the SPECT writes the name in ISO 8859-2."""
    folder = tmp_path_factory.mktemp("patient")
    patient = PatientInfo("P-07", "Lukasiewicz^Jan", "M", "19600102", 81.5)
    grid = Grid((4, 5, 6), (4.8, 4.8, 4.8))
    administration = Administration("Lu-177", 7.4e9, datetime(2024, 5, 13, 9, 22, tzinfo=UTC))
    image = Image(np.ones(grid.shape_zyx, np.float32), grid, "Bq/mL")
    write_nm_recon_tomo(image, folder / "nm.dcm", patient, VISIT, administration)
    write_ct_series(Image(image.voxels, grid, "HU"), folder / "ct", patient, VISIT)
    ds = pydicom.dcmread(folder / "nm.dcm")
    ds.SpecificCharacterSet, ds.PatientName = "ISO_IR 101", "Łukasiewicz^Jan"
    ds.save_as(folder / "nm.dcm")
    return folder


@pytest.fixture
def identity(like):
    return identity_like(like / "nm.dcm")


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize(
    "grid",
    [
        Grid((5, 6, 7), (4.795, 4.795, 4.795), (-123.4567, 55.5, -1000.123)),
        Grid((9, 4, 5), (0.9766, 3.87, 5.0)),
        Grid((5, 6, 7), (1.5, 2.5, 3.87), (12.25, -3.5, 900.125), OBLIQUE),
        Grid((5, 6, 7), (2.0, 3.0, 4.0), (1.0, 2.0, 3.0), (0, 0, 1, 1, 0, 0, 0, 1, 0)),
    ],
    ids=["isotropic", "anisotropic", "oblique", "permuted"],
)
def test_dose_and_grid_come_back(tmp_path, identity, grid, bits):
    dose = dose_on(grid)
    done = write_rtdose(dose, tmp_path / "d.dcm", identity, RtDoseOptions(bits=bits))
    back = read_dose(tmp_path / "d.dcm")
    assert back.grid.same_as(grid, tolerance_mm=1e-6)
    loss = np.abs(back.voxels.astype(np.float64) - dose.image.voxels).max()
    assert loss / dose.image.voxels.max() < LOSS_BAR / (10 if bits == 16 else 1e3)
    assert loss <= done.largest_error_gy * 1.001 + 1e-6 * (bits == 32)


def test_a_left_handed_grid_is_turned_over(tmp_path, identity):
    grid = Grid((5, 6, 7), (2.0, 3.0, 4.0), (1.0, 2.0, 3.0), (1, 0, 0, 0, 1, 0, 0, 0, -1))
    dose = dose_on(grid)
    write_rtdose(dose, tmp_path / "d.dcm", identity)
    back = read_dose(tmp_path / "d.dcm")
    assert back.grid.origin_mm == pytest.approx((1.0, 2.0, 3.0 - 4 * 4.0))
    assert back.voxels[::-1] == pytest.approx(dose.image.voxels, abs=LOSS_BAR * 37)


@given(highest=st.floats(1e-9, 1e6), bits=st.sampled_from([16, 32]))
@settings(max_examples=25, deadline=None)
def test_any_dose_range_keeps_its_maximum_and_never_wraps_around(tmp_path_factory, like, highest, bits):
    path = tmp_path_factory.mktemp("range") / "d.dcm"
    dose = dose_on(Grid((2, 2, 3), (4.0, 4.0, 4.0)), highest)
    write_rtdose(dose, path, identity_like(like / "nm.dcm"), RtDoseOptions(bits=bits))
    assert np.abs(read_dose(path).voxels - dose.image.voxels).max() <= LOSS_BAR * dose.image.voxels.max()


def test_two_other_readers_see_the_same_dose(tmp_path, identity):
    grid = Grid((5, 6, 7), (1.5, 2.5, 3.87), (12.25, -3.5, 900.125), OBLIQUE)
    dose = dose_on(grid)
    write_rtdose(dose, tmp_path / "d.dcm", identity)
    ds = pydicom.dcmread(tmp_path / "d.dcm")
    assert ds.pixel_array * float(ds.DoseGridScaling) == pytest.approx(dose.image.voxels, abs=LOSS_BAR * 37)
    other = sitk.ReadImage(str(tmp_path / "d.dcm"))
    assert other.GetOrigin() == pytest.approx(grid.origin_mm, abs=1e-6)
    assert other.GetSpacing() == pytest.approx(grid.spacing_mm, abs=1e-6)
    assert other.GetDirection() == pytest.approx(grid.direction, abs=1e-6)
    assert sitk.GetArrayFromImage(other) * float(ds.DoseGridScaling) == pytest.approx(dose.image.voxels, abs=1e-3)


def test_patient_study_and_frame_are_those_of_the_images(tmp_path, like, identity):
    write_rtdose(dose_on(Grid((2, 3, 4), (4.0, 4.0, 4.0))), tmp_path / "d.dcm", identity)
    ds, image = pydicom.dcmread(tmp_path / "d.dcm"), pydicom.dcmread(like / "nm.dcm")
    same = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "FrameOfReferenceUID")
    assert {k: str(ds[k].value) for k in same} == {k: str(image[k].value) for k in same}
    assert str(ds.PatientName) == "Łukasiewicz^Jan"
    assert ds.SeriesInstanceUID != image.SeriesInstanceUID
    (reference,) = ds.PlanOverviewSequence[0].ReferencedImageSequence
    assert reference.ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert "research use" in ds.DoseComment
    assert "ρ_ref" in ds.DerivationDescription


def test_nothing_is_invented_where_the_images_are_silent(tmp_path):
    image = Image(np.ones((2, 3, 4), np.float32), Grid((2, 3, 4), (4.0, 4.0, 4.0)), "Bq/mL")
    study = Study(Administration(), (TimePoint(image, 0.0),), patient_id="P9")
    identity = identity_of_study(study, study.time_points[0])
    assert len(identity.warnings) == 2
    done = write_rtdose(dose_on(image.grid, engine="", nuclide="", method=""), tmp_path / "d.dcm", identity)
    assert done.warnings == identity.warnings
    ds = pydicom.dcmread(tmp_path / "d.dcm")
    empty = ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber", "OperatorsName")
    assert all(keyword in ds and not ds[keyword].value for keyword in empty)
    assert ds.PatientID == "P9"
    assert "ContentDate" not in ds
    assert "TissueHeterogeneityCorrection" not in ds
    assert read_rtdose(tmp_path / "d.dcm").dose_type == "PHYSICAL"


def test_equal_doses_give_equal_files_and_other_doses_other_uids(tmp_path, identity):
    grid = Grid((2, 3, 4), (4.0, 4.0, 4.0))
    uids = [write_rtdose(dose_on(grid, seed=s), tmp_path / f"{n}.dcm", identity) for n, s in enumerate((1, 1, 2))]
    assert (tmp_path / "0.dcm").read_bytes() == (tmp_path / "1.dcm").read_bytes()
    assert uids[0].sop_instance_uid == uids[1].sop_instance_uid != uids[2].sop_instance_uid


def test_the_date_is_told_in_the_time_zone_of_the_images(tmp_path, like):
    identity = identity_like(like / "nm.dcm")
    identity.attributes.TimezoneOffsetFromUTC = "+0200"
    created = datetime(2024, 6, 1, 23, 30, tzinfo=UTC)
    write_rtdose(dose_on(Grid((2, 3, 4), (4.0,) * 3)), tmp_path / "d.dcm", identity, RtDoseOptions(created=created))
    ds = pydicom.dcmread(tmp_path / "d.dcm")
    assert (ds.ContentDate, ds.ContentTime[:6]) == ("20240602", "013000")


@pytest.mark.parametrize(("engine", "says"), [("msv8", "IMAGE"), ("local", "IMAGE"), ("ssv", "WATER")])
def test_what_the_engine_knew_of_the_tissue_is_said(tmp_path, identity, engine, says):
    write_rtdose(dose_on(Grid((2, 3, 4), (4.0,) * 3), engine=engine), tmp_path / "d.dcm", identity)
    assert read_rtdose(tmp_path / "d.dcm").heterogeneity_correction == (says,)


@pytest.mark.parametrize("source", ["nm.dcm", "ct", ".", None], ids=["NM", "CT", "all", "no DICOM"])
def test_an_independent_validator_finds_no_error(tmp_path, like, source):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed")
    identity = identity_like(like / source) if source else identity_of_study(Study(Administration(), ()), _bare())
    options = RtDoseOptions(created=datetime(2024, 6, 1, 23, 30, tzinfo=UTC))
    write_rtdose(dose_on(Grid((5, 6, 7), (1.5, 2.5, 3.87), (12.25, -3.5, 900.125), OBLIQUE)), tmp_path / "d.dcm",
                 identity, options)  # fmt: skip
    done = subprocess.run(["dciodvfy", tmp_path / "d.dcm"], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert [line for line in lines if "Error" in line or "Abort" in line] == []
    assert done.returncode == 0
    assert "RTDose" in lines
    # The plan overview is younger than this validator's tables; nothing else may be warned of in a full identity.
    known = ("PLAN_OVERVIEW", "not present in standard DICOM IOD", "Standard Extended SOP Class")
    others = [line for line in lines if line.startswith("Warning") and not any(word in line for word in known)]
    assert others == [] or source is None


def _bare():
    image = Image(np.ones((2, 3, 4), np.float32), Grid((2, 3, 4), (4.0, 4.0, 4.0)), "Bq/mL")
    return TimePoint(image, 0.0)


def spoiled(value):
    dose = dose_on(Grid((2, 3, 4), (4.0, 4.0, 4.0)))
    dose.image.voxels[1, 1, 1] = value
    return dose


@pytest.mark.parametrize(
    ("dose", "says"),
    [
        (spoiled(-1e-6), "1 voxels of the dose are negative"),
        (spoiled(np.nan), "1 voxels"),
        (spoiled(np.inf), "1 voxels"),
        (dose_on(Grid((1, 3, 4), (4.0, 4.0, 4.0))), "one plane only"),
        (DoseMap(Image(np.ones((2, 2, 2)), Grid((2, 2, 2), (1.0,) * 3), "Gy/s"), "", "", ""), "Gy/s"),
    ],
    ids=["negative", "NaN", "infinite", "one plane", "a rate"],
)
def test_what_is_no_absorbed_dose_is_not_written(tmp_path, identity, dose, says):
    with pytest.raises(DosimetryError, match=says):
        write_rtdose(dose, tmp_path / "d.dcm", identity)
    assert list(tmp_path.iterdir()) == []


def test_a_dose_of_zero_everywhere_comes_back_as_zero(tmp_path, identity):
    write_rtdose(dose_on(Grid((2, 3, 4), (4.0,) * 3), highest_gy=0.0), tmp_path / "d.dcm", identity)
    assert not read_dose(tmp_path / "d.dcm").voxels.any()


def test_images_of_two_frames_or_none_are_no_identity(tmp_path, like):
    patient, grid = PatientInfo("P-07"), Grid((3, 3, 3), (4.8, 4.8, 4.8))
    for number in (1, 2):
        image = Image(np.zeros(grid.shape_zyx, np.float32), grid, "HU")
        write_ct_series(image, tmp_path / f"ct{number}", patient, Visit(number, VISIT.acquired))
    with pytest.raises(DosimetryError, match="2 frames of reference"):
        identity_like(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "note.txt").write_text("x")
    with pytest.raises(DosimetryError, match="no DICOM"):
        identity_like(tmp_path / "empty")
    with pytest.raises(DosimetryError, match="no such folder"):
        identity_like(tmp_path / "gone")
