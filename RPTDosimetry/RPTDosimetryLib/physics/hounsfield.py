"""CT number to mass density and back: piecewise linear curves, Schneider's or a scanner's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from RPTDosimetryLib.errors import PhysicsDataError

AIR_HU: Final = -1000.0


@dataclass(frozen=True)
class HuCurve:
    """Piecewise linear HU → g/cm³; points: (HU, g/cm³) with HU rising. Density may fall between points (Schneider)."""

    name: str
    points: tuple[tuple[float, float], ...]
    source: str = ""

    def __post_init__(self) -> None:
        values = np.asarray(self.points, dtype=np.float64)
        if values.ndim != 2 or values.shape[0] < 2 or values.shape[1] != 2 or not np.isfinite(values).all():
            raise PhysicsDataError(f"HU curve {self.name!r} needs two or more points (HU, g/cm3) of finite numbers.")
        if not (np.diff(values[:, 0]) > 0).all():
            raise PhysicsDataError(f"The points of HU curve {self.name!r} must rise in HU: sort them, drop duplicates.")
        if not (values[:, 1] > 0).all():
            raise PhysicsDataError(f"HU curve {self.name!r} has a density of 0 or less: give densities in g/cm3.")

    @property
    def hu(self) -> NDArray[np.float64]:
        """HU of the points."""
        return np.array([point[0] for point in self.points], dtype=np.float64)

    @property
    def density_g_per_cm3(self) -> NDArray[np.float64]:
        """Density of the points [g/cm³]."""
        return np.array([point[1] for point in self.points], dtype=np.float64)


SCHNEIDER_2000: Final = HuCurve(
    "schneider-2000",
    (
        (-1000.0, 1.21e-3),
        (-98.0, 0.93),
        (-97.0, 0.930486),
        (14.0, 1.03),
        (23.0, 1.031),
        (100.0, 1.1199),
        (101.0, 1.0762),
        (1600.0, 1.9642),
        (3000.0, 2.8),
    ),
    "Schneider, Bortfeld and Schlegel, Phys. Med. Biol. 45 (2000) 459, as tabulated in GATE; falls from 100 to 101 HU",
)


def density_from_hu(hu: ArrayLike, curve: HuCurve = SCHNEIDER_2000) -> NDArray[np.float32]:
    """Mass density [g/cm³] of CT numbers, same shape; beyond the curve's ends the end's density (see hu_warnings)."""
    return np.asarray(np.interp(np.asarray(hu), curve.hu, curve.density_g_per_cm3), dtype=np.float32)


def hu_from_density(density_g_per_cm3: ArrayLike, curve: HuCurve = SCHNEIDER_2000) -> NDArray[np.float32]:
    """CT number of a mass density [g/cm³], same shape: the lowest HU at which the curve has that density.

    Where the curve falls, a density has up to three HU; Schneider's 1.0762 to 1.1199 g/cm³ is soft tissue of 62 to
    100 HU or bone of 101 to 175 HU, and is taken as soft tissue. density_warnings counts such voxels. Outside the
    curve's densities: its first or last HU. Rounded to 0.01 HU, so that a float32 density gives back the whole HU it
    came from and no voxel falls across the edge of a medium.
    """
    density, hu = _rising_part(curve)
    return np.asarray(np.round(np.interp(np.asarray(density_g_per_cm3), density, hu), 2), dtype=np.float32)


def ambiguous_densities(curve: HuCurve = SCHNEIDER_2000) -> tuple[tuple[float, float], ...]:
    """Ranges [g/cm³] in which a density belongs to more than one HU; empty for a rising curve."""
    density = curve.density_g_per_cm3
    ranges: list[tuple[float, float]] = []
    for low, high in zip(density[1:], np.maximum.accumulate(density)[:-1], strict=True):
        if low < high:
            if ranges and ranges[-1][1] == high:
                ranges[-1] = (min(ranges[-1][0], float(low)), float(high))
            else:
                ranges.append((float(low), float(high)))
    return tuple(ranges)


def hu_warnings(hu: NDArray[Any], curve: HuCurve = SCHNEIDER_2000) -> tuple[str, ...]:
    """What the user must know of CT numbers outside −1000 and the curve's end: padding counts as air."""
    warnings = []
    below = int(np.count_nonzero(hu < AIR_HU))
    if below:
        share = 100.0 * below / hu.size
        warnings.append(
            f"{below} CT voxels ({share:.1f} %) are below −1000 HU (lowest {float(hu.min()):g}), as scanners pad "
            f"outside the field of view: they are treated as air."
        )
    above = int(np.count_nonzero(hu > curve.hu[-1]))
    if above:
        warnings.append(
            f"{above} CT voxels are above {curve.hu[-1]:g} HU, the end of HU curve {curve.name!r} (metal?): "
            f"they get its last density, {curve.density_g_per_cm3[-1]:g} g/cm3."
        )
    return tuple(warnings)


def density_warnings(density_g_per_cm3: NDArray[Any], curve: HuCurve = SCHNEIDER_2000) -> tuple[str, ...]:
    """How many voxels have a density that belongs to more than one HU, and what was done with them."""
    warnings = []
    for low, high in ambiguous_densities(curve):
        # The curve reaches both ends by rising, so only the inside has several HU.
        count = int(np.count_nonzero((density_g_per_cm3 > low) & (density_g_per_cm3 < high)))
        if count:
            warnings.append(
                f"{count} voxels have a density between {low:g} and {high:g} g/cm3, where HU curve {curve.name!r} is "
                f"not unique: they are taken at the lower HU (soft tissue). Give a material map to decide otherwise."
            )
    return tuple(warnings)


def _rising_part(curve: HuCurve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (density, HU) of the lowest HU per density: what lies below an earlier maximum is left out."""
    hu, density = curve.hu, curve.density_g_per_cm3
    densities, hus = [density[0]], [hu[0]]
    for left in range(len(hu) - 1):
        top = densities[-1]
        if density[left + 1] <= top:
            continue
        if density[left] < top:
            crossing = hu[left] + (top - density[left]) / (density[left + 1] - density[left]) * (
                hu[left + 1] - hu[left]
            )
            densities.append(np.nextafter(top, np.inf))
            hus.append(crossing)
        densities.append(density[left + 1])
        hus.append(hu[left + 1])
    return np.array(densities), np.array(hus)
