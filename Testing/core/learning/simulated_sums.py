"""Runs in a process of its own with numba's CUDA simulator: rays and pairs of a small patient, summed on the device.

NUMBA_ENABLE_CUDASIM=1 NUMBA_DISABLE_JIT=1 python simulated_sums.py sums.npz
"""

import sys

import numpy as np

VOXEL = (4.8, 4.8, 4.8)
BLOCK_MM = np.array([19.2, 19.2, 19.2])


def small_patient(shape=(4, 5, 6)):
    """TIA and density of a patchwork of lung, soft tissue and air."""
    rng = np.random.default_rng(4)
    density = np.array([0.00121, 0.26, 1.04])[rng.integers(0, 3, shape)].astype(np.float32)
    return (rng.random(shape) * 1e9 * (density > 0.01)).astype(np.float32), density


def small_blocks(shape=(3, 4, 6)):
    """Decays, matter and tissue of blocks, some without."""
    rng = np.random.default_rng(5)
    return rng.random(shape) * 1e9 * (rng.random(shape) > 0.3), rng.random(shape), rng.random(shape) > 0.2


def table():
    """A kernel that falls with distance."""
    return 1e-15 * np.exp(-0.1 * np.arange(40))


def on_the_device():
    """Both sums by the kernels of gpu_sums; one thread, as plain functions of the simulator add without atomics."""
    from RPTDosimetryLib.learning import gpu_sums
    from RPTDosimetryLib.learning.electron_paths import _rays, _within

    tia, density = small_patient()
    rays = _rays(VOXEL)
    few = type(rays)(*(field[::8] for field in rays))
    traced = np.zeros((1, tia.size))
    gpu_sums.launch_rays(tia, density, few, _within("Lu-177", VOXEL), traced, threads=1)
    blocks = small_blocks()
    summed = np.zeros((1, blocks[0].size))
    gpu_sums.launch_pairs(*blocks, BLOCK_MM, table(), summed, threads=1)
    return {"traced": traced.reshape(tia.shape), "summed": summed.reshape(blocks[0].shape)}


if __name__ == "__main__":
    np.savez(sys.argv[1], **on_the_device())
