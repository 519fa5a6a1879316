"""Point kernels on demand: shipped with the package, kept from an earlier run, or computed now."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.errors import PhysicsDataError, ReportError
from RPTDosimetryLib.files import user_folder
from RPTDosimetryLib.physics.materials import Material, material
from RPTDosimetryLib.physics.nuclides import Nuclide, nuclide
from RPTDosimetryLib.records import Cancelled, Progress, never, silent
from RPTDosimetryLib.transport.point_kernel import (
    PHYSICS_VERSION,
    PointKernel,
    PointKernelSettings,
    simulate_point_kernel,
)
from RPTDosimetryLib.transport.point_kernel_file import read_point_kernel, write_point_kernel

SHIPPED: Final = Path(__file__).parent / "data"
#: 20 s (Lu-177) to 50 s (Y-90) on two idle cores.
WHILE: Final = "computed now, about a minute"


def point_kernel(
    source: str | Nuclide,
    medium: str | Material,
    settings: PointKernelSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> PointKernel:
    """The point kernel of a nuclide in a material at the material's density.

    Without settings a shipped kernel is taken if its nuclide and material data are those of now; else the cache folder;
    else it is computed (a minute; is_at_hand tells before) and kept there. A damaged or unwritable cache is warned of
    and costs only time.
    """
    decaying, where = _named(source, medium)
    if settings is None:
        kept = _shipped(decaying, where)
        if kept is not None:
            return kept
    chosen = settings or PointKernelSettings()
    key = content_hash(decaying, where, chosen)
    path = _kept_path(decaying, where, key)
    if path.is_file():
        try:
            return read_point_kernel(path, key)
        except PhysicsDataError as error:
            warnings.warn(f"{error} It is computed again.", UserWarning, stacklevel=2)
    progress(0.0, f"Point kernel {decaying.name} in {where.name}: neither shipped nor kept, {WHILE}")
    kernel = simulate_point_kernel(decaying, where, chosen, progress, cancelled)
    try:
        write_point_kernel(kernel, key, path)
    except ReportError as error:
        warnings.warn(f"The point kernel is not kept for the next run: {error}", UserWarning, stacklevel=2)
    return kernel


def is_at_hand(source: str | Nuclide, medium: str | Material) -> bool:
    """Whether point_kernel(source, medium) need not compute: shipped, or kept from an earlier run, of today's data.

    A file that turns out to be damaged is computed again all the same.
    """
    decaying, where = _named(source, medium)
    key = content_hash(decaying, where, PointKernelSettings())
    return _kept_path(decaying, where, key).is_file() or _shipped(decaying, where) is not None


def content_hash(decaying: Nuclide, where: Material, settings: PointKernelSettings | None = None) -> str:
    """SHA-256 of all that a kernel depends on: emissions, material, physics version and, if given, settings.

    Numbers enter with ten significant digits: from Python 3.12 on, sum() rounds otherwise in the last ones.
    """
    beta = [list(asdict(branch).items()) for branch in decaying.betas]
    content: Mapping[str, Any] = {
        "physics_version": PHYSICS_VERSION,
        "nuclide": [decaying.name, decaying.evaluation, beta, decaying.electron_lines, decaying.photon_lines],
        "density_g_per_cm3": where.density_g_per_cm3,
        "mass_fractions": sorted(where.mass_fractions.items()),
        "mean_excitation_energy_ev": where.mean_excitation_energy_ev,
        "settings": None if settings is None else asdict(settings),
    }
    return hashlib.sha256(json.dumps(_ten_digits(content), sort_keys=True, default=str).encode()).hexdigest()


def _ten_digits(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, Mapping):
        return {name: _ten_digits(inner) for name, inner in value.items()}
    return [_ten_digits(inner) for inner in value] if isinstance(value, list | tuple) else value


def shipped_path(decaying: Nuclide, where: Material) -> Path:
    """Where the package keeps the kernel of a nuclide in a material, if it has it."""
    return SHIPPED / f"{_file_name(decaying, where)}.npz"


def _kept_path(decaying: Nuclide, where: Material, key: str) -> Path:
    return user_folder("cache") / "point_kernels" / f"{_file_name(decaying, where)}-{key[:16]}.npz"


def _named(source: str | Nuclide, medium: str | Material) -> tuple[Nuclide, Material]:
    decaying = nuclide(source) if isinstance(source, str) else source
    return decaying, material(medium) if isinstance(medium, str) else medium


def _file_name(decaying: Nuclide, where: Material) -> str:
    return f"{decaying.name}_{where.name}"


def _shipped(decaying: Nuclide, where: Material) -> PointKernel | None:
    path = shipped_path(decaying, where)
    if not path.is_file():
        return None
    try:
        return read_point_kernel(path, content_hash(decaying, where))
    except PhysicsDataError as error:
        warnings.warn(f"{error} The shipped kernel is left out.", UserWarning, stacklevel=3)
        return None
