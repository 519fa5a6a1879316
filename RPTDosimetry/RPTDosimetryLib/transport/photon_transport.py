"""One photon until it is absorbed or leaves: photoelectric effect, Compton and Rayleigh scattering."""

from __future__ import annotations

import math

from RPTDosimetryLib.physics.klein_nishina import ELECTRON_REST_KEV, KEV_ANGSTROM
from RPTDosimetryLib.transport.angles import redirected
from RPTDosimetryLib.transport.compiled import compiled, inlined
from RPTDosimetryLib.transport.electron_transport import node_of_energy, on_ladder
from RPTDosimetryLib.transport.particle_moves import SHELLS, cell_of
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, Particle, push
from RPTDosimetryLib.transport.random_numbers import uniform
from RPTDosimetryLib.transport.scoring import book
from RPTDosimetryLib.transport.transport_tables import ATTENUATION, CSDA, NOT_COHERENT, PHOTOELECTRIC


@compiled()
def transport_photon(energy, particle, tables, electrons, scene, score, stack, count, rng):  # type: ignore[no-untyped-def]
    """Follow one photon; electrons it sets free are deposited at once or put on the stack. Returns the new count."""
    cell = cell_of(particle.x, particle.y, particle.z, scene)
    while energy > tables.cut_kev:
        node = min((math.log(energy) - tables.log_lowest) * tables.nodes_per_log, tables.nodes.shape[1] - 1.001)
        particle, cell = _flown(particle, node, tables, scene, rng)
        if cell == scene.n_cells:
            break
        medium = 0 if scene.kind == SHELLS else int(scene.medium[cell])
        kind = uniform(rng)
        if kind < on_ladder(tables.nodes, medium, node, PHOTOELECTRIC):
            if _goes_far(energy, medium, electrons):
                electron = redirected(particle, 1.0 - _sauter_cosine(energy, rng), uniform(rng))
                return push(stack, count, ELECTRON_KIND, energy, electron)
            break
        if kind < on_ladder(tables.nodes, medium, node, NOT_COHERENT):
            scattered, y = _compton(energy, medium, tables, rng)
            recoil, azimuth = energy - scattered, uniform(rng)
            if _goes_far(recoil, medium, electrons):
                momentum = math.sqrt(recoil * (recoil + 2.0 * ELECTRON_REST_KEV))
                cosine = min((energy - scattered * (1.0 - y)) / momentum, 1.0)
                electron = redirected(particle, 1.0 - cosine, azimuth + 0.5)
                count = push(stack, count, ELECTRON_KIND, recoil, electron)
            else:
                book(score, particle.part, cell, recoil * particle.weight)
            energy = scattered
            particle = redirected(particle, y, azimuth)
        else:
            particle = redirected(particle, _rayleigh(energy, medium, tables, rng), uniform(rng))
    book(score, particle.part, cell, energy * particle.weight)
    return count


@inlined()
def _flown(particle, node, tables, scene, rng):  # type: ignore[no-untyped-def]
    """(particle at its next collision, cell there); n_cells where it leaves. In voxels by Woodcock tracking."""
    x, y, z = particle.x, particle.y, particle.z
    if scene.kind == SHELLS:
        largest = on_ladder(tables.nodes, 0, node, ATTENUATION) * scene.density[0]
    else:
        low = int(node)
        largest = scene.largest_attenuation[low]
        largest += (node - low) * (scene.largest_attenuation[low + 1] - largest)
    mean_free_path = 1.0 / largest
    while True:
        length = -math.log(uniform(rng)) * mean_free_path
        x, y, z = x + length * particle.u, y + length * particle.v, z + length * particle.w
        cell = cell_of(x, y, z, scene)
        if cell == scene.n_cells or scene.kind == SHELLS:
            break
        here = on_ladder(tables.nodes, int(scene.medium[cell]), node, ATTENUATION) * scene.density[cell]
        if uniform(rng) * largest < here:
            break
    return Particle(x, y, z, particle.u, particle.v, particle.w, particle.weight, particle.part), cell


@inlined()
def _goes_far(energy, medium, electrons):  # type: ignore[no-untyped-def]
    """Whether an electron set free by a photon is followed; else it stays where it is."""
    if energy <= electrons.cut_kev:
        return False
    return on_ladder(electrons.ladder, medium, node_of_energy(energy, electrons), CSDA) > electrons.secondary_range_cut


@compiled()
def _sauter_cosine(energy, rng):  # type: ignore[no-untyped-def]
    """Photoelectron direction, leading term of Sauter (1931): p(μ) ∝ (1 − μ²)/(1 − βμ)⁴."""
    beta = math.sqrt(energy * (energy + 2.0 * ELECTRON_REST_KEV)) / (energy + ELECTRON_REST_KEV)
    while True:
        draw = 2.0 * uniform(rng) - 1.0
        cosine = (draw + beta) / (draw * beta + 1.0)
        # with the dipole transform the rest of the density is (1 − μ²)/(1 − βμ)², at most 1/(1 − β²)
        keep = (1.0 - cosine * cosine) / (1.0 - beta * cosine) ** 2 * (1.0 - beta * beta)
        if uniform(rng) < keep:
            return cosine


@compiled()
def _compton(energy, medium, tables, rng):  # type: ignore[no-untyped-def]
    """Klein–Nishina with the incoherent scattering function: the photon's new energy, and 1 − cos θ."""
    k = energy / ELECTRON_REST_KEV
    least = 1.0 / (1.0 + 2.0 * k)
    first = -math.log(least)
    second = 0.5 * (1.0 - least * least)
    while True:
        if uniform(rng) * (first + second) < first:
            eps = math.exp(-first * uniform(rng))
        else:
            eps = math.sqrt(least * least + (1.0 - least * least) * uniform(rng))
        y = min((1.0 - eps) / (k * eps), 2.0)
        if uniform(rng) >= 1.0 - eps / (1.0 + eps * eps) * y * (2.0 - y):
            continue
        if uniform(rng) < _bound(math.sqrt(0.5 * y) * energy / KEV_ANGSTROM, medium, tables):
            return eps * energy, y


@inlined()
def _bound(x, medium, tables):  # type: ignore[no-untyped-def]
    """S(x)/Z of the medium; proportional to x² below the first node."""
    at = (math.log(max(x, 1e-9)) - tables.log_momentum_first) * tables.nodes_per_log_momentum
    if at <= 0.0:
        return tables.bound[medium, 0] * math.exp(2.0 * at / tables.nodes_per_log_momentum)
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
