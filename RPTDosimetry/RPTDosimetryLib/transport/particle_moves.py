"""Where energy is scored and how particles move: an endless uniform medium with radial shells, or a grid of voxels.

The transport knows neither; it calls these few functions. Lengths in cm, paths in g/cm². A particle is an array: place
x, y, z, direction u, v, w, statistical weight, and the part of the score it belongs to.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.transport.compiled import compiled, inlined
from RPTDosimetryLib.transport.random_numbers import uniform

#: Rows of the score: who started the particle that deposits.
ELECTRON, PHOTON, BREMSSTRAHLUNG = 0, 1, 2
N_PARTS: Final = 3
#: Columns of a particle after place and direction.
WEIGHT, PART = 6, 7
PARTICLE_COLUMNS: Final = 8
#: Vacuum of a voxel without matter: an electron crosses it in one move [g/cm³].
LEAST_DENSITY: Final = 1e-9
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


@inlined()
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


@inlined()
def deposit(particle, energy, scene, score):  # type: ignore[no-untyped-def]
    """Book energy [keV] where a particle is; the last column of the score is what left the scene."""
    score[int(particle[PART]), cell_of(particle[0], particle[1], particle[2], scene)] += energy * particle[WEIGHT]


@inlined()
def lose(particle, energy, scene, score):  # type: ignore[no-untyped-def]
    """Book energy [keV] that a particle carries out of the scene."""
    score[int(particle[PART]), scene.n_cells] += energy * particle[WEIGHT]


@inlined()
def outside(particle, scene):  # type: ignore[no-untyped-def]
    """True once a particle cannot come back."""
    if scene.kind == SHELLS:
        return particle[0] * particle[0] + particle[1] * particle[1] + particle[2] * particle[2] >= scene.last_radius2
    return cell_of(particle[0], particle[1], particle[2], scene) == scene.n_cells


@inlined()
def medium_at(particle, scene):  # type: ignore[no-untyped-def]
    """Index of the medium at a place inside the scene."""
    if scene.kind == SHELLS:
        return 0
    return int(scene.medium[cell_of(particle[0], particle[1], particle[2], scene)])


@inlined()
def move_losing(particle, path, energy, scene, score, rng):  # type: ignore[no-untyped-def]
    """Move straight on by a path [g/cm²], spreading an energy evenly over it.

    False once outside; all of the energy is booked either way.
    """
    if scene.kind == VOXELS:
        return _move_through_voxels(particle, path, energy, scene, score)
    length = path / scene.density[0]
    at = uniform(rng) * length
    cell = cell_of(
        particle[0] + at * particle[3], particle[1] + at * particle[4], particle[2] + at * particle[5], scene
    )
    score[int(particle[PART]), cell] += energy * particle[WEIGHT]
    particle[0] += length * particle[3]
    particle[1] += length * particle[4]
    particle[2] += length * particle[5]
    return not outside(particle, scene)


@compiled()
def _to_first_wall(at, along, side, index):  # type: ignore[no-untyped-def]
    """Sense of motion on one axis, and the lengths to the first wall and between walls."""
    if along > 1e-12:
        return 1, ((index + 1) * side - at) / along, side / along
    if along < -1e-12:
        return -1, (index * side - at) / along, -side / along
    return 0, np.inf, np.inf


@compiled()
def _move_through_voxels(particle, path, energy, scene, score):  # type: ignore[no-untyped-def]
    """Voxel by voxel (Amanatides and Woo 1987), each taking its share of the path in g/cm²."""
    i, j, k = int(particle[0] / scene.dx), int(particle[1] / scene.dy), int(particle[2] / scene.dz)
    cell = (k * scene.ny + j) * scene.nx + i
    length = path / max(scene.density[cell], LEAST_DENSITY)
    x, y, z = particle[0] + length * particle[3], particle[1] + length * particle[4], particle[2] + length * particle[5]
    if (
        i * scene.dx < x < (i + 1) * scene.dx
        and j * scene.dy < y < (j + 1) * scene.dy
        and k * scene.dz < z < (k + 1) * scene.dz
    ):
        score[int(particle[PART]), cell] += energy * particle[WEIGHT]
        particle[0], particle[1], particle[2] = x, y, z
        return True
    step_i, wall_x, across_x = _to_first_wall(particle[0], particle[3], scene.dx, i)
    step_j, wall_y, across_y = _to_first_wall(particle[1], particle[4], scene.dy, j)
    step_k, wall_z, across_z = _to_first_wall(particle[2], particle[5], scene.dz, k)
    left, gone = path, 0.0
    per_path = energy * particle[WEIGHT] / path if path > 0.0 else 0.0
    part = int(particle[PART])
    while True:
        wall = min(wall_x, wall_y, wall_z)
        density = max(scene.density[cell], LEAST_DENSITY)
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
        if i < 0 or j < 0 or k < 0 or i >= scene.nx or j >= scene.ny or k >= scene.nz:
            score[part, scene.n_cells] += left * per_path
            return False
        cell = (k * scene.ny + j) * scene.nx + i
    # kept off the walls, so that rounding cannot put it into a neighbour
    particle[0] = min(max(particle[0] + gone * particle[3], (i + 1e-9) * scene.dx), (i + 1 - 1e-9) * scene.dx)
    particle[1] = min(max(particle[1] + gone * particle[4], (j + 1e-9) * scene.dy), (j + 1 - 1e-9) * scene.dy)
    particle[2] = min(max(particle[2] + gone * particle[5], (k + 1e-9) * scene.dz), (k + 1 - 1e-9) * scene.dz)
    return True


@inlined()
def path_to_nearest_wall(particle, scene):  # type: ignore[no-untyped-def]
    """Path [g/cm²] to the nearest wall of the voxel that holds the place; 0 in shells, where nothing is rejected."""
    if scene.kind == SHELLS:
        return 0.0
    x = particle[0] - np.floor(particle[0] / scene.dx) * scene.dx
    y = particle[1] - np.floor(particle[1] / scene.dy) * scene.dy
    z = particle[2] - np.floor(particle[2] / scene.dz) * scene.dz
    nearest = min(x, scene.dx - x, y, scene.dy - y, z, scene.dz - z)
    return nearest * scene.density[cell_of(particle[0], particle[1], particle[2], scene)]


@inlined()
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


@inlined()
def turn(particle, one_minus_mu, azimuth):  # type: ignore[no-untyped-def]
    """Turn the direction of a particle where it is."""
    particle[3], particle[4], particle[5] = turned(particle[3], particle[4], particle[5], one_minus_mu, azimuth)


@compiled()
def isotropic(rng):  # type: ignore[no-untyped-def]
    """Any direction, all alike."""
    w = 2.0 * uniform(rng) - 1.0
    azimuth = 2.0 * np.pi * uniform(rng)
    sine = np.sqrt(1.0 - w * w)
    return sine * np.cos(azimuth), sine * np.sin(azimuth), w
