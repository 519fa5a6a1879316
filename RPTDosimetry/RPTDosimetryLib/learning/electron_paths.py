"""Electron dose by the matter that electrons cross: the point kernel along rays, each step in its voxel's density.

    E(x) = (1/m(x))·Σ_s Ã(s)·Ē·⟨Φ(µ_out) − Φ(µ_in)⟩        Φ(µ): share of Ē within µ [g/cm²] of a decay           [Gy]

µ_in, µ_out are the mass per area between the decay and where a ray enters and leaves voxel x; the mean is over decays
uniform in voxel s and isotropic directions. In a medium of one density this is O'Connor's theorem and gives the voxel
S kernel; between densities it is the scaling of point kernels by radiological path. Energy is conserved: what leaves a
voxel arrives in others. Rays leave through the faces, cosine-weighted; the depth of the decay on a ray's chord is
integrated exactly through Ψ(µ) = ∫Φ dµ, and what leaves in all is exact for the voxel's shape and density.
Bremsstrahlung, which goes far, stays as MSV has it. Linear in the activity.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import permutations, product
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.learning.photon_bands import SoftKernels, soft_point_kernel
from RPTDosimetryLib.transport.compiled import compiled
from RPTDosimetryLib.transport.radial_profile import radial_profile
from RPTDosimetryLib.transport.scoring import book
from RPTDosimetryLib.transport.voxel_case import DENSEST
from RPTDosimetryLib.units import CM_PER_MM, J_PER_KEV, ML_PER_MM3, mass_kg

#: Rays of one face; each stands for itself and its mirror images on all faces, 48 in all.
BASE_RAYS: Final = 8
#: How far a ray is followed, in voxels along an axis; beyond it, in air alone, its energy is lost.
REACH: Final = 8
#: Electrons' own energy beyond this share of it is not followed.
NEARLY_ALL: Final = 1.0 - 1e-6
TABLE_G_PER_CM2: Final = 2.5e-4
#: From this density [g/cm³] to DENSEST the energy that leaves a voxel is tabulated; rows of the table, rays of its sum.
THINNEST, DENSITIES, CHORDS = 1e-3, 512, 1 << 14
#: Sums that processor cores keep apart: the answer does not depend on how many cores there are.
PARTS: Final = 8


class Rays(NamedTuple):
    """Rays out of a voxel: weight [1/mm], chord in it [mm], then steps (z, y, x offset; length [mm]), steps of each."""

    weight: NDArray[np.float64]
    chord_mm: NDArray[np.float64]
    offset: NDArray[np.int32]
    length_mm: NDArray[np.float64]
    steps: NDArray[np.int32]


class Within(NamedTuple):
    """Ψ(µ) every TABLE_G_PER_CM2, the share Φ beyond its end, and what leaves a voxel by its density.

    leaves: (2, DENSITIES) over ln ρ: the share of a decay's energy that leaves, exact, and exact/that of the rays.
    """

    integral: NDArray[np.float64]
    whole: float
    leaves: NDArray[np.float64]


#: (TIA map, density, rays, tables) → decays times the share of their energy that arrives in each voxel.
Traced = Callable[[Any, Any, Rays, Within], Any]


def traced_electrons(
    tia: Any, density: Any, tissue: Any, electron_msv: Any, kernels: SoftKernels, traced: Traced | None = None
) -> Any:
    """E [Gy] (z, y, x) float32 on the device of the TIA map [Bq·s].

    density [g/cm³]; tissue 1 where there is a dose; electron_msv: electron part of MSV [Gy], for the bremsstrahlung.
    traced: what follows the rays; None: the processor's cores.
    """
    rays, within = _rays(kernels.voxel_mm), _within(kernels.nuclide, kernels.voxel_mm)
    matter = density.clamp(min=THINNEST, max=DENSEST)
    share = (traced or trace_on_cores)(tia, matter, rays, within).float()
    joule = soft_point_kernel(kernels.nuclide).electron_emitted_kev * J_PER_KEV
    gray = joule / mass_kg(1.0, math.prod(kernels.voxel_mm) * ML_PER_MM3)
    return (share * gray / matter + (1.0 - within.whole) * electron_msv) * tissue


def trace_on_cores(tia: Any, density: Any, rays: Rays, within: Within) -> Any:
    """Decays [Bq·s] times the share of their electrons' energy that arrives in each voxel, on the map's device."""
    import torch

    score = np.zeros((PARTS, tia.numel()))
    _trace(tia.cpu().numpy(), density.cpu().numpy(), rays, within, score)
    return torch.as_tensor(score.sum(axis=0), device=tia.device).reshape(tia.shape)


@njit(cache=True, parallel=True, nogil=True)
def _trace(
    tia: NDArray[np.float32], density: NDArray[np.float32], rays: Rays, within: Within, score: NDArray[np.float64]
) -> None:
    """Adds to score (part, voxel) the decays [Bq·s] times their energy's share; every part some of the sources."""
    nz, ny, nx = tia.shape
    for part in prange(score.shape[0]):
        for z in range(part, nz, score.shape[0]):
            for y in range(ny):
                for x in range(nx):
                    trace_voxel((z, y, x), tia, density, rays, within, score, part)


