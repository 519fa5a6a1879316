"""The methods of prediction by name, and the arithmetic of the activity that would give a wanted organ dose."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.prediction.organ_regressor import SHIPPED, read_regressor, require_known
from RPTDosimetryLib.prediction.pbpk import predict_by_population
from RPTDosimetryLib.prediction.pet_case import NEEDED_ORGANS, OrganDose, PetCase, PredictedDose
from RPTDosimetryLib.prediction.projection import predict_by_projection
from RPTDosimetryLib.prediction.psma_kinetics import AGENT, TRACER

METHODS: Final = ("projection", "pbpk", "gan")
_TEXTS: Final = {
    "projection": "the PET rescaled in each organ to the mean dose that a regression predicts",
    "pbpk": "the PET rescaled in each organ to the mean dose by population kinetics, nothing learnt",
    "gan": "3-D network (RPT DoseGAN), voxel by voxel",
}


@dataclass(frozen=True)
class WantedActivity:
    """The activity that would give an organ a wanted mean dose, if the prediction held: A = D/(dose per activity).

    low and high: with the upper and the lower end of the organ's 95 % interval. Arithmetic, not advice.
    """

    organ: str
    wanted_gy: float
    activity_gbq: float
    low_gbq: float
    high_gbq: float

    @property
    def text(self) -> str:
        """In one line."""
        return (
            f"{self.wanted_gy:g} Gy to {self.organ}: {self.activity_gbq:.3g} GBq by this prediction (95 % interval "
            f"{self.low_gbq:.3g} to {self.high_gbq:.3g} GBq). Arithmetic, not advice."
        )


@dataclass(frozen=True)
class MethodChoice:
    """A method that can be asked for; lacks: why it cannot be used here, empty where it can. quick: within seconds."""

    name: str
    text: str
    lacks: str = ""
    quick: bool = True


def method_choices(model: Path | None = None) -> tuple[MethodChoice, ...]:
    """Every method; model: the folder of a DoseGAN, or the regressor's file, in place of the shipped one."""
    own = model is not None and model.is_dir()
    lacks = {"gan": _lacks_gan(own)}
    return tuple(MethodChoice(name, _TEXTS[name], lacks.get(name, ""), name != "gan") for name in METHODS)


def _lacks_gan(own_model: bool) -> str:
    lacking = [name for name in ("torch", "monai", "safetensors") if importlib.util.find_spec(name) is None]
    if lacking:
        return f"The method gan needs {', '.join(lacking)}: install rptdosimetry[dl]."
    try:
        if not own_model:
            _gan_module("gan_model").shipped_gan_model()
    except PredictionError as error:
        return str(error)
    return ""


def predict_case(
    case: PetCase, method: str = "projection", model: Path | None = None, though_unlike: bool = False
) -> PredictedDose:
    """The predicted dose per activity by a method of METHODS.

    model: the regressor's JSON file or the folder of a DoseGAN in place of the shipped one. Raises PredictionError: no
    such method, another tracer or agent than it was trained on, organs missing, and, unless though_unlike, a PET too
    unlike the patients known for its kidneys or liver to be predicted.
    """
    predicted = _method(method)(case, model)
    withheld = [o for o in predicted.organs if o.name in NEEDED_ORGANS and o.withheld]
    if withheld and not though_unlike:
        why = "; ".join(f"{organ.name}: {', '.join(organ.unlike)}" for organ in withheld)
        raise PredictionError(
            f"{case.name}: the prediction is withheld, since the PET is unlike the patients that the predictor knows "
            f"({why}). Check SUV, units and organs."
        )
    return predicted


def wanted_activity(predicted: PredictedDose, organ: str, wanted_gy: float) -> WantedActivity:
    """Raises PredictionError for an organ that was not predicted or withheld, and for no positive dose."""
    return activity_for(predicted.organs, organ, wanted_gy)


def activity_for(organs: Sequence[OrganDose], organ: str, wanted_gy: float) -> WantedActivity:
    """wanted_activity from predicted organ doses alone."""
    found = next((o for o in organs if o.name == organ), None)
    if found is None or found.mean_gy_per_gbq is None or found.low_gy_per_gbq is None or found.high_gy_per_gbq is None:
        names = ", ".join(o.name for o in organs if not o.withheld)
        raise PredictionError(f"No dose of {organ!r} was predicted. Predicted: {names}.")
    if not wanted_gy > 0:
        raise PredictionError(f"A wanted dose of {wanted_gy:g} Gy to {organ}: give one above 0.")
    if not found.low_gy_per_gbq > 0:
        raise PredictionError(f"The interval of {organ} reaches 0 Gy/GBq: no activity has a highest value then.")
    return WantedActivity(
        organ,
        wanted_gy,
        wanted_gy / found.mean_gy_per_gbq,
        wanted_gy / found.high_gy_per_gbq,
        wanted_gy / found.low_gy_per_gbq,
    )


def _method(name: str) -> Callable[[PetCase, Path | None], PredictedDose]:
    methods: dict[str, Callable[[PetCase, Path | None], PredictedDose]] = {
        "projection": lambda case, model: predict_by_projection(case, read_regressor(model or SHIPPED)),
        "pbpk": lambda case, model: predict_by_population(case),
        "gan": _by_gan,
    }
    if name not in methods:
        raise PredictionError(f"There is no method {name!r} of prediction: choose one of {', '.join(METHODS)}.")
    return methods[name]


def _by_gan(case: PetCase, model: Path | None) -> PredictedDose:
    """The DoseGAN's map, its organ doses with 1.96 standard uncertainties either way."""
    inference, models = _gan_module("gan_inference"), _gan_module("gan_model")
    gan = models.read_gan_model(model or models.shipped_gan_model())
    require_known(case, str(gan.card.get("tracer", TRACER)), str(gan.card.get("agent", AGENT)))
    found = inference.predict_gan(gan, case.pet, case.ct, case.weight_kg, case.organs)
    rows = inference.organ_predictions(found, case.ct, case.organs, gan.card)
    organs = tuple(
        OrganDose(
            row.name,
            row.mean_gy_per_gbq,
            float(max(row.mean_gy_per_gbq - 1.96 * row.uncertainty_gy_per_gbq, 0.0)),
            float(row.mean_gy_per_gbq + 1.96 * row.uncertainty_gy_per_gbq),
        )
        for row in rows
        if np.isfinite(row.uncertainty_gy_per_gbq)
    )
    text = f"3-D DoseGAN {found.model}, mean of {len(found.members)} networks."
    return PredictedDose("gan", found.dose, organs, text, tuple(found.warnings), found.spread)


def _gan_module(name: str) -> Any:
    try:
        return importlib.import_module(f"RPTDosimetryLib.prediction.{name}")
    except ImportError as error:
        raise PredictionError(f"The method gan is not available here ({error}): install rptdosimetry[dl].") from error
