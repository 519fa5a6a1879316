"""The panel's choices for the engine monte_carlo as the library's settings, and what they lack."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.parameters import MonteCarloUntil

if TYPE_CHECKING:
    from RPTDosimetryLib.dose.monte_carlo_settings import MonteCarloSettings

ENGINE = "monte_carlo"
MILLION = 1e6
#: Decays a second and core of Lu-177 in a torso (half a minute for 1e8 on two cores): only an estimate to start with.
_DECAYS_PER_S_AND_CORE = 1.7e6
#: Voxels above 10 % of the maximum have about this error after so many decays, in the same torso.
_USUAL_ERROR, _USUAL_DECAYS = 0.01, 1e8


def settings_of(case: Case, checkpoint: Path | None = None) -> MonteCarloSettings:
    """MonteCarloSettings of the panel. Raises DoseError, TransportError for values that go nowhere together."""
    from RPTDosimetryLib.dose.monte_carlo_settings import MonteCarloSettings

    chosen = case.parameters.monteCarlo
    counted = chosen.until is MonteCarloUntil.histories
    return MonteCarloSettings(
        histories=round(MILLION * (chosen.millions if counted else chosen.atMostMillions), 0),
        target_se=None if counted else round(chosen.errorPercent / 100, 12),
        target_volumes=tuple(volumes_aimed_at(case)) if chosen.until is MonteCarloUntil.volumes else (),
        media=chosen.media.name,
        photon_share=chosen.photonShare,
        flattening=chosen.flattening,
        refine=chosen.refine,
        seed=chosen.seed,
        device=chosen.device,
        checkpoint=checkpoint,
    )


def told(case: Case) -> list[Any]:
    """What changes the result of the engine, as JSON keeps it."""
    chosen = case.parameters.monteCarlo
    until = chosen.until
    enough = chosen.millions if until is MonteCarloUntil.histories else [chosen.atMostMillions, chosen.errorPercent]
    volumes = volumes_aimed_at(case) if until is MonteCarloUntil.volumes else []
    how = [chosen.media.name, chosen.refine, chosen.seed, chosen.device, chosen.photonShare, chosen.flattening]
    return [until.name, enough, volumes, *how]


def volumes_aimed_at(case: Case) -> list[str]:
    """Names of the volumes whose error is aimed at."""
    try:
        found = json.loads(case.parameters.monteCarlo.volumes)
    except ValueError:  # written by hand
        return []
    return [str(name) for name in found] if isinstance(found, list) else []


def aim_at(case: Case, names: list[str]) -> None:
    """Choose the volumes whose error is aimed at."""
    case.parameters.monteCarlo.volumes = json.dumps(names, ensure_ascii=False)


def missing(case: Case, known: list[str]) -> list[str]:
    """Sentences that say what the engine lacks. known: names of the volumes of interest."""
    chosen, said = case.parameters.monteCarlo, []
    if chosen.device == "cuda" and (reason := no_cuda()):
        said.append(_("Monte Carlo cannot run on a GPU here. {reason} Or choose the device cpu.").format(reason=reason))
    if chosen.until is not MonteCarloUntil.volumes:
        return said
    aimed = volumes_aimed_at(case)
    gone = [name for name in aimed if name not in known]
    if case.parameters.dose.integrate == "dose_rate":
        said.append(_("Monte Carlo of dose rates has no error of volumes to reach: aim at voxels, or give decays."))
    if not aimed:
        said.append(_("Tick the volumes whose Monte Carlo error is to be reached."))
    elif gone:
        names = ", ".join(gone)
        said.append(_("There is no volume {names} whose Monte Carlo error could be reached.").format(names=names))
    return said


@cache
def no_cuda() -> str:
    """Why no GPU can be used; empty where one can. Asked once: a device does not come while the program runs."""
    try:
        from RPTDosimetryLib.transport.cuda_device import cuda_is_there
    except ImportError as error:  # numba, which Slicer does not bring along
        return _("The Python package {name} is not installed.").format(name=error.name)
    answer = cuda_is_there()
    return "" if answer.usable else answer.text


def estimate(case: Case) -> str:
    """About how long a run takes on this computer, from the rate and the error of an ordinary one."""
    chosen = case.parameters.monteCarlo
    if chosen.until is MonteCarloUntil.volumes:
        return _("The run says how long it takes as soon as it knows its error.")
    decays = MILLION * chosen.millions
    if chosen.until is MonteCarloUntil.voxels:
        decays = min(_USUAL_DECAYS * (100 * _USUAL_ERROR / chosen.errorPercent) ** 2, MILLION * chosen.atMostMillions)
    if chosen.device == "cuda":
        return _("About {decays:.2g} decays.").format(decays=decays)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    time = _time(decays / (_DECAYS_PER_S_AND_CORE * cores))
    return _("About {decays:.2g} decays: {time} on {n} cores.").format(decays=decays, time=time, n=cores)


def _time(seconds: float) -> str:
    if seconds < 90:
        return _("{n:.0f} s").format(n=max(seconds, 1))
    if seconds < 5400:
        return _("{n:.0f} min").format(n=seconds / 60)
    return _("{n:.1f} h").format(n=seconds / 3600)
