"""Runs in a process of its own with numba's CUDA simulator: rays and ways of a small patient, on the device.

NUMBA_ENABLE_CUDASIM=1 NUMBA_DISABLE_JIT=1 python simulated_sums.py sums.npz
"""

import sys

import numpy as np

VOXEL = (4.8, 4.8, 4.8)
BLOCK_MM = np.array([19.2, 15.0, 24.0])


def small_patient(shape=(4, 5, 6)):
    """TIA and density of a patchwork of lung, soft tissue and air."""
    rng = np.random.default_rng(4)
    density = np.array([0.00121, 0.26, 1.04])[rng.integers(0, 3, shape)].astype(np.float32)
    return (rng.random(shape) * 1e9 * (density > 0.01)).astype(np.float32), density


def small_blocks(shape=(3, 4, 6)):
    """Blocks that count, and both kinds of matter in all."""
    rng = np.random.default_rng(5)
    return np.argwhere(rng.random(shape) > 0.2).astype(np.int32), rng.random((2, *shape))


def on_the_device():
    """Both by the kernels of gpu_sums; rays by one thread, as plain functions of the simulator add without atomics."""
    from RPTDosimetryLib.learning import gpu_sums
    from RPTDosimetryLib.learning.electron_paths import _rays, _within
    from RPTDosimetryLib.learning.photon_transport import _near_factors

    tia, density = small_patient()
    rays = _rays(VOXEL)
    few = type(rays)(*(field[::8] for field in rays))
    traced = np.zeros((1, tia.size))
    gpu_sums.launch_rays(tia, density, few, _within("Lu-177", VOXEL), traced, threads=1)
    index, matter = small_blocks()
    ways = np.zeros((3, len(index), len(index)), dtype=np.float32)
    gpu_sums.launch_ways(index, matter, BLOCK_MM, _near_factors(), ways, threads=4)
    return {"traced": traced.reshape(tia.shape), "ways": ways}


if __name__ == "__main__":
    np.savez(sys.argv[1], **on_the_device())
