"""Histories of activity in voxels: one after the other here, one a thread on a GPU (cuda_histories.py).

An electron that cannot reach the wall of its voxel, and does not radiate, leaves all of its energy there. How likely
that is follows from its range, so it is booked as an expectation and only the others are followed:

    p = Π_axes max(0, 1 − 2R/(ρ·d)) · exp(−n_brems),    R range [g/cm²], d side of the voxel, n_brems expected photons.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.transport.angles import isotropic
from RPTDosimetryLib.transport.compiled import compiled, inlined
from RPTDosimetryLib.transport.electron_transport import node_of_energy, on_ladder, transport_electron
from RPTDosimetryLib.transport.emission import Emission, emitted_energy
from RPTDosimetryLib.transport.particle_moves import ELECTRON, PHOTON, Scene
from RPTDosimetryLib.transport.particle_stack import Particle
from RPTDosimetryLib.transport.photon_transport import transport_photon
from RPTDosimetryLib.transport.point_histories import finish_stack
from RPTDosimetryLib.transport.random_numbers import start_history, uniform
from RPTDosimetryLib.transport.scoring import book
from RPTDosimetryLib.transport.transport_tables import BREMS, CSDA, ElectronTables, PhotonTables

#: Multiples of the golden section fill the unit interval evenly at any count, whatever the order of the voxels.
GOLDEN_SECTION = 0.6180339887498949
#: Stands in for a history's number in the random numbers of the batch itself.
_NO_HISTORY = np.uint64(0xFFFFFFFFFFFFFFFF)


class Source(NamedTuple):
    """Where decays happen: flat voxel indices, the cumulative share of the histories that start in them, and what a
    history in each weighs: its share of the decays over its share of the histories.
    """

    voxel: NDArray[np.int64]
    cumulative: NDArray[np.float64]
    weight: NDArray[np.float64]


class Tables(NamedTuple):
    """All that the transport reads."""

    electrons: ElectronTables
    photons: PhotonTables
    angles: NDArray[np.float64]
    scene: Scene


class Histories(NamedTuple):
    """A range of one batch: seed of the batch, first history, one after the last, and how many the batch has."""

    seed: int
    first: int
    end: int
    of: int


@compiled()
def run_electrons(emission: Emission, histories: Histories, source: Source, tables: Tables, score, stack, rng):  # type: ignore[no-untyped-def]
    """Add electron histories to the score (part, voxel) [keV]; returns the energy booked [keV]."""
    shift = batch_shift(histories.seed, rng)
    at = np.searchsorted(source.cumulative, histories.first / histories.of)
    booked = 0.0
    for history in range(histories.first, histories.end):
        at = _row_from(at, history_begun(history, histories, rng), source)
        energy = energy_of(history, shift, emission)
        booked += electron_history(energy, source.voxel[at], source.weight[at], tables, score, stack, rng)
    return booked


@compiled()
def run_photons(emission: Emission, histories: Histories, source: Source, tables: Tables, score, stack, rng):  # type: ignore[no-untyped-def]
    """Add photon histories to the score (part, voxel) [keV]; returns the energy booked [keV]."""
    shift = batch_shift(histories.seed, rng)
    at = np.searchsorted(source.cumulative, histories.first / histories.of)
    booked = 0.0
    for history in range(histories.first, histories.end):
        at = _row_from(at, history_begun(history, histories, rng), source)
        energy = energy_of(history, shift, emission)
        booked += photon_history(energy, source.voxel[at], source.weight[at], tables, score, stack, rng)
    return booked


@inlined()
def batch_shift(seed, rng):  # type: ignore[no-untyped-def]
    """Where the energies of a batch start in the spectrum."""
    start_history(rng, seed, _NO_HISTORY)
    return uniform(rng)


@inlined()
def energy_of(history, shift, emission):  # type: ignore[no-untyped-def]
    """Energy [keV] of a history of a batch: from its place in the emission."""
    place = shift + GOLDEN_SECTION * history
    return emitted_energy(place - int(place), emission)


@inlined()
def history_begun(history, histories, rng):  # type: ignore[no-untyped-def]
    """Start the random numbers of a history; the cumulative share of its voxel, within the history's equal stratum."""
    start_history(rng, histories.seed, history)
    return (history + uniform(rng)) / histories.of


