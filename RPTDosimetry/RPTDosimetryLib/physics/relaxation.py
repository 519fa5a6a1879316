"""Conversion electrons, X rays and Auger electrons of the daughter atom.

A transition of photon intensity I and coefficient α_s ejects I·α_s electrons of energy E_γ − B_s from shell s. The K
and L vacancies fill by fluorescence (ω_K, ω_L) or Auger emission; each K vacancy leaves n_KL in L. What the X rays and
the K and L Auger electrons do not carry of Σ vacancies × binding energy is given to electrons of the M binding energy,
so that conversion + X + Auger energy is I·α·E_γ exactly. Schönfeld and Janßen, Nucl. Instrum. Meth. A 369 (1996) 527.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from RPTDosimetryLib.errors import PhysicsDataError

SHELLS = ("K", "L", "M", "N")

#: Lα with Ll, Lβ and Lγ: energy over the mean of the L series, and share of its photons. Relative intensities of Elam
#: et al. 2002 for Xe to Hf with L3:L2:L1 = 55:42:3; the mean of the series is kept. One line would misplace the dose
#: within millimetres: attenuation goes as E⁻³.
L_SERIES = ((0.911, 0.46), (1.056, 0.47), (1.2096, 0.07))

#: (energy [keV], yield per decay)
Line = tuple[float, float]


@dataclass(frozen=True)
class AtomicData:
    """Shell means of one element: binding energies [keV] and yields. "N" stands for N and all outer shells.

    kx_lines: (energy [keV], relative intensity) of the K X rays; auger_klx, auger_kxy: intensity relative to KLL.
    """

    binding_kev: Mapping[str, float]
    omega_k: float
    omega_l: float
    n_kl: float
    kx_lines: tuple[Line, ...]
    lx_kev: float
    auger_klx: float
    auger_kxy: float


@dataclass(frozen=True)
class Transition:
    """A γ ray [keV], its photons per decay and its conversion coefficients per shell (K, L, M, N+)."""

    energy_kev: float
    intensity: float
    alpha: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


def conversion_lines(transitions: Sequence[Transition], atom: AtomicData) -> tuple[Line, ...]:
    """(E_γ − B_s, I·α_s) for each transition and shell [keV, per decay]."""
    lines = []
    for transition in transitions:
        for shell, alpha in zip(SHELLS, transition.alpha, strict=True):
            energy = transition.energy_kev - atom.binding_kev[shell]
            if alpha > 0 and energy <= 0:
                raise PhysicsDataError(
                    f"The {transition.energy_kev} keV transition cannot convert in shell {shell}: correct its alpha."
                )
            if alpha > 0:
                lines.append((energy, transition.intensity * alpha))
    return tuple(sorted(lines))


def vacancies(transitions: Sequence[Transition]) -> dict[str, float]:
    """Primary vacancies per decay and shell: Σ I·α_s."""
    return {
        shell: sum(transition.intensity * transition.alpha[index] for transition in transitions)
        for index, shell in enumerate(SHELLS)
    }


def x_ray_lines(transitions: Sequence[Transition], atom: AtomicData) -> tuple[Line, ...]:
    """K and L X rays [keV, per decay]: ω_K·V_K and ω_L·(V_L + n_KL·V_K), shared by the lines of each series."""
    hole = vacancies(transitions)
    total = sum(weight for _, weight in atom.kx_lines)
    k_lines = tuple((energy, hole["K"] * atom.omega_k * weight / total) for energy, weight in atom.kx_lines)
    l_series = atom.omega_l * (hole["L"] + atom.n_kl * hole["K"])
    mean = sum(ratio * share for ratio, share in L_SERIES)
    l_lines = tuple((atom.lx_kev * ratio / mean, l_series * share) for ratio, share in L_SERIES)
    return (*l_lines, *k_lines)


def auger_lines(transitions: Sequence[Transition], atom: AtomicData) -> tuple[Line, ...]:
    """L, KLL, KLX and KXY groups, and one group below the M binding energy that closes the energy balance.

    Energies: KLL ≈ B_K − 2B_L, KLX ≈ B_K − B_L − B_M, KXY ≈ B_K − 2B_M, L ≈ B_L − 2B_M.
    """
    hole = vacancies(transitions)
    binding = atom.binding_kev
    k_auger = hole["K"] * (1.0 - atom.omega_k)
    share = k_auger / (1.0 + atom.auger_klx + atom.auger_kxy)
    lines = [
        (binding["L"] - 2.0 * binding["M"], (hole["L"] + atom.n_kl * hole["K"]) * (1.0 - atom.omega_l)),
        (binding["K"] - 2.0 * binding["L"], share),
        (binding["K"] - binding["L"] - binding["M"], share * atom.auger_klx),
        (binding["K"] - 2.0 * binding["M"], share * atom.auger_kxy),
    ]
    stored = sum(hole[shell] * binding[shell] for shell in SHELLS)
    released = sum(e * y for e, y in lines) + sum(e * y for e, y in x_ray_lines(transitions, atom))
    rest = stored - released
    if rest < 0:
        raise PhysicsDataError(
            "X rays and Auger electrons carry more energy than the vacancies hold: check the yields."
        )
    return ((binding["M"], rest / binding["M"]), *lines)
