"""One electron from birth to rest: condensed history between Møller collisions and bremsstrahlung.

Between hard collisions the energy slides down the ladder; each step bends once, at a random point of it (random hinge,
Baró et al. 1995), by an angle with the exact distribution of its elastic collisions. Hard collisions happen at an
energy drawn from their cumulative number, so that no cross section is taken constant along a step.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from RPTDosimetryLib.physics.klein_nishina import ELECTRON_REST_KEV
from RPTDosimetryLib.transport.angles import redirected, turned
from RPTDosimetryLib.transport.compiled import compiled, inlined
from RPTDosimetryLib.transport.multiple_scattering import deflection
from RPTDosimetryLib.transport.particle_moves import (
    BREMSSTRAHLUNG,
    ELECTRON,
    LEAST_DENSITY,
    SHELLS,
    Spot,
    moved_losing,
    nearest_wall,
    place_of,
    shell_or_voxel,
    spot_of,
)
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, PHOTON_KIND, Particle, push
from RPTDosimetryLib.transport.random_numbers import uniform
from RPTDosimetryLib.transport.scoring import book
from RPTDosimetryLib.transport.transport_physics import NODES_PER_E_FOLD
from RPTDosimetryLib.transport.transport_tables import BREMS, CSDA, ENERGY, K1, MOLLER, PATH, SCREENING

#: Below it, in gas, a step may be longer than half a voxel [g/cm³].
GAS_DENSITY: Final = 0.05


class Rung(NamedTuple):
    """All fields of the ladder at one place of it (transport_tables)."""

    energy: float
    path: float
    moller: float
    brems: float
    k1: float
    screening: float
    csda: float


@inlined()
def on_ladder(ladder, medium, node, field):  # type: ignore[no-untyped-def]
    """Linear interpolation between ladder nodes; node must be below the last."""
    low = int(node)
    below = ladder[medium, low, field]
    return below + (node - low) * (ladder[medium, low + 1, field] - below)


@inlined()
def rung_at(ladder, medium, node):  # type: ignore[no-untyped-def]
    """Every field by linear interpolation."""
    low = int(node)
    share = node - low
    below, above = ladder[medium, low], ladder[medium, low + 1]
    return Rung(
        below[ENERGY] + share * (above[ENERGY] - below[ENERGY]),
        below[PATH] + share * (above[PATH] - below[PATH]),
        below[MOLLER] + share * (above[MOLLER] - below[MOLLER]),
        below[BREMS] + share * (above[BREMS] - below[BREMS]),
        below[K1] + share * (above[K1] - below[K1]),
        below[SCREENING] + share * (above[SCREENING] - below[SCREENING]),
        below[CSDA] + share * (above[CSDA] - below[CSDA]),
    )


@compiled()
def node_where(ladder, medium, field, value, start):  # type: ignore[no-untyped-def]
    """Node at which a rising field takes a value, searched downward from ``start``; 0 where it never does."""
    low = int(start)
    while low > 0 and ladder[medium, low, field] > value:
        low -= 1
    below = ladder[medium, low, field]
    rise = ladder[medium, low + 1, field] - below
    if rise <= 0.0:
        return float(low)
    return min(max(low + (value - below) / rise, 0.0), start)


@inlined()
def node_of_energy(energy, tables):  # type: ignore[no-untyped-def]
    """Ladder node of an energy above the cut, consistent with linear interpolation of the energies."""
    low = int(math.log(energy / tables.cut_kev) * NODES_PER_E_FOLD)
    low = min(max(low, 0), tables.ladder.shape[1] - 2)
    if energy < tables.ladder[0, low, ENERGY] and low > 0:
        low -= 1
    elif energy >= tables.ladder[0, low + 1, ENERGY] and low < tables.ladder.shape[1] - 2:
        low += 1
    below = tables.ladder[0, low, ENERGY]
    return low + (energy - below) / (tables.ladder[0, low + 1, ENERGY] - below)


@compiled()
def transport_electron(energy, particle, brems_left, tables, angles, scene, score, stack, count, rng):  # type: ignore[no-untyped-def]
    """Follow one electron until it stops or leaves; its secondaries go on the stack. Returns the stack's new count.

    brems_left: expected bremsstrahlung photons until the first one comes, drawn from exp(−n).
    """
    ladder, part = tables.ladder, particle.part
    spot, u, v, w = spot_of(particle, scene), particle.u, particle.v, particle.w
    if energy <= tables.cut_kev:
        book(score, part, shell_or_voxel(spot, scene), energy * particle.weight)
        return count
    node = node_of_energy(energy, tables)
    medium = int(scene.medium[spot.cell])
    here = rung_at(ladder, medium, node)
    moller_left = -math.log(uniform(rng))
    kept, row = 0.0, 0  # kept: lost in this voxel and not booked yet
    while True:
        density = max(float(scene.density[spot.cell]), LEAST_DENSITY)
        wall = nearest_wall(spot, scene) * density
        if here.csda < wall and here.brems < brems_left:
            break
        end, what = max(node - tables.step_nodes, 0.0), 0
        there = rung_at(ladder, medium, end)
        if _comes_sooner(here, there, moller_left, brems_left, density, scene):
            end, what = _sooner_end(ladder, medium, node, end, here, moller_left, brems_left, density, scene)
            there = rung_at(ladder, medium, end)
        moller_left -= here.moller - there.moller
        brems_left -= here.brems - there.brems
        path, loss = here.path - there.path, energy - there.energy
        first = uniform(rng)
        bend, row = deflection(here.k1 - there.k1, there.screening, angles, row, rng)
        azimuth = uniform(rng)
        if path < wall:
            spot, u, v, w = _bent_within(spot, u, v, w, path / density, first, bend, azimuth)
            kept += loss
        else:
            book(score, part, spot.cell, kept * particle.weight)
            kept = 0.0
            now = (path, first, bend, azimuth, loss * particle.weight, there.energy * particle.weight, part)
            inside, spot, u, v, w = _bent_across(spot, u, v, w, now, scene, score, rng)
            if not inside:
                return count
            medium = int(scene.medium[spot.cell])
            there = rung_at(ladder, medium, end)
        node, energy, here = end, there.energy, there
        if what != 0:
            energy, u, v, w, count = _collide(
                what, energy, spot, (u, v, w, particle.weight, part), tables, scene, stack, count, rng
            )
            if what == ELECTRON_KIND:
                moller_left = -math.log(uniform(rng))
            else:
                brems_left = -math.log(uniform(rng))
            if energy > tables.cut_kev:
                node = node_of_energy(energy, tables)
                here = rung_at(ladder, medium, node)
        if energy <= tables.cut_kev or node <= 0.0:
            break
    book(score, part, shell_or_voxel(spot, scene), (kept + energy) * particle.weight)
    return count


@inlined()
def _bent_within(spot, u, v, w, length, first, bend, azimuth):  # type: ignore[no-untyped-def]
    """A step that stays in its voxel: (spot, direction)."""
    one = length * first
    x, y, z = spot.x + one * u, spot.y + one * v, spot.z + one * w
    u, v, w = turned(u, v, w, bend, azimuth)
    one = length - one
    return Spot(x + one * u, y + one * v, z + one * w, spot.i, spot.j, spot.k, spot.cell), u, v, w


@inlined()
def _bent_across(spot, u, v, w, step, scene, score, rng):  # type: ignore[no-untyped-def]
    """A step that may cross walls: (still inside, spot, direction). All energy is booked where the electron leaves.

    step: path, its share before the bend, the bend and its azimuth; lost and remaining energy by weight; part.
    """
    path, first, bend, azimuth, lost, remaining, part = step
    inside, spot = moved_losing(spot, u, v, w, path * first, lost * first, part, scene, score, rng)
    if not inside:
        book(score, part, scene.n_cells, remaining + lost * (1.0 - first))
        return inside, spot, u, v, w
    u, v, w = turned(u, v, w, bend, azimuth)
    rest = 1.0 - first
    inside, spot = moved_losing(spot, u, v, w, path * rest, lost * rest, part, scene, score, rng)
    if not inside:
        book(score, part, scene.n_cells, remaining)
    return inside, spot, u, v, w


@inlined()
def _collide(what, energy, spot, motion, tables, scene, stack, count, rng):  # type: ignore[no-untyped-def]
    """A hard collision; motion: direction, weight, part. Returns energy, direction, and the stack's count."""
    x, y, z = place_of(spot, scene)
    u, v, w, weight, part = motion
    now = Particle(x, y, z, u, v, w, weight, part)
    if what == ELECTRON_KIND:
        return _moller(energy, now, tables, stack, count, rng)
    energy, count = _brems(energy, now, int(scene.medium[spot.cell]), tables, stack, count, rng)
    return energy, u, v, w, count


