"""Maps that physics makes of a patient's others, for the networks that read them: the same in training and use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.learning.electron_paths import traced_electrons
from RPTDosimetryLib.learning.far_photons import far_photons
from RPTDosimetryLib.learning.maps import Maps
from RPTDosimetryLib.learning.photon_bands import photon_bands, soft_kernels
from RPTDosimetryLib.transport.cuda_device import cuda_is_there

#: Their names.
MADE = ("electrons", "bands", "far")


def with_physics(maps: Maps, nuclide: str, spacing_mm: Vector3, needs: Sequence[str] = MADE) -> dict[str, Any]:
    """The maps (channel, z, y, x) and those of MADE that are needed, from TIA, density, tissue and the parts of MSV."""
    x, y, z = (round(float(mm), 5) for mm in spacing_mm)
    wanted = [name for name in MADE if name in needs]
    if not wanted:
        return dict(maps)
    kernels = soft_kernels(nuclide, (x, y, z))
    tia, density, tissue = (maps[name][0] for name in ("tia", "density", "tissue"))
    electron_msv = (maps["msv8"] - maps["photon_msv"])[0]
    traced, summed = _sums_on(tia.device)
    make = {
        "electrons": lambda: traced_electrons(tia, density, tissue, electron_msv, kernels, traced)[None],
        "bands": lambda: photon_bands(tia, kernels),
        "far": lambda: far_photons(tia, density, tissue, kernels, summed)[None],
    }
    return {**maps, **{name: make[name]() for name in wanted}}


def _sums_on(device: Any) -> tuple[Any, Any]:
    """What follows rays and sums pairs on the GPU of the maps, where numba can use it; Nones for the cores."""
    if device.type != "cuda" or not cuda_is_there().usable:
        return None, None
    from RPTDosimetryLib.learning.gpu_sums import pairs_on_gpu, trace_on_gpu

    return trace_on_gpu, pairs_on_gpu
