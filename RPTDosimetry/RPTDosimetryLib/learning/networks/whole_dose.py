"""DynUNet and U2-Net that give the whole Monte Carlo dose from CT + TIA or CT + MSV, in 2-D and 3-D: the other networks
that Mansouri et al. 2024 compare. Their widths are not published: MONAI's DynUNet with six levels of at most 320
features, and the small U2-Net (U2-Net†, Qin et al. 2020, doi 10.1016/j.patcog.2020.107404), in 3-D with fewer levels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from RPTDosimetryLib.learning.maps import Maps
from RPTDosimetryLib.learning.network_registry import NetworkKind, register_network
from RPTDosimetryLib.learning.networks.u2net_layers import u2net
from RPTDosimetryLib.learning.networks.unet3d_kim import TIA_SCALE_BQ_S

SOURCE = "Mansouri et al. 2024, doi 10.1007/s00259-024-06618-9 (compared there)"


def build_dynunet(dims: int, levels: int = 5, first: int = 32, most: int = 320) -> Any:
    """MONAI's DynUNet as nnU-Net would set it: 3-wide kernels, strides of 2, instance norm."""
    from monai.networks.nets import DynUNet

    filters = [min(first * 2**level, most) for level in range(levels)]
    strides = [1] + [2] * (levels - 1)
    return DynUNet(dims, 2, 1, [3] * levels, strides, strides[1:], filters=filters, norm_name="instance")


def build_u2net(dims: int, middle: int = 16, outer: int = 64) -> Any:
    """U2-Net† of 2-D as published; in 3-D with half of the features."""
    return u2net(dims, 2, middle if dims == 2 else middle // 2, outer if dims == 2 else outer // 4)


def dose_of_tia(module: Any, maps: Maps, dims: int) -> Any:
    """CT + TIA → dose [Gy]."""
    return _dose(module, maps, maps["tia"] / TIA_SCALE_BQ_S, dims)


def dose_of_msv(module: Any, maps: Maps, dims: int) -> Any:
    """CT + MSV → dose [Gy]."""
    return _dose(module, maps, maps["msv8"], dims)


def _dose(module: Any, maps: Maps, second: Any, dims: int) -> Any:
    import torch

    inputs = torch.cat([maps["hu"] / 1000.0, second], dim=1)
    answer = module(inputs.flatten(1, 2) if dims == 2 else inputs).float()
    return torch.clamp(answer[:, :, None] if dims == 2 else answer, min=0.0) * maps["tissue"]


_FAMILIES: tuple[tuple[str, Callable[..., Any]], ...] = (("dynunet", build_dynunet), ("u2net", build_u2net))
for family, builder in _FAMILIES:
    for dims in (2, 3):
        for second, doses in (("tia", dose_of_tia), ("msv", dose_of_msv)):
            register_network(
                NetworkKind(
                    name=f"{family}{dims}d_{second}",
                    dims=dims,
                    needs=("hu", "tia" if second == "tia" else "msv8", "tissue"),
                    divisor=32,
                    build=partial(builder, dims),
                    dose=partial(doses, dims=dims),
                    source=SOURCE,
                    loss="mse",
                )
            )
