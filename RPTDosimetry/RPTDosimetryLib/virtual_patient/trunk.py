"""Body outline, skin, fat, muscle wall, the cavity inside, lungs above the diaphragm, and the skeleton."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.virtual_patient.canvas import Canvas
from RPTDosimetryLib.virtual_patient.solids import Field, capsule, superquadric
from RPTDosimetryLib.virtual_patient.tissues import Tissue
from RPTDosimetryLib.virtual_patient.torso import TorsoParameters

SKIN_MM = 2.0
WALL_MM = 17.0
RIB_PITCH_MM = 27.0
RIB_SLOPE = 0.55


@dataclass(frozen=True)
class Trunk:
    """What organs need: depth below the skin, height above the diaphragm [mm], and the cavity that holds them."""

    depth_mm: Field
    above_diaphragm_mm: Field
    cavity: NDArray[np.bool_]


def spine_y_mm(p: TorsoParameters, z: Field | float) -> Field:
    """Height y of the middle of the vertebrae [mm]: forward in the lumbar spine, backward in chest and sacrum."""
    z = np.asarray(z, dtype=np.float32)
    lordosis = p.lordosis_mm * np.exp(-(((z + 45.0) / 75.0) ** 2))
    return np.asarray(p.half_depth_mm * 0.42 - lordosis + 16.0 / (1.0 + np.exp((z + 135.0) / 14.0)), dtype=np.float32)


def paint_trunk(canvas: Canvas, p: TorsoParameters) -> Trunk:
    """Skin, fat, muscle, visceral fat in the cavity, lungs and mediastinum."""
    x, y, z = canvas.x, canvas.y, canvas.z
    depth = _depth_mm(canvas, p)
    fat_mm = _fat_mm(p, y, z)
    labels = canvas.labels
    labels[depth > 0] = Tissue.SKIN
    labels[depth > SKIN_MM] = Tissue.FAT
    labels[depth > SKIN_MM + fat_mm] = Tissue.MUSCLE
    spine_y = spine_y_mm(p, z)
    chest = 1.0 / (1.0 + np.exp(-(z - 70.0) / 12.0))
    back_limit = spine_y + 4.0 + 0.12 * np.abs(x) + (8.0 + 0.5 * np.abs(x)) * chest
    pelvis_mm = 36.0 / (1.0 + np.exp((z + 125.0) / 12.0))  # the true pelvis is narrower than the abdomen
    cavity = (depth > SKIN_MM + fat_mm + WALL_MM - 6.0 * chest + pelvis_mm) & (y < back_limit)
    labels[cavity] = Tissue.VISCERAL_FAT
    above = z - _diaphragm_mm(p, x, y)
    thorax = cavity & (above > 0)
    labels[thorax] = Tissue.MEDIASTINUM
    half_mediastinum = 22.0 + 10.0 * np.exp(-(((y - spine_y) / 30.0) ** 2))
    labels[thorax & (np.abs(x - 4.0) > half_mediastinum)] = Tissue.LUNG
    labels[cavity & (above > -3.5) & (above <= 0)] = Tissue.MUSCLE  # the diaphragm itself
    _paint_back_muscles(canvas, p)
    return Trunk(depth, np.asarray(above, dtype=np.float32), cavity)


def _depth_mm(canvas: Canvas, p: TorsoParameters) -> Field:
    """Distance below a superelliptic outline along the ray to the body axis: (1 - r)/r · |(x, y)|."""
    x, y, z = canvas.x, canvas.y, canvas.z
    flare = 1.0 + p.waist * (1.0 - np.exp(-(((z + 15.0) / 105.0) ** 2)))
    half_width = p.half_width_mm * flare
    half_depth = p.half_depth_mm * (1.0 + 0.35 * (flare - 1.0))
    exponent = np.float32(2.4)
    ratio = (np.abs(x / half_width) ** exponent + np.abs(y / half_depth) ** exponent) ** (1 / exponent)
    ratio = np.maximum(ratio, 1e-3)
    return np.asarray((1.0 - ratio) / ratio * np.hypot(x, y), dtype=np.float32)


def _fat_mm(p: TorsoParameters, y: Field, z: Field) -> Field:
    front = np.clip(-y / p.half_depth_mm, 0.0, 1.0)
    belly = np.exp(-(((z + 50.0) / 90.0) ** 2))
    hips = 1.0 / (1.0 + np.exp((z + 90.0) / 20.0))
    chest = 1.0 / (1.0 + np.exp(-(z - 90.0) / 25.0))
    return np.asarray(p.fat_mm * (1.0 + p.belly_fat * front * belly + 0.45 * hips - 0.35 * chest), dtype=np.float32)


def _diaphragm_mm(p: TorsoParameters, x: Field, y: Field) -> Field:
    """Two domes, the right one higher, falling to the costophrenic angles."""
    back = ((y + 8.0) / 88.0) ** 2
    right = p.dome_mm - 46.0 * ((x + 72.0) / 95.0) ** 2 - 58.0 * back
    left = p.dome_mm - 11.0 - 46.0 * ((x - 68.0) / 90.0) ** 2 - 58.0 * back
    return np.asarray(np.maximum(np.maximum(right, left), 25.0), dtype=np.float32)


def _paint_back_muscles(canvas: Canvas, p: TorsoParameters) -> None:
    """Psoas beside the lumbar spine, and fat between the back muscles and the skin is already there."""
    for side in (-1.0, 1.0):
        top, bottom = 20.0, -150.0
        start = (side * 34.0, float(spine_y_mm(p, top)) + 2.0, top)
        middle = (side * 44.0, float(spine_y_mm(p, -60.0)) + 2.0, -60.0)
        end = (side * 62.0, 2.0, bottom)
        canvas.paint(capsule(start, middle, 9.0, 20.0), Tissue.MUSCLE, over=(Tissue.VISCERAL_FAT,))
        canvas.paint(capsule(middle, end, 20.0, 19.0), Tissue.MUSCLE, over=(Tissue.VISCERAL_FAT,))


def paint_skeleton(canvas: Canvas, p: TorsoParameters, trunk: Trunk) -> None:
    """Ribs and sternum in the wall, spine with marrow inside its cortex, sacrum, iliac wings, femoral heads."""
    _paint_ribs(canvas, p, trunk)
    _paint_pelvis(canvas, p)
    _paint_spine(canvas, p)


def _paint_ribs(canvas: Canvas, p: TorsoParameters, trunk: Trunk) -> None:
    x, y, z = canvas.x, canvas.y, canvas.z
    height = z - RIB_SLOPE * y + p.rib_phase_mm
    across = (np.mod(height, RIB_PITCH_MM) - RIB_PITCH_MM / 2) / 6.5
    fat_mm = _fat_mm(p, y, z)
    level = np.sqrt(((trunk.depth_mm - SKIN_MM - fat_mm - 7.5) / 5.0) ** 2 + across**2)
    lowest = 12.0 + 0.85 * np.maximum(0.0, 45.0 - y)  # the costal margin rises towards the sternum
    present = (z > lowest) & (np.abs(x) > 22.0) & (trunk.depth_mm > 0)
    front = y < -0.72 * p.half_depth_mm
    canvas.labels[(level < 1) & present] = Tissue.BONE_CORTEX
    canvas.labels[(level < 0.55) & present] = Tissue.MARROW
    canvas.labels[(level < 1) & present & front] = Tissue.CARTILAGE
    sternum = (np.abs(x) < 17.0) & (np.abs(trunk.depth_mm - SKIN_MM - fat_mm - 8.0) < 5.5) & (y < 0) & (z > 128.0)
    canvas.labels[sternum] = Tissue.BONE_CORTEX
    inner = sternum & (np.abs(x) < 14.0) & (np.abs(trunk.depth_mm - SKIN_MM - fat_mm - 8.0) < 3.0) & (z > 131.0)
    canvas.labels[inner] = Tissue.MARROW


def _paint_spine(canvas: Canvas, p: TorsoParameters) -> None:
    """Bodies as waisted elliptic columns with discs between them, arch, canal with the cord, and processes."""
    x, y, z = canvas.x, canvas.y, canvas.z
    centre_y = spine_y_mm(p, z)
    above_sacrum = z > -118.0
    phase = np.mod(z + p.vertebra_pitch_mm / 2, p.vertebra_pitch_mm) / p.vertebra_pitch_mm - 0.5  # 0 in mid-body
    size = 1.0 - 0.18 / (1.0 + np.exp(-(z - 60.0) / 30.0))
    waist = size * (1.0 - 0.10 * np.cos(2 * np.pi * phase))
    body = np.sqrt((x / (23.5 * waist)) ** 2 + ((y - centre_y) / (18.0 * waist)) ** 2)
    disc = np.abs(phase) > 0.5 - 4.5 / p.vertebra_pitch_mm
    end_plate = np.abs(phase) > 0.5 - 6.8 / p.vertebra_pitch_mm
    labels = canvas.labels
    back = y - centre_y - 18.0 * size
    arch = np.sqrt((x / 17.0) ** 2 + ((back - 8.0) / 15.0) ** 2)
    labels[(arch < 1) & above_sacrum & (np.abs(phase) < 0.38)] = Tissue.BONE_CORTEX
    spinous = (np.abs(x) < 4.0) & (back > 18.0) & (back < 40.0) & (np.abs(phase + 0.15) < 0.25) & above_sacrum
    transverse = (np.abs(x) < 40.0) & (np.abs(back - 5.0) < 4.5) & (np.abs(phase) < 0.13) & above_sacrum
    labels[(spinous | transverse) & (labels != Tissue.SKIN) & (labels != Tissue.OUTSIDE)] = Tissue.BONE_CORTEX
    labels[(body < 1) & above_sacrum] = Tissue.BONE_CORTEX
    labels[(body < 0.88) & above_sacrum & ~end_plate] = Tissue.VERTEBRAL_MARROW
    labels[(body < 1) & above_sacrum & disc] = Tissue.DISC
    canal = np.sqrt((x / 9.5) ** 2 + ((back - 8.0) / 7.5) ** 2)
    labels[(canal < 1) & (z > -150.0)] = Tissue.SPINAL_CORD


def _paint_pelvis(canvas: Canvas, p: TorsoParameters) -> None:
    """Sacrum, iliac wings (oblique plates that flare towards the crest), hip sockets and femoral heads."""
    x, y, z = canvas.x, canvas.y, canvas.z
    surface_x = 47.0 + 0.62 * (62.0 - y) + 0.32 * (z + 150.0) - 0.0035 * (y - 15.0) ** 2
    across_mm = np.abs(np.abs(x) - surface_x) / 1.22
    crest = -90.0 - 26.0 * ((y - 12.0) / 52.0) ** 2
    for side in (-1.0, 1.0):
        iliacus = capsule((side * 72.0, 14.0, -112.0), (side * 66.0, -8.0, -172.0), 19.0, 22.0)
        canvas.paint(iliacus, Tissue.MUSCLE, over=(Tissue.VISCERAL_FAT,))
    half_mm = 5.5 + 3.0 / (1.0 + np.exp((z + 140.0) / 10.0))
    wing = (z < crest) & (z > -186.0) & (y > -36.0) & (y < 64.0) & (canvas.labels > Tissue.FAT)
    canvas.labels[wing & (across_mm < half_mm)] = Tissue.BONE_CORTEX
    canvas.labels[wing & (across_mm < half_mm - 2.8) & (z < crest - 3.0)] = Tissue.MARROW
    sacrum_y = float(spine_y_mm(p, -155.0)) + 6.0
    bones = [superquadric((0.0, sacrum_y, -152.0), (50.0, 19.0, 44.0), 2.5)]
    for side in (-1.0, 1.0):
        canvas.paint(superquadric((side * 88.0, 2.0, -194.0), (35.0, 34.0, 33.0)), Tissue.BONE_CORTEX)
        canvas.paint(superquadric((side * 93.0, 1.0, -199.0), (29.0, 29.0, 29.0)), Tissue.CARTILAGE)
        bones.append(superquadric((side * 93.0, 1.0, -200.0), (25.0, 25.0, 25.0)))
    for bone in bones:
        canvas.paint(bone, Tissue.BONE_CORTEX)
        block, level = canvas.level(bone)
        canvas.labels[block][level < 0.87] = Tissue.MARROW
