"""One photon until it is absorbed or leaves: photoelectric effect, Compton and Rayleigh scattering."""

from __future__ import annotations

import numpy as np

from RPTDosimetryLib.physics.klein_nishina import ELECTRON_REST_KEV, KEV_ANGSTROM
from RPTDosimetryLib.transport.compiled import compiled, inlined
from RPTDosimetryLib.transport.electron_transport import node_of_energy, on_ladder
from RPTDosimetryLib.transport.particle_moves import SHELLS, cell_of, deposit, lose, medium_at, outside, turn, turned
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, push
from RPTDosimetryLib.transport.random_numbers import uniform
from RPTDosimetryLib.transport.transport_tables import ATTENUATION, CSDA, NOT_COHERENT, PHOTOELECTRIC


@compiled()
def transport_photon(energy, particle, tables, electrons, scene, score, stack, count, rng):  # type: ignore[no-untyped-def]
    """Follow one photon; electrons it sets free are deposited at once or put on the stack. Returns the new count."""
    while energy > tables.cut_kev:
        node = min((np.log(energy) - tables.log_lowest) * tables.nodes_per_log, tables.nodes.shape[1] - 1.001)
        if not _fly(particle, node, tables, scene, rng):
            lose(particle, energy, scene, score)
            return count
        medium = medium_at(particle, scene)
        kind = uniform(rng)
        if kind < on_ladder(tables.nodes, medium, node, PHOTOELECTRIC):
            u, v, w = turned(
                particle[3], particle[4], particle[5], 1.0 - _sauter_cosine(energy, rng), 2.0 * np.pi * uniform(rng)
            )
            return _release(energy, particle, u, v, w, medium, electrons, scene, score, stack, count)
        if kind < on_ladder(tables.nodes, medium, node, NOT_COHERENT):
            energy, count = _compton(energy, particle, medium, tables, electrons, scene, score, stack, count, rng)
        else:
            turn(particle, _rayleigh(energy, medium, tables, rng), 2.0 * np.pi * uniform(rng))
    deposit(particle, energy, scene, score)
    return count


@inlined()
def _fly(particle, node, tables, scene, rng):  # type: ignore[no-untyped-def]
    """Move to the next collision; False where the photon leaves. In voxels by Woodcock tracking."""
    if scene.kind == SHELLS:
        length = -np.log(uniform(rng)) / (on_ladder(tables.nodes, 0, node, ATTENUATION) * scene.density[0])
        particle[0] += length * particle[3]
        particle[1] += length * particle[4]
        particle[2] += length * particle[5]
        return not outside(particle, scene)
    largest = 0.0
    for medium in range(scene.largest_density.size):
        largest = max(largest, on_ladder(tables.nodes, medium, node, ATTENUATION) * scene.largest_density[medium])
    while True:
        length = -np.log(uniform(rng)) / largest
        particle[0] += length * particle[3]
        particle[1] += length * particle[4]
        particle[2] += length * particle[5]
        cell = cell_of(particle[0], particle[1], particle[2], scene)
        if cell == scene.n_cells:
            return False
        here = on_ladder(tables.nodes, int(scene.medium[cell]), node, ATTENUATION) * scene.density[cell]
        if uniform(rng) * largest < here:
            return True


@inlined()
def _release(energy, particle, u, v, w, medium, electrons, scene, score, stack, count):  # type: ignore[no-untyped-def]
    """An electron set free by a photon: deposited at once where it cannot get far, else on the stack."""
    if energy > electrons.cut_kev:
        node = node_of_energy(energy, electrons)
        if on_ladder(electrons.ladder, medium, node, CSDA) > electrons.secondary_range_cut:
            return push(stack, count, ELECTRON_KIND, energy, particle, u, v, w)
    deposit(particle, energy, scene, score)
    return count


