"""A torso from its parameters: one tissue label per voxel, no chance involved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.virtual_patient.canvas import Canvas
from RPTDosimetryLib.virtual_patient.organs import paint_organs
from RPTDosimetryLib.virtual_patient.solids import superquadric, turned
from RPTDosimetryLib.virtual_patient.tissues import Tissue
from RPTDosimetryLib.virtual_patient.torso import LesionShape, TorsoParameters
from RPTDosimetryLib.virtual_patient.trunk import paint_skeleton, paint_trunk, spine_y_mm

#: Fine enough for a kidney cortex, coarse enough to paint in seconds; the CT of the demo has the same voxels.
TORSO_SPACING_MM: Final = (2.0, 2.0, 3.0)
#: Longer than the SPECT field of view, so that motion brings tissue in and not emptiness.
TORSO_HALF_LENGTH_MM: Final = 222.0


@dataclass(frozen=True)
class Anatomy:
    """Tissue labels (Tissue; lesions from Tissue.LESION up, in the order of the parameters) on the painted grid."""

    labels: Image
    parameters: TorsoParameters


def torso_grid(parameters: TorsoParameters) -> Grid:
    """A grid that holds the whole torso with a margin of air."""
    half_x = parameters.half_width_mm * (1.0 + parameters.waist) + 10.0
    half_y = parameters.half_depth_mm * (1.0 + parameters.waist) + 10.0
    halves = (half_x, half_y, TORSO_HALF_LENGTH_MM)
    counts = [2 * int(np.ceil(h / s)) for h, s in zip(halves, TORSO_SPACING_MM, strict=True)]
    origin = [-0.5 * (n - 1) * s for n, s in zip(counts, TORSO_SPACING_MM, strict=True)]
    return Grid((counts[2], counts[1], counts[0]), TORSO_SPACING_MM, (origin[0], origin[1], origin[2]))


def build_anatomy(parameters: TorsoParameters, grid: Grid | None = None) -> Anatomy:
    """Paint the torso on ``grid`` (by default its own fine grid)."""
    canvas = Canvas(grid or torso_grid(parameters))
    trunk = paint_trunk(canvas, parameters)
    paint_organs(canvas, parameters, trunk)
    paint_skeleton(canvas, parameters, trunk)
    for number, lesion in enumerate(parameters.lesions):
        _paint_lesion(canvas, parameters, lesion, Tissue.LESION + number)
    return Anatomy(Image(canvas.labels, canvas.grid, "1"), parameters)


def _paint_lesion(canvas: Canvas, p: TorsoParameters, lesion: LesionShape, label: int) -> None:
    x, y, z = lesion.centre_mm
    if lesion.site == "bone":
        y += float(spine_y_mm(p, z)) - 2.0
        z = p.vertebra_pitch_mm * round(z / p.vertebra_pitch_mm)
    canvas.paint(superquadric((x, y, z), lesion.semi_axes_mm, 2.0, turned(z_deg=lesion.turn_deg)), label)
