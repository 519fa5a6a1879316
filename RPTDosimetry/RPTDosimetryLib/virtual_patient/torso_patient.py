"""A virtual patient on the procedural torso."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.virtual_patient.anatomy import Anatomy, build_anatomy
from RPTDosimetryLib.virtual_patient.appearance import MINIMUM_HU, ct_image, smooth_noise
from RPTDosimetryLib.virtual_patient.kinetics import draw_uptake
from RPTDosimetryLib.virtual_patient.patient import RegionMap, VirtualPatient, give_kinetics
from RPTDosimetryLib.virtual_patient.tissues import LOOKS, Tissue
from RPTDosimetryLib.virtual_patient.torso import TorsoParameters, draw_torso

DEMO_ACTIVITY_BQ: Final = 7.4e9
#: Regions of the torso and the tissues of each; every other tissue is the rest of the body.
REGION_TISSUES: Final[dict[str, tuple[Tissue, ...]]] = {
    "lungs": (Tissue.LUNG,),
    "heart": (Tissue.HEART_WALL,),
    "liver": (Tissue.LIVER,),
    "spleen": (Tissue.SPLEEN,),
    "kidney_left": (Tissue.KIDNEY_LEFT_CORTEX, Tissue.KIDNEY_LEFT_MEDULLA),
    "kidney_right": (Tissue.KIDNEY_RIGHT_CORTEX, Tissue.KIDNEY_RIGHT_MEDULLA),
    "pancreas": (Tissue.PANCREAS,),
    "bladder": (Tissue.BLADDER,),
    "bone_cortex": (Tissue.BONE_CORTEX,),
    "vertebral_marrow": (Tissue.VERTEBRAL_MARROW,),
    "other_marrow": (Tissue.MARROW,),
    "spinal_cord": (Tissue.SPINAL_CORD,),
}
#: Cortex takes up more than medulla: 1 to 0.6, as the ICRP-110 reference case of this project has it.
MEDULLA_WEIGHT: Final = 0.6
#: Uptake inside an organ is not flat: 1 σ of a smooth log-normal field and its grain [mm].
HETEROGENEITY: Final = 0.10
HETEROGENEITY_GRAIN_MM: Final = 9.0
#: 256 columns of 2 mm: a field of view of 512 mm.
CT_COLUMNS: Final = 256
#: Curves of kinetics.py; regions without an entry share the remainder.
CURVE_OF: Final[dict[str, str]] = {
    **{name: name for name in ("liver", "spleen", "kidney_left", "kidney_right", "bladder")},
    "vertebral_marrow": "bone_marrow",
    "other_marrow": "bone_marrow",
}
#: VOIs that are drawn; they do not overlap.
DRAWN_VOIS: Final[dict[str, tuple[str, ...]]] = {
    **{name: (name,) for name in REGION_TISSUES if name not in ("bone_cortex", "other_marrow", "pancreas")},
    "bones": ("bone_cortex", "other_marrow"),
}


def torso_patient(
    seed: int, parameters: TorsoParameters | None = None, administered_activity_bq: float = DEMO_ACTIVITY_BQ
) -> VirtualPatient:
    """A whole patient from one seed; ``parameters`` fixes the anatomy, the rest is drawn."""
    shape_rng, look_rng, kinetics_rng, spread_rng = np.random.default_rng(seed).spawn(4)
    anatomy = build_anatomy(parameters or draw_torso(shape_rng))
    lesions = {lesion.name: lesion.volume_ml for lesion in anatomy.parameters.lesions}
    region_map = torso_regions(anatomy, spread_rng)
    share_per_ml, kinetics = give_kinetics(region_map, draw_uptake(kinetics_rng, lesions))
    return VirtualPatient(
        ct=in_scanner(ct_image(anatomy, look_rng)),
        regions=region_map.regions,
        names=region_map.names,
        share_per_ml=share_per_ml,
        kinetics=kinetics,
        administered_activity_bq=administered_activity_bq,
        vois={**DRAWN_VOIS, **{name: (name,) for name in lesions}},
        source=f"procedural torso, seed {seed}",
    )


def in_scanner(ct: Image, columns: int = CT_COLUMNS) -> Image:
    """The CT in its scanner's square field of view, air around the body."""
    nk, nj, ni = ct.grid.shape_zyx
    before = (columns - nj) // 2, (columns - ni) // 2
    wide = np.full((nk, columns, columns), MINIMUM_HU, dtype=np.float32)
    wide[:, before[0] : before[0] + nj, before[1] : before[1] + ni] = ct.voxels
    x, y, z = ct.grid.origin_mm
    sx, sy, _ = ct.grid.spacing_mm
    origin = (x - before[1] * sx, y - before[0] * sy, z)
    return Image(wide, Grid(wide.shape, ct.grid.spacing_mm, origin), ct.unit)


def torso_regions(anatomy: Anatomy, rng: np.random.Generator) -> RegionMap:
    """Regions and relative activity per mL of an anatomy."""
    lesions = [lesion.name for lesion in anatomy.parameters.lesions]
    names = ("outside", "rest_of_body", *REGION_TISSUES, *lesions)
    region_of = np.ones(256, dtype=np.uint8)
    region_of[Tissue.OUTSIDE] = 0
    weight_of = np.ones(256, dtype=np.float32)
    for tissue, look in LOOKS.items():
        weight_of[tissue] = look.remainder
    for name, tissues in REGION_TISSUES.items():
        region_of[list(tissues)] = names.index(name)
        if all(LOOKS[tissue].remainder == 0 for tissue in tissues):
            weight_of[list(tissues)] = 1.0
    weight_of[[Tissue.KIDNEY_LEFT_MEDULLA, Tissue.KIDNEY_RIGHT_MEDULLA]] = MEDULLA_WEIGHT
    for number, lesion in enumerate(lesions):
        region_of[Tissue.LESION + number] = names.index(lesion)
        weight_of[Tissue.LESION + number] = 1.0
    labels = anatomy.labels
    regions = Image(region_of[labels.voxels], labels.grid, "1")
    curve_of = {**CURVE_OF, **{lesion: lesion for lesion in lesions}}
    return RegionMap(regions, names, weight_of[labels.voxels] * heterogeneity(labels.grid, rng), curve_of)


def heterogeneity(grid: Grid, rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth log-normal factor (z, y, x) of median 1."""
    field = smooth_noise(grid, HETEROGENEITY_GRAIN_MM, rng)
    return np.exp(np.float32(HETEROGENEITY) * field)
