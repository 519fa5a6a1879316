"""Small made-up patients whose Monte Carlo dose follows from their MSV dose by a rule that a network can learn."""

import numpy as np
import pytest
import scipy.ndimage

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.learning.patient_set import PatientArrays, write_patient
from RPTDosimetryLib.physics.hounsfield import density_from_hu

SPACING = (4.8, 4.8, 4.8)


@pytest.fixture(scope="module")
def one_thread():
    """Threads of several tests at once wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made_up_patient(seed=1, shape=(24, 28, 32), split="train"):
    """An ellipsoid of soft tissue with one lung of random size; "Monte Carlo" is 10 % lower than "MSV" in the lung."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    body = z**2 + (y / 0.85) ** 2 + (x / 0.9) ** 2 < 1.0
    lung = body & (z**2 + ((y - 0.1) / 0.5) ** 2 + ((x - 0.3) / rng.uniform(0.3, 0.4)) ** 2 < 0.6)
    hu = np.where(lung, -700, np.where(body, 40, -1000)).astype(np.int16)
    density = density_from_hu(hu)
    hot = scipy.ndimage.gaussian_filter(rng.random(shape), 1.0)
    tia = np.where(body, 1e9 * hot, 0.0).astype(np.float32)
    electron = np.where(body, tia * 0.2e-9 * 1.04 / density, 0.0)
    photon = np.where(body, scipy.ndimage.gaussian_filter(tia, 3.0) * 2e-11, 0.0)
    msv = (electron + photon).astype(np.float32)
    mc = np.where(lung, 0.9, 1.0) * msv
    return PatientArrays(
        name=f"made_up_{seed}",
        grid=Grid(shape, SPACING),
        hu=hu,
        density_g_per_cm3=density,
        tia_bq_s=tia,
        medium8=np.where(lung, 1, np.where(body, 3, 0)).astype(np.uint8),
        ssv_gy=msv,
        msv8_gy=msv,
        msv20_gy=msv,
        photon_msv_gy=photon.astype(np.float32),
        mc_gy=mc.astype(np.float32),
        mc_se_gy=(0.01 * mc).astype(np.float32),
        vois={"lung": lung, "soft": body & ~lung},
        kinds={"lung": "organ", "soft": "region"},
        record={"split": split},
    )


@pytest.fixture
def make_patient():
    return made_up_patient


@pytest.fixture
def patients():
    return [made_up_patient(seed) for seed in (1, 2, 3)]


@pytest.fixture
def cohort(tmp_path, patients):
    """Folder of a data set."""
    for patient in patients:
        write_patient(patient, tmp_path / "cohort" / patient.name)
    return tmp_path / "cohort"
