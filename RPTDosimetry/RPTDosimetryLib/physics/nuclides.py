"""Radionuclides: half-life and all radiation per decay, from evaluated data in physics/data/decay_*.json.

``nuclide("Lu-177")`` gives the default evaluation of the file, ``nuclide("Lu-177", evaluation="LNHB-2025")`` another.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import PhysicsDataError
from RPTDosimetryLib.physics.beta_spectrum import BetaBranch, beta_density_per_kev
from RPTDosimetryLib.physics.relaxation import (
    AtomicData,
    Line,
    Transition,
    auger_lines,
    conversion_lines,
    x_ray_lines,
)

DATA = Path(__file__).parent / "data"

_GRID_POINTS = 20001
_QUANTILES = 16384
_ELEMENT_NAMES = {
    "lutetium": "Lu", "yttrium": "Y", "iodine": "I", "terbium": "Tb", "holmium": "Ho", "samarium": "Sm",
    "rhenium": "Re", "copper": "Cu", "scandium": "Sc", "strontium": "Sr", "phosphorus": "P",
}  # fmt: skip


@dataclass(frozen=True)
class BetaSpectrum:
    """β⁻ spectrum of all branches: energy_kev (n,), density_per_kev (n,) with ∫ = yield per decay.

    quantiles_kev (m + 1,): energies at cumulative probability 0, 1/m, …, 1. Sampling: with u in [0, 1),
    x = u·m, i = floor(x), E = q[i] + (x − i)·(q[i+1] − q[i]); its mean equals mean_kev to 1e-5.
    """

    energy_kev: NDArray[np.float64]
    density_per_kev: NDArray[np.float64]
    quantiles_kev: NDArray[np.float64]

    @property
    def total_yield(self) -> float:
        """∫ dN/dE dE, β particles per decay."""
        return float(np.trapezoid(self.density_per_kev, self.energy_kev))

    @property
    def mean_kev(self) -> float:
        """Mean energy of one β particle [keV]."""
        return float(np.trapezoid(self.energy_kev * self.density_per_kev, self.energy_kev)) / self.total_yield

    @property
    def end_point_kev(self) -> float:
        """Largest energy [keV]."""
        return float(self.energy_kev[-1])


@dataclass(frozen=True)
class Nuclide:
    """A radionuclide and what one decay emits; lines are (energy [keV], yield per decay), sorted by energy.

    daughter_z: atomic number of the daughter. source: where each group of values comes from, in one text.
    """

    name: str
    evaluation: str
    half_life_s: float
    daughter: str
    daughter_z: int
    betas: tuple[BetaBranch, ...]
    conversion_lines: tuple[Line, ...]
    auger_lines: tuple[Line, ...]
    gamma_lines: tuple[Line, ...]
    x_ray_lines: tuple[Line, ...]
    source: str

    @property
    def lambda_phys_per_s(self) -> float:
        """λ = ln 2 / T½ [1/s]."""
        return math.log(2.0) / self.half_life_s

    @property
    def electron_lines(self) -> tuple[Line, ...]:
        """Conversion and Auger electrons (keV, yield per decay)."""
        return tuple(sorted(self.conversion_lines + self.auger_lines))

    @property
    def photon_lines(self) -> tuple[Line, ...]:
        """γ rays, X rays and annihilation photons (keV, yield per decay)."""
        return tuple(sorted(self.gamma_lines + self.x_ray_lines))

    @cached_property
    def beta_spectrum(self) -> BetaSpectrum:
        """Sum of the branches, computed once: see beta_spectrum.py."""
        return _spectrum(self.betas)

    @property
    def mean_beta_kev(self) -> float:
        """β energy per decay [keV]."""
        return self.beta_spectrum.mean_kev * self.beta_spectrum.total_yield

    @property
    def mean_conversion_kev(self) -> float:
        """Conversion-electron energy per decay [keV]."""
        return _energy(self.conversion_lines)

    @property
    def mean_auger_kev(self) -> float:
        """Auger-electron energy per decay [keV], with all that outer shells release."""
        return _energy(self.auger_lines)

    @property
    def mean_electron_kev(self) -> float:
        """β + conversion + Auger energy per decay [keV]."""
        return self.mean_beta_kev + self.mean_conversion_kev + self.mean_auger_kev

    @property
    def mean_gamma_kev(self) -> float:
        """γ energy per decay [keV], without X rays."""
        return _energy(self.gamma_lines)

    @property
    def mean_photon_kev(self) -> float:
        """γ + X energy per decay [keV]."""
        return _energy(self.gamma_lines) + _energy(self.x_ray_lines)


def nuclide(name: str, evaluation: str | None = None) -> Nuclide:
    """The nuclide of that name in any common spelling ("Lu-177", "177Lu", "lu177", "^177^Lutetium").

    evaluation: None for the file's default. Raises PhysicsDataError with the known names otherwise.
    """
    known = known_nuclides()
    canonical = canonical_name(name)
    if canonical not in known:
        raise PhysicsDataError(f"Nuclide {name!r} is unknown: use one of {', '.join(known)}.")
    return _read(canonical, evaluation)


def known_nuclides() -> tuple[str, ...]:
    """Names of the nuclides with data, sorted."""
    return tuple(sorted(path.stem.removeprefix("decay_") for path in DATA.glob("decay_*.json")))


def evaluations(name: str) -> tuple[str, ...]:
    """Evaluations with data for a nuclide, the default first."""
    content = _content(nuclide(name).name)
    return tuple(sorted(content["evaluations"], key=lambda key: (key != content["default"], key)))


def canonical_name(name: str) -> str:
    """Symbol-number, as in Lu-177, from 177Lu, LU177, lu-177, ^177^Lutetium, Lutetium 177; empty where none fits."""
    text = re.sub(r"[\s^_\[\]()-]+", "", name)
    match = re.fullmatch(r"(?P<a>\d+m?)(?P<e>[A-Za-z]+)|(?P<f>[A-Za-z]+)(?P<b>\d+m?)", text)
    if match is None:
        return ""
    element = match["e"] or match["f"]
    symbol = _ELEMENT_NAMES.get(element.lower(), element.capitalize())
    return f"{symbol}-{match['a'] or match['b']}"


def _energy(lines: Sequence[Line]) -> float:
    """Σ E·y [keV per decay]."""
    return float(sum(energy * number for energy, number in lines))


def _spectrum(betas: tuple[BetaBranch, ...]) -> BetaSpectrum:
    end_point = max(branch.end_point_kev for branch in betas)
    # Denser at low energies, where the density is largest and curved most.
    energy = np.linspace(0.0, 1.0, _GRID_POINTS) ** 1.5 * end_point
    density = np.zeros_like(energy)
    for branch in betas:
        shape = beta_density_per_kev(energy, branch)
        shape[0] = shape[1]  # F₀·p is finite at E = 0
        density += branch.intensity * shape / np.trapezoid(shape, energy)
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(energy))])
    quantiles = np.interp(np.linspace(0.0, cumulative[-1], _QUANTILES + 1), cumulative, energy)
    return BetaSpectrum(energy, density, quantiles)


def _content(name: str) -> dict[str, Any]:
    text = (DATA / f"decay_{name}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@cache
def _read(name: str, evaluation: str | None) -> Nuclide:
    content = _content(name)
    key = content["default"] if evaluation is None else evaluation
    if key not in content["evaluations"]:
        raise PhysicsDataError(f"{name} has no evaluation {key!r}: use one of {', '.join(content['evaluations'])}.")
    entry = content["evaluations"][key]
    daughter, atom = content["daughter"], _atom(content.get("daughter_atom"))
    transitions = tuple(
        Transition(g["kev"], g["per_decay"], tuple(g.get("alpha", (0, 0, 0, 0)))) for g in entry["gammas"]
    )
    return Nuclide(
        name=name,
        evaluation=key,
        half_life_s=float(entry["half_life_s"]),
        daughter=daughter["name"],
        daughter_z=daughter["z"],
        betas=_betas(entry["betas"], daughter["z"], content["mass_number"]),
        conversion_lines=_lines(entry, "conversion_electrons") + (conversion_lines(transitions, atom) if atom else ()),
        auger_lines=auger_lines(transitions, atom) if atom else (),
        gamma_lines=tuple((t.energy_kev, t.intensity) for t in transitions) + _lines(entry, "annihilation_photons"),
        x_ray_lines=x_ray_lines(transitions, atom) if atom else (),
        source="; ".join(f"{what}: {where}" for what, where in {**content["sources"], **entry["sources"]}.items()),
    )


def _betas(rows: Sequence[Mapping[str, Any]], z: int, mass_number: int) -> tuple[BetaBranch, ...]:
    """Branches with intensities scaled to one β per decay: evaluations round theirs to sums of 0.998 to 1.007."""
    total = sum(row["per_decay"] for row in rows)
    return tuple(
        BetaBranch(row["end_point_kev"], row["per_decay"] / total, row["kind"], z, mass_number) for row in rows
    )


def _lines(entry: Mapping[str, Any], key: str) -> tuple[Line, ...]:
    return tuple((float(energy), float(number)) for energy, number in entry.get(key, ()))


def _atom(values: Mapping[str, Any] | None) -> AtomicData | None:
    if values is None:
        return None
    fields = {key: value for key, value in values.items() if key not in {"kx_lines", "source"}}
    return AtomicData(kx_lines=tuple((float(e), float(w)) for e, w in values["kx_lines"]), **fields)
