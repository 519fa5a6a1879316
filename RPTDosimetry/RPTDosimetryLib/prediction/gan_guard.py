"""Whether a PET/CT lies within what a model was trained on: reasons against it, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.prediction.gan_patients import AIR_BELOW_HU, GanPatient

#: How far a figure may lie outside the range seen in training, as a factor, before it is a reason.
TOLERANCE: Final = 1.25
#: Figures of a PET/CT: name → (what it is, unit).
_FIGURES: Final = {
    "body_ml": ("body volume in the image", "mL"),
    "mean_uptake": ("mean uptake of the body", "SUV at 70 kg"),
    "uptake_p99": ("99th percentile of the body's uptake", "SUV at 70 kg"),
    "highest_uptake": ("highest uptake", "SUV at 70 kg"),
    "lung_share": ("share of the body below −500 HU", ""),
    "bone_share": ("share of the body above 200 HU", ""),
}


def figures(uptake: NDArray[np.float32], hu: NDArray[np.float32], spacing_mm: Sequence[float]) -> dict[str, float]:
    """The figures of one PET/CT that are compared with those of the patients known."""
    body = hu >= AIR_BELOW_HU
    if not body.any():
        return dict.fromkeys(_FIGURES, 0.0)
    inside, ct = uptake[body], hu[body]
    return {
        "body_ml": float(body.sum() * np.prod(spacing_mm) / 1000.0),
        "mean_uptake": float(inside.mean()),
        "uptake_p99": float(np.percentile(inside, 99)),
        "highest_uptake": float(inside.max()),
        "lung_share": float((ct < -500).mean()),
        "bone_share": float((ct > 200).mean()),
    }


def known_ranges(patients: Sequence[GanPatient]) -> dict[str, list[float]]:
    """Lowest and highest of every figure over the patients, for the model card."""
    rows = [figures(patient.uptake, patient.hu, patient.spacing_mm) for patient in patients]
    return {name: [min(row[name] for row in rows), max(row[name] for row in rows)] for name in _FIGURES}


def out_of_distribution(
    card: Mapping[str, Any], uptake: NDArray[np.float32], hu: NDArray[np.float32], spacing_mm: Sequence[float]
) -> tuple[str, ...]:
    """Reasons why the prediction may not hold: voxel size off by over 5 %, figures beyond the patients of the card."""
    reasons = []
    known_mm = card.get("spacing_mm", spacing_mm)
    if not np.allclose(spacing_mm, known_mm, rtol=0.05):
        reasons.append(f"Voxels of {_mm(spacing_mm)}; the model knows {_mm(known_mm)}: resample PET and CT.")
    found = figures(uptake, hu, spacing_mm)
    for name, (low, high) in card.get("known_ranges", {}).items():
        what, unit = _FIGURES.get(name, (name, ""))
        value = found.get(name, float("nan"))
        if not low / TOLERANCE <= value <= high * TOLERANCE:
            reasons.append(f"The {what} is {value:.3g} {unit}".rstrip() + f"; the model knows {low:.3g} to {high:.3g}.")
    return tuple(reasons)


def _mm(spacing_mm: Sequence[float]) -> str:
    return " × ".join(f"{value:g}" for value in spacing_mm) + " mm"
