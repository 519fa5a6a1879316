"""Networks: as large as published, MSV before they have learned, and the physics that holds by construction."""

from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='networks need torch: pip install "slicer-rpt-dosimetry[dl]"')

from RPTDosimetryLib.errors import LearningError  # noqa: E402
from RPTDosimetryLib.learning.maps import padded, turned  # noqa: E402
from RPTDosimetryLib.learning.network_registry import network_kind, network_names, parameter_count  # noqa: E402
from RPTDosimetryLib.learning.photon_bands import CHANNELS, SCALAR, photon_bands, soft_kernels  # noqa: E402
from RPTDosimetryLib.learning.predict import predicted, window_boxes  # noqa: E402
from RPTDosimetryLib.learning.torch_here import quick_on_gpu  # noqa: E402
from RPTDosimetryLib.learning.training_cases import training_case  # noqa: E402

approx = pytest.approx
pytestmark = pytest.mark.usefixtures("one_thread")
VOXEL = (4.8, 4.8, 4.8)


def with_monai(name):
    if name.startswith(("unetr", "unet3d", "dynunet")):
        pytest.importorskip("monai", reason="MONAI is not installed")
        pytest.importorskip("einops", reason="einops is not installed")
    return network_kind(name)


#: Maps that are linear in the activity.
LINEAR = ("tia", "msv8", "photon_msv", "electrons", "bands", "photons")


