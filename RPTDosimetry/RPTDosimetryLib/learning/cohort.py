"""One virtual patient of a cohort from its kind and a seed: CT, activity and volumes of interest on the dose grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.learning.cohort_activity import draw_activity, tia_of
from RPTDosimetryLib.learning.cohort_body import BONES, CORE, SUPERSAMPLING, PaintedBody, paint_body
from RPTDosimetryLib.learning.cohort_ct import block_mean, ct_of
from RPTDosimetryLib.learning.cohort_parameters import draw_body, draw_ct
from RPTDosimetryLib.physics.hounsfield import density_from_hu
from RPTDosimetryLib.virtual_patient.appearance import MINIMUM_HU
from RPTDosimetryLib.virtual_patient.tissues import Tissue

#: Raise it when a change makes the same seed give another patient.
GENERATOR_VERSION: Final = 1
#: Tissues of each volume of interest, lesions inside left out; volumes may overlap.
VOI_TISSUES: Final[Mapping[str, tuple[Tissue, ...]]] = {
    "liver": (Tissue.LIVER,),
    "spleen": (Tissue.SPLEEN,),
    "kidney_left": (Tissue.KIDNEY_LEFT_CORTEX, Tissue.KIDNEY_LEFT_MEDULLA),
    "kidney_right": (Tissue.KIDNEY_RIGHT_CORTEX, Tissue.KIDNEY_RIGHT_MEDULLA),
    "lungs": (Tissue.LUNG,),
    "heart": (Tissue.HEART_WALL, Tissue.BLOOD),
    "pancreas": (Tissue.PANCREAS,),
    "gut": (Tissue.GUT_WALL, Tissue.GUT_CONTENT),
    "bladder": (Tissue.BLADDER,),
    "spinal_cord": (Tissue.SPINAL_CORD,),
    "bones": BONES,
    "marrow": BONES[1:],
    "vertebral_marrow": (Tissue.VERTEBRAL_MARROW,),
    "muscle": (Tissue.MUSCLE,),
    "fat": (Tissue.FAT, Tissue.VISCERAL_FAT),
}
REGIONS: Final = ("muscle", "fat", "whole_body")


@dataclass(frozen=True)
class CohortPatient:
    """A patient on one grid. hu [HU] int16, density_g_per_cm3 float32 by the HU curve, tia_bq_s float32 (z, y, x).

    vois: masks by name; kinds: organ, lesion or region by the same name. drawn: every number that was drawn.
    """

    kind: str
    seed: int
    grid: Grid
    hu: NDArray[np.int16]
    density_g_per_cm3: NDArray[np.float32]
    tia_bq_s: NDArray[np.float32]
    vois: Mapping[str, NDArray[np.bool_]]
    kinds: Mapping[str, str]
    drawn: Mapping[str, Any]
    source: str

    @property
    def name(self) -> str:
        """The name of its folder in a data set."""
        return f"{self.kind}-{self.seed:06d}"


def draw_patient(kind: str, seed: int) -> CohortPatient:
    """The patient of a kind (cohort_parameters.py) and a seed: the same numbers on every call.

    Raises StudyError for a kind that does not exist.
    """
    body_rng, look_rng, noise_rng, uptake_rng, spread_rng = np.random.default_rng(seed).spawn(5)
    body, look, activity = draw_body(kind, body_rng), draw_ct(kind, look_rng), draw_activity(uptake_rng)
    painted = paint_body(body)
    hu = ct_of(painted, look, noise_rng)
    tia = tia_of(painted, activity, spread_rng)
    vois, kinds = _volumes(painted)
    if body.shown is not None:
        vois = _cut(slice(*body.shown), hu, tia, vois)
        kinds = {name: kinds[name] for name in vois}
    return CohortPatient(
        kind=kind, seed=seed, grid=painted.grid, hu=hu, density_g_per_cm3=density_from_hu(hu), tia_bq_s=tia, vois=vois,
        kinds=kinds,
        drawn={
            "body": asdict(body), "ct": asdict(look), "activity": asdict(activity),
            "lesions_painted": {lesion.name: lesion.volume_ml for lesion in painted.lesions.values()},
        },
        source=f"procedural torso of the kind {kind}, seed {seed}, generator {GENERATOR_VERSION}",
    )  # fmt: skip


def _cut(
    shown: slice, hu: NDArray[np.int16], tia: NDArray[np.float32], vois: Mapping[str, NDArray[np.bool_]]
) -> dict[str, NDArray[np.bool_]]:
    """Air without activity beyond the slices that are shown, as an image that ends there has it; the volumes left."""
    beyond = np.ones(hu.shape[0], dtype=bool)
    beyond[shown] = False
    hu[beyond], tia[beyond] = MINIMUM_HU, 0.0
    left = {name: mask & ~beyond[:, None, None] for name, mask in vois.items()}
    return {name: mask for name, mask in left.items() if mask.any()}


def _volumes(painted: PaintedBody) -> tuple[dict[str, NDArray[np.bool_]], dict[str, str]]:
    """Voxels of which a volume fills half; a lesion gets as many voxels, the fullest, as its volume asks for."""
    labels = painted.labels
    vois = {"whole_body": _at_least_half(labels != Tissue.OUTSIDE)}
    for name, tissues in VOI_TISSUES.items():
        table = np.zeros(256, dtype=bool)
        table[[int(t) for t in tissues]] = True
        mask = _at_least_half(table[labels])
        if mask.any():
            vois[name] = mask
    kinds = {name: "region" if name in REGIONS else "organ" for name in vois}
    voxel_ml = painted.grid.voxel_volume_ml
    for number, lesion in painted.lesions.items():
        share = block_mean(((labels == Tissue.LESION + number) | (labels == CORE + number)).astype(np.float32))
        count = round(lesion.volume_ml / voxel_ml)
        fullest = np.argsort(-share, axis=None, kind="stable")[:count]
        mask = np.zeros(share.shape, dtype=bool)
        mask.ravel()[fullest] = True
        vois[lesion.name], kinds[lesion.name] = mask & (share > 0), "lesion"
    return vois, kinds


def _at_least_half(fine: NDArray[np.bool_]) -> NDArray[np.bool_]:
    nz, ny, nx = (n // SUPERSAMPLING for n in fine.shape)
    blocks = fine.reshape(nz, SUPERSAMPLING, ny, SUPERSAMPLING, nx, SUPERSAMPLING)
    return np.asarray(blocks.sum(axis=(1, 3, 5), dtype=np.uint8) >= SUPERSAMPLING**3 / 2)
