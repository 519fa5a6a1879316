"""Voxel S value engines: one kernel for the whole patient (ssv) or one per medium with the density rule (msv8, 20)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from RPTDosimetryLib.dose.convolution import Box, convolve, source_spectrum
from RPTDosimetryLib.dose.engine import DoseTask, EngineResult, dose_engine
from RPTDosimetryLib.grid import Grid, Vector3
from RPTDosimetryLib.physics.materials import Material, known_materials, material
from RPTDosimetryLib.physics.media import media_scheme
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import part_of

if TYPE_CHECKING:
    from RPTDosimetryLib.transport.voxel_kernels import VoxelSKernel

#: Compositions are published to 0.1 %; a mean excitation energy off by 0.5 % moves a stopping power by less than 0.1 %.
SAME_COMPOSITION, SAME_ENERGY = 1e-4, 5e-3


@dataclass(frozen=True)
class MediumKernel:
    """The kernel of one medium of the scheme at its reference density, and the box of voxels where it occurs."""

    index: int
    voxels: int
    box: Box
    kernel: VoxelSKernel


@dose_engine(
    "ssv",
    gives="one kernel of soft tissue for all voxels: for homogeneous regions",
    costs="seconds",
)
def single_voxel_s(task: DoseTask) -> EngineResult:
    """D = Ã ⊗ (S_electron + S_photon) with one kernel, whatever the density of the patient."""
    settings = task.settings
    computed = _said_before_computing(task, [material(settings.ssv_material)])
    kernel = kernel_for(task, material(settings.ssv_material), settings.ssv_density_g_per_cm3)
    task.step(0.3, f"Convolving with {kernel.material}")
    octant = kernel.total
    dose_gy = convolve(source_spectrum(task.tia.image.voxels, octant.shape), octant)
    method = (
        f"SSV: one {kernel.nuclide} kernel of {kernel.material} at {kernel.density_g_per_cm3:g} g/cm3, unscaled; "
        f"{_reach(kernel)}."
    )
    return EngineResult(np.maximum(dose_gy, 0.0), method, computed, {"kernels": [_stated(kernel)]})


@dose_engine(
    "msv8",
    gives="a kernel for each of 8 media by the CT: the usual choice",
    costs="seconds",
)
@dose_engine("msv20", gives="as msv8 with 20 media: finer in soft tissue, marrow and bone", costs="seconds to a minute")
def multiple_voxel_s(task: DoseTask) -> EngineResult:
    """D = (ρ_ref/ρ)·(Ã ⊗ S_electron,m) + Ã ⊗ S_photon,m where medium m is; unscaled: D = Ã ⊗ (S_e + S_p),m.

    msv8 and msv20 differ in the media of the patient alone. Lee et al. 2018 give the plain form; the electron part
    scales because its range is far below a voxel, so that the energy stays in the voxel and only its mass changes
    (docs/physics/voxel-s.md).
    """
    media, computed = _kernels(task)
    unscaled = task.settings.msv_unscaled
    dose_gy = _unscaled_dose(task, media) if unscaled else _scaled_dose(task, media)[0]
    named = ", ".join(f"{m.kernel.material} {m.kernel.density_g_per_cm3:g}" for m in media)
    rule = "kernels as they are (unscaled)" if unscaled else "electron part times ρ_ref/ρ_voxel, photon part as it is"
    largest = max((m.kernel for m in media), key=lambda kernel: kernel.electron.size)
    method = (
        f"MSV, {len(media)} media of {task.patient.scheme} occur (kernel and its density in g/cm3: {named}), "
        f"{largest.nuclide}; {rule}; {_reach(largest)}."
    )
    parameters = {"kernels": [{**_stated(m.kernel), "voxels": m.voxels} for m in media], "unscaled": unscaled}
    return EngineResult(dose_gy, method, computed, parameters)


def dose_and_photon_part(task: DoseTask) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The scaled MSV dose [Gy] as the engine gives it, and Ã ⊗ S_photon,m alone, both from one set of convolutions."""
    media, _ = _kernels(task)
    return _scaled_dose(task, media)


def kernel_for(
    task: DoseTask, filling: Material, density_g_per_cm3: float, part: tuple[float, float] = (0.0, 0.3)
) -> VoxelSKernel:
    """The kernel of a material for the voxels and the extent of the task's image, from the cache where possible.

    A material of the composition of a known one takes that one's point kernel, scaled to its own density. part: from
    where to where the progress runs meanwhile.
    """
    from RPTDosimetryLib.transport.kernel_cache import cached_voxel_s_kernel
    from RPTDosimetryLib.transport.point_kernel_library import point_kernel
    from RPTDosimetryLib.transport.voxel_kernels import photon_reach

    grid = task.tia.image.grid
    progress = part_of(task.progress, *part)
    point = point_kernel(nuclide(task.nuclide).name, _known_alike(filling), None, progress, task.cancelled)
    voxel_mm = _sides_mm(grid)
    return cached_voxel_s_kernel(
        point, density_g_per_cm3, voxel_mm, reach_photon=photon_reach(voxel_mm, grid.shape_zyx)
    )


