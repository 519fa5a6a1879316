"""3-D U-Net on CT and TIA with a residual connection to MSV, as Kim et al. 2022 (doi 10.1007/s13139-022-00769-z).

16 features first, doubled and halved, two 3³ convolutions + BN + ReLU and 2³ max-pooling a level, 1³ output, + MSV.
The paper gives neither the number of levels nor how its inputs are scaled: here five levels, HU/1000 and TIA/1.5e10
(Mansouri's figure); the output times 1 Gy. The sum is cut at 0 and in air.
"""

from __future__ import annotations

from typing import Any, Final

from RPTDosimetryLib.learning.maps import Maps
from RPTDosimetryLib.learning.network_registry import NetworkKind, register_network

#: Bq·s per voxel, Mansouri et al. 2024.
TIA_SCALE_BQ_S: Final = 1.5e10


def build(first: int = 16) -> Any:
    """MONAI's BasicUNet has exactly these blocks."""
    from monai.networks.nets import BasicUNet

    features = (first, 2 * first, 4 * first, 8 * first, 16 * first, first)
    return BasicUNet(3, 2, 1, features, act=("relu", {"inplace": True}), norm="batch", dropout=0.0)


def dose(module: Any, maps: Maps) -> Any:
    """(batch, 1, z, y, x) [Gy]."""
    import torch

    inputs = torch.cat([maps["hu"] / 1000.0, maps["tia"] / TIA_SCALE_BQ_S], dim=1)
    return torch.clamp(maps["msv8"] + module(inputs).float(), min=0.0) * maps["tissue"]


register_network(
    NetworkKind(
        name="unet3d_kim",
        dims=3,
        needs=("hu", "tia", "msv8", "tissue"),
        divisor=16,
        build=build,
        dose=dose,
        source="Kim et al. 2022, doi 10.1007/s13139-022-00769-z",
        loss="l1",
    )
)
