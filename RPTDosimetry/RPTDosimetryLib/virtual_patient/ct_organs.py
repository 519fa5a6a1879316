"""Organs on a real CT: from a label file, or placed as plain shapes where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.grid import Grid, resample
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.virtual_patient.canvas import Canvas
from RPTDosimetryLib.virtual_patient.ct_tissues import CtTissues
from RPTDosimetryLib.virtual_patient.solids import Point, Solid, superquadric, turned

Mask = NDArray[np.bool_]
#: TotalSegmentator's class numbers, version 2, task "total" (its class map, Apache-2.0).
TOTALSEGMENTATOR: Final[Mapping[str, tuple[int, ...]]] = {
    "spleen": (1,),
    "kidney_right": (2,),
    "kidney_left": (3,),
    "liver": (5,),
    "lungs": (10, 11, 12, 13, 14),
    "bladder": (21,),
    "vertebral_marrow": tuple(range(26, 51)),
    "heart": (51,),
    "spinal_cord": (79,),
}
#: Solid organs that must look like soft tissue on the CT, or the labels belong elsewhere.
CHECKED: Final = ("liver", "spleen", "kidney_left", "kidney_right")
SOFT_HU: Final = (-30.0, 320.0)
#: Fraction of a checked organ's voxels in that range; true organs have 0.95 and more.
SOFT_FRACTION: Final = 0.8

#: Centre (x in body widths, y in body depths from the body's middle, z in mm below the right dome of the diaphragm) and
#: semi-axes [mm] for a body 340 mm wide; x and y semi-axes scale with the width. A choice that suits most adults.
PLACED: Final[Mapping[str, tuple[Point, Point]]] = {
    "liver": ((-0.23, -0.02, -62.0), (75.0, 72.0, 68.0)),
    "spleen": ((0.31, 0.16, -50.0), (22.0, 36.0, 45.0)),
    "kidney_left": ((0.19, 0.20, -105.0), (27.0, 25.0, 52.0)),
    "kidney_right": ((-0.19, 0.20, -118.0), (27.0, 25.0, 52.0)),
    "bladder": ((0.0, -0.10, -330.0), (40.0, 33.0, 30.0)),
}
REFERENCE_WIDTH_MM: Final = 340.0
#: An organ with less than this share of its shape inside the CT's tissue is left out.
LEAST_SHARE: Final = 0.4


def labelled_organs(
    labels: Image, tissues: CtTissues, classes: Mapping[str, tuple[int, ...]] = TOTALSEGMENTATOR
) -> tuple[dict[str, Mask], tuple[str, ...]]:
    """Organs of a label map (along LPS) on the working grid, and warnings.

    Raises StudyError when the labels do not lie on organs of this CT, or name none.
    """
    grid = tissues.hu.grid
    there = np.rint(resample(labels.voxels, labels.grid, grid, "nearest")).astype(int)
    organs = {name: np.isin(there, numbers) & tissues.body for name, numbers in classes.items()}
    organs = {name: mask for name, mask in organs.items() if mask.sum() * grid.voxel_volume_ml > 2.0}
    for name in CHECKED:
        if name in organs:
            hu = tissues.hu.voxels[organs[name]]
            soft = float(np.mean((hu > SOFT_HU[0]) & (hu < SOFT_HU[1])))
            if soft < SOFT_FRACTION:
                raise StudyError(
                    f"The label file does not lie on this CT: only {100 * soft:.0f} % of the {name} it names has HU of "
                    "soft tissue. Check the origin and direction in its header."
                )
    if not any(name in organs for name in CHECKED):
        raise StudyError("The label file names no liver, spleen or kidney on this CT: nothing to put activity into.")
    warnings = []
    nk, covered = grid.shape_zyx[0], np.flatnonzero((there > 0).any(axis=(1, 2)))
    if len(covered) < 0.9 * nk:
        warnings.append(
            f"Labels reach over {len(covered) * grid.spacing_mm[2]:.0f} of the CT's {nk * grid.spacing_mm[2]:.0f} mm: "
            "organs end where the labels end."
        )
    return organs, tuple(warnings)


def placed_organs(tissues: CtTissues) -> tuple[dict[str, Mask], tuple[str, ...]]:
    """Ellipsoids at the usual places of a body of this size, cut to soft tissue. They are not a segmentation."""
    grid = tissues.hu.grid
    canvas = Canvas(Grid(grid.shape_zyx, grid.spacing_mm, grid.origin_mm))
    middle, width_mm, depth_mm = _body_box(tissues)
    dome_mm = _dome_z_mm(tissues)
    soft = ndimage.gaussian_filter(tissues.hu.voxels, [2.0 / s for s in grid.spacing_mm[::-1]])
    room = tissues.body & ~tissues.lungs & ~tissues.bones & (soft > -40.0)
    room &= ndimage.distance_transform_edt(tissues.body, sampling=grid.spacing_mm[::-1]) > 15.0
    organs: dict[str, Mask] = {}
    missing = []
    for name, solid in _solids(middle, (width_mm, depth_mm), dome_mm).items():
        shape = np.zeros(grid.shape_zyx, dtype=bool)
        block, level = canvas.level(solid)
        shape[block] = level < 1
        volume = _ellipsoid_voxels(PLACED[name][1], width_mm, grid)
        organ = shape & room
        if organ.sum() < LEAST_SHARE * volume:
            missing.append(name)
            continue
        organs[name] = organ
        room &= ~organ
    warnings = [
        "Organs are plain shapes placed at usual positions and cut to soft tissue, not segmented: their activity and "
        "dose show the method, not this patient."
    ]
    if missing:
        warnings.append(f"Left out, as the CT has no room for them: {', '.join(missing)}.")
    return organs, tuple(warnings)


def _solids(middle: Point, size_mm: tuple[float, float], dome_mm: float) -> dict[str, Solid]:
    scale = size_mm[0] / REFERENCE_WIDTH_MM
    solids = {}
    for name, (place, semi) in PLACED.items():
        centre = (middle[0] + place[0] * size_mm[0], middle[1] + place[1] * size_mm[1], dome_mm + place[2])
        side = np.sign(place[0])
        turn = turned(y_deg=-12.0 * side, z_deg=30.0 * side) if name.startswith("kidney") else None
        solids[name] = superquadric(centre, (semi[0] * scale, semi[1] * scale, semi[2]), 2.0, turn)
    return solids


def _ellipsoid_voxels(semi: Point, width_mm: float, grid: Grid) -> float:
    scale = width_mm / REFERENCE_WIDTH_MM
    return 4.0 / 3.0 * np.pi * semi[0] * semi[1] * semi[2] * scale**2 / 1000.0 / grid.voxel_volume_ml


def _body_box(tissues: CtTissues) -> tuple[Point, float, float]:
    """Middle of the body, its width and depth in a median slice [mm]."""
    grid = tissues.hu.grid
    spans = []
    for plane in tissues.body:
        rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
        if len(rows):
            spans.append((columns[0], columns[-1], rows[0], rows[-1]))
    left, right, front, back = np.median(np.asarray(spans), axis=0)
    x = grid.origin_mm[0] + grid.spacing_mm[0] * (left + right) / 2
    y = grid.origin_mm[1] + grid.spacing_mm[1] * (front + back) / 2
    width, depth = (right - left + 1) * grid.spacing_mm[0], (back - front + 1) * grid.spacing_mm[1]
    return (float(x), float(y), grid.centre_mm[2]), float(width), float(depth)


def _dome_z_mm(tissues: CtTissues) -> float:
    """Height of the right dome: where the right lung first fills half of its widest slice; else the CT's upper end."""
    grid = tissues.hu.grid
    middle = (_body_box(tissues)[0][0] - grid.origin_mm[0]) / grid.spacing_mm[0]
    area = tissues.lungs[:, :, : int(middle)].sum(axis=(1, 2)) * grid.spacing_mm[0] * grid.spacing_mm[1]
    top = grid.origin_mm[2] + grid.spacing_mm[2] * (grid.shape_zyx[0] - 1)
    if area.max() < 4000.0:  # mm²: less than a costophrenic angle
        return float(top)
    level = int(np.flatnonzero(area > 0.5 * area.max())[0])
    return float(grid.origin_mm[2] + grid.spacing_mm[2] * level)
