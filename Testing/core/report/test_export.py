"""What leaves a run is read back by other programs with equal values, passes a validator, and hides who it was."""

import hashlib
import json
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import jsonschema
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from matplotlib.path import Path as Polygon
from pypdf import PdfReader

from RPTDosimetryLib.errors import DosimetryError, ReportError, VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Voi
from RPTDosimetryLib.report.deidentify import DATE_REMOVED, METHOD, deidentified_identity, deidentified_record
from RPTDosimetryLib.report.dicom_identity import identity_of_record
from RPTDosimetryLib.report.dicom_object import Exported
from RPTDosimetryLib.report.export_folder import WRITERS, ExportChoice, export_record
from RPTDosimetryLib.report.run_record import RunRecord, read_run_record
from RPTDosimetryLib.report.structure_set import write_structure_set
from RPTDosimetryLib.report.voi_layers import read_layers, write_layers

#: As in conftest.py.
GRID = Grid((12, 16, 18), (4.8, 4.8, 4.8), (-40.8, -36.0, -26.4))
EVERYTHING = dict.fromkeys(WRITERS, True)
SCHEMAS = Path(__file__).parents[3] / "docs" / "schema"
OBJECTS = {
    "dose_rtdose.dcm": "RTDose",
    "vois_seg.dcm": "Segmentation",
    "measurements_sr.dcm": "Comprehensive3DSR",
    "report_pdf.dcm": "EncapsulatedPDF",
    "vois_rtstruct.dcm": "RTStructureSet",
}


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "out"
    export_record(finished[1], out, ExportChoice(**EVERYTHING))
    return out


@pytest.fixture(scope="module")
def hidden(finished, tmp_path_factory):
    out = tmp_path_factory.mktemp("hidden") / "out"
    export_record(finished[1] / "provenance.json", out, ExportChoice(**EVERYTHING, key="of a test"))
    return out


def body_of(finished):
    """The body as the run found it: the third volume."""
    return (sitk.GetArrayFromImage(sitk.ReadImage(str(finished[1] / "voi_layers.nrrd"))) == 3).any(axis=-1)


def organ_rows(folder):
    return json.loads((folder / "organ_doses.json").read_text(encoding="utf-8"))["volumes"]


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("folder", ["exported", "hidden"])
def test_an_independent_validator_finds_no_error(folder, name, request):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed")
    path = request.getfixturevalue(folder) / name
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert [line for line in lines if "Error" in line or "Abort" in line] == []
    assert done.returncode == 0
    assert OBJECTS[name] in lines


@pytest.mark.parametrize("name", OBJECTS)
def test_patient_and_study_are_those_of_the_images(finished, exported, name):
    source = pydicom.dcmread(finished[0] / "nm1.dcm")
    ds = pydicom.dcmread(exported / name)
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate"):
        assert ds[keyword].value == source[keyword].value
    assert ds.SpecificCharacterSet == "ISO_IR 192"
    assert str(ds.PatientName) == "Müller^Łucja=山田^太郎"
    assert ds.AccessionNumber == ""  # the images have none: nothing is made up
    if name not in ("measurements_sr.dcm", "report_pdf.dcm"):
        assert ds.FrameOfReferenceUID == source.FrameOfReferenceUID
        assert str(source.SOPInstanceUID) in ds.to_json()


def test_seg_read_by_hand_holds_the_masks(exported, finished, balls):
    """Frames, positions and bits as PS3.3 C.8.20 has them, without the library that wrote them."""
    ds = pydicom.dcmread(exported / "vois_seg.dcm")
    frames = np.asarray(ds.pixel_array)
    found = np.zeros((len(ds.SegmentSequence), *GRID.shape_zyx), dtype=bool)
    for frame, group in zip(frames, ds.PerFrameFunctionalGroupsSequence, strict=True):
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        z = float(group.PlanePositionSequence[0].ImagePositionPatient[2])
        found[number - 1, round((z - GRID.origin_mm[2]) / GRID.spacing_mm[2])] = frame > 0
    _, organ, lesion = balls()
    for mask, true in zip(found, (organ, lesion, body_of(finished)), strict=True):
        np.testing.assert_array_equal(mask, true)
    labels = [item.SegmentLabel for item in ds.SegmentSequence]
    assert labels == ["kidney_left", "lesion_1", "body"]
    kidney, lesion_item, _ = ds.SegmentSequence
    kind = kidney.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("64033007", "SCT")
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert lesion_item.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"