@compiled()
def trace_voxel(source, tia, density, rays, within, score, part):  # type: ignore[no-untyped-def]
    """Energy of one source voxel, booked where it goes."""
    decays, rho = tia[source], density[source]
    if decays <= 0.0:
        return
    nz, ny, nx = tia.shape
    per_mm = rho * CM_PER_MM
    place = math.log(rho / THINNEST) * ((within.leaves.shape[1] - 1) / math.log(DENSEST / THINNEST))
    leaves, exact = _row_at(within.leaves[0], place), _row_at(within.leaves[1], place)
    book(score, part, (source[0] * ny + source[1]) * nx + source[2], decays * (within.whole - leaves))
    longest = (within.integral.size - 1) * TABLE_G_PER_CM2
    for ray in range(rays.weight.size):
        chord = rays.chord_mm[ray] * per_mm
        given = decays * exact * rays.weight[ray] / per_mm
        crossed, before = 0.0, _integral_at(within, chord)
        for step in range(rays.steps[ray]):
            z = source[0] + rays.offset[ray, step, 0]
            y = source[1] + rays.offset[ray, step, 1]
            x = source[2] + rays.offset[ray, step, 2]
            if z < 0 or y < 0 or x < 0 or z >= nz or y >= ny or x >= nx:
                break
            crossed += rays.length_mm[ray, step] * density[z, y, x] * CM_PER_MM
            after = _integral_at(within, chord + crossed) - _integral_at(within, crossed)
            book(score, part, (z * ny + y) * nx + x, given * (after - before))
            before = after
            if crossed >= longest:
                break


@compiled()
def _integral_at(within, path):  # type: ignore[no-untyped-def]
    """Ψ at a mass per area [g/cm²]; a straight line beyond the table."""
    place = path / TABLE_G_PER_CM2
    last = within.integral.size - 1
    if place >= last:
        return within.integral[last] + within.whole * (path - last * TABLE_G_PER_CM2)
    return _row_at(within.integral, place)


@compiled()
def _row_at(row, place):  # type: ignore[no-untyped-def]
    """A table at a place between two of its values; its last two go on."""
    first = min(int(place), row.size - 2)
    return row[first] + (place - first) * (row[first + 1] - row[first])


@lru_cache(maxsize=8)
def _rays(voxel_mm: Vector3) -> Rays:
    """The base rays and their images under all reflections and exchanges of axes, which make the map symmetric."""
    side = np.array(voxel_mm[::-1])
    base = [_base_ray(*numbers) for numbers in _spread(BASE_RAYS)]
    weights: list[float] = []
    chords: list[float] = []
    ways: list[list[tuple[tuple[int, ...], float]]] = []
    for (point, direction), order, signs in product(base, permutations(range(3)), product((-1, 1), repeat=3)):
        at, way = np.empty(3), np.empty(3)
        at[list(order)], way[list(order)] = point * signs, direction * signs
        weights.append(1.0 / (4.0 * side[order[0]]) / (8 * BASE_RAYS))  # face/(4·volume), 8 images of each on a face
        chords.append(float(((0.5 + np.sign(way) * at) * side / np.abs(way)).min()))
        ways.append(_steps(at, way, order[0], side))
    most = max(len(way) for way in ways)
    offset, length = np.zeros((len(ways), most, 3), np.int32), np.zeros((len(ways), most))
    for row, steps in enumerate(ways):
        offset[row, : len(steps)] = [cell for cell, _ in steps]
        length[row, : len(steps)] = [mm for _, mm in steps]
    return Rays(np.array(weights), np.array(chords), offset, length, np.array([len(way) for way in ways], np.int32))


