"""Photon transport on blocks: the voxel S kernel in endless tissue, Monte Carlo between media, linear, symmetric."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='networks need torch: pip install "slicer-rpt-dosimetry[dl]"')

from RPTDosimetryLib.errors import LearningError  # noqa: E402
from RPTDosimetryLib.grid import Grid  # noqa: E402
from RPTDosimetryLib.learning import photon_transport  # noqa: E402
from RPTDosimetryLib.learning.photon_bands import SCALAR, photon_bands, soft_kernels  # noqa: E402
from RPTDosimetryLib.learning.photon_groups import EDGES_KEV, MATTER, kerma_gy_cm2, photon_groups  # noqa: E402
from RPTDosimetryLib.learning.photon_transport import _endless, _octant, _solved, transported_photons  # noqa: E402
from RPTDosimetryLib.physics.klein_nishina import ELECTRON_REST_KEV  # noqa: E402
from RPTDosimetryLib.physics.materials import material  # noqa: E402
from RPTDosimetryLib.physics.media import SCHEMES  # noqa: E402
from RPTDosimetryLib.physics.nuclides import nuclide  # noqa: E402
from RPTDosimetryLib.physics.photon_cross_sections import electrons_per_g, mass_cross_sections  # noqa: E402
from RPTDosimetryLib.transport.emission import photon_emission  # noqa: E402
from RPTDosimetryLib.transport.voxel_case import VoxelCase  # noqa: E402
from RPTDosimetryLib.transport.voxel_run import simulate_voxels  # noqa: E402
from RPTDosimetryLib.transport.voxel_settings import VoxelRunSettings  # noqa: E402
from RPTDosimetryLib.units import J_PER_KEV, KG_PER_G  # noqa: E402

approx = pytest.approx
pytestmark = pytest.mark.usefixtures("one_thread")
VOXEL = (4.8, 4.8, 4.8)
BLOCK = (19.2, 19.2, 19.2)
MEDIA = SCHEMES["msv8"].media
LUNG, SOFT, BONE = 1, 3, 6
DENSITY = {0: 0.00121, LUNG: 0.26, SOFT: 1.04, BONE: 1.37}


def density_of(medium):
    return np.select([medium == index for index in DENSITY], list(DENSITY.values())).astype(np.float32)


def photons(tia, medium):
    """(P, the sum of the bands) of a map of media at their reference densities."""
    maps = {
        "tia": torch.as_tensor(np.ascontiguousarray(tia, dtype=np.float32))[None],
        "density": torch.as_tensor(density_of(medium))[None],
        "medium": torch.as_tensor(np.ascontiguousarray(medium, dtype=np.float32))[None],
        "tissue": torch.as_tensor(np.ascontiguousarray(medium > 0, dtype=np.float32))[None],
    }
    kernels = soft_kernels("Lu-177", VOXEL)
    bands = photon_bands(maps["tia"][0], kernels)
    return transported_photons(maps, bands, MEDIA, kernels).numpy(), bands[:SCALAR].sum(dim=0).numpy()


def slabs(shape=(32, 32, 48)):
    """Soft tissue with a slab of lung and one of bone, and activity in soft tissue on one side."""
    medium = np.full(shape, SOFT)
    medium[:, :, 16:28] = LUNG
    medium[:, :, 32:36] = BONE
    tia = np.zeros(shape)
    tia[12:20, 12:20, 6:12] = 1e9
    return tia, medium


def test_in_endless_tissue_blocks_give_the_voxel_s_kernel():
    """Monte Carlo's kernel from 4 to 27 cm, over which it falls by a factor of 500."""
    kernel = soft_kernels("Lu-177", VOXEL).photon
    dose = np.tensordot(kerma_gy_cm2("Lu-177", material(MATTER[0])), _endless("Lu-177", BLOCK), 1)
    for blocks in (2, 3, 5, 7, 10, 14):
        assert dose[0, 0, blocks] == approx(float(kernel[0, 0, 4 * blocks]), rel=0.05)
        assert dose[0, blocks, blocks] == approx(float(kernel[0, 4 * blocks, 4 * blocks]), rel=0.05)


@pytest.mark.parametrize("side_mm", [BLOCK, (15.0, 19.5, 24.0)])
def test_endless_tissue_absorbs_what_is_emitted(side_mm):
    kerma = kerma_gy_cm2("Lu-177", material(MATTER[0]))
    _, _, weight = _octant(side_mm)
    joule = (weight * np.tensordot(kerma, _endless("Lu-177", side_mm), 1)).sum() * 1.04e-3 * np.prod(side_mm) * 1e-3
    emission = photon_emission(nuclide("Lu-177"))
    each = np.diff(emission.line_cumulative, prepend=0.0) * emission.particles
    emitted = (each * emission.line_kev)[emission.line_kev > EDGES_KEV[-1]].sum() * J_PER_KEV
    assert joule == approx(emitted, rel=0.03)


def test_amid_tissue_nothing_is_added():
    tia = np.zeros((60, 60, 60))
    tia[28:32, 28:32, 28:32] = 1e9
    found, plain = photons(tia, np.full(tia.shape, SOFT))
    near = (slice(22, 38),) * 3
    assert found[near] == approx(plain[near], rel=0.02)


