"""Write the photon and shell tables of physics/data: ``python -m RPTDosimetryLib.physics.generate_tables``.

Needs the optional package xraydb (extra ``tables``), whose data are in the public domain: cross sections of Elam, Ravel
and Sieber (Radiat. Phys. Chem. 63 (2002) 121), form factors of Waasmaier and Kirfel (Acta Cryst. A51 (1995) 416),
absorption edges as compiled by Elam.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.physics.klein_nishina import incoherent_cross_section_cm2

DATA = Path(__file__).parent / "data"
#: Every element of the ICRU and Schneider materials, and neighbours a later scheme may need.
ELEMENTS = (1, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 26, 29, 30, 53)
ENERGY_KEV = np.geomspace(1.0, 3000.0, 361)
#: The Elam tables end here; above it photoelectric keeps its slope, coherent goes as E⁻², incoherent as Klein–Nishina.
ELAM_END_KEV = 800.0
MOMENTUM_PER_ANGSTROM = np.concatenate([[0.0], np.geomspace(0.005, 250.0, 220)])
#: Waasmaier and Kirfel fitted up to here; beyond it F falls as x⁻⁴, the limit of a 1s electron.
FORM_FACTOR_END_PER_ANGSTROM = 6.0
BARN_CM2 = 1e-24
AVOGADRO = 6.02214076e23

_SHELL_CAPACITY = {"K": 2, "1": 2, "2": 2, "3": 4, "4": 4, "5": 6}
#: Order in which subshells fill, in the notation of absorption edges (4s before 3d).
_FILLING = ("K", "L1", "L2", "L3", "M1", "M2", "M3", "N1", "M4", "M5", "N2", "N3", "O1", "N4", "N5", "O2", "O3")


def grid_with_edges(xraydb: Any) -> NDArray[np.float64]:
    """Energies [keV]: the common grid and both sides of every absorption edge within it."""
    edges = [edge.energy / 1e3 for z in ELEMENTS for edge in xraydb.xray_edges(z).values()]
    inside = np.array([e for e in edges if ENERGY_KEV[0] * 1.001 < e < ENERGY_KEV[-1]])
    return np.unique(np.concatenate([ENERGY_KEV, inside * (1 - 1e-5), inside * (1 + 1e-5)]))


def element_cross_sections(xraydb: Any, z: int, energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, n) photoelectric, coherent, incoherent mass cross sections [cm²/g]."""
    inside = np.minimum(energy_kev, ELAM_END_KEV)
    kinds = ("photo", "coh", "incoh")
    table = np.array([xraydb.get_xraydb().cross_section_elam(z, inside * 1e3, kind=kind) for kind in kinds])
    beyond = energy_kev > ELAM_END_KEV
    slope_from = np.array([500.0, ELAM_END_KEV])
    near = xraydb.get_xraydb().cross_section_elam(z, slope_from * 1e3, kind="photo")
    slope = np.log(near[1] / near[0]) / np.log(slope_from[1] / slope_from[0])
    table[0, beyond] *= (energy_kev[beyond] / ELAM_END_KEV) ** slope
    table[1, beyond] *= (ELAM_END_KEV / energy_kev[beyond]) ** 2
    free = incoherent_cross_section_cm2(np.append(energy_kev[beyond], ELAM_END_KEV), None)
    table[2, beyond] *= free[:-1] / free[-1]
    return table


def form_factor(xraydb: Any, z: int) -> NDArray[np.float64]:
    """F(x, Z) on MOMENTUM_PER_ANGSTROM."""
    inside = np.clip(xraydb.f0(z, np.minimum(MOMENTUM_PER_ANGSTROM, FORM_FACTOR_END_PER_ANGSTROM)), 1e-6, None)
    beyond = np.maximum(MOMENTUM_PER_ANGSTROM / FORM_FACTOR_END_PER_ANGSTROM, 1.0)
    return np.asarray(inside / beyond**4)


def scattering_function(z: int, energy_kev: NDArray[np.float64], incoherent_cm2: NDArray[np.float64]) -> Any:
    """S(x, Z) = Z·(1 − (1 + (x/x0)^p)^(−q)) whose integral over Klein–Nishina gives the tabulated cross sections.

    Returns the parameters (x0, p, q) and the largest relative residual above 5 keV.
    """
    chosen = np.geomspace(2.0, 700.0, 40)
    wanted = np.exp(np.interp(np.log(chosen), np.log(energy_kev), np.log(incoherent_cm2)))

    def residual(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        x0, p, q = np.exp(parameters)
        return incoherent_cross_section_cm2(chosen, lambda x: z * (1 - (1 + (x / x0) ** p) ** -q)) / wanted - 1

    found = least_squares(residual, np.log([0.3, 1.8, 1.0]), loss="soft_l1", f_scale=0.01)
    return np.exp(found.x), float(np.abs(residual(found.x))[chosen > 5.0].max())


def electron_shells(xraydb: Any, z: int) -> list[list[float]]:
    """[[electrons, binding energy eV], …] of one neutral atom; a shell the tables lack takes the last known energy."""
    edges = {name: edge.energy for name, edge in xraydb.xray_edges(z).items()}
    left, shells, last = z, [], 13.6
    for name in _FILLING:
        if left == 0:
            break
        electrons = min(left, _SHELL_CAPACITY[name[-1]])
        last = max(edges.get(name, last), 5.0)
        shells.append([float(electrons), last])
        left -= electrons
    return shells


def main() -> None:
    """Write both files beside this module and print how well each S(x, Z) fits."""
    import xraydb

    energy_kev = grid_with_edges(xraydb)
    cross_sections, factors, parameters = [], [], []
    for z in ELEMENTS:
        table = element_cross_sections(xraydb, z, energy_kev)
        atomic_mass = xraydb.atomic_mass(z)
        fit, worst = scattering_function(z, energy_kev, table[2] * atomic_mass / AVOGADRO)
        print(f"Z = {z}: S(x) parameters {fit}, worst incoherent residual {worst:.2%}")
        cross_sections.append(table)
        factors.append(form_factor(xraydb, z))
        parameters.append(fit)
    with whole_file(DATA / "photon_cross_sections.npz") as path, path.open("wb") as stream:
        np.savez_compressed(
            stream,
            z=np.array(ELEMENTS),
            atomic_mass_g=np.array([xraydb.atomic_mass(z) for z in ELEMENTS]),
            energy_kev=energy_kev,
            cross_section_cm2_per_g=np.array(cross_sections, dtype=np.float32),
            momentum_per_angstrom=MOMENTUM_PER_ANGSTROM,
            form_factor=np.array(factors, dtype=np.float32),
            scattering_function=np.array(parameters),
        )
    shells = {str(z): electron_shells(xraydb, z) for z in ELEMENTS}
    with whole_file(DATA / "electron_shells.json") as path:
        path.write_text(json.dumps({"source": "absorption edges of xraydb (Elam), eV", "shells": shells}, indent=1))


if __name__ == "__main__":
    main()
