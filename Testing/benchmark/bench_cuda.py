"""Monte Carlo on a CUDA device: 128×128×80 voxels of 4.8 mm, a body of soft tissue with lungs and bone."""

import math
import time

import numpy as np

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.transport.cuda_device import cuda_is_there
from RPTDosimetryLib.transport.voxel_case import VoxelCase
from RPTDosimetryLib.transport.voxel_run import simulate_voxels
from RPTDosimetryLib.transport.voxel_settings import VoxelRunSettings

GRID = Grid((80, 128, 128), (4.8, 4.8, 4.8))
DECAYS = {"Lu-177": 1e9, "Y-90": 1e8}


def body():
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape_zyx), indexing="ij")
    inside = x**2 + (1.5 * y) ** 2 < 0.9
    medium = np.full(GRID.shape_zyx, 1)
    medium[(np.abs(x) - 0.35) ** 2 + y**2 + z**2 < 0.06] = 0
    medium[x**2 + (y - 0.4) ** 2 < 0.004] = 2
    density = np.where(inside, np.array([0.26, 1.03, 1.6])[medium], 0.0)
    activity = np.where(inside, np.random.default_rng(1).gamma(0.3, 1e9, GRID.shape_zyx), 0.0)
    materials = [material(name) for name in ("schneider_lung", "schneider_soft", "schneider_bone5")]
    return VoxelCase(activity, density, medium, materials, GRID)


def seconds(nuclide, case, decays):
    start = time.perf_counter()
    simulate_voxels(nuclide, case, VoxelRunSettings(decays=decays, batch_decays=decays / 40, device="cuda"))
    return time.perf_counter() - start


def bench():
    answer = cuda_is_there()
    if not answer.usable:
        return [("Monte Carlo on a CUDA device", math.nan, f"not measured: {answer.text}")]
    case, rows = body(), []
    for nuclide, decays in DECAYS.items():
        first_s = seconds(nuclide, case, 4e5)
        taken_s = seconds(nuclide, case, decays)
        rows.append((f"Monte Carlo {nuclide} 128×128×80, 4e5 decays, first time", first_s, "tables and compiling"))
        note = f"{decays / taken_s:.2g} decays/s, tables and sums included; {answer.text}"
        rows.append((f"Monte Carlo {nuclide} 128×128×80, {decays:g} decays", taken_s, note))
    return rows
