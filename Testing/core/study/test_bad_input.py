"""Folders that must be refused: one clear message each, that names what and where."""

import numpy as np
import pytest
from pydicom.uid import JPEG2000Lossless

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Administration
from RPTDosimetryLib.study.complete import require_complete
from RPTDosimetryLib.study.given import StudyGiven
from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.virtual_patient.dicom_writer import PatientInfo


def refused(folder, words, given=None):
    with pytest.raises(StudyError, match=words) as error:
        read_study(folder, given or StudyGiven())
    message = str(error.value)
    assert "\n" not in message
    assert message.rstrip().endswith((".", "…]}."))
    return message


def test_no_such_folder(tmp_path):
    refused(tmp_path / "nowhere", "no such folder")


def test_an_empty_folder(tmp_path):
    refused(tmp_path, "is empty")


def test_a_folder_without_medical_files(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    refused(tmp_path, "none is DICOM or a study.json")


def test_images_without_a_description(tmp_path):
    (tmp_path / "spect.nii.gz").write_bytes(b"")
    refused(tmp_path, "no study.json")


def test_a_ct_alone(write, hu):
    write.ct(hu)
    refused(write.folder, "no SPECT.*5 CT Image Storage")


def test_stray_files_are_noted_and_do_not_disturb(write, spect):
    write.nm(spect)
    (write.folder / "LICENSE").write_text("free")
    (write.folder / ".hidden.dcm").write_text("not looked at")
    study = read_study(write.folder)
    assert any("LICENSE" in note for note in study.warnings)


def test_a_file_that_says_it_is_dicom_and_is_not(write, spect):
    write.nm(spect)
    (write.folder / "fake.dcm").write_text("this is not DICOM at all")
    assert "fake.dcm" in refused(write.folder, "cannot be read as DICOM")


@pytest.mark.parametrize("kept", [140, 300, 700, 1500])
def test_a_file_cut_off_in_its_header(write, spect, kept):
    path = write.nm(spect)
    path.write_bytes(path.read_bytes()[:kept])
    assert "nm.dcm" in refused(
        write.folder, "cut off|cannot be read|ends too early|incomplete|copy it again|Copy it again"
    )


@pytest.mark.parametrize("lost", [1, 100, 400])
def test_a_file_cut_off_in_its_pixels(write, spect, lost):
    path = write.nm(spect)
    path.write_bytes(path.read_bytes()[:-lost])
    assert "nm.dcm" in refused(write.folder, "[Cc]opy it again")


def test_a_ct_slice_cut_off(write, spect, hu):
    write.nm(spect)
    path = write.ct(hu)[2]
    path.write_bytes(path.read_bytes()[:-10])
    assert path.name in refused(write.folder, "is cut off")


def test_a_compression_that_cannot_be_unpacked(write, spect, edit):
    path = write.nm(spect)

    def pretend(ds):
        from pydicom.encaps import encapsulate

        ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
        ds.PixelData = encapsulate([b"\x00\x01" * 10] * 5)
        ds["PixelData"].is_undefined_length = True

    edit(path, pretend)
    refused(write.folder, "nm.dcm")


def test_two_patients(write, spect, activity, grid, visit):
    write.nm(spect)
    write.patient = PatientInfo(patient_id="P02")
    write.nm(activity(grid, 2), visit(2, 24), "b.dcm")
    message = refused(write.folder, "2 patients")
    assert "P01" in message
    assert "P02" in message


def test_a_ct_of_another_patient(write, spect, hu):
    write.nm(spect)
    write.patient = PatientInfo(patient_id="P02")
    write.ct(hu)
    refused(write.folder, "2 patients")


def test_mixed_frames_of_reference_within_a_series(write, spect, edit):
    files = write.pt(spect)
    edit(files[3], lambda ds: setattr(ds, "FrameOfReferenceUID", "1.2.3"))
    refused(write.folder, "mixes 2 frames of reference")


def test_mixed_frames_of_reference_within_a_time_point(write, spect, hu, edit):
    write.nm(spect)
    for path in write.ct(hu):
        edit(path, lambda ds: setattr(ds, "FrameOfReferenceUID", "1.2.3"))
    refused(write.folder, "Mixed frames of reference: CT ct and SPECT nm.dcm")
    study = read_study(write.folder, StudyGiven(ignore=("ct",)))
    assert study.time_points[0].ct is None


@pytest.mark.parametrize("lost", [0, 2, 4])
def test_a_missing_slice_anywhere(write, spect, lost):
    write.pt(spect)[lost].unlink()
    refused(write.folder, "missing slices")


def test_a_missing_ct_slice(write, spect, hu):
    write.nm(spect)
    write.ct(hu)[2].unlink()
    refused(write.folder, "ct has missing slices: 1 ")


def test_a_duplicated_slice(write, spect, edit):
    files = write.pt(spect)
    copy = files[0].with_name("copy.dcm")
    copy.write_bytes(files[1].read_bytes())
    refused(write.folder, "same DICOM object")
    edit(copy, lambda ds: setattr(ds, "SOPInstanceUID", "1.2.3.4"))
    refused(write.folder, "duplicated slices")


def test_unequal_spacing(write, spect, edit):
    files = write.pt(spect)

    def shift(ds):
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y, z + 1.0]

    edit(files[2], shift)
    refused(write.folder, "unequal slice spacing: 4 to 6 mm")


