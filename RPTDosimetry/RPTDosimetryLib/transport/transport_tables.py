"""Tables that the transport reads: electrons on an energy ladder, photons on a logarithmic grid, one row a medium."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.physics.bremsstrahlung import scaled_spectrum_cm2
from RPTDosimetryLib.physics.gauss_legendre import unit_interval
from RPTDosimetryLib.physics.klein_nishina import CLASSICAL_ELECTRON_RADIUS_CM, ELECTRON_REST_KEV
from RPTDosimetryLib.physics.photon_cross_sections import (
    atomic_numbers,
    atoms_per_g,
    bound_fraction,
    electrons_per_g,
    form_factor_squared,
    mass_cross_sections,
)
from RPTDosimetryLib.physics.stopping_powers import (
    StoppingMedium,
    beta_squared,
    collision_stopping_power,
    radiative_stopping_power,
)
from RPTDosimetryLib.transport.elastic_scattering import transport_coefficients
from RPTDosimetryLib.transport.multiple_scattering import LOG_SCREENING_NODES, screening_of_ratio
from RPTDosimetryLib.transport.transport_physics import NODES_PER_E_FOLD, PHOTON_LOWEST_KEV, TransportPhysics

HIGHEST_KEV: Final = 3000.0
PHOTON_NODES: Final = 1200
BREMS_FRACTIONS: Final = np.linspace(0.0, 1.0, 41)
BREMS_ENERGIES: Final = 40
MOMENTUM_NODES: Final = 256
MOMENTUM_RANGE: Final = (0.01, 250.0)


#: Fields of the electron ladder: energy [keV]; path ∫ dE/L from the cut [g/cm²]; expected Møller collisions and
#: bremsstrahlung photons below that energy; transport mean free paths passed; index into the multiple-scattering
#: table; full range, from which an electron cannot escape [g/cm²].
ENERGY, PATH, MOLLER, BREMS, K1, SCREENING, CSDA = range(7)
#: Fields of the photon nodes: μ/ρ [cm²/g], the share of the photoelectric effect, and with that of Compton scattering.
ATTENUATION, PHOTOELECTRIC, NOT_COHERENT = range(3)


class ElectronTables(NamedTuple):
    """ladder (medium, node, field), node energies cut·exp(node/64); brems_spectrum (medium, energy, fraction):
    k dσ/dk over its maximum.
    """

    ladder: NDArray[np.float64]
    brems_spectrum: NDArray[np.float64]
    brems_rows_per_log: float
    cut_kev: float
    photon_cut_kev: float
    step_nodes: float
    secondary_range_cut: float
    bremsstrahlung_copies: int


class PhotonTables(NamedTuple):
    """nodes (medium, node, field) on a logarithmic energy grid; bound (medium, node): S(x)/Z on a logarithmic grid of
    momentum; momentum2 (1, n): x² [Å⁻²]; rayleigh (medium, n): ∫ F² dx².
    """

    nodes: NDArray[np.float64]
    log_lowest: float
    nodes_per_log: float
    cut_kev: float
    bound: NDArray[np.float64]
    log_momentum_first: float
    nodes_per_log_momentum: float
    momentum2: NDArray[np.float64]
    rayleigh: NDArray[np.float64]


def _cumulative(per_g: NDArray[np.float64], stopping: NDArray[np.float64], energy: NDArray[np.float64]) -> NDArray:
    """∫ per_g/L dE from the first node, integrated in ln E."""
    integrand = per_g / stopping * energy
    steps = 0.5 * (integrand[1:] + integrand[:-1]) * np.diff(np.log(energy))
    return np.concatenate([[0.0], np.cumsum(steps)])


def moller_cross_section(medium: StoppingMedium, energy_kev: NDArray[np.float64], cut_kev: float) -> NDArray:
    """Møller collisions that transfer more than cut_kev [cm²/g]: ∫ from cut/E to ½ of
    2π r_e² mc² n_e/(β² E) [1/ε² + 1/(1−ε)² + (τ/(τ+1))² − (2τ+1)/((τ+1)² ε(1−ε))] dε. Møller 1932.
    """
    energy = np.asarray(energy_kev, dtype=float)
    tau = energy / ELECTRON_REST_KEV
    eps = np.minimum(cut_kev / energy, 0.5)
    bracket = 1 / eps - 1 / (1 - eps) + (tau / (tau + 1)) ** 2 * (0.5 - eps)
    bracket -= (2 * tau + 1) / (tau + 1) ** 2 * np.log((1 - eps) / eps)
    factor = 2 * np.pi * CLASSICAL_ELECTRON_RADIUS_CM**2 * ELECTRON_REST_KEV * electrons_per_g(medium.mass_fractions)
    return factor / (beta_squared(energy) * energy) * np.maximum(bracket, 0.0)


def _brems(medium: StoppingMedium, energy: NDArray[np.float64], fraction: NDArray[np.float64]) -> NDArray:
    """Spectrum k dσ/dk [cm²/g], (energies, fractions)."""
    atoms = atoms_per_g(medium.mass_fractions)
    numbers = atomic_numbers(medium.mass_fractions)
    return sum(count * scaled_spectrum_cm2(z, energy, fraction) for z, count in zip(numbers, atoms, strict=True))


def brems_cross_section(medium: StoppingMedium, energy_kev: NDArray[np.float64], cut_kev: float) -> NDArray:
    """Photons above cut_kev [cm²/g]: ∫ k dσ/dk d(ln k)."""
    nodes, weights = unit_interval(16)
    width = np.log(np.maximum(energy_kev / cut_kev, 1.0))
    fraction = np.exp(-width[:, None] * (1.0 - nodes))
    return np.asarray(width * (_brems(medium, energy_kev, fraction) @ weights))


def electron_tables(media: Sequence[StoppingMedium], physics: TransportPhysics) -> ElectronTables:
    """Ladder tables of the media, from the electron cut to 3 MeV."""
    cut = physics.electron_cut_kev
    nodes = int(np.ceil(np.log(HIGHEST_KEV / cut) * NODES_PER_E_FOLD)) + 1
    energy = cut * np.exp(np.arange(nodes) / NODES_PER_E_FOLD)
    rows = np.geomspace(cut, HIGHEST_KEV, BREMS_ENERGIES)
    spectra = [_brems(medium, rows, np.clip(BREMS_FRACTIONS, 1e-3, 1 - 1e-6)) for medium in media]
    return ElectronTables(
        ladder=np.ascontiguousarray([_ladder(medium, energy, physics) for medium in media]),
        brems_spectrum=np.array([spectrum / spectrum.max(axis=1, keepdims=True) for spectrum in spectra]),
        brems_rows_per_log=(BREMS_ENERGIES - 1) / float(np.log(HIGHEST_KEV / cut)),
        cut_kev=cut,
        photon_cut_kev=physics.photon_cut_kev,
        step_nodes=NODES_PER_E_FOLD / physics.steps_per_e_fold,
        secondary_range_cut=physics.secondary_range_cut_g_per_cm2,
        bremsstrahlung_copies=physics.bremsstrahlung_copies,
    )


def _ladder(medium: StoppingMedium, energy: NDArray[np.float64], physics: TransportPhysics) -> NDArray[np.float64]:
    """(node, field) of one medium."""
    cut = physics.electron_cut_kev
    coarse = np.append(energy[:-1:8], energy[-1])

    def finer(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.exp(np.interp(np.log(energy), np.log(coarse), np.log(values)))

    unrestricted = collision_stopping_power(medium, energy) + radiative_stopping_power(medium, energy)
    stopping = collision_stopping_power(medium, energy, cut)
    stopping += radiative_stopping_power(medium, energy, physics.photon_cut_kev)
    k1, k2 = (finer(row) for row in transport_coefficients(medium, coarse, cut, physics.elastic_model))
    ratio, log_screening = screening_of_ratio()
    node_width = LOG_SCREENING_NODES[1] - LOG_SCREENING_NODES[0]
    screening = (np.interp(k2 / k1, ratio, log_screening) - LOG_SCREENING_NODES[0]) / node_width
    fields = [
        energy,
        _cumulative(np.ones_like(energy), stopping, energy),
        _cumulative(moller_cross_section(medium, energy, cut), stopping, energy),
        _cumulative(finer(brems_cross_section(medium, coarse, physics.photon_cut_kev)), stopping, energy),
        _cumulative(k1, stopping, energy),
        np.clip(screening, 0.0, LOG_SCREENING_NODES.size - 1.001),
        _cumulative(np.ones_like(energy), unrestricted, energy),
    ]
    return np.array(fields).T


def photon_tables(media: Sequence[StoppingMedium], physics: TransportPhysics) -> PhotonTables:
    """Attenuation, shares, and the momentum tables of the media, from 1 keV to 3 MeV."""
    energy = np.geomspace(PHOTON_LOWEST_KEV, HIGHEST_KEV, PHOTON_NODES)
    kinds = np.array([mass_cross_sections(medium.mass_fractions, energy) for medium in media])
    total = kinds.sum(axis=1)
    momentum = np.geomspace(MOMENTUM_RANGE[0], MOMENTUM_RANGE[1], MOMENTUM_NODES)
    factors = [form_factor_squared(medium.mass_fractions) for medium in media]
    x2 = factors[0][0] ** 2
    rayleigh = [np.concatenate([[0.0], np.cumsum(0.5 * (f2[1:] + f2[:-1]) * np.diff(x2))]) / f2[0] for _, f2 in factors]
    return PhotonTables(
        nodes=np.ascontiguousarray(
            np.stack([total, kinds[:, 0] / total, (kinds[:, 0] + kinds[:, 2]) / total], axis=-1)
        ),
        log_lowest=float(np.log(PHOTON_LOWEST_KEV)),
        nodes_per_log=(PHOTON_NODES - 1) / float(np.log(HIGHEST_KEV / PHOTON_LOWEST_KEV)),
        cut_kev=physics.photon_cut_kev,
        bound=np.array([bound_fraction(medium.mass_fractions, momentum) for medium in media]),
        log_momentum_first=float(np.log(momentum[0])),
        nodes_per_log_momentum=1 / float(np.log(momentum[1] / momentum[0])),
        momentum2=x2[None, :],
        rayleigh=np.array(rayleigh),
    )