def random_maps(shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    maps = {name: torch.rand((2, 1, *shape), generator=generator) for name in ("tia", "msv8", "density")}
    maps["density"] = 0.3 + maps["density"]
    maps["hu"] = 500.0 * (maps["density"] - 0.8)
    maps["photon_msv"] = 0.1 * maps["msv8"]
    maps["electrons"] = 0.8 * maps["msv8"].roll(1, -1)
    maps["tissue"] = (torch.rand((2, 1, *shape), generator=generator) > 0.2).float()
    maps["bands"] = 0.02 * torch.rand((2, CHANNELS, *shape), generator=generator)
    maps["photons"] = 0.12 * maps["msv8"].roll(1, -2)
    return maps


def trained_looking(kind, options, seed=3):
    """A module whose head is not zero any more."""
    torch.manual_seed(seed)
    module = kind.module(options).eval()
    torch.nn.init.normal_(module.head.weight, std=0.5)
    return module


@pytest.mark.parametrize("name", network_names())
def test_each_network_gives_a_dose_of_its_inputs_shape_without_negative_values_or_dose_in_air(name):
    kind = with_monai(name)
    shape = kind.rounded_up((1, 32, 32) if kind.dims == 2 else (32, 32, 32))
    maps = random_maps(shape)
    module = kind.module({}).eval()
    with torch.no_grad():
        dose = kind.dose(module, maps)
    assert dose.shape == maps["msv8"].shape
    assert float(dose.min()) >= 0.0
    assert not dose[maps["tissue"] == 0].any()


def u_net_parameters(first, levels=5, inputs=2):
    """Two 3³ convolutions a level with bias and batch norm, 2³ transposed convolutions up, 1³ output; by hand."""

    def double(a, b):
        return 27 * a * b + b + 2 * b + 27 * b * b + b + 2 * b

    widths = [first * 2**level for level in range(levels)]
    down = double(inputs, widths[0]) + sum(double(a, b) for a, b in pairwise(widths))
    up = 0
    for fine, coarse in pairwise(widths):
        halved = fine if fine == widths[0] else coarse // 2
        out = fine
        up += 8 * coarse * halved + halved + double(fine + halved, out)
    return down + up + first + 1


def test_the_3d_u_net_of_kim_has_the_published_layers():
    assert parameter_count(with_monai("unet3d_kim").module({})) == approx(u_net_parameters(16), rel=0.02)


def test_unetr_of_mansouri_has_the_vit_b_encoder():
    """12 layers of 768 with an MLP of 3072: 85 million in the encoder (Dosovitskiy et al. 2021: 86)."""
    kind = with_monai("unetr2d")
    with torch.device("meta"):
        module = kind.module({})
    encoder = 12 * (4 * 768 * 768 + 2 * 768 * 3072 + 768 + 3072 + 768 + 4 * 768)
    assert parameter_count(module) == approx(9e7, rel=0.05)
    assert parameter_count(module) > encoder


def test_small_u2_net_has_the_published_size():
    """U2-Net†: 4.7 MB of 32-bit weights (Qin et al. 2020), 1.13 million parameters."""
    assert parameter_count(network_kind("u2net2d_tia").module({})) == approx(1.13e6, rel=0.01)


def test_the_shipped_kinds_fit_into_20_mb():
    assert 5 * 2 * parameter_count(network_kind("linear_kernel").module({})) < 20e6 + 1e6
    assert 4 * parameter_count(with_monai("unetr2d_small").module({})) < 20e6


def test_an_unknown_network_or_option_is_named():
    with pytest.raises(LearningError, match="no network 'unet'"):
        network_kind("unet")
    with pytest.raises(LearningError, match="Did you mean channels"):
        network_kind("linear_kernel").module({"chanels": (4,)})


@pytest.fixture
def case(make_patient):
    return training_case(make_patient(5, (32, 32, 32)), torch.device("cpu"))


@pytest.fixture
def maps(case):
    needed = {name: case.maps[name][None] for name in network_kind("linear_kernel").needs}
    return padded(needed, (32, 32, 32))


@pytest.fixture
def module():
    return trained_looking(network_kind("linear_kernel"), {"channels": (4, 4)})


def test_untrained_linear_kernel_is_traced_electrons_and_transported_photons(maps):
    kind = network_kind("linear_kernel")
    fresh = kind.module({"channels": (4, 4)}).eval()
    with torch.no_grad():
        dose, electrons = kind.dose_and_electrons(fresh, maps)
    assert torch.equal(dose, (maps["electrons"] + maps["photons"]) * maps["tissue"])
    of_photons = maps["photons"] - maps["photon_msv"]
    assert dose.numpy() == approx((maps["msv8"] + electrons + of_photons).numpy(), rel=1e-5)
    assert not torch.equal(dose, maps["msv8"] * maps["tissue"])


@pytest.mark.parametrize("factor", [1e-3, 0.37, 1e4])
def test_linear_kernel_scales_with_the_activity(maps, module, factor):
    """f(a·Ã) = a·f(Ã): MSV, electrons, bands and photons are linear in Ã themselves."""
    scaled = {name: v * factor if name in LINEAR else v for name, v in maps.items()}
    kind = network_kind("linear_kernel")
    with torch.no_grad():
        one, many = kind.dose(module, maps), kind.dose(module, scaled)
    assert not torch.equal(one, maps["msv8"])
    assert (many / factor).numpy() == approx(one.numpy(), rel=2e-5, abs=2e-6 * float(one.max()))


def test_linear_kernel_is_additive_in_the_activity_before_the_bound(maps, module):
    from RPTDosimetryLib.learning.networks.linear_kernel import _corrections

    other = {name: v.flip(-1) if name in LINEAR else v for name, v in maps.items()}
    both = {name: maps[name] + v if name in LINEAR else v for name, v in other.items()}
    with torch.no_grad():
        parts = [sum(_corrections(module, m)) for m in (maps, other, both)]
    assert (parts[0] + parts[1]).numpy() == approx(parts[2].numpy(), rel=1e-4, abs=1e-5 * float(parts[2].abs().max()))


def test_the_correction_never_passes_its_bound(maps):
    kind = network_kind("linear_kernel")
    wild = trained_looking(kind, {"channels": (4, 4), "bound": 0.25})
    torch.nn.init.constant_(wild.head.bias, 50.0)
    with torch.no_grad():
        base = (maps["electrons"] + maps["photons"]) * maps["tissue"]
        change = (kind.dose(wild, maps) - base).abs()
    soft = maps["bands"][:, :SCALAR].sum(dim=1, keepdim=True)
    assert float((change - 0.25 * (base + soft)).max()) <= 1e-6
    assert float(change.max()) > 0.0


def test_linear_kernel_moves_with_the_patient(module, make_patient):
    """Translation by a multiple of the pooling: a small patient in a larger field of air."""
    patient = make_patient(6, (16, 16, 16))
    small = {k: training_case(patient, torch.device("cpu")).maps[k][None] for k in network_kind("linear_kernel").needs}
    kind = network_kind("linear_kernel")
    here = padded(small, (48, 48, 48))
    there = {name: torch.roll(v, (16, 16, 16), (-3, -2, -1)) for name, v in here.items()}
    with torch.no_grad():
        first = torch.roll(kind.dose(module, here), (16, 16, 16), (-3, -2, -1))
        second = kind.dose(module, there)
    inner = second[..., 20:28, 20:28, 20:28]
    assert first[..., 20:28, 20:28, 20:28].numpy() == approx(inner.numpy(), rel=1e-3)


def test_bands_add_up_to_the_photon_dose_of_the_soft_tissue_kernel():
    from RPTDosimetryLib.dose.convolution import convolve, source_spectrum

    tia = np.random.default_rng(2).random((20, 24, 30)).astype(np.float32) * 1e9
    kernels = soft_kernels("Lu-177", VOXEL)
    whole = convolve(source_spectrum(tia, kernels.photon.shape), kernels.photon)
    bands = photon_bands(torch.as_tensor(tia), kernels)
    assert bands[:SCALAR].sum(dim=0).numpy() == approx(whole, rel=0.02)


def test_directional_bands_point_away_from_the_source():
    tia = torch.zeros(21, 21, 41)
    tia[10, 10, 10] = 1e9
    bands = photon_bands(tia, soft_kernels("Lu-177", VOXEL))
    z, y, x = bands[SCALAR : SCALAR + 3, 10, 10, 20]
    assert float(x) == approx(float(bands[SCALAR - 3, 10, 10, 20]), rel=0.05)
    assert abs(float(z)) < 0.1 * float(x)
    assert abs(float(y)) < 0.1 * float(x)
    assert float(bands[SCALAR + 2, 10, 10, 2]) < 0.0


def test_turned_maps_are_the_maps_of_the_turned_activity():
    tia = torch.as_tensor(np.random.default_rng(4).random((16, 20, 20)).astype(np.float32)) * 1e9
    kernels = soft_kernels("Lu-177", VOXEL)
    before = turned({"tia": tia[None], "bands": photon_bands(tia, kernels)}, (True, False, True), swap_yx=True)
    after = photon_bands(before["tia"][0], kernels)
    assert before["bands"].numpy() == approx(after.numpy(), rel=1e-3, abs=1e-4 * float(after.max()))


def test_windows_cover_everything_and_blend_to_the_whole(case):
    kind = network_kind("linear_kernel")
    module = trained_looking(kind, {"channels": (4,)})
    for shape in ((70, 100, 130), (20, 20, 300)):
        count = np.zeros(shape, dtype=int)
        for box in window_boxes(shape, 300_000):
            count[box] += 1
        assert count.min() >= 1
    tall = {name: torch.cat([case.maps[name]] * 4, dim=-3) for name in kind.needs}
    whole, electron, said = predicted(kind, module, tall)
    parts, _, _ = predicted(kind, module, tall, largest=70_000)
    assert said == ()
    assert electron.shape == whole.shape
    assert parts.numpy() == approx(whole.numpy(), rel=0.02, abs=0.01 * float(whole.max()))


def test_short_memory_takes_smaller_windows_and_says_so(case, monkeypatch):
    from RPTDosimetryLib.learning import predict

    kind = network_kind("linear_kernel")
    module = trained_looking(kind, {"channels": (4,)})
    whole = predict._windows
    calls = []

    def short(kind, module, maps, largest):
        calls.append(largest)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(kind, module, maps, largest)

    monkeypatch.setattr(predict, "_windows", short)
    _, _, said = predicted(kind, module, case.maps)
    assert calls[1] == calls[0] // 2
    assert "Memory was short" in said[0]


def test_order_of_memory_for_a_gpu_changes_no_result_of_a_network_with_kernels():
    kind = network_kind("linear_kernel")
    torch.manual_seed(1)
    module = kind.module({"channels": [4, 4]}).eval()
    torch.nn.init.normal_(module.head.weight, std=0.2)
    assert any(buffer.dim() == 4 for buffer in module.buffers())  # these have no such order
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    quick = quick_on_gpu(module)
    assert module.head.weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert all(torch.equal(before[name], tensor) for name, tensor in quick.state_dict().items())
