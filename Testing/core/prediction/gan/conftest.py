"""A tiny set of made-up patients whose dose per uptake differs from organ to organ."""

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

ORGANS = {"kidneys": 1, "liver": 2, "spleen": 3}
#: Uptake [SUV], dose per uptake [Gy/GBq] and CT number of each: what a plain projection cannot know.
KINETICS = {"kidneys": (20.0, 0.030, 0.0), "liver": (6.0, 0.015, 110.0), "spleen": (25.0, 0.060, 60.0)}


def blob(shape, centre, radius):
    z, y, x = np.indices(shape)
    return ((z - centre[0]) / radius) ** 2 + ((y - centre[1]) / radius) ** 2 + ((x - centre[2]) / radius) ** 2 <= 1


def write_blob_patient(folder, seed, shape=(32, 40, 40), **described):
    """Blobs in a round trunk: dose = dose per uptake times uptake, organ by organ; PET = uptake, blurred, noisy."""
    rng = np.random.default_rng(seed)
    trunk = blob(shape, (shape[0] / 2, shape[1] / 2, shape[2] / 2), min(shape[1:]) / 2 + 6)
    hu = np.where(trunk, 20.0, -1000.0)
    uptake, dose = np.where(trunk, 0.5, 0.0), np.where(trunk, 0.004, 0.0)
    labels = np.zeros(shape, np.uint8)
    for name, number in ORGANS.items():
        suv, gy, ct = KINETICS[name]
        centre = [n / 2 + rng.uniform(-4, 4) + (number - 2) * 8 * (axis == 2) for axis, n in enumerate(shape)]
        inside = blob(shape, centre, rng.uniform(5, 8)) & trunk & (labels == 0)
        here = suv * rng.lognormal(0, 0.3)
        uptake[inside], dose[inside], hu[inside], labels[inside] = here, here * gy, ct, number
    weight_kg = rng.uniform(55, 95)
    suv = gaussian_filter(uptake, 0.7) * weight_kg / 70.0 * rng.lognormal(0, 0.05, shape)
    folder.mkdir(parents=True)
    np.savez_compressed(
        folder / "arrays.npz", pet_suv=suv.astype(np.float32), hu=hu.astype(np.int16),
        dose_gy=dose.astype(np.float32), labels=labels,
    )  # fmt: skip
    about = {
        "weight_kg": weight_kg,
        "spacing_mm": [4.8, 4.8, 4.8],
        "labels": ORGANS,
        "person": folder.name,
        "reference_activity_bq": 1e9,
    }
    (folder / "patient.json").write_text(json.dumps({**about, **described}))
    return folder


@pytest.fixture(scope="session")
def blob_patients(tmp_path_factory):
    """Folder of six patients."""
    root = tmp_path_factory.mktemp("blob_patients")
    for number in range(6):
        write_blob_patient(root / f"blob{number}", number)
    return root