@inlined()
def _longest_path(density, scene):  # type: ignore[no-untyped-def]
    """The path [g/cm²] that a step may have: half a voxel, free in gas and in shells."""
    if scene.kind == SHELLS or density < GAS_DENSITY:
        return np.inf
    return 0.5 * min(scene.dx, scene.dy, scene.dz) * density


@inlined()
def _comes_sooner(here, there, moller_left, brems_left, density, scene):  # type: ignore[no-untyped-def]
    """Whether a hard collision or half a voxel ends the step before ``there``."""
    return (
        here.moller - there.moller >= moller_left
        or here.brems - there.brems >= brems_left
        or here.path - there.path > _longest_path(density, scene)
    )


@compiled()
def _sooner_end(ladder, medium, node, end, here, moller_left, brems_left, density, scene):  # type: ignore[no-untyped-def]
    """Where the step ends, at half a voxel or at a hard collision, whichever comes first; the collision's kind or 0."""
    what = 0
    end = max(end, node_where(ladder, medium, PATH, here.path - _longest_path(density, scene), node))
    if here.moller - on_ladder(ladder, medium, end, MOLLER) >= moller_left:
        end = node_where(ladder, medium, MOLLER, here.moller - moller_left, node)
        what = ELECTRON_KIND
    if here.brems - on_ladder(ladder, medium, end, BREMS) >= brems_left:
        end = node_where(ladder, medium, BREMS, here.brems - brems_left, node)
        what = PHOTON_KIND
    return end, what


