"""Whether a CUDA device can be used, and if not, what is missing."""

from __future__ import annotations

from typing import NamedTuple

from numba import config

from RPTDosimetryLib.errors import TransportError


class DeviceAnswer(NamedTuple):
    """usable; text: the device's name, or what is missing and what to do."""

    usable: bool
    text: str


def cuda_is_there() -> DeviceAnswer:
    """Whether the Monte Carlo can run on a CUDA device here."""
    try:
        from numba import cuda
        from numba.cuda.cudadrv import nvvm
    except ImportError as error:
        return DeviceAnswer(False, f"numba has no CUDA target ({error}): install the package numba-cuda.")
    if config.ENABLE_CUDASIM:
        return DeviceAnswer(bool(config.DISABLE_JIT), _SIMULATOR[bool(config.DISABLE_JIT)])
    return _driver_and_device(cuda) or _toolkit(nvvm) or DeviceAnswer(True, _name(cuda))


def require_cuda() -> str:
    """Name of the device. Raises TransportError where there is none that can be used."""
    answer = cuda_is_there()
    if not answer.usable:
        raise TransportError(f"The Monte Carlo cannot run on a GPU (device cuda). {answer.text} Or choose device cpu.")
    return answer.text


_SIMULATOR = {
    True: "Numba's simulator of a device (one slow thread, for tests)",
    False: "NUMBA_ENABLE_CUDASIM is set without NUMBA_DISABLE_JIT, and the simulator needs both: set or remove both.",
}


def _driver_and_device(cuda) -> DeviceAnswer | None:  # type: ignore[no-untyped-def]
    """What is missing of these, if anything."""
    try:
        if len(cuda.gpus) > 0:
            return None
    except Exception as error:  # CudaSupportError, or the driver's own
        return DeviceAnswer(
            False, f"No NVIDIA driver answers ({_said(error)}): install the driver of the card and restart."
        )
    return DeviceAnswer(False, "The NVIDIA driver sees no device: check CUDA_VISIBLE_DEVICES and that a card is there.")


def _toolkit(nvvm) -> DeviceAnswer | None:  # type: ignore[no-untyped-def]
    """What is missing to compile for the device, if anything."""
    try:
        nvvm.NVVM()
    except Exception as error:  # NvvmSupportError, or a library that cannot be loaded
        return DeviceAnswer(
            False,
            f"libNVVM of the CUDA toolkit is missing ({_said(error)}): install the toolkit or set CUDA_HOME to it.",
        )
    return None


def _said(error: Exception) -> str:
    """The message in one line, without the end of its sentence."""
    return " ".join(str(error).split()).rstrip(" .:")


def _name(cuda) -> str:  # type: ignore[no-untyped-def]
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
    major, minor = device.compute_capability
    return f"{name}, compute capability {major}.{minor}"
