"""Packages that Slicer does not bring along: what is missing, and installing it when the user asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from subprocess import CalledProcessError

import slicer

from RPTDosimetryLib.errors import ConfigurationError

#: Module, requirement (a test compares with requirements.txt) and size on disk with what it pulls in [MB].
NEEDED = (
    ("pydantic", "pydantic>=2.9", 15),
    ("numba", "numba>=0.61", 200),
    ("skimage", "scikit-image>=0.24", 75),
    ("matplotlib", "matplotlib>=3.9", 35),
    ("highdicom", "highdicom>=0.27", 10),
    ("jinja2", "jinja2>=3.1", 2),
    ("reportlab", "reportlab>=4.2", 10),
)
#: The same for networks (the engine hybrid): the extra dl of pyproject.toml (a test compares).
FOR_NETWORKS = (
    ("torch", "torch>=2.6", 800),
    ("monai", "monai>=1.5", 20),
    ("einops", "einops>=0.8", 1),
    ("safetensors", "safetensors>=0.5", 2),
)


def missing_packages(needed: Sequence[tuple[str, str, int]] | None = None) -> tuple[list[str], int]:
    """Requirements (of NEEDED, or of another list) that are not installed, and their size together [MB]."""
    listed = NEEDED if needed is None else needed
    lacking = [(requirement, megabytes) for module, requirement, megabytes in listed if find_spec(module) is None]
    return [requirement for requirement, _ in lacking], sum(megabytes for _, megabytes in lacking)


def install_for_networks() -> None:
    """Install what networks need; torch by the extension PyTorch where it is there, as it knows the graphics card.

    Raises ConfigurationError when the user declines or the installation fails.
    """
    if find_spec("torch") is None and find_spec("PyTorchUtils") is not None:
        from PyTorchUtils import PyTorchUtilsLogic

        wanted = next(requirement for module, requirement, _ in FOR_NETWORKS if module == "torch")
        version = wanted.removeprefix("torch")
        if PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=version) is None:
            raise ConfigurationError("Torch was not installed: press Install again when you want it.")
    install(FOR_NETWORKS)


def install(needed: Sequence[tuple[str, str, int]] | None = None) -> None:
    """Install what is missing into Slicer's Python; Slicer asks first and shows the progress.

    Raises ConfigurationError when the user declines or the installation fails.
    """
    requirements, _ = missing_packages(needed)
    if not requirements:
        return
    try:
        try:
            from slicer.packaging import pip_ensure  # Slicer does not import it by itself
        except ImportError:
            slicer.util.pip_install(requirements)
        else:
            pip_ensure(requirements, requester="RPT Dosimetry")
    except (RuntimeError, CalledProcessError) as error:  # declined, or no network
        raise ConfigurationError(
            f"The packages were not installed ({error}): try again when there is a network."
        ) from error
