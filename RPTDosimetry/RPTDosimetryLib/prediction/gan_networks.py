"""Generator and patch discriminator of the DoseGAN.

Torch is loaded when a network is built, not when this file is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import torch

#: The gain on the PET stays within e^±GAIN_BOUND of the mean dose per uptake: a hard bound on what is learned. Bone
#: lesions have some 30 times the dose per uptake of kidneys.
GAIN_BOUND: Final = 5.0
LEVELS: Final = 4
#: Numbers that stand for an organ.
_CODE: Final = 8


@cache
def _generator_class() -> Any:
    import torch
    from torch import nn

    class Residual(nn.Module):
        """x + a·conv(act(conv(act(x)))), without normalisation, so that magnitudes keep their meaning (EDSR, 2017)."""

        def __init__(self, width: int) -> None:
            super().__init__()
            self.first = nn.Conv3d(width, width, 3, padding=1)
            self.second = nn.Conv3d(width, width, 3, padding=1)
            self.share = nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.second(nn.functional.silu(self.first(nn.functional.silu(x))))
            return x + self.share * y

    class Generator(nn.Module):
        """D̂ = m·s_o·(u·e^g + softplus(b)): u uptake, s_o mean dose per uptake of organ o, m tissue, (g, b) by a U-Net.

        Input (n, 3, z, y, x): uptake [SUV at 70 kg], HU, organ (0: not outlined), sides divisible by 8; the U-Net sees
        uptake and CT in two scales (logarithm and linear; whole range and a window of soft tissue, −80 to 160 HU) and a
        learned code of the organ. Output (n, 1, z, y, x) Gy/GBq, never negative, 0 in air. Untrained it is the plain
        projection s_o·u, organ by organ, or s_0·u where none is outlined.
        """

        def __init__(self, width: int, organs: int, air_below_hu: float) -> None:
            super().__init__()
            widths = [width * 2**level for level in range(LEVELS)]
            self.air_below_hu = air_below_hu
            self.register_buffer("gy_per_gbq_per_uptake", torch.ones(organs + 1))
            self.code = nn.Embedding(organs + 1, _CODE)
            self.enter = nn.Conv3d(4 + _CODE, width, 3, padding=1)
            self.encode = nn.ModuleList(Residual(w) for w in widths)
            self.down = nn.ModuleList(nn.Conv3d(w, 2 * w, 2, stride=2) for w in widths[:-1])
            self.up = nn.ModuleList(nn.ConvTranspose3d(2 * w, w, 2, stride=2) for w in widths[:-1])
            self.decode = nn.ModuleList(Residual(w) for w in widths[:-1])
            self.leave = nn.Conv3d(width, 2, 1)
            nn.init.zeros_(self.leave.weight)
            self.leave.bias = nn.Parameter(torch.tensor([0.0, -6.0]))

        def features(self, uptake: torch.Tensor, hu: torch.Tensor, organ: torch.Tensor) -> torch.Tensor:
            seen = [torch.log1p(uptake), uptake / 20.0, (hu / 500.0).clamp(-2, 3), ((hu - 40.0) / 60.0).clamp(-2, 2)]
            seen.append(self.code(organ).movedim(-1, 1))
            x = self.enter(torch.cat(seen, dim=1))
            kept = []
            for level in range(LEVELS):
                x = self.encode[level](x)
                if level < LEVELS - 1:
                    kept.append(x)
                    x = self.down[level](x)
            for level in reversed(range(LEVELS - 1)):
                x = self.decode[level](self.up[level](x) + kept[level])
            with torch.autocast(x.device.type, enabled=False):  # 16 bits of a logarithm are 1 % of a dose
                return self.leave(x.float())

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            uptake, hu = inputs[:, :1].clamp(min=0.0), inputs[:, 1:2]
            organ = inputs[:, 2].round().long()
            heads = self.features(uptake, hu, organ)
            gain = torch.exp(GAIN_BOUND * torch.tanh(heads[:, :1] / GAIN_BOUND))
            dose_per_uptake = self.get_buffer("gy_per_gbq_per_uptake")[organ][:, None]
            dose = dose_per_uptake * (uptake * gain + nn.functional.softplus(heads[:, 1:]))
            return dose * (hu >= self.air_below_hu)

    return Generator


@cache
def _discriminator_class() -> Any:
    import torch
    from torch import nn
    from torch.nn.utils.parametrizations import spectral_norm

    class Discriminator(nn.Module):
        """Patch discriminator: 4³ verdicts of a 32³ patch of uptake, HU and ln(1 + 20·dose/s), one a cube.

        Spectral norm bounds its slope; the hinge loss reads its verdicts: above 1 true, below −1 generated.
        """

        def __init__(self, width: int) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            before = 3
            for level in range(3):
                layers += [
                    spectral_norm(nn.Conv3d(before, width * 2**level, 4, stride=2, padding=1)),
                    nn.LeakyReLU(0.2),
                ]
                before = width * 2**level
            self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv3d(before, 1, 3, padding=1)))

        def forward(self, inputs: torch.Tensor, dose_over_scale: torch.Tensor) -> torch.Tensor:
            uptake, hu = inputs[:, :1].clamp(min=0.0), inputs[:, 1:2]
            seen = [torch.log1p(uptake), (hu / 500.0).clamp(-2, 3), torch.log1p(20.0 * dose_over_scale)]
            return self.layers(torch.cat(seen, dim=1))

    return Discriminator


def build_generator(
    width: int, seed: int, gy_per_gbq_per_uptake: Sequence[float] = (1.0,), air_below_hu: float = -950.0
) -> Any:
    """An untrained generator with seeded weights; gy_per_gbq_per_uptake: without outline, then of each organ."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = _generator_class()(width, len(gy_per_gbq_per_uptake) - 1, air_below_hu)
    generator.gy_per_gbq_per_uptake.copy_(torch.tensor(gy_per_gbq_per_uptake))
    return generator


def build_discriminator(width: int, seed: int) -> Any:
    """An untrained patch discriminator with seeded weights."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _discriminator_class()(width)


def parameter_count(network: Any) -> int:
    """Trainable numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
