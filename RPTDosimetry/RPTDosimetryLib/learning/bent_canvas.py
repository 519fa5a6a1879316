"""A canvas that sees the undeformed torso through a smooth map, so that what is painted on it comes out deformed."""

from __future__ import annotations

from functools import reduce
from typing import Final

import numpy as np

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.learning.cohort_parameters import BodyDraw, Wave
from RPTDosimetryLib.virtual_patient.canvas import Canvas
from RPTDosimetryLib.virtual_patient.solids import Field, Solid

#: Where the spine bends: z of the undeformed torso [mm].
SCOLIOSIS_LENGTH_MM: Final = 330.0
KYPHOSIS_FROM_MM: Final = 40.0


class BentCanvas(Canvas):
    """x, y, z are full arrays (z, y, x): where each voxel lies in the undeformed torso [mm].

    r_torso = r / scale + Σ waves + bend, with r the voxel's place in the patient (LPS, mm).
    """

    def __init__(self, grid: Grid, body: BodyDraw) -> None:
        super().__init__(grid)
        x, y, z = (axis / np.float32(s) for axis, s in zip((self.x, self.y, self.z), body.scale, strict=True))
        shift = [np.zeros(grid.shape_zyx, dtype=np.float32) for _ in range(3)]
        for wave in body.waves:
            mode = _mode(wave, x, y, z)
            for axis, amplitude in enumerate(wave.amplitude_mm):
                shift[axis] += np.float32(amplitude) * mode
        sideways = body.scoliosis_mm * np.sin(2 * np.pi * z / SCOLIOSIS_LENGTH_MM + 0.6)
        forward = body.kyphosis_mm * (np.maximum(z - KYPHOSIS_FROM_MM, 0.0) / 160.0) ** 2
        self.x = x + shift[0] + sideways.astype(np.float32)
        self.y = y + shift[1] + forward.astype(np.float32)
        self.z = z + shift[2]
        bend = np.array([abs(body.scoliosis_mm), np.abs(forward).max(), 0.0])
        self._margin = np.abs([wave.amplitude_mm for wave in body.waves]).sum(axis=0) + bend
        self._scale = np.asarray(body.scale)

    def block(self, solid: Solid) -> tuple[slice, slice, slice]:
        """The part of the array that a solid of the undeformed torso can reach (z, y, x)."""
        low = (np.asarray(solid.low) - self._margin) * self._scale
        high = (np.asarray(solid.high) + self._margin) * self._scale
        box = Solid((low[0], low[1], low[2]), (high[0], high[1], high[2]), solid.level)
        return super().block(box)

    def at(self, block: tuple[slice, slice, slice]) -> tuple[Field, Field, Field]:
        """x, y, z [mm] over a part of the array."""
        return self.x[block], self.y[block], self.z[block]


def _mode(wave: Wave, *axes: Field) -> Field:
    """Π sin(2π·r/wavelength + phase) as an outer product of its three factors."""
    parts = [
        np.sin(2 * np.pi * axis / w + p).astype(np.float32)
        for axis, w, p in zip(axes, wave.wavelength_mm, wave.phase, strict=True)
    ]
    return np.asarray(reduce(np.multiply, parts), dtype=np.float32)
