"""A finished run of a small patient whose images are DICOM, with a name in another script, and its results folder."""

import shutil
import warnings
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pydicom
import pytest

from RPTDosimetryLib.configuration import settings_from
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.pipeline import run
from RPTDosimetryLib.records import Administration, Code, Image, Segment
from RPTDosimetryLib.virtual_patient.dicom_writer import PatientInfo, Visit, write_ct_series, write_nm_recon_tomo
from RPTDosimetryLib.virtual_patient.seg_writer import write_seg

GRID = Grid((12, 16, 18), (4.8, 4.8, 4.8), (-40.8, -36.0, -26.4))
#: Written by the scanner in UTF-8 (see in_utf8); the virtual camera writes no other letters than ASCII.
NAME = "Müller^Łucja=山田^太郎"
PATIENT = PatientInfo("ID-4711", "Mueller^Lucja", "F", "19600102", 71.5)
GIVEN = datetime(2024, 5, 13, 9, 22, tzinfo=UTC)
SETTINGS = {
    "registration": {"method": "none"},
    "tia": {"model": "monoexponential", "voi_model": "monoexponential"},
    "dose": {"engine": "local"},
}


def ball_masks():
    """(body, organ, lesion): three masks, the lesion inside the organ."""
    z, y, x = (4.8 * (np.indices(GRID.shape_zyx)[a] - (GRID.shape_zyx[a] - 1) / 2) for a in range(3))
    body = (z / 26) ** 2 + (y / 34) ** 2 + (x / 40) ** 2 < 1
    organ = (z / 15) ** 2 + (y / 15) ** 2 + ((x - 12) / 18) ** 2 < 1
    lesion = (z / 8) ** 2 + (y / 8) ** 2 + ((x - 14) / 8) ** 2 < 1
    return body, organ, lesion


def in_utf8(path, name):
    """Give a file a name in any script."""
    ds = pydicom.dcmread(path)
    ds.SpecificCharacterSet, ds.PatientName = "ISO_IR 192", name
    ds.save_as(path)


def write_study(folder, patient=PATIENT, name=NAME):
    """Two visits in one frame of reference, a CT, and a SEG with an organ and a lesion inside it."""
    folder.mkdir()
    body, organ, lesion = ball_masks()
    for number, hours in enumerate((4, 72), start=1):
        moment = datetime.fromtimestamp(GIVEN.timestamp() + 3600 * hours, tz=UTC)
        visit = Visit(number, moment, frame="one")
        activity = (2e4 * body + 8e5 * organ + 2e6 * lesion) * 2 ** (-hours / 60)
        image = Image(activity.astype(np.float32), GRID, "Bq/mL")
        write_nm_recon_tomo(image, folder / f"nm{number}.dcm", patient, visit, Administration("Lu-177", 7.4e9, GIVEN))
    visit = Visit(1, datetime.fromtimestamp(GIVEN.timestamp() + 3600 * 4, tz=UTC), frame="one")
    write_ct_series(Image(np.where(body, 30, -1000).astype(np.int16), GRID, "HU"), folder / "ct", patient, visit)
    kidney = Segment("kidney_left", organ, GRID, Code("64033007", "SCT", "Kidney", "left"))
    found = Segment("lesion_1", lesion, GRID, Code("52988006", "SCT", "Lesion"))
    write_seg([kidney, found], folder / "seg.dcm", patient, visit, sorted((folder / "ct").iterdir()))
    for path in folder.rglob("*.dcm"):
        in_utf8(path, name)
    return folder


@pytest.fixture(scope="session")
def balls():
    """The masks of the patient: body, organ, lesion."""
    return ball_masks


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Study and results; not to be spoiled."""
    folder = tmp_path_factory.mktemp("finished")
    study = write_study(folder / "Müller_study")
    run(study, settings_from(SETTINGS, "test"), folder / "results")
    return study, folder / "results"


@pytest.fixture
def results(finished, tmp_path):
    """A copy of the results that may be spoiled."""
    return shutil.copytree(finished[1], tmp_path / "results")


@pytest.fixture(scope="session")
def long_named(tmp_path_factory):
    """A run of a patient and a volume whose names no DICOM value can hold, in scripts that one font does not have."""
    folder = tmp_path_factory.mktemp("long")
    name = "Long-" * 20 + "^" + "Ö" * 80 + "=" + "山" * 80
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the name is longer than DICOM allows: that is what is tested
        study = write_study(folder / "study", replace(PATIENT, patient_id="9" * 64), name)
    run(study, settings_from(SETTINGS, "test"), folder / "results")
    return folder / "results"
