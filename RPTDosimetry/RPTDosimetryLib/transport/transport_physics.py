"""What a simulation leaves out or takes together, as settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from RPTDosimetryLib.errors import TransportError

PHOTON_LOWEST_KEV: Final = 1.0
#: Nodes of the electron ladder.
NODES_PER_E_FOLD: Final = 64
#: "mott": Hartree–Fock atoms, spin, electrons up to the cut. "rutherford": Thomas–Fermi atoms, no spin, Z² → Z(Z + 1).
ElasticModel = Literal["mott", "rutherford"]


@dataclass(frozen=True)
class TransportPhysics:
    """Choices of the simulation; they enter the content hash of every kernel.

    electron_cut_kev: below it electrons stop where they are; also the least energy of a simulated Møller secondary.
    photon_cut_kev: likewise for photons and bremsstrahlung. steps_per_e_fold: condensed-history steps while the energy
    falls by a factor e. secondary_range_cut_g_per_cm2: electrons set free by photons stop at once where their range is
    shorter. bremsstrahlung_copies: photons that share the weight of each one emitted, to know their dose better.
    """

    electron_cut_kev: float = 10.0
    photon_cut_kev: float = 2.0
    steps_per_e_fold: float = 16.0
    elastic_model: ElasticModel = "rutherford"
    secondary_range_cut_g_per_cm2: float = 1e-3
    bremsstrahlung_copies: int = 8

    def __post_init__(self) -> None:
        if not 1.0 <= self.electron_cut_kev <= 100.0 or not PHOTON_LOWEST_KEV <= self.photon_cut_kev <= 50.0:
            raise TransportError(
                f"Cuts of {self.electron_cut_kev} keV (electrons) and {self.photon_cut_kev} keV (photons) are outside "
                "1 to 100 and 1 to 50 keV."
            )
        if self.photon_cut_kev >= self.electron_cut_kev:
            raise TransportError(
                f"The cut of photons, {self.photon_cut_kev} keV, must be below that of electrons, "
                f"{self.electron_cut_kev} keV."
            )
        if not 1 <= self.bremsstrahlung_copies <= 64:
            raise TransportError(f"{self.bremsstrahlung_copies} copies of a bremsstrahlung photon: choose 1 to 64.")
        if not 1.0 <= self.steps_per_e_fold <= NODES_PER_E_FOLD:
            raise TransportError(f"{self.steps_per_e_fold} steps an e-fold: choose 1 to {NODES_PER_E_FOLD}.")
