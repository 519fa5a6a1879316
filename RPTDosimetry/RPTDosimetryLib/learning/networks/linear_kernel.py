"""linear_kernel: a correction of MSV that is linear in the activity, with weights that depend on the CT alone.

    Δ(x) = Σ_k w_k(x; CT)·F_k(x; Ã)            dose = max(MSV + clip(Δ, ±bound·(MSV + P_soft)), 0)

F: the electron dose from each of 27 voxels with a kernel of soft tissue, thinned by the density of both voxels; what
that sum differs by from the electron part of MSV; the photon dose in soft tissue by distance and direction
(photon_bands.py); what its sum differs by from the photon part of MSV; and what the matter on their way changes of far
photons (far_photons.py). w: s·tanh(u/s) of a 3-D residual U-Net on
density, its logarithm and gradient. The last layer starts at zero: untrained it is MSV. See docs/physics/hybrid.md.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Final

from RPTDosimetryLib.learning.maps import Maps
from RPTDosimetryLib.learning.network_registry import NetworkKind, register_network
from RPTDosimetryLib.learning.photon_bands import CHANNELS, REFERENCE_G_PER_CM3, SCALAR, SoftKernels

OFFSETS: Final = tuple(product((-1, 0, 1), repeat=3))
SELF: Final = OFFSETS.index((0, 0, 0))
#: Weights in order: the 27 voxels, electrons as a whole, the photon bands, photons as a whole, far photons.
ELECTRON_WHOLE: Final = len(OFFSETS)
FIRST_BAND: Final = ELECTRON_WHOLE + 1
PHOTON_WHOLE: Final = FIRST_BAND + CHANNELS
FAR: Final = PHOTON_WHOLE + 1
WEIGHTS: Final = FAR + 1
#: Largest |w| of a voxel's dose to itself, of other voxels, of the bands, of the wholes, of far photons.
LIMITS: Final = {"self": 0.5, "neighbour": 4.0, "band": 3.0, "whole": 1.5, "far": 3.0}
#: Sources thinner than this thin no further; at most this share of a voxel's energy leaves it in the feature.
THINNEST_G_PER_CM3, MOST_LEAVES = 0.15, 0.5
INPUTS: Final = 7
#: Axial planes of a slab.
SLAB: Final = 8


def build(channels: tuple[int, ...] = (8, 32, 48, 64, 96), bound: float = 0.9) -> Any:
    """The U-Net, its head at zero, and limits and bound as buffers, part of the weights; adapt gives it its kernel."""
    import torch
    from torch import nn

    from RPTDosimetryLib.learning.networks.blocks import convolution, residual_u

    module = nn.Module()
    module.trunk = nn.Sequential(*convolution(3, INPUTS, channels[0]), residual_u(channels))
    module.head = nn.Conv3d(channels[0], WEIGHTS, 1)
    nn.init.zeros_(module.head.weight)
    nn.init.zeros_(module.head.bias)
    module.register_buffer("electron_octant", torch.zeros(2, 2, 2), persistent=False)
    limits = [LIMITS["neighbour"]] * len(OFFSETS) + [LIMITS["whole"]] + [LIMITS["band"]] * CHANNELS
    limits += [LIMITS["whole"], LIMITS["far"]]
    limits[SELF] = LIMITS["self"]
    module.register_buffer("limits", torch.tensor(limits).reshape(-1, 1, 1, 1))
    module.register_buffer("bound", torch.tensor(float(bound)))
    return module


def adapt(module: Any, kernels: SoftKernels) -> None:
    """Give it the electron kernel of the nuclide and the voxels it is applied to."""
    import torch

    module.electron_octant.copy_(torch.as_tensor(kernels.electron, dtype=torch.float32))


def dose(module: Any, maps: Maps) -> Any:
    """(batch, 1, z, y, x) [Gy], homogeneous in the activity: f(a·Ã) = a·f(Ã)."""
    return dose_and_electrons(module, maps)[0]


def dose_and_electrons(module: Any, maps: Maps) -> tuple[Any, Any]:
    """The dose, and the electron terms' part of the correction before the bound [Gy]."""
    electron, photon = _corrections(module, maps)
    return _bounded(module, maps, electron + photon), electron


