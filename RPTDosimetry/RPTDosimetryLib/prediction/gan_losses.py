"""What generator and discriminator are asked for: the voxel loss and the hinge form of the adversarial one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def voxel_loss(
    predicted: torch.Tensor, dose: torch.Tensor, body: torch.Tensor, scale: float, root_weight: float
) -> torch.Tensor:
    """Per patch (n,): ⟨|D̂ − D|⟩/s + w·⟨|√(D̂/s + ε) − √(D/s + ε)|⟩ over the body's voxels, s = scale [Gy/GBq], ε = 10⁻⁴.

    The root holds the organs of low dose, whose share of the first term is small.
    """
    import torch

    first, second = predicted / scale, dose / scale
    apart = (first - second).abs()
    if root_weight > 0:
        apart = apart + root_weight * (torch.sqrt(first + 1e-4) - torch.sqrt(second + 1e-4)).abs()
    return (apart * body).flatten(1).sum(1) / body.flatten(1).sum(1).clamp(min=1)


def discriminator_loss(verdict_true: torch.Tensor, verdict_generated: torch.Tensor) -> torch.Tensor:
    """Hinge: ⟨max(0, 1 − v_true)⟩ + ⟨max(0, 1 + v_generated)⟩ (Lim & Ye 2017)."""
    return (1.0 - verdict_true).relu().mean() + (1.0 + verdict_generated).relu().mean()


def generator_loss(verdict_generated: torch.Tensor) -> torch.Tensor:
    """−⟨v_generated⟩: the generator wants its dose taken for a true one."""
    return -verdict_generated.mean()
