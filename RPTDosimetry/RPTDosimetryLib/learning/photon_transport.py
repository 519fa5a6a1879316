"""Photon dose by transport: fluence of energy groups in the patient's matter, with its scatter, on blocks of some 2 cm.

    φ_g(t) = Σ_s K_g(s,t)·(Ã(s)·y_g + V·Σ_g' σ_g'→g(s)·φ_g'(s))        K_g = ⟨1/(4π r²)⟩·exp(−∫µ_g dl)         [cm⁻²]
    P(x) = Σ_b κ_mb·P_b(x) + Σ_g k_mg·φ_g(x) − Σ_b κ_mb·P°_b(x)        m the medium of voxel x                     [Gy]

y_g: photons a decay; σ: Compton scattering (photon_groups.py); k: kerma per fluence. K holds between the middles of all
pairs of blocks, µ followed block by block; within a block it is what keeps every photon (Σ_t K·µ·V = 1 in an endless
medium). P_b are the bands of the soft-tissue kernel (photon_bands.py) and carry what is near at full resolution;
κ_mb is the kerma of the medium over that of soft tissue in the spectrum at the band's distance; P°_b is what the blocks
give for the same in endless soft tissue, so that what is added is the difference that the patient's matter makes. It
is 0 in endless soft tissue. Linear in the activity. Integral transport with collision probabilities: Lewis and
Miller 1984, chapter 5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from RPTDosimetryLib.learning.photon_bands import (
    BAND_CENTRES_MM,
    REFERENCE_G_PER_CM3,
    REFERENCE_MATERIAL,
    SCALAR,
    SoftKernels,
    hats,
    mirrored,
)
from RPTDosimetryLib.learning.photon_groups import GROUPS, kerma_gy_cm2, mineral_share, photon_groups
from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.transport.compiled import compiled
from RPTDosimetryLib.units import CM_PER_MM

if TYPE_CHECKING:
    from RPTDosimetryLib.physics.media import Medium

#: Side of a block [mm]; more blocks than this take larger ones: three arrays hold all pairs.
BLOCK_MM: Final = 19.2
MOST_BLOCKS: Final = 8000
#: Blocks of less [g/cm³] neither scatter nor get a dose; what attenuates least [1/cm].
EMPTY_G_PER_CM3, LEAST_PER_CM = 0.02, 0.02
#: How far, in blocks, endless soft tissue is looked at.
REACH: Final = 32
#: Scatter within a group is solved to this share, in at most so many steps.
PRECISION, STEPS = 1e-4, 30
#: Pairs of blocks are taken in squares of so many.
TILE: Final = 64
#: Blocks nearer than this along each axis take the mean of 1/r² over both.
NEAR: Final = 3
#: Faces that a way crosses at once, at an edge, differ by no more than this share of it.
ROUNDING: Final = 1e-9

#: (blocks (n, 3), matter (2, z, y, x) [g/cm³], sides [mm], near factors) → ln K in vacuum, and the mass per area of
#: both kinds of matter on the way [g/cm²]: (n, n) float32 each.
Ways = Callable[[Any, Any, NDArray[np.float64], NDArray[np.float64]], tuple[Any, Any, Any]]


def transported_photons(
    maps: Any, bands: Any, media: Sequence[Medium], kernels: SoftKernels, ways: Ways | None = None
) -> Any:
    """P [Gy] (z, y, x) float32 on the device of the maps: tia [Bq·s], density [g/cm³], medium (index), tissue.

    media: the scheme of the map of media. ways: what follows the ways of all pairs; None: the processor's cores.
    """
    import torch

    tia, density, medium, tissue = (maps[name][0] for name in ("tia", "density", "medium", "tissue"))
    mineral = torch.zeros(256, device=tia.device)
    for one in media:
        mineral[one.index] = mineral_share(one.material.mass_fractions)
    hard = density * mineral[medium.long()]
    blocks = _Blocks.of(tia, torch.stack([density - hard, hard]), tissue, kernels)
    fluence = blocks.fluence(kernels.nuclide, ways or ways_on_cores)
    plain = _plain(blocks.activity, kernels.nuclide, blocks.side_mm)
    spectra = _band_spectra(kernels.nuclide, blocks.side_mm)
    photon = torch.zeros_like(tia)
    for one in media:
        here = (medium == one.index) & (tissue > 0)
        if one.is_air or not bool(here.any()):
            continue
        kerma = kerma_gy_cm2(kernels.nuclide, one.material)
        share = kerma @ spectra
        coarse = np.tensordot(kerma, fluence, 1) - np.tensordot(share, plain, 1)
        whole = blocks.on_voxels(coarse, tia)
        for number in range(SCALAR):
            whole = whole + float(share[number]) * bands[number]
        photon = torch.where(here, whole, photon)
    return photon


@dataclass(frozen=True)
class _Blocks:
    """Decays and matter (2, z, y, x) [g/cm³] of blocks, which of them count, and their sides (z, y, x).

    Decays in blocks that do not count, in air, are left as the bands have them.
    """

    activity: Any
    matter: Any
    counts: Any
    sides: tuple[int, int, int]
    side_mm: tuple[float, float, float]

    @classmethod
    def of(cls, tia: Any, matter: Any, tissue: Any, kernels: SoftKernels) -> _Blocks:
        """Of as nearly BLOCK_MM as whole voxels allow; larger where there would be too many."""
        voxel_mm = kernels.voxel_mm[::-1]
        target = BLOCK_MM
        while True:
            z, y, x = (max(1, round(target / mm)) for mm in voxel_mm)
            sides = (z, y, x)
            inside = _blocks(tissue, sides).amax(dim=(-5, -3, -1)) > 0
            mean = _blocks(matter, sides).mean(dim=(-5, -3, -1))
            counts = inside & (mean.sum(dim=0) > EMPTY_G_PER_CM3)
            if int(counts.sum()) <= MOST_BLOCKS:
                break
            target *= 1.1
        activity = _blocks(tia, sides).sum(dim=(-5, -3, -1)) * counts
        return cls(activity, mean, counts, sides, tuple(n * mm for n, mm in zip(sides, voxel_mm, strict=True)))  # type: ignore[arg-type]

    def fluence(self, nuclide: str, ways: Ways) -> NDArray[np.float64]:
        """φ (group, z, y, x) [cm⁻²]; blocks that do not count take the nearest one's."""
        import torch

        groups = photon_groups(nuclide)
        index = torch.nonzero(self.counts).int()
        at = tuple(index.long().T)
        log_vacuum, soft_path, hard_path = ways(index, self.matter, np.asarray(self.side_mm), _near_factors())
        decays = self.activity[at].float()
        soft, hard = (matter[at].float() for matter in self.matter)
        volume = math.prod(self.side_mm) * CM_PER_MM**3
        found: list[Any] = []
        kernel = torch.empty_like(log_vacuum)
        for group in range(GROUPS):
            of_soft, of_hard = (float(value) for value in groups.attenuation[:, group])
            torch.add(log_vacuum, soft_path, alpha=-of_soft, out=kernel)
            kernel.add_(hard_path, alpha=-of_hard).exp_()
            kernel.diagonal().copy_(_own(self.side_mm, of_soft * soft + of_hard * hard))
            source = decays * float(groups.emitted[group])
            for higher in range(group):
                source = source + volume * _scattered(groups.scattered, higher, group, soft, hard) * found[higher]
            found.append(_solved(kernel, source, volume * _scattered(groups.scattered, group, group, soft, hard)))
        return self._spread(torch.stack(found).double().cpu().numpy())

    def _spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(group, counted block) on all blocks."""
        from scipy import ndimage

        known = self.counts.cpu().numpy()
        whole = np.zeros((len(values), *known.shape))
        whole[:, known] = values
        if not known.any():
            return whole
        nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
        return np.asarray(whole[:, *nearest])

    def on_voxels(self, values: NDArray[np.float64], like: Any) -> Any:
        """Trilinear between the middles of the blocks."""
        import torch

        coarse = torch.as_tensor(values, dtype=torch.float32, device=like.device)[None, None]
        fine = torch.nn.functional.interpolate(coarse, scale_factor=self.sides, mode="trilinear", align_corners=False)
        nz, ny, nx = like.shape
        return fine[0, 0, :nz, :ny, :nx]


def _scattered(scattered: NDArray[np.float64], before: int, after: int, soft: Any, hard: Any) -> Any:
    """σ [1/cm] from one group to another in each block."""
    return float(scattered[0, before, after]) * soft + float(scattered[1, before, after]) * hard


def _solved(kernel: Any, source: Any, again: Any) -> Any:
    """φ = K·(q + w·φ) by conjugate gradients: with ψ = √w·φ, 1 − √w·K·√w is symmetric and positive."""
    first = kernel @ source
    root = again.sqrt()
    right = root * first
    if not bool(right.any()):
        return first
    psi = right.clone()
    left = right - (psi - root * (kernel @ (root * psi)))
    way, size = left.clone(), float(left @ left)
    enough = PRECISION**2 * float(right @ right)
    for _ in range(STEPS):
        if size <= enough:
            break
        turned = way - root * (kernel @ (root * way))
        step = size / float(way @ turned)
        psi, left = psi + step * way, left - step * turned
        size, before = float(left @ left), size
        way = left + (size / before) * way
    return first + kernel @ (root * psi)


def ways_on_cores(
    index: Any, matter: Any, side_mm: NDArray[np.float64], near: NDArray[np.float64]
) -> tuple[Any, Any, Any]:
    """See Ways."""
    import torch

    n = index.shape[0]
    answer = np.empty((3, n, n), dtype=np.float32)
    _ways(index.cpu().numpy(), matter.cpu().numpy(), side_mm, near, answer)
    log_vacuum, soft, hard = torch.as_tensor(answer, device=matter.device)
    return log_vacuum, soft, hard


@njit(cache=True, parallel=True, nogil=True)
def _ways(
    index: NDArray[np.int32], matter: NDArray[np.float64], side_mm: NDArray[np.float64], near: NDArray[np.float64],
    answer: NDArray[np.float32],
) -> None:  # fmt: skip
    n = index.shape[0]
    rows = (n + TILE - 1) // TILE
    for row in prange(rows):
        top = (rows - 1 - row) * TILE  # the longest rows first
        for left in range(0, top + 1, TILE):  # in tiles, both of whose places stay in the cache
            for first in range(top, min(top + TILE, n)):
                for second in range(left, min(left + TILE, first + 1)):
                    way_of_pair(first, second, index, matter, side_mm, near, answer)


@compiled()
def way_of_pair(first, second, index, matter, side_mm, near, answer):  # type: ignore[no-untyped-def]
    """Fills both places of a pair: ln of the mean of 1/(4π r²) [1/cm²], and ρ·l of both kinds of matter [g/cm²]."""
    start = (index[first, 0], index[first, 1], index[first, 2])
    dz, dy, dx = index[second, 0] - start[0], index[second, 1] - start[1], index[second, 2] - start[2]
    r2 = ((dz * side_mm[0]) ** 2 + (dy * side_mm[1]) ** 2 + (dx * side_mm[2]) ** 2) * (CM_PER_MM * CM_PER_MM)
    soft, hard, vacuum = 0.0, 0.0, 0.0
    if first != second:
        if abs(dz) < NEAR and abs(dy) < NEAR and abs(dx) < NEAR:
            vacuum = math.log(near[abs(dz), abs(dy), abs(dx)] / (4.0 * math.pi * r2))
        else:
            vacuum = -math.log(4.0 * math.pi * r2)
        soft, hard = _means_on_way(matter, start, (dz, dy, dx))
        soft, hard = soft * math.sqrt(r2), hard * math.sqrt(r2)
    answer[0, first, second] = vacuum
    answer[1, first, second] = soft
    answer[2, first, second] = hard
    answer[0, second, first] = vacuum
    answer[1, second, first] = soft
    answer[2, second, first] = hard


@compiled()
def _means_on_way(matter, start, way):  # type: ignore[no-untyped-def]
    """Means over the straight line from the middle of a block to that of another, block by block (Amanatides 1987)."""
    z, y, x = start
    # The share of the way from one face of an axis to its next, and where the first is: half a block from the middle.
    apart_z = 1.0 / abs(way[0]) if way[0] else 4.0
    apart_y = 1.0 / abs(way[1]) if way[1] else 4.0
    apart_x = 1.0 / abs(way[2]) if way[2] else 4.0
    face_z, face_y, face_x = 0.5 * apart_z, 0.5 * apart_y, 0.5 * apart_x
    up_z, up_y, up_x = 1 if way[0] > 0 else -1, 1 if way[1] > 0 else -1, 1 if way[2] > 0 else -1
    soft, hard, here = 0.0, 0.0, 0.0
    while True:
        face = min(face_z, face_y, face_x)
        if face >= 1.0:
            return soft + (1.0 - here) * matter[0, z, y, x], hard + (1.0 - here) * matter[1, z, y, x]
        soft += (face - here) * matter[0, z, y, x]
        hard += (face - here) * matter[1, z, y, x]
        here = face
        crossed = face + ROUNDING
        if face_z <= crossed:
            z += up_z
            face_z += apart_z
        if face_y <= crossed:
            y += up_y
            face_y += apart_y
        if face_x <= crossed:
            x += up_x
            face_x += apart_x


@lru_cache(maxsize=1)
def _near_factors() -> NDArray[np.float64]:
    """⟨1/r²⟩·d² over two cubes d apart (dz, dy, dx up to NEAR − 1); 0 for a cube and itself, which has a rule."""
    count = 48
    middle = (np.arange(count) + 0.5) * (2.0 / count) - 1.0
    weight = (1.0 - np.abs(middle)) * (2.0 / count)  # of the distance of two points, along an axis
    answer = np.zeros((NEAR,) * 3)
    for apart in np.ndindex(answer.shape):
        z, y, x = ((d + middle) ** 2 for d in apart)
        mean = np.einsum("i,j,k,ijk", weight, weight, weight, 1.0 / (z[:, None, None] + y[:, None] + x))
        answer[apart] = mean * sum(d * d for d in apart)
    return answer


def _own(side_mm: tuple[float, float, float], per_cm: Any) -> Any:
    """K of blocks to themselves by their attenuation [1/cm]."""
    import torch

    logs, own = _own_table(side_mm)
    place = per_cm.clamp(min=LEAST_PER_CM).log().cpu().numpy()
    return torch.as_tensor(np.interp(place, logs, own), dtype=torch.float32, device=per_cm.device)


@lru_cache(maxsize=8)
def _own_table(side_mm: tuple[float, float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ln µ [1/cm], and K of a block to itself that keeps all photons: µ·V·Σ_t K = 1 in an endless medium."""
    vacuum, r, weight = _octant(side_mm)
    ball = (REACH - 0.5) * min(side_mm) * CM_PER_MM
    others = (r > 0) & (r <= ball)
    vacuum, r, weight = vacuum[others], r[others], weight[others]
    volume = math.prod(side_mm) * CM_PER_MM**3
    per_cm = np.geomspace(LEAST_PER_CM, 8.0, 60)
    elsewhere = np.array(
        [mu * volume * (weight * vacuum * np.exp(-mu * r)).sum() + np.exp(-mu * ball) for mu in per_cm]
    )
    return np.log(per_cm), (1.0 - elsewhere) / (per_cm * volume)


