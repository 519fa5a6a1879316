"""Networks on a torso of 128×128×80 voxels of 4.8 mm: bars 5 s for the default's correction, 15 s for UNETR, 3 GB."""

import importlib.util
import sys
import time

import numpy as np

from RPTDosimetryLib.dose.engine import DoseSettings, DoseTask
from RPTDosimetryLib.dose.voxel_s import msv_with_photons
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.hounsfield import density_from_hu
from RPTDosimetryLib.physics.media import SCHEMES
from RPTDosimetryLib.records import Image, PatientMap, TiaMap

GRID = Grid((80, 128, 128), (4.8, 4.8, 4.8))


def torso():
    """An ellipse of soft tissue of 40 × 25 cm with lungs and a spine, noisy activity in it."""
    rng = np.random.default_rng(1)
    _, y, x = np.meshgrid(*((np.arange(n) - n / 2) * 4.8 for n in GRID.shape_zyx), indexing="ij")
    hu = np.where((x / 200) ** 2 + (y / 125) ** 2 < 1.0, 40.0, -1000.0)
    lungs = ((np.abs(x) - 90) / 60) ** 2 + (y / 85) ** 2 < 1.0
    hu[40:][lungs[40:]] = -750.0
    hu[(x / 20) ** 2 + ((y - 85) / 20) ** 2 < 1.0] = 500.0
    tia = np.where(hu > -900, rng.gamma(1.0, 1e9, GRID.shape_zyx), 0.0).astype(np.float32)
    density = Image(density_from_hu(hu), GRID, "g/cm3")
    patient = PatientMap(density, SCHEMES["msv8"].media_from_hu(hu), "msv8", "made up")
    return DoseTask(TiaMap(Image(tia, GRID, "Bq·s"), "made up", 0.0), patient, "Lu-177", DoseSettings())


def memory_gb():
    """Highest memory of this process so far."""
    if sys.platform == "win32":
        return float("nan")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)


def seconds_of(model, task, dose, runs):
    """Of each run, from maps of the host to the correction on the host. dose: (MSV, its photon part)."""
    from RPTDosimetryLib.learning.correction import correction_of

    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        correction_of(model, task, *dose)
        seconds.append(time.perf_counter() - start)
    return seconds


def bench():
    if importlib.util.find_spec("torch") is None:
        return [("hybrid", float("nan"), "torch is not installed")]
    import torch

    from RPTDosimetryLib.learning.model_file import read_model, shipped_models

    task = torso()
    base, photon_gy = msv_with_photons(task)
    dose = base.dose_gy, photon_gy
    rows = []
    for name in shipped_models():
        model = read_model(name)
        seconds = min(seconds_of(model, task, dose, 2))
        note = f"{len(model.modules)} members; {memory_gb():.2f} GB at most"
        rows.append((f"hybrid: correction by {name}, 128×128×80", seconds, note))
    if torch.cuda.is_available():  # bar 0.3 s
        for name in shipped_models():
            seconds = float(np.median(seconds_of(read_model(name, "cuda"), task, dose, 8)[2:]))
            memory = torch.cuda.max_memory_allocated() / 1e9
            note = f"{torch.cuda.get_device_name()}, median of the last six; {memory:.2f} GB"
            rows.append((f"hybrid: correction by {name} on a GPU, 128×128×80", seconds, note))
    return rows


if __name__ == "__main__":
    for row in bench():
        print(*row)
