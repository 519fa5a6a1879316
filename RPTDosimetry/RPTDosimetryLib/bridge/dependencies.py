"""Packages that Slicer does not bring along: what is missing, and installing it when the user asks for it."""

from __future__ import annotations

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


def missing_packages() -> tuple[list[str], int]:
    """Requirements that are not installed, and their size together [MB]."""
    lacking = [(requirement, megabytes) for module, requirement, megabytes in NEEDED if find_spec(module) is None]
    return [requirement for requirement, _ in lacking], sum(megabytes for _, megabytes in lacking)


def install() -> None:
    """Install what is missing into Slicer's Python; Slicer asks first and shows the progress.

    Raises ConfigurationError when the user declines or the installation fails.
    """
    requirements, _ = missing_packages()
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