def _octant(side_mm: tuple[float, float, float]) -> tuple[NDArray[np.float64], ...]:
    """⟨1/(4π r²)⟩ [1/cm²], r [cm] and how many blocks are as far, of the blocks up to REACH (dz, dy, dx)."""
    number = np.arange(REACH)
    axes = [number * mm * CM_PER_MM for mm in side_mm]
    r2 = axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2
    factor = np.ones(r2.shape)
    factor[:NEAR, :NEAR, :NEAR] = _near_factors()
    many = np.where(number > 0, 2.0, 1.0)
    weight = many[:, None, None] * many[:, None] * many
    return factor / (4.0 * np.pi * np.maximum(r2, 1e-12)), np.sqrt(r2), weight


@lru_cache(maxsize=4)
def _endless(nuclide: str, side_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """φ (group, dz, dy, dx) [cm⁻²] of a decay in a block of endless soft tissue, an octant of REACH blocks."""
    from scipy import fft

    groups = photon_groups(nuclide)
    vacuum, r, _ = _octant(side_mm)
    volume = math.prod(side_mm) * CM_PER_MM**3
    logs, own = _own_table(side_mm)
    spectra: list[NDArray[np.float64]] = []
    for group in range(GROUPS):
        mu = float(groups.attenuation[0, group]) * REFERENCE_G_PER_CM3
        kernel = vacuum * np.exp(-mu * r)
        kernel[0, 0, 0] = np.interp(np.log(mu), logs, own)
        scattering = groups.scattered[0] * REFERENCE_G_PER_CM3 * volume
        turned = fft.dctn(kernel, type=1)  # of the whole, which is even along each axis
        source = groups.emitted[group] + sum(scattering[h, group] * spectra[h] for h in range(group))
        spectra.append(turned * source / (1.0 - scattering[group, group] * turned))
    return np.array([fft.idctn(spectrum, type=1) for spectrum in spectra])


@lru_cache(maxsize=4)
def _plain_kernels(nuclide: str, side_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Dose of soft tissue in endless soft tissue (band, dz, dy, dx) [Gy] of a decay in a block."""
    kerma = kerma_gy_cm2(nuclide, material(REFERENCE_MATERIAL))
    dose = np.tensordot(kerma, _endless(nuclide, side_mm), 1)
    radius_mm = _octant(side_mm)[1] / CM_PER_MM
    return np.array([dose * hat for hat in hats(radius_mm)])


def _plain(activity: Any, nuclide: str, side_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """P° (band, z, y, x) [Gy] of the blocks' activity."""
    from scipy import fft

    decays = activity.cpu().numpy()
    octants = _plain_kernels(nuclide, side_mm)
    size = [fft.next_fast_len(n + REACH, real=True) for n in decays.shape]
    spectrum = fft.rfftn(decays, size)
    box = tuple(slice(n) for n in decays.shape)
    return np.array([fft.irfftn(spectrum * fft.rfftn(mirrored(one, size, None)), size)[box] for one in octants])


@lru_cache(maxsize=4)
def _band_spectra(nuclide: str, side_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Spectra at the bands' distances in endless soft tissue (group, band), kerma 1 in that: κ = k·this."""
    along = _endless(nuclide, side_mm)[:, 0, 0, :]
    apart = np.arange(along.shape[1]) * side_mm[2]
    centres = np.maximum(BAND_CENTRES_MM, side_mm[2])
    spectrum = np.array([np.exp(np.interp(centres, apart[1:], np.log(one[1:]))) for one in along])
    return np.asarray(spectrum / (kerma_gy_cm2(nuclide, material(REFERENCE_MATERIAL)) @ spectrum))


def _blocks(values: Any, sides: tuple[int, int, int]) -> Any:
    """(…, z, block, y, block, x, block) float64: the map in blocks; beyond its last voxels is nothing."""
    import torch

    shape = values.shape[-3:]
    behind = [n for size, side in zip(shape[::-1], sides[::-1], strict=True) for n in (0, -size % side)]
    whole = torch.nn.functional.pad(values.double(), behind)
    split = [part for n, side in zip(whole.shape[-3:], sides, strict=True) for part in (n // side, side)]
    return whole.reshape(*values.shape[:-3], *split)
