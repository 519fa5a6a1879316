"""Two-tissue compartment model whose plasma input is a sum of exponentials: uptake and its integral in closed form.

    dC1/dt = K1·Cp − (k2 + k3)·C1 + k4·C2        dC2/dt = k3·C1 − k4·C2        C = (1 − Vb)·(C1 + C2) + Vb·Cb

Concentrations are SUV, that is activity concentration · body weight / administered activity, corrected for physical
decay, [g/mL]; so neither weight nor activity enters here. Rates are per minute, as the literature gives them.
Source: Gunn, Gunn, Cunningham 2001, J Cereb Blood Flow Metab 21:635 (impulse response); the integral is its Laplace
transform at the physical decay constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import KineticsError

Number = float | NDArray[Any]


@dataclass(frozen=True)
class PlasmaInput:
    """Cp(t) = Σ a_i·2^(−t/T_i) [SUV]; terms are (a_i [SUV], T_i [min], biological). Blood is Cp·blood_per_plasma."""

    terms: tuple[tuple[float, float], ...]
    blood_per_plasma: float

    def __post_init__(self) -> None:
        if not self.terms or not all(a >= 0 and half_life > 0 for a, half_life in self.terms):
            raise KineticsError(f"Plasma input {self.terms}: give amplitudes of at least 0 and half-lives above 0 min.")

    @property
    def exponentials(self) -> tuple[tuple[float, float], ...]:
        """(a_i [SUV], λ_i [1/min])."""
        return tuple((a, float(np.log(2.0)) / half_life) for a, half_life in self.terms)

    def plasma_suv(self, time_min: Number) -> NDArray[np.float64]:
        """Cp(t) [SUV]."""
        time = np.asarray(time_min, dtype=np.float64)
        return np.asarray(sum(a * np.exp(-rate * time) for a, rate in self.exponentials))

    def integral_suv_min(self, lambda_phys_per_min: float) -> float:
        """∫ Cp(t)·e^(−λ t) dt from 0 to infinity [SUV·min] = Σ a_i / (λ + λ_i)."""
        return sum(a / (lambda_phys_per_min + rate) for a, rate in self.exponentials)


@dataclass(frozen=True)
class Rates:
    """K1 [mL/mL/min], k2, k3, k4 [1/min] and blood volume fraction Vb [1]: numbers, or arrays of one shape."""

    k1_ml_per_ml_min: Number
    k2_per_min: Number
    k3_per_min: Number
    k4_per_min: Number
    blood_fraction: Number

    def __post_init__(self) -> None:
        for name in ("k1_ml_per_ml_min", "k2_per_min", "k3_per_min", "k4_per_min", "blood_fraction"):
            if not np.all(np.asarray(getattr(self, name)) >= 0):
                raise KineticsError(
                    f"{name} is negative or not a number somewhere: rates of a compartment model are ≥ 0."
                )
        if not np.all(np.asarray(self.blood_fraction) <= 1):
            raise KineticsError("A blood fraction above 1: give a share of the volume, 0 to 1.")

    @property
    def eigenvalues_per_min(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """α1 ≤ α2 [1/min] of the impulse response: ½·(s ∓ √(s² − 4·k2·k4)), s = k2 + k3 + k4."""
        k2, k3, k4 = (np.asarray(k, dtype=np.float64) for k in (self.k2_per_min, self.k3_per_min, self.k4_per_min))
        total = k2 + k3 + k4
        root = np.sqrt(np.square(k2 + k3 - k4) + 4.0 * k3 * k4)
        fast = 0.5 * (total + root)
        slow = np.divide(k2 * k4, fast, out=np.zeros_like(fast), where=fast > 0)  # no cancellation, unlike ½(s − root)
        return slow, fast


def tissue_suv(time_min: float, plasma: PlasmaInput, rates: Rates) -> NDArray[np.float64]:
    """C(t) [SUV] at a time after administration, in the shape of the rates."""
    slow, fast = rates.eigenvalues_per_min
    k3, k4 = np.asarray(rates.k3_per_min, dtype=np.float64), np.asarray(rates.k4_per_min, dtype=np.float64)
    apart = fast - slow
    slow_part = np.divide(k3 + k4 - slow, apart, out=np.zeros_like(apart), where=apart > 1e-12)
    fast_part = 1.0 - slow_part  # both are one exponential where k3 = 0 and k2 = k4
    response: Number = 0.0
    for amplitude, rate in plasma.exponentials:
        slow_term = slow_part * _convolved(slow, rate, time_min)
        response = response + amplitude * (slow_term + fast_part * _convolved(fast, rate, time_min))
    blood = plasma.plasma_suv(time_min) * plasma.blood_per_plasma
    return np.asarray((1.0 - rates.blood_fraction) * rates.k1_ml_per_ml_min * response + rates.blood_fraction * blood)


def tissue_integral_suv_min(lambda_phys_per_min: float, plasma: PlasmaInput, rates: Rates) -> NDArray[np.float64]:
    """∫ C(t)·e^(−λ t) dt from 0 to infinity [SUV·min]: time-integrated activity with physical decay.

    Ĉ(λ) = (1 − Vb)·K1·(λ + k3 + k4)/(λ² + (k2 + k3 + k4)·λ + k2·k4)·Ĉp(λ) + Vb·b·Ĉp(λ). Raises KineticsError for λ ≤ 0.
    """
    if not lambda_phys_per_min > 0:
        raise KineticsError("The integral to infinity needs a physical decay constant above 0.")
    decay = lambda_phys_per_min
    k2, k3, k4 = (np.asarray(k, dtype=np.float64) for k in (rates.k2_per_min, rates.k3_per_min, rates.k4_per_min))
    response = rates.k1_ml_per_ml_min * (decay + k3 + k4) / (decay**2 + (k2 + k3 + k4) * decay + k2 * k4)
    plasma_integral = plasma.integral_suv_min(decay)
    blood = rates.blood_fraction * plasma.blood_per_plasma
    return np.asarray(((1.0 - rates.blood_fraction) * response + blood) * plasma_integral)


def k4_for_half_life(half_life_min: float, k2_per_min: float, k3_per_min: float) -> float:
    """The k4 [1/min] with which the slow part leaves with a biological half-life: α·(k2 + k3 − α)/(k2 − α).

    α = ln 2/T. Raises KineticsError where k2 is not above α: then nothing leaves so fast.
    """
    slow = float(np.log(2.0)) / half_life_min
    if not k2_per_min > slow > 0:
        raise KineticsError(
            f"k2 = {k2_per_min:g}/min cannot let tissue empty with a half-life of {half_life_min:g} min."
        )
    return slow * (k2_per_min + k3_per_min - slow) / (k2_per_min - slow)


def _convolved(eigenvalue: NDArray[np.float64], rate: float, time_min: float) -> NDArray[np.float64]:
    """∫0^t e^(−α(t−s))·e^(−λ s) ds = e^(−μ t)·(1 − e^(−x))/x·t [min], μ the slower rate, x = |α − λ|·t."""
    x = np.abs(eigenvalue - rate) * time_min
    near = x < 1e-8
    share = np.where(near, 1.0 - 0.5 * x, -np.expm1(-x) / np.where(near, 1.0, x))
    return np.asarray(time_min * np.exp(-np.minimum(eigenvalue, rate) * time_min) * share)
