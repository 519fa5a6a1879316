import warnings

import numpy as np
import pytest

from RPTDosimetryLib.errors import PhysicsDataError
from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.physics.media import SCHEMES
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.transport import point_kernel_library
from RPTDosimetryLib.transport.generate_kernels import SHIPPED_SETS
from RPTDosimetryLib.transport.point_kernel import PointKernelSettings
from RPTDosimetryLib.transport.point_kernel_file import read_point_kernel
from RPTDosimetryLib.transport.point_kernel_library import SHIPPED, content_hash, is_at_hand, point_kernel, shipped_path

SMALL = PointKernelSettings(electron_histories=400, photon_histories=400, batches=2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RPTDOSIMETRY_CACHE", str(tmp_path))
    return tmp_path / "point_kernels"


@pytest.fixture
def counted(monkeypatch):
    """How often a kernel was computed."""
    calls = []
    simulate = point_kernel_library.simulate_point_kernel

    def counting(*arguments):
        calls.append(arguments)
        return simulate(*arguments)

    monkeypatch.setattr(point_kernel_library, "simulate_point_kernel", counting)
    return calls


def test_a_kernel_is_computed_once_and_then_read(counted):
    first = point_kernel("Lu-177", "water", SMALL)
    again = point_kernel("Lu-177", "water", SMALL)
    assert len(counted) == 1
    np.testing.assert_allclose(again.electron_kev, first.electron_kev, rtol=1e-6)
    np.testing.assert_array_equal(again.radius_mm, first.radius_mm)
    assert again.electron_emitted_kev == first.electron_emitted_kev
    assert again.provenance["settings"]["seed"] == 1


def test_what_must_be_computed_is_known_before_and_said_while_it_is(counted):
    odd = material("water").at_density(0.91)
    said = []
    assert not is_at_hand("Lu-177", odd)
    point_kernel("Lu-177", odd, SMALL, lambda fraction, text: said.append(text))
    assert "computed now" in said[0]
    assert "Lu-177 in water" in said[0]
    assert not is_at_hand("Lu-177", odd)  # kept with other settings than the usual ones


def test_other_content_is_another_kernel(counted):
    point_kernel("Lu-177", "water", SMALL)
    point_kernel("Lu-177", material("water").at_density(0.9), SMALL)
    point_kernel("Lu-177", "water", PointKernelSettings(400, 400, 2, seed=2))
    assert len(counted) == 3


@pytest.mark.parametrize("damage", ["truncated", "flipped", "text"])
def test_a_damaged_cache_is_said_and_computed_again(counted, own_cache, damage):
    point_kernel("Lu-177", "water", SMALL)
    (path,) = own_cache.glob("*.npz")
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    else:
        content = bytearray(b"not a kernel")
    path.write_bytes(bytes(content))
    with pytest.warns(UserWarning, match="computed again"):
        point_kernel("Lu-177", "water", SMALL)
    assert len(counted) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        point_kernel("Lu-177", "water", SMALL)
    assert len(counted) == 2


def test_a_cache_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("RPTDOSIMETRY_CACHE", str(blocked))
    with pytest.warns(UserWarning, match="not kept"):
        assert point_kernel("Lu-177", "water", SMALL).electron_emitted_kev > 100


@pytest.mark.parametrize(("name", "where"), [(name, where) for name, media in SHIPPED_SETS.items() for where in media])
def test_shipped_kernels_are_whole_and_made_from_the_data_of_now(name, where):
    decaying, medium = nuclide(name), material(where)
    kernel = read_point_kernel(shipped_path(decaying, medium), content_hash(decaying, medium))
    assert kernel.reference_density_g_per_cm3 == medium.density_g_per_cm3
    assert kernel.electron_emitted_kev == pytest.approx(decaying.mean_electron_kev, rel=1e-3)
    assert kernel.photon_emitted_kev == pytest.approx(decaying.mean_photon_kev, rel=1e-3)
    assert abs(kernel.balance) < 1e-5  # stored in single precision
    assert kernel.radius_mm[-1] * medium.density_g_per_cm3 >= 600


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
@pytest.mark.parametrize("name", ["Lu-177", "Tb-161", "I-131"])
def test_the_media_of_both_schemes_are_shipped_for_nuclides_of_therapy(counted, scheme, name):
    for medium in scheme.tissue:
        assert is_at_hand(name, medium.material)
        point_kernel(name, medium.material)
    assert not counted


def test_what_ships_is_what_is_listed_and_small():
    listed = {shipped_path(nuclide(name), material(where)) for name, media in SHIPPED_SETS.items() for where in media}
    assert listed <= set(SHIPPED.glob("*.npz"))
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.npz")) < 5e6


def test_an_unknown_material_is_named():
    with pytest.raises(PhysicsDataError, match="unobtainium"):
        point_kernel("Lu-177", "unobtainium")