@compiled()
def _moller(energy, particle, tables, stack, count, rng):  # type: ignore[no-untyped-def]
    """Transfer more than the cut to an electron at rest. Returns the primary's energy and direction, and the count."""
    u, v, w = particle.u, particle.v, particle.w
    least = tables.cut_kev / energy
    if least >= 0.5:
        return energy, u, v, w, count
    tau = energy / ELECTRON_REST_KEV
    square = (tau / (tau + 1.0)) ** 2
    mixed = (2.0 * tau + 1.0) / (tau + 1.0) ** 2
    while True:
        eps = least / (1.0 - uniform(rng) * (1.0 - 2.0 * least))
        keep = 1.0 + (eps / (1.0 - eps)) ** 2 + square * eps * eps - mixed * eps / (1.0 - eps)
        if uniform(rng) * (2.0 + 0.25 * square) < keep:
            break
    loss = eps * energy
    left = energy - loss
    twice = 2.0 * ELECTRON_REST_KEV
    cosine = math.sqrt(left * (energy + twice) / (energy * (left + twice)))
    cosine_secondary = math.sqrt(loss * (energy + twice) / (energy * (loss + twice)))
    azimuth = uniform(rng)
    count = push(stack, count, ELECTRON_KIND, loss, redirected(particle, 1.0 - cosine_secondary, azimuth + 0.5))
    u, v, w = turned(u, v, w, 1.0 - cosine, azimuth)
    return left, u, v, w, count


@compiled()
def _brems(energy, particle, medium, tables, stack, count, rng):  # type: ignore[no-untyped-def]
    """Emit a photon above the photon cut; the electron keeps its direction. Returns its energy and the count.

    The photon goes on as several of its energy with shares of its weight, which costs no exactness of the balance.
    """
    n_energies, n_fractions = tables.brems_spectrum.shape[1], tables.brems_spectrum.shape[2]
    row = int(math.log(energy / tables.cut_kev) * tables.brems_rows_per_log + uniform(rng))
    row = min(max(row, 0), n_energies - 1)
    width = math.log(energy / tables.photon_cut_kev)
    while True:
        fraction = math.exp(-uniform(rng) * width)
        at = fraction * (n_fractions - 1)
        low = min(int(at), n_fractions - 2)
        near = tables.brems_spectrum[medium, row, low]
        keep = near + (at - low) * (tables.brems_spectrum[medium, row, low + 1] - near)
        if uniform(rng) < keep:
            break
    photon = fraction * energy
    beta = math.sqrt(energy * (energy + 2.0 * ELECTRON_REST_KEV)) / (energy + ELECTRON_REST_KEV)
    # (1 − β cos θ)⁻² about the electron: the classical dipole, forward when fast
    draw = 2.0 * uniform(rng) - 1.0
    cosine = (draw + beta) / (draw * beta + 1.0)
    weight = particle.weight / tables.bremsstrahlung_copies
    part = BREMSSTRAHLUNG if particle.part == ELECTRON else particle.part
    for _ in range(tables.bremsstrahlung_copies):
        u, v, w = turned(particle.u, particle.v, particle.w, 1.0 - cosine, uniform(rng))
        one = Particle(particle.x, particle.y, particle.z, u, v, w, weight, part)
        count = push(stack, count, PHOTON_KIND, photon, one)
    return energy - photon, count
