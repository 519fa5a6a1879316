"""One electron from birth to rest: condensed history between Møller collisions and bremsstrahlung.

Between hard collisions the energy slides down the ladder; each step bends once, at a random point of it (random hinge,
Baró et al. 1995), by an angle with the exact distribution of its elastic collisions. Hard collisions happen at an
energy drawn from their cumulative number, so that no cross section is taken constant along a step.
"""

from __future__ import annotations

import numpy as np

from RPTDosimetryLib.physics.klein_nishina import ELECTRON_REST_KEV
from RPTDosimetryLib.transport.compiled import compiled, inlined
from RPTDosimetryLib.transport.multiple_scattering import deflection
from RPTDosimetryLib.transport.particle_moves import (
    BREMSSTRAHLUNG,
    ELECTRON,
    PART,
    SHELLS,
    WEIGHT,
    cell_of,
    deposit,
    lose,
    medium_at,
    move_losing,
    path_to_nearest_wall,
    turn,
    turned,
)
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, PHOTON_KIND, push
from RPTDosimetryLib.transport.random_numbers import uniform
from RPTDosimetryLib.transport.transport_tables import (
    BREMS,
    CSDA,
    ENERGY,
    K1,
    MOLLER,
    NODES_PER_E_FOLD,
    PATH,
    SCREENING,
)


@inlined()
def on_ladder(ladder, medium, node, field):  # type: ignore[no-untyped-def]
    """Linear interpolation between ladder nodes; node must be below the last."""
    low = int(node)
    below = ladder[medium, low, field]
    return below + (node - low) * (ladder[medium, low + 1, field] - below)


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
    low = int(np.log(energy / tables.cut_kev) * NODES_PER_E_FOLD)
    low = min(max(low, 0), tables.ladder.shape[1] - 2)
    if energy < tables.ladder[0, low, ENERGY] and low > 0:
        low -= 1
    elif energy >= tables.ladder[0, low + 1, ENERGY] and low < tables.ladder.shape[1] - 2:
        low += 1
    below = tables.ladder[0, low, ENERGY]
    return low + (energy - below) / (tables.ladder[0, low + 1, ENERGY] - below)


@compiled()
def transport_electron(energy, particle, tables, angles, scene, score, stack, count, rng):  # type: ignore[no-untyped-def]
    """Follow one electron until it stops or leaves; its secondaries go on the stack. Returns the stack's new count."""
    if energy <= tables.cut_kev:
        deposit(particle, energy, scene, score)
        return count
    ladder = tables.ladder
    node = node_of_energy(energy, tables)
    medium = medium_at(particle, scene)
    moller_left = -np.log(uniform(rng))
    brems_left = -np.log(uniform(rng))
    while True:
        if (
            scene.kind != SHELLS
            and on_ladder(ladder, medium, node, BREMS) < brems_left
            and on_ladder(ladder, medium, node, CSDA) < path_to_nearest_wall(particle, scene)
        ):
            deposit(particle, energy, scene, score)
            return count
        end = max(node - tables.step_nodes, 0.0)
        if scene.kind != SHELLS:
            end = max(end, _end_within_half_a_voxel(ladder, medium, node, end, particle, scene))
        end, what, moller_left, brems_left = _next_event(ladder, medium, node, end, moller_left, brems_left)
        after = on_ladder(ladder, medium, end, ENERGY)
        if not _step(node, end, energy, after, medium, particle, ladder, angles, scene, score, rng):
            return count
        node, energy = end, after
        if what == ELECTRON_KIND:
            energy, count = _moller(energy, particle, tables, stack, count, rng)
            moller_left = -np.log(uniform(rng))
        elif what == PHOTON_KIND:
            energy, count = _brems(energy, particle, medium, tables, stack, count, rng)
            brems_left = -np.log(uniform(rng))
        if energy <= tables.cut_kev or node <= 0.0:
            deposit(particle, energy, scene, score)
            return count
        if what != 0:
            node = node_of_energy(energy, tables)
        medium = medium_at(particle, scene)


