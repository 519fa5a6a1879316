"""The layers of U2-Net (Qin et al. 2020): a U of small Us, six outputs fused into one; in two or three dimensions."""

from __future__ import annotations

from functools import cache
from typing import Any

from RPTDosimetryLib.learning.networks.blocks import convolution, skip


def u2net(dims: int, inputs: int, middle: int, outer: int) -> Any:
    """The whole network; its output has one channel of the input's size (sides multiples of 32)."""
    return _network_class()(dims, inputs, middle, outer)


def small_u(dims: int, depth: int, inputs: int, middle: int, outputs: int) -> Any:
    """RSU-depth: a convolution plus a U of depth levels of it."""
    from torch import nn

    inner = nn.Sequential(*convolution(dims, inputs, outputs))
    first = convolution(dims, outputs, middle)
    below = skip(_pooled_u(dims, depth - 1, middle), side_by_side=True)
    return nn.Sequential(inner, skip(nn.Sequential(*first, below, *convolution(dims, 2 * middle, outputs))))


def dilated_u(dims: int, inputs: int, middle: int, outputs: int) -> Any:
    """RSU-4F: the same without pooling, dilations 1, 2, 4, 8."""
    from torch import nn

    deepest = skip(nn.Sequential(*convolution(dims, middle, middle, 8)), side_by_side=True)
    third = nn.Sequential(*convolution(dims, middle, middle, 4), deepest, *convolution(dims, 2 * middle, middle, 4))
    second = nn.Sequential(
        *convolution(dims, middle, middle, 2), skip(third, side_by_side=True), *convolution(dims, 2 * middle, middle, 2)
    )
    whole = [*convolution(dims, outputs, middle), skip(second, side_by_side=True)]
    inner = nn.Sequential(*whole, *convolution(dims, 2 * middle, outputs))
    return nn.Sequential(nn.Sequential(*convolution(dims, inputs, outputs)), skip(inner))


def _pooled_u(dims: int, depth: int, middle: int) -> Any:
    """Pool, go down, come up: the part of a small U below its first level; its last level is a dilated convolution."""
    from torch import nn

    if depth == 1:
        return nn.Sequential(*convolution(dims, middle, middle, 2))
    pool = (nn.MaxPool2d if dims == 2 else nn.MaxPool3d)(2)
    below = skip(_pooled_u(dims, depth - 1, middle), side_by_side=True)
    level = [*convolution(dims, middle, middle), below, *convolution(dims, 2 * middle, middle)]
    return nn.Sequential(pool, *level, _upsample(dims))


def _upsample(dims: int) -> Any:
    from torch import nn

    return nn.Upsample(scale_factor=2, mode="bilinear" if dims == 2 else "trilinear", align_corners=False)


@cache
def _network_class() -> Any:
    import torch
    from torch import nn

    class U2Net(nn.Module):
        """Encoder and decoder of small Us; the outputs of all levels are fused by a 1-wide convolution."""

        def __init__(self, dims: int, inputs: int, middle: int, outer: int) -> None:
            super().__init__()
            depths = (7, 6, 5, 4) if dims == 2 else (5, 4, 3)
            sizes = [inputs] + [outer] * len(depths)
            downs = [small_u(dims, d, i, middle, outer) for d, i in zip(depths, sizes, strict=False)]
            self.down = nn.ModuleList([*downs, dilated_u(dims, outer, middle, outer)])
            self.bottom = dilated_u(dims, outer, middle, outer)
            ups = [small_u(dims, d, 2 * outer, middle, outer) for d in depths]
            self.up = nn.ModuleList([*ups, dilated_u(dims, 2 * outer, middle, outer)])
            conv = nn.Conv2d if dims == 2 else nn.Conv3d
            outputs = len(depths) + 2
            self.side = nn.ModuleList([conv(outer, 1, 3, padding=1) for _ in range(outputs)])
            self.fuse = conv(outputs, 1, 1)
            self.pool = (nn.MaxPool2d if dims == 2 else nn.MaxPool3d)(2)
            self.how = "bilinear" if dims == 2 else "trilinear"

        def forward(self, x: Any) -> Any:
            encoded = []
            for level in self.down:
                encoded.append(level(x))
                x = self.pool(encoded[-1])
            x = self.bottom(x)
            sides = [self.side[-1](x)]
            for number in reversed(range(len(self.up))):
                x = self._onto(x, encoded[number])
                x = self.up[number](torch.cat([x, encoded[number]], dim=1))
                sides.append(self.side[number](x))
            return self.fuse(torch.cat([self._onto(side, encoded[0]) for side in sides], dim=1))

        def _onto(self, x: Any, like: Any) -> Any:
            return nn.functional.interpolate(x, size=like.shape[2:], mode=self.how, align_corners=False)

    return U2Net
