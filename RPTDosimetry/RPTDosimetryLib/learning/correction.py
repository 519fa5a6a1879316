"""The correction of MSV by all members of a model: their mean, held back where they disagree, and its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.dose.engine import DoseTask
from RPTDosimetryLib.learning.attribution import input_times_gradient
from RPTDosimetryLib.learning.maps import body_box, cropped
from RPTDosimetryLib.learning.model_file import Model
from RPTDosimetryLib.learning.physics_maps import with_physics
from RPTDosimetryLib.learning.predict import predicted
from RPTDosimetryLib.physics.hounsfield import hu_from_density
from RPTDosimetryLib.physics.media import SCHEMES


@dataclass(frozen=True)
class Correction:
    """What is added to MSV [Gy], all (z, y, x) float32.

    members_gy: dose of each member. member_sd_gy: their standard deviation; None for one member. attribution: maps of
    what drove the correction, by name, with their unit. said: what the user must know.
    """

    correction_gy: NDArray[np.float32]
    members_gy: tuple[NDArray[np.float32], ...]
    member_sd_gy: NDArray[np.float32] | None
    attribution: Mapping[str, tuple[NDArray[np.float32], str]] = field(default_factory=dict)
    said: tuple[str, ...] = ()


def correction_of(
    model: Model, task: DoseTask, msv_gy: NDArray[np.float32], photon_gy: NDArray[np.float32]
) -> Correction:
    """f·Δ with Δ the mean of the members' corrections and f = max(0, 1 − SE²/Δ²), SE the standard error of that mean.

    f is 1 where members agree and 0 where their mean is no larger than its own error: there the dose is MSV. Both scale
    with the activity, so that f does not depend on it (positive-part shrinkage, James and Stein 1961).
    """
    maps = _maps(model, task, msv_gy, photon_gy)
    box = body_box(maps["tissue"])
    inside = cropped(maps, box)
    doses, electrons, driven, said = [], [], [], {}
    asks = task.settings.hybrid.attribution and model.kind.dose_and_electrons is None
    for number, module in enumerate(model.modules):
        task.step(0.7 + 0.25 * number / len(model.modules), f"Network {number + 1} of {len(model.modules)}")
        dose, electron, told = predicted(model.kind, module, inside)
        doses.append(dose)
        electrons.append(electron)
        if asks:
            driven.append(input_times_gradient(model.kind, module, inside))
        said.update(dict.fromkeys(told))
    msv = inside["msv8"][0]
    whole = _Whole(msv_gy.shape, box)
    members = tuple(whole(dose, msv_gy) for dose in doses)
    mean = sum(doses) / len(doses) - msv
    spread = None
    if len(doses) > 1:
        variance = sum((dose - msv - mean) ** 2 for dose in doses) / (len(doses) - 1)
        mean = mean * (1.0 - variance / len(doses) / (mean * mean).clamp(min=1e-30)).clamp(min=0.0)
        spread = whole(variance.sqrt())
    shown = {}
    if task.settings.hybrid.attribution:
        shown = _driven_by(driven, whole) if driven else _attribution(mean, electrons, whole)
    return Correction(whole(mean), members, spread, shown, tuple(said))


def _maps(model: Model, task: DoseTask, msv_gy: NDArray[np.float32], photon_gy: NDArray[np.float32]) -> dict[str, Any]:
    """What the model's network reads, on its device."""
    import torch

    device = next(model.modules[0].parameters()).device

    def on_device(values: NDArray[Any]) -> Any:
        return torch.as_tensor(np.ascontiguousarray(values, dtype=np.float32), device=device)[None]

    patient, tia = task.patient, task.tia.image
    made = {
        "density": lambda: on_device(patient.density.voxels),
        "tissue": lambda: on_device(patient.medium > 0),
        "medium": lambda: on_device(patient.medium),
        "tia": lambda: on_device(tia.voxels),
        "msv8": lambda: on_device(msv_gy),
        "photon_msv": lambda: on_device(photon_gy),
        "hu": lambda: on_device(hu_from_density(patient.density.voxels)),
    }
    maps = {name: made[name]() for name in made if name in (*model.kind.needs, "msv8", "tissue")}
    media = (patient.media or SCHEMES[patient.scheme]).media
    return with_physics(maps, model.card["nuclide"], tia.grid.spacing_mm, media, model.kind.needs)


@dataclass(frozen=True)
class _Whole:
    """Puts values of the body's box back into the whole grid."""

    shape: tuple[int, ...]
    box: tuple[slice, slice, slice]

    def __call__(self, values: Any, around: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        answer = np.zeros(self.shape, dtype=np.float32) if around is None else around.copy()
        answer[self.box] = values.cpu().numpy()
        return answer


def _driven_by(members: list[dict[str, Any]], whole: _Whole) -> dict[str, tuple[NDArray[np.float32], str]]:
    """What each input drove [Gy], mean of the members; inputs that drove nothing are left out."""
    means = {name: sum(member[name] for member in members) / len(members) for name in members[0]}
    return {f"correction_from_{name}_gy": (whole(mean), "Gy") for name, mean in means.items() if mean.any()}


def _attribution(mean: Any, electrons: list[Any], whole: _Whole) -> dict[str, tuple[NDArray[np.float32], str]]:
    """The parts of the correction from electrons and from photons [Gy], where the network tells them exactly."""
    if any(electron is None for electron in electrons):
        return {}
    electron = sum(electrons) / len(electrons)
    return {
        "correction_electrons_gy": (whole(electron), "Gy"),
        "correction_photons_gy": (whole(mean - electron), "Gy"),
    }
