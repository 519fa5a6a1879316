"""The body of a theranostic virtual patient: CT numbers, organs and two sub-tissues in each, on the common grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.hounsfield import density_from_hu
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.virtual_patient.anatomy import build_anatomy
from RPTDosimetryLib.virtual_patient.appearance import CtAppearance, ct_image, smooth_noise
from RPTDosimetryLib.virtual_patient.tissues import Tissue
from RPTDosimetryLib.virtual_patient.torso import LesionSite, draw_torso

#: The grid on which PET, CT and dose meet: slices of 128×128 voxels as published, of the usual SPECT size [mm].
COMMON_COLUMNS: Final = 128
COMMON_SPACING_MM: Final = 4.8
#: Labels of the organ map; 0 lies outside the body. Lesions share one label each by site.
LABELS: Final[dict[str, int]] = {
    "rest_of_body": 1, "liver": 2, "spleen": 3, "kidney_left": 4, "kidney_right": 5, "bladder": 6, "lungs": 7,
    "heart": 8, "pancreas": 9, "bowel": 10, "bone": 11, "marrow": 12, "lesion_bone": 13, "lesion_soft": 14,
}  # fmt: skip
#: The curve of psma_kinetics.py that an organ follows, where it is not one of its own name.
CURVE_OF: Final[dict[str, str]] = {"kidney_left": "kidney", "kidney_right": "kidney"}
#: Share of the body's mass in the painted 446 mm of the trunk, without arms: a choice with which the torsos weigh 65 to
#: 75 kg, like the patients whose doses per activity are published.
TRUNK_SHARE: Final = 0.36
PAINTED_MM: Final = 446.0
_TISSUES: Final[dict[str, tuple[Tissue, ...]]] = {
    "liver": (Tissue.LIVER,),
    "spleen": (Tissue.SPLEEN,),
    "kidney_left": (Tissue.KIDNEY_LEFT_CORTEX, Tissue.KIDNEY_LEFT_MEDULLA),
    "kidney_right": (Tissue.KIDNEY_RIGHT_CORTEX, Tissue.KIDNEY_RIGHT_MEDULLA),
    "bladder": (Tissue.BLADDER,),
    "lungs": (Tissue.LUNG,),
    "heart": (Tissue.HEART_WALL, Tissue.BLOOD),
    "pancreas": (Tissue.PANCREAS,),
    "bowel": (Tissue.GUT_WALL,),
    "bone": (Tissue.BONE_CORTEX,),
    "marrow": (Tissue.MARROW, Tissue.VERTEBRAL_MARROW),
}
#: Organs whose second sub-tissue is known from anatomy; elsewhere it is the denser half of a smooth random field.
_SECOND: Final = (Tissue.KIDNEY_LEFT_MEDULLA, Tissue.KIDNEY_RIGHT_MEDULLA, Tissue.BLOOD)
SUB_TISSUE_GRAIN_MM: Final = 18.0


@dataclass(frozen=True)
class TheranosticAnatomy:
    """CT [HU], organ labels (values of LABELS), second: which voxels are the second sub-tissue of their organ."""

    hu: Image
    labels: NDArray[np.uint8]
    second: NDArray[np.bool_]
    weight_kg: float
    kind: str
    source: str
    names: Mapping[str, int] = field(default_factory=lambda: dict(LABELS))

    @property
    def grid(self) -> Grid:
        """The common grid."""
        return self.hu.grid


def torso_anatomy(seed: int) -> TheranosticAnatomy:
    """A procedural torso from one seed, with one to four bone lesions and up to two of the liver."""
    shape_rng, look_rng, tissue_rng = np.random.default_rng([seed, 1]).spawn(3)
    parameters = draw_torso(shape_rng, _draw_lesions(shape_rng))
    anatomy = build_anatomy(parameters, common_grid(0.0))
    # A CT of 1 to 2 mm voxels, averaged over 4.8 mm: little of its noise is left. Whole HU, as files hold them.
    ct = ct_image(anatomy, look_rng, CtAppearance(noise_hu=3.0))
    hu = ct.with_voxels(np.round(ct.voxels))
    painted = anatomy.labels.voxels
    labels = np.ones(painted.shape, dtype=np.uint8)
    labels[painted == Tissue.OUTSIDE] = 0
    for name, tissues in _TISSUES.items():
        labels[np.isin(painted, tissues)] = LABELS[name]
    for number, lesion in enumerate(parameters.lesions):
        labels[painted == Tissue.LESION + number] = LABELS["lesion_bone" if lesion.site == "bone" else "lesion_soft"]
    second = np.where(
        np.isin(labels, [LABELS["kidney_left"], LABELS["kidney_right"], LABELS["heart"]]),
        np.isin(painted, _SECOND),
        smooth_noise(hu.grid, SUB_TISSUE_GRAIN_MM, tissue_rng) > 0,
    )
    found = TheranosticAnatomy(hu, labels, second, 1.0, "torso", f"procedural torso, seed {seed}")
    return replace(found, weight_kg=_mass_kg(found) / TRUNK_SHARE)


def common_grid(centre_z_mm: float, slices: int = 93) -> Grid:
    """Slices of 128×128 voxels of 4.8 mm about the axis."""
    half = -0.5 * (COMMON_COLUMNS - 1) * COMMON_SPACING_MM
    low = centre_z_mm - 0.5 * (slices - 1) * COMMON_SPACING_MM
    side = COMMON_SPACING_MM
    return Grid((slices, COMMON_COLUMNS, COMMON_COLUMNS), (side, side, side), (half, half, low))


def _draw_lesions(rng: np.random.Generator) -> tuple[tuple[str, LesionSite, float], ...]:
    """Lesions of a metastatic patient: 3 to 40 mL each."""
    bone = [(f"lesion_bone_{n + 1}", rng.uniform(3.0, 25.0)) for n in range(rng.integers(1, 4))]
    soft = [(f"lesion_liver_{n + 1}", rng.uniform(5.0, 40.0)) for n in range(rng.integers(0, 3))]
    found: list[tuple[str, LesionSite, float]] = [(name, "bone", float(ml)) for name, ml in bone]
    found += [(name, "liver", float(ml)) for name, ml in soft]
    return tuple(found)


def _mass_kg(anatomy: TheranosticAnatomy) -> float:
    density = density_from_hu(anatomy.hu.voxels)[anatomy.labels > 0]
    return float(density.sum(dtype=np.float64)) * anatomy.grid.voxel_volume_ml / 1000.0