@pytest.mark.slow
def test_between_media_it_follows_monte_carlo():
    """Mean doses behind lung and bone, where the kernel of soft tissue alone is off by 11 to 60 %."""
    tia, medium = slabs()
    used = [LUNG, SOFT, BONE]
    number = np.select([medium == index for index in used], range(3))
    case = VoxelCase(
        tia, density_of(medium), number, [MEDIA[index].material for index in used], Grid(medium.shape, VOXEL)
    )
    run = simulate_voxels("Lu-177", case, VoxelRunSettings(decays=2e6, batch_decays=1e5, photon_share=1.0, seed=4))
    found, plain = photons(tia, medium)
    for place, low, off in (
        ("lung", slice(18, 26), 0.0),
        ("bone", slice(32, 36), 0.3),
        ("behind", slice(38, 46), 0.05),
    ):
        here = (slice(8, 24), slice(8, 24), low)
        truth = run.photon_gy[here].mean()
        assert found[here].mean() == approx(truth, rel=0.05), place
        assert abs(plain[here].mean() / truth - 1.0) > off, place


def test_it_is_linear_in_the_activity():
    tia, medium = slabs((16, 16, 48))
    other = np.random.default_rng(2).random(tia.shape) * 1e8
    both, one, two = (photons(activity, medium)[0] for activity in (tia + 3.0 * other, tia, other))
    np.testing.assert_allclose(both, one + 3.0 * two, rtol=2e-3, atol=1e-4 * one.max())


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_patient_gets_the_mirrored_map(axis):
    tia, medium = slabs((16, 16, 48))
    tia[4:8, 8:12, 40:44] = 5e8
    plain = photons(tia, medium)[0]
    mirrored = photons(np.flip(tia, axis), np.flip(medium, axis))[0]
    np.testing.assert_allclose(mirrored, np.flip(plain, axis), rtol=5e-3, atol=1e-3 * plain.max())


def test_there_is_none_in_air():
    tia, medium = slabs((16, 16, 48))
    medium[:, :, 40:] = 0
    found = photons(tia, medium)[0]
    assert not found[medium == 0].any()
    assert found[medium > 0].min() > 0.0


def test_decays_in_air_are_left_as_the_kernel_has_them():
    tia, medium = slabs((16, 16, 48))
    medium[:, :, 36:] = 0
    tia[:] = 0.0
    tia[8:12, 8:12, 44:48] = 1e9
    found, plain = photons(tia, medium)
    soft = medium == SOFT
    np.testing.assert_allclose(found[soft], plain[soft], rtol=1e-4)


def test_more_blocks_than_memory_holds_become_larger_ones(monkeypatch):
    tia, medium = slabs()
    whole = photons(tia, medium)[0]
    monkeypatch.setattr(photon_transport, "MOST_BLOCKS", 500)
    coarse = photons(tia, medium)[0]
    assert not np.array_equal(coarse, whole)
    assert coarse[medium == SOFT].mean() == approx(whole[medium == SOFT].mean(), rel=0.03)


def test_scatter_within_a_group_is_solved():
    rng = np.random.default_rng(1)
    kernel = rng.random((40, 40))
    kernel = 0.01 * (kernel + kernel.T) + 0.3 * np.eye(40)
    source, again = rng.random(40), rng.random(40)
    expected = np.linalg.solve(np.eye(40) - kernel * again, kernel @ source)
    found = _solved(*(torch.as_tensor(v, dtype=torch.float32) for v in (kernel, source, again)))
    assert found.numpy() == approx(expected, rel=1e-3)


def test_groups_hold_all_photons_and_scatter_by_klein_and_nishina():
    groups = photon_groups("Lu-177")
    assert groups.emitted.sum() == approx(photon_emission(nuclide("Lu-177")).particles * 0.88, rel=0.01)  # without L
    soft = material(MATTER[0])
    kinds = mass_cross_sections(soft.mass_fractions, np.array([208.4]))[:, 0]
    k = 208.4 / ELECTRON_REST_KEV
    logarithm = np.log(1 + 2 * k)
    shape = (1 + k) / k**2 * (2 * (1 + k) / (1 + 2 * k) - logarithm / k) + logarithm / (2 * k)
    free = 2 * np.pi * 2.8179403e-13**2 * (shape - (1 + 3 * k) / (1 + 2 * k) ** 2)  # Klein and Nishina, whole
    assert kinds[2] == approx(electrons_per_g(soft.mass_fractions) * free, rel=0.01)
    # what scattering takes out of the group of 208 keV, less what goes on forwards, arrives in groups below
    assert groups.attenuation[0, 1] - kinds[0] == approx(groups.scattered[0, 1].sum(), rel=0.02)
    assert not np.tril(groups.scattered[0], -1).any()
    ratio = np.array([kerma_gy_cm2("Lu-177", medium) for medium in (material(MATTER[1]), soft)])
    assert ratio[0, -1] > 5.0 * ratio[1, -1]  # calcium at 20 keV
    assert ratio[0, 0] == approx(ratio[1, 0], rel=0.06)  # Compton at 285 keV
    assert ratio[1, 1] == approx(0.0296 * 208.4 * J_PER_KEV / KG_PER_G, rel=0.05)  # µen/ρ of tissue, NIST


def test_a_nuclide_of_higher_energies_is_refused():
    with pytest.raises(LearningError, match=r"I-131 emits photons of .* groups end at 340 keV"):
        photon_groups("I-131")
