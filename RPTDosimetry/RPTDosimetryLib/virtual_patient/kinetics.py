"""Where [177Lu]Lu-DOTATATE goes and how fast it leaves: sums of exponentials, so that Ã is known exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.units import S_PER_DAY, S_PER_H

NUCLIDE: Final = "Lu-177"


@dataclass(frozen=True)
class RegionKinetics:
    """A(t) = A0 · Σ f_i · 2^(-t/T_i) [Bq]; terms are (f_i [1], T_i [s]) with T_i effective half-lives.

    A negative f_i is an uptake phase. Physical decay is inside T_i.
    """

    terms: tuple[tuple[float, float], ...]

    def activity_fraction(self, time_s: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """A(t)/A0 [1] at times since administration [s]."""
        time = np.asarray(time_s, dtype=np.float64)
        return np.asarray(sum(f * np.exp2(-time / half_life) for f, half_life in self.terms))

    @property
    def tia_coefficient_s(self) -> float:
        """ã = Ã/A0 = Σ f_i T_i / ln 2 [s], from 0 to infinity."""
        return float(sum(f * half_life for f, half_life in self.terms) / np.log(2.0))

    def scaled(self, share: float) -> RegionKinetics:
        """The same curve for a part of the region."""
        return RegionKinetics(tuple((f * share, half_life) for f, half_life in self.terms))


@dataclass(frozen=True)
class UptakeParameters:
    """One region in plain numbers: fraction of A0 (extrapolated to t = 0), uptake and effective half-lives [h]."""

    fraction: float
    half_life_h: float
    uptake_half_time_h: float | None = 0.9
    fast_fraction: float = 0.0
    fast_half_life_h: float = 2.0

    def kinetics(self) -> RegionKinetics:
        """Slow + fast clearance, minus an uptake term that makes A(0) = 0 (none for regions filled at once)."""
        terms = [(self.fraction, self.half_life_h * S_PER_H)]
        if self.fast_fraction:
            terms.append((self.fast_fraction, self.fast_half_life_h * S_PER_H))
        if self.uptake_half_time_h is not None:
            terms.append((-(self.fraction + self.fast_fraction), self.uptake_half_time_h * S_PER_H))
        return RegionKinetics(tuple(terms))


#: Effective half-lives: kidneys 50 h, liver and spleen 67 h, tumours 77 h (Hänscheid et al. 2018, Nuklearmedizin, doi
#: 10.3413/Nukmed-0925-17-08). Uptake half-times of 0.8 to 1.1 h, kidney and liver fractions near 1.2 and 5 % of A0: the
#: real curves of PyTheranostics' regression patient. Fractions otherwise give absorbed doses per activity as published
#: (kidneys 0.38 to 0.57, liver 0.27, spleen 0.5 to 1.2, tumours 3.4 Gy/GBq: EJNMMI Phys 2018, doi
#: 10.1186/s40658-018-0232-9; Clin Nucl Med 2013;38(3)). Remainder, marrow and bladder are choices of ordinary size.
REFERENCE_UPTAKE: Final[dict[str, UptakeParameters]] = {
    "liver": UptakeParameters(0.045, 67.0, 1.0),
    "kidney_left": UptakeParameters(0.0115, 50.0, 0.9),
    "kidney_right": UptakeParameters(0.0110, 50.0, 0.9),
    "spleen": UptakeParameters(0.012, 67.0, 0.9),
    "bone_marrow": UptakeParameters(0.003, 60.0, None, fast_fraction=0.012, fast_half_life_h=2.0),
    "bladder": UptakeParameters(0.0015, 50.0, 0.7, fast_fraction=0.030, fast_half_life_h=4.5),
    "remainder": UptakeParameters(0.040, 50.0, None, fast_fraction=0.28, fast_half_life_h=1.9),
}
#: Fraction of A0 per mL of lesion (3.4 Gy/GBq at 77 h), between a faint and a bright one.
LESION_FRACTION_PER_ML: Final = (2.4e-4, 4.2e-4)
LESION_HALF_LIFE_H: Final = 77.0


def draw_uptake(
    rng: np.random.Generator, lesion_volume_ml: Mapping[str, float], spread: float = 0.12
) -> dict[str, UptakeParameters]:
    """Uptake of one patient: the reference with log-normal spread, and each lesion by its volume."""
    drawn = {}
    for name, reference in REFERENCE_UPTAKE.items():
        amount, speed = np.exp(rng.normal(0.0, [spread, 0.6 * spread]))
        drawn[name] = UptakeParameters(
            reference.fraction * amount,
            reference.half_life_h * speed,
            reference.uptake_half_time_h,
            reference.fast_fraction * amount,
            reference.fast_half_life_h,
        )
    for name, volume_ml in lesion_volume_ml.items():
        fraction = volume_ml * rng.uniform(*LESION_FRACTION_PER_ML)
        drawn[name] = UptakeParameters(fraction, LESION_HALF_LIFE_H * float(np.exp(rng.normal(0.0, spread))), 1.0)
    return drawn


def require_possible(kinetics: Mapping[str, RegionKinetics]) -> None:
    """Raise KineticsError where a curve is negative, a half-life exceeds the physical one, or ΣA(t) > A0·2^(-t/T)."""
    half_life_s = nuclide(NUCLIDE).half_life_s
    time_s = np.concatenate([[0.0], np.geomspace(60.0, 60 * S_PER_DAY, 400)])
    total = np.zeros_like(time_s)
    for name, curve in kinetics.items():
        if max(half_life for _, half_life in curve.terms) >= half_life_s:
            raise KineticsError(f"{name}: an effective half-life above the physical one cannot be. Shorten it.")
        activity = curve.activity_fraction(time_s)
        if activity.min() < -1e-12:
            raise KineticsError(f"{name}: its activity would be negative. Make the uptake faster than the clearance.")
        total += activity
    excess = total - np.exp2(-time_s / half_life_s)
    if excess.max() > 1e-9:
        at_h = time_s[int(np.argmax(excess))] / S_PER_H
        raise KineticsError(f"At {at_h:.1f} h the regions hold more than was administered. Lower their fractions.")
