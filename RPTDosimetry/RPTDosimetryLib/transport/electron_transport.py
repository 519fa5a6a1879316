"""One electron from birth to rest: condensed history between Møller collisions and bremsstrahlung.

Between hard collisions the energy slides down the ladder; each step bends once, at a random point of it (random hinge,
Baró et al. 1995), by an angle with the exact distribution of its elastic collisions. Hard collisions happen at an
energy drawn from their cumulative number, so that no cross section is taken constant along a step.
"""

from __future__ import annotations

import numba
import numpy as np

from RPTDosimetryLib.physics.klein_nishina import ELECTRON_REST_KEV
from RPTDosimetryLib.transport.multiple_scattering import deflection
from RPTDosimetryLib.transport.particle_moves import (
    BREMSSTRAHLUNG,
    ELECTRON,
    SHELLS,
    deposit,
    medium_at,
    move_losing,
    path_to_nearest_wall,
    turn,
)
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, PHOTON_KIND, push
from RPTDosimetryLib.transport.random_numbers import uniform


@numba.njit(cache=True)
def at_node(row, node):  # type: ignore[no-untyped-def]
    """Linear interpolation on the ladder."""
    low = int(node)
    if low >= row.size - 1:
        return row[row.size - 1]
    return row[low] + (node - low) * (row[low + 1] - row[low])


@numba.njit(cache=True)
def node_of(row, value, below):  # type: ignore[no-untyped-def]
    """Node at which a rising row takes a value, searched downward from the node ``below``; 0 where it never does."""
    low = int(below)
    while low >= 0 and row[low] > value:
        low -= 1
    if low < 0:
        return 0.0
    if low >= row.size - 1:
        return float(row.size - 1)
    rise = row[low + 1] - row[low]
    return min(low + (value - row[low]) / rise, below) if rise > 0 else float(low)


@numba.njit(cache=True)
def node_of_energy(energy, tables):  # type: ignore[no-untyped-def]
    """Ladder node of an energy above the cut, consistent with linear interpolation of the energies."""
    low = int(np.log(energy / tables.cut_kev) * NODES)
    low = min(max(low, 0), tables.energy_kev.size - 2)
    if energy < tables.energy_kev[low] and low > 0:
        low -= 1
    elif energy >= tables.energy_kev[low + 1] and low < tables.energy_kev.size - 2:
        low += 1
    return low + (energy - tables.energy_kev[low]) / (tables.energy_kev[low + 1] - tables.energy_kev[low])


NODES = 64.0


@numba.njit(cache=True)
def transport_electron(energy, place, direction, part, tables, angles, scene, score, stack, count, rng):  # type: ignore[no-untyped-def]
    """Follow one electron until it stops or leaves; its secondaries go on the stack. Returns the stack's new count."""
    if energy <= tables.cut_kev:
        deposit(place, energy, part, scene, score)
        return count
    node = node_of_energy(energy, tables)
    medium = medium_at(place, scene)
    moller_left = -np.log(uniform(rng))
    brems_left = -np.log(uniform(rng))
    while True:
        moller_now = at_node(tables.moller[medium], node)
        brems_now = at_node(tables.brems[medium], node)
        if (
            scene.kind != SHELLS
            and brems_now < brems_left
            and at_node(tables.csda[medium], node) < path_to_nearest_wall(place, scene)
        ):
            deposit(place, at_node(tables.energy_kev, node), part, scene, score)
            return count
        end = max(node - tables.step_nodes, 0.0)
        what = 0
        if moller_now - at_node(tables.moller[medium], end) >= moller_left:
            end = node_of(tables.moller[medium], moller_now - moller_left, node)
            what = ELECTRON_KIND
        if brems_now - at_node(tables.brems[medium], end) >= brems_left:
            end = node_of(tables.brems[medium], brems_now - brems_left, node)
            what = PHOTON_KIND
        moller_left -= moller_now - at_node(tables.moller[medium], end)
        brems_left -= brems_now - at_node(tables.brems[medium], end)
        if not _step(node, end, medium, place, direction, part, tables, angles, scene, score, rng):
            return count
        node = end
        if what == 0:
            if node <= 0.0:
                deposit(place, tables.cut_kev, part, scene, score)
                return count
        else:
            energy = at_node(tables.energy_kev, node)
            if what == ELECTRON_KIND:
                energy, count = _moller(energy, place, direction, part, tables, stack, count, rng)
                moller_left = -np.log(uniform(rng))
            else:
                energy, count = _brems(energy, place, direction, part, medium, tables, stack, count, rng)
                brems_left = -np.log(uniform(rng))
            if energy <= tables.cut_kev:
                deposit(place, energy, part, scene, score)
                return count
            node = node_of_energy(energy, tables)
        medium = medium_at(place, scene)


