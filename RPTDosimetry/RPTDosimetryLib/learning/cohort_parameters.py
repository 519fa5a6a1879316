"""The numbers that make one patient of a cohort, drawn here and applied without chance elsewhere in this room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import numpy as np

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.virtual_patient.solids import Point
from RPTDosimetryLib.virtual_patient.torso import TorsoParameters

TrainingKind = Literal["male", "female", "obese", "slim"]
#: What else a network can be trained on: fields of view cut short, dense bones, metal in the spine and under the skin.
WideKind = Literal["short", "dense", "implant"]
#: Anatomies that no network is trained on, all of them procedural.
UnseenKind = Literal["child", "pneumonectomy", "effusion", "kyphoscoliosis", "sclerotic"]
TRAINING_KINDS: Final[tuple[str, ...]] = get_args(TrainingKind)
WIDE_KINDS: Final[tuple[str, ...]] = get_args(WideKind)
UNSEEN_KINDS: Final[tuple[str, ...]] = get_args(UnseenKind)
KINDS: Final = (*TRAINING_KINDS, *WIDE_KINDS, *UNSEEN_KINDS)
Site = Literal["liver", "lung", "bone", "node"]
Range = tuple[float, float]

#: Uniform ranges [mm, 1] of the trunk by kind: half width, half depth, subcutaneous fat, and the scale of the whole
#: body. Fat grows with the outline, so that the cavity and its organs stay those of the skeleton.
BUILD: Final[Mapping[str, Mapping[str, Range]]] = {
    "male": {"half_width_mm": (160, 178), "half_depth_mm": (106, 122), "fat_mm": (10, 22), "scale": (0.95, 1.10)},
    "female": {"half_width_mm": (156, 174), "half_depth_mm": (106, 120), "fat_mm": (14, 28), "scale": (0.86, 1.00)},
    "obese": {"half_width_mm": (186, 212), "half_depth_mm": (134, 156), "fat_mm": (34, 56), "scale": (0.95, 1.08)},
    "slim": {"half_width_mm": (148, 158), "half_depth_mm": (100, 108), "fat_mm": (4, 8), "scale": (0.88, 1.05)},
    "child": {"half_width_mm": (156, 170), "half_depth_mm": (106, 118), "fat_mm": (6, 14), "scale": (0.60, 0.68)},
}
#: Uniform ranges common to all kinds; scales multiply lengths. Liver 1.4 and 1.8 kg, kidneys 275 and 310 g, spleen 130
#: and 150 g of the reference woman and man (ICRP 89, 2002) lie inside what they give with the body's scale.
ORGANS: Final[Mapping[str, Range]] = {
    "belly_fat": (0.1, 0.9), "waist": (0.05, 0.12), "dome_mm": (112, 128), "liver_scale": (0.90, 1.06),
    "left_lobe_scale": (0.75, 1.15), "spleen_scale": (0.88, 1.30), "kidney_scale": (0.86, 1.10),
    "kidney_tilt_deg": (6, 18), "heart_scale": (0.88, 1.08), "bladder_scale": (0.65, 1.15),
    "lordosis_mm": (5, 16), "rib_phase_mm": (0, 27),
    "vertebra_pitch_mm": (31, 36.5),
}  # fmt: skip
#: Log-uniform volumes [mL] and the chance that a patient has lesions at the site.
LESIONS: Final[Mapping[Site, tuple[Range, float]]] = {
    "liver": ((2.0, 950.0), 0.75), "bone": ((2.0, 60.0), 0.50), "node": ((2.0, 60.0), 0.40),
    "lung": ((2.0, 120.0), 0.30),
}  # fmt: skip
MOST_LESIONS_A_SITE: Final = 3
#: Room that a field of view needs along each axis: 64 voxels hold the 30 cm reach of photon kernels, one size for all.
SLICES: Final = (64, 84)
#: Slices with anything in them where the field of view is cut short, 11 to 23 cm; and how often dense bones and
#: implants are seen in such a field.
SHORT_SLICES: Final = (24, 48)
ALSO_SHORT: Final = 0.5


@dataclass(frozen=True)
class Wave:
    """One smooth mode of the deformation: amplitude_mm · Π sin(2π·r/wavelength + phase), a vector in x, y, z."""

    amplitude_mm: Point
    wavelength_mm: Point
    phase: Point


@dataclass(frozen=True)
class LesionDraw:
    """place: 0 to 1, which of the site's voxels is its centre. core: share of its volume that is necrotic."""

    name: str
    site: Site
    volume_ml: float
    place: float
    proportion: Point
    turn_deg: float
    core: float
    hu: float
    uptake: float


