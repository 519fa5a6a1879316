"""Where energy is scored and how particles move: an endless uniform medium with radial shells, or a grid of voxels.

The transport knows neither; it calls these few functions. Lengths in cm, paths in g/cm².
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.transport.random_numbers import uniform

#: Rows of the score: who started the particle that deposits.
ELECTRON, PHOTON, BREMSSTRAHLUNG = 0, 1, 2
N_PARTS: Final = 3
SHELLS: Final = 0
VOXELS: Final = 1


class Scene(NamedTuple):
    """Geometry. kind SHELLS: density[0,0,0] and medium[0,0,0] everywhere, shells around the origin with
    log-spaced edges: r = 0, first, first·ratio, …; kind VOXELS: corner at the origin, spacing (x, y, z).
    """

    kind: int
    density: NDArray[np.float32]  # (z, y, x) g/cm3
    medium: NDArray[np.uint8]
    spacing_cm: NDArray[np.float64]
    first_radius_cm: float
    shells_per_log: float
    n_shells: int
    largest_density: NDArray[np.float64]  # (media) for Woodcock tracking


@numba.njit(cache=True)
def shell_of(radius2, scene):  # type: ignore[no-untyped-def]
    """Index of the shell that holds a squared radius; n_shells beyond the last."""
    first2 = scene.first_radius_cm * scene.first_radius_cm
    if radius2 < first2:
        return 0
    return min(int(0.5 * np.log(radius2 / first2) * scene.shells_per_log) + 1, scene.n_shells)


@numba.njit(cache=True)
def deposit(place, energy, part, scene, score):  # type: ignore[no-untyped-def]
    """Book energy [keV] at a place (x, y, z); the last column of the score is what left the scene."""
    if scene.kind == SHELLS:
        r2 = place[0] * place[0] + place[1] * place[1] + place[2] * place[2]
        score[part, shell_of(r2, scene)] += energy
        return
    score[part, voxel_of(place, scene)] += energy


@numba.njit(cache=True)
def voxel_of(place, scene):  # type: ignore[no-untyped-def]
    """Flat index (z, y, x) of the voxel at a place, the number of voxels outside."""
    nk, nj, ni = scene.density.shape
    i = int(np.floor(place[0] / scene.spacing_cm[0]))
    j = int(np.floor(place[1] / scene.spacing_cm[1]))
    k = int(np.floor(place[2] / scene.spacing_cm[2]))
    if i < 0 or j < 0 or k < 0 or i >= ni or j >= nj or k >= nk:
        return nk * nj * ni
    return (k * nj + j) * ni + i


@numba.njit(cache=True)
def outside(place, scene):  # type: ignore[no-untyped-def]
    """True once a particle cannot come back."""
    if scene.kind == SHELLS:
        r2 = place[0] * place[0] + place[1] * place[1] + place[2] * place[2]
        return shell_of(r2, scene) == scene.n_shells
    return voxel_of(place, scene) == scene.density.size


@numba.njit(cache=True)
def medium_at(place, scene):  # type: ignore[no-untyped-def]
    """Index of the medium at a place inside the scene."""
    if scene.kind == SHELLS:
        return 0
    return scene.medium.ravel()[voxel_of(place, scene)]


@numba.njit(cache=True)
def move_losing(place, direction, path, energy, part, scene, score, rng):  # type: ignore[no-untyped-def]
    """Move along a straight line by a path [g/cm²], spreading an energy evenly over it. False once outside."""
    if scene.kind == VOXELS:
        return _move_through_voxels(place, direction, path, energy, part, scene, score)
    length = path / scene.density[0, 0, 0]
    at = uniform(rng) * length
    x = place[0] + at * direction[0]
    y = place[1] + at * direction[1]
    z = place[2] + at * direction[2]
    score[part, shell_of(x * x + y * y + z * z, scene)] += energy
    for axis in range(3):
        place[axis] += length * direction[axis]
    return not outside(place, scene)


@numba.njit(cache=True)
def _move_through_voxels(place, direction, path, energy, part, scene, score):  # type: ignore[no-untyped-def]
    """Voxel by voxel (Amanatides and Woo 1987), each taking its share of the path in g/cm²."""
    nk, nj, ni = scene.density.shape
    index = np.empty(3, np.int64)
    step = np.empty(3, np.int64)
    to_wall = np.empty(3)
    across = np.empty(3)
    for axis in range(3):
        spacing = scene.spacing_cm[axis]
        index[axis] = int(np.floor(place[axis] / spacing))
        if direction[axis] > 1e-12:
            step[axis] = 1
            to_wall[axis] = ((index[axis] + 1) * spacing - place[axis]) / direction[axis]
            across[axis] = spacing / direction[axis]
        elif direction[axis] < -1e-12:
            step[axis] = -1
            to_wall[axis] = (index[axis] * spacing - place[axis]) / direction[axis]
            across[axis] = -spacing / direction[axis]
        else:
            step[axis] = 0
            to_wall[axis] = np.inf
            across[axis] = np.inf
    left = path
    gone = 0.0
    per_path = energy / path if path > 0.0 else 0.0
    while True:
        i, j, k = index[0], index[1], index[2]
        if i < 0 or j < 0 or k < 0 or i >= ni or j >= nj or k >= nk:
            score[part, scene.density.size] += left * per_path
            for axis in range(3):
                place[axis] += (gone + 1e-6) * direction[axis]
            return False
        density = scene.density[k, j, i]
        axis = 0
        if to_wall[1] < to_wall[axis]:
            axis = 1
        if to_wall[2] < to_wall[axis]:
            axis = 2
        mass = max(to_wall[axis] - gone, 0.0) * density
        if mass >= left:
            score[part, (k * nj + j) * ni + i] += left * per_path
            gone += left / density
            for a in range(3):
                place[a] += gone * direction[a]
            return True
        score[part, (k * nj + j) * ni + i] += mass * per_path
        left -= mass
        gone = to_wall[axis]
        to_wall[axis] += across[axis]
        index[axis] += step[axis]


@numba.njit(cache=True)
def path_to_nearest_wall(place, scene):  # type: ignore[no-untyped-def]
    """Path [g/cm²] to the nearest wall of the voxel that holds the place; 0 in shells, where nothing is rejected."""
    if scene.kind == SHELLS:
        return 0.0
    nearest = np.inf
    for axis in range(3):
        spacing = scene.spacing_cm[axis]
        inside = place[axis] - np.floor(place[axis] / spacing) * spacing
        nearest = min(nearest, inside, spacing - inside)
    return nearest * scene.density.ravel()[voxel_of(place, scene)]


@numba.njit(cache=True)
def turn(direction, one_minus_mu, azimuth):  # type: ignore[no-untyped-def]
    """Rotate a unit vector by the polar angle with 1 − cos θ given, about a given azimuth."""
    mu = 1.0 - one_minus_mu
    sine = np.sqrt(max(one_minus_mu * (2.0 - one_minus_mu), 0.0))
    u, v, w = direction[0], direction[1], direction[2]
    cos_a, sin_a = np.cos(azimuth), np.sin(azimuth)
    across2 = u * u + v * v
    if across2 < 1e-18:
        sign = 1.0 if w > 0 else -1.0
        direction[0], direction[1], direction[2] = sine * cos_a, sine * sin_a, sign * mu
        return
    across = np.sqrt(across2)
    u1 = u * mu + sine * (u * w * cos_a - v * sin_a) / across
    v1 = v * mu + sine * (v * w * cos_a + u * sin_a) / across
    w1 = w * mu - sine * across * cos_a
    norm = 1.0 / np.sqrt(u1 * u1 + v1 * v1 + w1 * w1)
    direction[0], direction[1], direction[2] = u1 * norm, v1 * norm, w1 * norm


@numba.njit(cache=True)
def isotropic(direction, rng):  # type: ignore[no-untyped-def]
    """Any direction, all alike."""
    w = 2.0 * uniform(rng) - 1.0
    azimuth = 2.0 * np.pi * uniform(rng)
    sine = np.sqrt(1.0 - w * w)
    direction[0], direction[1], direction[2] = sine * np.cos(azimuth), sine * np.sin(azimuth), w
