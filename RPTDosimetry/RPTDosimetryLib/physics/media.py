"""Media schemes: which medium a CT number, or a density, belongs to. A scheme is a list of HU bins with materials.

Adding a scheme: build a MediaScheme from (name, material, lowest HU, reference density) as SCHNEIDER_20 does, and enter
it in SCHEMES.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from RPTDosimetryLib.errors import PhysicsDataError
from RPTDosimetryLib.physics.hounsfield import SCHNEIDER_2000, HuCurve, hu_from_density
from RPTDosimetryLib.physics.materials import Material, check_mass_fractions, material, mean_excitation_energy_ev

#: A file may name the density of a medium in one of these ways.
_DENSITY_KEYS = ("reference_density_g_per_cm3", "density_g_per_cm3", "egs_reference_density_gcc", "density_gcc")


@dataclass(frozen=True)
class Medium:
    """One medium, with kernels of its material at the reference density; hu_range [low, high), None if by label."""

    index: int
    name: str
    material: Material
    reference_density_g_per_cm3: float
    hu_range: tuple[float, float] | None = None

    @property
    def is_air(self) -> bool:
        """Air gets no dose and stays out of means."""
        return self.reference_density_g_per_cm3 < 0.01


@dataclass(frozen=True)
class MediaScheme:
    """Media with their indices, in the order of HU where they have ranges; index 0 is air in the built-in schemes."""

    name: str
    media: tuple[Medium, ...]
    source: str = ""

    def __post_init__(self) -> None:
        indices = [medium.index for medium in self.media]
        if not indices or len(set(indices)) != len(indices) or not all(0 <= index <= 255 for index in indices):
            raise PhysicsDataError(f"Media scheme {self.name!r}: give each medium its own index between 0 and 255.")
        ranges = [medium.hu_range for medium in self.media if medium.hu_range is not None]
        for position, (low, high) in enumerate(ranges):
            follows = position == 0 or ranges[position - 1][1] == low
            if not low < high or not follows:
                raise PhysicsDataError(
                    f"Media scheme {self.name!r}: HU ranges must follow one another without gap or overlap; "
                    f"[{low:g}, {high:g}) does not."
                )

    @property
    def tissue(self) -> tuple[Medium, ...]:
        """All media but air."""
        return tuple(medium for medium in self.media if not medium.is_air)

    def medium(self, index: int) -> Medium:
        """The medium of an index. Raises PhysicsDataError."""
        for medium in self.media:
            if medium.index == index:
                return medium
        known = ", ".join(f"{medium.index} {medium.name}" for medium in self.media)
        raise PhysicsDataError(f"Media scheme {self.name!r} has no medium {index}: it has {known}.")

    def media_from_hu(self, hu: ArrayLike) -> NDArray[np.uint8]:
        """Index of the medium whose [low, high) holds each CT number, same shape.

        Below the first range (CT padding such as −3024) the first medium, which is air; above the last range the last.
        Raises PhysicsDataError if a medium has no HU range.
        """
        if any(medium.hu_range is None for medium in self.media):
            raise PhysicsDataError(
                f"Media scheme {self.name!r} has media without HU range: give a label map of the materials."
            )
        inner = [medium.hu_range[0] for medium in self.media[1:] if medium.hu_range is not None]
        position = np.searchsorted(np.asarray(inner, dtype=np.float64), np.asarray(hu), side="right")
        indices = np.array([medium.index for medium in self.media], dtype=np.uint8)
        return np.asarray(indices[position], dtype=np.uint8)

    def media_from_density(self, density_g_per_cm3: ArrayLike, curve: HuCurve = SCHNEIDER_2000) -> NDArray[np.uint8]:
        """Index of the medium by density [g/cm³], through the curve's inverse (see hu_from_density), same shape."""
        return self.media_from_hu(hu_from_density(density_g_per_cm3, curve))


_SOURCE: Final = "Schneider, Bortfeld and Schlegel, Phys. Med. Biol. 45 (2000) 459"
#: Upper end of the last bin: beyond it metal, which takes the last medium.
_LAST_HU: Final = 3001.0
_AIR: Final = ("air", "air", -1000.0)
_MSV8: Final = (
    ("lung", "schneider_lung", -950.0), ("adipose", "schneider_adipose", -120.0), ("soft", "schneider_soft", -23.0),
    ("bone1", "schneider_bone1", 120.0), ("bone2", "schneider_bone2", 250.0), ("bone3", "schneider_bone3", 450.0),
    ("bone4", "schneider_bone4", 750.0), ("bone5", "schneider_bone5", 1150.0),
)  # fmt: skip
#: Name, material, lowest HU, reference density [g/cm³]: mean of the HU curve over the bin, of the last one up to
#: 1600 HU, where the tissues of the scale end. Lung has one composition at five densities: it varies most there.
_MSV20: Final = (
    ("lung1", "schneider_lung", -950.0, 0.1042), ("lung2", "schneider_lung", -850.0, 0.2072),
    ("lung3", "schneider_lung", -750.0, 0.3359), ("lung4", "schneider_lung", -600.0, 0.5418),
    ("lung5", "schneider_lung", -350.0, 0.7889),
    ("adipose1", "schneider_adipose_gland1", -120.0, 0.9263), ("adipose2", "schneider_adipose", -82.0, 0.9574),
    ("adipose3", "schneider_adipose_gland3", -52.0, 0.9843), ("adipose4", "schneider_adipose_gland4", -22.0, 1.0112),
    ("adipose5", "schneider_adipose_gland5", 8.0, 1.0287),
    ("soft", "schneider_soft", 19.0, 1.0617), ("connective", "schneider_connective", 80.0, 1.0955),
    ("bone01", "schneider_marrow_bone01", 120.0, 1.1112), ("bone02", "schneider_marrow_bone02", 200.0, 1.1645),
    ("bone03", "schneider_bone2", 300.0, 1.2237), ("bone04", "schneider_marrow_bone04", 400.0, 1.2829),
    ("bone05_06", "schneider_marrow_bone05_06", 500.0, 1.3718),
    ("bone07_08", "schneider_marrow_bone07_08", 700.0, 1.4903),
    ("bone09_11", "schneider_marrow_bone10", 900.0, 1.6384), ("bone12_15", "schneider_bone5", 1200.0, 1.8457),
)  # fmt: skip


