"""Runs in a process of its own with numba's CUDA simulator: histories of a small case, one by one and as a batch.

NUMBA_ENABLE_CUDASIM=1 NUMBA_DISABLE_JIT=1 python simulated_device.py scores.npz
"""

import sys
import warnings

import numpy as np

from RPTDosimetryLib.errors import TransportError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.transport import cuda_batch
from RPTDosimetryLib.transport.cuda_batch import DeviceWorker
from RPTDosimetryLib.transport.voxel_case import VoxelCase
from RPTDosimetryLib.transport.voxel_histories import Histories
from RPTDosimetryLib.transport.voxel_run import VoxelMonteCarlo, simulate_voxels
from RPTDosimetryLib.transport.voxel_settings import VoxelRunSettings

#: Decays of a batch.
DECAYS = {"Lu-177": 500.0, "Y-90": 250.0}
KINDS = (1, 2)


def small_case():
    """Activity in a patchwork of lung, soft tissue, bone and vacuum, 5×5×5 voxels."""
    rng = np.random.default_rng(6)
    shape = (5, 5, 5)
    medium = rng.integers(0, 3, shape)
    density = np.array([0.26, 1.03, 1.6])[medium]
    density[0, 0, :] = 0.0
    materials = [material("schneider_lung"), material("schneider_soft"), material("schneider_bone5")]
    tia = np.where(density > 0, rng.random(shape) * 1e9, 0.0)
    return VoxelCase(tia, density, medium, materials, Grid(shape, (2.0, 2.5, 3.0)))


def small_settings(nuclide, device):
    return VoxelRunSettings(
        decays=1e3, batch_decays=DECAYS[nuclide], photon_share=1.0, flattening=0.5, seed=3, device=device
    )


def small_plan(nuclide, device="cpu"):
    return VoxelMonteCarlo(nuclide, small_case(), small_settings(nuclide, device))._plan


def one_by_one(nuclide):
    """Score of each history: kind → (history, part, cell) [keV]."""
    plan = small_plan(nuclide)
    worker = DeviceWorker(plan)
    told = {}
    for kind in KINDS:
        number = worker._beams[kind][2]
        told[f"{nuclide} {kind}"] = scores = np.zeros((number, *worker.score.shape))
        for history in range(number):
            worker._score.copy_to_device(np.zeros_like(worker.score))
            worker._launch(kind, Histories(plan.seed_of(0, kind), history, history + 1, number))
            worker._score.copy_to_host(scores[history])
    return told


def one_batch(nuclide):
    """Score of a batch in launches of at most 100 histories at first, and the energies booked [keV]."""
    worker = DeviceWorker(small_plan(nuclide))
    worker._at_once = dict.fromkeys(KINDS, 100)
    return {f"{nuclide} booked": worker.run(0, lambda: False), f"{nuclide} batch": worker.score}


def stopped():
    """What a stopped batch gives, and whether its score is empty; the next batch is as if nothing had been."""
    worker = DeviceWorker(small_plan("Lu-177"))
    worker._at_once = dict.fromkeys(KINDS, 100)
    answers = iter([False, True])
    given = worker.run(5, lambda: next(answers))
    empty = not worker.score.any()
    worker.run(0, lambda: False)
    return {"stopped": given is None and empty, "after a stop": worker.score}


def without_room():
    """What a worker says whose threads have no room for secondaries."""
    cuda_batch.rows_needed = lambda plan: 0
    try:
        DeviceWorker(small_plan("Y-90")).run(0, lambda: False)
    except TransportError as error:
        return {"without room": str(error)}
    return {"without room": ""}


def whole_run():
    dose = simulate_voxels("Lu-177", small_case(), small_settings("Lu-177", "cuda"))
    return {"dose": dose.total_gy, "error": dose.standard_error_gy}


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # random numbers overflow on purpose
    told = {}
    for name in DECAYS:
        told |= one_by_one(name) | one_batch(name)
    np.savez(sys.argv[1], **told, **stopped(), **whole_run(), **without_room())
