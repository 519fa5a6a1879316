"""Small studies on disk, written as real DICOM, and the real data where it is present."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Image
from RPTDosimetryLib.virtual_patient.dicom_writer import (
    NmOptions,
    PatientInfo,
    PtOptions,
    Visit,
    write_ct_series,
    write_nm_recon_tomo,
    write_pt_series,
)

ADMINISTERED = datetime(2024, 5, 13, 9, 22)
HALF_LIFE_S = 574300.0


@pytest.fixture
def patient():
    return PatientInfo(patient_id="P01", seed=7)


@pytest.fixture
def administration():
    return Administration("Lu-177", 7.4e9, ADMINISTERED, HALF_LIFE_S)


@pytest.fixture
def grid():
    return Grid((5, 6, 7), (4.8, 4.0, 5.0), (-20.0, -30.0, 100.0))


@pytest.fixture
def spect(grid):
    return activity_on(grid)


@pytest.fixture
def hu(spect):
    return Image(np.rint(spect.voxels / 100).astype(np.float32), spect.grid, "HU")


def activity_on(grid, seed=1):
    """Bq/mL that differ from voxel to voxel."""
    values = np.random.default_rng(seed).uniform(1e3, 1e5, grid.shape_zyx)
    return Image(values.astype(np.float32), grid, "Bq/mL")


def visit_at(number=1, hours=4.0, **more):
    return Visit(number, ADMINISTERED + timedelta(hours=hours), **more)


class StudyWriter:
    """Writes the parts of a study below one folder; every part can be left out or changed."""

    def __init__(self, folder, patient, administration):
        self.folder, self.patient, self.administration = folder, patient, administration

    def nm(self, image, at=None, name="nm.dcm", administration=None, **options):
        path = self.folder / name
        who = administration or self.administration
        return write_nm_recon_tomo(image, path, self.patient, at or visit_at(), who, NmOptions(**options))

    def pt(self, image, at=None, name="pt", administration=None, **options):
        who = administration or self.administration
        return write_pt_series(image, self.folder / name, self.patient, at or visit_at(), who, PtOptions(**options))

    def ct(self, image, at=None, name="ct"):
        return write_ct_series(image, self.folder / name, self.patient, at or visit_at())


@pytest.fixture
def write(tmp_path, patient, administration):
    return StudyWriter(tmp_path / "study", patient, administration)


def edit_file(path, change):
    """Apply ``change`` to the dataset of a file and save it."""
    ds = pydicom.dcmread(path)
    change(ds)
    ds.save_as(path)


def shared_path(name):
    path = Path(__file__).resolve().parents[3].parent / "shared" / "data" / name
    if not path.exists():
        pytest.skip(f"../shared/data/{name} is not beside this checkout")
    return path


# Functions that tests call are handed out as fixtures: conftest files cannot be imported.
@pytest.fixture(scope="session")
def activity():
    return activity_on


@pytest.fixture(scope="session")
def visit():
    return visit_at


@pytest.fixture(scope="session")
def edit():
    return edit_file


@pytest.fixture(scope="session")
def shared_data():
    return shared_path