@numba.njit(cache=True)
def _step(start, end, medium, place, direction, part, tables, angles, scene, score, rng):  # type: ignore[no-untyped-def]
    """Random hinge from one node to a lower one. False where the electron left; all its energy is then booked."""
    path = at_node(tables.path[medium], start) - at_node(tables.path[medium], end)
    low = at_node(tables.energy_kev, end)
    loss = at_node(tables.energy_kev, start) - low
    first = uniform(rng)
    if not move_losing(place, direction, path * first, loss * first, part, scene, score, rng):
        deposit(place, low + loss * (1.0 - first), part, scene, score)
        return False
    k1 = at_node(tables.k1[medium], start) - at_node(tables.k1[medium], end)
    y = deflection(k1, at_node(tables.screening[medium], 0.5 * (start + end)), angles, rng)
    turn(direction, y, 2.0 * np.pi * uniform(rng))
    if not move_losing(place, direction, path * (1.0 - first), loss * (1.0 - first), part, scene, score, rng):
        deposit(place, low, part, scene, score)
        return False
    return True


@numba.njit(cache=True)
def _moller(energy, place, direction, part, tables, stack, count, rng):  # type: ignore[no-untyped-def]
    """Transfer more than the cut to an electron at rest. Returns the primary's energy and the stack's count."""
    least = tables.cut_kev / energy
    if least >= 0.5:
        return energy, count
    tau = energy / ELECTRON_REST_KEV
    square = (tau / (tau + 1.0)) ** 2
    mixed = (2.0 * tau + 1.0) / (tau + 1.0) ** 2
    while True:
        eps = least / (1.0 - uniform(rng) * (1.0 - 2.0 * least))
        keep = 1.0 + (eps / (1.0 - eps)) ** 2 + square * eps * eps - mixed * eps / (1.0 - eps)
        if uniform(rng) * (1.0 + 1.0 + 0.25 * square) < keep:
            break
    loss = eps * energy
    left = energy - loss
    twice = 2.0 * ELECTRON_REST_KEV
    cosine = np.sqrt(left * (energy + twice) / (energy * (left + twice)))
    cosine_secondary = np.sqrt(loss * (energy + twice) / (energy * (loss + twice)))
    azimuth = 2.0 * np.pi * uniform(rng)
    secondary = direction.copy()
    turn(secondary, 1.0 - cosine_secondary, azimuth + np.pi)
    turn(direction, 1.0 - cosine, azimuth)
    return left, push(stack, count, ELECTRON_KIND, loss, place, secondary, part)


@numba.njit(cache=True)
def _brems(energy, place, direction, part, medium, tables, stack, count, rng):  # type: ignore[no-untyped-def]
    """Emit a photon above the photon cut; the electron keeps its direction. Returns its energy and the count."""
    n_energies, n_fractions = tables.brems_spectrum.shape[1], tables.brems_spectrum.shape[2]
    top = np.log(tables.energy_kev[tables.energy_kev.size - 1] / tables.cut_kev)
    row = int(np.log(energy / tables.cut_kev) / top * (n_energies - 1) + uniform(rng))
    row = min(max(row, 0), n_energies - 1)
    width = np.log(energy / tables.photon_cut_kev)
    while True:
        fraction = np.exp(-uniform(rng) * width)
        at = fraction * (n_fractions - 1)
        low = min(int(at), n_fractions - 2)
        near = tables.brems_spectrum[medium, row, low]
        keep = near + (at - low) * (tables.brems_spectrum[medium, row, low + 1] - near)
        if uniform(rng) < keep:
            break
    photon = fraction * energy
    beta = np.sqrt(energy * (energy + 2.0 * ELECTRON_REST_KEV)) / (energy + ELECTRON_REST_KEV)
    # (1 − β cos θ)⁻² about the electron: the classical dipole, forward when fast
    draw = 2.0 * uniform(rng) - 1.0
    cosine = (draw + beta) / (draw * beta + 1.0)
    emitted = direction.copy()
    turn(emitted, 1.0 - cosine, 2.0 * np.pi * uniform(rng))
    to = BREMSSTRAHLUNG if part == ELECTRON else part
    return energy - photon, push(stack, count, PHOTON_KIND, photon, place, emitted, to)
