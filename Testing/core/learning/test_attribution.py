"""Which input drove the correction of a network: input × gradient, against what is known of linear and of real ones."""

import pytest

torch = pytest.importorskip("torch", reason='networks need torch: pip install "slicer-rpt-dosimetry[dl]"')

from RPTDosimetryLib.learning import attribution  # noqa: E402
from RPTDosimetryLib.learning.attribution import input_times_gradient  # noqa: E402
from RPTDosimetryLib.learning.network_registry import NetworkKind, network_kind  # noqa: E402

approx = pytest.approx
pytestmark = pytest.mark.usefixtures("one_thread")


def patient_maps(shape=(20, 24, 28), seed=1):
    generator = torch.Generator().manual_seed(seed)
    maps = {name: torch.rand((1, *shape), generator=generator) for name in ("tia", "msv8")}
    maps["tia"] = maps["tia"] * 1e10
    maps["hu"] = 200.0 * torch.rand((1, *shape), generator=generator) - 100.0
    maps["tissue"] = torch.ones((1, *shape))
    return maps


def linear_kind(dims=3, weights=(1e-11, 0.05, 0.2)):
    """dose = MSV + a·blurred activity + b·blurred (HU + 1000)/1000 + c·MSV: its parts are known exactly."""
    a, b, c = weights

    def dose(_module, maps):
        blur = torch.nn.functional.avg_pool3d
        size = (1, 3, 3) if dims == 2 else (3, 3, 3)
        padding = tuple(n // 2 for n in size)
        spread = a * maps["tia"] + b * (maps["hu"] + 1000.0) / 1000.0
        return maps["msv8"] * (1.0 + c) + blur(spread, size, 1, padding)

    return NetworkKind("linear", dims, ("hu", "tia", "msv8", "tissue"), 4, lambda: None, dose, "this test")


@pytest.mark.parametrize("dims", [2, 3])
def test_of_a_linear_network_the_parts_are_known_and_add_up(dims):
    maps = patient_maps()
    found = input_times_gradient(linear_kind(dims), None, maps)
    assert set(found) == {"hu", "tia", "msv8"}, "the mask is no input"
    inner = tuple(slice(2, n - 2) for n in maps["tia"].shape[1:])
    expected = {"tia": 1e-11 * maps["tia"], "hu": 0.05 * (maps["hu"] + 1000) / 1000, "msv8": 0.2 * maps["msv8"]}
    for name, values in expected.items():
        assert found[name][inner].numpy() == approx(values[0][inner].numpy(), rel=1e-4)
    batch = {name: values[None] for name, values in maps.items()}
    total = float((linear_kind(dims).dose(None, batch) - batch["msv8"]).sum())
    assert sum(float(values.sum()) for values in found.values()) == approx(total, rel=1e-4)


def test_windows_give_what_the_whole_gives(monkeypatch):
    maps = patient_maps((20, 24, 90))
    whole = input_times_gradient(linear_kind(), None, maps)
    monkeypatch.setattr(attribution, "WINDOW", 20 * 24 * 70)
    windows = input_times_gradient(linear_kind(), None, maps)
    for name, values in whole.items():
        inner = (slice(2, -2), slice(2, -2), slice(2, -2))
        assert windows[name][inner].numpy() == approx(values[inner].numpy(), rel=0.02), "seams are faint"


def test_an_input_like_air_drives_nothing():
    maps = patient_maps()
    maps["hu"][:, :10], maps["tia"][:, :10] = -1000.0, 0.0
    found = input_times_gradient(linear_kind(), None, maps)
    assert not found["hu"][:10].any()
    assert not found["tia"][:10].any()


@pytest.mark.parametrize("name", ["unet3d_kim", "dynunet3d_tia", "unetr2d_small"])
def test_of_the_published_networks_it_is_the_slope_of_the_summed_correction(name, monkeypatch):
    """ΣΔ(air + s·(I − air)) differentiated at s = 1 by differences is the sum of the map of that input.

    In double precision, as steps must be small: these networks have many kinks.
    """
    pytest.importorskip("monai", reason="MONAI is not installed")
    pytest.importorskip("einops", reason="einops is not installed")
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)
    kind = network_kind(name)
    torch.manual_seed(0)
    small = {"unet3d_kim": {"first": 4}, "dynunet3d_tia": {"first": 4, "levels": 4}}
    module = kind.module(small.get(name, {})).eval().double()
    shape = (2, 128, 128) if kind.dims == 2 else (32, 32, 32)
    maps = {key: values.double() for key, values in patient_maps(shape).items() if key in kind.needs}
    if "msv8" in maps:
        maps["msv8"] += 50.0  # far from where doses are cut at 0
    found = {key: float(values.sum()) for key, values in input_times_gradient(kind, module, maps).items()}
    for key, air in (("hu", -1000.0), ("tia", 0.0)):
        if key not in found:
            continue

        def summed(scale, key=key, air=air):
            there = {**maps, key: air + scale * (maps[key] - air)}
            batch = {n: v.transpose(0, 1)[:, :, None] if kind.dims == 2 else v[None] for n, v in there.items()}
            with torch.inference_mode():
                return float(kind.dose(module, batch).sum())

        step = 1e-7
        slope = (summed(1.0 + step) - summed(1.0 - step)) / (2 * step)
        assert found[key] == approx(slope, rel=1e-3)
        assert found[key] != 0.0
