"""linear_kernel: traced electrons and transported photons, corrected with weights from the CT: linear in the activity.

    B(x) = E(x) + P(x)        Δ(x) = Σ_k w_k(x; CT)·F_k(x; Ã)        dose = max(B + clip(Δ, ±bound·(B + P_soft)), 0)

E: the electron dose by the matter that they cross (electron_paths.py); P: the photon dose by transport in the patient's
matter (photon_transport.py), both in place of MSV's. F: E; the photon dose in soft tissue by distance and direction
(photon_bands.py); what P differs by from their sum, and from the photon part of MSV. w: s·tanh(u/s) of a 3-D residual
U-Net on density, its logarithm and gradient. The last layer starts at zero: untrained it is B. See
docs/physics/hybrid.md.
"""

from __future__ import annotations

from typing import Any, Final

from RPTDosimetryLib.learning.maps import Maps
from RPTDosimetryLib.learning.network_registry import NetworkKind, register_network
from RPTDosimetryLib.learning.photon_bands import CHANNELS, SCALAR

#: Weights in order: electrons, the photon bands, what transport differs by from their sum and from MSV.
ELECTRONS, FIRST_BAND = 0, 1
FROM_SOFT: Final = FIRST_BAND + CHANNELS
FROM_MSV: Final = FROM_SOFT + 1
WEIGHTS: Final = FROM_MSV + 1
#: Largest |w| of electrons, of the bands, of the differences.
LIMITS: Final = {"electrons": 0.2, "band": 1.0, "difference": 1.0}
INPUTS: Final = 7
#: Axial planes of a slab.
SLAB: Final = 8


def build(channels: tuple[int, ...] = (8, 32, 48, 64, 96), bound: float = 0.9) -> Any:
    """The U-Net, its head at zero, and limits and bound as buffers, part of the weights."""
    import torch
    from torch import nn

    from RPTDosimetryLib.learning.networks.blocks import convolution, residual_u

    module = nn.Module()
    module.trunk = nn.Sequential(*convolution(3, INPUTS, channels[0]), residual_u(channels))
    module.head = nn.Conv3d(channels[0], WEIGHTS, 1)
    nn.init.zeros_(module.head.weight)
    nn.init.zeros_(module.head.bias)
    limits = [LIMITS["electrons"], *[LIMITS["band"]] * CHANNELS, *[LIMITS["difference"]] * 2]
    module.register_buffer("limits", torch.tensor(limits).reshape(-1, 1, 1, 1))
    module.register_buffer("bound", torch.tensor(float(bound)))
    return module


def dose(module: Any, maps: Maps) -> Any:
    """(batch, 1, z, y, x) [Gy], homogeneous in the activity: f(a·Ã) = a·f(Ã)."""
    return dose_and_electrons(module, maps)[0]


def dose_and_electrons(module: Any, maps: Maps) -> tuple[Any, Any]:
    """The dose, and what of its difference from MSV electrons make up, before the bound [Gy]."""
    electron, photon = _corrections(module, maps)
    traced = maps["electrons"] - (maps["msv8"] - maps["photon_msv"])
    return _bounded(module, maps, electron + photon), traced + electron


def _bounded(module: Any, maps: Maps, delta: Any) -> Any:
    import torch

    base = maps["electrons"] + maps["photons"]
    most = module.bound * (base + maps["bands"][:, :SCALAR].sum(dim=1, keepdim=True).clamp(min=0.0))
    corrected = base + torch.maximum(torch.minimum(delta, most), -most)
    return torch.clamp(corrected, min=0.0) * maps["tissue"]


def _corrections(module: Any, maps: Maps) -> tuple[Any, Any]:
    """(electron, photon) parts of Δ [Gy]; on a CPU in slabs, whose weights stay in the cache."""
    import torch

    with torch.autocast(maps["density"].device.type, enabled=False):
        ct = _ct_channels(maps)
    deep = module.trunk(ct)
    with torch.autocast(deep.device.type, enabled=False):
        if torch.is_grad_enabled() or deep.device.type != "cpu":
            return _weighted(module, deep, maps)
        slabs = [slice(start, start + SLAB) for start in range(0, deep.shape[-3], SLAB)]
        parts = [_weighted(module, deep[:, :, s], {n: v[:, :, s] for n, v in maps.items()}) for s in slabs]
        return torch.cat([part[0] for part in parts], dim=-3), torch.cat([part[1] for part in parts], dim=-3)


def _weighted(module: Any, deep: Any, maps: Maps) -> tuple[Any, Any]:
    """Σ w_k·F_k of the electron and of the photon features [Gy], w from the last features of the trunk."""
    import torch

    weights = module.limits * torch.tanh(module.head(deep.float()) / module.limits)
    bands = maps["bands"]
    soft = bands[:, :SCALAR].sum(dim=1, keepdim=True)
    photon = (weights[:, FIRST_BAND:FROM_SOFT] * bands).sum(dim=1, keepdim=True)
    photon = photon + weights[:, FROM_SOFT:FROM_MSV] * (maps["photons"] - soft)
    photon = photon + weights[:, FROM_MSV:] * (maps["photons"] - maps["photon_msv"])
    return weights[:, ELECTRONS:FIRST_BAND] * maps["electrons"], photon


def _ct_channels(maps: Maps) -> Any:
    """Density, its logarithm (0 in air), gradient and its size, tissue: all near 0 in air, as padding is."""
    import torch

    density = maps["density"].clamp(0.0, 3.0)
    logarithm = torch.log((density + 0.05) / 0.05) / 3.0
    edge = torch.nn.functional.pad(density, (1, 1, 1, 1, 1, 1), mode="replicate")
    inner = slice(1, -1)
    gradient = [
        edge[:, :, 2:, inner, inner] - edge[:, :, :-2, inner, inner],
        edge[:, :, inner, 2:, inner] - edge[:, :, inner, :-2, inner],
        edge[:, :, inner, inner, 2:] - edge[:, :, inner, inner, :-2],
    ]
    size = torch.sqrt(sum(g * g for g in gradient) + 1e-12)
    return torch.cat([density, logarithm, *gradient, size, maps["tissue"]], dim=1)


register_network(
    NetworkKind(
        name="linear_kernel",
        dims=3,
        needs=("density", "medium", "tissue", "tia", "msv8", "photon_msv", "electrons", "bands", "photons"),
        divisor=16,
        build=build,
        dose=dose,
        source="this project (docs/physics/hybrid.md)",
        dose_and_electrons=dose_and_electrons,
        physics="traced electrons and transported photons",
    )
)