@compiled()
def _sauter_cosine(energy, rng):  # type: ignore[no-untyped-def]
    """Photoelectron direction, leading term of Sauter (1931): p(μ) ∝ (1 − μ²)/(1 − βμ)⁴."""
    beta = np.sqrt(energy * (energy + 2.0 * ELECTRON_REST_KEV)) / (energy + ELECTRON_REST_KEV)
    while True:
        draw = 2.0 * uniform(rng) - 1.0
        cosine = (draw + beta) / (draw * beta + 1.0)
        # with the dipole transform the rest of the density is (1 − μ²)/(1 − βμ)², at most 1/(1 − β²)
        keep = (1.0 - cosine * cosine) / (1.0 - beta * cosine) ** 2 * (1.0 - beta * beta)
        if uniform(rng) < keep:
            return cosine


@compiled()
def _compton(energy, particle, medium, tables, electrons, scene, score, stack, count, rng):  # type: ignore[no-untyped-def]
    """Klein–Nishina with the incoherent scattering function. Returns the photon's energy and the stack's count."""
    k = energy / ELECTRON_REST_KEV
    least = 1.0 / (1.0 + 2.0 * k)
    first = -np.log(least)
    second = 0.5 * (1.0 - least * least)
    while True:
        if uniform(rng) * (first + second) < first:
            eps = np.exp(-first * uniform(rng))
        else:
            eps = np.sqrt(least * least + (1.0 - least * least) * uniform(rng))
        y = min((1.0 - eps) / (k * eps), 2.0)
        if uniform(rng) >= 1.0 - eps / (1.0 + eps * eps) * y * (2.0 - y):
            continue
        if uniform(rng) < _bound(np.sqrt(0.5 * y) * energy / KEV_ANGSTROM, medium, tables):
            break
    scattered = eps * energy
    recoil = energy - scattered
    azimuth = 2.0 * np.pi * uniform(rng)
    if recoil > electrons.cut_kev:
        momentum = np.sqrt(recoil * (recoil + 2.0 * ELECTRON_REST_KEV))
        cosine = min((energy - scattered * (1.0 - y)) / momentum, 1.0)
        u, v, w = turned(particle[3], particle[4], particle[5], 1.0 - cosine, azimuth + np.pi)
        count = _release(recoil, particle, u, v, w, medium, electrons, scene, score, stack, count)
    else:
        deposit(particle, recoil, scene, score)
    turn(particle, y, azimuth)
    return scattered, count


@inlined()
def _bound(x, medium, tables):  # type: ignore[no-untyped-def]
    """S(x)/Z of the medium; proportional to x² below the first node."""
    at = (np.log(max(x, 1e-9)) - tables.log_momentum_first) * tables.nodes_per_log_momentum
    if at <= 0.0:
        return tables.bound[medium, 0] * np.exp(2.0 * at / tables.nodes_per_log_momentum)
    low = int(at)
    if low >= tables.bound.shape[1] - 1:
        return 1.0
    below = tables.bound[medium, low]
    return below + (at - low) * (tables.bound[medium, low + 1] - below)


@compiled()
def _rayleigh(energy, medium, tables, rng):  # type: ignore[no-untyped-def]
    """1 − cos θ of coherent scattering: F² in x², times (1 + cos²θ)/2."""
    largest2 = (energy / KEV_ANGSTROM) ** 2
    top = _cell_above(tables.momentum2, 0, largest2)
    share = (largest2 - tables.momentum2[0, top - 1]) / (tables.momentum2[0, top] - tables.momentum2[0, top - 1])
    end = tables.rayleigh[medium, top - 1]
    end += min(share, 1.0) * (tables.rayleigh[medium, top] - tables.rayleigh[medium, top - 1])
    while True:
        wanted = uniform(rng) * end
        cell = _cell_above(tables.rayleigh, medium, wanted)
        below = tables.rayleigh[medium, cell - 1]
        part = (wanted - below) / (tables.rayleigh[medium, cell] - below)
        low2 = tables.momentum2[0, cell - 1]
        y = min(2.0 * (low2 + part * (tables.momentum2[0, cell] - low2)) / largest2, 2.0)
        if 2.0 * uniform(rng) < 1.0 + (1.0 - y) ** 2:
            return y


@compiled()
def _cell_above(table, row, value):  # type: ignore[no-untyped-def]
    """First column, from 1, whose entry is not below a value (bisection in a rising row)."""
    low, high = 0, table.shape[1] - 1
    while high - low > 1:
        middle = (low + high) // 2
        if table[row, middle] < value:
            low = middle
        else:
            high = middle
    return high