def numbers(item):
    """(concept, derivation, unit, value) of each NUM below a container."""
    for child in item.get("ContentSequence", []):
        if child.ValueType == "NUM":
            measured = child.MeasuredValueSequence[0]
            unit = measured.MeasurementUnitsCodeSequence[0]
            assert unit.CodingSchemeDesignator == "UCUM"
            parts = [c.ConceptCodeSequence[0].CodeMeaning for c in child.get("ContentSequence", [])]
            value = measured.get("FloatingPointValue", float(measured.NumericValue))
            yield child.ConceptNameCodeSequence[0].CodeMeaning, "".join(parts), unit.CodeValue, float(value)


def groups_of(ds):
    inside = next(i for i in ds.ContentSequence if i.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurements")
    return inside.ContentSequence


def text_value(group, meaning):
    item = next(i for i in group.ContentSequence if i.ConceptNameCodeSequence[0].CodeMeaning == meaning)
    return item.get("TextValue") or item.get("UID") or item.ReferencedSOPSequence[0]


def test_the_structured_report_holds_the_table_and_points_at_the_segments(exported):
    ds = pydicom.dcmread(exported / "measurements_sr.dcm")
    seg = pydicom.dcmread(exported / "vois_seg.dcm")
    assert ds.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    rows, groups = organ_rows(exported), groups_of(ds)
    assert len(groups) == len(rows) == 3
    for number, (row, group) in enumerate(zip(rows, groups, strict=True), start=1):
        told = {(concept, how, unit): value for concept, how, unit, value in numbers(group)}
        for key, column in {
            ("Volume", "", "mL"): "volume_ml",
            ("Mass", "", "g"): "mass_g",
            ("Absorbed Dose", "Mean", "Gy"): "mean_gy",
            ("Absorbed Dose", "Maximum", "Gy"): "maximum_gy",
            ("Absorbed Dose", "Minimum", "Gy"): "minimum_gy",
            ("Time-integrated activity", "", "Bq.s"): "tia_bq_s",
        }.items():
            assert told[key] == pytest.approx(row[column], rel=1e-13)
        assert text_value(group, "Tracking Identifier") == row["name"] == seg.SegmentSequence[number - 1].TrackingID
        assert text_value(group, "Tracking Unique Identifier") == seg.SegmentSequence[number - 1].TrackingUID
        reference = text_value(group, "Referenced Segment")
        assert reference.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        assert reference.ReferencedSegmentNumber == number


def test_another_toolkit_reads_the_same_numbers(exported):
    if shutil.which("dsrdump") is None:
        pytest.skip("dsrdump (Debian's dcmtk) is not installed")
    shown = subprocess.run(["dsrdump", exported / "measurements_sr.dcm"], capture_output=True, text=True, check=True)
    mean = re.findall(r'"Absorbed Dose"\)="([\d.e+-]+)" \(Gy,UCUM,"Gy"\)>\s+<.*"Mean"', shown.stdout)
    assert [float(value) for value in mean] == pytest.approx(
        [row["mean_gy"] for row in organ_rows(exported)], rel=1e-10
    )


def test_contours_filled_by_another_program_are_the_masks(exported, finished, balls):
    ds = pydicom.dcmread(exported / "vois_rtstruct.dcm")
    names = {roi.ROINumber: roi.ROIName for roi in ds.StructureSetROISequence}
    assert list(names.values()) == ["kidney_left", "lesion_1", "body"]
    y, x = np.mgrid[: GRID.shape_zyx[1], : GRID.shape_zyx[2]]
    centres = np.column_stack([(GRID.origin_mm[0] + 4.8 * x).ravel(), (GRID.origin_mm[1] + 4.8 * y).ravel()])
    _, organ, lesion = balls()
    for roi, true in zip(ds.ROIContourSequence, (organ, lesion, body_of(finished)), strict=True):
        filled = np.zeros(GRID.shape_zyx, dtype=bool)
        for contour in roi.ContourSequence:
            points = np.reshape(np.array(contour.ContourData, dtype=float), (-1, 3))
            inside = Polygon(np.vstack([points, points[:1]])[:, :2]).contains_points(centres).reshape(y.shape)
            filled[round((points[0, 2] - GRID.origin_mm[2]) / 4.8)] ^= inside
        np.testing.assert_array_equal(filled, true)
    assert [o.RTROIInterpretedType for o in ds.RTROIObservationsSequence] == ["ORGAN", "GTV", "EXTERNAL"]


def test_the_pdf_inside_dicom_is_the_report(exported, finished):
    ds = pydicom.dcmread(exported / "report_pdf.dcm")
    inside = ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength]
    assert inside == (exported / "report.pdf").read_bytes() == (finished[1] / "report.pdf").read_bytes()


