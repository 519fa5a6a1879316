"""Self voxels of voxel S kernels against published tables."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from RPTDosimetryLib.transport.kernel_answer import kernel_answer
from RPTDosimetryLib.transport.point_kernel_library import point_kernel
from RPTDosimetryLib.validation.row import ValidationRow, compared

MIRD17: Final = (
    "MIRD pamphlet 17 (Bolch et al. 1999), here for soft tissue of 1.04 g/cm3; two or three digits, older spectra"
)
FULL_EMISSION: Final = "full-emission Monte Carlo of Lu-177 in soft tissue of 1.04 g/cm3, three digits"
#: Soft tissue of MIRD 17 [g/cm3].
DENSITY: Final = 1.04
#: (nuclide, voxel side [mm]): (mGy/(MBq·s), bar [%], source). MIRD 17 rests on older spectra and is rounded to 0.4 %.
PUBLISHED: Final = {
    ("Y-90", 3.0): (1.61, 2.0, MIRD17),
    ("Y-90", 6.0): (0.346, 2.0, MIRD17),
    ("I-131", 3.0): (0.92, 2.0, MIRD17),
    ("I-131", 6.0): (0.129, 2.0, MIRD17),
    ("Lu-177", 4.8): (0.192, 0.5, FULL_EMISSION),
}


def published_kernel_rows(_shared: Path) -> list[ValidationRow]:
    """The voxel's dose to itself."""
    rows = []
    for (nuclide, side_mm), (published, bar, source) in PUBLISHED.items():
        answer = kernel_answer(point_kernel(nuclide, "soft_tissue"), DENSITY, (side_mm, side_mm, side_mm), 0)
        place = (f"kernel {nuclide} soft tissue {side_mm:g} mm", "S 0 0 0", "mGy/(MBq s)")
        rows.append(compared(place, answer["kernel"][0]["S"], published, bar, source))
    return rows