def _kernels(task: DoseTask) -> tuple[list[MediumKernel], tuple[str, ...]]:
    """Only the media that occur, air has none; and what had to be computed first."""
    scheme = task.patient.media or media_scheme(task.patient.scheme)
    medium = task.patient.medium
    counts = np.bincount(medium.ravel(), minlength=2)
    boxes = scipy.ndimage.find_objects(medium)
    found = []
    occurring = np.flatnonzero(counts[1:]) + 1
    computed = _said_before_computing(task, [scheme.medium(int(index)).material for index in occurring])
    for index in occurring:
        this = scheme.medium(int(index))
        part = 0.3 * (index - 1) / (counts.size - 1), 0.3 * index / (counts.size - 1)
        task.step(part[0], f"Kernel of {this.material.name}")
        kernel = kernel_for(task, this.material, this.reference_density_g_per_cm3, part)
        found.append(MediumKernel(int(index), int(counts[index]), boxes[index - 1], kernel))
    return found, computed


def _said_before_computing(task: DoseTask, fillings: list[Material]) -> tuple[str, ...]:
    """Which point kernels must be computed and how long that takes: on the screen at once, and in the result."""
    from RPTDosimetryLib.transport.point_kernel_library import is_at_hand

    needed = {known.name: known for known in map(_known_alike, fillings)}
    missing = [name for name, known in needed.items() if not is_at_hand(task.nuclide, known)]
    if not missing:
        return ()
    many = f"{len(missing)} point kernel{'s' * (len(missing) > 1)} of {task.nuclide} ({', '.join(missing)})"
    task.step(0.0, f"{many} not at hand: about {len(missing)} min to compute, kept for later runs")
    warnings.warn(
        f"{many}: neither shipped nor kept from an earlier run. Computing takes about a minute each on two cores; they "
        "are then kept.",
        UserWarning,
        stacklevel=2,
    )
    return (f"{many} computed for this run, as none was shipped.",)


def _known_alike(filling: Material) -> Material:
    """The built-in material of the same composition and mean excitation energy, if there is one."""
    for known in map(material, known_materials()):
        symbols = set(known.mass_fractions) | set(filling.mass_fractions)
        apart = max(abs(known.mass_fractions.get(s, 0.0) - filling.mass_fractions.get(s, 0.0)) for s in symbols)
        energy = filling.mean_excitation_energy_ev / known.mean_excitation_energy_ev
        if apart < SAME_COMPOSITION and abs(energy - 1.0) < SAME_ENERGY:
            return known
    return filling


def _scaled_dose(task: DoseTask, media: list[MediumKernel]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The dose, and its photon part alone."""
    tia, density = task.tia.image.voxels, task.patient.density.voxels
    near = source_spectrum(tia, _largest([m.kernel.electron for m in media]))
    far = source_spectrum(tia, _largest([m.kernel.photon for m in media]))
    dose_gy, photon_gy = np.zeros((2, *tia.shape), dtype=np.float32)
    for done, m in enumerate(media):
        task.step(0.3 + 0.7 * done / len(media), f"Convolving with {m.kernel.material}")
        here = task.patient.medium[m.box] == m.index
        electron = convolve(near, m.kernel.electron, m.box)
        photon = convolve(far, m.kernel.photon, m.box)
        scale = np.float32(m.kernel.density_g_per_cm3) / density[m.box][here]
        dose_gy[m.box][here] = np.maximum(electron[here] * scale + photon[here], 0.0)
        photon_gy[m.box][here] = np.maximum(photon[here], 0.0)
    return dose_gy, photon_gy


def _unscaled_dose(task: DoseTask, media: list[MediumKernel]) -> NDArray[np.float32]:
    tia = task.tia.image.voxels
    octants = [m.kernel.total for m in media]
    source = source_spectrum(tia, _largest(octants))
    dose_gy = np.zeros(tia.shape, dtype=np.float32)
    for done, (m, octant) in enumerate(zip(media, octants, strict=True)):
        task.step(0.3 + 0.7 * done / len(media), f"Convolving with {m.kernel.material}")
        here = task.patient.medium[m.box] == m.index
        dose_gy[m.box][here] = np.maximum(convolve(source, octant, m.box)[here], 0.0)
    return dose_gy


def _largest(octants: list[NDArray[np.float64]]) -> tuple[int, ...]:
    return tuple(np.max([octant.shape for octant in octants], axis=0).tolist())


def _sides_mm(grid: Grid) -> Vector3:
    """Voxel sides without the rounding noise of headers, so that equal scans share their kernels."""
    x, y, z = (round(mm, 5) for mm in grid.spacing_mm)
    return x, y, z


def _reach(kernel: VoxelSKernel) -> str:
    parts = []
    for name, octant in (("electrons", kernel.electron), ("photons", kernel.photon)):
        voxels = [n - 1 for n in octant.shape[::-1]]
        far_mm = max(n * mm for n, mm in zip(voxels, kernel.voxel_mm, strict=True))
        parts.append(f"{name} {', '.join(map(str, voxels))} voxels each way in x, y, z (up to {far_mm:.0f} mm)")
    return "reach: " + "; ".join(parts)


def _stated(kernel: VoxelSKernel) -> dict[str, object]:
    return {
        "nuclide": kernel.nuclide,
        "material": kernel.material,
        "density_g_per_cm3": kernel.density_g_per_cm3,
        "voxel_mm": list(kernel.voxel_mm),
        "self_mgy_per_mbq_s": float(kernel.electron[0, 0, 0] + kernel.photon[0, 0, 0]) * 1e9,
        "electron_reach_voxels": [n - 1 for n in kernel.electron.shape[::-1]],
        "photon_reach_voxels": [n - 1 for n in kernel.photon.shape[::-1]],
    }
