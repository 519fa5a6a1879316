"""Materials: density, elemental composition and mean excitation energy, from physics/data/materials.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from RPTDosimetryLib.errors import PhysicsDataError

_DATA = Path(__file__).parent / "data" / "materials.json"

#: Z, A [g/mol] (IUPAC 2021, abridged) and I [eV] of an element within a liquid or solid compound: ICRU Report 37
#: (1984), its assignments for compounds of H, C, N, O, F and Cl, 1.13 × the I of the elemental substance otherwise.
ELEMENTS: Final[Mapping[str, tuple[int, float, float]]] = MappingProxyType({
    "H": (1, 1.008, 19.2), "C": (6, 12.011, 81.0), "N": (7, 14.007, 82.0), "O": (8, 15.999, 106.0),
    "F": (9, 18.998, 112.0), "Na": (11, 22.990, 1.13 * 149.0), "Mg": (12, 24.305, 1.13 * 156.0),
    "Al": (13, 26.982, 1.13 * 166.0), "Si": (14, 28.085, 1.13 * 173.0), "P": (15, 30.974, 1.13 * 173.0),
    "S": (16, 32.06, 1.13 * 180.0), "Cl": (17, 35.45, 180.0), "Ar": (18, 39.95, 1.13 * 188.0),
    "K": (19, 39.098, 1.13 * 190.0), "Ca": (20, 40.078, 1.13 * 191.0), "Ti": (22, 47.867, 1.13 * 233.0),
    "Fe": (26, 55.845, 1.13 * 286.0), "Cu": (29, 63.546, 1.13 * 322.0), "Zn": (30, 65.38, 1.13 * 330.0),
    "I": (53, 126.904, 1.13 * 491.0),
})  # fmt: skip
#: Published compositions are rounded to 0.1 %; their sums may miss 1 by that much.
SUM_TOLERANCE: Final = 2e-3


@dataclass(frozen=True)
class Material:
    """A homogeneous material; mass_fractions: element symbol to fraction of mass (sum 1)."""

    name: str
    density_g_per_cm3: float
    mass_fractions: Mapping[str, float]
    mean_excitation_energy_ev: float
    source: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.density_g_per_cm3) and self.density_g_per_cm3 > 0):
            raise PhysicsDataError(f"The density of {self.name} is {self.density_g_per_cm3} g/cm3: give one above 0.")
        check_mass_fractions(self.name, self.mass_fractions)
        object.__setattr__(self, "mass_fractions", MappingProxyType(dict(self.mass_fractions)))

    def at_density(self, density_g_per_cm3: float) -> Material:
        """The same composition at another density [g/cm³]."""
        return replace(self, density_g_per_cm3=density_g_per_cm3)

    def __reduce__(self) -> tuple[Any, ...]:
        fractions = dict(self.mass_fractions)
        values = (self.name, self.density_g_per_cm3, fractions, self.mean_excitation_energy_ev, self.source)
        return (Material, values)


def material(name: str) -> Material:
    """The material of that name ("soft_tissue", "cortical bone", "schneider_lung", …).

    Raises PhysicsDataError with the known names.
    """
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    known = _materials()
    if key not in known:
        raise PhysicsDataError(f"Material {name!r} is unknown: use one of {', '.join(known)}.")
    return known[key]


def known_materials() -> tuple[str, ...]:
    """Names of all materials with data."""
    return tuple(_materials())


def mean_excitation_energy_ev(mass_fractions: Mapping[str, float]) -> float:
    """Bragg additivity: ln I = Σ w_j (Z/A)_j ln I_j / Σ w_j (Z/A)_j [eV], I_j of elements within compounds.

    ICRU Report 37 (1984); within 0.3 % of the values that NIST lists for tissues.
    """
    check_mass_fractions("A composition", mass_fractions)
    electrons = {symbol: w * ELEMENTS[symbol][0] / ELEMENTS[symbol][1] for symbol, w in mass_fractions.items()}
    log_sum = sum(number * math.log(ELEMENTS[symbol][2]) for symbol, number in electrons.items())
    return math.exp(log_sum / sum(electrons.values()))


def check_mass_fractions(name: str, mass_fractions: Mapping[str, float]) -> None:
    """Raise PhysicsDataError unless every element is known, no fraction is negative and the sum is 1 ± 0.002."""
    unknown = [symbol for symbol in mass_fractions if symbol not in ELEMENTS]
    if unknown:
        raise PhysicsDataError(
            f"{name} contains {', '.join(unknown)}, which has no data here: use the symbols {', '.join(ELEMENTS)}."
        )
    total = sum(mass_fractions.values())
    if any(not fraction >= 0 for fraction in mass_fractions.values()) or not abs(total - 1.0) <= SUM_TOLERANCE:
        raise PhysicsDataError(
            f"The mass fractions of {name} add up to {total:.4f}: they must be 0 or more and add up to 1."
        )


@cache
def _materials() -> dict[str, Material]:
    content = json.loads(_DATA.read_text(encoding="utf-8"))["materials"]
    return {
        name: Material(
            name=name,
            density_g_per_cm3=entry["density_g_per_cm3"],
            mass_fractions=entry["mass_fractions"],
            mean_excitation_energy_ev=entry.get("mean_excitation_energy_ev")
            or mean_excitation_energy_ev(entry["mass_fractions"]),
            source=entry["source"],
        )
        for name, entry in content.items()
    }