def _base_ray(u: float, v: float, sine2: float, turn: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where it leaves through the first axis' face, in sides from the middle, and its cosine-weighted direction."""
    sine, angle = math.sqrt(sine2), 2.0 * math.pi * turn
    direction = np.array([math.sqrt(1.0 - sine2), sine * math.cos(angle), sine * math.sin(angle)])
    return np.array([0.5, u - 0.5, v - 0.5]), direction


def _spread(count: int, start: float = 0.175) -> NDArray[np.float64]:
    """(count, 4) numbers evenly spread over the unit cube: multiples of powers of 1/φ, φ⁵ = φ + 1 (Roberts 2018).

    Of starts 1/40, 3/40, …, this one comes nearest to the voxel S kernels of one density with 8 rays.
    """
    phi = 1.0
    for _ in range(64):
        phi = (1.0 + phi) ** 0.2
    return np.asarray((start + np.arange(1, count + 1)[:, None] * phi ** -np.arange(1.0, 5.0)) % 1.0)


def _steps(
    at: NDArray[np.float64], way: NDArray[np.float64], axis: int, side: NDArray[np.float64]
) -> list[tuple[tuple[int, ...], float]]:
    """(voxel, length in it [mm]) one after the other, from the face where the ray leaves on (Amanatides 1987)."""
    sign = np.sign(way).astype(int)
    apart = side / np.abs(way)
    face = (0.5 - sign * at) * apart
    face[axis] = apart[axis]
    cell, here = np.zeros(3, int), 0.0
    steps: list[tuple[tuple[int, ...], float]] = []
    cell[axis] = sign[axis]
    while np.abs(cell).max() <= REACH:
        crossed = int(np.argmin(face))
        steps.append((tuple(int(c) for c in cell), float(face[crossed] - here)))
        here = face[crossed]
        face[crossed] += apart[crossed]
        cell[crossed] += sign[crossed]
    return steps


@lru_cache(maxsize=8)
def _within(nuclide: str, voxel_mm: Vector3) -> Within:
    """Tables of the electrons of a nuclide, without their bremsstrahlung, for voxels of one size."""
    kernel = soft_point_kernel(nuclide)
    shells = (kernel.electron_kev - kernel.bremsstrahlung_kev).mean(axis=0, keepdims=True)
    # at 1 g/cm³ a radius in cm is a mass per area in g/cm²
    profile = radial_profile(kernel.radius_mm, shells, kernel.reference_density_g_per_cm3, 1.0)
    longest = profile.radius_holding_mm(NEARLY_ALL) * CM_PER_MM
    fine = np.arange(0.0, longest + TABLE_G_PER_CM2, TABLE_G_PER_CM2)
    phi = np.cumsum(profile.shell_kev(fine / CM_PER_MM)[0]) / kernel.electron_emitted_kev
    phi = np.concatenate([[0.0], phi])
    psi = np.concatenate([[0.0], np.cumsum(0.5 * (phi[1:] + phi[:-1]) * TABLE_G_PER_CM2)])
    whole = float(phi[-1])
    density = np.geomspace(THINNEST, DENSEST, DENSITIES)
    sets = (_many_chords(voxel_mm), _rays(voxel_mm)[:2])
    leaves = np.array([[_leaves(psi, whole, *chords, rho) for rho in density] for chords in sets])
    leaves[1] = leaves[0] / leaves[1]
    return Within(psi, whole, leaves)


def _leaves(
    psi: NDArray[np.float64], whole: float, weight: NDArray[np.float64], chord_mm: NDArray[np.float64], rho: float
) -> float:
    """Share of a decay's energy that leaves its voxel: Σ w·(Φ(∞)·M − Ψ(M))/ρ, M the chord's mass per area."""
    path = chord_mm * rho * CM_PER_MM
    end = (psi.size - 1) * TABLE_G_PER_CM2
    inside = np.interp(path, np.arange(psi.size) * TABLE_G_PER_CM2, psi) + whole * np.maximum(path - end, 0.0)
    return float((weight * (whole * path - inside)).sum() / (rho * CM_PER_MM))


def _many_chords(voxel_mm: Vector3) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights [1/mm] and chords [mm] of so many rays that sums over them are exact: 1 for weight times chord."""
    side = np.array(voxel_mm)
    u = _spread(CHORDS)
    sine, angle = np.sqrt(u[:, 2]), 2.0 * np.pi * u[:, 3]
    way = np.stack([np.sqrt(1.0 - u[:, 2]), sine * np.cos(angle), sine * np.sin(angle)], axis=1)
    at = np.stack([np.full(CHORDS, 0.5), u[:, 0] - 0.5, u[:, 1] - 0.5], axis=1)
    chords, weights = [], []
    for axis in range(3):
        turned = np.roll(side, -axis)  # the axis' face first
        chords.append(((0.5 + np.sign(way) * at) * turned / np.abs(way)).min(axis=1))
        weights.append(np.full(CHORDS, 2.0 / (4.0 * turned[0]) / CHORDS))  # both faces of the axis
    return np.concatenate(weights), np.concatenate(chords)