def _schneider(name: str, rows: Sequence[tuple[Any, ...]], source: str) -> MediaScheme:
    """Air and the tissues of the rows; a row without density takes that of its material."""
    edges = [row[2] for row in (_AIR, *rows)] + [_LAST_HU]
    media = []
    for index, (medium, filling, low, *density) in enumerate((_AIR, *rows)):
        known = material(filling)
        reference = density[0] if density else known.density_g_per_cm3
        media.append(Medium(index, medium, known, reference, (low, edges[index + 1])))
    return MediaScheme(name, tuple(media), f"{_SOURCE}; {source}")


SCHNEIDER_8: Final = _schneider("msv8", _MSV8, "eight media as in Lee et al. 2018 and Mansouri et al. 2024")
SCHNEIDER_20: Final = _schneider("msv20", _MSV20, "twenty media along the same scale, as many as Kim et al. 2022")
SCHEMES: Final[Mapping[str, MediaScheme]] = MappingProxyType({s.name: s for s in (SCHNEIDER_8, SCHNEIDER_20)})


def media_scheme(name: str) -> MediaScheme:
    """The built-in scheme of that name. Raises PhysicsDataError with the known names."""
    if name not in SCHEMES:
        raise PhysicsDataError(f"Media scheme {name!r} is unknown: use one of {', '.join(SCHEMES)}, or a JSON file.")
    return SCHEMES[name]


def scheme_from_json(path: Path) -> MediaScheme:
    """A user's media: {"materials": [{"index", "name", "mass_fractions", density, "hu_range" (optional)}, …]}.

    The density [g/cm³] stands under reference_density_g_per_cm3 (or density_g_per_cm3, egs_reference_density_gcc,
    density_gcc). Raises PhysicsDataError with the file and the material at fault.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PhysicsDataError(f"{path} is not a readable JSON file of materials ({error}).") from error
    entries = content.get("materials") if isinstance(content, dict) else content
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise PhysicsDataError(
            f'{path} has no list "materials" of objects with index, name, mass_fractions and density.'
        )
    media = [_medium(entry, path) for entry in entries]
    media.sort(key=lambda medium: medium.hu_range or (-math.inf, 0.0))
    try:
        return MediaScheme(path.stem, tuple(media), str(path))
    except PhysicsDataError as error:
        raise PhysicsDataError(f"{path}: {error}") from error


def _medium(entry: Mapping[str, Any], path: Path) -> Medium:
    name = str(entry.get("name", entry.get("index", "?")))
    where = f"{path}, material {name!r}"
    index, fractions = entry.get("index"), entry.get("mass_fractions")
    if not isinstance(index, int) or not 0 <= index <= 255:
        raise PhysicsDataError(f"{where}: index is {index!r}; give the label of the material, a whole number 0 to 255.")
    if not isinstance(fractions, dict) or not all(isinstance(value, int | float) for value in fractions.values()):
        raise PhysicsDataError(
            f'{where}: give mass_fractions as element to number, such as {{"H": 0.112, "O": 0.888}}.'
        )
    check_mass_fractions(where, fractions)
    density = next((entry[key] for key in _DENSITY_KEYS if entry.get(key) is not None), None)
    if not isinstance(density, int | float) or not 0 < density < 30:
        raise PhysicsDataError(f"{where}: the density is {density!r}; give {_DENSITY_KEYS[0]} in g/cm3.")
    energy = entry.get("mean_excitation_energy_ev", mean_excitation_energy_ev(fractions))
    filling = Material(name, float(density), fractions, float(energy), str(path))
    return Medium(index, name, filling, float(density), _hu_range(entry.get("hu_range"), where))


def _hu_range(value: Sequence[float] | None, where: str) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(edge, int | float) for edge in value):
        raise PhysicsDataError(f"{where}: hu_range is {value!r}; give [low, high].")
    return float(value[0]), float(value[1])
