"""Photons of a nuclide at a distance in air: air kerma and ambient dose equivalent per decay, without attenuation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.physics.gauss_legendre import unit_interval
from RPTDosimetryLib.physics.klein_nishina import ELECTRON_REST_KEV
from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.physics.nuclides import Nuclide
from RPTDosimetryLib.physics.photon_cross_sections import mass_cross_sections
from RPTDosimetryLib.units import J_PER_KEV, KG_PER_G

#: Photons below it do not leave a vial, a syringe or a body; the usual cut of such constants (Smith and Stabin 2012).
CUT_KEV: Final = 20.0
#: H*(10) per fluence [pSv·cm²] at photon energies [keV]: ICRP Publication 74 (1996), table A.21.
AMBIENT_KEV: Final = (10, 15, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500, 600, 800, 1000, 1500, 2000, 3000)
AMBIENT_PSV_CM2: Final = (
    *(0.061, 0.83, 1.05, 0.81, 0.64, 0.55, 0.51, 0.53, 0.61, 0.89, 1.20, 1.80, 2.38, 2.93, 3.44, 4.38, 5.20, 6.90),
    *(8.60, 11.1),
)


@dataclass(frozen=True)
class PhotonFieldConstant:
    """Per activity at 1 m from a point in air [Gy·m²/(Bq·s), Sv·m²/(Bq·s)]; lines above cut_kev, nothing attenuated."""

    nuclide: str
    evaluation: str
    air_kerma_gy_m2_per_bq_s: float
    ambient_sv_m2_per_bq_s: float
    cut_kev: float


def photon_field_constant(emitted: Nuclide, cut_kev: float = CUT_KEV) -> PhotonFieldConstant:
    """Γ = (1/4π)·Σ y_i·E_i·(μ_tr/ρ)_air and (1/4π)·Σ y_i·h*(10)(E_i) over the photon lines above ``cut_kev``.

    Bremsstrahlung of the electrons is left out. Raises PhysicsDataError for lines beyond the tables.
    """
    lines = np.array([(kev, number) for kev, number in emitted.photon_lines if kev >= cut_kev]).reshape(-1, 2)
    kev, number = lines[:, 0], lines[:, 1]
    gy_cm2 = kev * J_PER_KEV * air_energy_transfer_cm2_per_g(kev) / KG_PER_G
    sphere = 4.0 * math.pi * 1e4  # cm² in a sphere of 1 m
    return PhotonFieldConstant(
        emitted.name,
        emitted.evaluation,
        float(number @ gy_cm2) / sphere,
        float(number @ ambient_sv_cm2(kev)) / sphere,
        cut_kev,
    )


def air_energy_transfer_cm2_per_g(energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """μ_tr/ρ of dry air [cm²/g]: photoelectric + incoherent times the share of its energy that the electron takes.

    Fluorescence of air (below 4 keV) and pairs are left out: below 1.1 MeV μ_en/ρ is the same within 0.1 %.
    """
    energy = np.asarray(energy_kev, dtype=np.float64)
    if energy.size == 0:
        return energy
    photoelectric, _, incoherent = mass_cross_sections(material("air").mass_fractions, energy)
    return photoelectric + incoherent * electron_share(energy)


def electron_share(energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean energy of the Compton electron over that of the photon, Klein–Nishina, free electrons."""
    t, weight = unit_interval(200)
    one_minus_mu = 2.0 * t
    k = np.asarray(energy_kev, dtype=np.float64)[:, None] / ELECTRON_REST_KEV
    ratio = 1.0 / (1.0 + k * one_minus_mu)
    angular = ratio**2 * (ratio + 1.0 / ratio - one_minus_mu * (2.0 - one_minus_mu))
    return np.asarray((angular * (1.0 - ratio)) @ weight / (angular @ weight))


def ambient_sv_cm2(energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """H*(10) per fluence [Sv·cm²] of ICRP 74, interpolated by a monotone cubic in the logarithms."""
    from scipy.interpolate import PchipInterpolator

    table = PchipInterpolator(np.log(AMBIENT_KEV), np.log(AMBIENT_PSV_CM2))
    return np.asarray(np.exp(table(np.log(energy_kev))) * 1e-12)
