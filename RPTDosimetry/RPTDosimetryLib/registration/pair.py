"""Two images made ready to be compared: SPECT with SPECT, or CT with CT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.grid import Grid, Vector3
from RPTDosimetryLib.records import Image, TimePoint
from RPTDosimetryLib.registration.body import body_outline
from RPTDosimetryLib.registration.working_grid import coarser

#: CTs are compared in voxels of about this size.
CT_SPACING_MM: Final = 4.0
#: What the comparison sees of a CT: air to hard bone [HU].
CT_RANGE_HU: Final = (-1000.0, 500.0)
#: Skin, and radius of the opening that parts the patient from the table.
SKIN_HU: Final = -350.0
TABLE_MM: Final = 12.0
#: A start at the centres of both bodies is tried when they are further apart.
APART_MM: Final = 10.0


@dataclass(frozen=True)
class Pair:
    """Values that are compared (fixed, moving, on working grids), the fixed body (z, y, x) and shifts to start from."""

    fixed: Image
    moving: Image
    body: NDArray[np.bool_]
    starts_mm: tuple[Vector3, ...]
    through: str


def spect_pair(fixed: Image, moving: Image) -> Pair:
    """Square roots of concentration, which keep the faint body beside hot lesions, at about 4.8 mm."""
    still = coarser(fixed)
    compared = _compressed(still), _compressed(coarser(moving))
    centres = [centre_mm(image.grid, image.voxels) for image in compared]
    return Pair(*compared, body_outline([still]), _starts(centres[0], centres[1]), "spect")


def ct_pair(fixed: TimePoint, moving: TimePoint, fixed_number: int, moving_number: int) -> Pair:
    """HU between air and bone at about 4 mm, everything but the patient (table, blankets) set to air.

    Raises RegistrationError when a CT is missing or shows no body.
    """
    images, bodies = [], []
    for point, number in ((fixed, fixed_number), (moving, moving_number)):
        if point.ct is None:
            raise RegistrationError(
                f'time point {number} has no CT, and registration through = "ct" needs one at both. Add it to the '
                'study, or set through = "spect".'
            )
        ct = coarser(point.ct, CT_SPACING_MM)
        body = ct_body(ct)
        if not body.any():
            raise RegistrationError(f"the CT of time point {number} shows no body above {SKIN_HU:.0f} HU.")
        hu = np.where(body, np.clip(ct.voxels, *CT_RANGE_HU), CT_RANGE_HU[0]).astype(np.float32)
        images.append(Image(hu, ct.grid, "HU"))
        bodies.append(body)
    centres = [centre_mm(image.grid, body) for image, body in zip(images, bodies, strict=True)]
    return Pair(images[0], images[1], bodies[0], _starts(centres[0], centres[1]), "ct")


def ct_body(ct: Image) -> NDArray[np.bool_]:
    """The patient on a CT [HU]: above -350 HU, opened by 12 mm slice by slice (the table goes), largest piece."""
    reach = [max(1, round(TABLE_MM / s)) for s in ct.grid.spacing_mm[1::-1]]
    y, x = np.ogrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    disc = (y / reach[0]) ** 2 + (x / reach[1]) ** 2 <= 1.0
    tissue = np.stack([ndimage.binary_fill_holes(plane) for plane in ct.voxels > SKIN_HU])
    opened = np.stack([ndimage.binary_opening(plane, disc) for plane in tissue])
    pieces, count = ndimage.label(opened)
    if count == 0:
        return opened
    largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    return np.stack([ndimage.binary_fill_holes(plane) for plane in pieces == largest])


def centre_mm(grid: Grid, weight: NDArray[np.generic]) -> NDArray[np.float64]:
    """LPS [mm] of the mean position."""
    kji = ndimage.center_of_mass(weight)
    return np.asarray((grid.lps_from_ijk @ [*kji[::-1], 1.0])[:3])


def _starts(fixed_mm: NDArray[np.float64], moving_mm: NDArray[np.float64]) -> tuple[Vector3, ...]:
    x, y, z = (float(v) for v in moving_mm - fixed_mm)
    none: Vector3 = (0.0, 0.0, 0.0)
    return (none, (x, y, z)) if np.linalg.norm((x, y, z)) > APART_MM else (none,)


def _compressed(image: Image) -> Image:
    voxels = np.clip(image.voxels, 0.0, None)
    top = np.percentile(voxels[voxels > 0], 99.0) if (voxels > 0).any() else 1.0
    return Image(np.sqrt(np.clip(voxels / top, 0.0, 1.5)).astype(np.float32), image.grid, "1")
