"""Photons of a nuclide in energy groups: what they are emitted, attenuated, scattered and absorbed with.

Scattering is taken as isotropic after the transport correction (Bell and Glasstone 1970): what goes on forwards, the
mean cosine's share, is taken off both the attenuation and the scattering within a group. Coherent scattering, forwards
at these energies, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import LearningError
from RPTDosimetryLib.learning.photon_bands import REFERENCE_MATERIAL
from RPTDosimetryLib.physics.klein_nishina import ELECTRON_REST_KEV
from RPTDosimetryLib.physics.materials import Material, material
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.physics.photon_cross_sections import mass_cross_sections
from RPTDosimetryLib.transport.emission import photon_emission
from RPTDosimetryLib.units import J_PER_KEV, KG_PER_G

#: Between these energies [keV], falling; what is below the last is absorbed where it is.
EDGES_KEV: Final = (340.0, 230.0, 190.0, 150.0, 122.0, 100.0, 80.0, 62.0, 45.0, 30.0, 15.0)
GROUPS: Final = len(EDGES_KEV) - 1
#: Groups above this hold emitted lines alone, at their energy; the others a flat spectrum.
LINES_ALONE_KEV: Final = 190.0
#: What the matter of a block is made of: soft tissue, and bone mineral by the calcium of a medium.
MATTER: Final = (REFERENCE_MATERIAL, "schneider_bone5")
PHOTO, INCOHERENT = 0, 2
COSINES: Final = 400


@dataclass(frozen=True, eq=False)
class PhotonGroups:
    """emitted: photons a decay (group). attenuation [cm²/g] (matter, group) and scattered [cm²/g] (matter, from, to),
    both transport-corrected.
    """

    emitted: NDArray[np.float64]
    attenuation: NDArray[np.float64]
    scattered: NDArray[np.float64]


@lru_cache(maxsize=4)
def photon_groups(name: str) -> PhotonGroups:
    """The groups of a nuclide. Raises LearningError where it emits photons above the first group."""
    emission = photon_emission(nuclide(name))
    each = np.diff(emission.line_cumulative, prepend=0.0) * emission.particles
    if emission.line_kev.max() > EDGES_KEV[0]:
        raise LearningError(
            f"{name} emits photons of {emission.line_kev.max():.0f} keV; photon groups end at {EDGES_KEV[0]:.0f} keV."
        )
    group = _group_of(emission.line_kev)
    inside = group < GROUPS
    emitted = np.bincount(group[inside], weights=each[inside], minlength=GROUPS)
    energies = _energies(name)
    made = [_of_material(material(matter), energies) for matter in MATTER]
    return PhotonGroups(
        emitted.astype(np.float64), np.array([one[0] for one in made]), np.array([one[1] for one in made])
    )


def kerma_gy_cm2(name: str, medium: Material) -> NDArray[np.float64]:
    """Kerma per fluence [Gy·cm²] of each group: all of a photoelectron's energy, and what Compton electrons get."""
    return _of_material(medium, _energies(name))[2] * (J_PER_KEV / KG_PER_G)


def mineral_share(mass_fractions: Mapping[str, float]) -> float:
    """Share of the mass of a medium that counts as MATTER[1], by its calcium."""
    return min(mass_fractions.get("Ca", 0.0) / material(MATTER[1]).mass_fractions["Ca"], 1.0)


def _group_of(energy_kev: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.searchsorted(-np.asarray(EDGES_KEV[1:]), -energy_kev, side="left")


def _of_material(
    made_of: Material, energies_kev: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(attenuation, scattered, kerma [keV·cm²/g]) of one material."""
    attenuation, kerma = np.zeros(GROUPS), np.zeros(GROUPS)
    scattered, forwards = np.zeros((GROUPS, GROUPS)), np.zeros((GROUPS, GROUPS))
    cosine = (np.arange(COSINES) + 0.5) * (2.0 / COSINES) - 1.0
    for group, energies in enumerate(energies_kev):
        kinds = mass_cross_sections(made_of.mass_fractions, energies)
        for energy, photo, incoherent in zip(energies, kinds[PHOTO], kinds[INCOHERENT], strict=True):
            ratio = 1.0 / (1.0 + energy / ELECTRON_REST_KEV * (1.0 - cosine))
            share = ratio**2 * (ratio + 1.0 / ratio - 1.0 + cosine**2)  # Klein and Nishina 1929
            share /= share.sum() * energies.size
            after = _group_of(energy * ratio)
            goes_on = after < GROUPS
            np.add.at(scattered[group], after[goes_on], incoherent * share[goes_on])
            np.add.at(forwards[group], after[goes_on], incoherent * (share * cosine)[goes_on])
            attenuation[group] += (photo + incoherent) / energies.size
            kerma[group] += photo * energy / energies.size
            kerma[group] += incoherent * energy * (share * (1.0 - ratio * goes_on)).sum()
    turned = forwards.sum(axis=1)
    corrected = scattered - np.diag(turned)
    np.fill_diagonal(corrected, np.maximum(np.diag(corrected), 0.0))
    return attenuation - turned, corrected, kerma


def _energies(name: str) -> list[NDArray[np.float64]]:
    """Energies of each group at which its constants are averaged."""
    emission = photon_emission(nuclide(name))
    each = np.diff(emission.line_cumulative, prepend=0.0)
    group = _group_of(emission.line_kev)
    answer = []
    for number, (high, low) in enumerate(pairwise(EDGES_KEV)):
        lines = group == number
        if low >= LINES_ALONE_KEV and lines.any():
            answer.append(np.array([np.average(emission.line_kev[lines], weights=each[lines])]))
        else:
            answer.append(low + (np.arange(8) + 0.5) / 8.0 * (high - low))
    return answer
