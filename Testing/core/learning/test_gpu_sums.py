"""Rays and ways between blocks on a CUDA device: as on the cores in numba's simulator, and code for real devices."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='networks need torch: pip install "slicer-rpt-dosimetry[dl]"')
pytest.importorskip("numba.cuda", reason="this numba has no CUDA target")

from RPTDosimetryLib.learning import gpu_sums  # noqa: E402
from RPTDosimetryLib.learning.electron_paths import _rays, _within, trace_on_cores  # noqa: E402
from RPTDosimetryLib.learning.photon_transport import _near_factors, ways_on_cores  # noqa: E402
from RPTDosimetryLib.learning.physics_maps import _sums_on  # noqa: E402
from RPTDosimetryLib.transport.cuda_device import cuda_is_there  # noqa: E402

SCRIPT = Path(__file__).with_name("simulated_sums.py")


small = SimpleNamespace(**runpy.run_path(str(SCRIPT)))


@pytest.fixture(scope="module")
def simulated(in_simulator):
    return in_simulator(SCRIPT)


def test_rays_on_the_device_are_those_of_the_cores(simulated):
    tia, density = map(torch.as_tensor, small.small_patient())
    rays = _rays(small.VOXEL)
    few = type(rays)(*(field[::8] for field in rays))
    expected = trace_on_cores(tia, density, few, _within("Lu-177", small.VOXEL)).numpy()
    np.testing.assert_allclose(simulated["traced"], expected, rtol=1e-6, atol=1e-9 * expected.max())
    assert (expected > 0).sum() > 60


def test_ways_on_the_device_are_those_of_the_cores(simulated):
    index, matter = map(torch.as_tensor, small.small_blocks())
    expected = np.stack([one.numpy() for one in ways_on_cores(index, matter, small.BLOCK_MM, _near_factors())])
    np.testing.assert_allclose(simulated["ways"], expected, rtol=1e-5, atol=1e-5)
    assert (expected[1] > 0).sum() > 1000


@pytest.mark.parametrize("which", ["rays", "ways"])
def test_both_compile_for_a_data_centre_device(ptx_of, which):
    if which == "rays":
        tia, density = small.small_patient()
        arguments = (tia, density, _rays(small.VOXEL), _within("Lu-177", small.VOXEL), np.zeros((1, tia.size)))
        ptx = ptx_of(gpu_sums.rays_of_a_voxel, *arguments)
        assert "atom" in ptx or "red." in ptx
    else:
        index, matter = small.small_blocks()
        answer = np.zeros((3, len(index), len(index)), dtype=np.float32)
        ptx = ptx_of(gpu_sums.way_of_a_pair, index, matter, small.BLOCK_MM, _near_factors(), answer)
    assert ".target sm_80" in ptx
    assert ptx.count(".entry") == 1


def test_without_a_gpu_the_cores_do_it():
    assert _sums_on(torch.device("cpu")) == (None, None)
    on_gpu = (gpu_sums.trace_on_gpu, gpu_sums.ways_on_gpu)
    assert _sums_on(torch.device("cuda")) == (on_gpu if cuda_is_there().usable else (None, None))
