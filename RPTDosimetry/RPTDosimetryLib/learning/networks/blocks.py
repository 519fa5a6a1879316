"""Blocks of torch layers that several networks are put together from; no network of its own."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def _skip_class() -> Any:
    import torch

    class Skip(torch.nn.Module):
        """x + inner(x), or both side by side as channels."""

        def __init__(self, inner: Any, side_by_side: bool) -> None:
            super().__init__()
            self.inner = inner
            self.side_by_side = side_by_side

        def forward(self, x: Any) -> Any:
            inner = self.inner(x)
            return torch.cat([x, inner], dim=1) if self.side_by_side else x + inner

    return Skip


def skip(inner: Any, side_by_side: bool = False) -> Any:
    """A module that adds its input to what ``inner`` makes of it, or puts both side by side."""
    return _skip_class()(inner, side_by_side)


def convolution(dims: int, inputs: int, outputs: int, dilation: int = 1) -> list[Any]:
    """3-wide convolution, batch norm, ReLU."""
    from torch import nn

    conv = (nn.Conv2d if dims == 2 else nn.Conv3d)(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
    return [conv, (nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d)(outputs), nn.ReLU(inplace=True)]


def residual(channels: int) -> Any:
    """x + two convolutions of it, then ReLU (3-D)."""
    from torch import nn

    inner = [*convolution(3, channels, channels), *convolution(3, channels, channels)[:-1]]
    return nn.Sequential(skip(nn.Sequential(*inner)), nn.ReLU(inplace=True))


def residual_u(channels: tuple[int, ...]) -> Any:
    """A U of residual blocks, channels from the finest level to the coarsest; input and output have channels[0]."""
    from torch import nn

    if len(channels) == 1:
        return nn.Sequential(residual(channels[0]), residual(channels[0]))
    fine, coarse = channels[:2]
    down = [nn.Conv3d(fine, coarse, 2, stride=2, bias=False), nn.BatchNorm3d(coarse), nn.ReLU(inplace=True)]
    up = nn.ConvTranspose3d(coarse, fine, 2, stride=2)
    below = nn.Sequential(*down, residual_u(channels[1:]), up)
    return nn.Sequential(residual(fine), skip(below), residual(fine))


def slices(planes: Any) -> Any:
    """(batch, channel, 1, y, x) → (batch, channel, y, x). The planes of a volume are given as a batch."""
    return planes.flatten(1, 2)
