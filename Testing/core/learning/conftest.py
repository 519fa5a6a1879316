"""Small made-up patients whose Monte Carlo dose follows from their MSV dose by a rule that a network can learn."""

import sys
import types
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage

from RPTDosimetryLib.grid import Grid

SPACING = (4.8, 4.8, 4.8)


@dataclass(frozen=True)
class MadeUpPatient:
    name: str
    split: str
    grid: Grid
    hu: np.ndarray
    density_g_per_cm3: np.ndarray
    medium8: np.ndarray
    tia_bq_s: np.ndarray
    msv8_gy: np.ndarray
    photon_msv_gy: np.ndarray
    mc_gy: np.ndarray
    mc_se_gy: np.ndarray
    vois: dict = field(default_factory=dict)


def made_up_patient(seed=1, shape=(24, 28, 32), split="train"):
    """An ellipsoid of soft tissue with one lung of random size; "Monte Carlo" is 10 % lower than "MSV" in the lung."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    body = z**2 + (y / 0.85) ** 2 + (x / 0.9) ** 2 < 1.0
    lung = body & (z**2 + ((y - 0.1) / 0.5) ** 2 + ((x - 0.3) / rng.uniform(0.3, 0.4)) ** 2 < 0.6)
    density = np.where(lung, 0.3, np.where(body, 1.04, 1.21e-3)).astype(np.float32)
    hu = np.where(lung, -700, np.where(body, 40, -1000)).astype(np.int16)
    hot = scipy.ndimage.gaussian_filter(rng.random(shape), 1.0)
    tia = np.where(body, 1e9 * hot, 0.0).astype(np.float32)
    electron = np.where(body, tia * 0.2e-9 * 1.04 / density, 0.0)
    photon = np.where(body, scipy.ndimage.gaussian_filter(tia, 3.0) * 2e-11, 0.0)
    msv = (electron + photon).astype(np.float32)
    mc = np.where(lung, 0.9, 1.0) * msv
    medium = np.where(lung, 1, np.where(body, 3, 0)).astype(np.uint8)
    return MadeUpPatient(
        f"made_up_{seed}", split, Grid(shape, SPACING), hu, density, medium, tia, msv, photon.astype(np.float32),
        mc.astype(np.float32), (0.01 * mc).astype(np.float32), {"lung": lung, "soft": body & ~lung},
    )  # fmt: skip


@pytest.fixture
def make_patient():
    return made_up_patient


@pytest.fixture
def patients():
    return [made_up_patient(seed) for seed in (1, 2, 3)]


@pytest.fixture
def cohort(tmp_path, monkeypatch, patients):
    """Folder of a data set; reading it is replaced, as files and their reader are tested in their own place."""
    folder = tmp_path / "cohort"
    for patient in patients:
        (folder / patient.name).mkdir(parents=True)
        (folder / patient.name / "patient.json").write_text('{"split": "train"}', encoding="utf-8")
    by_name = {patient.name: patient for patient in patients}
    reader = types.ModuleType("RPTDosimetryLib.learning.patient_set")
    reader.read_patient = lambda path: by_name[Path(path).name]
    monkeypatch.setitem(sys.modules, reader.__name__, reader)
    return folder