def test_rounded_positions_are_not_unequal_spacing(write, spect, edit):
    for path in write.pt(spect, decay_correction="NONE"):

        def rounded(ds):
            x, y, z = ds.ImagePositionPatient
            ds.ImagePositionPatient = [x, y, round(float(z) * 0.7813, 2)]

        edit(path, rounded)
    spacing = read_study(write.folder).time_points[0].spect.grid.spacing_mm[2]
    assert spacing == pytest.approx(5 * 0.7813, abs=0.005)


def test_a_tilted_gantry(write, spect, hu, edit):
    write.nm(spect)
    for n, path in enumerate(write.ct(hu)):

        def shift(ds, n=n):
            x, y, z = ds.ImagePositionPatient
            ds.ImagePositionPatient = [x, y + 0.5 * n, z]

        edit(path, shift)
    refused(write.folder, "tilted gantry")


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("PixelSpacing", ["4", "4.9"]), ("ImageOrientationPatient", ["1", "0", "0", "0", "0.995", "0.0999"])],
)
def test_slices_that_are_not_one_volume(write, spect, edit, attribute, value):
    edit(write.pt(spect)[1], lambda ds: setattr(ds, attribute, value))
    refused(write.folder, "mixes")


def test_direction_cosines_that_are_none(write, spect, edit):
    path = write.nm(spect)

    def skew(ds):
        ds.DetectorInformationSequence[0].ImageOrientationPatient = ["1", "0", "0", "0.5", "1", "0"]

    edit(path, skew)
    refused(write.folder, "not two perpendicular unit vectors")


def test_nm_frames_that_are_missing_or_twice(write, spect, edit):
    path = write.nm(spect)
    edit(path, lambda ds: setattr(ds, "SliceVector", [1, 2, 3, 3, 5]))
    refused(write.folder, "duplicated slices")
    edit(path, lambda ds: setattr(ds, "SliceVector", [1, 2, 3, 5, 6]))
    refused(write.folder, "missing slices")


def test_nm_projections_are_not_a_spect(write, spect, edit):
    path = write.nm(spect)
    edit(path, lambda ds: setattr(ds, "ImageType", ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]))
    refused(write.folder, "no SPECT")


def test_no_activity(write, spect):
    write.nm(spect.with_voxels(np.zeros_like(spect.voxels)))
    refused(write.folder, "holds no activity")


def test_negative_activity_is_refused_when_it_is_more_than_slight(write, spect, edit):
    path = write.nm(spect, unit=None)
    edit(path, lambda ds: setattr(ds, "RescaleIntercept", "-20000"))
    refused(write.folder, r"\d+ voxels of negative activity, down to -")


def test_slightly_negative_activity_is_set_to_zero_and_told(write, spect, edit):
    values = spect.voxels.copy()
    values[0, 0, 0] = 0.0
    path = write.nm(spect.with_voxels(values), unit=None)
    edit(path, lambda ds: setattr(ds, "RescaleIntercept", "-50"))
    (point,) = read_study(write.folder).time_points
    assert point.spect.voxels.min() == 0.0
    assert any("1 slightly negative voxels (down to -50" in warning for warning in point.warnings)


def test_nan_in_float_pixels(write, spect, edit):
    path = write.nm(spect, unit=None)

    def as_float(ds):
        values = spect.voxels.copy()
        values[1, 2, 3] = np.nan
        del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
        ds.BitsAllocated = 32
        ds.FloatPixelData = values.tobytes()

    edit(path, as_float)
    refused(write.folder, "1 voxels that are NaN")


def test_two_time_points_at_one_time(write, spect, activity, grid, visit):
    write.nm(spect, visit(1, 4.0), description="first")
    write.nm(activity(grid, 2), visit(1, 4.005), "b.dcm", description="second")
    refused(write.folder, "Two time points alike: .* start within 18 s")
    study = read_study(write.folder, StudyGiven(ignore=("second",)))
    assert len(study.time_points) == 1


def test_two_time_points_of_one_image(write, spect, visit):
    write.nm(spect, visit(1, 4.0))
    write.nm(spect, visit(2, 24.0), "b.dcm")
    refused(write.folder, "identical voxels")


def test_no_administration(write, spect):
    write.nm(spect, administration=Administration("Lu-177"))
    study = read_study(write.folder)
    assert study.missing == ("administered activity", "administration time")
    with pytest.raises(StudyError, match=r"study\.administration_time"):
        require_complete(study)


def test_several_radiopharmaceuticals(write, spect, edit):
    path = write.nm(spect)
    edit(
        path, lambda ds: ds.RadiopharmaceuticalInformationSequence.append(ds.RadiopharmaceuticalInformationSequence[0])
    )
    refused(write.folder, "2 radiopharmaceuticals")
