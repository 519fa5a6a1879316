"""The linear-quadratic model: BED, EQD2, the dose that a BED needs, and gEUD."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import RadiobiologyError

#: Dose per fraction that EQD2 refers to [Gy].
FRACTION_GY = 2.0


def bed_gy(dose_gy: Any, lea_catcheside: float, alpha_beta_gy: float) -> Any:
    """BED = D + G·D²/(α/β) [Gy], of a number or of an array.

    Raises RadiobiologyError: negative or undefined dose, α/β not positive, G outside 0 to 1. Dale, Br J Radiol
    1985;58:515.
    """
    _require(dose_gy, alpha_beta_gy, lea_catcheside)
    return dose_gy + lea_catcheside * dose_gy**2 / alpha_beta_gy


def eqd2_gy(bed: Any, alpha_beta_gy: float) -> Any:
    """EQD2 = BED/(1 + 2 Gy/(α/β)) [Gy]: the dose in fractions of 2 Gy, fully repaired in between, of equal BED."""
    _require(bed, alpha_beta_gy)
    return bed / (1.0 + FRACTION_GY / alpha_beta_gy)


def dose_for_bed_gy(bed: float, lea_catcheside: float, alpha_beta_gy: float) -> float:
    """D with D + G·D²/(α/β) = BED: 2·BED/(1 + √(1 + 4·G·BED/(α/β))) [Gy], stable as G goes to 0."""
    _require(bed, alpha_beta_gy, lea_catcheside)
    return 2.0 * bed / (1.0 + math.sqrt(1.0 + 4.0 * lea_catcheside * bed / alpha_beta_gy))


def geud_gy(dose_gy: NDArray[Any], exponent: float) -> float:
    """gEUD = (Σ D_i^a/n)^(1/a) [Gy] of voxels of equal volume; a = 1 is the mean, a → ∞ the maximum.

    A negative a (targets) gives 0 where any voxel has 0. Raises RadiobiologyError: no voxels, a = 0, negative doses.
    Niemierko, Med Phys 1999;26:1100.
    """
    doses = np.asarray(dose_gy, dtype=np.float64).ravel()
    if doses.size == 0:
        raise RadiobiologyError("No voxels, no gEUD: the volume of interest is empty. Draw it again or leave it out.")
    if exponent == 0 or not math.isfinite(exponent):
        raise RadiobiologyError(f"gEUD with a = {exponent} has no meaning: give a number other than 0.")
    _require(doses)
    highest = float(doses.max())
    if highest == 0.0 or (exponent < 0 and not (doses > 0).all()):
        return 0.0
    return highest * float(np.mean((doses / highest) ** exponent) ** (1.0 / exponent))


def _require(dose_gy: Any, alpha_beta_gy: float = 1.0, lea_catcheside: float = 0.0) -> None:
    if not (np.isfinite(dose_gy).all() and (np.asarray(dose_gy) >= 0).all()):
        raise RadiobiologyError("A dose is negative or not a number: no biologically effective dose. Check the dose.")
    if not 0 < alpha_beta_gy < math.inf:
        raise RadiobiologyError(f"α/β = {alpha_beta_gy} Gy: a positive number is needed.")
    if not 0 <= lea_catcheside <= 1 + 1e-9:
        raise RadiobiologyError(f"A Lea–Catcheside factor of {lea_catcheside:g} does not exist: it lies in 0 to 1.")
