"""The whole body as a VOI, from the density on the dose grid."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.records import PatientMap, Voi

#: Between lung (0.2 and more) and air; couch tops, mostly foam and shell, are parted by the opening.
BODY_DENSITY_G_PER_CM3: Final = 0.15
OPENING_MM: Final = 6.0


def body_voi(patient: PatientMap, seen: NDArray[np.bool_]) -> Voi:
    """Largest piece of density above 0.15 g/cm³ after opening by 6 mm, holes filled slice by slice. Raises VoiError."""
    grid = patient.density.grid
    dense = np.asarray(patient.density.voxels > BODY_DENSITY_G_PER_CM3)
    if not dense.any():
        raise VoiError("The density map holds no body: every voxel is air. Check the CT, or the SPECT's body outline.")
    radius = [max(1, round(OPENING_MM / s)) for s in grid.spacing_mm[::-1]]
    structure = np.ones((1, 2 * radius[1] + 1, 2 * radius[2] + 1), dtype=bool)
    opened = ndimage.binary_opening(dense, structure)
    pieces, count = ndimage.label(opened if opened.any() else dense)
    largest = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:])) if count > 1 else pieces > 0
    mask = np.stack([ndimage.binary_fill_holes(plane) for plane in largest])
    unseen = float(np.count_nonzero(mask & ~seen)) / max(1, int(np.count_nonzero(mask)))
    warnings: tuple[str, ...] = ()
    if unseen > 0.005:
        warnings = (f"body: {100 * unseen:.1f} % of it lies outside the field of view of at least one time point.",)
    return Voi(
        "body", mask, grid, "region", f"density above {BODY_DENSITY_G_PER_CM3} g/cm3 ({patient.source})", warnings
    )
