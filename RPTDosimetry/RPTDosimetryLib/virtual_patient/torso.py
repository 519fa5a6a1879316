"""The numbers that make one torso: drawn by a generator here, applied without chance in anatomy.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from RPTDosimetryLib.virtual_patient.solids import Point

LesionSite = Literal["liver", "bone"]


@dataclass(frozen=True)
class LesionShape:
    """One lesion: an ellipsoid of volume_ml with semi-axes in the given proportion, turned about z."""

    name: str
    site: LesionSite
    centre_mm: Point
    volume_ml: float
    proportion: Point
    turn_deg: float

    @property
    def semi_axes_mm(self) -> Point:
        """Semi-axes with 4/3·π·abc = volume."""
        a, b, c = self.proportion
        scale = (self.volume_ml * 1000.0 * 3.0 / (4.0 * np.pi * a * b * c)) ** (1 / 3)
        return scale * a, scale * b, scale * c


@dataclass(frozen=True)
class TorsoParameters:
    """Lengths in mm. x grows to the patient's left, y to the back, z to the head; z = 0 lies near L2.

    Organ scales multiply every length of the organ; shifts move it. 1 and 0 give the reference torso, whose organ
    volumes are near the adult values of ICRP 89 (liver 1.7 L, kidneys 290 mL, spleen 140 mL).
    """

    half_width_mm: float = 168.0
    half_depth_mm: float = 112.0
    fat_mm: float = 16.0
    belly_fat: float = 0.5
    waist: float = 0.09
    dome_mm: float = 122.0
    liver_scale: float = 1.0
    left_lobe_scale: float = 1.0
    spleen_scale: float = 1.0
    kidney_scale: float = 1.0
    kidney_left_shift_mm: Point = (0.0, 0.0, 0.0)
    kidney_right_shift_mm: Point = (0.0, 0.0, 0.0)
    kidney_tilt_deg: float = 12.0
    heart_scale: float = 1.0
    bladder_scale: float = 1.0
    lordosis_mm: float = 12.0
    rib_phase_mm: float = 0.0
    vertebra_pitch_mm: float = 34.0
    bowel_seed: int = 1
    lesions: tuple[LesionShape, ...] = ()


#: Volumes the demo asks for: two liver lesions and one in a vertebra [mL].
DEMO_LESION_ML: Final[tuple[tuple[str, LesionSite, float], ...]] = (
    ("lesion_liver_1", "liver", 30.0),
    ("lesion_liver_2", "liver", 8.0),
    ("lesion_bone_1", "bone", 10.0),
)


#: Places in the right lobe, far enough apart for lesions of 30 mL.
LIVER_SITES_MM: Final[tuple[Point, ...]] = (
    (-88.0, 18.0, 62.0),
    (-62.0, -42.0, 88.0),
    (-105.0, -30.0, 50.0),
    (-75.0, 40.0, 95.0),
)


def draw_torso(
    rng: np.random.Generator, lesions: tuple[tuple[str, LesionSite, float], ...] = DEMO_LESION_ML
) -> TorsoParameters:
    """Parameters of one torso within the ordinary range of adults; each lesion is (name, site, volume [mL])."""
    return TorsoParameters(
        half_width_mm=rng.uniform(158, 178),
        half_depth_mm=rng.uniform(106, 120),
        fat_mm=rng.uniform(12, 20),
        belly_fat=rng.uniform(0.2, 0.8),
        waist=rng.uniform(0.06, 0.12),
        dome_mm=rng.uniform(116, 126),
        liver_scale=rng.uniform(0.94, 1.04),
        left_lobe_scale=rng.uniform(0.85, 1.1),
        spleen_scale=rng.uniform(0.95, 1.2),
        kidney_scale=rng.uniform(0.94, 1.06),
        kidney_left_shift_mm=_jitter(rng, (3.0, 3.0, 8.0)),
        kidney_right_shift_mm=_jitter(rng, (3.0, 3.0, 8.0)),
        kidney_tilt_deg=rng.uniform(8, 16),
        heart_scale=rng.uniform(0.93, 1.05),
        bladder_scale=rng.uniform(0.8, 1.1),
        lordosis_mm=rng.uniform(6, 15),
        rib_phase_mm=rng.uniform(0, 27),
        vertebra_pitch_mm=rng.uniform(32, 36),
        bowel_seed=int(rng.integers(1, 2**31)),
        lesions=tuple(_draw_lesion(rng, n, *lesion) for n, lesion in enumerate(lesions)),
    )


def _draw_lesion(rng: np.random.Generator, number: int, name: str, site: LesionSite, volume_ml: float) -> LesionShape:
    """Liver lesions spread over the right lobe; a bone lesion in a lumbar vertebral body (anatomy.py adds its z)."""
    centre = LIVER_SITES_MM[number % len(LIVER_SITES_MM)] if site == "liver" else (0.0, 0.0, -34.0 * (number % 3))
    spread = (6.0, 6.0, 6.0) if site == "liver" else (3.0, 2.0, 0.0)
    moved = tuple(c + j for c, j in zip(centre, _jitter(rng, spread), strict=True))
    proportion = (1.0, rng.uniform(0.85, 1.1), rng.uniform(0.9, 1.15))
    return LesionShape(name, site, (moved[0], moved[1], moved[2]), volume_ml, proportion, rng.uniform(0, 180))


def _jitter(rng: np.random.Generator, half_range: Point) -> Point:
    x, y, z = (float(rng.uniform(-h, h)) for h in half_range)
    return x, y, z
