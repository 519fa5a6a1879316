"""Predicted dose maps: 32³ windows, blended, one map a fold; their mean, their spread, organ means with their error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CancelledError, PredictionError
from RPTDosimetryLib.physics.hounsfield import density_from_hu
from RPTDosimetryLib.prediction.gan_guard import out_of_distribution
from RPTDosimetryLib.prediction.gan_model import GanModel
from RPTDosimetryLib.prediction.gan_patients import organ_numbers, uptake_from_suv
from RPTDosimetryLib.prediction.gan_settings import PATCH
from RPTDosimetryLib.prediction.pet_case import PetCase
from RPTDosimetryLib.records import Cancelled, Image, Progress, never, silent

#: Share of a window that lies on its neighbour.
OVERLAP: Final = 0.5
#: Windows a pass; more on a GPU.
_WINDOWS: Final = {"cpu": 4, "cuda": 64}


@dataclass(frozen=True)
class GanPrediction:
    """A prediction, not a measurement. dose, spread [Gy/GBq]: mean and standard deviation over the folds' maps.

    The spread says where folds disagree; it is a lower bound of the error. warnings: why the PET may be outside of what
    the model knows, empty when nothing speaks against it.
    """

    dose: Image
    spread: Image
    members: NDArray[np.float32]
    model: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class OrganPrediction:
    """Mass-weighted mean dose of an organ [Gy/GBq] with its standard uncertainty.

    u² = spread² + (r·D)², spread: standard deviation of the folds' means; r: root mean square relative error of that
    organ (of all organs where it has none) in patients held out of training, as the card gives it.
    """

    name: str
    voxels: int
    mean_gy_per_gbq: float
    spread_gy_per_gbq: float
    held_out_relative_error: float
    uncertainty_gy_per_gbq: float


def predict_gan(
    model: GanModel, pet_suv: Image, ct_hu: Image, weight_kg: float,
    organs: Mapping[str, NDArray[np.bool_]] | None = None, progress: Progress = silent,
    cancelled: Cancelled = never,
) -> GanPrediction:  # fmt: skip
    """Dose per administered activity from a PET [SUV, body weight] and a CT [HU] on one grid.

    organs: outlines where there are any, by the names on the card; others count as no outline.
    Raises GridMismatchError through the caller's images, PredictionError for values that are not numbers or no weight.
    """
    if not pet_suv.grid.same_as(ct_hu.grid):
        raise PredictionError("PET and CT are on different grids: resample the CT onto the PET's grid first.")
    uptake, hu = uptake_from_suv(pet_suv.voxels, weight_kg), np.asarray(ct_hu.voxels, dtype=np.float32)
    for what, values in (("PET", uptake), ("CT", hu)):
        if not np.isfinite(values).all():
            raise PredictionError(f"The {what} holds values that are not numbers: repair the image.")
    outlined = {name: np.flatnonzero(mask) for name, mask in (organs or {}).items()}
    numbers = organ_numbers(outlined, model.card["organs"], hu.shape)
    members = predict_members(model, uptake, hu, numbers, progress, cancelled)
    ddof = 1 if len(members) > 1 else 0
    return GanPrediction(
        dose=pet_suv.with_voxels(members.mean(axis=0), "Gy/GBq"),
        spread=pet_suv.with_voxels(members.std(axis=0, ddof=ddof), "Gy/GBq"),
        members=members,
        model=model.name,
        warnings=out_of_distribution(model.card, uptake, hu, pet_suv.grid.spacing_mm),
    )


def gan_method(model: GanModel, outlined: bool = True) -> Callable[[PetCase], NDArray[np.floating]]:
    """The model as a method that judgement.judge takes; outlined: given the organs' outlines, or PET and CT alone."""

    def predicted(case: PetCase) -> NDArray[np.floating]:
        organs = case.organs if outlined else None
        return np.asarray(predict_gan(model, case.pet, case.ct, case.weight_kg, organs).dose.voxels)

    return predicted


def predict_members(
    model: GanModel, uptake: NDArray[np.float32], hu: NDArray[np.float32], organs: NDArray[np.float32],
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> NDArray[np.float32]:  # fmt: skip
    """One dose map a fold (folds, z, y, x) [Gy/GBq] from uptake [SUV at 70 kg], HU and numbers of organs.

    Windows overlap by half and are blended with Gaussian weights.
    """
    maps = []
    for index, generator in enumerate(model.generators):
        progress(index / len(model.generators), f"Predicting, fold {index + 1} of {len(model.generators)}")
        if cancelled():
            raise CancelledError("The prediction was stopped; nothing was written.")
        maps.append(_blended(generator, (uptake, hu, organs), model.device))
    progress(1.0, "Predicted")
    return np.stack(maps)


def _blended(generator: Any, layers: tuple[NDArray[np.float32], ...], device: Any) -> NDArray[np.float32]:
    import torch
    from monai.inferers.utils import sliding_window_inference

    hu = layers[1]
    short = [max(PATCH - n, 0) for n in hu.shape]
    padded = [
        np.pad(a, [(0, n) for n in short], constant_values=fill)
        for a, fill in zip(layers, (0.0, -1000.0, 0.0), strict=True)
    ]
    inputs = torch.from_numpy(np.stack(padded)[None]).to(device)

    def where_tissue(windows: torch.Tensor) -> torch.Tensor:
        windows = windows.to(memory_format=torch.channels_last_3d)
        if device.type == "cuda":  # which looks for its fastest convolutions anew for every number of windows
            return generator(windows)
        tissue = (windows[:, 1] >= generator.air_below_hu).flatten(1).any(1)
        dose = torch.zeros_like(windows[:, :1])
        if tissue.any():
            dose[tissue] = generator(windows[tissue])
        return dose

    with torch.inference_mode():
        blended = sliding_window_inference(
            inputs, (PATCH,) * 3, _WINDOWS[device.type], where_tissue, overlap=OVERLAP, mode="gaussian"
        )
    z, y, x = hu.shape
    dose: NDArray[np.float32] = blended[0, 0, :z, :y, :x].float().cpu().numpy()
    return np.where(hu >= generator.air_below_hu, np.maximum(dose, 0.0), 0.0).astype(np.float32)


def organ_predictions(
    prediction: GanPrediction, ct_hu: Image, organs: Mapping[str, NDArray[np.bool_]], card: Mapping[str, Any]
) -> list[OrganPrediction]:
    """Mean dose and its uncertainty of each organ. Raises PredictionError for an organ without a voxel of tissue."""
    density = density_from_hu(np.asarray(ct_hu.voxels, dtype=np.float64))
    held_out = card.get("held_out", {}).get("organs", {})
    found = []
    for name, mask in organs.items():
        weights = np.where(mask & (prediction.dose.voxels > 0), density, 0.0)
        if not weights.any():
            raise PredictionError(f"{name} has no voxel with predicted dose: check its outline against PET and CT.")
        means = np.einsum("nzyx,zyx->n", prediction.members.astype(np.float64), weights) / weights.sum()
        spread = float(means.std(ddof=1)) if len(means) > 1 else 0.0
        known = held_out.get(name) or held_out.get("all organs")
        relative = float(known["rms_percent"]) / 100.0 if known else float("nan")
        mean = float(means.mean())
        total = float(np.hypot(spread, relative * mean))
        found.append(OrganPrediction(name, int(mask.sum()), mean, spread, relative, total))
    return found
