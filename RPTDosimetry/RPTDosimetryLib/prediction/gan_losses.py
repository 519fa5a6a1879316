"""What generator and discriminator are asked for: the voxel loss and the hinge form of the adversarial one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch


#: Doses below this share of the scale count as small in the logarithm: some 3 mGy/GBq, a tenth of what marrow gets.
FLOOR: Final = 0.004


def voxel_loss(
    predicted: torch.Tensor, dose: torch.Tensor, body: torch.Tensor, scale: float, log_weight: float
) -> torch.Tensor:
    """Per patch (n,): ⟨|D̂ − D|⟩/s + w·⟨|ln((D̂ + f·s)/(D + f·s))|⟩ over tissue; s = scale [Gy/GBq], f = 0.004.

    Organs differ a hundredfold in dose: the first term is the lesions', the second asks the same percentage of all.
    """
    import torch

    first, second = predicted / scale, dose / scale
    apart = (first - second).abs()
    if log_weight > 0:
        apart = apart + log_weight * (torch.log(first + FLOOR) - torch.log(second + FLOOR)).abs()
    return (apart * body).flatten(1).sum(1) / body.flatten(1).sum(1).clamp(min=1)


def discriminator_loss(verdict_true: torch.Tensor, verdict_generated: torch.Tensor) -> torch.Tensor:
    """Hinge: ⟨max(0, 1 − v_true)⟩ + ⟨max(0, 1 + v_generated)⟩ (Lim & Ye 2017)."""
    return (1.0 - verdict_true).relu().mean() + (1.0 + verdict_generated).relu().mean()


def generator_loss(verdict_generated: torch.Tensor) -> torch.Tensor:
    """−⟨v_generated⟩: the generator wants its dose taken for a true one."""
    return -verdict_generated.mean()
