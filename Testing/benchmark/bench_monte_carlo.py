"""Monte Carlo of Lu-177 on a torso: decays a second, cores, memory, and what flatter sampling is worth.

The ICRP-110 torso of ../shared/data/am where it is beside the checkout, else the virtual patient on its own grid. A
figure for each second of processor time stands beside that of the clock, which other work on the machine slows.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.media import SCHNEIDER_8
from RPTDosimetryLib.registration.patient_map import patient_map
from RPTDosimetryLib.study.image_files import read_image
from RPTDosimetryLib.transport import voxel_run
from RPTDosimetryLib.transport.voxel_case import VoxelCase
from RPTDosimetryLib.transport.voxel_run import simulate_voxels
from RPTDosimetryLib.transport.voxel_settings import VoxelRunSettings
from RPTDosimetryLib.virtual_patient.torso_patient import torso_patient

AM = Path(__file__).resolve().parents[2] / "../shared/data/am"
DECAYS = 1e7
MATERIALS = [medium.material for medium in SCHNEIDER_8.media]


def torso():
    if AM.is_dir():
        tia, ct = read_image(AM / "tia_bq_s.nrrd", "Bq·s"), read_image(AM / "hu.nrrd", "HU")
        return "AM torso", case_of(tia.voxels, ct, tia.grid)
    patient = torso_patient(1)
    return "virtual torso", case_of(patient.tia_on(patient.grid), patient.ct, patient.grid)


def case_of(tia_bq_s, ct, grid):
    patient = patient_map(ct, grid, scheme=SCHNEIDER_8)
    tissue = np.where(patient.medium > 0, tia_bq_s, 0.0)
    return VoxelCase(tissue, patient.density.voxels, patient.medium, MATERIALS, grid)


def seconds_of(case, settings):
    """Seconds by the clock, of the processor, and the dose."""
    start, processor = time.perf_counter(), time.process_time()
    dose = simulate_voxels("Lu-177", case, settings)
    return time.perf_counter() - start, time.process_time() - processor, dose


def bench():
    name, case = torso()
    simulate_voxels("Lu-177", case, VoxelRunSettings(decays=4e3))  # compiled or read from the cache, not timed
    rows = []
    shape = "×".join(map(str, case.grid.shape_zyx[::-1]))
    for share in (0.25, 1.0):
        wall, processor, dose = seconds_of(case, VoxelRunSettings(decays=DECAYS, photon_share=share))
        rate, each = dose.decays / wall / 1e6, dose.decays / processor / 1e6
        note = f"{rate:.2f}e6 decays/s with tables (bar 2e6, aim 4e6), {each:.2f}e6 a processor second"
        rows.append((f"{name} {shape}, 1e7 decays, photon share {share:g}", wall, note))
    one = one_core(case)
    rows.append((f"{name}, the same on one core, share 1", one, f"{one / rows[-1][1]:.2f} × as long"))
    rows += [(f"{name}, {what}", seconds, note) for what, seconds, note in sampling(case)]
    rows.append(memory_row())
    return rows


def one_core(case):
    cores = voxel_run.cores
    voxel_run.cores = lambda: 1
    try:
        return seconds_of(case, VoxelRunSettings(decays=DECAYS, photon_share=1.0))[0]
    finally:
        voxel_run.cores = cores


def sampling(case):
    """Efficiency 1/(σ²T), σ the median relative error of voxels, against sampling that follows the activity."""
    before = {}
    for flattening in (0.0, 0.25, 0.5):
        wall, seconds, dose = seconds_of(case, VoxelRunSettings(decays=DECAYS, flattening=flattening))
        total = dose.total_gy
        relative = dose.standard_error_gy / np.maximum(total, 1e-12)
        groups = {"hot": total >= 0.1 * total[dose.tissue].max(), "cold": total < 0.01 * total[dose.tissue].max()}
        found = {
            name: 1.0 / (float(np.median(relative[group & dose.tissue])) ** 2 * seconds)
            for name, group in groups.items()
        }
        before = before or found
        ratios = ", ".join(f"{name} voxels × {found[name] / before[name]:.2f}" for name in groups)
        yield f"flattening {flattening:g}", wall, f"efficiency of {ratios}"


def memory_row():
    """Peak memory of a run on 128³ voxels, in a process of its own."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    seconds, megabytes = done.stdout.split()
    return "128×128×128, 1e6 decays, process of its own", float(seconds), f"peak {megabytes} MB (bar 1500 MB)"


def large_run():
    grid = Grid((128, 128, 128), (4.0, 4.0, 4.0))
    _, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in grid.shape_zyx), indexing="ij")
    body = x**2 + y**2 < 0.8
    case = VoxelCase(
        np.where(body, 1e8, 0.0).astype(np.float32), np.where(body, 1.04, 0.0012).astype(np.float32),
        np.where(body, 3, 0).astype(np.uint8), MATERIALS, grid,
    )  # fmt: skip
    start = time.perf_counter()
    simulate_voxels("Lu-177", case, VoxelRunSettings(decays=1e6))
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    print("{:.2f} {:.0f}".format(*large_run()))