def test_dose_and_maps_are_read_by_another_library_with_equal_values(exported, finished):
    dose = sitk.GetArrayFromImage(sitk.ReadImage(str(finished[1] / "dose_gy.nrrd")))
    for name in ("dose_gy.nii.gz", "dose_gy.nrrd"):
        image = sitk.ReadImage(str(exported / name))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), dose)
        np.testing.assert_allclose(image.GetOrigin(), GRID.origin_mm, atol=1e-4)
    scaled = sitk.GetArrayFromImage(sitk.ReadImage(str(exported / "dose_rtdose.dcm")))
    scaling = float(pydicom.dcmread(exported / "dose_rtdose.dcm").DoseGridScaling)
    factor = 1.0 if scaled.max() < 2 * dose.max() else scaling
    np.testing.assert_allclose(scaled * factor, dose, atol=0.51 * scaling)


def test_the_same_run_gives_the_same_files(finished, exported, tmp_path):
    export_record(finished[1], tmp_path / "again", ExportChoice(**EVERYTHING))
    for path in exported.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_tables_and_record_follow_the_published_schema(exported, hidden, finished):
    for folder, name, schema in (
        (exported, "organ_doses.json", "organ_doses"),
        (hidden, "organ_doses.json", "organ_doses"),
        (exported, "export.json", "export"),
        (hidden, "export.json", "export"),
        (finished[1], "provenance.json", "provenance"),
        (hidden, "provenance.json", "provenance"),
    ):
        rules = json.loads((SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(rules)
        jsonschema.validate(json.loads((folder / name).read_text(encoding="utf-8")), rules)


def test_a_schema_refuses_what_is_not_a_table():
    rules = json.loads((SCHEMAS / "organ_doses.schema.json").read_text(encoding="utf-8"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"format": "rptdosimetry organ doses 1", "method": "", "volumes": [{"name": "x"}]}, rules)


# who it was -----------------------------------------------------------------------------------------------------------


def readable(path):
    """All that can be read in a file: its bytes, and the text of its pages and of its compressed streams."""
    raw = path.read_bytes()
    text = raw.decode("utf-8", "ignore") + raw.decode("latin-1")
    if path.suffix == ".pdf":
        text += "\n".join(page.extract_text() for page in PdfReader(path).pages)
    if path.suffix == ".dcm" and "report" in path.name:
        inner = pydicom.dcmread(path).EncapsulatedDocument
        for stream in re.findall(rb"stream\r?\n(.*?)endstream", inner, re.DOTALL):
            try:
                text += zlib.decompress(stream).decode("latin-1")
            except zlib.error:
                continue
    return text


def test_nothing_that_is_passed_on_says_who_it_was_or_when(hidden, finished):
    source = pydicom.dcmread(finished[0] / "nm1.dcm")
    told = ("ller", "ucja", "山田", "ID-4711", "19600102", "1960-01-02", "20240513", "2024-05-13", "20240516")
    uids = (str(source.StudyInstanceUID), str(source.SOPInstanceUID), str(source.FrameOfReferenceUID))
    for path in hidden.iterdir():
        text = readable(path)
        for word in (*told, *uids, str(finished[0])):
            assert word not in text or (word == "ller" and "smaller" in text), f"{path.name}: {word}"


def test_every_object_says_what_was_done_and_they_still_belong_together(hidden):
    found = [pydicom.dcmread(hidden / name) for name in OBJECTS]
    for ds in found:
        assert ds.PatientIdentityRemoved == "YES"
        assert list(ds.DeidentificationMethod) == list(METHOD)
        assert ds.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
        assert ds.LongitudinalTemporalInformationModified == "REMOVED"
        assert ds.StudyDate == ""
        assert "InstanceCreationDate" not in ds
        assert re.fullmatch(r"SUBJECT-[0-9A-F]{10}", ds.PatientID)
    assert len({str(ds.StudyInstanceUID) for ds in found}) == 1
    assert len({str(ds.PatientID) for ds in found}) == 1
    seg, sr = found[1], found[2]
    assert text_value(groups_of(sr)[0], "Referenced Segment").ReferencedSOPInstanceUID == seg.SOPInstanceUID


def test_who_an_earlier_cycle_was_filed_under_and_where_it_lay_are_hidden(finished):
    record = read_run_record(finished[1])
    cycle = {"results": "/data/Anna Muster/cycle 1", "dose": None, "transform": None, "patient_id": "OLD-77"}
    told = json.loads(json.dumps(dict(record.told)))
    told["settings"]["cycles"] = {"previous": [cycle]}
    told["warnings"] = [f"lung: not (wholly) in {cycle['results']}: its dose there is not counted"]
    identity = deidentified_identity(identity_of_record(told["patient"]), "of a test")
    hidden = json.dumps(deidentified_record(RunRecord(told, record.folder), identity, "of a test").told)
    assert "OLD-77" not in hidden
    assert "Muster" not in hidden
    assert "its dose there is not counted" in hidden


def test_another_key_gives_another_subject_and_the_dose_stays(finished, hidden, exported, tmp_path):
    export_record(finished[1], tmp_path / "other", ExportChoice(rtdose=True, tables=True, key="another"))
    one, two = (pydicom.dcmread(folder / "dose_rtdose.dcm") for folder in (hidden, tmp_path / "other"))
    assert one.PatientID != two.PatientID
    assert one.StudyInstanceUID != two.StudyInstanceUID
    assert hashlib.sha256(one.PixelData).digest() == hashlib.sha256(two.PixelData).digest()
    kept = [{**row, "reviewed_by": None} for row in organ_rows(exported)]
    assert organ_rows(hidden) == kept
    told = json.loads((hidden / "provenance.json").read_text(encoding="utf-8"))
    assert told["written"] == DATE_REMOVED
    assert told["steps"]["time_points"][1]["time_s"] == 72 * 3600
    assert told["steps"]["administration"]["administered_activity_bq"] == 7.4e9


# bad input ------------------------------------------------------------------------------------------------------------


def test_nothing_chosen_the_runs_own_folder_or_a_file_are_refused(results, tmp_path):
    for choice, out, said in (
        (ExportChoice(), tmp_path / "out", "Nothing to export was chosen"),
        (ExportChoice(seg=True), results, "folder of the run itself"),
        (ExportChoice(seg=True), results / "dvh.png", "is a file"),
    ):
        with pytest.raises(DosimetryError, match=said):
            export_record(results, out, choice)
    assert not (tmp_path / "out").exists()


def test_a_changed_mask_is_an_error_that_names_the_file_and_nothing_is_left(results, tmp_path):
    path = results / "voi_layers.nrrd"
    image = sitk.ReadImage(str(path))
    sitk.WriteImage(sitk.Flip(image, [True, False, False]), str(path))
    with pytest.raises(ReportError, match=r"voi_layers.nrrd is no longer what the run wrote"):
        export_record(results, tmp_path / "out", ExportChoice(seg=True))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results"]
    told = json.loads((results / "provenance.json").read_text(encoding="utf-8"))
    with pytest.raises(ReportError, match="the mask of kidney_left is not the one"):
        read_layers(path, told["steps"]["vois"])


def test_masks_that_overlap_come_back_whole(tmp_path, balls):
    body, organ, lesion = balls()
    vois = [Voi(name, mask, GRID) for name, mask in (("a", body), ("b", organ), ("c", lesion), ("d", ~body))]
    write_layers(vois, tmp_path / "l.nrrd")
    image = sitk.ReadImage(str(tmp_path / "l.nrrd"))
    assert image.GetNumberOfComponentsPerPixel() == 3  # d lies beside a: one layer for both
    layers = sitk.GetArrayFromImage(image)
    for number, voi in enumerate(vois, start=1):
        np.testing.assert_array_equal((layers == number).any(axis=-1), voi.mask)


def test_an_empty_volume_or_none_cannot_become_contours(finished, tmp_path):
    told = json.loads((finished[1] / "provenance.json").read_text(encoding="utf-8"))
    exported = Exported(identity_of_record(told["patient"]), None, "x")
    empty = Voi("nothing", np.zeros(GRID.shape_zyx, dtype=bool), GRID)
    for vois, said in (([empty], "nothing has no voxel"), ([], "There is no volume of interest")):
        with pytest.raises(VoiError, match=said):
            write_structure_set(vois, tmp_path / "s.dcm", exported)
    assert list(tmp_path.iterdir()) == []


def test_long_names_fit_and_the_objects_stay_valid(long_named, tmp_path):
    answer = export_record(long_named, tmp_path / "out", ExportChoice(seg=True, sr=True, rtstruct=True))
    for name in ("vois_seg.dcm", "measurements_sr.dcm", "vois_rtstruct.dcm"):
        ds = pydicom.dcmread(tmp_path / "out" / name)
        assert str(ds.PatientName) == ("Long-" * 13)[:64] + "=" + "山" * 64
        if shutil.which("dciodvfy"):
            done = subprocess.run(["dciodvfy", tmp_path / "out" / name], capture_output=True, text=True, check=False)
            told = [line for line in (done.stderr + done.stdout).splitlines() if "Error" in line]
            # this validator counts bytes of all groups where PS3.5 6.2 counts the characters of each
            known = ("Patient's Name", "invalid data values")
            assert [line for line in told if not any(word in line for word in known)] == []
    assert any("AccessionNumber" in text for text in answer["warnings"])


def test_a_disk_that_refuses_leaves_nothing(finished, tmp_path, monkeypatch):
    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("RPTDosimetryLib.report.export_folder.write_image", full)
    with pytest.raises(ReportError, match="No space left on device"):
        export_record(finished[1], tmp_path / "out", ExportChoice(rtdose=True, nrrd=True))
    assert list(tmp_path.iterdir()) == []


def test_several_values_of_an_attribute_come_through_the_record(finished):
    told = json.loads((finished[1] / "provenance.json").read_text(encoding="utf-8"))["patient"]
    told["attributes"]["DeidentificationMethod"] = "first\\second"
    identity = identity_of_record(told)
    assert list(identity.attributes.DeidentificationMethod) == ["first", "second"]
    assert identity.record()["attributes"]["DeidentificationMethod"] == "first\\second"


@pytest.mark.parametrize("key", [None, "of a test"])
def test_a_study_without_dicom_images_still_gives_valid_objects_that_refer_to_no_image(finished, tmp_path, key):
    """As the record of an NRRD study has it: a patient's ID alone, made-up UIDs, no image."""
    run = shutil.copytree(finished[1], tmp_path / "run")
    told = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
    told["patient"] |= {"images": [], "series_instance_uid": "", "modality": ""}
    for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"):
        told["patient"]["attributes"][keyword] = ""
    (run / "provenance.json").write_text(json.dumps(told), encoding="utf-8")
    wanted = ExportChoice(rtdose=True, seg=True, sr=True, pdf=True, rtstruct=True, key=key)
    answer = export_record(run, tmp_path / "out", wanted)
    assert any("are not DICOM" in text for text in answer["warnings"])
    for name in OBJECTS:
        assert "ReferencedSeriesSequence" not in pydicom.dcmread(tmp_path / "out" / name)
        if shutil.which("dciodvfy"):
            done = subprocess.run(["dciodvfy", tmp_path / "out" / name], capture_output=True, text=True, check=False)
            assert "Error" not in done.stderr + done.stdout, name
