"""One electron from birth to rest: condensed history between Møller collisions and bremsstrahlung.

Between hard collisions the energy slides down the ladder; each step bends once, at a random point of it (random hinge,
Baró et al. 1995), by an angle with the exact distribution of its elastic collisions. Hard collisions happen at an
energy drawn from their cumulative number, so that no cross section is taken constant along a step.
"""

from __future__ import annotations

import numpy as np

from RPTDosimetryLib.physics.klein_nishina import ELECTRON_REST_KEV
from RPTDosimetryLib.transport.compiled import compiled
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


@compiled()
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


@compiled()
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
def transport_electron(energy, place, part, tables, angles, scene, score, stack, count, rng):  # type: ignore[no-untyped-def]
    """Follow one electron until it stops or leaves; its secondaries go on the stack. Returns the stack's new count."""
    if energy <= tables.cut_kev:
        deposit(place, energy, part, scene, score)
        return count
    ladder = tables.ladder
    node = node_of_energy(energy, tables)
    medium = medium_at(place, scene)
    moller_left = -np.log(uniform(rng))
    brems_left = -np.log(uniform(rng))
    while True:
        moller_now = on_ladder(ladder, medium, node, MOLLER)
        brems_now = on_ladder(ladder, medium, node, BREMS)
        if (
            scene.kind != SHELLS
            and brems_now < brems_left
            and on_ladder(ladder, medium, node, CSDA) < path_to_nearest_wall(place, scene)
        ):
            deposit(place, energy, part, scene, score)
            return count
        end = max(node - tables.step_nodes, 0.0)
        what = 0
        moller_passed = moller_now - on_ladder(ladder, medium, end, MOLLER)
        brems_passed = brems_now - on_ladder(ladder, medium, end, BREMS)
        if moller_passed >= moller_left or brems_passed >= brems_left:
            if moller_passed >= moller_left:
                end = node_where(ladder, medium, MOLLER, moller_now - moller_left, node)
                what = ELECTRON_KIND
            if brems_passed >= brems_left:
                end_brems = node_where(ladder, medium, BREMS, brems_now - brems_left, node)
                if end_brems > end:
                    end = end_brems
                    what = PHOTON_KIND
            moller_passed = moller_now - on_ladder(ladder, medium, end, MOLLER)
            brems_passed = brems_now - on_ladder(ladder, medium, end, BREMS)
        moller_left -= moller_passed
        brems_left -= brems_passed
        after = on_ladder(ladder, medium, end, ENERGY)
        if not _step(node, end, energy, after, medium, place, part, ladder, angles, scene, score, rng):
            return count
        node, energy = end, after
        if what == ELECTRON_KIND:
            energy, count = _moller(energy, place, part, tables, stack, count, rng)
            moller_left = -np.log(uniform(rng))
        elif what == PHOTON_KIND:
            energy, count = _brems(energy, place, part, medium, tables, stack, count, rng)
            brems_left = -np.log(uniform(rng))
        if energy <= tables.cut_kev or node <= 0.0:
            deposit(place, energy, part, scene, score)
            return count
        if what != 0:
            node = node_of_energy(energy, tables)
        medium = medium_at(place, scene)


@compiled()
def _step(start, end, before, after, medium, place, part, ladder, angles, scene, score, rng):  # type: ignore[no-untyped-def]
    """Random hinge from one node to a lower one. False where the electron left; all its energy is then booked."""
    path = on_ladder(ladder, medium, start, PATH) - on_ladder(ladder, medium, end, PATH)
    loss = before - after
    first = uniform(rng)
    if not move_losing(place, path * first, loss * first, part, scene, score, rng):
        score[part, scene.n_cells] += after + loss * (1.0 - first)
        return False
    k1 = on_ladder(ladder, medium, start, K1) - on_ladder(ladder, medium, end, K1)
    screening = on_ladder(ladder, medium, end, SCREENING)
    turn(place, deflection(k1, screening, angles, rng), 2.0 * np.pi * uniform(rng))
    if not move_losing(place, path * (1.0 - first), loss * (1.0 - first), part, scene, score, rng):
        score[part, scene.n_cells] += after
        return False
    return True


@compiled()
def _moller(energy, place, part, tables, stack, count, rng):  # type: ignore[no-untyped-def]
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
    u, v, w = turned(place[3], place[4], place[5], 1.0 - cosine_secondary, azimuth + np.pi)
    turn(place, 1.0 - cosine, azimuth)
    return left, push(stack, count, ELECTRON_KIND, loss, part, place, u, v, w)


@compiled()
def _brems(energy, place, part, medium, tables, stack, count, rng):  # type: ignore[no-untyped-def]
    """Emit a photon above the photon cut; the electron keeps its direction. Returns its energy and the count."""
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
    u, v, w = turned(place[3], place[4], place[5], 1.0 - cosine, 2.0 * np.pi * uniform(rng))
    to = BREMSSTRAHLUNG if part == ELECTRON else part
    return energy - photon, push(stack, count, PHOTON_KIND, photon, to, place, u, v, w)
