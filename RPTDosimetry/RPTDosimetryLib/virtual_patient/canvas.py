"""Painting solids onto a label volume, block by block."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import GridMismatchError
from RPTDosimetryLib.grid import IDENTITY, Grid
from RPTDosimetryLib.virtual_patient.solids import Field, Solid


class Canvas:
    """Labels (z, y, x) uint8 on an unrotated grid, and the coordinates of its voxel centres [mm, LPS]."""

    def __init__(self, grid: Grid) -> None:
        if not np.allclose(grid.direction, IDENTITY):
            raise GridMismatchError(
                "A virtual patient is painted on a grid along the LPS axes: give one without rotation."
            )
        self.grid = grid
        self.labels = np.zeros(grid.shape_zyx, dtype=np.uint8)
        axes = [
            (o + s * np.arange(n)).astype(np.float32)
            for o, s, n in zip(grid.origin_mm, grid.spacing_mm, grid.shape_zyx[::-1], strict=True)
        ]
        self.x: Field = axes[0][None, None, :]
        self.y: Field = axes[1][None, :, None]
        self.z: Field = axes[2][:, None, None]

    def block(self, solid: Solid) -> tuple[slice, slice, slice]:
        """The part of the array that a solid can reach (z, y, x)."""
        slices = []
        for low, high, o, s, n in zip(
            solid.low, solid.high, self.grid.origin_mm, self.grid.spacing_mm, self.grid.shape_zyx[::-1], strict=True
        ):
            first = min(n, max(0, int(np.floor((low - o) / s))))
            slices.append(slice(first, max(first, min(n, int(np.ceil((high - o) / s)) + 1))))
        return slices[2], slices[1], slices[0]

    def level(self, solid: Solid) -> tuple[tuple[slice, slice, slice], Field]:
        """The block of a solid and its level there."""
        block = self.block(solid)
        return block, solid.level(*self.at(block))

    def at(self, block: tuple[slice, slice, slice]) -> tuple[Field, Field, Field]:
        """x, y, z [mm] over a part of the array; each broadcasts to its shape."""
        return self.x[:, :, block[2]], self.y[:, block[1], :], self.z[block[0], :, :]

    def paint(
        self, solid: Solid, label: int, over: Iterable[int] | None = None, within: NDArray[Any] | None = None
    ) -> None:
        """Give the solid's voxels a label, only where they now carry one of ``over`` and lie in the mask ``within``."""
        block, level = self.level(solid)
        inside = level < 1
        if over is not None:
            inside &= np.isin(self.labels[block], list(over))
        if within is not None:
            inside &= within[block]
        self.labels[block][inside] = label
