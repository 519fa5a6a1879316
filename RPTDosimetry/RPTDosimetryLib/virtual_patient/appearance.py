"""What a CT scanner would show of an anatomy: HU per tissue, texture, blur and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.virtual_patient.anatomy import Anatomy
from RPTDosimetryLib.virtual_patient.tissues import BONE_LESION_HU, LOOKS, Tissue

MAXIMUM_HU: Final = 1500.0
MINIMUM_HU: Final = -1000.0


@dataclass(frozen=True)
class CtAppearance:
    """Noise (1 σ) and resolution of a low-dose CT as SPECT/CT scanners make it; texture_mm is the grain of tissues."""

    noise_hu: float = 14.0
    blur_mm: float = 1.2
    texture_mm: float = 5.0


def ct_image(anatomy: Anatomy, rng: np.random.Generator, appearance: CtAppearance | None = None) -> Image:
    """HU (z, y, x) float32 on the anatomy's grid: tissue means + smooth texture, blurred, + noise."""
    look = appearance or CtAppearance()
    labels, grid = anatomy.labels.voxels, anatomy.labels.grid
    mean = np.full(256, LOOKS[Tissue.LESION].hu, dtype=np.float32)
    texture = np.full(256, LOOKS[Tissue.LESION].texture_hu, dtype=np.float32)
    for tissue, properties in LOOKS.items():
        mean[tissue], texture[tissue] = properties.hu, properties.texture_hu
    for number, lesion in enumerate(anatomy.parameters.lesions):
        if lesion.site == "bone":
            mean[Tissue.LESION + number] = BONE_LESION_HU
    hu = mean[labels] + texture[labels] * smooth_noise(grid, look.texture_mm, rng)
    sigma = [look.blur_mm / s for s in grid.spacing_mm[::-1]]
    hu = ndimage.gaussian_filter(hu, sigma, mode="nearest")
    hu += look.noise_hu * rng.standard_normal(hu.shape, dtype=np.float32)
    return Image(np.clip(hu, MINIMUM_HU, MAXIMUM_HU), grid, "HU")


def smooth_noise(grid: Grid, grain_mm: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth random field of mean 0 and variance about 1 whose grain is grain_mm (1 σ of its Gaussian kernel)."""
    sigma = [grain_mm / s for s in grid.spacing_mm[::-1]]
    field = ndimage.gaussian_filter(
        rng.standard_normal(grid.shape_zyx, dtype=np.float32), sigma, mode="wrap", truncate=3.0
    )
    return np.asarray(field / field.std(), dtype=np.float32)
