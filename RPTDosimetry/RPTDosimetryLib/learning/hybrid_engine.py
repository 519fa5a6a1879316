"""The engine "hybrid": MSV-8 corrected by an ensemble of networks; plain MSV-8 where they may not be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.dose.engine import DoseTask, EngineResult, dose_engine
from RPTDosimetryLib.dose.voxel_s import msv_with_photons
from RPTDosimetryLib.errors import DoseError
from RPTDosimetryLib.learning.correction import Correction, correction_of
from RPTDosimetryLib.learning.guard import GuardAnswer, features_of, guarded
from RPTDosimetryLib.learning.model_file import Model, read_model
from RPTDosimetryLib.learning.other_spacing import carried_over, on_spacing
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import part_of

#: Voxel sides that differ by less from the training's count as the same; those beyond are not carried over.
SAME_SPACING: Final = 0.05
FINEST, COARSEST = 0.4, 1.5


@dataclass(frozen=True)
class Suitability:
    """Whether a model may correct a task: reasons against it, what is to be said, whether nuclide and voxels are its.

    Another nuclide is never corrected: electrons and photons of the model's own would take the place of MSV.
    """

    against: tuple[str, ...]
    said: tuple[str, ...]
    own_nuclide: bool
    own_voxels: bool
    guard: GuardAnswer


@dose_engine(
    "hybrid",
    gives="msv8 led towards Monte Carlo by a network: better in lungs, bones and at their borders",
    costs="seconds, needs torch",
)
def hybrid(task: DoseTask) -> EngineResult:
    """D = max(MSV + bounded correction, 0), mean of the members; MSV where the model does not fit, with the reason.

    Raises LearningError (torch or model missing, damaged weights, no GPU), DoseError (msv_unscaled).
    """
    if task.settings.msv_unscaled:
        raise DoseError("Engine hybrid corrects MSV with its density rule: leave msv_unscaled out.")
    chosen = task.settings.hybrid
    task.step(0.0, "Reading the model")
    model = read_model(chosen.model, chosen.device)
    base, photon_gy = msv_with_photons(replace(task, progress=part_of(task.progress, 0.05, 0.6)))
    assert photon_gy is not None
    fits = _suitability(task, model)
    if not fits.own_nuclide or (fits.against and chosen.when_outside == "msv"):
        return _plain(base, model, fits)
    task.step(0.6, f"Correcting with {model.card['name']}")
    if fits.own_voxels:
        found = correction_of(model, task, base.dose_gy, photon_gy)
    else:
        found = _carried_over(model, task, base.dose_gy)
    return _corrected(task, base, model, fits, found)


def _suitability(task: DoseTask, model: Model) -> Suitability:
    card, grid = model.card, task.tia.image.grid
    tissue = task.patient.medium > 0
    guard = guarded(_features(task, model, tissue), card["guard"])
    against, said = [], []
    own_nuclide = nuclide(task.nuclide).name == nuclide(card["nuclide"]).name
    if not own_nuclide:
        against.append(f"it was trained on {card['nuclide']}, not on {task.nuclide}")
    ratio = np.divide(grid.spacing_mm, card["spacing_mm"])
    own = bool(np.abs(ratio - 1.0).max() <= SAME_SPACING)
    if not own and not (ratio.min() >= FINEST and ratio.max() <= COARSEST):
        against.append(f"its voxels are {_sides(card['spacing_mm'])}, these {_sides(grid.spacing_mm)}: too different")
    if not guard.fit_anatomy:
        against.append("the anatomy is unlike the training's: " + "; ".join(guard.reasons))
    elif guard.reasons:
        said.append(f"Hybrid dose: guard says {guard.verdict}: {'; '.join(guard.reasons)}.")
    return Suitability(tuple(against), tuple(said), own_nuclide, own, guard)


def _features(task: DoseTask, model: Model, tissue: NDArray[np.bool_]) -> Mapping[str, float]:
    """Of the guard; on other voxels their size is judged by the engine, which carries the correction over."""
    grid = task.tia.image.grid
    features = features_of(task.patient.density.voxels, tissue, task.tia.image.voxels, grid.spacing_mm)
    return {**features, "voxel_mm": float(np.mean(model.card["spacing_mm"]))}


def _carried_over(model: Model, task: DoseTask, msv_gy: NDArray[np.float32]) -> Correction:
    """The relative correction on voxels of the model's own size, brought back onto this grid."""
    coarse = on_spacing(task, tuple(model.card["spacing_mm"]))
    base, photon_gy = msv_with_photons(replace(coarse, progress=part_of(task.progress, 0.6, 0.7)))
    assert photon_gy is not None
    found = correction_of(model, coarse, base.dose_gy, photon_gy)
    return carried_over(found, base.dose_gy, coarse.tia.image.grid, msv_gy, task)


