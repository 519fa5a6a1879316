"""Torch where it is installed, and the device that was asked for: never another one in its place."""

from __future__ import annotations

import importlib.util
from typing import Any

from RPTDosimetryLib.errors import LearningError

INSTALL = 'Install the extra: pip install "slicer-rpt-dosimetry[dl]".'


def require_torch() -> Any:
    """The torch module. Raises LearningError where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise LearningError(f"Networks need torch, which is not installed. {INSTALL}")
    import torch

    return torch


def quick_on_gpu(module: Any) -> Any:
    """The same module, weights of its 3-D convolutions in the order of memory that a GPU takes fastest.

    Its other tensors keep theirs: torch refuses that order for those of four axes, such as kernels kept as buffers.
    """
    torch = require_torch()
    for part in module.modules():
        if isinstance(part, torch.nn.Conv3d | torch.nn.ConvTranspose3d):
            part.to(memory_format=torch.channels_last_3d)
    return module


def device_of(name: str) -> Any:
    """torch.device of cpu, cuda or cuda:N. Raises LearningError for a device that is not there."""
    torch = require_torch()
    if name.startswith("cuda"):
        if not torch.cuda.is_available():
            raise LearningError(f'device = "{name}", but torch finds no CUDA GPU here. Use device = "cpu".')
        if ":" in name and int(name.split(":")[1]) >= torch.cuda.device_count():
            raise LearningError(f'device = "{name}", but there are only {torch.cuda.device_count()} GPUs.')
    elif name != "cpu":
        raise LearningError(f"device = {name!r}: choose cpu, cuda or cuda:N.")
    return torch.device(name)
