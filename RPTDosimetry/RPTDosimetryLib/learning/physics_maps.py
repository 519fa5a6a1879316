"""Maps that physics makes of a patient's others, for the networks that read them: the same in training and use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.learning.electron_paths import traced_electrons
from RPTDosimetryLib.learning.maps import Maps
from RPTDosimetryLib.learning.photon_bands import photon_bands, soft_kernels
from RPTDosimetryLib.learning.photon_transport import transported_photons
from RPTDosimetryLib.transport.cuda_device import cuda_is_there

if TYPE_CHECKING:
    from RPTDosimetryLib.physics.media import Medium

#: Their names.
MADE = ("electrons", "bands", "photons")


def with_physics(
    maps: Maps, nuclide: str, spacing_mm: Vector3, media: Sequence[Medium], needs: Sequence[str] = MADE
) -> dict[str, Any]:
    """The maps (channel, z, y, x) and those of MADE that are needed, from TIA, CT and the parts of MSV.

    media: of the scheme that the map of media has its indices from.
    """
    x, y, z = (round(float(mm), 5) for mm in spacing_mm)
    answer = dict(maps)
    if not set(MADE) & set(needs):
        return answer
    kernels = soft_kernels(nuclide, (x, y, z))
    tia, density, tissue = (maps[name][0] for name in ("tia", "density", "tissue"))
    traced, ways = _sums_on(tia.device)
    if "electrons" in needs:
        electron_msv = (maps["msv8"] - maps["photon_msv"])[0]
        answer["electrons"] = traced_electrons(tia, density, tissue, electron_msv, kernels, traced)[None]
    if "bands" in needs or "photons" in needs:
        answer["bands"] = photon_bands(tia, kernels)
    if "photons" in needs:
        answer["photons"] = transported_photons(maps, answer["bands"], media, kernels, ways)[None]
    return answer


def _sums_on(device: Any) -> tuple[Any, Any]:
    """What follows rays and ways on the GPU of the maps, where numba can use it; Nones for the cores."""
    if device.type != "cuda" or not cuda_is_there().usable:
        return None, None
    from RPTDosimetryLib.learning.gpu_sums import trace_on_gpu, ways_on_gpu

    return trace_on_gpu, ways_on_gpu
