"""What a series of images is of when it is integrated over time: activity, or absorbed dose rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from RPTDosimetryLib.grid import Grid


@dataclass(frozen=True)
class Quantity:
    """name in unit, whose integral over time is integral_name in integral_unit; remedy for images in another unit.

    by_volume: a concentration, multiplied by the voxel volume [mL] before it is integrated.
    """

    name: str
    unit: str
    integral_name: str
    integral_unit: str
    remedy: str
    by_volume: bool

    def per_voxel(self, grid: Grid) -> float:
        """Factor from an image's value to what the voxel holds: Bq from Bq/mL; 1 for a dose rate."""
        return grid.voxel_volume_ml if self.by_volume else 1.0


ACTIVITY: Final = Quantity(
    "activity", "Bq/mL", "time-integrated activity", "Bq·s", "calibrate it to Bq/mL before integrating over time", True
)
DOSE_RATE: Final = Quantity(
    "absorbed dose rate", "Gy/s", "absorbed dose", "Gy", "compute the dose rate in Gy/s before integrating it", False
)