@inlined()
def _row_from(at, wanted, source):  # type: ignore[no-untyped-def]
    """Row of the source that reaches a cumulative share, looking upwards from ``at``."""
    while at < source.voxel.size - 1 and source.cumulative[at] < wanted:
        at += 1
    return at


@inlined()
def photon_history(energy, cell, weight, tables, score, stack, rng):  # type: ignore[no-untyped-def]
    """One photon from anywhere in a voxel, and what it sets free; returns the energy booked."""
    scene = tables.scene
    x = (cell % scene.nx + uniform(rng)) * scene.dx
    y = (cell // scene.nx % scene.ny + uniform(rng)) * scene.dy
    z = (cell // (scene.nx * scene.ny) + uniform(rng)) * scene.dz
    u, v, w = isotropic(rng)
    particle = Particle(x, y, z, u, v, w, weight, PHOTON)
    count = transport_photon(energy, particle, tables.photons, tables.electrons, scene, score, stack, 0, rng)
    finish_stack(stack, count, tables.electrons, tables.photons, tables.angles, scene, score, rng)
    return energy * weight


@inlined()
def electron_history(energy, cell, weight, tables, score, stack, rng):  # type: ignore[no-untyped-def]
    """One electron from anywhere in a voxel; returns the energy booked."""
    electrons, scene = tables.electrons, tables.scene
    medium = int(scene.medium[cell])
    photons, margin = 0.0, 0.0
    if energy > electrons.cut_kev:
        node = node_of_energy(energy, electrons)
        margin = on_ladder(electrons.ladder, medium, node, CSDA) / scene.density[cell]
        photons = on_ladder(electrons.ladder, medium, node, BREMS)
    inner_x, inner_y = _inner(margin, scene.dx), _inner(margin, scene.dy)
    inner = inner_x * inner_y * _inner(margin, scene.dz)
    quiet = math.exp(-photons)
    book(score, ELECTRON, cell, energy * weight * inner * quiet)
    draw = uniform(rng)
    if draw < inner * quiet:
        return energy * weight * inner * quiet
    brems_left = -math.log(uniform(rng))
    if draw < inner:  # it radiates, from a place where nothing else of it could leave
        brems_left = -math.log(1.0 - uniform(rng) * (1.0 - quiet))
        x = margin + uniform(rng) * (scene.dx - 2.0 * margin)
        y = margin + uniform(rng) * (scene.dy - 2.0 * margin)
        z = margin + uniform(rng) * (scene.dz - 2.0 * margin)
    else:
        x, y, z = _near_a_wall(margin, inner_x, inner_y, scene, rng)
    u, v, w = isotropic(rng)
    particle = Particle(
        x + (cell % scene.nx) * scene.dx,
        y + (cell // scene.nx % scene.ny) * scene.dy,
        z + (cell // (scene.nx * scene.ny)) * scene.dz,
        *(u, v, w, weight, ELECTRON),
    )
    count = transport_electron(energy, particle, brems_left, electrons, tables.angles, scene, score, stack, 0, rng)
    finish_stack(stack, count, electrons, tables.photons, tables.angles, scene, score, rng)
    return energy * weight * (1.0 + inner * quiet)


@inlined()
def _inner(margin, side):  # type: ignore[no-untyped-def]
    """Share of a side that is further than the margin from both ends."""
    return max(1.0 - 2.0 * margin / side, 0.0)


@inlined()
def _near_a_wall(margin, inner_x, inner_y, scene, rng):  # type: ignore[no-untyped-def]
    """A place of a voxel within the margin of a wall, all such places alike: near a wall in x, else in y, else in z."""
    inner_z = _inner(margin, scene.dz)
    draw = uniform(rng) * (1.0 - inner_x * inner_y * inner_z)
    x, y, z = uniform(rng) * scene.dx, uniform(rng) * scene.dy, uniform(rng) * scene.dz
    if draw < 1.0 - inner_x:
        return _to_the_ends(x, inner_x, scene.dx), y, z
    x = margin + x * inner_x
    if draw < 1.0 - inner_x * inner_y:
        return x, _to_the_ends(y, inner_y, scene.dy), z
    return x, margin + y * inner_y, _to_the_ends(z, inner_z, scene.dz)


@inlined()
def _to_the_ends(at, inner, side):  # type: ignore[no-untyped-def]
    """A uniform place of a side moved into the outer shares of it."""
    at *= 1.0 - inner
    return at if at < 0.5 * (1.0 - inner) * side else at + inner * side
