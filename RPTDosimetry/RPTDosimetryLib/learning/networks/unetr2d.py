"""UNETR on axial CT slices → MC − MSV, as Mansouri et al. 2024; and one small enough to ship.

Input HU/1000 of a 128×128 slice alone; dose = MSV + network [Gy] (EJNMMI 51:1516, doi 10.1007/s00259-024-06618-9). The
sum is cut at 0 and in air, which the paper does not say.
"""

from __future__ import annotations

from typing import Any

from RPTDosimetryLib.learning.maps import Maps
from RPTDosimetryLib.learning.network_registry import NetworkKind, register_network

SIDE = 128


def build(feature_size: int = 16, hidden_size: int = 768, mlp_dim: int = 3072, num_heads: int = 12) -> Any:
    """MONAI's UNETR in two dimensions with its ViT-B encoder: about 90 million parameters."""
    from monai.networks.nets import UNETR

    return UNETR(
        in_channels=1, out_channels=1, img_size=(SIDE, SIDE), feature_size=feature_size, hidden_size=hidden_size,
        mlp_dim=mlp_dim, num_heads=num_heads, spatial_dims=2,
    )  # fmt: skip


def build_small(feature_size: int = 12, hidden_size: int = 144, mlp_dim: int = 288, num_heads: int = 6) -> Any:
    """The same with a narrow encoder: under 4 million parameters."""
    return build(feature_size, hidden_size, mlp_dim, num_heads)


def dose(module: Any, maps: Maps) -> Any:
    """(batch, 1, 1, y, x) [Gy] of slices."""
    import torch

    from RPTDosimetryLib.learning.networks.blocks import slices

    correction = module(slices(maps["hu"]) / 1000.0).float()[:, :, None]
    return torch.clamp(maps["msv8"] + correction, min=0.0) * maps["tissue"]


for name, builder in (("unetr2d", build), ("unetr2d_small", build_small)):
    register_network(
        NetworkKind(
            name=name,
            dims=2,
            needs=("hu", "msv8", "tissue"),
            divisor=16,
            build=builder,
            dose=dose,
            source="Mansouri et al. 2024, doi 10.1007/s00259-024-06618-9",
            loss="mse",
            input_zyx=(1, SIDE, SIDE),
        )
    )
