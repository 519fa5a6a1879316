"""What training makes small: the papers' losses, and one that weighs voxels by what Monte Carlo knows of them.

weighted: with scale s(x) = MSV(x) + floor_share·max MSV and e = (dose − MC)/s,

    Σ v·ℓ(e) / Σ v,   v = (1 + interfaces·[step of density]) / (1 + (SE/s)²/error_share²)

ℓ quadratic below 0.05 and linear beyond (Huber), plus vois times the mean over volumes of |Σ m(dose − MC)| / Σ m·MC.
It does not change when the activity of a patient is scaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from RPTDosimetryLib.learning.training_settings import LossChoice

#: Between a quadratic and a linear loss, relative error; voxels of a volume in a patch from which its mean counts.
HUBER, FEWEST_VOXELS = 0.05, 8
#: A density step to a neighbouring voxel from which a voxel counts as interface [g/cm³].
STEP_G_PER_CM3: Final = 0.15


def loss_of(choice: LossChoice, kind: str, dose: Any, batch: Mapping[str, Any]) -> Any:
    """One number. kind: weighted, l1 or mse; the papers' losses are means over all voxels of the samples [Gy, Gy²]."""
    import torch

    if kind == "l1":
        return torch.nn.functional.l1_loss(dose, batch["mc"])
    if kind == "mse":
        return torch.nn.functional.mse_loss(dose, batch["mc"])
    scale = batch["msv8"] + choice.floor_share * batch["highest"]
    error = (dose - batch["mc"]) / scale
    noise = batch["mc_se"] / scale / choice.error_share
    weight = batch["counts"] * (1.0 + choice.interfaces * _interfaces(batch)) / (1.0 + noise * noise)
    voxels = torch.nn.functional.smooth_l1_loss(error, torch.zeros_like(error), beta=HUBER, reduction="none")
    total = (weight * voxels).sum() / weight.sum().clamp(min=1e-6)
    if choice.vois > 0.0:
        total = total + choice.vois * _voi_term(dose, batch)
    return total


def _interfaces(batch: Mapping[str, Any]) -> Any:
    import torch

    density = batch["density"]
    lowest = -torch.nn.functional.max_pool3d(-density, 3, stride=1, padding=1)
    highest = torch.nn.functional.max_pool3d(density, 3, stride=1, padding=1)
    return ((highest - lowest) > STEP_G_PER_CM3).to(density.dtype)


def _voi_term(dose: Any, batch: Mapping[str, Any]) -> Any:
    """Mean over the volumes in the samples of the relative error of their mean dose, energy per mass."""
    import torch

    errors = []
    for number, vois in enumerate(batch["vois"]):
        if not len(vois):
            continue
        counts = batch["counts"][number].flatten()
        mass = batch["density"][number].flatten() * counts
        inside = vois.flatten(1).to(mass.dtype)
        energy = inside @ torch.stack([mass * dose[number].flatten(), mass * batch["mc"][number].flatten()], dim=1)
        enough = (inside @ counts) >= FEWEST_VOXELS
        relative = (energy[:, 0] - energy[:, 1]).abs() / energy[:, 1].clamp(min=1e-12)
        errors.append(torch.where(enough, relative.clamp(max=1.0), torch.zeros_like(relative)).sum() / len(vois))
    return sum(errors) / max(len(errors), 1)
