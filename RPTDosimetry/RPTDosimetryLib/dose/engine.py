"""The door to all dose engines: their protocol, their registry and compute_dose."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from RPTDosimetryLib import dose as dose_room
from RPTDosimetryLib.dose.hybrid_settings import HybridSettings
from RPTDosimetryLib.dose.monte_carlo_settings import MonteCarloSettings
from RPTDosimetryLib.errors import CancelledError, DoseError
from RPTDosimetryLib.grid import require_same_grid
from RPTDosimetryLib.physics.media import SCHEMES, SCHNEIDER_8, MediaScheme
from RPTDosimetryLib.records import Cancelled, DoseMap, Image, PatientMap, Progress, TiaMap, Voi, never, silent

#: Share of the decays that may lie in air before a result says so.
TIA_IN_AIR_WORTH_SAYING = 1e-3
#: Engines that live in rooms further down, found by name as plug-ins are (docs/decisions/0011-plug-in-engines.md).
PLUG_INS = ("RPTDosimetryLib.learning.hybrid_engine",)


@dataclass(frozen=True)
class DoseSettings:
    """Choices of all engines; each engine reads its own and states them in the method line.

    integrate: what is integrated over time, the activity before the engine or the dose rate after it (dose_rate.py).
    ssv_material, ssv_density_g_per_cm3: the one kernel of ssv. msv_unscaled: the papers' plain form, whole kernels at
    reference density without the rule D_e·ρ_ref/ρ.
    """

    engine: str = "msv8"
    integrate: Literal["activity", "dose_rate"] = "activity"
    ssv_material: str = "soft_tissue"
    ssv_density_g_per_cm3: float = 1.04
    msv_unscaled: bool = False
    monte_carlo: MonteCarloSettings = field(default_factory=MonteCarloSettings)
    hybrid: HybridSettings = field(default_factory=HybridSettings)


#: Called on the way, by engines that get better with time, with the dose so far and its standard error [Gy].
Interim = Callable[[Image, Image], None]


@dataclass(frozen=True)
class DoseTask:
    """What an engine is given: checked input on one grid, the settings, and ways to report and to stop.

    vois: volumes whose mean dose is wanted with its statistical error, where the engine has one.
    """

    tia: TiaMap
    patient: PatientMap
    nuclide: str
    settings: DoseSettings
    progress: Progress = silent
    cancelled: Cancelled = never
    vois: Sequence[Voi] = ()
    interim: Interim | None = None

    def step(self, fraction: float, text: str) -> None:
        """Report, or raise CancelledError when the user asked to stop."""
        if self.cancelled():
            raise CancelledError("The dose calculation was stopped; nothing was written.")
        self.progress(fraction, text)


@dataclass(frozen=True)
class EngineResult:
    """Dose per voxel [Gy, float32 (z, y, x)] and the line that says how it came about.

    standard_error_gy, region_errors_gy: statistical errors of voxels and of the means of volumes, where there are any.
    extra_maps: what else the engine can show, by name: (values (z, y, x), unit).
    """

    dose_gy: np.ndarray
    method: str
    warnings: Sequence[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    standard_error_gy: np.ndarray | None = None
    region_errors_gy: Mapping[str, float] = field(default_factory=dict)
    extra_maps: Mapping[str, tuple[np.ndarray, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class EngineDescription:
    """What a user reads before choosing an engine: one line on what it gives, one on what it costs."""

    gives: str
    costs: str = ""


Engine = Callable[[DoseTask], EngineResult]
_ENGINES: dict[str, Engine] = {}
_DESCRIPTIONS: dict[str, EngineDescription] = {}


def dose_engine(name: str, gives: str = "", costs: str = "") -> Callable[[Engine], Engine]:
    """Register a function as the engine ``name``; a file of this room that does so is found by itself.

    gives, costs: its description; left out, the first line of the function's docstring says what it gives.
    """

    def register(engine: Engine) -> Engine:
        _ENGINES[name] = engine
        _DESCRIPTIONS[name] = EngineDescription(gives or (engine.__doc__ or name).strip().splitlines()[0], costs)
        return engine

    return register


def engine_description(name: str) -> EngineDescription:
    """What an engine gives and costs. Raises DoseError for an engine that does not exist."""
    if name not in engine_names():
        raise DoseError(f"There is no dose engine {name!r}. Choose one of: {', '.join(engine_names())}.")
    return _DESCRIPTIONS[name]


def engine_names() -> tuple[str, ...]:
    """All engines of this installation, in alphabetical order."""
    for module in pkgutil.iter_modules(dose_room.__path__):
        importlib.import_module(f"{dose_room.__name__}.{module.name}")
    for name in PLUG_INS:
        importlib.import_module(name)
    return tuple(sorted(_ENGINES))


def scheme_of(engine: str, settings: DoseSettings | None = None) -> MediaScheme:
    """The media by which the patient of an engine is to be mapped: its own, those that monte_carlo is told to take, or
    msv8's where an engine only asks for air.
    """
    if engine == "monte_carlo":
        return SCHEMES[(settings or DoseSettings()).monte_carlo.media]
    return SCHEMES.get(engine, SCHNEIDER_8)


def media_wanted(settings: DoseSettings) -> tuple[MediaScheme, int]:
    """How an engine wants the patient mapped: by which media, and on how many times finer voxels along each axis."""
    refine = settings.monte_carlo.refine if settings.engine == "monte_carlo" else 1
    return scheme_of(settings.engine, settings), refine


def compute_dose(
    tia: TiaMap,
    patient: PatientMap,
    nuclide: str,
    settings: DoseSettings,
    progress: Progress = silent,
    cancelled: Cancelled = never,
    vois: Sequence[Voi] = (),
    interim: Interim | None = None,
) -> DoseMap:
    """Absorbed dose [Gy] on the grid of the TIA map; air voxels (medium 0) get 0 Gy.

    vois: their mean doses get a statistical error where the engine has one. interim: shown the dose so far on the way.
    Raises DoseError (unknown engine, a patient mapped with another engine's media, NaN or negative TIA, no activity at
    all, tissue without density),
    GridMismatchError (patient map on another grid), PhysicsDataError (unknown nuclide), CancelledError.
    """
    known = engine_names()
    if settings.engine not in known:
        raise DoseError(f"There is no dose engine {settings.engine!r}. Choose one of: {', '.join(known)}.")
    _check(tia, patient)
    _require_media_of(settings.engine, patient)
    task = DoseTask(tia, patient, nuclide, settings, progress, cancelled, vois, interim)
    task.step(0.0, f"Dose by {settings.engine}")
    result = _ENGINES[settings.engine](task)
    error = result.standard_error_gy
    return DoseMap(
        image=_in_tissue(result.dose_gy, patient, tia),
        standard_error=None if error is None else _in_tissue(error, patient, tia),
        region_errors_gy=result.region_errors_gy,
        extra_maps={name: tia.image.with_voxels(v, unit) for name, (v, unit) in result.extra_maps.items()},
        engine=settings.engine,
        method=f"{result.method} Density: {patient.source}. Air voxels: 0 Gy.",
        nuclide=nuclide,
        warnings=(*tia.warnings, *patient.warnings, *result.warnings, *_tia_in_air(tia, patient)),
        parameters=result.parameters,
    )


def _in_tissue(gray: np.ndarray, patient: PatientMap, tia: TiaMap) -> Image:
    """Doses of an engine as an image, 0 in air."""
    tissue = np.where(patient.medium > 0, gray, np.float32(0.0))
    return tia.image.with_voxels(tissue.astype(np.float32, copy=False), "Gy")


def _check(tia: TiaMap, patient: PatientMap) -> None:
    require_same_grid(tia.image.grid, patient.density.grid, "Time-integrated activity and density")
    if tia.image.unit != "Bq·s":
        raise DoseError(f"The TIA map is in {tia.image.unit!r}, not in Bq·s per voxel. Integrate the activity first.")
    lowest, highest = float(tia.image.voxels.min()), float(tia.image.voxels.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise DoseError("The TIA map holds voxels that are NaN or infinite. Repair the map first.")
    if lowest < 0.0:
        negative = int(np.count_nonzero(tia.image.voxels < 0.0))
        raise DoseError(
            f"The TIA map holds {negative} negative voxels (lowest {lowest:.4g} Bq·s): decays cannot be negative. "
            "Check the images and the time-activity model."
        )
    if highest == 0.0:
        raise DoseError("The TIA map is zero everywhere: no activity, no dose. Check that the right image was given.")
    density = patient.density.voxels
    if not np.isfinite(density).all() or bool((density[patient.medium > 0] <= 0.0).any()):
        raise DoseError("The density map holds tissue voxels of zero, negative or undefined density. Check the CT.")


def _require_media_of(engine: str, patient: PatientMap) -> None:
    """Media given by label go with every engine; media by HU are those of the engine's own bins."""
    if engine in SCHEMES and patient.media is None and patient.scheme != engine:
        raise DoseError(
            f"Engine {engine} needs the patient in its own media, but the map has those of {patient.scheme!r}. Map the "
            f"patient with the scheme of {engine} (scheme_of)."
        )


def _tia_in_air(tia: TiaMap, patient: PatientMap) -> tuple[str, ...]:
    total = float(tia.image.voxels.sum(dtype=np.float64))
    in_air = float(tia.image.voxels[patient.medium == 0].sum(dtype=np.float64)) / total
    if in_air < TIA_IN_AIR_WORTH_SAYING:
        return ()
    return (f"{100 * in_air:.2g} % of the decays lie in voxels of air, where no dose is given.",)
