"""Where energy is scored and how particles move: an endless uniform medium with radial shells, or a grid of voxels.

The transport knows neither; it calls these few functions. Lengths in cm, paths in g/cm².
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.transport.compiled import inlined
from RPTDosimetryLib.transport.random_numbers import uniform
from RPTDosimetryLib.transport.scoring import book

#: Rows of the score: who started the particle that deposits.
ELECTRON, PHOTON, BREMSSTRAHLUNG = 0, 1, 2
N_PARTS: Final = 3
#: Vacuum of a voxel without matter: an electron crosses it in one move [g/cm³].
LEAST_DENSITY: Final = 1e-9
SHELLS: Final = 0
VOXELS: Final = 1


class Scene(NamedTuple):
    """Geometry. kind SHELLS: density[0] and medium[0] everywhere, shells around the origin with log-spaced edges
    r = 0, first, first·ratio, …; kind VOXELS: nx·ny·nz voxels, x fastest, corner at the origin, sides in cm.

    largest_attenuation: the greatest µ [1/cm] at each node of the photon tables, for Woodcock tracking. n_cells: shells
    or voxels; the score has one column more, for what left.
    """

    kind: int
    density: NDArray[np.float32]  # g/cm3, flat
    medium: NDArray[np.uint8]  # flat
    largest_attenuation: NDArray[np.float64]
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


class Spot(NamedTuple):
    """Where an electron is: place from the low corner of its voxel [cm], the voxel's indices and its cell.

    In shells: place from the origin, and cell 0, which holds the medium.
    """

    x: float
    y: float
    z: float
    i: int
    j: int
    k: int
    cell: int


@inlined()
def cell_of(x, y, z, scene):  # type: ignore[no-untyped-def]
    """Index of the shell or voxel at a place; n_cells outside."""
    if scene.kind == SHELLS:
        r2 = x * x + y * y + z * z
        if r2 < scene.first_radius2:
            return 0
        if r2 >= scene.last_radius2:
            return scene.n_cells
        return min(int(math.log(r2 / scene.first_radius2) * scene.shells_per_log2) + 1, scene.n_cells - 1)
    if x < 0.0 or y < 0.0 or z < 0.0:
        return scene.n_cells
    i, j, k = int(x / scene.dx), int(y / scene.dy), int(z / scene.dz)
    if i >= scene.nx or j >= scene.ny or k >= scene.nz:
        return scene.n_cells
    return (k * scene.ny + j) * scene.nx + i


@inlined()
def spot_of(particle, scene):  # type: ignore[no-untyped-def]
    """The spot of a particle inside the scene."""
    if scene.kind == SHELLS:
        return Spot(particle.x, particle.y, particle.z, 0, 0, 0, 0)
    i = min(int(particle.x / scene.dx), scene.nx - 1)
    j = min(int(particle.y / scene.dy), scene.ny - 1)
    k = min(int(particle.z / scene.dz), scene.nz - 1)
    x, y, z = particle.x - i * scene.dx, particle.y - j * scene.dy, particle.z - k * scene.dz
    return Spot(x, y, z, i, j, k, (k * scene.ny + j) * scene.nx + i)


@inlined()
def place_of(spot, scene):  # type: ignore[no-untyped-def]
    """Place of a spot in the scene [cm]."""
    return spot.x + spot.i * scene.dx, spot.y + spot.j * scene.dy, spot.z + spot.k * scene.dz


@inlined()
def shell_or_voxel(spot, scene):  # type: ignore[no-untyped-def]
    """The cell of the score at a spot."""
    if scene.kind == SHELLS:
        return cell_of(spot.x, spot.y, spot.z, scene)
    return spot.cell


@inlined()
def nearest_wall(spot, scene):  # type: ignore[no-untyped-def]
    """Length [cm] to the nearest wall of the voxel; 0 in shells, where nothing is taken together."""
    if scene.kind == SHELLS:
        return 0.0
    x, y, z = spot.x, spot.y, spot.z
    return min(x, scene.dx - x, y, scene.dy - y, z, scene.dz - z)


@inlined()
def moved_losing(spot, u, v, w, path, energy, part, scene, score, rng):  # type: ignore[no-untyped-def]
    """Straight on by a path [g/cm²], spreading a (weighted) energy evenly over it: (still inside, spot).

    All of the energy is booked either way.
    """
    if scene.kind == VOXELS:
        return _through_voxels(spot, u, v, w, path, energy, part, scene, score)
    length = path / scene.density[0]
    at = uniform(rng) * length
    book(score, part, cell_of(spot.x + at * u, spot.y + at * v, spot.z + at * w, scene), energy)
    x, y, z = spot.x + length * u, spot.y + length * v, spot.z + length * w
    return x * x + y * y + z * z < scene.last_radius2, Spot(x, y, z, 0, 0, 0, 0)


@inlined()
def _to_wall(at, along, side):  # type: ignore[no-untyped-def]
    """Length to the wall ahead on one axis."""
    if along > 0.0:
        return max(side - at, 0.0) / along
    if along < 0.0:
        return max(at, 0.0) / -along
    return np.inf


@inlined()
def _through_voxels(spot, u, v, w, path, energy, part, scene, score):  # type: ignore[no-untyped-def]
    """Voxel by voxel, each taking its share of the path in g/cm²."""
    x, y, z, i, j, k, cell = spot
    left = path
    per_path = energy / path if path > 0.0 else 0.0
    while True:
        density = max(float(scene.density[cell]), LEAST_DENSITY)
        wall_x, wall_y, wall_z = _to_wall(x, u, scene.dx), _to_wall(y, v, scene.dy), _to_wall(z, w, scene.dz)
        wall = min(wall_x, wall_y, wall_z)
        if wall * density >= left:
            book(score, part, cell, left * per_path)
            length = left / density
            return True, Spot(x + length * u, y + length * v, z + length * w, i, j, k, cell)
        book(score, part, cell, wall * density * per_path)
        left -= wall * density
        x, y, z = x + wall * u, y + wall * v, z + wall * w
        if wall == wall_x:
            i, x = (i + 1, 0.0) if u > 0.0 else (i - 1, scene.dx)
        elif wall == wall_y:
            j, y = (j + 1, 0.0) if v > 0.0 else (j - 1, scene.dy)
        else:
            k, z = (k + 1, 0.0) if w > 0.0 else (k - 1, scene.dz)
        if i < 0 or j < 0 or k < 0 or i >= scene.nx or j >= scene.ny or k >= scene.nz:
            book(score, part, scene.n_cells, left * per_path)
            return False, Spot(x, y, z, i, j, k, cell)
        cell = (k * scene.ny + j) * scene.nx + i
