"""Organs of chest, abdomen and pelvis, painted into the cavity of the trunk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from RPTDosimetryLib.virtual_patient.canvas import Canvas
from RPTDosimetryLib.virtual_patient.solids import Point, Solid, smooth_path, superquadric, tube, turned
from RPTDosimetryLib.virtual_patient.tissues import Tissue
from RPTDosimetryLib.virtual_patient.torso import TorsoParameters
from RPTDosimetryLib.virtual_patient.trunk import Trunk, spine_y_mm

#: What organs of the abdomen may replace.
ROOM = (Tissue.VISCERAL_FAT,)
GUT = (Tissue.VISCERAL_FAT, Tissue.GUT_WALL, Tissue.GUT_CONTENT, Tissue.GAS)


def paint_organs(canvas: Canvas, p: TorsoParameters, trunk: Trunk) -> None:
    """All soft organs, in an order in which each yields to the next."""
    _paint_bowel(canvas, p)
    _paint_stomach(canvas)
    _paint_liver(canvas, p, trunk)
    _paint_spleen(canvas, p, trunk)
    _paint_small_upper_organs(canvas)
    for side in (1, -1):
        _paint_kidney(canvas, p, side)
    _paint_heart_and_vessels(canvas, p)
    bladder = superquadric((0.0, -34.0, -152.0), _scaled((41.0, 34.0, 32.0), p.bladder_scale), 2.3)
    canvas.paint(_grown(bladder, 1.09), Tissue.MUSCLE, over=(*GUT, Tissue.MUSCLE))
    canvas.paint(bladder, Tissue.BLADDER, over=(*GUT, Tissue.MUSCLE))


def _paint_bowel(canvas: Canvas, p: TorsoParameters) -> None:
    rng = np.random.default_rng(p.bowel_seed)
    knots: list[Point] = []
    for n in range(22):  # loops sweep from side to side while they sink towards the pelvis
        sweep = 62.0 * np.sin(2.1 * n + rng.uniform(-0.4, 0.4))
        knots.append((float(sweep), float(-38.0 + rng.uniform(-26, 20)), float(-12.0 - 5.0 * n + rng.uniform(-12, 12))))
    _paint_gut(canvas, knots, [11.5] * len(knots), wall_mm=2.8, gas_above_mm=None)
    colon_mm = (
        (-86, -26, -116), (-108, -4, -75), (-110, 6, -30), (-98, -22, -8), (-55, -62, -22), (0, -70, -34),
        (50, -64, -18), (92, -25, 12), (112, 8, 20), (116, 16, -25), (108, 10, -70), (86, -14, -108), (58, -16, -116),
        (30, 28, -128), (6, 34, -165), (0, 40, -215),
    )  # fmt: skip
    radii_mm = (24, 25, 23, 20, 18, 18, 18, 18, 17, 16, 16, 15, 15, 14, 17, 17)
    _paint_gut(canvas, colon_mm, radii_mm, wall_mm=3.0, gas_above_mm=6.0, haustra=0.13)


def _paint_stomach(canvas: Canvas) -> None:
    knots = ((72, 22, 84), (74, -8, 70), (62, -40, 48), (30, -56, 28), (-8, -46, 22), (-26, -32, 24))
    _paint_gut(canvas, knots, (30, 31, 27, 22, 17, 11), wall_mm=4.0, gas_above_mm=15.0)
    duodenum = ((-26, -32, 24), (-46, -8, 14), (-46, 6, -28), (-6, 16, -38))
    _paint_gut(canvas, duodenum, (11, 11, 11, 10), wall_mm=3.0, gas_above_mm=None)


def _paint_gut(
    canvas: Canvas,
    knots: Sequence[Point],
    radii_mm: Sequence[float],
    *,
    wall_mm: float,
    gas_above_mm: float | None,
    haustra: float = 0.0,
) -> None:
    """A tube with wall and content; gas gathers in front (the patient lies on the back) of the axis by gas_above_mm."""
    steps = 5
    path = smooth_path(knots, steps)
    radii = np.interp(np.arange(len(path)) / steps, np.arange(len(knots)), radii_mm)
    radii = radii * (1.0 + haustra * np.sin(2.2 * np.arange(len(path))))
    for solid in tube(path, list(radii)):
        canvas.paint(solid, Tissue.GUT_WALL, over=GUT)
    for solid in tube(path, list(radii - wall_mm)):
        canvas.paint(solid, Tissue.GUT_CONTENT, over=GUT)
        if gas_above_mm is not None:
            block, level = canvas.level(solid)
            axis_y = 0.5 * (solid.low[1] + solid.high[1])
            gas = (level < 1) & (canvas.at(block)[1] < axis_y - gas_above_mm)
            part = canvas.labels[block]
            part[gas & (part == Tissue.GUT_CONTENT)] = Tissue.GAS


def _paint_liver(canvas: Canvas, p: TorsoParameters, trunk: Trunk) -> None:
    """Right and left lobe under the diaphragm, cut by the sloping visceral surface."""
    right = superquadric((-76.0, 0.0, 52.0), _scaled((84.0, 92.0, 92.0), p.liver_scale), 2.2)
    left = superquadric((-2.0, -42.0, 82.0), _scaled((92.0, 46.0, 40.0), p.liver_scale * p.left_lobe_scale))
    room = (*GUT, Tissue.MUSCLE)
    for lobe in (right, left):
        block, level = canvas.level(lobe)
        x, y, z = canvas.at(block)
        visceral = z > -42.0 + 0.60 * (x + 150.0) + 0.10 * y + 5.0 * np.sin(x / 24.0)
        inside = (level < 1) & visceral & trunk.cavity[block] & (trunk.above_diaphragm_mm[block] < -3.5)
        inside &= np.isin(canvas.labels[block], room)
        canvas.labels[block][inside] = Tissue.LIVER


def _paint_spleen(canvas: Canvas, p: TorsoParameters, trunk: Trunk) -> None:
    """A crescent against the left back of the diaphragm."""
    turn = turned(x_deg=-18.0, z_deg=-28.0)
    outer = superquadric((102.0, 36.0, 58.0), _scaled((29.0, 46.0, 56.0), p.spleen_scale), 2.2, turn)
    hollow = superquadric((62.0, 2.0, 55.0), (42.0, 40.0, 60.0))
    block, level = canvas.level(outer)
    inside = (level < 1) & (hollow.level(*canvas.at(block)) > 1) & (trunk.above_diaphragm_mm[block] < -3.5)
    inside &= trunk.cavity[block] & np.isin(canvas.labels[block], GUT)
    canvas.labels[block][inside] = Tissue.SPLEEN


def _paint_small_upper_organs(canvas: Canvas) -> None:
    pancreas = smooth_path(((-34, 2, 6), (-14, -14, 20), (18, -18, 30), (52, 2, 42), (84, 22, 50)), 4)
    for solid in tube(pancreas, list(np.interp(np.linspace(0, 1, len(pancreas)), (0, 0.3, 1), (15, 10, 8)))):
        canvas.paint(solid, Tissue.PANCREAS, over=ROOM)
    gallbladder = superquadric((-46.0, -44.0, 26.0), (13.0, 16.0, 25.0), 2.0, turned(x_deg=25.0))
    canvas.paint(gallbladder, Tissue.GALLBLADDER, over=(*GUT, Tissue.LIVER))


def _paint_kidney(canvas: Canvas, p: TorsoParameters, side: int) -> None:
    """A bean in its fat: cortex outside, medulla with pyramids inside, the sinus open towards the spine."""
    shift = p.kidney_left_shift_mm if side > 0 else p.kidney_right_shift_mm
    base = (side * 67.0, float(spine_y_mm(p, 0.0)) + 6.0, 4.0 if side > 0 else -8.0)
    centre = (base[0] + side * abs(shift[0]), base[1] + shift[1], base[2] + shift[2])
    turn = turned(y_deg=-side * p.kidney_tilt_deg, z_deg=side * 32.0, x_deg=-8.0)
    semi = _scaled((29.0, 25.5, 55.0), p.kidney_scale)
    bean = superquadric(centre, semi, 2.0, turn)
    hilum = tuple(np.asarray(centre) + turn @ (-side * 0.92 * semi[0], 0.0, 0.0))
    sinus = superquadric((hilum[0], hilum[1], hilum[2]), _scaled((21.0, 10.0, 25.0), p.kidney_scale), 2.0, turn)
    yields = (*GUT, Tissue.LIVER, Tissue.SPLEEN, Tissue.PANCREAS, Tissue.MUSCLE)
    canvas.paint(_grown(bean, 1.13), Tissue.VISCERAL_FAT, over=yields)
    block, level = canvas.level(bean)
    x, y, z = canvas.at(block)
    bean_only = (level < 1) & (sinus.level(x, y, z) > 1) & np.isin(canvas.labels[block], (*yields, Tissue.VISCERAL_FAT))
    pyramids = 0.64 + 0.12 * np.cos((z - centre[2]) / 5.2) * np.cos((y - centre[1]) / 6.0)
    cortex, medulla = (
        (Tissue.KIDNEY_LEFT_CORTEX, Tissue.KIDNEY_LEFT_MEDULLA)
        if side > 0
        else (Tissue.KIDNEY_RIGHT_CORTEX, Tissue.KIDNEY_RIGHT_MEDULLA)
    )
    canvas.labels[block][bean_only] = cortex
    canvas.labels[block][bean_only & (level < pyramids)] = medulla


def _paint_heart_and_vessels(canvas: Canvas, p: TorsoParameters) -> None:
    turn = turned(y_deg=35.0, z_deg=35.0)
    base_z = p.dome_mm + 38.0
    heart = superquadric((22.0, -38.0, base_z), _scaled((58.0, 40.0, 40.0), p.heart_scale), 2.0, turn)
    chest = (Tissue.LUNG, Tissue.MEDIASTINUM, Tissue.VISCERAL_FAT)
    canvas.paint(_grown(heart, 1.06), Tissue.MEDIASTINUM, over=chest)
    canvas.paint(heart, Tissue.HEART_WALL, over=chest)
    left_chamber = superquadric((34.0, -32.0, base_z), _scaled((34.0, 17.0, 19.0), p.heart_scale), 2.0, turn)
    right_chamber = superquadric((2.0, -46.0, base_z + 2.0), _scaled((34.0, 20.0, 26.0), p.heart_scale), 2.0, turn)
    for chamber in (left_chamber, right_chamber):
        canvas.paint(chamber, Tissue.BLOOD, over=(Tissue.HEART_WALL,))
    room = (*GUT, Tissue.MEDIASTINUM, Tissue.LIVER, Tissue.MUSCLE, Tissue.PANCREAS)
    heights = (235.0, 150.0, 70.0, 0.0, -75.0)
    aorta = [(9.0, float(spine_y_mm(p, h)) - 29.0 * (1.0 - 0.1 * (h > 60)), h) for h in heights]
    vein = [(-18.0, float(spine_y_mm(p, h)) - 27.0 - 8.0 * (h > 60), h) for h in (110.0, 70.0, 0.0, -75.0)]
    for start, legs in (
        (aorta[-1], ((32.0, 14.0, -130.0), (48.0, 0.0, -190.0))),
        (vein[-1], ((-36.0, 16.0, -130.0), (-50.0, 0.0, -190.0))),
    ):
        for sign in (1.0, -1.0):
            mirrored = [(sign * leg[0], leg[1], leg[2]) for leg in legs]
            for solid in tube([start, *mirrored], (7.0, 5.5, 5.0)):
                canvas.paint(solid, Tissue.BLOOD, over=room)
    for path, radius in ((aorta, 10.5), (vein, 11.0)):
        for solid in tube(path, [radius] * len(path)):
            canvas.paint(solid, Tissue.BLOOD, over=room)


def _grown(solid: Solid, factor: float) -> Solid:
    """The same solid scaled about its centre."""
    middle = 0.5 * np.add(solid.low, solid.high)
    half = 0.5 * np.subtract(solid.high, solid.low) * factor
    low, high = middle - half, middle + half
    return Solid(
        (float(low[0]), float(low[1]), float(low[2])),
        (float(high[0]), float(high[1]), float(high[2])),
        lambda x, y, z: solid.level(x, y, z) / np.float32(factor),
    )


def _scaled(semi_axes: Point, factor: float) -> Point:
    return semi_axes[0] * factor, semi_axes[1] * factor, semi_axes[2] * factor