def _bounded(module: Any, maps: Maps, delta: Any) -> Any:
    import torch

    most = module.bound * (maps["msv8"] + maps["bands"][:, :SCALAR].sum(dim=1, keepdim=True).clamp(min=0.0))
    corrected = maps["msv8"] + torch.maximum(torch.minimum(delta, most), -most)
    return torch.clamp(corrected, min=0.0) * maps["tissue"]


def _corrections(module: Any, maps: Maps) -> tuple[Any, Any]:
    """(electron, photon) parts of Δ [Gy]; on a CPU in slabs, whose 45 weights stay in the cache."""
    import torch

    with torch.autocast(maps["density"].device.type, enabled=False):
        ct = _ct_channels(maps)
    deep = module.trunk(ct)
    with torch.autocast(deep.device.type, enabled=False):
        if torch.is_grad_enabled() or deep.device.type != "cpu":
            return _weighted(module, deep, maps)
        parts = [_slab(module, deep, maps, start) for start in range(0, deep.shape[-3], SLAB)]
        return torch.cat([part[0] for part in parts], dim=-3), torch.cat([part[1] for part in parts], dim=-3)


def _slab(module: Any, deep: Any, maps: Maps, start: int) -> tuple[Any, Any]:
    """_weighted on SLAB planes from start on, with one more on each side, as neighbours give dose to them."""
    first, last = max(start - 1, 0), min(start + SLAB + 1, deep.shape[-3])
    part = {name: values[:, :, first:last] for name, values in maps.items()}
    planes = slice(start - first, min(start + SLAB, deep.shape[-3]) - first)
    electron, photon = _weighted(module, deep[:, :, first:last], part)
    return electron[:, :, planes], photon[:, :, planes]


def _weighted(module: Any, deep: Any, maps: Maps) -> tuple[Any, Any]:
    """Σ w_k·F_k of the electron and of the photon features [Gy], w from the last features of the trunk."""
    import torch

    weights = module.limits * torch.tanh(module.head(deep.float()) / module.limits)
    electron_msv = maps["msv8"] - maps["photon_msv"]
    scale, sources, here = _electron_sources(module, maps)
    features = scale * sources
    each = (weights[:, : len(OFFSETS)] * features).sum(dim=1, keepdim=True) * here
    whole = features.sum(dim=1, keepdim=True) * here
    electron = each + weights[:, ELECTRON_WHOLE : ELECTRON_WHOLE + 1] * (whole - electron_msv)
    bands = maps["bands"]
    photon = (weights[:, FIRST_BAND:PHOTON_WHOLE] * bands).sum(dim=1, keepdim=True)
    soft = bands[:, :SCALAR].sum(dim=1, keepdim=True)
    photon = photon + weights[:, PHOTON_WHOLE:FAR] * (soft - maps["photon_msv"])
    return electron, photon + weights[:, FAR:] * maps["far"]


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


def _electron_sources(module: Any, maps: Maps) -> tuple[Any, Any, Any]:
    """(S(|k|), Ã(x+k)·ρ_ref/ρ(x+k), ρ_ref/ρ(x)): F_k is their product [Gy]; of the voxel itself what stays."""
    import torch

    tia, density = maps["tia"], maps["density"].clamp(min=0.02)
    octant = module.electron_octant
    values = torch.stack([octant[abs(k), abs(j), abs(i)] for k, j, i in OFFSETS])
    whole = values.sum()
    thin = REFERENCE_G_PER_CM3 / density.clamp(min=THINNEST_G_PER_CM3)
    leaves = torch.clamp((1.0 - values[SELF] / whole) * thin, max=MOST_LEAVES)
    edge = torch.nn.functional.pad(tia * thin, (1, 1, 1, 1, 1, 1))
    nz, ny, nx = tia.shape[-3:]
    sources = [edge[:, :, 1 + k : 1 + k + nz, 1 + j : 1 + j + ny, 1 + i : 1 + i + nx] for k, j, i in OFFSETS]
    sources[SELF] = tia * (1.0 - leaves) * whole / values[SELF]
    here = REFERENCE_G_PER_CM3 / density * maps["tissue"]
    return values.reshape(-1, 1, 1, 1), torch.cat(sources, dim=1), here


register_network(
    NetworkKind(
        name="linear_kernel",
        dims=3,
        needs=("density", "tissue", "tia", "msv8", "photon_msv", "bands", "far"),
        divisor=16,
        build=build,
        dose=dose,
        source="this project (docs/physics/hybrid.md)",
        dose_and_electrons=dose_and_electrons,
        adapt=adapt,
    )
)