@dataclass(frozen=True)
class ImplantDraw:
    """Two rods beside the spine from low_mm upwards, a screw at every vertebra, and a port under the skin of a side."""

    low_mm: float
    length_mm: float
    radius_mm: float
    port_side: int
    port_radius_mm: float


@dataclass(frozen=True)
class CtDraw:
    """HU of tissues that vary most. lung_gradient_hu: rise from front to back (the patient lies on the back)."""

    lung_hu: float
    lung_gradient_hu: float
    cortex_hu: float
    marrow_hu: float
    liver_hu: float
    vessel_hu: float
    texture: float
    noise_hu: float
    metal_hu: float = 0.0


@dataclass(frozen=True)
class BodyDraw:
    """A torso and what is done to it. Lengths in mm of the undeformed torso; top_mm: upper end of the field of view.

    scoliosis_mm, kyphosis_mm: sideways swing and forward bow of the trunk. lost_lung: side (−1 right, 1 left) whose
    pleural space holds fluid up to ``fluid_level`` (share of its depth from the back; 1 is all of it). shown: first
    and one past the last slice that hold anything, None for all. implant: metal in it.
    """

    kind: str
    torso: TorsoParameters
    scale: Point
    waves: tuple[Wave, ...]
    slices: int
    top_mm: float
    arms_down: bool = False
    breast_mm: float = 0.0
    scoliosis_mm: float = 0.0
    kyphosis_mm: float = 0.0
    lost_lung: int = 0
    fluid_level: float = 0.0
    lesions: tuple[LesionDraw, ...] = ()
    shown: tuple[int, int] | None = None
    implant: ImplantDraw | None = None


def draw_body(kind: str, rng: np.random.Generator) -> BodyDraw:
    """All numbers of one body. Raises StudyError for a kind that does not exist."""
    if kind not in KINDS:
        raise StudyError(f"There is no virtual patient {kind!r}: choose {', '.join(KINDS)}.")
    among = TRAINING_KINDS if kind in WIDE_KINDS else ("male", "female")
    build = BUILD.get(kind) or BUILD[among[int(rng.integers(len(among)))]]
    base = {name: float(rng.uniform(*limits)) for name, limits in build.items()}
    size = base.pop("scale")
    sizes: dict[str, Any] = base | {name: float(rng.uniform(*limits)) for name, limits in ORGANS.items()}
    torso = TorsoParameters(
        **sizes,
        kidney_left_shift_mm=_within(rng, (4.0, 5.0, 14.0)),
        kidney_right_shift_mm=_within(rng, (4.0, 5.0, 14.0)),
        bowel_seed=int(rng.integers(1, 2**31)),
    )
    scale = tuple(float(size * s) for s in rng.uniform(0.96, 1.04, 3))
    arms_down = bool(rng.random() < 0.3)
    breasts = kind == "female" or (kind == "obese" and bool(rng.random() < 0.5))
    slices = int(rng.integers(SLICES[0], SLICES[1] + 1)) if kind != "child" else SLICES[0]
    length_mm = slices * 4.8 / scale[2]
    top_mm = float(rng.uniform(max(190.0, length_mm - 220.0), max(236.0, length_mm - 220.0)))
    body = BodyDraw(
        kind, torso, (scale[0], scale[1], scale[2]), _waves(rng), slices, top_mm, arms_down,
        breast_mm=float(rng.uniform(32, 62)) if breasts else 0.0,
        scoliosis_mm=float(rng.uniform(-6, 6)), kyphosis_mm=float(rng.uniform(-4, 12)), lesions=_lesions(rng),
    )  # fmt: skip
    return _particular(body, rng)


def _particular(body: BodyDraw, rng: np.random.Generator) -> BodyDraw:
    """What sets the wide and the unseen kinds apart."""
    side = int(rng.choice([-1, 1]))
    if body.kind == "pneumonectomy":
        return replace(body, lost_lung=side, fluid_level=1.0)
    if body.kind == "effusion":
        return replace(body, lost_lung=side, fluid_level=float(rng.uniform(0.45, 0.75)))
    if body.kind == "kyphoscoliosis":
        return replace(body, scoliosis_mm=side * float(rng.uniform(28, 40)), kyphosis_mm=float(rng.uniform(35, 55)))
    if body.kind in WIDE_KINDS:
        return _wide(body, side, rng)
    return body


