"""What a CT shows of a painted body on the dose grid: mean HU of its tissues in each voxel, texture and noise."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.learning.cohort_body import BREAST_GLAND, CORE, FLUID, METAL, SUPERSAMPLING, PaintedBody
from RPTDosimetryLib.learning.cohort_parameters import CtDraw
from RPTDosimetryLib.virtual_patient.appearance import MAXIMUM_HU, MINIMUM_HU, smooth_noise
from RPTDosimetryLib.virtual_patient.tissues import LOOKS, Tissue

TEXTURE_GRAIN_MM: Final = 6.0
#: Noise of a CT averaged over 4.8 mm voxels keeps a grain of about a voxel (reconstruction kernel).
NOISE_GRAIN_MM: Final = 2.4
#: Necrosis and pleural fluid lie between water and soft tissue; the gland of a breast beside muscle (textbook values).
CORE_HU: Final = 22.0
FLUID_HU: Final = 12.0
GLAND_HU: Final = 38.0
#: Highest number of a 12-bit CT, where metal ends.
CT_SCALE_END_HU: Final = 3071
#: Lung is neither emptier nor denser than this [HU], edges with other tissue apart.
LUNG_HU: Final = (-920.0, -560.0)


def ct_of(painted: PaintedBody, look: CtDraw, rng: np.random.Generator) -> NDArray[np.int16]:
    """HU (z, y, x) int16: mean over the fine voxels of each dose voxel, as a CT resampled by mean has it."""
    mean, texture = _tables(painted, look)
    labels = painted.labels
    fine = mean[labels]
    lung = labels == Tissue.LUNG
    fine[lung] = np.clip(look.lung_hu + look.lung_gradient_hu * (painted.depth[lung] - 0.35), *LUNG_HU)
    hu = block_mean(fine)
    grain = block_mean(texture[labels]) * np.float32(look.texture)
    hu += grain * smooth_noise(painted.grid, TEXTURE_GRAIN_MM, rng)
    hu += np.float32(look.noise_hu) * smooth_noise(painted.grid, NOISE_GRAIN_MM, rng)
    outside = block_mean((labels == Tissue.OUTSIDE).astype(np.float32)) == 1.0
    hu[outside] = MINIMUM_HU
    highest = CT_SCALE_END_HU if look.metal_hu else MAXIMUM_HU
    return np.rint(np.clip(hu, MINIMUM_HU, highest)).astype(np.int16)


def block_mean(fine: NDArray[np.floating]) -> NDArray[np.float32]:
    """Mean over the SUPERSAMPLING³ fine voxels of each dose voxel."""
    nz, ny, nx = (n // SUPERSAMPLING for n in fine.shape)
    blocks = fine.reshape(nz, SUPERSAMPLING, ny, SUPERSAMPLING, nx, SUPERSAMPLING)
    return np.asarray(blocks.mean(axis=(1, 3, 5), dtype=np.float32))


def _tables(painted: PaintedBody, look: CtDraw) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean HU and texture (1 σ) of each label."""
    mean, texture = np.zeros((2, 256), dtype=np.float32)
    for tissue, properties in LOOKS.items():
        mean[tissue], texture[tissue] = properties.hu, properties.texture_hu
    mean[Tissue.BONE_CORTEX] = look.cortex_hu
    mean[[Tissue.MARROW, Tissue.VERTEBRAL_MARROW]] = look.marrow_hu
    mean[Tissue.LIVER] = look.liver_hu
    mean[Tissue.BLOOD] = look.vessel_hu
    contrast = max(look.vessel_hu - LOOKS[Tissue.BLOOD].hu, 0.0)
    kidneys = [t for t in Tissue if t.name.startswith("KIDNEY")]
    mean[kidneys] += contrast
    mean[[Tissue.LIVER, Tissue.SPLEEN, Tissue.HEART_WALL]] += 0.5 * contrast
    mean[[BREAST_GLAND, FLUID]] = GLAND_HU, FLUID_HU
    texture[[BREAST_GLAND, FLUID]] = 20.0, 3.0
    mean[METAL] = look.metal_hu
    for number, lesion in painted.lesions.items():
        mean[Tissue.LESION + number] = lesion.hu
        mean[CORE + number] = CORE_HU if lesion.site != "bone" else lesion.hu
        texture[[Tissue.LESION + number, CORE + number]] = 8.0 if lesion.site != "bone" else 50.0
    return mean, texture
