"""One photon until it is absorbed or leaves: photoelectric effect, Compton and Rayleigh scattering."""

from __future__ import annotations

import numba
import numpy as np

from RPTDosimetryLib.physics.klein_nishina import ELECTRON_REST_KEV, KEV_ANGSTROM
from RPTDosimetryLib.transport.electron_transport import at_node, node_of_energy
from RPTDosimetryLib.transport.particle_moves import SHELLS, deposit, medium_at, outside, turn, voxel_of
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, push
from RPTDosimetryLib.transport.random_numbers import uniform


@numba.njit(cache=True)
def transport_photon(energy, place, direction, part, tables, electrons, scene, score, stack, count, rng):  # type: ignore[no-untyped-def]
    """Follow one photon; electrons it sets free are deposited at once or put on the stack. Returns the new count."""
    while energy > tables.cut_kev:
        node = min((np.log(energy) - tables.log_lowest) * tables.nodes_per_log, tables.attenuation.shape[1] - 1.001)
        if not _fly(place, direction, node, tables, scene, rng):
            score[part, score.shape[1] - 1] += energy
            return count
        medium = medium_at(place, scene)
        kind = uniform(rng)
        if kind < at_node(tables.photoelectric[medium], node):
            turn(direction, 1.0 - _sauter_cosine(energy, rng), 2.0 * np.pi * uniform(rng))
            return _release(energy, place, direction, part, medium, electrons, scene, score, stack, count)
        if kind < at_node(tables.not_coherent[medium], node):
            energy, count = _compton(
                energy, place, direction, part, medium, tables, electrons, scene, score, stack, count, rng
            )
        else:
            turn(direction, _rayleigh(energy, medium, tables, rng), 2.0 * np.pi * uniform(rng))
    deposit(place, energy, part, scene, score)
    return count


@numba.njit(cache=True)
def _fly(place, direction, node, tables, scene, rng):  # type: ignore[no-untyped-def]
    """Move to the next collision; False where the photon leaves. In voxels by Woodcock tracking."""
    if scene.kind == SHELLS:
        length = -np.log(uniform(rng)) / (at_node(tables.attenuation[0], node) * scene.density[0, 0, 0])
        for axis in range(3):
            place[axis] += length * direction[axis]
        return not outside(place, scene)
    largest = 0.0
    for medium in range(scene.largest_density.size):
        largest = max(largest, at_node(tables.attenuation[medium], node) * scene.largest_density[medium])
    density, media = scene.density.ravel(), scene.medium.ravel()
    while True:
        length = -np.log(uniform(rng)) / largest
        for axis in range(3):
            place[axis] += length * direction[axis]
        voxel = voxel_of(place, scene)
        if voxel == density.size:
            return False
        if uniform(rng) * largest < at_node(tables.attenuation[media[voxel]], node) * density[voxel]:
            return True


@numba.njit(cache=True)
def _release(energy, place, direction, part, medium, electrons, scene, score, stack, count):  # type: ignore[no-untyped-def]
    """An electron set free by a photon: deposited at once where it cannot get far, else on the stack."""
    if energy <= electrons.cut_kev or (
        at_node(electrons.csda[medium], node_of_energy(energy, electrons)) < electrons.secondary_range_cut
    ):
        deposit(place, energy, part, scene, score)
        return count
    return push(stack, count, ELECTRON_KIND, energy, place, direction, part)


@numba.njit(cache=True)
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


@numba.njit(cache=True)
def _compton(energy, place, direction, part, medium, tables, electrons, scene, score, stack, count, rng):  # type: ignore[no-untyped-def]
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
        y = (1.0 - eps) / (k * eps)
        if uniform(rng) >= 1.0 - eps / (1.0 + eps * eps) * y * (2.0 - y):
            continue
        x = np.sqrt(0.5 * y) * energy / KEV_ANGSTROM
        place_x = (np.log(max(x, 1e-6)) - tables.log_momentum_first) * tables.nodes_per_log_momentum
        if place_x <= 0.0:
            bound = tables.bound[medium, 0] * np.exp(2.0 * place_x / tables.nodes_per_log_momentum)
        else:
            bound = at_node(tables.bound[medium], place_x)
        if uniform(rng) < bound:
            break
    scattered = eps * energy
    recoil = energy - scattered
    azimuth = 2.0 * np.pi * uniform(rng)
    if recoil > electrons.cut_kev:
        momentum = np.sqrt(recoil * (recoil + 2.0 * ELECTRON_REST_KEV))
        cosine = (energy - scattered * (1.0 - y)) / momentum
        electron = direction.copy()
        turn(electron, 1.0 - min(cosine, 1.0), azimuth + np.pi)
        count = _release(recoil, place, electron, part, medium, electrons, scene, score, stack, count)
    else:
        deposit(place, recoil, part, scene, score)
    turn(direction, y, azimuth)
    return scattered, count


@numba.njit(cache=True)
def _rayleigh(energy, medium, tables, rng):  # type: ignore[no-untyped-def]
    """1 − cos θ of coherent scattering: F² in x², times (1 + cos²θ)/2."""
    largest = energy / KEV_ANGSTROM
    row = tables.rayleigh[medium]
    top = np.searchsorted(tables.momentum, largest)
    top = min(max(top, 1), row.size - 1)
    share = (largest**2 - tables.momentum[top - 1] ** 2) / (tables.momentum[top] ** 2 - tables.momentum[top - 1] ** 2)
    end = row[top - 1] + min(share, 1.0) * (row[top] - row[top - 1])
    while True:
        wanted = uniform(rng) * end
        cell = min(max(np.searchsorted(row, wanted), 1), row.size - 1)
        part = (wanted - row[cell - 1]) / (row[cell] - row[cell - 1])
        low2 = tables.momentum[cell - 1] ** 2
        x2 = low2 + part * (tables.momentum[cell] ** 2 - low2)
        y = min(2.0 * x2 / (largest * largest), 2.0)
        if 2.0 * uniform(rng) < 1.0 + (1.0 - y) ** 2:
            return y