def _wide(body: BodyDraw, side: int, rng: np.random.Generator) -> BodyDraw:
    if body.kind == "short" or rng.random() < ALSO_SHORT:
        height = int(rng.integers(SHORT_SLICES[0], SHORT_SLICES[1] + 1))
        first = int(rng.integers(0, body.slices - height + 1))
        body = replace(body, shown=(first, first + height))
    if body.kind == "implant":
        drawn = ImplantDraw(
            low_mm=float(rng.uniform(-120, 120)), length_mm=float(rng.uniform(70, 200)),
            radius_mm=float(rng.uniform(2.2, 4.0)), port_side=side, port_radius_mm=float(rng.uniform(4.0, 9.0)),
        )  # fmt: skip
        body = replace(body, implant=drawn)
    return body


def draw_ct(kind: str, rng: np.random.Generator) -> CtDraw:
    """HU of one patient. Dense bones reach from the usual to sclerotic ones, which are dense throughout, as in
    osteopetrosis or diffuse metastasis.
    """
    drawn = CtDraw(
        lung_hu=rng.uniform(-880, -740), lung_gradient_hu=rng.uniform(40, 170), cortex_hu=rng.uniform(500, 900),
        marrow_hu=rng.uniform(90, 240), liver_hu=rng.uniform(25, 68),
        vessel_hu=float(rng.choice([42.0, rng.uniform(80, 160)])), texture=rng.uniform(0.6, 1.4),
        noise_hu=rng.uniform(2, 15),
    )  # fmt: skip
    if kind == "sclerotic":
        return replace(drawn, cortex_hu=rng.uniform(1000, 1350), marrow_hu=rng.uniform(550, 850))
    if kind == "dense":
        return replace(drawn, cortex_hu=rng.uniform(700, 1500), marrow_hu=rng.uniform(150, 550))
    if kind == "implant":
        return replace(drawn, metal_hu=rng.uniform(2200, 3071))
    return replace(drawn, marrow_hu=rng.uniform(160, 260)) if kind == "child" else drawn


def _lesions(rng: np.random.Generator) -> tuple[LesionDraw, ...]:
    drawn = []
    for site, ((low, high), chance) in LESIONS.items():
        count = int(rng.integers(1, MOST_LESIONS_A_SITE + 1)) if rng.random() < chance else 0
        for number in range(1, count + 1):
            volume_ml = float(np.exp(rng.uniform(np.log(low), np.log(high))))
            drawn.append(
                LesionDraw(
                    f"lesion_{site}_{number}", site, volume_ml, float(rng.random()),
                    (1.0, float(rng.uniform(0.7, 1.2)), float(rng.uniform(0.7, 1.3))), float(rng.uniform(0, 180)),
                    core=float(rng.uniform(0.15, 0.5)) if volume_ml > 40 and rng.random() < 0.5 else 0.0,
                    hu=_lesion_hu(site, rng), uptake=float(np.exp(rng.normal(0.0, 0.6))),
                )
            )  # fmt: skip
    return tuple(drawn)


def _lesion_hu(site: Site, rng: np.random.Generator) -> float:
    """Soft tissue; in bone sclerotic (denser than marrow) three times out of five, else lytic."""
    if site != "bone":
        return float(rng.uniform(28, 60))
    return float(rng.uniform(380, 800) if rng.random() < 0.6 else rng.uniform(40, 90))


def _waves(rng: np.random.Generator) -> tuple[Wave, ...]:
    """Six modes of 1.5 to 3.5 mm and 110 to 320 mm wavelength: up to some 10 mm, and nothing folds."""
    return tuple(
        Wave(_around(rng, (1.5, 3.5)), _points(rng, (110.0, 320.0)), _points(rng, (0.0, 2 * np.pi))) for _ in range(6)
    )


def _around(rng: np.random.Generator, size: Range) -> Point:
    x, y, z = (float(s * m) for s, m in zip(rng.choice([-1, 1], 3), rng.uniform(*size, 3), strict=True))
    return x, y, z


def _points(rng: np.random.Generator, limits: Range) -> Point:
    x, y, z = (float(v) for v in rng.uniform(*limits, 3))
    return x, y, z


def _within(rng: np.random.Generator, half_range: Point) -> Point:
    x, y, z = (float(rng.uniform(-h, h)) for h in half_range)
    return x, y, z
