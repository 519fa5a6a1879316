"""Where energy is scored and how particles move: an endless uniform medium with radial shells, or a grid of voxels.

The transport knows neither; it calls these few functions. Lengths in cm, paths in g/cm².
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.transport.compiled import compiled
from RPTDosimetryLib.transport.random_numbers import uniform

#: Rows of the score: who started the particle that deposits.
ELECTRON, PHOTON, BREMSSTRAHLUNG = 0, 1, 2
N_PARTS: Final = 3
SHELLS: Final = 0
VOXELS: Final = 1


class Scene(NamedTuple):
    """Geometry. kind SHELLS: density[0] and medium[0] everywhere, shells around the origin with log-spaced edges
    r = 0, first, first·ratio, …; kind VOXELS: nx·ny·nz voxels, x fastest, corner at the origin, sides in cm.

    largest_density (media): for Woodcock tracking. n_cells: shells or voxels; the score has one column more, for what
    left.
    """

    kind: int
    density: NDArray[np.float32]  # g/cm3, flat
    medium: NDArray[np.uint8]  # flat
    largest_density: NDArray[np.float64]
    n_cells: int
    nx: int
    ny: int
    nz: int
    dx: float
    dy: float
    dz: float
    first_radius2: float
    last_radius2: float
    shells_per_log2: float  # per ln of the squared radius


@compiled()
def cell_of(x, y, z, scene):  # type: ignore[no-untyped-def]
    """Index of the shell or voxel at a place; n_cells outside."""
    if scene.kind == SHELLS:
        r2 = x * x + y * y + z * z
        if r2 < scene.first_radius2:
            return 0
        if r2 >= scene.last_radius2:
            return scene.n_cells
        return min(int(np.log(r2 / scene.first_radius2) * scene.shells_per_log2) + 1, scene.n_cells - 1)
    if x < 0.0 or y < 0.0 or z < 0.0:
        return scene.n_cells
    i, j, k = int(x / scene.dx), int(y / scene.dy), int(z / scene.dz)
    if i >= scene.nx or j >= scene.ny or k >= scene.nz:
        return scene.n_cells
    return (k * scene.ny + j) * scene.nx + i


@compiled()
def deposit(place, energy, part, scene, score):  # type: ignore[no-untyped-def]
    """Book energy [keV] where a particle is; the last column of the score is what left the scene."""
    score[part, cell_of(place[0], place[1], place[2], scene)] += energy


@compiled()
def outside(place, scene):  # type: ignore[no-untyped-def]
    """True once a particle cannot come back."""
    if scene.kind == SHELLS:
        return place[0] * place[0] + place[1] * place[1] + place[2] * place[2] >= scene.last_radius2
    return cell_of(place[0], place[1], place[2], scene) == scene.n_cells


@compiled()
def medium_at(place, scene):  # type: ignore[no-untyped-def]
    """Index of the medium at a place inside the scene."""
    if scene.kind == SHELLS:
        return 0
    return int(scene.medium[cell_of(place[0], place[1], place[2], scene)])


@compiled()
def move_losing(place, path, energy, part, scene, score, rng):  # type: ignore[no-untyped-def]
    """Move straight on by a path [g/cm²], spreading an energy evenly over it. place: x, y, z and the direction.

    False once outside; all of the energy is booked either way.
    """
    if scene.kind == VOXELS:
        return _move_through_voxels(place, path, energy, part, scene, score)
    length = path / scene.density[0]
    at = uniform(rng) * length
    cell = cell_of(place[0] + at * place[3], place[1] + at * place[4], place[2] + at * place[5], scene)
    score[part, cell] += energy
    place[0] += length * place[3]
    place[1] += length * place[4]
    place[2] += length * place[5]
    return not outside(place, scene)


@compiled()
def _to_first_wall(at, along, side):  # type: ignore[no-untyped-def]
    """Index of the cell on one axis, the sense of motion, and the lengths to the first wall and between walls."""
    index = int(np.floor(at / side))
    if along > 1e-12:
        return index, 1, ((index + 1) * side - at) / along, side / along
    if along < -1e-12:
        return index, -1, (index * side - at) / along, -side / along
    return index, 0, np.inf, np.inf


@compiled()
def _move_through_voxels(place, path, energy, part, scene, score):  # type: ignore[no-untyped-def]
    """Voxel by voxel (Amanatides and Woo 1987), each taking its share of the path in g/cm²."""
    i, step_i, wall_x, across_x = _to_first_wall(place[0], place[3], scene.dx)
    j, step_j, wall_y, across_y = _to_first_wall(place[1], place[4], scene.dy)
    k, step_k, wall_z, across_z = _to_first_wall(place[2], place[5], scene.dz)
    left, gone = path, 0.0
    per_path = energy / path if path > 0.0 else 0.0
    inside = True
    while left > 0.0:
        if i < 0 or j < 0 or k < 0 or i >= scene.nx or j >= scene.ny or k >= scene.nz:
            score[part, scene.n_cells] += left * per_path
            inside = False
            gone += 1e-7
            break
        cell = (k * scene.ny + j) * scene.nx + i
        density = scene.density[cell]
        wall = min(wall_x, wall_y, wall_z)
        mass = max(wall - gone, 0.0) * density
        if mass >= left:
            score[part, cell] += left * per_path
            gone += left / density
            break
        score[part, cell] += mass * per_path
        left -= mass
        gone = wall
        if wall_x == wall:
            wall_x += across_x
            i += step_i
        elif wall_y == wall:
            wall_y += across_y
            j += step_j
        else:
            wall_z += across_z
            k += step_k
    place[0] += gone * place[3]
    place[1] += gone * place[4]
    place[2] += gone * place[5]
    return inside and not outside(place, scene)


@compiled()
def path_to_nearest_wall(place, scene):  # type: ignore[no-untyped-def]
    """Path [g/cm²] to the nearest wall of the voxel that holds the place; 0 in shells, where nothing is rejected."""
    if scene.kind == SHELLS:
        return 0.0
    x = place[0] - np.floor(place[0] / scene.dx) * scene.dx
    y = place[1] - np.floor(place[1] / scene.dy) * scene.dy
    z = place[2] - np.floor(place[2] / scene.dz) * scene.dz
    nearest = min(x, scene.dx - x, y, scene.dy - y, z, scene.dz - z)
    return nearest * scene.density[cell_of(place[0], place[1], place[2], scene)]


@compiled()
def turned(u, v, w, one_minus_mu, azimuth):  # type: ignore[no-untyped-def]
    """A unit vector turned by the polar angle with 1 − cos θ given, about a given azimuth."""
    mu = 1.0 - one_minus_mu
    sine = np.sqrt(max(one_minus_mu * (2.0 - one_minus_mu), 0.0))
    cos_a, sin_a = sine * np.cos(azimuth), sine * np.sin(azimuth)
    across2 = u * u + v * v
    if across2 < 1e-18:
        return cos_a, sin_a, (mu if w > 0 else -mu)
    across = np.sqrt(across2)
    u1 = u * mu + (u * w * cos_a - v * sin_a) / across
    v1 = v * mu + (v * w * cos_a + u * sin_a) / across
    w1 = w * mu - across * cos_a
    norm = 1.0 / np.sqrt(u1 * u1 + v1 * v1 + w1 * w1)
    return u1 * norm, v1 * norm, w1 * norm


@compiled()
def turn(place, one_minus_mu, azimuth):  # type: ignore[no-untyped-def]
    """Turn the direction of a particle where it is."""
    place[3], place[4], place[5] = turned(place[3], place[4], place[5], one_minus_mu, azimuth)


@compiled()
def isotropic(rng):  # type: ignore[no-untyped-def]
    """Any direction, all alike."""
    w = 2.0 * uniform(rng) - 1.0
    azimuth = 2.0 * np.pi * uniform(rng)
    sine = np.sqrt(1.0 - w * w)
    return sine * np.cos(azimuth), sine * np.sin(azimuth), w