def _corrected(task: DoseTask, base: EngineResult, model: Model, fits: Suitability, found: Correction) -> EngineResult:
    card = model.card
    dose_gy = np.maximum(base.dose_gy + found.correction_gy, 0.0).astype(np.float32)
    forced = tuple(f"Hybrid dose used although {reason}." for reason in fits.against)
    over = "" if fits.own_voxels else f" Relative correction from voxels of {_sides(card['spacing_mm'])}, carried over."
    hu = " CT numbers from density through the HU curve's inverse." if "hu" in model.kind.needs else ""
    physics = f", on top of {model.kind.physics}" if model.kind.physics else ""
    bound = card.get("limits", {}).get("bound", "")
    method = (
        f"Hybrid: MSV-8 plus the correction of {len(model.modules)} networks {card['network']}{physics} "
        f"(model {card['name']}, {_identity(card)}){f', {bound}' if bound else ''}; "
        f"guard: {fits.guard.verdict}.{over}{hu} Base: {base.method}"
    )
    maps = {"correction_gy": (found.correction_gy, "Gy"), **{n: (v, u) for n, (v, u) in found.attribution.items()}}
    if found.member_sd_gy is not None:
        maps["member_sd_gy"] = (found.member_sd_gy, "Gy")
    parameters = {
        **base.parameters,
        "model": _told(card),
        "guard": _guard_told(fits.guard),
        "fell_back": False,
        "volumes": _volumes(task, base.dose_gy, dose_gy, found),
    }
    return EngineResult(
        dose_gy, method, (*base.warnings, *forced, *fits.said, *found.said), parameters, extra_maps=maps
    )


def _plain(base: EngineResult, model: Model, fits: Suitability) -> EngineResult:
    """MSV-8 with the reasons why it was not corrected."""
    reasons = "; ".join(fits.against)
    said = f"Hybrid dose not computed, this is MSV-8: model {model.card['name']} does not fit, as {reasons}."
    parameters = {
        **base.parameters,
        "model": _told(model.card),
        "guard": _guard_told(fits.guard),
        "fell_back": True,
        "reasons": list(fits.against),
    }
    method = f"MSV-8 in place of the hybrid ({reasons}). {base.method}"
    return EngineResult(base.dose_gy, method, (*base.warnings, said), parameters)


def _volumes(
    task: DoseTask, msv_gy: NDArray[np.float32], dose_gy: NDArray[np.float32], found: Correction
) -> Mapping[str, Any]:
    """Mean dose of each volume, MSV's, and the spread of the members' means (1 SD) [Gy], energy per mass."""
    density, tissue = task.patient.density.voxels, task.patient.medium > 0
    answer = {}
    for voi in task.vois:
        inside = voi.mask & tissue
        if not inside.any():
            continue
        mass = density[inside].astype(np.float64)
        means = [float(np.average(member[inside], weights=mass)) for member in found.members_gy]
        answer[voi.name] = {
            "mean_gy": float(np.average(dose_gy[inside], weights=mass)),
            "msv_mean_gy": float(np.average(msv_gy[inside], weights=mass)),
            "member_sd_gy": float(np.std(means, ddof=1)) if len(means) > 1 else None,
        }
    return answer


def _told(card: Mapping[str, Any]) -> dict[str, Any]:
    """What of the card goes into the record of a dose."""
    kept = ("name", "network", "purpose", "figures", "licence", "made", "spacing_mm", "nuclide")
    hashes = {entry["file"]: entry["sha256"] for entry in card["members"]}
    return {**{key: card[key] for key in kept if key in card}, "sha256": hashes}


def _guard_told(guard: GuardAnswer) -> dict[str, Any]:
    return {"verdict": guard.verdict, "reasons": list(guard.reasons), "features": dict(guard.features)}


def _identity(card: Mapping[str, Any]) -> str:
    return "SHA-256 " + ", ".join(entry["sha256"][:8] for entry in card["members"])


def _sides(spacing_mm: Any) -> str:
    return " × ".join(f"{float(mm):.3g}" for mm in spacing_mm) + " mm"
