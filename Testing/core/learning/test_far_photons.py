"""Far photons by radiological path: none in soft tissue, the scaled kernel behind lung and bone, linear, mirrored."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='networks need torch: pip install "slicer-rpt-dosimetry[dl]"')

from RPTDosimetryLib.learning.far_photons import TABLE_MM, _table, far_photons  # noqa: E402
from RPTDosimetryLib.learning.photon_bands import soft_kernels  # noqa: E402

VOXEL = (4.8, 4.8, 4.8)
SHAPE = (24, 24, 72)
#: A voxel beside the middle of the block that is looked at, 211 mm along x from that of the source.
TARGET = (10, 10, 54)


def phantom(between=1.04):
    """Soft tissue at the kernels' density, with a slab of another density from x = 20 to 44."""
    density = torch.full(SHAPE, 1.04)
    density[:, :, 20:44] = between
    tia = torch.zeros(SHAPE)
    tia[8:12, 8:12, 8:12] = 1e9  # one whole block
    return tia, density, torch.ones(SHAPE)


def far(tia, density, tissue):
    return far_photons(tia, density, tissue, soft_kernels("Lu-177", VOXEL))


def test_in_soft_tissue_kernels_are_right_as_they_are():
    assert float(far(*phantom()).abs().max()) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("between", [0.26, 0.95, 1.6])
def test_behind_a_slab_it_is_the_kernel_scaled_by_the_mean_density(between):
    found = float(far(*phantom(between))[9:11, 9:11, 53:55].mean())  # around the middle of its block
    table = _table(soft_kernels("Lu-177", VOXEL))
    at = np.arange(table.size) * TABLE_MM
    r = 44 * 4.8
    share = 24 / 44  # of the way lies in the slab
    m = 1.0 + share * (between / 1.04 - 1.0)
    expected = 64e9 * (m**2 * np.interp(m * r, at, table) - np.interp(r, at, table))
    assert found == pytest.approx(expected, rel=0.01)
    assert (found > 0) == (between < 1.04)


def test_the_table_is_the_kernel():
    """Between voxels' kernels along an axis and the table at the same distance lies a percent."""
    kernels = soft_kernels("Lu-177", VOXEL)
    table = _table(kernels)
    for voxels in (10, 20, 40):
        assert table[voxels] == pytest.approx(float(kernels.photon[0, 0, voxels]), rel=0.02)


def test_it_is_linear_in_the_activity():
    tia, density, tissue = phantom(0.3)
    other = torch.rand(SHAPE, generator=torch.Generator().manual_seed(2)) * 1e8
    both = far(tia + 3.0 * other, density, tissue)
    torch.testing.assert_close(
        both, far(tia, density, tissue) + 3.0 * far(other, density, tissue), rtol=1e-4, atol=1e-9
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_patient_gets_the_mirrored_map(axis):
    tia, density, tissue = phantom(0.3)
    tia[4:8, 12:16, 60:64] = 5e8
    mirrored = far(*(v.flip(axis) for v in (tia, density, tissue)))
    plain = far(tia, density, tissue)
    torch.testing.assert_close(mirrored, plain.flip(axis), rtol=1e-3, atol=1e-4 * float(plain.abs().max()))


def test_there_is_none_in_air_and_none_near():
    tia, density, tissue = phantom(0.3)
    tissue[:, :, 64:] = 0.0
    found = far(tia, density, tissue)
    assert not found[:, :, 64:].any()
    density = torch.full(SHAPE, 0.3)
    density[:, :, 14:] = 1.04  # lung around the source alone: nothing is far enough from it to count there
    assert float(far(tia, density, tissue)[10, 10, 12].abs()) < 1e-3 * float(far(tia, density, tissue)[TARGET].abs())
