"""The body of one patient as tissue labels on a grid twice as fine as the dose grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.learning.bent_canvas import BentCanvas
from RPTDosimetryLib.learning.cohort_parameters import SLICES, BodyDraw, ImplantDraw, LesionDraw
from RPTDosimetryLib.virtual_patient.organs import paint_organs
from RPTDosimetryLib.virtual_patient.solids import Field, Point, Solid, capsule, superquadric, turned
from RPTDosimetryLib.virtual_patient.tissues import Tissue
from RPTDosimetryLib.virtual_patient.trunk import SKIN_MM, Trunk, paint_skeleton, paint_trunk, spine_y_mm

DOSE_SPACING_MM: Final = 4.8
SUPERSAMPLING: Final = 2
AIR_MARGIN_VOXELS: Final = 2
#: Labels beside those of Tissue: necrotic cores of lesions count up from CORE.
BREAST_GLAND: Final = 27
FLUID: Final = 28
METAL: Final = 29
CORE: Final = 64
BONES: Final = (Tissue.BONE_CORTEX, Tissue.MARROW, Tissue.VERTEBRAL_MARROW)
#: What a lesion of each site grows in.
HOSTS: Final = {
    "liver": (Tissue.LIVER,),
    "lung": (Tissue.LUNG,),
    "bone": (Tissue.MARROW, Tissue.VERTEBRAL_MARROW, Tissue.BONE_CORTEX),
    "node": (Tissue.VISCERAL_FAT, Tissue.MEDIASTINUM),
}
#: Most of its host that a lesion may take, and how much wider than its ellipsoid it may have to reach to find room.
MOST_OF_HOST: Final = 0.45
WIDEST_LEVEL: Final = 1.7
SMALLEST_LESION_ML: Final = 2.0


@dataclass(frozen=True)
class PaintedBody:
    """Labels (z, y, x) uint8 on the fine grid; the dose grid holds SUPERSAMPLING³ of its voxels in one of its own.

    lesions: those that found room, by their number, each with the volume that it got. depth: 0 at the front of the
    chest, 1 at the back.
    """

    labels: NDArray[np.uint8]
    grid: Grid
    lesions: Mapping[int, LesionDraw]
    depth: Field


def paint_body(body: BodyDraw) -> PaintedBody:
    """Trunk, organs, skeleton, arms, breasts and lesions of one draw. No chance is involved."""
    grid = dose_grid(body)
    canvas = BentCanvas(grid.refined(SUPERSAMPLING), body)
    p = body.torso
    trunk = paint_trunk(canvas, p)
    paint_organs(canvas, p, trunk)
    paint_skeleton(canvas, p, trunk)
    _paint_airways(canvas, body)
    _paint_fluid(canvas, body)
    _paint_scapulae(canvas, body, trunk)
    if body.breast_mm:
        _paint_breasts(canvas, body)
    if body.arms_down:
        _paint_arms(canvas, body)
    if body.implant is not None:
        _paint_implant(canvas, body, body.implant)
    found = {number: _paint_lesion(canvas, lesion, number) for number, lesion in enumerate(body.lesions)}
    lesions = {number: lesion for number, lesion in found.items() if lesion is not None}
    depth = np.clip(0.5 * (canvas.y / np.float32(p.half_depth_mm) + 1.0), 0.0, 1.0)
    return PaintedBody(canvas.labels, grid, lesions, depth)


def dose_grid(body: BodyDraw) -> Grid:
    """Voxels of 4.8 mm around the body with air on each side, at least 64 along each axis.

    64 voxels hold the whole reach of photon kernels, so that all patients share the kernels of one cache.
    """
    p, (sx, sy, sz) = body.torso, body.scale
    half_x = p.half_width_mm * (1.0 + p.waist) + (118.0 if body.arms_down else 0.0)
    front = p.half_depth_mm * (1.0 + 0.35 * p.waist)
    low_y, high_y = -(front + body.breast_mm + max(body.kyphosis_mm, 0.0) * 1.8), front + 18.0
    widen = abs(body.scoliosis_mm) + 12.0
    spans = (2 * (half_x + widen) * sx, (high_y - low_y) * sy)
    nx, ny = (max(SLICES[0], int(np.ceil(s / DOSE_SPACING_MM)) + 2 * AIR_MARGIN_VOXELS) for s in spans)
    middle_y = 0.5 * (low_y + high_y) * sy
    origin = (
        -0.5 * (nx - 1) * DOSE_SPACING_MM,
        middle_y - 0.5 * (ny - 1) * DOSE_SPACING_MM,
        body.top_mm * sz - (body.slices - 0.5) * DOSE_SPACING_MM,
    )
    return Grid((body.slices, ny, nx), (DOSE_SPACING_MM,) * 3, origin)


def _paint_airways(canvas: BentCanvas, body: BodyDraw) -> None:
    """Trachea down to its fork in front of the spine, and the two main bronchi."""
    y = float(spine_y_mm(body.torso, 200.0)) - 42.0
    room = (Tissue.MEDIASTINUM, Tissue.LUNG, Tissue.VISCERAL_FAT, Tissue.MUSCLE)
    fork = (2.0, y, 205.0)
    for end in ((2.0, y + 4.0, 300.0), (-42.0, y + 2.0, 172.0), (46.0, y + 4.0, 168.0)):
        radius = 9.0 if end[2] > fork[2] else 6.5
        canvas.paint(capsule(fork, end, radius + 2.0, radius + 1.5), Tissue.MUSCLE, over=room)
        canvas.paint(capsule(fork, end, radius, radius - 0.5), Tissue.GAS, over=(*room, Tissue.LUNG))


def _paint_fluid(canvas: BentCanvas, body: BodyDraw) -> None:
    """Pleural fluid from the back forward; what fills the whole side is the state after a pneumonectomy."""
    if not body.lost_lung:
        return
    front = body.torso.half_depth_mm * (1.0 - 2.0 * body.fluid_level)
    lost = (canvas.labels == Tissue.LUNG) & (body.lost_lung * canvas.x > 0) & (canvas.y > front)
    canvas.labels[lost] = FLUID


def _paint_scapulae(canvas: BentCanvas, body: BodyDraw, trunk: Trunk) -> None:
    """Thin plates in the muscles of the upper back, and those muscles over the ribs."""
    p = body.torso
    x, y, z = canvas.x, canvas.y, canvas.z
    across = np.abs(x)
    plate = (z > 138.0) & (across > 52.0 + 0.10 * (230.0 - z)) & (across < 62.0 + 0.75 * (z - 138.0)) & (across < 128.0)
    plate &= y > 0.20 * p.half_depth_mm
    depth = trunk.depth_mm - SKIN_MM - 0.55 * p.fat_mm
    inside = plate & (depth > 0.5) & (depth < 7.0) & np.isin(canvas.labels, (Tissue.FAT, Tissue.MUSCLE))
    canvas.labels[plate & (depth > -2.0) & (canvas.labels == Tissue.FAT)] = Tissue.MUSCLE
    canvas.labels[inside & (depth > 1.0) & (depth < 5.5)] = Tissue.BONE_CORTEX
    canvas.labels[inside & (across > 104.0) & (depth > 2.2) & (depth < 4.4)] = Tissue.MARROW


def _paint_breasts(canvas: BentCanvas, body: BodyDraw) -> None:
    """Fat with glands inside, on the front of the chest; flattened, since the patient lies on the back."""
    p, size = body.torso, body.breast_mm
    for side in (-1.0, 1.0):
        centre = (side * 0.50 * p.half_width_mm, -0.86 * p.half_depth_mm, 158.0)
        outer = superquadric(centre, (1.25 * size, 0.72 * size, 1.35 * size), 2.2, turned(z_deg=side * 24.0))
        canvas.paint(outer, Tissue.SKIN, over=(Tissue.OUTSIDE,))
        canvas.paint(_shrunk(outer, 0.94), Tissue.FAT, over=(Tissue.SKIN, Tissue.OUTSIDE))
        gland = superquadric(
            (centre[0], centre[1] - 0.22 * size, centre[2] - 4.0), (0.7 * size, 0.36 * size, 0.75 * size)
        )
        canvas.paint(gland, BREAST_GLAND, over=(Tissue.FAT,))


def _paint_arms(canvas: BentCanvas, body: BodyDraw) -> None:
    """Upper arm with humerus, forearm with ulna and radius, beside the trunk."""
    p = body.torso
    fat = 0.4 * p.fat_mm
    x = p.half_width_mm * (1.0 + p.waist) + 34.0 + fat
    for side in (-1.0, 1.0):
        shoulder, elbow, hand = (
            (side * x, 22.0, 320.0),
            (side * (x + 8.0), 16.0, -10.0),
            (side * (x - 2.0), -8.0, -260.0),
        )
        for start, end, radii in ((shoulder, elbow, (46.0, 36.0)), (elbow, hand, (38.0, 27.0))):
            canvas.paint(capsule(start, end, radii[0] + fat, radii[1] + fat), Tissue.SKIN, over=(Tissue.OUTSIDE,))
            fatty = capsule(start, end, radii[0] + fat - 2.0, radii[1] + fat - 2.0)
            canvas.paint(fatty, Tissue.FAT, over=(Tissue.SKIN, Tissue.OUTSIDE))
            canvas.paint(capsule(start, end, radii[0] - 4.0, radii[1] - 4.0), Tissue.MUSCLE, over=(Tissue.FAT,))
        _paint_long_bone(canvas, shoulder, elbow, 12.5)
        for away in (-12.0, 12.0):
            bent = ((elbow[0], elbow[1] + away, elbow[2]), (hand[0], hand[1] + 0.8 * away, hand[2]))
            _paint_long_bone(canvas, *bent, 8.0)


def _paint_implant(canvas: BentCanvas, body: BodyDraw, implant: ImplantDraw) -> None:
    """Rods 24 mm beside the middle of the spine and behind it, screws from them forward into the vertebrae, a port."""
    p, inside = body.torso, tuple(t for t in Tissue if t != Tissue.OUTSIDE)
    for side in (-1.0, 1.0):
        heights = np.arange(implant.low_mm, implant.low_mm + implant.length_mm + 1.0, p.vertebra_pitch_mm)
        points = [(side * 24.0, float(spine_y_mm(p, z)) + 24.0, float(z)) for z in heights]
        for start, end in pairwise(points):
            canvas.paint(capsule(start, end, implant.radius_mm, implant.radius_mm), METAL, over=inside)
        for x, y, z in points:
            tip = (0.5 * x, y - 38.0, z)
            canvas.paint(capsule((x, y, z), tip, implant.radius_mm, 0.8 * implant.radius_mm), METAL, over=inside)
    port = (implant.port_side * 0.45 * p.half_width_mm, -0.84 * p.half_depth_mm, 205.0)
    disc = superquadric(port, (implant.port_radius_mm, 0.6 * implant.port_radius_mm, implant.port_radius_mm))
    canvas.paint(disc, METAL, over=inside)


def _paint_long_bone(canvas: BentCanvas, start: Point, end: Point, radius_mm: float) -> None:
    room = (Tissue.MUSCLE, Tissue.FAT)
    canvas.paint(capsule(start, end, radius_mm, 0.9 * radius_mm), Tissue.BONE_CORTEX, over=room)
    canvas.paint(capsule(start, end, 0.62 * radius_mm, 0.55 * radius_mm), Tissue.MARROW, over=(Tissue.BONE_CORTEX,))


def _paint_lesion(canvas: BentCanvas, lesion: LesionDraw, number: int) -> LesionDraw | None:
    """The voxels of the host nearest to the lesion's middle, as measured by its ellipsoid, until its volume is full.

    So the volume is exact whatever the host's shape. Smaller where the host has no room; None below the smallest.
    """
    host = np.flatnonzero(np.isin(canvas.labels, HOSTS[lesion.site]))
    voxel_ml = canvas.grid.voxel_volume_ml
    if host.size * voxel_ml * MOST_OF_HOST < SMALLEST_LESION_ML:
        return None
    wanted = min(lesion.volume_ml, MOST_OF_HOST * host.size * voxel_ml)
    points = [axis.ravel()[host] for axis in (canvas.x, canvas.y, canvas.z)]
    centre = int(lesion.place * host.size)
    a, b, c = lesion.proportion
    scale = (wanted * 1000.0 * 3.0 / (4.0 * np.pi * a * b * c)) ** (1 / 3)
    x0, y0, z0 = (float(p[centre]) for p in points)
    ellipsoid = superquadric((x0, y0, z0), (scale * a, scale * b, scale * c), 2.0, turned(z_deg=lesion.turn_deg))
    x, y, z = points
    bumps = 1.0 + 0.12 * np.sin(x / (0.45 * scale)) * np.sin(y / (0.4 * scale) + 1.0) * np.cos(z / (0.5 * scale))
    level = ellipsoid.level(x, y, z) * bumps
    order = np.argsort(level, kind="stable")
    filled = min(round(wanted / voxel_ml), int(np.count_nonzero(level < WIDEST_LEVEL)))
    if filled * voxel_ml < SMALLEST_LESION_ML:
        return None
    chosen = host[order[:filled]]
    canvas.labels.ravel()[chosen] = Tissue.LESION + number
    canvas.labels.ravel()[chosen[: int(lesion.core * filled)]] = CORE + number
    return replace(lesion, volume_ml=filled * voxel_ml)


def _shrunk(solid: Solid, factor: float) -> Solid:
    return Solid(solid.low, solid.high, lambda x, y, z: solid.level(x, y, z) / np.float32(factor))