@inlined()
def _next_event(ladder, medium, node, end, moller_left, brems_left):  # type: ignore[no-untyped-def]
    """Where the step ends: at a hard collision if one comes before ``end``; its kind; what is left to the next ones."""
    moller_now = on_ladder(ladder, medium, node, MOLLER)
    brems_now = on_ladder(ladder, medium, node, BREMS)
    what = 0
    if moller_now - on_ladder(ladder, medium, end, MOLLER) >= moller_left:
        end = node_where(ladder, medium, MOLLER, moller_now - moller_left, node)
        what = ELECTRON_KIND
    if brems_now - on_ladder(ladder, medium, end, BREMS) >= brems_left:
        end = node_where(ladder, medium, BREMS, brems_now - brems_left, node)
        what = PHOTON_KIND
    moller_left -= moller_now - on_ladder(ladder, medium, end, MOLLER)
    return end, what, moller_left, brems_left - (brems_now - on_ladder(ladder, medium, end, BREMS))


@inlined()
def _end_within_half_a_voxel(ladder, medium, node, end, particle, scene):  # type: ignore[no-untyped-def]
    """The node that a step may reach at most, so that it is not longer than half a voxel; free in air."""
    density = scene.density[cell_of(particle[0], particle[1], particle[2], scene)]
    if density < 0.05:
        return end
    now = on_ladder(ladder, medium, node, PATH)
    longest = 0.5 * min(scene.dx, scene.dy, scene.dz) * density
    if now - on_ladder(ladder, medium, end, PATH) <= longest:
        return end
    return node_where(ladder, medium, PATH, now - longest, node)


@inlined()
def _step(start, end, before, after, medium, particle, ladder, angles, scene, score, rng):  # type: ignore[no-untyped-def]
    """Random hinge from one node to a lower one. False where the electron left; all its energy is then booked."""
    path = on_ladder(ladder, medium, start, PATH) - on_ladder(ladder, medium, end, PATH)
    loss = before - after
    first = uniform(rng)
    if not move_losing(particle, path * first, loss * first, scene, score, rng):
        lose(particle, after + loss * (1.0 - first), scene, score)
        return False
    k1 = on_ladder(ladder, medium, start, K1) - on_ladder(ladder, medium, end, K1)
    screening = on_ladder(ladder, medium, end, SCREENING)
    turn(particle, deflection(k1, screening, angles, rng), 2.0 * np.pi * uniform(rng))
    if not move_losing(particle, path * (1.0 - first), loss * (1.0 - first), scene, score, rng):
        lose(particle, after, scene, score)
        return False
    return True


@compiled()
def _moller(energy, particle, tables, stack, count, rng):  # type: ignore[no-untyped-def]
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
        if uniform(rng) * (2.0 + 0.25 * square) < keep:
            break
    loss = eps * energy
    left = energy - loss
    twice = 2.0 * ELECTRON_REST_KEV
    cosine = np.sqrt(left * (energy + twice) / (energy * (left + twice)))
    cosine_secondary = np.sqrt(loss * (energy + twice) / (energy * (loss + twice)))
    azimuth = 2.0 * np.pi * uniform(rng)
    u, v, w = turned(particle[3], particle[4], particle[5], 1.0 - cosine_secondary, azimuth + np.pi)
    turn(particle, 1.0 - cosine, azimuth)
    return left, push(stack, count, ELECTRON_KIND, loss, particle, u, v, w)


@compiled()
def _brems(energy, particle, medium, tables, stack, count, rng):  # type: ignore[no-untyped-def]
    """Emit a photon above the photon cut; the electron keeps its direction. Returns its energy and the count.

    The photon goes on as several of its energy with shares of its weight, which costs no exactness of the balance.
    """
    n_energies, n_fractions = tables.brems_spectrum.shape[1], tables.brems_spectrum.shape[2]
    row = int(np.log(energy / tables.cut_kev) * tables.brems_rows_per_log + uniform(rng))
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
    weight, part = particle[WEIGHT], particle[PART]
    particle[WEIGHT] = weight / tables.bremsstrahlung_copies
    particle[PART] = BREMSSTRAHLUNG if part == ELECTRON else part
    for _ in range(tables.bremsstrahlung_copies):
        u, v, w = turned(particle[3], particle[4], particle[5], 1.0 - cosine, 2.0 * np.pi * uniform(rng))
        count = push(stack, count, PHOTON_KIND, photon, particle, u, v, w)
    particle[WEIGHT], particle[PART] = weight, part
    return energy - photon, count
